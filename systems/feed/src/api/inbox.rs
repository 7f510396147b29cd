//! What reaches an account: notifications, conversations, and how far it has read.

use std::collections::{BTreeMap, HashMap, HashSet};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::entity::moment;
use super::entity::status::Place;
use super::error::Error;
use super::page::{Answer, Links, Page};
use super::params::Params;
use super::rank::{ORDERED, Order};
use super::service::{Me, Service, Shared};
use crate::command::{ClearNotifications, HideConversation, ReadConversation, SetMarkers};
use crate::state::{Account, Conversation, Marker, Notification, Window};
use crate::value::{AccountId, ItemId, NotificationKind, PostId};

/// Notifications that are counted as unread, at most.
const COUNTED: usize = 1_000;
/// How many are looked at to find those of the kinds that are asked for.
const LOOKED_AT: usize = 2_000;

/// Which notifications are asked for.
#[derive(Clone, Debug, Default)]
struct Wanted {
    kinds: Option<Vec<String>>,
    not: Vec<String>,
    from: Option<AccountId>,
    /// Those that are kept apart, too.
    filtered: bool,
}

impl Wanted {
    fn read(params: &Params) -> Wanted {
        let from = params.accounts("account_id").first().copied();
        Wanted {
            kinds: params.list("types").filter(|kinds| !kinds.is_empty()),
            not: params.list("exclude_types").unwrap_or_default(),
            // Who asks for those of one account wants to decide about it.
            filtered: from.is_some() || params.is("include_filtered"),
            from,
        }
    }

    fn wants(&self, told: &Notification) -> bool {
        let is = |name: &String| name == told.kind.name();
        self.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(is))
            && !self.not.iter().any(is)
            && self.from.is_none_or(|from| from == told.from)
            && (self.filtered || !told.filtered)
    }
}

type Told = (u64, Notification);

impl Service {
    async fn told(&self, me: AccountId, wanted: Wanted, window: Window) -> Result<Vec<Told>, Error> {
        let read = self.read(me.bucket(), move |feed| {
            let all = feed.notifications(me, Window { most: LOOKED_AT, ..window });
            all.into_iter().filter(|(_, told)| wanted.wants(told)).take(window.most).collect()
        });
        read.await
    }

    /// Notifications as they are shown; those about what is gone, or is not to be seen, are left out.
    pub(crate) async fn notifications_json(&self, me: AccountId, told: &[Told]) -> Result<Vec<Value>, Error> {
        let posts: Vec<PostId> =
            told.iter().filter_map(|(_, told)| told.post).map(|post| post.post).collect();
        let shown = self.statuses_at(Some(me), &posts, Place::Notifications).await?;
        let mut shown = posts.into_iter().zip(shown).collect::<HashMap<_, _>>();
        let from: Vec<AccountId> = told.iter().map(|(_, told)| told.from).collect();
        let accounts = self.accounts(&from).await?;
        let accounts: HashMap<AccountId, &Account> =
            accounts.iter().map(|account| (account.id, account)).collect();
        let reports = self.reports_json(told.iter().filter_map(|(_, told)| told.report)).await?;
        let one = |(id, told): &Told| {
            let account = self.account_json(accounts.get(&told.from)?);
            let mut json = json!({
                "id": id.to_string(),
                "type": told.kind.name(),
                "created_at": moment(told.at),
                "group_key": group_key(*id, told),
                "account": account,
            });
            if let Some(post) = told.post {
                json["status"] = shown.get_mut(&post.post)?.clone()?;
            }
            if let Some(report) = told.report {
                json["report"] = reports.get(&report)?.clone();
            }
            Some(json)
        };
        Ok(told.iter().filter_map(one).collect())
    }
}

/// What is told together: likes and reblogs of one post, and follows, within half a day.
fn group_key(id: u64, told: &Notification) -> String {
    let half_day = told.at.div_euclid(12 * 3_600 * crate::value::SECOND);
    match (told.kind, told.post) {
        (NotificationKind::Favourite | NotificationKind::Reblog, Some(post)) => {
            format!("{}-{}-{half_day}", told.kind.name(), post.post)
        }
        (NotificationKind::Follow, _) => format!("follow-{half_day}"),
        _ => format!("ungrouped-{id}"),
    }
}

