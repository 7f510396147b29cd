//! Polls: shown and voted in.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::Value;

use super::error::Error;
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::command::Vote;
use crate::value::AccountId;

async fn poll(service: &Service, id: &str, viewer: Option<AccountId>) -> Result<Json<Value>, Error> {
    let shown = service.seen(viewer, id).await?;
    let poll = shown.post.poll.as_ref().ok_or_else(Error::not_found)?;
    Ok(Json(service.poll_json(&shown.post, poll, viewer, shown.votes.as_deref())))
}

pub(super) async fn show(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Option<Me>,
) -> Result<Json<Value>, Error> {
    poll(&service, &id, me.map(|me| me.id)).await
}

pub(super) async fn vote(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let post = service.seen(Some(me.id), &id).await?.post.id;
    let choices = params.list("choices").unwrap_or_default();
    // What is no number is a choice that does not exist.
    let choices = choices.iter().map(|choice| choice.trim().parse().unwrap_or(u32::MAX)).collect();
    service.ask(me.id, post.bucket(), Vote { account: me.id, post, choices }).await?;
    poll(&service, &id, Some(me.id)).await
}
