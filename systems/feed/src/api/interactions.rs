//! What people do with posts: like, reblog, keep and pin them, and hear no more of their threads.

use axum::extract::{Path, State};

use super::entity::rendered::Rendered;
use super::error::Error;
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::command::{Favourite, Reblog, Refusal, Reply, SetBookmark, SetPin, SetThreadMute, Unreblog};
use crate::state::{Feed, Listing};
use crate::value::{AccountId, PostId, PostRef, Visibility};

async fn set_favourite(service: &Service, id: &str, me: Me, on: bool) -> Result<Rendered, Error> {
    let post = service.seen(Some(me.id), id).await?.post.id;
    service.ask(me.id, post.bucket(), Favourite { account: me.id, post, on }).await?;
    let heard = move |feed: &Feed| feed.place(Listing::Favourites, me.id.0, post.0).is_some() == on;
    service.settle(me.id.bucket(), heard).await?;
    service.status(Some(me.id), post).await
}

pub(super) async fn favourite(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Rendered, Error> {
    set_favourite(&service, &id, me, true).await
}

pub(super) async fn unfavourite(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Rendered, Error> {
    set_favourite(&service, &id, me, false).await
}

async fn set_bookmark(service: &Service, id: &str, me: Me, on: bool) -> Result<Rendered, Error> {
    let post = service.seen(Some(me.id), id).await?.post.reference();
    service.ask(me.id, me.id.bucket(), SetBookmark { account: me.id, post, on }).await?;
    service.status(Some(me.id), post.post).await
}

pub(super) async fn bookmark(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Rendered, Error> {
    set_bookmark(&service, &id, me, true).await
}

pub(super) async fn unbookmark(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Rendered, Error> {
    set_bookmark(&service, &id, me, false).await
}

async fn set_pin(service: &Service, id: &str, me: Me, on: bool) -> Result<Rendered, Error> {
    let post = service.seen(Some(me.id), id).await?.post;
    if post.author != me.id {
        return Err(Error::invalid("Someone else's post cannot be pinned"));
    }
    service.ask(me.id, post.id.bucket(), SetPin { account: me.id, post: post.id, on }).await?;
    service.status(Some(me.id), post.id).await
}

pub(super) async fn pin(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Rendered, Error> {
    set_pin(&service, &id, me, true).await
}

pub(super) async fn unpin(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Rendered, Error> {
    set_pin(&service, &id, me, false).await
}

async fn set_mute(service: &Service, id: &str, me: Me, on: bool) -> Result<Rendered, Error> {
    let post = service.seen(Some(me.id), id).await?.post;
    let mute = SetThreadMute { account: me.id, conversation: post.conversation, on };
    service.ask(me.id, me.id.bucket(), mute).await?;
    service.status(Some(me.id), post.id).await
}

pub(super) async fn mute(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Rendered, Error> {
    set_mute(&service, &id, me, true).await
}

pub(super) async fn unmute(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Rendered, Error> {
    set_mute(&service, &id, me, false).await
}

pub(super) async fn reblog(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Rendered, Error> {
    let post = service.seen(Some(me.id), &id).await?.post;
    let own = post.author == me.id && post.visibility == Visibility::Private;
    if !post.visibility.is_open() && !own {
        return Err(Refusal::NotAllowed.into());
    }
    let asked = params.words("visibility").and_then(|name| Visibility::parse(&name));
    let of = post.reference();
    // A reblog is no more open than what it reblogs.
    let visibility = asked.unwrap_or(Visibility::Public).max(post.visibility);
    let reblog = Reblog { account: me.id, of, visibility, language: post.language };
    let Reply::Posted(wrapper) = service.ask(me.id, me.id.bucket(), reblog).await? else {
        return Err(Error::not_found());
    };
    settle_reblog(&service, me.id, of.post, true).await?;
    service.status(Some(me.id), wrapper).await
}

pub(super) async fn unreblog(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Rendered, Error> {
    let of = service.seen(Some(me.id), &id).await?.post.reference();
    take_reblog_back(&service, me.id, of).await
}

pub(super) async fn take_reblog_back(
    service: &Service,
    me: AccountId,
    of: PostRef,
) -> Result<Rendered, Error> {
    service.ask(me, me.bucket(), Unreblog { account: me, of }).await?;
    settle_reblog(service, me, of.post, false).await?;
    service.status(Some(me), of.post).await
}

async fn settle_reblog(service: &Service, me: AccountId, post: PostId, on: bool) -> Result<(), Error> {
    let heard = move |feed: &Feed| {
        feed.place(Listing::RebloggedBy, post.0, me.0).is_some() == on || feed.post(post).is_none()
    };
    service.settle(post.bucket(), heard).await
}
