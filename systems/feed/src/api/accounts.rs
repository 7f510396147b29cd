//! Accounts: whose they are, what they wrote, and who follows whom.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::entity::account::relationship_json;
use super::entity::status::Place;
use super::error::Error;
use super::page::{Answer, Links, Page, Part};
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::command::UpdateProfile;
use crate::engine::text;
use crate::media::Shape;
use crate::state::{Account, Feed, Listing, Window};
use crate::value::{AccountId, Entry, Field, PostId, QuotePolicy, Standing, Visibility};

/// The longest texts of a profile, in characters.
const DISPLAY_NAME: usize = 30;
const NOTE: usize = 500;
const FIELD: usize = 255;
const FIELDS: usize = 4;

/// Reads the id of a path.
pub(crate) fn account_id(text: &str) -> Result<AccountId, Error> {
    AccountId::parse(text).ok_or_else(Error::not_found)
}

impl Service {
    /// An account, or that there is none.
    pub(crate) async fn account(&self, id: AccountId) -> Result<Account, Error> {
        self.read(id.bucket(), move |feed| feed.account(id)).await?.ok_or_else(Error::not_found)
    }

    /// The accounts of these ids that there are and that are not suspended, in this order.
    pub(crate) async fn accounts(&self, ids: &[AccountId]) -> Result<Vec<Account>, Error> {
        let seen: Vec<AccountId> = ids.iter().copied().filter(|id| !self.is_suspended(*id)).collect();
        self.all_accounts(&seen).await
    }

    /// The accounts of these ids that there are, in this order.
    pub(crate) async fn all_accounts(&self, ids: &[AccountId]) -> Result<Vec<Account>, Error> {
        let mut parts: BTreeMap<usize, Vec<AccountId>> = BTreeMap::new();
        for id in ids {
            parts.entry(self.place(id.bucket())).or_default().push(*id);
        }
        let mut found = BTreeMap::new();
        for (place, ids) in parts {
            let accounts = self.read_place(place, move |feed| {
                ids.into_iter().filter_map(|id| feed.account(id)).collect::<Vec<_>>()
            });
            found.extend(accounts.await?.into_iter().map(|account| (account.id, account)));
        }
        Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect())
    }

    /// The page of a listing of accounts.
    pub(crate) async fn listed_accounts(
        &self,
        listing: Listing,
        owner: u64,
        bucket: u16,
        uri: &Uri,
        page: Page,
    ) -> Result<Response, Error> {
        let window = page.window;
        let found = self.read(bucket, move |feed| feed.listing(listing, owner, window)).await?;
        let found = page.shown(found);
        // A reblog's place is its id, whose subject is who reblogged.
        let ids: Vec<AccountId> = found.iter().map(|(_, subject)| AccountId(*subject)).collect();
        let items = self.accounts(&ids).await?.iter().map(|account| self.account_json(account)).collect();
        Ok(Answer {
            base: &self.settings.base,
            uri,
            items,
            links: Links::of(found.iter().map(|(place, _)| *place), window),
        }
        .into_response())
    }

    async fn own(&self, me: AccountId) -> Result<Json<Value>, Error> {
        let account = self.account(me).await?;
        let requests = self.read(me.bucket(), move |feed| {
            feed.listing(Listing::Requests, me.0, Window::newest(1_000)).len()
        });
        Ok(Json(self.own_account_json(&account, requests.await?)))
    }
}

pub(super) async fn verify_credentials(State(service): State<Shared>, me: Me) -> Result<Json<Value>, Error> {
    service.own(me.id).await
}

pub(super) async fn update_credentials(
    State(service): State<Shared>,
    me: Me,
    mut params: Params,
) -> Result<Json<Value>, Error> {
    let avatar = match params.upload("avatar") {
        Some(picture) => Some(service.portrait(&picture, Shape::Avatar).await?),
        None => None,
    };
    let header = match params.upload("header") {
        Some(picture) => Some(service.portrait(&picture, Shape::Header).await?),
        None => None,
    };
    let source = params.within("source").unwrap_or_default();
    let bounded = |name: &'static str, most: usize| match params.text(name) {
        Some(text) if text.chars().count() > most => {
            Err(Error::invalid(format!("{name} is too long (maximum is {most} characters)")))
        }
        text => Ok(text),
    };
    let quote_policy = match source.words("quote_policy") {
        None => None,
        Some(name) => Some(
            QuotePolicy::parse(&name)
                .ok_or_else(|| Error::invalid("Quote policy is not included in the list"))?,
        ),
    };
    let privacy = match source.words("privacy") {
        None => None,
        Some(name) => Some(
            Visibility::parse(&name).ok_or_else(|| Error::invalid("Privacy is not included in the list"))?,
        ),
    };
    let (display_name, note) = (bounded("display_name", DISPLAY_NAME)?, bounded("note", NOTE)?);
    let update = UpdateProfile {
        account: me.id,
        display_name,
        note,
        fields: fields(&params)?,
        avatar,
        header,
        locked: params.flag("locked"),
        bot: params.flag("bot"),
        discoverable: params.flag("discoverable"),
        indexable: params.flag("indexable"),
        hide_collections: params.flag("hide_collections"),
        privacy,
        sensitive: source.flag("sensitive"),
        language: source.text("language"),
        quote_policy,
    };
    service.ask(me.id, me.id.bucket(), update).await?;
    service.own(me.id).await
}

