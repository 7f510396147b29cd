//! Announcements: shown to who is signed in, read and reacted to; made by who may administer.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::entity::{moment, read_moment};
use super::error::Error;
use super::lists::item_id;
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::command::{DismissAnnouncement, React, RemoveAnnouncement, Reply, SetAnnouncement};
use crate::engine::text::{self, Kind};
use crate::state::{Announcement, Listing};
use crate::value::{AccountId, ItemId};

/// The bucket of what belongs to the server.
pub(crate) const SERVER: u16 = 0;
/// The longest text, in characters.
const LONGEST: usize = 5_000;

impl Service {
    /// An announcement as it is shown: to somebody who has read it or not and reacts so, or as it is streamed to all.
    pub(crate) async fn announcement_json(
        &self,
        row: &Announcement,
        reader: Option<(bool, &[String])>,
    ) -> Result<Value, Error> {
        let mentions = self.mentions(&row.text).await?;
        let tags = row.text_tags();
        let reactions = row.reactions.iter().map(|(name, count)| {
            let mut json = self.reaction_json(name, *count);
            if let Some((_, own)) = reader {
                json["me"] = own.contains(name).into();
            }
            json
        });
        let mut json = json!({
            "id": row.id.to_string(),
            "content": self.content_of(&row.text, &mentions),
            "starts_at": row.starts.map(moment),
            "ends_at": row.ends.map(moment),
            "all_day": row.all_day && (row.starts.is_some() || row.ends.is_some()),
            "published_at": moment(row.published),
            "updated_at": moment(row.updated),
            "mentions": mentions.iter().map(|mention| json!({
                "id": mention.account.to_string(),
                "username": mention.name,
                "url": self.account_url(&mention.name),
                "acct": mention.name,
            })).collect::<Vec<_>>(),
            "statuses": [],
            "tags": tags.iter().map(|(tag, name)| json!({ "name": name, "url": self.tag_url(tag) })).collect::<Vec<_>>(),
            "emojis": self.emojis_json([row.text.as_str()]),
            "reactions": reactions.collect::<Vec<_>>(),
        });
        if let Some((read, _)) = reader {
            json["read"] = read.into();
        }
        Ok(json)
    }

    fn reaction_json(&self, name: &str, count: u64) -> Value {
        let mut json = json!({ "name": name, "count": count });
        if let Some(emoji) = self.emojis.named([name]).first() {
            let shown = self.emoji_json(emoji);
            json["url"] = shown["url"].clone();
            json["static_url"] = shown["static_url"].clone();
        }
        json
    }

    /// An announcement as it is streamed.
    pub(crate) async fn streamed_announcement(&self, id: ItemId) -> Option<Value> {
        let row = self.read(SERVER, move |feed| feed.announcement(id)).await.ok()??;
        self.announcement_json(&row, None).await.ok()
    }

    /// A reaction as it is streamed.
    pub(crate) fn streamed_reaction(&self, id: ItemId, name: &str, count: u64) -> Value {
        let mut json = self.reaction_json(name, count);
        json["announcement_id"] = id.to_string().into();
        json
    }
}

impl Announcement {
    /// The tags of its text, normalised and as they were written.
    fn text_tags(&self) -> Vec<(String, String)> {
        let pieces = text::scan(&self.text).into_iter();
        let tags = pieces.filter_map(|piece| match piece.kind {
            Kind::Tag(name) => Some((text::normalize_tag(name), name.to_owned())),
            _ => None,
        });
        tags.collect()
    }
}

pub(super) async fn index(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let (account, now, dismissed) = (me.id, service.now(), params.is("with_dismissed"));
    let rows = service.read(SERVER, move |feed| {
        let shown = feed.announcements().into_iter().filter(|row| row.ends.is_none_or(|ends| ends > now));
        let own = |row: &Announcement| {
            let names = row.reactions.iter().map(|(name, _)| name);
            names.filter(|name| feed.reacts(row.id, account, name)).cloned().collect::<Vec<_>>()
        };
        shown.map(|row| (own(&row), row)).collect::<Vec<_>>()
    });
    let mut rows = rows.await?;
    rows.sort_by_key(|(_, row)| (row.starts.unwrap_or(row.published), row.id));
    let ids: Vec<ItemId> = rows.iter().map(|(_, row)| row.id).collect();
    let read = service.read(account.bucket(), move |feed| {
        let read = |id: &ItemId| feed.place(Listing::ReadAnnouncements, account.0, id.0).is_some();
        ids.iter().map(read).collect::<Vec<_>>()
    });
    let mut shown = Vec::new();
    for ((own, row), read) in rows.iter().zip(read.await?) {
        if dismissed || !read {
            shown.push(service.announcement_json(row, Some((read, own))).await?);
        }
    }
    Ok(Json(shown.into()))
}

pub(super) async fn dismiss(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let (account, announcement) = (me.id, item_id(&id)?);
    let there = service.read(SERVER, move |feed| feed.announcement(announcement)).await?;
    there.ok_or_else(Error::not_found)?;
    service.ask(account, account.bucket(), DismissAnnouncement { account, announcement }).await?;
    Ok(Json(json!({})))
}

async fn set_reaction(
    service: &Service,
    id: &str,
    name: String,
    account: AccountId,
    on: bool,
) -> Result<Json<Value>, Error> {
    let react = React { account, announcement: item_id(id)?, name, on };
    service.ask(account, SERVER, react).await?;
    Ok(Json(json!({})))
}

pub(super) async fn react(
    State(service): State<Shared>,
    Path((id, name)): Path<(String, String)>,
    me: Me,
) -> Result<Json<Value>, Error> {
    set_reaction(&service, &id, name, me.id, true).await
}

pub(super) async fn unreact(
    State(service): State<Shared>,
    Path((id, name)): Path<(String, String)>,
    me: Me,
) -> Result<Json<Value>, Error> {
    set_reaction(&service, &id, name, me.id, false).await
}

async fn set(
    service: &Service,
    me: AccountId,
    announcement: Option<ItemId>,
    params: &Params,
) -> Result<Json<Value>, Error> {
    let text = params.words("text").ok_or_else(|| Error::invalid("Text can't be blank"))?;
    if text.chars().count() > LONGEST {
        return Err(Error::invalid(format!("Text is too long (maximum is {LONGEST} characters)")));
    }
    let at = |name: &str| match params.words(name) {
        None => Ok(None),
        Some(given) => {
            read_moment(&given).map(Some).ok_or_else(|| Error::invalid(format!("{name} is no date: {given}")))
        }
    };
    let (starts, ends) = (at("starts_at")?, at("ends_at")?);
    if starts.zip(ends).is_some_and(|(starts, ends)| starts > ends) {
        return Err(Error::invalid("ends_at is before starts_at"));
    }
    let set = SetAnnouncement { announcement, text, starts, ends, all_day: params.is("all_day") };
    let Reply::Made(id) = service.ask(me, SERVER, set).await? else { return Err(Error::not_found()) };
    Ok(Json(service.streamed_announcement(id).await.ok_or_else(Error::not_found)?))
}

/// `POST /api/v1/admin/announcements`: this server's own, as the API names no way to make one.
pub(super) async fn create(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    set(&service, me.id, None, &params).await
}

pub(super) async fn update(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    set(&service, me.id, Some(item_id(&id)?), &params).await
}

pub(super) async fn remove(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let remove = RemoveAnnouncement { announcement: item_id(&id)? };
    service.ask(me.id, SERVER, remove).await?;
    Ok(Json(json!({})))
}
