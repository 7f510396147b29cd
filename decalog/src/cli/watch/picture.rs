//! The watched book: rebuilt from the feed's messages, and drawn as text.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use anyhow::{Context, bail};
use serde::Deserialize;

/// Trades shown below the book.
const TRADES: usize = 8;
const BAR: usize = 24;

/// What the feed sends, as far as it is shown.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum FeedMessage {
    Snapshot {
        symbol: String,
        sequence: u64,
        bids: Vec<Level>,
        asks: Vec<Level>,
    },
    Level {
        sequence: u64,
        side: Side,
        #[serde(flatten)]
        level: Level,
    },
    Trade {
        sequence: u64,
        price: String,
        quantity: String,
        aggressor: Side,
    },
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Level {
    price: String,
    quantity: String,
    orders: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    Bid,
    Ask,
}

/// The book at one moment.
#[derive(Debug)]
pub(super) struct Picture {
    symbol: String,
    sequence: u64,
    /// By price: its digits without the point, as all prices of an instrument have the same scale.
    bids: BTreeMap<i128, Level>,
    asks: BTreeMap<i128, Level>,
    trades: VecDeque<(Side, String, String)>,
}

impl Picture {
    /// Takes the next message; the first must be the snapshot.
    pub(super) fn take(slot: &mut Option<Self>, message: FeedMessage) -> anyhow::Result<&Self> {
        if let FeedMessage::Snapshot { symbol, sequence, bids, asks } = message {
            let side = |levels: Vec<Level>| {
                levels
                    .into_iter()
                    .map(|level| Ok((digits(&level.price)?, level)))
                    .collect::<anyhow::Result<_>>()
            };
            return Ok(slot.insert(Self {
                symbol,
                sequence,
                bids: side(bids)?,
                asks: side(asks)?,
                trades: VecDeque::new(),
            }));
        }
        let picture = slot.as_mut().context("the feed did not begin with a snapshot")?;
        picture.change(message)?;
        Ok(picture)
    }

    fn change(&mut self, message: FeedMessage) -> anyhow::Result<()> {
        let (FeedMessage::Snapshot { sequence, .. }
        | FeedMessage::Level { sequence, .. }
        | FeedMessage::Trade { sequence, .. }) = message;
        if sequence != self.sequence + 1 {
            bail!("the feed left a gap: {sequence} after {}", self.sequence);
        }
        self.sequence = sequence;
        match message {
            FeedMessage::Snapshot { .. } => {}
            FeedMessage::Level { side, level, .. } => {
                let price = digits(&level.price)?;
                let levels = if side == Side::Bid { &mut self.bids } else { &mut self.asks };
                if digits(&level.quantity)? == 0 {
                    levels.remove(&price);
                } else {
                    levels.insert(price, level);
                }
            }
            FeedMessage::Trade { price, quantity, aggressor, .. } => {
                self.trades.push_front((aggressor, price, quantity));
                self.trades.truncate(TRADES);
            }
        }
        Ok(())
    }

    /// The book as lines of text, asks above bids, the best next to each other.
    pub(super) fn text(&self, depth: usize, colour: bool) -> String {
        let paint = |side: Side| match (colour, side) {
            (false, _) => ("", ""),
            (true, Side::Bid) => ("\x1b[32m", "\x1b[0m"),
            (true, Side::Ask) => ("\x1b[31m", "\x1b[0m"),
        };
        let asks: Vec<&Level> = self.asks.values().take(depth).collect();
        let bids: Vec<&Level> = self.bids.values().rev().take(depth).collect();
        let size = |level: &&Level| digits(&level.quantity).unwrap_or(0);
        let largest = asks.iter().chain(&bids).map(size).max().unwrap_or(1).max(1);
        let mut text = format!("{}   change {}\n\n", self.symbol, self.sequence);
        let mut line = |level: &&Level, side| {
            let (on, off) = paint(side);
            let filled = usize::try_from(size(level) * BAR as i128 / largest).unwrap_or(BAR);
            let Level { price, quantity, orders } = level;
            // Writing into a String cannot fail.
            let _ = writeln!(
                text,
                "{on}{price:>16}{off} {quantity:>16} {orders:>4}  {on}{}{off}",
                "▇".repeat(filled)
            );
        };
        asks.iter().rev().for_each(|level| line(level, Side::Ask));
        bids.iter().for_each(|level| line(level, Side::Bid));
        if !self.trades.is_empty() {
            text.push_str("\nTrades\n");
        }
        for (side, price, quantity) in &self.trades {
            let (on, off) = paint(*side);
            let verb = if *side == Side::Bid { "bought" } else { "sold" };
            let _ = writeln!(text, "{on}{price:>16}{off} {quantity:>16}  {verb}");
        }
        text
    }
}

/// A decimal number's digits as one number.
fn digits(decimal: &str) -> anyhow::Result<i128> {
    decimal.replacen('.', "", 1).parse().with_context(|| format!("{decimal:?} is no decimal number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(slot: &mut Option<Picture>, text: &str) -> anyhow::Result<()> {
        Picture::take(slot, serde_json::from_str(text).unwrap()).map(|_| ())
    }

    const SNAPSHOT: &str = r#"{"type":"snapshot","symbol":"X","sequence":4,
        "bids":[{"price":"9.50","quantity":"2","orders":1},{"price":"9.00","quantity":"4","orders":2}],
        "asks":[{"price":"10.00","quantity":"1","orders":1}]}"#;

    #[test]
    fn the_best_prices_stand_next_to_each_other() {
        let mut slot = None;
        feed(&mut slot, SNAPSHOT).unwrap();
        let level = r#"{"type":"level","sequence":5,"side":"ask","price":"10.50","quantity":"3","orders":1}"#;
        feed(&mut slot, level).unwrap();
        let trade = r#"{"type":"trade","sequence":6,"id":"1","price":"9.50","quantity":"1","aggressor":"ask","time":"0"}"#;
        feed(&mut slot, trade).unwrap();
        let text = slot.unwrap().text(10, false);
        let places: Vec<usize> =
            ["10.50", "10.00", "9.50", "9.00", "sold"].iter().map(|part| text.find(part).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn an_empty_level_goes_and_a_gap_is_noticed() {
        let mut slot = None;
        feed(&mut slot, SNAPSHOT).unwrap();
        let gone = r#"{"type":"level","sequence":5,"side":"bid","price":"9.50","quantity":"0","orders":0}"#;
        feed(&mut slot, gone).unwrap();
        assert!(!slot.as_ref().unwrap().text(10, false).contains("9.50"));
        assert!(feed(&mut slot, gone).is_err());
    }
}
