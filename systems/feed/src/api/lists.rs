//! Lists of accounts.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::entity::small::list_json;
use super::error::Error;
use super::page::Page;
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::command::{MakeList, RemoveList, Reply, SetListed};
use crate::state::{List, Listing};
use crate::value::{AccountId, ItemId};

const POLICIES: [&str; 3] = ["list", "followed", "none"];

pub(super) fn item_id(text: &str) -> Result<ItemId, Error> {
    ItemId::parse(text).ok_or_else(Error::not_found)
}

async fn find(service: &Service, me: AccountId, id: &str) -> Result<List, Error> {
    let id = item_id(id)?;
    service.read(me.bucket(), move |feed| feed.list(me, id)).await?.ok_or_else(Error::not_found)
}

pub(super) async fn index(State(service): State<Shared>, me: Me) -> Result<Json<Value>, Error> {
    let lists = service.read(me.id.bucket(), move |feed| feed.lists(me.id)).await?;
    Ok(Json(lists.iter().map(list_json).collect()))
}

pub(super) async fn show(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    Ok(Json(list_json(&find(&service, me.id, &id).await?)))
}

async fn set(service: &Service, me: Me, before: Option<List>, params: &Params) -> Result<Json<Value>, Error> {
    let title = params.words("title").or(before.as_ref().map(|list| list.title.clone()));
    let title = title.ok_or_else(|| Error::invalid("Title can't be blank"))?;
    if title.chars().count() > 255 {
        return Err(Error::invalid("Title is too long (maximum is 255 characters)"));
    }
    let policy = params.words("replies_policy").or(before.as_ref().map(|list| list.replies_policy.clone()));
    let policy = policy.unwrap_or_else(|| "list".to_owned());
    if !POLICIES.contains(&policy.as_str()) {
        return Err(Error::new(
            axum::http::StatusCode::UNPROCESSABLE_ENTITY,
            format!("'{policy}' is not a valid replies_policy"),
        ));
    }
    let exclusive = params.flag("exclusive").or(before.as_ref().map(|list| list.exclusive)).unwrap_or(false);
    let make = MakeList {
        account: me.id,
        list: before.map(|list| list.id),
        title,
        replies_policy: policy,
        exclusive,
    };
    let Reply::Made(id) = service.ask(me.id, me.id.bucket(), make).await? else {
        return Err(Error::not_found());
    };
    Ok(Json(list_json(&find(service, me.id, &id.to_string()).await?)))
}

pub(super) async fn create(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    set(&service, me, None, &params).await
}

pub(super) async fn update(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let before = find(&service, me.id, &id).await?;
    set(&service, me, Some(before), &params).await
}

pub(super) async fn delete(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    service.ask(me.id, me.id.bucket(), RemoveList { account: me.id, list: item_id(&id)? }).await?;
    Ok(Json(json!({})))
}

pub(super) async fn accounts(
    State(service): State<Shared>,
    Path(id): Path<String>,
    uri: Uri,
    me: Me,
    params: Params,
) -> Result<Response, Error> {
    let list = find(&service, me.id, &id).await?;
    if params.number("limit") == Some(0) {
        // All of them at once.
        let members = service.read(me.id.bucket(), move |feed| feed.members(list.id)).await?;
        let accounts = service.accounts(&members).await?;
        let accounts: Value = accounts.iter().map(|account| service.account_json(account)).collect();
        return Ok(Json(accounts).into_response());
    }
    let page = Page::read(&params, 40, 80);
    service.listed_accounts(Listing::Members, list.id.0, me.id.bucket(), &uri, page).await
}

async fn set_listed(
    service: &Service,
    id: &str,
    me: Me,
    params: &Params,
    on: bool,
) -> Result<Json<Value>, Error> {
    let members = params.accounts("account_ids");
    if service.accounts(&members).await?.len() != members.len() {
        return Err(Error::not_found());
    }
    let list = item_id(id)?;
    service.ask(me.id, me.id.bucket(), SetListed { account: me.id, list, members, on }).await?;
    Ok(Json(json!({})))
}

pub(super) async fn add(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    set_listed(&service, &id, me, &params, true).await
}

pub(super) async fn remove(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    set_listed(&service, &id, me, &params, false).await
}
