//! Market data over FIX: MarketDataRequest (V), the snapshots (W) it is answered with, and the increments (X) after
//! each change. A subscription lives as long as its session's connection.

use std::collections::BTreeMap;

use decalog_fix::dictionary::MsgType;
use decalog_fix::session::{BusinessReason, BusinessReject, Header, SessionMessage};
use decalog_runtime::Digest;

use super::instrument::Listing;
use super::matched::Happening;
use super::report::way_back;
use super::{Turn, Unit};
use crate::command::MarketDataRequest;
use crate::engine::{LevelView, Price, Side};
use crate::event::{
    EntryType, MarketDataEntry, MarketDataIncremental, MarketDataReject, MarketDataSnapshot, Message,
    UpdateAction,
};
use crate::value::{Decimal, RequestId, Text};

/// The deepest MarketDepth (264) other than the full book.
const MAX_DEPTH: u32 = 100;
/// The most levels a side may have for the full book to be shown in one message.
const MAX_LEVELS: usize = 2_000;
/// The most subscriptions of a session, counted by instrument.
const MAX_FEEDS: usize = 1_024;

/// Who follows what.
#[derive(Debug, Default)]
pub(super) struct MarketData {
    /// By instrument, session and MDReqID (262).
    feeds: BTreeMap<(u32, u32, RequestId), Feed>,
    /// The instruments of each session's subscriptions.
    by_session: BTreeMap<(u32, RequestId), Vec<u32>>,
    digest: Digest,
}

/// What a subscription asked for, of one instrument.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    pub(super) wants: Wants,
    /// The levels it was last shown, bids and offers, if it follows a limited depth: what the book's best are at rest.
    shown: [Vec<LevelView>; 2],
}

/// The entries a subscription wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Wants {
    bids: bool,
    offers: bool,
    trades: bool,
    /// How many levels a side; 0: all.
    depth: u32,
}

impl Wants {
    fn side(self, side: Side) -> bool {
        match side {
            Side::Buy => self.bids,
            Side::Sell => self.offers,
        }
    }
}

impl MarketData {
    /// Starts a subscription. What it is shown from here on is what differs from the book as it is now.
    pub(super) fn follow(
        &mut self,
        instrument: u32,
        session: u32,
        id: RequestId,
        wants: Wants,
        listing: &Listing,
    ) {
        let shown = Side::BOTH.map(|side| top(listing, side, wants));
        self.feeds.insert((instrument, session, id), Feed { wants, shown });
        self.by_session.entry((session, id)).or_default().push(instrument);
        self.digest = self.digest.with(entry(instrument, session, id, wants));
    }

    /// Ends a subscription; `false` if there is none.
    fn unfollow(&mut self, session: u32, id: RequestId) -> bool {
        let Some(instruments) = self.by_session.remove(&(session, id)) else { return false };
        for instrument in instruments {
            if let Some(feed) = self.feeds.remove(&(instrument, session, id)) {
                self.digest = self.digest.without(entry(instrument, session, id, feed.wants));
            }
        }
        true
    }

    /// Ends a session's subscriptions.
    pub(super) fn drop_session(&mut self, session: u32) {
        let ids: Vec<RequestId> = self.of_session(session).map(|(id, _)| id).collect();
        for id in ids {
            self.unfollow(session, id);
        }
    }

    fn of_session(&self, session: u32) -> impl Iterator<Item = (RequestId, &Vec<u32>)> {
        let from = (session, RequestId::EMPTY);
        self.by_session
            .range(from..)
            .take_while(move |(key, _)| key.0 == session)
            .map(|(key, it)| (key.1, it))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u32, RequestId, Wants)> {
        self.feeds.iter().map(|((instrument, session, id), feed)| (*instrument, *session, *id, feed.wants))
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest
    }
}

fn entry(instrument: u32, session: u32, id: RequestId, wants: Wants) -> Digest {
    let flags = [wants.bids, wants.offers, wants.trades].map(u8::from);
    Digest::of(&instrument.to_le_bytes())
        .then(&session.to_le_bytes())
        .then(id.as_bytes())
        .then(&flags)
        .then(&wants.depth.to_le_bytes())
}

/// The levels of a side that a subscription of limited depth sees.
fn top(listing: &Listing, side: Side, wants: Wants) -> Vec<LevelView> {
    let depth = if wants.side(side) { wants.depth as usize } else { 0 };
    listing.book.levels(side).take(depth).collect()
}

