//! Instruments: what they allow, their books, and the numbers of their feeds.

use std::collections::BTreeMap;

use decalog_runtime::Digest;

use super::{Turn, Unit};
use crate::command::{Instrument, Refusal, Reply, TradingStatus};
use crate::engine::{LevelView, OrderBook, Price, Quantity, Side};
use crate::event::{BookLevel, Event, Listed, OrdRejReason};
use crate::value::{self, Decimal, Symbol};

/// The most instruments of a unit.
const MAX_INSTRUMENTS: usize = 4096;
/// How many digits an average price has beyond those of prices.
const AVERAGE_DIGITS: u8 = 4;
/// A price times this still fits 64 bits.
const AVERAGE_FACTOR: i64 = 10_000;
/// The most digits behind the point of prices and quantities.
const MAX_SCALE: u8 = 12;

/// The unit's instruments, in the order in which they were listed.
#[derive(Debug, Default)]
pub(super) struct Instruments {
    list: Vec<Listing>,
    by_symbol: BTreeMap<Symbol, u32>,
}

/// An instrument and its book.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) spec: Instrument,
    spec_digest: Digest,
    pub(super) status: TradingStatus,
    pub(super) book: OrderBook,
    /// The number of the last trade or level told.
    pub(super) feed: u64,
    pub(super) last_trade: Option<LastTrade>,
}

/// The newest trade of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LastTrade {
    pub(super) price: Price,
    pub(super) quantity: Quantity,
    pub(super) time: i64,
}

/// Why an order's number is not accepted.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) reason: OrdRejReason,
    pub(super) text: String,
}

impl Instruments {
    pub(super) fn find(&self, symbol: Symbol) -> Option<u32> {
        self.by_symbol.get(&symbol).copied()
    }

    pub(super) fn get(&self, index: u32) -> &Listing {
        &self.list[index as usize]
    }

    pub(super) fn get_mut(&mut self, index: u32) -> &mut Listing {
        &mut self.list[index as usize]
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Listing> {
        self.list.iter()
    }

    /// Lists one more.
    pub(super) fn push(&mut self, listing: Listing) {
        let index = u32::try_from(self.list.len()).expect("at most 4096 instruments");
        self.by_symbol.insert(listing.spec.symbol, index);
        self.list.push(listing);
    }

    pub(super) fn digest(&self) -> Digest {
        self.list.iter().fold(Digest::default(), |digest, listing| {
            let (price, quantity, time) =
                listing.last_trade.map_or((0, 0, 0), |trade| (trade.price.0, trade.quantity.0, trade.time));
            let mut bytes = [0; 57];
            bytes[0..16].copy_from_slice(&listing.spec_digest.0.to_le_bytes());
            bytes[16..24].copy_from_slice(&listing.feed.to_le_bytes());
            bytes[24..32].copy_from_slice(&listing.book.digest().to_le_bytes());
            bytes[32..40].copy_from_slice(&price.to_le_bytes());
            bytes[40..48].copy_from_slice(&quantity.to_le_bytes());
            bytes[48..56].copy_from_slice(&time.to_le_bytes());
            bytes[56] = u8::from(listing.status == TradingStatus::Halted);
            digest.then(&bytes)
        })
    }
}

impl Listing {
    pub(super) fn new(spec: Instrument, status: TradingStatus) -> Listing {
        let book = OrderBook::new(spec.self_trade);
        let spec_digest = digest_of(&spec);
        Listing { spec, spec_digest, status, book, feed: 0, last_trade: None }
    }

    /// A price of the book as the world writes it.
    pub(super) fn price(&self, price: Price) -> Decimal {
        Decimal::new(price.0 * self.spec.tick_size, self.spec.price_scale)
    }

    /// A quantity of the book as the world writes it.
    pub(super) fn quantity(&self, quantity: Quantity) -> Decimal {
        let lots =
            i64::try_from(quantity.0 * self.spec.lot_size).expect("`is_sound` bounds a level of 2^24 orders");
        Decimal::new(lots, self.spec.quantity_scale)
    }

