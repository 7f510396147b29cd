//! Posts for later.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::entity::read_moment;
use super::error::Error;
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::command::{CancelScheduled, Reschedule};
use crate::value::{AccountId, ItemId, SECOND};

async fn find(service: &Service, me: AccountId, id: &str) -> Result<Value, Error> {
    let id = ItemId::parse(id).ok_or_else(Error::not_found)?;
    let row = service.read(me.bucket(), move |feed| feed.scheduled(me, id)).await?;
    Ok(service.scheduled_json(&row.ok_or_else(Error::not_found)?))
}

pub(super) async fn index(State(service): State<Shared>, me: Me) -> Result<Json<Value>, Error> {
    let rows = service.read(me.id.bucket(), move |feed| feed.all_scheduled(me.id)).await?;
    Ok(Json(rows.iter().rev().map(|row| service.scheduled_json(row)).collect()))
}

pub(super) async fn show(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    Ok(Json(find(&service, me.id, &id).await?))
}

pub(super) async fn update(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let scheduled = ItemId::parse(&id).ok_or_else(Error::not_found)?;
    let at = params.words("scheduled_at").and_then(|text| read_moment(&text));
    let at = at.filter(|at| *at >= service.now() + 300 * SECOND);
    let at = at.ok_or_else(|| Error::invalid("Scheduled at must be at least 5 minutes in the future"))?;
    service.ask(me.id, me.id.bucket(), Reschedule { account: me.id, scheduled, at }).await?;
    Ok(Json(find(&service, me.id, &id).await?))
}

pub(super) async fn delete(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let scheduled = ItemId::parse(&id).ok_or_else(Error::not_found)?;
    service.ask(me.id, me.id.bucket(), CancelScheduled { account: me.id, scheduled }).await?;
    Ok(Json(json!({})))
}