pub(super) async fn notifications(
    State(service): State<Shared>,
    uri: Uri,
    me: Me,
    params: Params,
) -> Result<Response, Error> {
    let page = Page::read(&params, 40, 80);
    let account = me.id;
    let ranked = match Order::read(&params)? {
        Some(order) => order == Order::ForYou,
        None => service.read(account.bucket(), move |feed| feed.ranking(account).notifications).await?,
    };
    // What is newer than something is asked for in the order of time.
    let ranked = ranked && page.window.above.is_none();
    let told = if ranked {
        let newest = service.told(me.id, Wanted::read(&params), Window::newest(ORDERED)).await?;
        service.closest(me.id, newest, page.window).await?
    } else {
        page.shown(service.told(me.id, Wanted::read(&params), page.window).await?)
    };
    let links = Links::of(told.iter().map(|(id, _)| *id), page.window);
    // Nothing is newer than what is not in the order of time.
    let links = if ranked { Links { back: None, ..links } } else { links };
    let items = service.notifications_json(me.id, &told).await?;
    Ok(Answer { base: &service.settings.base, uri: &uri, items, links }.into_response())
}

pub(super) async fn notification(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let id: u64 = id.parse().map_err(|_| Error::not_found())?;
    let window = Window::only(id);
    let every = Wanted { filtered: true, ..Wanted::default() };
    let told = service.told(me.id, every, window).await?;
    let mut shown = service.notifications_json(me.id, &told).await?;
    Ok(Json(shown.pop().ok_or_else(Error::not_found)?))
}

/// Groups in the order of their newest member.
struct Group {
    key: String,
    members: Vec<Told>,
}

/// The group of a notification, when those of these kinds are grouped; none means all.
fn key_among(id: u64, told: &Notification, asked: &[String]) -> String {
    let grouped = asked.is_empty() || asked.iter().any(|kind| kind == told.kind.name());
    if grouped { group_key(id, told) } else { format!("ungrouped-{id}") }
}

fn groups(told: Vec<Told>, asked: &[String]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (id, told) in told {
        let key = key_among(id, &told, asked);
        match groups.iter_mut().find(|group| group.key == key) {
            Some(group) => group.members.push((id, told)),
            None => groups.push(Group { key, members: vec![(id, told)] }),
        }
    }
    groups
}

impl Service {
    async fn grouped(&self, me: AccountId, groups: &[Group]) -> Result<Value, Error> {
        let posts: Vec<PostId> =
            groups.iter().filter_map(|group| group.members[0].1.post).map(|post| post.post).collect();
        let statuses = self.statuses(Some(me), &posts, Place::Notifications).await?;
        let sample = |group: &Group| {
            let mut from: Vec<AccountId> = Vec::new();
            for (_, told) in &group.members {
                if from.len() < 8 && !from.contains(&told.from) {
                    from.push(told.from);
                }
            }
            from
        };
        let mut from: Vec<AccountId> = groups.iter().flat_map(sample).collect();
        from.sort_unstable();
        from.dedup();
        let accounts = self.accounts(&from).await?;
        let seen = |post: PostId| statuses.iter().any(|status| status["id"] == post.to_string());
        let reports = groups.iter().filter_map(|group| group.members[0].1.report);
        let reports = self.reports_json(reports).await?;
        let shown = groups.iter().filter(|group| group.members[0].1.post.is_none_or(|post| seen(post.post)));
        let one = |group: &Group| {
            let (newest, told) = &group.members[0];
            let oldest = group.members.last().map_or(*newest, |(id, _)| *id);
            let mut json = json!({
                "group_key": group.key,
                "notifications_count": group.members.len(),
                "type": told.kind.name(),
                "most_recent_notification_id": newest.to_string(),
                "page_max_id": newest.to_string(),
                "page_min_id": oldest.to_string(),
                "latest_page_notification_at": moment(told.at),
                "sample_account_ids": sample(group).iter().map(ToString::to_string).collect::<Vec<_>>(),
            });
            if let Some(post) = told.post {
                json["status_id"] = post.post.to_string().into();
            }
            if let Some(report) = told.report.and_then(|report| reports.get(&report)) {
                json["report"] = report.clone();
            }
            json
        };
        Ok(json!({
            "accounts": accounts.iter().map(|account| self.account_json(account)).collect::<Vec<_>>(),
            "statuses": statuses,
            "notification_groups": shown.map(one).collect::<Vec<_>>(),
        }))
    }
}