impl Unit {
    /// Answers a request by snapshots, a rejection, or silence (for one that ends a subscription).
    pub(super) fn market_data_request(
        &mut self,
        turn: &mut Turn<'_>,
        session: u32,
        header: &Header,
        request: &MarketDataRequest,
    ) {
        let id = request.request_id;
        let route = way_back(header);
        if request.subscription == b'2' {
            if !self.market_data.unfollow(session, id) {
                let reject = BusinessReject {
                    ref_msg_type: MsgType::MarketDataRequest,
                    ref_id: Some(id.to_string()),
                    reason: BusinessReason::UnknownId,
                    text: "no subscription of that MDReqID(262)".into(),
                };
                let message = SessionMessage::BusinessReject { ref_seq: header.seq, reject, route };
                self.sessions.send(turn, session, None, Message::Session(message));
            }
            return;
        }
        match self.check_market_data(session, request) {
            Err((reason, text)) => {
                let reject = MarketDataReject { request_id: id, reason, text: Text::cut(&text) };
                self.sessions.send(turn, session, route.as_deref(), Message::MarketDataReject(reject));
            }
            Ok((wants, instruments)) => {
                for instrument in instruments {
                    let listing = self.instruments.get(instrument);
                    let snapshot = snapshot(listing, id, wants, turn.time);
                    if request.subscription == b'1' {
                        self.market_data.follow(instrument, session, id, wants, listing);
                    }
                    let message = Message::MarketDataSnapshot(snapshot);
                    self.sessions.send(turn, session, route.as_deref(), message);
                }
            }
        }
    }

    /// What is wanted of which instruments, or MDReqRejReason (281) and Text (58).
    fn check_market_data(
        &self,
        session: u32,
        request: &MarketDataRequest,
    ) -> Result<(Wants, Vec<u32>), (u8, String)> {
        let refuse = |reason: u8, text: &str| Err((reason, text.to_owned()));
        let subscribes = request.subscription == b'1';
        if !subscribes && request.subscription != b'0' {
            return refuse(b'4', "SubscriptionRequestType(263) can be 0, 1 or 2");
        }
        if request.depth > MAX_DEPTH {
            return refuse(b'5', "MarketDepth(264) can be 0 (the full book) to 100");
        }
        if subscribes && request.update_type != Some(b'1') {
            return refuse(b'6', "MDUpdateType(265) must be 1 (incremental)");
        }
        if !request.aggregated {
            return refuse(b'7', "AggregatedBook(266) must be Y: single orders are not shown");
        }
        if request.entry_types.is_empty() || request.entry_types.iter().any(|it| !b"012".contains(it)) {
            return refuse(b'8', "MDEntryType(269) can be 0, 1 and 2");
        }
        let id = request.request_id;
        if subscribes && self.market_data.by_session.contains_key(&(session, id)) {
            return refuse(b'1', "a subscription of that MDReqID(262) is running");
        }
        let mut instruments = Vec::new();
        for symbol in &request.symbols {
            match self.instruments.find(*symbol) {
                None => return Err((b'0', format!("Symbol(55) {symbol} is not traded here"))),
                Some(index) if !instruments.contains(&index) => instruments.push(index),
                Some(_) => {}
            }
        }
        let running: usize = self.market_data.of_session(session).map(|(_, it)| it.len()).sum();
        if subscribes && running + instruments.len() > MAX_FEEDS {
            return refuse(b'2', "a session can follow 1024 instruments at most");
        }
        let is_deep = |index: &u32| {
            let book = &self.instruments.get(*index).book;
            Side::BOTH.iter().any(|side| book.levels(*side).nth(MAX_LEVELS).is_some())
        };
        if request.depth == 0 && instruments.iter().any(is_deep) {
            return refuse(
                b'5',
                "the full book has more than 2000 levels a side: ask for a MarketDepth(264) up to 100",
            );
        }
        let wants = |kind: u8| request.entry_types.contains(&kind);
        let wants =
            Wants { bids: wants(b'0'), offers: wants(b'1'), trades: wants(b'2'), depth: request.depth };
        Ok((wants, instruments))
    }

    /// Tells who follows an instrument what changed. `fresh` is the level that was empty before.
    pub(super) fn publish(
        &mut self,
        turn: &mut Turn<'_>,
        instrument: u32,
        happened: &[Happening],
        fresh: Option<(Side, Price)>,
    ) {
        let range = (instrument, 0, RequestId::EMPTY)..(instrument + 1, 0, RequestId::EMPTY);
        let listing = self.instruments.get(instrument);
        for ((_, session, id), feed) in self.market_data.feeds.range_mut(range) {
            let mut entries = Vec::new();
            if feed.wants.trades {
                entries.extend(happened.iter().filter_map(|it| trade_entry(listing, it, turn.time)));
            }
            if feed.wants.depth == 0 {
                level_entries(listing, feed.wants, happened, fresh, turn.time, &mut entries);
            } else {
                for side in Side::BOTH {
                    let shown = &mut feed.shown[side as usize];
                    let now = top(listing, side, feed.wants);
                    differences(listing, side, shown, &now, turn.time, &mut entries);
                    *shown = now;
                }
            }
            if !entries.is_empty() {
                let symbol = listing.spec.symbol;
                let increment = MarketDataIncremental { request_id: *id, symbol, entries };
                self.sessions.send(turn, *session, None, Message::MarketDataIncremental(increment));
            }
        }
    }
}

