//! The public picture of one instrument: price levels and the latest trades, with everything that changed since.
//!
//! REST reads it, WebSocket subscribers follow it. Every change has the instrument's next sequence number; a
//! subscriber gets the picture at some number and then each change after it, without a gap. Memory is bounded by
//! the levels in the book, the trades kept, and the changes that a slow subscriber may be behind.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use tokio::sync::broadcast;

use crate::value::{Decimal, Side};

/// All orders of one side at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The price.
    pub price: Decimal,
    /// What is offered or asked for.
    pub quantity: Decimal,
    /// How many orders that is.
    pub orders: u32,
}

/// A trade, as the public sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicTrade {
    /// The trade's number.
    pub id: u64,
    /// The price.
    pub price: Decimal,
    /// The quantity.
    pub quantity: Decimal,
    /// The side whose order came second: it buys at the ask, or sells at the bid.
    pub aggressor: Side,
    /// When, in nanoseconds since 1970 UTC.
    pub time: i64,
}

/// One thing that happened to an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A level is now this; a quantity of 0 takes it away.
    Level(Side, Level),
    /// A trade.
    Trade(PublicTrade),
}

/// A change with its place in the instrument's sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// One more than that of the change before.
    pub sequence: u64,
    /// What changed.
    pub change: Change,
}

/// A change on its way to many subscribers: what the first of them makes of it, all others send.
#[derive(Debug)]
pub struct Published {
    /// The change.
    pub numbered: Numbered,
    form: OnceLock<Bytes>,
}

impl Published {
    /// The change in the subscribers' form, made by whoever asks first.
    pub fn form(&self, make: impl FnOnce(&Numbered) -> Bytes) -> Bytes {
        self.form.get_or_init(|| make(&self.numbered)).clone()
    }
}

/// The levels of a book, best first, at one sequence number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth {
    /// The number of the last change in it.
    pub sequence: u64,
    /// Highest price first.
    pub bids: Vec<Level>,
    /// Lowest price first.
    pub asks: Vec<Level>,
}

/// A change whose number does not follow: events were lost on the way here, which is a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("change {found} follows {last}: the picture has a gap and must be rebuilt")]
pub struct Gap {
    /// The number of the last change taken.
    pub last: u64,
    /// The number of the one refused.
    pub found: u64,
}

/// The picture of one instrument.
#[derive(Debug)]
pub struct Picture {
    inner: Mutex<Inner>,
    changes: broadcast::Sender<Arc<Published>>,
}

#[derive(Debug)]
struct Inner {
    sequence: u64,
    /// By price at the instrument's scale, which stays while there are orders.
    bids: BTreeMap<i64, Level>,
    asks: BTreeMap<i64, Level>,
    trades: VecDeque<PublicTrade>,
    trades_kept: usize,
}

impl Picture {
    /// The picture at a sequence number, as the state gives it at start. Keeps the latest `trades_kept` trades;
    /// a subscriber may be `lag` changes behind.
    pub fn new(at: &Depth, trades_kept: usize, lag: usize) -> Self {
        let by_price = |levels: &[Level]| levels.iter().map(|level| (level.price.mantissa, *level)).collect();
        let inner = Inner {
            sequence: at.sequence,
            bids: by_price(&at.bids),
            asks: by_price(&at.asks),
            trades: VecDeque::new(),
            trades_kept,
        };
        Self { inner: Mutex::new(inner), changes: broadcast::Sender::new(lag) }
    }

    /// Takes the next change. What the picture already holds is ignored, so that events may be read twice.
    pub fn apply(&self, numbered: Numbered) -> Result<(), Gap> {
        let mut inner = self.lock();
        if numbered.sequence <= inner.sequence {
            return Ok(());
        }
        if numbered.sequence != inner.sequence + 1 {
            return Err(Gap { last: inner.sequence, found: numbered.sequence });
        }
        inner.sequence = numbered.sequence;
        inner.change(&numbered.change);
        // Sent under the lock, so that a subscription falls between two changes. Fails only without subscribers.
        let _ = self.changes.send(Arc::new(Published { numbered, form: OnceLock::new() }));
        Ok(())
    }

    /// Adds a trade that is older than the picture: from the history, oldest first, before the first change.
    pub fn remember(&self, trade: PublicTrade) {
        self.lock().push_trade(trade);
    }

    /// The best `limit` levels of each side.
    pub fn depth(&self, limit: usize) -> Depth {
        self.lock().depth(limit)
    }

    /// The latest trades, newest first.
    pub fn trades(&self, limit: usize) -> Vec<PublicTrade> {
        self.lock().trades.iter().rev().take(limit).copied().collect()
    }

