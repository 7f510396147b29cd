//! REST for people and pages: instruments, books and trades. Read only: orders come in by FIX.
//!
//! Answers come from the projections, so a request never waits for the matching engine. Each carries the
//! `Decalog-Offset` it saw, as `unit:offset` pairs (opaque to clients).

mod openapi;
pub mod wire;

pub use openapi::description;

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use decalog_gateway::access::{Access, Scope};
use decalog_gateway::problem::{INVALID_PARAMETER, Problem, ProblemType};
use decalog_gateway::route::Routes;
use serde::Deserialize;

use self::wire::{Book, Instruments, Trades};
use super::feed;
use crate::projection::market::{Listing, Market};

/// The right to see market data, where it is not for everybody.
pub const READ: Scope = Scope("exchange:read");

/// 404: no such instrument.
pub static UNKNOWN_INSTRUMENT: ProblemType =
    ProblemType::new("unknown-instrument", "No such instrument", StatusCode::NOT_FOUND);
/// 503: as many follow the live feed as may.
pub static TOO_MANY_SUBSCRIBERS: ProblemType =
    ProblemType::new("too-many-subscribers", "Too many subscribers", StatusCode::SERVICE_UNAVAILABLE);
/// Every type that these routes answer with, beside the gateway's own.
pub static PROBLEMS: &[&ProblemType] = &[&UNKNOWN_INSTRUMENT, &TOO_MANY_SUBSCRIBERS];

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
}

/// The REST and WebSocket routes of the exchange, for everybody or for those with [`READ`].
pub fn routes(public: bool) -> Routes<Context> {
    let access = if public { Access::Public } else { Access::Scope(READ) };
    Routes::new()
        .route(Method::GET, "/v1/instruments", access, instruments)
        .route(Method::GET, "/v1/instruments/{symbol}", access, instrument)
        .route(Method::GET, "/v1/instruments/{symbol}/book", access, book)
        .route(Method::GET, "/v1/instruments/{symbol}/trades", access, trades)
        .route(Method::GET, "/v1/instruments/{symbol}/feed", access, feed::follow)
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
    known.ok_or_else(|| UNKNOWN_INSTRUMENT.because("see /v1/instruments for the symbols there are"))
}

fn limit(
    name: &str,
    given: Result<Option<String>, QueryRejection>,
    default: usize,
) -> Result<usize, Problem> {
    let refused =
        || INVALID_PARAMETER.because(format!("{name} must be a whole number from 1 to {LIMIT_MAX}"));
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