pub(super) async fn notifications_v2(
    State(service): State<Shared>,
    uri: Uri,
    me: Me,
    params: Params,
) -> Result<Response, Error> {
    let page = Page::read(&params, 40, 80);
    let told = page.shown(service.told(me.id, Wanted::read(&params), page.window).await?);
    let links = Links::of(told.iter().map(|(id, _)| *id), page.window);
    let groups = groups(told, &params.list("grouped_types").unwrap_or_default());
    let answer = service.grouped(me.id, &groups).await?;
    // The header is that of a page; the body is one object.
    let page = Answer { base: &service.settings.base, uri: &uri, items: Vec::<Value>::new(), links };
    let mut response = Json(answer).into_response();
    if let Some(link) = page.into_response().headers().get(axum::http::header::LINK) {
        response.headers_mut().insert(axum::http::header::LINK, link.clone());
    }
    Ok(response)
}

async fn group_of(service: &Service, me: AccountId, key: &str) -> Result<Group, Error> {
    let told = service.told(me, Wanted::default(), Window::newest(LOOKED_AT)).await?;
    let mut found = groups(told, &[]).into_iter().filter(|group| group.key == key);
    found.next().ok_or_else(Error::not_found)
}

pub(super) async fn group(
    State(service): State<Shared>,
    Path(key): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let group = group_of(&service, me.id, &key).await?;
    Ok(Json(service.grouped(me.id, &[group]).await?))
}

pub(super) async fn group_accounts(
    State(service): State<Shared>,
    Path(key): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let group = group_of(&service, me.id, &key).await?;
    let from: Vec<AccountId> = group.members.iter().map(|(_, told)| told.from).collect();
    let accounts = service.accounts(&from).await?;
    Ok(Json(accounts.iter().map(|account| service.account_json(account)).collect()))
}

pub(super) async fn dismiss_group(
    State(service): State<Shared>,
    Path(key): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let group = group_of(&service, me.id, &key).await?;
    let only = group.members.iter().map(|(id, _)| ItemId(*id)).collect();
    clear(&service, me.id, Some(only)).await
}

async fn clear(service: &Service, me: AccountId, only: Option<Vec<ItemId>>) -> Result<Json<Value>, Error> {
    service.ask(me, me.bucket(), ClearNotifications { account: me, only }).await?;
    Ok(Json(json!({})))
}

pub(super) async fn clear_all(State(service): State<Shared>, me: Me) -> Result<Json<Value>, Error> {
    clear(&service, me.id, None).await
}

pub(super) async fn dismiss(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let id = ItemId::parse(&id).ok_or_else(Error::not_found)?;
    clear(&service, me.id, Some(vec![id])).await
}

impl Service {
    /// At most so many notifications that were not read.
    async fn unread(&self, me: AccountId, params: &Params, most: usize) -> Result<Vec<Told>, Error> {
        let read = self.read(me.bucket(), move |feed| {
            feed.markers(me).get("notifications").map_or(0, |marker| marker.last_read)
        });
        let window = Window { above: Some(read.await?), ..Window::newest(most) };
        self.told(me, Wanted::read(params), window).await
    }
}

fn most_counted(params: &Params) -> usize {
    params.number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(100).min(COUNTED)
}

pub(super) async fn unread_count(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let told = service.unread(me.id, &params, most_counted(&params)).await?;
    Ok(Json(json!({ "count": told.len() })))
}

pub(super) async fn unread_groups(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let told = service.unread(me.id, &params, LOOKED_AT).await?;
    let asked = params.list("grouped_types").unwrap_or_default();
    let keys: HashSet<String> = told.iter().map(|(id, told)| key_among(*id, told, &asked)).collect();
    Ok(Json(json!({ "count": keys.len().min(most_counted(&params)) })))
}

