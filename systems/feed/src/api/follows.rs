//! What one account does with another: follow, block, mute, note, endorse; and what it has of such.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::accounts::account_id;
use super::entity::account::relationship_json;
use super::entity::moment;
use super::error::Error;
use super::page::{Answer, Links, Page};
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::command::{
    AnswerRequest, Follow, RemoveFollower, SetBlock, SetEndorsed, SetMute, SetNote, Unfollow,
};
use crate::state::Listing;
use crate::value::{AccountId, SECOND};

impl Service {
    pub(crate) async fn relationship(&self, me: AccountId, other: AccountId) -> Result<Json<Value>, Error> {
        let relation = self.read(me.bucket(), move |feed| feed.relation(me, other)).await?;
        Ok(Json(relationship_json(other, &relation)))
    }

    /// The account of a path, which must be there.
    async fn other(&self, id: &str) -> Result<crate::state::Account, Error> {
        self.account(account_id(id)?).await
    }
}

pub(super) async fn follow(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let other = service.other(&id).await?;
    let (account, target) = (me.id, other.id);
    let known = service.read(account.bucket(), move |feed| feed.relation(account, target)).await?;
    let before = known.following.or(known.requested);
    let follow = Follow {
        account,
        target,
        reblogs: params.flag("reblogs").unwrap_or_else(|| before.as_ref().is_none_or(|how| how.reblogs)),
        notify: params.flag("notify").unwrap_or_else(|| before.as_ref().is_some_and(|how| how.notify)),
        languages: params
            .list("languages")
            .unwrap_or_else(|| before.map_or_else(Vec::new, |how| how.languages)),
        locked: other.locked || service.standings.of(account).limited,
    };
    service.ask(account, account.bucket(), follow).await?;
    let heard = move |feed: &crate::state::Feed| {
        let relation = feed.relation(target, account);
        relation.followed_by || relation.requested_by || relation.blocking
    };
    service.settle(target.bucket(), heard).await?;
    service.relationship(account, target).await
}

pub(super) async fn unfollow(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let (account, target) = (me.id, service.other(&id).await?.id);
    service.ask(account, account.bucket(), Unfollow { account, target }).await?;
    let heard = move |feed: &crate::state::Feed| {
        let relation = feed.relation(target, account);
        !relation.followed_by && !relation.requested_by
    };
    service.settle(target.bucket(), heard).await?;
    service.relationship(account, target).await
}

pub(super) async fn remove_follower(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let (account, from) = (me.id, service.other(&id).await?.id);
    service.ask(account, account.bucket(), RemoveFollower { account, from }).await?;
    service.relationship(account, from).await
}

async fn set_block(service: &Service, id: &str, me: Me, on: bool) -> Result<Json<Value>, Error> {
    let (account, target) = (me.id, service.other(id).await?.id);
    service.ask(account, account.bucket(), SetBlock { account, target, on }).await?;
    service.settle(target.bucket(), move |feed| feed.relation(target, account).blocked_by == on).await?;
    service.relationship(account, target).await
}

pub(super) async fn block(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    set_block(&service, &id, me, true).await
}

pub(super) async fn unblock(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    set_block(&service, &id, me, false).await
}

pub(super) async fn mute(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let (account, target) = (me.id, service.other(&id).await?.id);
    let duration = params.number("duration").filter(|seconds| (1..=10 * 365 * 86_400).contains(seconds));
    let mute = SetMute {
        account,
        target,
        on: true,
        notifications: params.flag("notifications").unwrap_or(true),
        until: duration.map(|seconds| service.now() + seconds * SECOND),
    };
    service.ask(account, account.bucket(), mute).await?;
    service.relationship(account, target).await
}

pub(super) async fn unmute(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let (account, target) = (me.id, service.other(&id).await?.id);
    let unmute = SetMute { account, target, on: false, notifications: false, until: None };
    service.ask(account, account.bucket(), unmute).await?;
    service.relationship(account, target).await
}

async fn set_endorsed(service: &Service, id: &str, me: Me, on: bool) -> Result<Json<Value>, Error> {
    let (account, target) = (me.id, service.other(id).await?.id);
    service.ask(account, account.bucket(), SetEndorsed { account, target, on }).await?;
    service.relationship(account, target).await
}

pub(super) async fn endorse(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    set_endorsed(&service, &id, me, true).await
}

pub(super) async fn unendorse(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    set_endorsed(&service, &id, me, false).await
}

pub(super) async fn note(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let (account, target) = (me.id, service.other(&id).await?.id);
    let note = params.text("comment").unwrap_or_default();
    if note.chars().count() > 2_000 {
        return Err(Error::invalid("Comment is too long (maximum is 2000 characters)"));
    }
    service.ask(account, account.bucket(), SetNote { account, target, note }).await?;
    service.relationship(account, target).await
}

async fn answer(service: &Service, id: &str, me: Me, accept: bool) -> Result<Json<Value>, Error> {
    let (account, from) = (me.id, service.other(id).await?.id);
    service.ask(account, account.bucket(), AnswerRequest { account, from, accept }).await?;
    service.settle(from.bucket(), move |feed| feed.relation(from, account).requested.is_none()).await?;
    service.relationship(account, from).await
}

pub(super) async fn authorize(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    answer(&service, &id, me, true).await
}

pub(super) async fn reject(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    answer(&service, &id, me, false).await
}

async fn mine(
    service: &Service,
    me: Me,
    uri: &Uri,
    params: &Params,
    listing: Listing,
) -> Result<Response, Error> {
    service.listed_accounts(listing, me.id.0, me.id.bucket(), uri, Page::read(params, 40, 80)).await
}

pub(super) async fn requests(
    State(service): State<Shared>,
    uri: Uri,
    me: Me,
    params: Params,
) -> Result<Response, Error> {
    mine(&service, me, &uri, &params, Listing::Requests).await
}

pub(super) async fn blocks(
    State(service): State<Shared>,
    uri: Uri,
    me: Me,
    params: Params,
) -> Result<Response, Error> {
    mine(&service, me, &uri, &params, Listing::Blocks).await
}

pub(super) async fn mutes(
    State(service): State<Shared>,
    uri: Uri,
    me: Me,
    params: Params,
) -> Result<Response, Error> {
    let page = Page::read(&params, 40, 80);
    let (window, account) = (page.window, me.id);
    let found = service.read(account.bucket(), move |feed| {
        let until = |(place, subject): (u64, u64)| {
            let muting = feed.relation(account, AccountId(subject)).muting;
            (place, AccountId(subject), muting.and_then(|muting| muting.until))
        };
        feed.listing(Listing::Mutes, account.0, window).into_iter().map(until).collect::<Vec<_>>()
    });
    let found = page.shown(found.await?);
    let ids: Vec<AccountId> = found.iter().map(|(_, muted, _)| *muted).collect();
    let accounts = service.accounts(&ids).await?;
    let shown = accounts.iter().map(|muted| {
        let mut json = service.account_json(muted);
        let until = found.iter().find(|(_, id, _)| *id == muted.id).and_then(|(.., until)| *until);
        json["mute_expires_at"] = until.map(moment).into();
        json
    });
    Ok(Answer {
        base: &service.settings.base,
        uri: &uri,
        items: shown.collect(),
        links: Links::of(found.iter().map(|(place, ..)| *place), window),
    }
    .into_response())
}

pub(super) async fn endorsements(
    State(service): State<Shared>,
    uri: Uri,
    me: Me,
    params: Params,
) -> Result<Response, Error> {
    mine(&service, me, &uri, &params, Listing::Endorsed).await
}
