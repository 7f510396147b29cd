//! Filters, in their second form and in the first, which apps still ask for.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::entity::moment;
use super::entity::small::{filter_json, filter_post_json, keyword_json};
use super::error::Error;
use super::lists::item_id;
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::command::{RemoveFilter, Reply, SetFilter};
use crate::state::Filter;
use crate::value::{AccountId, ItemId, PostId, SECOND};

const CONTEXTS: [&str; 5] = ["home", "notifications", "public", "thread", "account"];
const ACTIONS: [&str; 3] = ["warn", "hide", "blur"];

type Keyword = (Option<ItemId>, String, bool);

async fn all(service: &Service, me: AccountId) -> Result<Vec<Filter>, Error> {
    service.read(me.bucket(), move |feed| feed.filters(me)).await
}

async fn find(service: &Service, me: AccountId, id: ItemId) -> Result<Filter, Error> {
    all(service, me).await?.into_iter().find(|filter| filter.id == id).ok_or_else(Error::not_found)
}

/// A filter as it is, ready to be set again with changes.
fn unchanged(me: AccountId, filter: Filter) -> SetFilter {
    SetFilter {
        account: me,
        filter: Some(filter.id),
        title: filter.title,
        context: filter.context,
        action: filter.action,
        expires: filter.expires,
        keywords: filter.keywords.into_iter().map(|(id, word, whole)| (Some(id), word, whole)).collect(),
        posts: filter.posts.into_iter().map(|(id, post)| (Some(id), post)).collect(),
    }
}

async fn set(service: &Service, me: AccountId, filter: SetFilter) -> Result<Filter, Error> {
    match service.ask(me, me.bucket(), filter).await? {
        Reply::Made(id) => find(service, me, id).await,
        _ => Err(Error::not_found()),
    }
}

/// Takes over what a request says of a filter.
fn read(service: &Service, params: &Params, filter: &mut SetFilter) -> Result<(), Error> {
    if let Some(title) = params.words("title") {
        filter.title = title;
    }
    if let Some(context) = params.list("context") {
        if context.iter().any(|context| !CONTEXTS.contains(&context.as_str())) {
            return Err(Error::invalid("Context None or invalid context supplied"));
        }
        filter.context = context;
    }
    if let Some(action) = params.words("filter_action") {
        if !ACTIONS.contains(&action.as_str()) {
            return Err(Error::invalid("Action is not included in the list"));
        }
        filter.action = action;
    }
    if params.has("expires_in") {
        let seconds = params.number("expires_in").filter(|seconds| (1..=10 * 365 * 86_400).contains(seconds));
        filter.expires = seconds.map(|seconds| service.now() + seconds * SECOND);
    }
    for keyword in params.objects("keywords_attributes").unwrap_or_default() {
        read_keyword(&keyword, &mut filter.keywords)?;
    }
    if filter.title.is_empty() || filter.title.chars().count() > 255 {
        return Err(Error::invalid("Title can't be blank"));
    }
    if filter.context.is_empty() {
        return Err(Error::invalid("Context None or invalid context supplied"));
    }
    Ok(())
}

/// Adds, changes or removes a word.
fn read_keyword(params: &Params, keywords: &mut Vec<Keyword>) -> Result<(), Error> {
    let id = params.items("id").first().copied();
    let place = id.and_then(|id| keywords.iter().position(|(known, ..)| *known == Some(id)));
    if params.is("_destroy") {
        if let Some(place) = place {
            keywords.remove(place);
        }
        return Ok(());
    }
    let before = place.map(|place| keywords[place].clone());
    let word = params.words("keyword").or(before.as_ref().map(|(_, word, _)| word.clone()));
    let word = word.ok_or_else(|| Error::invalid("Keyword can't be blank"))?;
    if word.chars().count() > 512 {
        return Err(Error::invalid("Keyword is too long (maximum is 512 characters)"));
    }
    let whole = params.flag("whole_word").or(before.map(|(_, _, whole)| whole)).unwrap_or(false);
    match place {
        Some(place) => keywords[place] = (id, word, whole),
        None => keywords.push((None, word, whole)),
    }
    Ok(())
}