fn fields(params: &Params) -> Result<Option<Vec<Field>>, Error> {
    let Some(given) = params.objects("fields_attributes") else { return Ok(None) };
    let mut fields = Vec::new();
    for field in given {
        let name = field.text("name").unwrap_or_default();
        let value = field.text("value").unwrap_or_default();
        if name.chars().count() > FIELD || value.chars().count() > FIELD {
            return Err(Error::invalid(format!("a field is too long (maximum is {FIELD} characters)")));
        }
        if !name.is_empty() || !value.is_empty() {
            fields.push(Field { name, value });
        }
    }
    if fields.len() > FIELDS {
        return Err(Error::invalid(format!("there are more than {FIELDS} fields")));
    }
    Ok(Some(fields))
}

async fn remove_picture(service: &Service, me: Me, shape: Shape) -> Result<Json<Value>, Error> {
    let mut update = UpdateProfile { account: me.id, ..UpdateProfile::default() };
    match shape {
        Shape::Avatar => update.avatar = Some(Vec::new()),
        Shape::Header => update.header = Some(Vec::new()),
        Shape::Emoji => unreachable!("an emoji is of no account"),
    }
    service.ask(me.id, me.id.bucket(), update).await?;
    service.own(me.id).await
}

pub(super) async fn remove_avatar(State(service): State<Shared>, me: Me) -> Result<Json<Value>, Error> {
    remove_picture(&service, me, Shape::Avatar).await
}

pub(super) async fn remove_header(State(service): State<Shared>, me: Me) -> Result<Json<Value>, Error> {
    remove_picture(&service, me, Shape::Header).await
}

pub(super) async fn show(
    State(service): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let account = service.account(account_id(&id)?).await?;
    Ok(Json(service.account_json(&account)))
}

pub(super) async fn several(State(service): State<Shared>, params: Params) -> Result<Json<Value>, Error> {
    let ids = params.accounts("id");
    let accounts = service.all_accounts(ids.get(..40).unwrap_or(&ids)).await?;
    Ok(Json(accounts.iter().map(|account| service.account_json(account)).collect()))
}

pub(super) async fn lookup(State(service): State<Shared>, params: Params) -> Result<Json<Value>, Error> {
    let account = service.named(&params.words("acct").unwrap_or_default()).await?;
    Ok(Json(service.account_json(&account)))
}

pub(super) async fn relationships(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let ids = params.accounts("id");
    let known = match params.is("with_suspended") {
        true => service.all_accounts(&ids).await?,
        false => service.accounts(&ids).await?,
    };
    let known: Vec<AccountId> = known.iter().map(|account| account.id).collect();
    let relations = service.read(me.id.bucket(), move |feed| {
        known.into_iter().map(|id| (id, feed.relation(me.id, id))).collect::<Vec<_>>()
    });
    Ok(Json(relations.await?.iter().map(|(id, relation)| relationship_json(*id, relation)).collect()))
}

pub(super) async fn familiar_followers(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let mine = service
        .read(me.id.bucket(), move |feed| feed.listing(Listing::Following, me.id.0, Window::newest(5_000)));
    let mine: Vec<u64> = mine.await?.into_iter().map(|(_, subject)| subject).collect();
    let mut answer = Vec::new();
    for id in params.accounts("id").into_iter().take(20) {
        if service.is_suspended(id) || !may_see_graph(&service, id, Some(&me)).await? {
            answer.push(json!({ "id": id.to_string(), "accounts": [] }));
            continue;
        }
        let follows = mine.clone();
        let familiar = service.read(id.bucket(), move |feed| {
            let all = follows.into_iter().map(AccountId);
            all.filter(|other| feed.relation(id, *other).followed_by).take(10).collect::<Vec<_>>()
        });
        let accounts = service.accounts(&familiar.await?).await?;
        let accounts: Vec<Value> = accounts.iter().map(|account| service.account_json(account)).collect();
        answer.push(json!({ "id": id.to_string(), "accounts": accounts }));
    }
    Ok(Json(answer.into()))
}