fn snapshot(listing: &Listing, id: RequestId, wants: Wants, time: i64) -> MarketDataSnapshot {
    let depth = if wants.depth == 0 { usize::MAX } else { wants.depth as usize };
    let mut entries = Vec::new();
    for side in Side::BOTH.into_iter().filter(|side| wants.side(*side)) {
        let levels = listing.book.levels(side).take(depth);
        entries.extend(levels.map(|level| level_entry(listing, UpdateAction::New, side, &level, time)));
    }
    if let Some(trade) = listing.last_trade.filter(|_| wants.trades) {
        entries.push(MarketDataEntry {
            action: UpdateAction::New,
            kind: EntryType::Trade,
            price: listing.price(trade.price),
            size: listing.quantity(trade.quantity),
            orders: 0,
            time: trade.time,
        });
    }
    MarketDataSnapshot { request_id: id, symbol: listing.spec.symbol, entries }
}

fn level_entry(
    listing: &Listing,
    action: UpdateAction,
    side: Side,
    level: &LevelView,
    time: i64,
) -> MarketDataEntry {
    let kind = match side {
        Side::Buy => EntryType::Bid,
        Side::Sell => EntryType::Offer,
    };
    let gone = action == UpdateAction::Delete;
    MarketDataEntry {
        action,
        kind,
        price: listing.price(level.price),
        size: if gone {
            Decimal::new(0, listing.spec.quantity_scale)
        } else {
            listing.quantity(level.quantity)
        },
        orders: if gone { 0 } else { level.orders },
        time,
    }
}

fn trade_entry(listing: &Listing, happening: &Happening, time: i64) -> Option<MarketDataEntry> {
    let Happening::Trade(trade) = happening else { return None };
    Some(MarketDataEntry {
        action: UpdateAction::New,
        kind: EntryType::Trade,
        price: listing.price(trade.price),
        size: listing.quantity(trade.quantity),
        orders: 0,
        time,
    })
}

/// Every level that changed, for who follows the full book. A level is new when it was empty: at first only `fresh` is,
/// then also what this request emptied.
fn level_entries(
    listing: &Listing,
    wants: Wants,
    happened: &[Happening],
    fresh: Option<(Side, Price)>,
    time: i64,
    entries: &mut Vec<MarketDataEntry>,
) {
    let mut empty: Vec<(Side, Price)> = fresh.into_iter().collect();
    for happening in happened {
        let Happening::Level { side, level } = happening else { continue };
        let place = (*side, level.price);
        let was_empty = empty.contains(&place);
        empty.retain(|it| *it != place);
        let action = match (was_empty, level.orders) {
            (_, 0) => {
                empty.push(place);
                UpdateAction::Delete
            }
            (true, _) => UpdateAction::New,
            (false, _) => UpdateAction::Change,
        };
        if wants.side(*side) {
            entries.push(level_entry(listing, action, *side, level, time));
        }
    }
}

/// What turns the levels that were shown into those that are to be seen now. Both begin with the best.
fn differences(
    listing: &Listing,
    side: Side,
    shown: &[LevelView],
    now: &[LevelView],
    time: i64,
    entries: &mut Vec<MarketDataEntry>,
) {
    let (mut old, mut new) = (shown.iter().peekable(), now.iter().peekable());
    let is_better = |one: &LevelView, other: &LevelView| match side {
        Side::Buy => one.price > other.price,
        Side::Sell => one.price < other.price,
    };
    loop {
        let (action, level) = match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some(gone), None) => (UpdateAction::Delete, *gone),
            (None, Some(come)) => (UpdateAction::New, *come),
            (Some(gone), Some(come)) if is_better(gone, come) => (UpdateAction::Delete, *gone),
            (Some(gone), Some(come)) if is_better(come, gone) => (UpdateAction::New, *come),
            (Some(_), Some(stays)) => (UpdateAction::Change, *stays),
        };
        let before = if action == UpdateAction::New { None } else { old.next() };
        if action != UpdateAction::Delete {
            new.next();
        }
        if action != UpdateAction::Change || before != Some(level) {
            entries.push(level_entry(listing, action, side, level, time));
        }
    }
}
