//! Tags: followed, and shown on a profile.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::accounts::account_id;
use super::entity::small::TagUse;
use super::error::Error;
use super::page::{Answer, Links, Page};
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::command::{FeatureTag, FollowTag};
use crate::engine::text;
use crate::state::{FeaturedTag, Window};
use crate::value::{AccountId, ItemId};

/// Posts that are counted for a tag on a profile.
const COUNTED: usize = 1_000;

impl Service {
    /// A tag as an account sees it.
    async fn tag_for(&self, name: &str, me: Option<AccountId>) -> Result<Value, Error> {
        let tag = text::normalize_tag(name);
        let of = tag.clone();
        let rows = self.read_all(move |feed| feed.tag(&of)).await?;
        let shown = rows.into_iter().flatten().map(|row| row.name).next().unwrap_or_else(|| tag.clone());
        let mine = match me {
            None => None,
            Some(me) => {
                let of = tag.clone();
                let read = self.read(me.bucket(), move |feed| TagUse {
                    following: feed.follows_tag(me, &of),
                    featuring: feed.features_tag(me, &of),
                });
                Some(read.await?)
            }
        };
        Ok(self.tag_json(&tag, &shown, mine))
    }

    /// The tags on a profile.
    async fn featured(&self, account: AccountId) -> Result<Value, Error> {
        let owner = self.account(account).await?;
        let tags = self.read(account.bucket(), move |feed| {
            let one = |tag: FeaturedTag| {
                let posts = feed.own_tagged(account, &tag.tag, Window::newest(COUNTED));
                let last = posts.first().and_then(|post| feed.post(*post)).map(|post| post.created);
                (tag, posts.len(), last)
            };
            feed.featured_tags(account).into_iter().map(one).collect::<Vec<_>>()
        });
        let tags = tags.await?;
        let one = |(tag, count, last): &(FeaturedTag, usize, Option<i64>)| {
            self.featured_tag_json(&owner.name, tag, *count, *last)
        };
        Ok(tags.iter().map(one).collect())
    }
}

pub(super) async fn show(
    State(service): State<Shared>,
    Path(name): Path<String>,
    me: Option<Me>,
) -> Result<Json<Value>, Error> {
    Ok(Json(service.tag_for(&name, me.map(|me| me.id)).await?))
}

async fn set_followed(service: &Service, name: &str, me: Me, on: bool) -> Result<Json<Value>, Error> {
    if !text::is_valid_tag(name) {
        return Err(Error::not_found());
    }
    let follow = FollowTag { account: me.id, tag: text::normalize_tag(name), on };
    service.ask(me.id, me.id.bucket(), follow).await?;
    Ok(Json(service.tag_for(name, Some(me.id)).await?))
}

pub(super) async fn follow(
    State(service): State<Shared>,
    Path(name): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    set_followed(&service, &name, me, true).await
}

pub(super) async fn unfollow(
    State(service): State<Shared>,
    Path(name): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    set_followed(&service, &name, me, false).await
}

pub(super) async fn followed(
    State(service): State<Shared>,
    uri: Uri,
    me: Me,
    params: Params,
) -> Result<Response, Error> {
    let page = Page::read(&params, 100, 200);
    let window = page.window;
    let tags = service.read(me.id.bucket(), move |feed| {
        let all = feed.followed_tags(me.id).into_iter().filter(|(place, _)| window.holds(*place));
        let part = window.merge(all, |(place, _)| *place).into_iter();
        let used = |(place, tag): (u64, String)| {
            let featuring = feed.features_tag(me.id, &tag);
            (place, tag, TagUse { following: true, featuring })
        };
        part.map(used).collect::<Vec<_>>()
    });
    let tags = page.shown(tags.await?);
    Ok(Answer {
        base: &service.settings.base,
        uri: &uri,
        items: tags.iter().map(|(_, tag, mine)| service.tag_json(tag, tag, Some(*mine))).collect(),
        links: Links::of(tags.iter().map(|(place, ..)| *place), window),
    }
    .into_response())
}

pub(super) async fn featured(State(service): State<Shared>, me: Me) -> Result<Json<Value>, Error> {
    Ok(Json(service.featured(me.id).await?))
}

pub(super) async fn featured_of(
    State(service): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    Ok(Json(service.featured(account_id(&id)?).await?))
}

async fn set_featured(service: &Service, name: &str, me: AccountId, on: bool) -> Result<(), Error> {
    let name = name.trim_start_matches('#').to_owned();
    if !text::is_valid_tag(&name) {
        return Err(Error::invalid("Tag is invalid"));
    }
    let tag = text::normalize_tag(&name);
    service.ask(me, me.bucket(), FeatureTag { account: me, name, tag, on }).await?;
    Ok(())
}

pub(super) async fn feature(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let name = params.words("name").ok_or_else(|| Error::invalid("Name can't be blank"))?;
    set_featured(&service, &name, me.id, true).await?;
    let tag = text::normalize_tag(name.trim_start_matches('#'));
    let all = service.featured(me.id).await?;
    let made = all
        .as_array()
        .into_iter()
        .flatten()
        .find(|row| row["name"].as_str().is_some_and(|name| text::normalize_tag(name) == tag));
    Ok(Json(made.cloned().ok_or_else(Error::not_found)?))
}

pub(super) async fn unfeature(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let id = ItemId::parse(&id).ok_or_else(Error::not_found)?;
    let tags = service.read(me.id.bucket(), move |feed| feed.featured_tags(me.id)).await?;
    let tag = tags.into_iter().find(|tag| tag.id == id).ok_or_else(Error::not_found)?;
    set_featured(&service, &tag.name, me.id, false).await?;
    Ok(Json(json!({})))
}

pub(super) async fn feature_by_name(
    State(service): State<Shared>,
    Path(name): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    set_featured(&service, &name, me.id, true).await?;
    Ok(Json(service.tag_for(&name, Some(me.id)).await?))
}

pub(super) async fn unfeature_by_name(
    State(service): State<Shared>,
    Path(name): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    set_featured(&service, &name, me.id, false).await?;
    Ok(Json(service.tag_for(&name, Some(me.id)).await?))
}