/// Whether a viewer may see whom an account follows and who follows it.
async fn may_see_graph(service: &Service, account: AccountId, me: Option<&Me>) -> Result<bool, Error> {
    let hidden = service.account(account).await?.hide_collections;
    let Some(me) = me.map(|me| me.id) else { return Ok(!hidden) };
    let blocked = service.read(account.bucket(), move |feed| feed.relation(account, me).blocking).await?;
    Ok(me == account || !hidden && !blocked)
}

async fn graph(
    service: &Service,
    id: &str,
    me: Option<Me>,
    uri: &Uri,
    params: &Params,
    listing: Listing,
) -> Result<Response, Error> {
    let id = account_id(id)?;
    if service.is_suspended(id) || !may_see_graph(service, id, me.as_ref()).await? {
        return Ok(Json(json!([])).into_response());
    }
    service.listed_accounts(listing, id.0, id.bucket(), uri, Page::read(params, 40, 80)).await
}

pub(super) async fn followers(
    State(service): State<Shared>,
    Path(id): Path<String>,
    uri: Uri,
    me: Option<Me>,
    params: Params,
) -> Result<Response, Error> {
    graph(&service, &id, me, &uri, &params, Listing::Followers).await
}

pub(super) async fn following(
    State(service): State<Shared>,
    Path(id): Path<String>,
    uri: Uri,
    me: Option<Me>,
    params: Params,
) -> Result<Response, Error> {
    graph(&service, &id, me, &uri, &params, Listing::Following).await
}

pub(super) async fn endorsed(
    State(service): State<Shared>,
    Path(id): Path<String>,
    uri: Uri,
    params: Params,
) -> Result<Response, Error> {
    let id = account_id(&id)?;
    service.listed_accounts(Listing::Endorsed, id.0, id.bucket(), &uri, Page::read(&params, 40, 80)).await
}

/// What is asked of an account's posts.
#[derive(Clone, Default)]
struct Kind {
    only_media: bool,
    no_replies: bool,
    no_reblogs: bool,
}

impl Kind {
    fn keeps(&self, entry: &Entry) -> bool {
        let answers_others = entry.reply_to.is_some_and(|other| other != entry.author);
        !(self.only_media && !entry.media
            || self.no_replies && answers_others
            || self.no_reblogs && entry.reblog_of.is_some())
    }
}

/// How often is looked on in one read, when much of what is found is not wanted.
const ROUNDS: usize = 8;

/// The posts of an account within a window that a viewer may see, so many at most.
fn visible(feed: &Feed, account: AccountId, viewer: Option<AccountId>, window: Window, kind: &Kind) -> Part {
    let mut left = window;
    let mut part = Part::default();
    for _ in 0..ROUNDS {
        let entries = feed.written(account, left);
        part.end = entries.last().map(|entry| entry.post.0).filter(|_| entries.len() == left.most);
        let wanted = entries.iter().filter(|entry| kind.keeps(entry));
        part.posts.extend(wanted.map(|entry| entry.post).filter(|post| feed.show(*post, viewer).is_some()));
        if part.posts.len() > window.most {
            part.posts.truncate(window.most);
            part.end = part.posts.last().map(|post| post.0);
        }
        match part.end {
            Some(end) if part.posts.len() < window.most => left = left.after(end),
            _ => break,
        }
    }
    part
}

pub(super) async fn statuses(
    State(service): State<Shared>,
    Path(id): Path<String>,
    uri: Uri,
    me: Option<Me>,
    params: Params,
) -> Result<Response, Error> {
    let id = account_id(&id)?;
    service.account(id).await?;
    let viewer = me.map(|me| me.id);
    let page = Page::read(&params, 20, 40);
    let window = page.window;
    let kind = Kind {
        only_media: params.is("only_media"),
        no_replies: params.is("exclude_replies"),
        no_reblogs: params.is("exclude_reblogs"),
    };
    let tag = params.words("tagged").map(|tag| text::normalize_tag(&tag));
    let pinned = params.is("pinned");
    let found = service.read(id.bucket(), move |feed| {
        if pinned {
            let pins = feed.listing(Listing::Pins, id.0, Window::newest(window.most));
            Part { posts: pins.into_iter().map(|(_, post)| PostId(post)).collect(), end: None }
        } else if let Some(tag) = tag {
            Part::of(feed.own_tagged(id, &tag, window), window)
        } else {
            visible(feed, id, viewer, window, &kind)
        }
    });
    service.page_of_posts(viewer, found.await?, window, &uri, Place::Account).await
}

