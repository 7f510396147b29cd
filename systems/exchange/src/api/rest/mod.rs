//! REST for people and pages: instruments, books, trades, and health. Read only: orders come in by FIX.
//!
//! Answers come from the projections, so a request never waits for the matching engine. Each carries the
//! `Decalog-Offset` it saw, as `unit:offset` pairs (opaque to clients).

pub mod openapi;
pub mod problem;
pub mod wire;

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use self::problem::{Kind, Problem};
use self::wire::{Book, Instruments, Trades};
use super::feed;
use crate::projection::market::{Listing, Market};

/// Names the answer's place in the units' histories.
const OFFSET_HEADER: HeaderName = HeaderName::from_static("decalog-offset");

/// The most levels or trades that one answer holds.
pub(crate) const LIMIT_MAX: usize = 1_000;

/// What the handlers share.
#[derive(Clone)]
pub struct Context {
    /// The public pictures.
    pub market: Arc<Market>,
    /// The live feed's bounds.
    pub feed: feed::Bounds,
    /// Why the exchange is not ready, if it is not.
    pub trouble: Arc<dyn Fn() -> Option<String> + Send + Sync>,
}

/// The REST and WebSocket routes of the exchange.
pub fn router(context: Context) -> Router {
    Router::new()
        .route("/v1/instruments", get(instruments))
        .route("/v1/instruments/{symbol}", get(instrument))
        .route("/v1/instruments/{symbol}/book", get(book))
        .route("/v1/instruments/{symbol}/trades", get(trades))
        .route("/v1/instruments/{symbol}/feed", get(feed::follow))
        .route("/openapi.json", get(|| async { Json(openapi::document()) }))
        .route("/healthz", get(|| async { Json(serde_json::json!({ "status": "ok" })) }))
        .route("/readyz", get(ready))
        .fallback(|| async { Problem::new(Kind::NotFound, "see /openapi.json for the paths there are") })
        .method_not_allowed_fallback(|| async {
            Problem::new(Kind::MethodNotAllowed, "this path is read only: use GET; orders come in by FIX")
        })
        .with_state(context)
}

async fn instruments(State(context): State<Context>) -> Response {
    let instruments = context.market.listings().map(|listing| (&listing.instrument).into()).collect();
    answer(&context.market, Json(Instruments { instruments }))
}

async fn instrument(State(context): State<Context>, symbol: Symbol) -> Result<Response, Problem> {
    let listing = find(&context.market, symbol)?;
    Ok(answer(&context.market, Json(wire::Instrument::from(&listing.instrument))))
}

async fn book(
    State(context): State<Context>,
    symbol: Symbol,
    query: Result<Query<BookQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let listing = find(&context.market, symbol)?;
    let depth = limit("depth", query.map(|query| query.0.depth), 20)?;
    let depth = listing.picture.depth(depth);
    Ok(answer(&context.market, Json(Book::new(&listing.instrument.symbol.to_text(), &depth))))
}

async fn trades(
    State(context): State<Context>,
    symbol: Symbol,
    query: Result<Query<TradesQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let listing = find(&context.market, symbol)?;
    let limit = limit("limit", query.map(|query| query.0.limit), 100)?;
    let trades = listing.picture.trades(limit).iter().map(Into::into).collect();
    Ok(answer(&context.market, Json(Trades { symbol: listing.instrument.symbol.to_string(), trades })))
}

async fn ready(State(context): State<Context>) -> Response {
    match (context.trouble)() {
        None => Json(serde_json::json!({ "status": "ready" })).into_response(),
        Some(trouble) => Problem::new(Kind::Unavailable, trouble).into_response(),
    }
}

/// The `{symbol}` of a path; bytes that are no UTF-8 name no instrument.
pub(crate) type Symbol = Result<Path<String>, PathRejection>;

#[derive(Deserialize)]
struct BookQuery {
    depth: Option<String>,
}

#[derive(Deserialize)]
struct TradesQuery {
    limit: Option<String>,
}

pub(crate) fn find(market: &Market, symbol: Symbol) -> Result<&Listing, Problem> {
    let known = symbol.ok().and_then(|symbol| market.listing(&symbol.0));
    known
        .ok_or_else(|| Problem::new(Kind::UnknownInstrument, "see /v1/instruments for the symbols there are"))
}

fn limit(
    name: &str,
    given: Result<Option<String>, QueryRejection>,
    default: usize,
) -> Result<usize, Problem> {
    let refused = || {
        Problem::new(Kind::InvalidParameter, format!("{name} must be a whole number from 1 to {LIMIT_MAX}"))
    };
    match given.map_err(|_| refused())? {
        None => Ok(default),
        Some(text) => match text.parse() {
            Ok(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
            _ => Err(refused()),
        },
    }
}

fn answer(market: &Market, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    if let Ok(offset) = HeaderValue::try_from(market.offsets()) {
        response.headers_mut().insert(OFFSET_HEADER, offset);
    }
    response
}

#[cfg(test)]
mod tests;
