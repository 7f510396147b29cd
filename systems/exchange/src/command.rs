//! Everything that can be asked of a matching unit, as data, and what it answers.
//!
//! Two kinds of commands: what an operator's configuration says ([`Command::InstallInstrument`] and so on; the reply is
//! [`Reply::Done`] or a [`Refusal`]) and what FIX connections bring (the reply is always [`Reply::Done`]: FIX answers in
//! messages, which are events). The byte forms are in [`wire`].

pub mod wire;

pub use decalog_fix::session::{ConnectionId, Inbound};
use serde::{Deserialize, Serialize};

pub use crate::engine::SelfTrade;
use crate::value::{AccountName, ClOrdId, Decimal, OrdType, RequestId, SessionId, Side, Symbol, TimeInForce};

/// What a unit is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A FIX message that counts: one of a logged-on session, or a logon whose credentials were checked.
    Fix(FixMessage),
    /// A connection is gone. Ignored unless it is the one its session is logged on with.
    FixDisconnected {
        /// Its session.
        session: SessionId,
        /// The connection.
        connection: ConnectionId,
    },
    /// Log a session out in order: its logon no longer counts. Ignored unless it is logged on with this connection.
    FixLogOut {
        /// Its session.
        session: SessionId,
        /// The connection.
        connection: ConnectionId,
    },
    /// The gateway came up anew: every connection of the one before is gone.
    GatewayStarted,
    /// Lists an instrument, or changes it.
    InstallInstrument(Instrument),
    /// Opens an account.
    OpenAccount {
        /// Its name.
        name: AccountName,
    },
    /// Sets up a FIX session, or changes it.
    InstallSession(SessionSetup),
    /// Sets the time of day at which day orders expire.
    SetDayEnd {
        /// Seconds after midnight UTC, below 86 400; `None`: never.
        second_of_day: Option<u32>,
    },
    /// Opens or halts trading in an instrument.
    SetTradingStatus {
        /// Which.
        symbol: Symbol,
        /// Open or halted.
        status: TradingStatus,
    },
}

/// Whether an instrument trades.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TradingStatus {
    /// Orders are taken.
    #[default]
    Open,
    /// No new orders, no replaces; cancels and status requests only.
    Halted,
}

/// An instrument: what may be traded, and how finely.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// Its name.
    pub symbol: Symbol,
    /// Digits behind the point of its prices.
    pub price_scale: u8,
    /// Prices are multiples of this, at `price_scale`.
    pub tick_size: i64,
    /// Digits behind the point of its quantities.
    pub quantity_scale: u8,
    /// Quantities are multiples of this, at `quantity_scale`.
    pub lot_size: u64,
    /// The lowest price an order may name, at `price_scale`.
    pub price_low: i64,
    /// The highest.
    pub price_high: i64,
    /// The most an order may ask for, at `quantity_scale`.
    pub quantity_max: u64,
    /// What happens when orders of one account meet.
    #[serde(with = "self_trade")]
    pub self_trade: SelfTrade,
}

/// A FIX session as configured: who may log on, and for which accounts it trades.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSetup {
    /// Its number in the unit.
    pub id: SessionId,
    /// The exchange's CompID (its own SenderCompID).
    pub our_comp_id: String,
    /// The client's CompID.
    pub their_comp_id: String,
    /// Whom it trades for; an order that names no account is the first one's.
    pub accounts: Vec<AccountName>,
    /// The account (Username, 553) that must log on to it, if credentials are asked for. The edge checks them.
    pub username: Option<String>,
    /// The longest heartbeat interval it may ask for, in seconds.
    pub heartbeat_max_s: u32,
    /// How far SendingTime (52) may lie from the exchange's clock, in seconds; `None` does not look.
    pub sending_time_tolerance_s: Option<u32>,
    /// Whether both sequences begin at 1 with every logon.
    pub reset_on_logon: bool,
}

/// A FIX message as the guard made it out: its frame, CompIDs and fields are in order, or it says what is not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FixMessage {
    /// Its session.
    pub session: SessionId,
    /// The connection it came by; the gateway never uses a number twice in a unit's life.
    pub connection: ConnectionId,
    /// What it says. A message that the exchange does not serve is `Body::Refused`, one that breaks the dictionary
    /// `Body::Invalid`.
    pub inbound: Inbound<Request>,
}

/// An application message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// NewOrderSingle (D).
    NewOrder(NewOrder),
    /// OrderCancelRequest (F).
    Cancel(CancelOrder),
    /// OrderCancelReplaceRequest (G).
    Replace(ReplaceOrder),
    /// OrderStatusRequest (H).
    Status(OrderStatus),
    /// SecurityListRequest (x).
    SecurityList(SecurityListRequest),
    /// MarketDataRequest (V).
    MarketData(MarketDataRequest),
}

/// NewOrderSingle (D).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOrder {
    /// ClOrdID (11).
    pub cl_ord_id: ClOrdId,
    /// Account (1); empty: the session's first.
    pub account: AccountName,
    /// Symbol (55).
    pub symbol: Symbol,
    /// Side (54).
    pub side: Side,
    /// OrdType (40).
    pub ord_type: OrdType,
    /// TimeInForce (59); Day if the message has none.
    pub time_in_force: TimeInForce,
    /// OrderQty (38).
    pub quantity: Decimal,
    /// Price (44).
    pub price: Option<Decimal>,
    /// The first field that changes what the order means and is not supported (MaxFloor, StopPx…); 0: none.
    pub unsupported_tag: u32,
}

