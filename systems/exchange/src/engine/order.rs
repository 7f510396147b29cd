//! What goes into a book and what it may answer: ids, prices, quantities, orders, refusals. Plain data, no rules.

use std::fmt;

/// A price in ticks. What a tick is worth is the instrument's business. Negative prices are prices (spreads, power).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(pub i64);

impl Price {
    /// The highest price a book takes: 2^53 − 1 ticks, so that a JSON number carries every price exactly.
    pub const MAX: Price = Price((1 << 53) - 1);
    /// The lowest price a book takes.
    pub const MIN: Price = Price(1 - (1 << 53));

    /// Whether a book takes this price.
    #[must_use]
    pub fn is_valid(self) -> bool {
        (Self::MIN..=Self::MAX).contains(&self)
    }
}

/// A quantity in lots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(pub u64);

impl Quantity {
    /// Nothing.
    pub const ZERO: Quantity = Quantity(0);
    /// The most that one order may ask for: 2^40 − 1 lots. With at most 2^24 orders in a book ([`MAX_ORDERS`]), no sum
    /// of open quantities overflows 64 bits.
    pub const MAX: Quantity = Quantity((1 << 40) - 1);
}

/// The most orders that rest in one book at a time.
pub const MAX_ORDERS: u32 = 1 << 24;

/// The most 64-tick pages that a book's price levels may touch at a time: it bounds the memory that orders strewn over
/// absurd prices can claim (2 KiB each). A hundred thousand pages cover a price of four million ticks ± 80 %.
pub const MAX_PAGES: u32 = 1 << 17;

/// An order's name, chosen by the caller, unique among the orders resting in the book. Any value; sorted by time in practice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub u64);

/// Who an order trades for, as the caller numbers them: the unit of self-trade prevention. 0 is nobody in particular and
/// never trades with itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub u32);

/// The side of an order or of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Bids: the best is the highest.
    Buy,
    /// Asks: the best is the lowest.
    Sell,
}

impl Side {
    /// Both sides, bids first.
    pub const BOTH: [Side; 2] = [Side::Buy, Side::Sell];

    /// The side it trades with.
    #[must_use]
    pub fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }
}

/// At which prices an order may trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// At this price or a better one; what is left may rest.
    Limit(Price),
    /// At any price; what is left never rests, whatever its time in force.
    Market,
}

/// How long an order may live (FIX tag 59).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeInForce {
    /// Rests. The end of the day is the caller's: it cancels.
    Day,
    /// Rests until filled or cancelled.
    GoodTillCancel,
    /// Trades what it can at once; the residue is cancelled.
    ImmediateOrCancel,
    /// Trades in full at once or not at all.
    FillOrKill,
}

/// An order as it enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Its name; must not be that of an order now resting in this book.
    pub id: OrderId,
    /// Whom it trades for.
    pub owner: Owner,
    /// Buy or sell.
    pub side: Side,
    /// Limit or market.
    pub kind: Kind,
    /// How much, in lots.
    pub quantity: Quantity,
    /// How long.
    pub time_in_force: TimeInForce,
}

/// An order that rests in the book; the unit of snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RestingOrder {
    /// Its name.
    pub id: OrderId,
    /// Whom it trades for.
    pub owner: Owner,
    /// Bid or ask.
    pub side: Side,
    /// Its limit.
    pub price: Price,
    /// What is still open.
    pub quantity: Quantity,
}

/// A price level as the world sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LevelView {
    /// Its price.
    pub price: Price,
    /// The sum of what is open there; zero when the level is gone.
    pub quantity: Quantity,
    /// How many orders rest there; zero when the level is gone.
    pub orders: u32,
}

/// What became of an order that entered, or of a replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Traded at once.
    pub traded: Quantity,
    /// Now resting.
    pub resting: Quantity,
    /// Cancelled at once: residue of an IOC or market order, a FOK that was not to be filled, or self-trade prevention.
    pub cancelled: Quantity,
}

/// What happens when an order would trade with one of the same [`Owner`] (the choices of FIX tag 28000 venues: CME, Nasdaq).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SelfTrade {
    /// They trade.
    #[default]
    Allow,
    /// The resting order is cancelled and matching goes on behind it.
    CancelResting,
    /// What is left of the incoming order is cancelled; the resting order stays.
    CancelNewest,
}

/// Why the book would not do what was asked. A refused request changes nothing and reports nothing.
/// The numbers are stable: new ones are appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(u8)]
pub enum Refusal {
    /// The quantity is zero.
    #[error("quantity is 0; ask for at least one lot")]
    ZeroQuantity = 1,
    /// The quantity is beyond [`Quantity::MAX`].
    #[error("quantity is above {} lots; split the order", Quantity::MAX)]
    QuantityTooLarge = 2,
    /// The price is outside [`Price::MIN`]..=[`Price::MAX`].
    #[error("price is outside {}..={} ticks", Price::MIN, Price::MAX)]
    PriceOutOfRange = 3,
    /// An order with this id rests in the book.
    #[error("an order with this id is live; choose another id")]
    DuplicateOrder = 4,
    /// No order with this id rests in the book.
    #[error("no order with this id rests in the book")]
    UnknownOrder = 5,
    /// The book holds [`MAX_ORDERS`] orders or touches [`MAX_PAGES`] pages of prices.
    #[error("the book is full; cancel orders or trade at nearer prices")]
    BookFull = 6,
    /// A restored order would trade with the other side.
    #[error("the order crosses the book that is being restored")]
    Crossed = 7,
}

/// Why an order, or what was left of it, was taken out without a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CancelReason {
    /// It was asked for.
    Requested = 1,
    /// An IOC or market order found no more to trade with.
    Residue = 2,
    /// A FOK could not be filled in full.
    NotFillable = 3,
    /// Self-trade prevention.
    SelfTrade = 4,
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