fn marker_json(marker: &Marker) -> Value {
    json!({
        "last_read_id": marker.last_read.to_string(),
        "version": marker.version,
        "updated_at": moment(marker.updated),
    })
}

pub(super) async fn markers(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let asked = params.list("timeline").unwrap_or_default();
    let markers = service.read(me.id.bucket(), move |feed| feed.markers(me.id)).await?;
    let shown = markers.iter().filter(|(name, _)| asked.contains(name));
    Ok(Json(Value::Object(shown.map(|(name, marker)| (name.clone(), marker_json(marker))).collect())))
}

pub(super) async fn set_markers(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let mut wanted = BTreeMap::new();
    for timeline in ["home", "notifications"] {
        if let Some(given) = params.within(timeline) {
            let last = given.words("last_read_id").and_then(|id| id.parse().ok());
            let last = last.ok_or_else(|| Error::invalid("last_read_id is no id"))?;
            wanted.insert(timeline.to_owned(), last);
        }
    }
    let names: Vec<String> = wanted.keys().cloned().collect();
    service.ask(me.id, me.id.bucket(), SetMarkers { account: me.id, markers: wanted }).await?;
    let markers = service.read(me.id.bucket(), move |feed| feed.markers(me.id)).await?;
    let shown = markers.iter().filter(|(name, _)| names.contains(name));
    Ok(Json(Value::Object(shown.map(|(name, marker)| (name.clone(), marker_json(marker))).collect())))
}

impl Service {
    /// Conversations as they are shown; one whose last post is gone is left out.
    pub(crate) async fn conversations_json(
        &self,
        me: AccountId,
        rows: &[(PostId, Conversation)],
    ) -> Result<Vec<Value>, Error> {
        let last: Vec<PostId> = rows.iter().map(|(_, row)| row.last.post).collect();
        let shown = self.statuses_at(Some(me), &last, Place::Notifications).await?;
        let mut all = Vec::new();
        for ((id, row), last) in rows.iter().zip(shown) {
            let others: Vec<AccountId> = row.participants.iter().copied().filter(|one| *one != me).collect();
            let accounts = self.accounts(&others).await?;
            if let Some(last) = last {
                all.push(json!({
                    "id": id.to_string(),
                    "unread": row.unread,
                    "accounts": accounts.iter().map(|account| self.account_json(account)).collect::<Vec<_>>(),
                    "last_status": last,
                }));
            }
        }
        Ok(all)
    }
}

pub(super) async fn conversations(
    State(service): State<Shared>,
    uri: Uri,
    me: Me,
    params: Params,
) -> Result<Response, Error> {
    let page = Page::read(&params, 20, 40);
    let window = page.window;
    let account = me.id;
    let rows = service.read(account.bucket(), move |feed| {
        let all = feed.conversations(account).into_iter();
        let part = all.filter(|(_, row)| window.holds(row.last.post.0));
        window.merge(part, |(_, row)| row.last.post.0)
    });
    let rows = page.shown(rows.await?);
    Ok(Answer {
        base: &service.settings.base,
        uri: &uri,
        items: service.conversations_json(account, &rows).await?,
        links: Links::of(rows.iter().map(|(_, row)| row.last.post.0), window),
    }
    .into_response())
}

pub(super) async fn read_conversation(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let (account, conversation) = (me.id, PostId::parse(&id).ok_or_else(Error::not_found)?);
    service.ask(account, account.bucket(), ReadConversation { account, conversation }).await?;
    let row = service.read(account.bucket(), move |feed| {
        feed.conversations(account).into_iter().find(|(id, _)| *id == conversation)
    });
    let row = row.await?.ok_or_else(Error::not_found)?;
    let mut shown = service.conversations_json(account, &[row]).await?;
    Ok(Json(shown.pop().ok_or_else(Error::not_found)?))
}

pub(super) async fn hide_conversation(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let (account, conversation) = (me.id, PostId::parse(&id).ok_or_else(Error::not_found)?);
    service.ask(account, account.bucket(), HideConversation { account, conversation }).await?;
    Ok(Json(json!({})))
}