    /// What was paid on average, rounded half away from zero. `notional` is the sum of ticks times lots.
    pub(super) fn average(&self, notional: i128, quantity: Quantity) -> Decimal {
        let scale = self.spec.price_scale + AVERAGE_DIGITS;
        if quantity == Quantity::ZERO {
            return Decimal::new(0, scale);
        }
        let paid = notional * i128::from(self.spec.tick_size) * i128::from(AVERAGE_FACTOR);
        let lots = i128::from(quantity.0);
        let half = if paid < 0 { -(lots / 2) } else { lots / 2 };
        Decimal::new(
            i64::try_from((paid + half) / lots).expect("an average of prices within the band"),
            scale,
        )
    }

    /// An asked quantity in lots.
    pub(super) fn lots(&self, asked: Decimal) -> Result<Quantity, Fault> {
        let spec = &self.spec;
        let lot = Decimal::new(spec.lot_size.cast_signed(), spec.quantity_scale);
        let most = Decimal::new(spec.quantity_max.cast_signed(), spec.quantity_scale);
        if asked == Decimal::OUT_OF_RANGE {
            let text = format!("OrderQty(38) is out of range; the most is {most}");
            return Err(Fault { reason: OrdRejReason::OrderExceedsLimit, text });
        }
        let units = asked.at_scale(spec.quantity_scale).and_then(|units| u64::try_from(units).ok());
        match units {
            Some(units) if units > spec.quantity_max => {
                let text = format!("OrderQty(38) {asked} is above the most, {most}");
                Err(Fault { reason: OrdRejReason::OrderExceedsLimit, text })
            }
            Some(units) if units > 0 && units.is_multiple_of(spec.lot_size) => {
                Ok(Quantity(units / spec.lot_size))
            }
            _ => {
                let text = format!("OrderQty(38) {asked} is not a positive multiple of the lot, {lot}");
                Err(Fault { reason: OrdRejReason::IncorrectQuantity, text })
            }
        }
    }

    /// An asked price in ticks.
    pub(super) fn ticks(&self, asked: Decimal) -> Result<Price, Fault> {
        let spec = &self.spec;
        let [low, high, tick] = [spec.price_low, spec.price_high, spec.tick_size];
        let show = |number| Decimal::new(number, spec.price_scale);
        let fault = |text| Err(Fault { reason: OrdRejReason::Other, text });
        match asked.at_scale(spec.price_scale) {
            Some(price) if !(low..=high).contains(&price) => {
                fault(format!("Price(44) {asked} is outside the band, {} to {}", show(low), show(high)))
            }
            Some(price) if price % tick == 0 => Ok(Price(price / tick)),
            _ => fault(format!("Price(44) {asked} is not a multiple of the tick, {}", show(tick))),
        }
    }

    /// A level as the world is told of it, under the feed's next number.
    pub(super) fn tell_level(&mut self, side: Side, level: &LevelView, time: i64) -> BookLevel {
        self.feed += 1;
        BookLevel {
            symbol: self.spec.symbol,
            sequence: self.feed,
            side: outward(side),
            price: self.price(level.price),
            quantity: self.quantity(level.quantity),
            orders: level.orders,
            time,
        }
    }

