//! The live feed over WebSocket: the whole book once, then every change with the next sequence number.
//!
//! A subscriber that falls too far behind, or takes nothing for ten seconds, is cut off with close code 1013 (try
//! again later) and subscribes anew; nobody else notices. What a client sends is read and ignored.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use decalog_gateway::problem::{Problem, UPGRADE_REQUIRED};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::rest::wire::{Book, FeedMessage};
use super::rest::{Context, Symbol, TOO_MANY_SUBSCRIBERS, find};
use crate::projection::market::Market;

/// How long one message may take to leave before the subscriber counts as gone.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How often an idle subscriber is pinged, so that half-open connections end.
const PING_EVERY: Duration = Duration::from_secs(20);
/// When somebody who found no place may try again.
const AGAIN: Duration = Duration::from_secs(1);
/// Clients have nothing to say; a larger message than this ends the connection.
const MAX_INBOUND_BYTES: usize = 1_024;
/// What each connection holds for reading, from its first byte to its last: there may be very many of them.
const READ_BUFFER_BYTES: usize = 512;

/// Bounds on the feed's subscribers.
#[derive(Clone, Debug)]
pub struct Bounds {
    subscribers: Arc<Semaphore>,
}

impl Bounds {
    /// At most so many subscribers at the same time.
    pub fn new(max_subscribers: u32) -> Self {
        Self { subscribers: Arc::new(Semaphore::new(max_subscribers as usize)) }
    }
}

/// `GET /v1/instruments/{symbol}/feed`.
pub(crate) async fn follow(
    State(context): State<Context>,
    symbol: Symbol,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let symbol = find(&context.market, symbol)?.instrument.symbol.to_string();
    let upgrade = upgrade.map_err(|_| {
        UPGRADE_REQUIRED
            .because("this is a WebSocket: connect with ws:// and the same path")
            .with_header(header::UPGRADE, HeaderValue::from_static("websocket"))
            .with_header(header::CONNECTION, HeaderValue::from_static("upgrade"))
    })?;
    let permit = Arc::clone(&context.feed.subscribers).try_acquire_owned().map_err(|_| {
        TOO_MANY_SUBSCRIBERS
            .because("as many follow the feed as may; try again later, or poll the book")
            .retry_after(AGAIN)
    })?;
    let upgrade = upgrade
        .max_message_size(MAX_INBOUND_BYTES)
        .max_frame_size(MAX_INBOUND_BYTES)
        .read_buffer_size(READ_BUFFER_BYTES);
    Ok(upgrade.on_upgrade(move |socket| serve(socket, context.market, symbol, permit)))
}

/// Sends until either side is done.
async fn serve(mut socket: WebSocket, market: Arc<Market>, symbol: String, _permit: OwnedSemaphorePermit) {
    let Some(listing) = market.listing(&symbol) else { return };
    let (depth, mut changes) = listing.picture.subscribe();
    let book = FeedMessage::Snapshot(Book::new(&symbol, &depth));
    drop(depth);
    if send(&mut socket, text(&book)).await.is_err() {
        return;
    }
    drop(book);
    let mut ping = tokio::time::interval(PING_EVERY);
    ping.reset();
    let mut answered = true;
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Ok(change) => {
                    let form = change.form(|numbered| text(&FeedMessage::from(numbered)));
                    if send(&mut socket, form).await.is_err() {
                        return;
                    }
                }
                Err(RecvError::Lagged(_)) => {
                    return close(socket, close_code::AGAIN, "too slow: subscribe again").await;
                }
                Err(RecvError::Closed) => return close(socket, close_code::AWAY, "the server stops").await,
            },
            received = socket.recv() => match received {
                None | Some(Err(_) | Ok(Message::Close(_))) => return,
                Some(Ok(_)) => answered = true,
            },
            _ = ping.tick() => {
                if !std::mem::take(&mut answered) {
                    return;
                }
                let sent = timeout(SEND_TIMEOUT, socket.send(Message::Ping(Vec::new().into()))).await;
                if !matches!(sent, Ok(Ok(()))) {
                    return;
                }
            }
        }
    }
}

/// The subscriber is gone, or takes nothing any more.
struct Gone;

/// A message as JSON.
fn text(message: &FeedMessage) -> Bytes {
    serde_json::to_vec(message).expect("texts and numbers are JSON").into()
}

async fn send(socket: &mut WebSocket, form: Bytes) -> Result<(), Gone> {
    let text = Utf8Bytes::try_from(form).map_err(|_| Gone)?;
    match timeout(SEND_TIMEOUT, socket.send(Message::Text(text))).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(Gone),
    }
}

async fn close(mut socket: WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: reason.into() };
    // A subscriber that does not take the close either has lost nothing but the reason.
    let _ = timeout(SEND_TIMEOUT, socket.send(Message::Close(Some(frame)))).await;
}