/// OrderCancelRequest (F).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelOrder {
    /// ClOrdID (11): the request's own.
    pub cl_ord_id: ClOrdId,
    /// OrigClOrdID (41): the order's latest.
    pub orig_cl_ord_id: ClOrdId,
    /// OrderID (37), if given; 0 if given and not one of ours.
    pub order_id: Option<u64>,
    /// Symbol (55).
    pub symbol: Symbol,
    /// Side (54).
    pub side: Side,
}

/// OrderCancelReplaceRequest (G).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaceOrder {
    /// The order as it shall be: its ClOrdID is the request's own, its quantity includes what has traded.
    pub order: NewOrder,
    /// OrigClOrdID (41): the order's latest.
    pub orig_cl_ord_id: ClOrdId,
    /// OrderID (37), if given; 0 if given and not one of ours.
    pub order_id: Option<u64>,
}

/// OrderStatusRequest (H).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderStatus {
    /// ClOrdID (11) of the order.
    pub cl_ord_id: ClOrdId,
    /// OrderID (37), if given; 0 if given and not one of ours.
    pub order_id: Option<u64>,
    /// OrdStatusReqID (790); empty if there is none.
    pub request_id: RequestId,
    /// Symbol (55).
    pub symbol: Symbol,
    /// Side (54).
    pub side: Side,
}

/// SecurityListRequest (x).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityListRequest {
    /// SecurityReqID (320).
    pub request_id: RequestId,
    /// SecurityListRequestType (559); 0 (one symbol) and 4 (all) are served.
    pub kind: u32,
    /// Symbol (55); empty if there is none.
    pub symbol: Symbol,
}

/// MarketDataRequest (V).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketDataRequest {
    /// MDReqID (262).
    pub request_id: RequestId,
    /// SubscriptionRequestType (263), FIX's character: `0` snapshot, `1` snapshot and updates, `2` no more updates.
    pub subscription: u8,
    /// MarketDepth (264): 0 the full book, else so many levels a side.
    pub depth: u32,
    /// MDUpdateType (265), FIX's character, if given: `1` incremental is the one served.
    pub update_type: Option<u8>,
    /// AggregatedBook (266) = N asks for single orders, which is refused.
    pub aggregated: bool,
    /// MDEntryType (269) of each entry asked for, FIX's characters: `0` bid, `1` offer, `2` trade.
    pub entry_types: Vec<u8>,
    /// The Symbol (55) of each instrument asked for.
    pub symbols: Vec<Symbol>,
}

/// What a unit answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done. For FIX commands: taken note of; what came of it is in the events.
    Done,
    /// Not done, and nothing has changed.
    Refused(Refusal),
}

/// Why a configuration command was refused. The numbers are stable: new ones are appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(u16)]
pub enum Refusal {
    /// An instrument's own numbers do not fit together.
    #[error(
        "instrument: scales up to 12, tick and lot at least 1, and band and maximum multiples of them in range"
    )]
    InvalidInstrument = 1,
    /// The instrument has live orders and the change would alter what they mean.
    #[error(
        "the instrument has live orders: its scales, tick, lot and self-trade rule stay until they are gone"
    )]
    InstrumentInUse = 2,
    /// No such instrument.
    #[error("no such instrument in this unit")]
    UnknownInstrument = 3,
    /// A session names an account that is not open.
    #[error("a session's accounts must be open in this unit, and there must be at least one")]
    UnknownAccount = 4,
    /// A session's settings do not fit together.
    #[error("session: CompIDs must not be empty, and heartbeat_max_s must be at least 1")]
    InvalidSession = 5,
    /// The CompIDs belong to another session, or the session has other ones.
    #[error("the CompIDs are another session's, or the session was set up with other ones")]
    CompIdsTaken = 6,
    /// Not a time of day.
    #[error("a day end lies between 0 and 86399 seconds after midnight UTC")]
    InvalidDayEnd = 7,
    /// The unit holds as many as it may.
    #[error("the unit is full: at most 4096 instruments, 65536 accounts and 4096 sessions")]
    UnitFull = 8,
    /// A name is empty.
    #[error("a name must not be empty")]
    EmptyName = 9,
}

impl Refusal {
    /// Every refusal, in the order of their numbers.
    pub const ALL: [Refusal; 9] = [
        Refusal::InvalidInstrument,
        Refusal::InstrumentInUse,
        Refusal::UnknownInstrument,
        Refusal::UnknownAccount,
        Refusal::InvalidSession,
        Refusal::CompIdsTaken,
        Refusal::InvalidDayEnd,
        Refusal::UnitFull,
        Refusal::EmptyName,
    ];

    /// Its stable number.
    #[must_use]
    pub fn code(self) -> u16 {
        self as u16
    }

    /// The refusal of that number.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Refusal> {
        Self::ALL.into_iter().find(|it| it.code() == code)
    }
}

/// MessagePack form of the engine's self-trade rule.
mod self_trade {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::SelfTrade;

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Name {
        Allow,
        CancelResting,
        CancelNewest,
    }

    pub(super) fn serialize<S: Serializer>(rule: &SelfTrade, serializer: S) -> Result<S::Ok, S::Error> {
        match rule {
            SelfTrade::Allow => Name::Allow,
            SelfTrade::CancelResting => Name::CancelResting,
            SelfTrade::CancelNewest => Name::CancelNewest,
        }
        .serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SelfTrade, D::Error> {
        Ok(match Name::deserialize(deserializer)? {
            Name::Allow => SelfTrade::Allow,
            Name::CancelResting => SelfTrade::CancelResting,
            Name::CancelNewest => SelfTrade::CancelNewest,
        })
    }
}