    fn listed(&self) -> Listed {
        Listed { instrument: self.spec.clone(), status: self.status }
    }
}

/// The engine's side as FIX names it.
pub(super) fn outward(side: Side) -> value::Side {
    match side {
        Side::Buy => value::Side::Buy,
        Side::Sell => value::Side::Sell,
    }
}

impl Unit {
    /// Lists an instrument, or changes a listed one.
    pub(super) fn install_instrument(&mut self, turn: &mut Turn<'_>, spec: Instrument) -> Reply {
        if spec.symbol.is_empty() {
            return Reply::Refused(Refusal::EmptyName);
        }
        if !is_sound(&spec) {
            return Reply::Refused(Refusal::InvalidInstrument);
        }
        let index = match self.instruments.find(spec.symbol) {
            None if self.instruments.iter().len() == MAX_INSTRUMENTS => {
                return Reply::Refused(Refusal::UnitFull);
            }
            None => {
                let index = u32::try_from(self.instruments.iter().len()).expect("at most 4096 instruments");
                self.instruments.push(Listing::new(spec, TradingStatus::Open));
                index
            }
            Some(index) => {
                let listing = self.instruments.get_mut(index);
                if listing.spec == spec {
                    return Reply::Done;
                }
                if !keeps_meaning(&listing.spec, &spec) {
                    if !listing.book.is_empty() || self.orders.any_of(index) {
                        return Reply::Refused(Refusal::InstrumentInUse);
                    }
                    listing.book = OrderBook::new(spec.self_trade);
                    listing.last_trade = None;
                }
                listing.spec_digest = digest_of(&spec);
                listing.spec = spec;
                index
            }
        };
        turn.out.emit(Event::Listed(self.instruments.get(index).listed()));
        Reply::Done
    }

    /// Opens or halts trading.
    pub(super) fn set_trading_status(
        &mut self,
        turn: &mut Turn<'_>,
        symbol: Symbol,
        status: TradingStatus,
    ) -> Reply {
        let Some(index) = self.instruments.find(symbol) else {
            return Reply::Refused(Refusal::UnknownInstrument);
        };
        let listing = self.instruments.get_mut(index);
        if listing.status != status {
            listing.status = status;
            turn.out.emit(Event::Listed(listing.listed()));
        }
        Reply::Done
    }

    /// The unit's instruments, in the order in which they were listed.
    pub fn instruments(&self) -> impl Iterator<Item = Listed> + '_ {
        self.instruments.iter().map(Listing::listed)
    }

    /// A side of an instrument's book from the best level on, and the feed's last number; `None`: no such instrument.
    pub fn book(&self, symbol: Symbol, side: Side, depth: usize) -> Option<(u64, Vec<BookLevel>)> {
        let listing = self.instruments.get(self.instruments.find(symbol)?);
        let level = |level: LevelView| BookLevel {
            symbol,
            sequence: listing.feed,
            side: outward(side),
            price: listing.price(level.price),
            quantity: listing.quantity(level.quantity),
            orders: level.orders,
            time: 0,
        };
        Some((listing.feed, listing.book.levels(side).take(depth).map(level).collect()))
    }
}

fn digest_of(spec: &Instrument) -> Digest {
    let mut bytes = Vec::new();
    decalog_runtime::pack(spec, &mut bytes);
    Digest::of(&bytes)
}

/// Whether an instrument's numbers fit together, so that no sum of what they allow overflows.
fn is_sound(spec: &Instrument) -> bool {
    let price = |price: i64| {
        price % spec.tick_size == 0
            && Price(price / spec.tick_size).is_valid()
            && price.checked_mul(AVERAGE_FACTOR).is_some()
    };
    let most = |most: u64| {
        most >= spec.lot_size
            && most.is_multiple_of(spec.lot_size)
            && most / spec.lot_size <= Quantity::MAX.0
            // A level of 2^24 such orders is still told in 63 bits.
            && most <= i64::MAX.unsigned_abs() >> 24
    };
    spec.price_scale <= MAX_SCALE
        && spec.quantity_scale <= MAX_SCALE
        && spec.tick_size >= 1
        && spec.lot_size >= 1
        && spec.price_low <= spec.price_high
        && price(spec.price_low)
        && price(spec.price_high)
        && most(spec.quantity_max)
}

/// Whether orders placed under one spec mean the same under the other.
fn keeps_meaning(old: &Instrument, new: &Instrument) -> bool {
    (old.price_scale, old.tick_size, old.quantity_scale, old.lot_size, old.self_trade)
        == (new.price_scale, new.tick_size, new.quantity_scale, new.lot_size, new.self_trade)
}