    /// The whole book, and every change after it.
    pub fn subscribe(&self) -> (Depth, broadcast::Receiver<Arc<Published>>) {
        let inner = self.lock();
        (inner.depth(usize::MAX), self.changes.subscribe())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing under this lock panics half-way through a change.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn change(&mut self, change: &Change) {
        match *change {
            Change::Level(side, level) => {
                let levels = if side == Side::Buy { &mut self.bids } else { &mut self.asks };
                if level.quantity.mantissa == 0 {
                    levels.remove(&level.price.mantissa);
                } else {
                    levels.insert(level.price.mantissa, level);
                }
            }
            Change::Trade(trade) => self.push_trade(trade),
        }
    }

    fn push_trade(&mut self, trade: PublicTrade) {
        if self.trades.len() >= self.trades_kept {
            self.trades.pop_front();
        }
        self.trades.push_back(trade);
    }

    fn depth(&self, limit: usize) -> Depth {
        Depth {
            sequence: self.sequence,
            bids: self.bids.values().rev().take(limit).copied().collect(),
            asks: self.asks.values().take(limit).copied().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: Depth = Depth { sequence: 0, bids: Vec::new(), asks: Vec::new() };

    fn level(sequence: u64, side: Side, price: i64, quantity: i64) -> Numbered {
        Numbered { sequence, change: Change::Level(side, one(price, quantity)) }
    }

    fn one(price: i64, quantity: i64) -> Level {
        Level { price: Decimal::new(price, 2), quantity: Decimal::new(quantity, 0), orders: 1 }
    }

    fn trade(sequence: u64, id: u64) -> Numbered {
        let trade = PublicTrade {
            id,
            price: Decimal::new(10, 2),
            quantity: Decimal::new(1, 0),
            aggressor: Side::Buy,
            time: 5,
        };
        Numbered { sequence, change: Change::Trade(trade) }
    }

    #[test]
    fn the_best_levels_come_first_and_an_empty_one_goes() {
        let picture = Picture::new(&EMPTY, 10, 16);
        for change in [
            level(1, Side::Buy, 9, 5),
            level(2, Side::Buy, 10, 5),
            level(3, Side::Sell, 12, 5),
            level(4, Side::Sell, 11, 5),
            level(5, Side::Buy, 10, 0),
        ] {
            picture.apply(change).unwrap();
        }
        let depth = picture.depth(1);
        assert_eq!(depth.sequence, 5);
        assert_eq!(depth.bids.iter().map(|level| level.price.mantissa).collect::<Vec<_>>(), [9]);
        assert_eq!(depth.asks.iter().map(|level| level.price.mantissa).collect::<Vec<_>>(), [11]);
    }

    #[test]
    fn a_gap_is_refused_and_a_repeat_ignored() {
        let picture = Picture::new(&EMPTY, 10, 16);
        picture.apply(level(1, Side::Buy, 9, 5)).unwrap();
        picture.apply(level(1, Side::Buy, 9, 7)).unwrap();
        assert_eq!(picture.apply(level(3, Side::Buy, 8, 5)), Err(Gap { last: 1, found: 3 }));
        assert_eq!(picture.depth(9).bids, [one(9, 5)]);
    }

    #[test]
    fn only_the_latest_trades_are_kept() {
        let picture = Picture::new(&EMPTY, 2, 16);
        for id in 1..=3 {
            picture.apply(trade(id, id)).unwrap();
        }
        assert_eq!(picture.trades(9).iter().map(|trade| trade.id).collect::<Vec<_>>(), [3, 2]);
    }

    #[test]
    fn a_subscriber_sees_the_picture_and_then_every_change() {
        let picture = Picture::new(&EMPTY, 10, 16);
        picture.apply(level(1, Side::Sell, 9, 5)).unwrap();
        let (depth, mut changes) = picture.subscribe();
        picture.apply(level(2, Side::Sell, 10, 5)).unwrap();
        assert_eq!(depth.sequence, 1);
        assert_eq!(changes.try_recv().unwrap().numbered.sequence, 2);
        assert!(changes.try_recv().is_err());
    }

    #[test]
    fn a_subscriber_too_far_behind_is_told() {
        let picture = Picture::new(&EMPTY, 10, 2);
        let (_, mut changes) = picture.subscribe();
        for sequence in 1..=5 {
            picture.apply(level(sequence, Side::Sell, 9, 1)).unwrap();
        }
        assert!(matches!(changes.try_recv(), Err(broadcast::error::TryRecvError::Lagged(_))));
    }
}