impl Service {
    /// A page of posts by their own ids, with the pages beside it.
    pub(crate) async fn page_of_posts(
        &self,
        viewer: Option<AccountId>,
        part: Part,
        window: Window,
        uri: &Uri,
        place: Place,
    ) -> Result<Response, Error> {
        let (ids, links) = part.shown(window);
        let items = self.rendered(viewer, &ids, place).await?;
        Ok(Answer { base: &self.settings.base, uri, items, links }.into_response())
    }
}

/// Accounts that moderators have done something about, as one viewer may find them.
pub(crate) struct Known {
    standings: HashMap<AccountId, Standing>,
    viewer: Option<AccountId>,
    followed: BTreeSet<AccountId>,
}

impl Known {
    /// Whether the viewer finds an account where everybody looks: a limited one only who follows it, a suspended one nobody.
    pub(crate) fn may_find(&self, account: AccountId) -> bool {
        let standing = self.standings.get(&account).copied().unwrap_or_default();
        !standing.suspended
            && (!standing.limited || self.viewer == Some(account) || self.followed.contains(&account))
    }
}

pub(super) async fn search(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let limit = params.number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(40).min(80);
    let offset = super::search::offset(&params);
    let query = params.words("q").unwrap_or_default();
    let mut found = service.find_accounts(Some(me.id), &query, offset, limit).await?;
    if params.is("following") {
        let ids: Vec<AccountId> = found.iter().map(|account| account.id).collect();
        let followed = service.read(me.id.bucket(), move |feed| {
            ids.into_iter().map(|id| feed.relation(me.id, id).following.is_some()).collect::<Vec<_>>()
        });
        let mut followed = followed.await?.into_iter();
        found.retain(|_| followed.next() == Some(true));
    }
    Ok(Json(found.iter().map(|account| service.account_json(account)).collect()))
}

impl Service {
    /// What a viewer knows of the accounts that moderators have done something about.
    pub(crate) async fn known_to(&self, viewer: Option<AccountId>) -> Result<Known, Error> {
        let standings = self.standings.all();
        let Some(viewer) = viewer.filter(|_| !standings.is_empty()) else {
            return Ok(Known { standings, viewer, followed: BTreeSet::new() });
        };
        let ids: Vec<AccountId> = standings.keys().copied().collect();
        let followed = self.read(viewer.bucket(), move |feed| {
            let follows = |id: &AccountId| feed.relation(viewer, *id).following.is_some();
            ids.into_iter().filter(follows).collect()
        });
        Ok(Known { standings, viewer: Some(viewer), followed: followed.await? })
    }

    /// Accounts whose names begin with a text, an exact name first.
    pub(crate) async fn find_accounts(
        &self,
        viewer: Option<AccountId>,
        query: &str,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<Account>, Error> {
        let query = query.trim();
        let exact = match self.named(query).await {
            Err(error) if !error.is_not_found() => return Err(error),
            found => found.ok(),
        };
        let known = self.known_to(viewer).await?;
        let exact = exact.filter(|account| known.may_find(account.id));
        let plain = query.trim_start_matches('@').to_lowercase();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if plain.is_empty() || !plain.bytes().all(fits) {
            return Ok(exact.into_iter().skip(offset).collect());
        }
        let mut found: Vec<Account> = self
            .read_all(move |feed| feed.accounts_from(&plain, limit))
            .await?
            .into_iter()
            .flatten()
            .filter(|account| known.may_find(account.id))
            .collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        if let Some(exact) = exact {
            found.retain(|account| account.id != exact.id);
            found.insert(0, exact);
        }
        Ok(found.into_iter().skip(offset).take(limit).collect())
    }
}

pub(super) async fn lists(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let id = account_id(&id)?;
    let lists = service.read(me.id.bucket(), move |feed| {
        let lists = feed.lists(me.id).into_iter();
        lists.filter(|list| feed.place(Listing::Members, list.id.0, id.0).is_some()).collect::<Vec<_>>()
    });
    Ok(Json(lists.await?.iter().map(super::entity::small::list_json).collect()))
}