pub(super) async fn index(State(service): State<Shared>, me: Me) -> Result<Json<Value>, Error> {
    let filters = all(&service, me.id).await?;
    Ok(Json(filters.iter().map(|filter| filter_json(filter, true)).collect()))
}

pub(super) async fn show(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    Ok(Json(filter_json(&find(&service, me.id, item_id(&id)?).await?, true)))
}

fn fresh(me: AccountId) -> SetFilter {
    SetFilter {
        account: me,
        filter: None,
        title: String::new(),
        context: Vec::new(),
        action: "warn".to_owned(),
        expires: None,
        keywords: Vec::new(),
        posts: Vec::new(),
    }
}

pub(super) async fn create(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let mut filter = fresh(me.id);
    read(&service, &params, &mut filter)?;
    Ok(Json(filter_json(&set(&service, me.id, filter).await?, true)))
}

pub(super) async fn update(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let mut filter = unchanged(me.id, find(&service, me.id, item_id(&id)?).await?);
    read(&service, &params, &mut filter)?;
    Ok(Json(filter_json(&set(&service, me.id, filter).await?, true)))
}

pub(super) async fn delete(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let remove = RemoveFilter { account: me.id, filter: item_id(&id)? };
    service.ask(me.id, me.id.bucket(), remove).await?;
    Ok(Json(json!({})))
}

pub(super) async fn keywords(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let filter = find(&service, me.id, item_id(&id)?).await?;
    Ok(Json(filter.keywords.iter().map(keyword_json).collect()))
}

pub(super) async fn add_keyword(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let mut filter = unchanged(me.id, find(&service, me.id, item_id(&id)?).await?);
    read_keyword(&params, &mut filter.keywords)?;
    let made = set(&service, me.id, filter).await?;
    Ok(Json(made.keywords.last().map(keyword_json).ok_or_else(Error::not_found)?))
}

/// The filter that has a word of this id.
async fn having(service: &Service, me: AccountId, id: ItemId) -> Result<Filter, Error> {
    let filters = all(service, me).await?.into_iter();
    let mut filters = filters.filter(|filter| filter.keywords.iter().any(|(known, ..)| *known == id));
    filters.next().ok_or_else(Error::not_found)
}

fn keyword_of(filter: &Filter, id: ItemId) -> Result<Json<Value>, Error> {
    let keyword = filter.keywords.iter().find(|(known, ..)| *known == id);
    Ok(Json(keyword.map(keyword_json).ok_or_else(Error::not_found)?))
}

pub(super) async fn keyword(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let id = item_id(&id)?;
    keyword_of(&having(&service, me.id, id).await?, id)
}

pub(super) async fn change_keyword(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let id = item_id(&id)?;
    let mut filter = unchanged(me.id, having(&service, me.id, id).await?);
    for (_, word, whole) in filter.keywords.iter_mut().filter(|(known, ..)| *known == Some(id)) {
        *word = params.words("keyword").unwrap_or_else(|| word.clone());
        *whole = params.flag("whole_word").unwrap_or(*whole);
    }
    keyword_of(&set(&service, me.id, filter).await?, id)
}

pub(super) async fn remove_keyword(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let id = item_id(&id)?;
    let mut filter = unchanged(me.id, having(&service, me.id, id).await?);
    filter.keywords.retain(|(known, ..)| *known != Some(id));
    set(&service, me.id, filter).await?;
    Ok(Json(json!({})))
}

pub(super) async fn posts(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let filter = find(&service, me.id, item_id(&id)?).await?;
    Ok(Json(filter.posts.iter().map(filter_post_json).collect()))
}

pub(super) async fn add_post(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let mut filter = unchanged(me.id, find(&service, me.id, item_id(&id)?).await?);
    let post: PostId = params.post("status_id").ok_or_else(Error::not_found)?;
    // Only what one may see.
    service.seen(Some(me.id), &post.to_string()).await?;
    filter.posts.push((None, post));
    let made = set(&service, me.id, filter).await?;
    Ok(Json(made.posts.last().map(filter_post_json).ok_or_else(Error::not_found)?))
}

pub(super) async fn post(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let id = item_id(&id)?;
    let filters = all(&service, me.id).await?;
    let found = filters.iter().flat_map(|filter| &filter.posts).find(|(known, _)| *known == id);
    Ok(Json(found.map(filter_post_json).ok_or_else(Error::not_found)?))
}

pub(super) async fn remove_post(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let id = item_id(&id)?;
    let filters = all(&service, me.id).await?.into_iter();
    let mut having = filters.filter(|filter| filter.posts.iter().any(|(known, _)| *known == id));
    let mut filter = unchanged(me.id, having.next().ok_or_else(Error::not_found)?);
    filter.posts.retain(|(known, _)| *known != Some(id));
    set(&service, me.id, filter).await?;
    Ok(Json(json!({})))
}

/// The first form: one word each, whose id is the word's.
fn first_form((id, phrase, whole_word): &(ItemId, String, bool), filter: &Filter) -> Value {
    json!({
        "id": id.to_string(),
        "phrase": phrase,
        "context": filter.context,
        "whole_word": whole_word,
        "expires_at": filter.expires.map(moment),
        "irreversible": filter.action == "hide",
    })
}

fn first_forms(filters: &[Filter]) -> impl Iterator<Item = Value> {
    filters.iter().flat_map(|filter| filter.keywords.iter().map(move |keyword| first_form(keyword, filter)))
}

fn read_first_form(service: &Service, params: &Params, filter: &mut SetFilter) -> Result<(), Error> {
    let phrase = params.words("phrase").or(filter.keywords.first().map(|(_, word, _)| word.clone()));
    let phrase = phrase.ok_or_else(|| Error::invalid("Phrase can't be blank"))?;
    let before = filter.keywords.first().cloned().unwrap_or((None, String::new(), false));
    let whole = params.flag("whole_word").unwrap_or(before.2);
    filter.keywords = vec![(before.0, phrase.clone(), whole)];
    filter.title = phrase;
    if let Some(hide) = params.flag("irreversible") {
        filter.action = if hide { "hide" } else { "warn" }.to_owned();
    }
    read(service, params, filter)
}

pub(super) async fn index_v1(State(service): State<Shared>, me: Me) -> Result<Json<Value>, Error> {
    Ok(Json(first_forms(&all(&service, me.id).await?).collect()))
}

async fn show_first(filter: &Filter, id: ItemId) -> Result<Json<Value>, Error> {
    let keyword = filter.keywords.iter().find(|(known, ..)| *known == id);
    Ok(Json(keyword.map(|keyword| first_form(keyword, filter)).ok_or_else(Error::not_found)?))
}

pub(super) async fn show_v1(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let id = item_id(&id)?;
    show_first(&having(&service, me.id, id).await?, id).await
}

pub(super) async fn create_v1(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let mut filter = fresh(me.id);
    read_first_form(&service, &params, &mut filter)?;
    let made = set(&service, me.id, filter).await?;
    Ok(Json(first_forms(&[made]).next().ok_or_else(Error::not_found)?))
}

pub(super) async fn update_v1(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let id = item_id(&id)?;
    let mut filter = unchanged(me.id, having(&service, me.id, id).await?);
    read_first_form(&service, &params, &mut filter)?;
    show_first(&set(&service, me.id, filter).await?, id).await
}

pub(super) async fn delete_v1(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let id = item_id(&id)?;
    let filter = having(&service, me.id, id).await?.id;
    service.ask(me.id, me.id.bucket(), RemoveFilter { account: me.id, filter }).await?;
    Ok(Json(json!({})))
}
