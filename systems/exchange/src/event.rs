//! Everything a matching unit tells others, as data: public market data, and the messages of its FIX sessions.
//!
//! An event is addressed by its record's offset and its index there. Numbers carry their scale, so that whoever encodes
//! an event, now or for a resend, needs nothing else. The byte forms are in [`wire`].

pub mod wire;

use decalog_fix::session::{CloseReason, ConnectionId, ReplayItem, Route, SessionMessage};
pub use decalog_runtime::Address;
use serde::{Deserialize, Serialize};

use crate::command::{Instrument, TradingStatus};
use crate::value::{
    AccountName, ClOrdId, Decimal, ExecType, OrdStatus, OrdType, RequestId, SessionId, Side, Symbol, Text,
    TimeInForce,
};

/// What a unit tells.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "the largest, an execution report, is also the most frequent")]
pub enum Event {
    /// An instrument was listed or changed.
    Listed(Listed),
    /// Two orders traded.
    Trade(Trade),
    /// A price level is not what it was.
    BookLevel(BookLevel),
    /// A FIX message for a session.
    Fix(Outbound),
    /// Messages that a session's other side asked for again.
    FixReplay {
        /// The session.
        session: SessionId,
        /// The connection to send them on.
        connection: ConnectionId,
        /// What to send, in order, each under its old number.
        items: Vec<ReplayItem<Address>>,
    },
    /// A connection is to be closed once all that was sent before is written.
    FixClose {
        /// The session it was for.
        session: SessionId,
        /// The connection.
        connection: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
}

/// An instrument as it now is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// What may be traded.
    pub instrument: Instrument,
    /// Whether it trades.
    pub status: TradingStatus,
}

/// A trade, at the resting order's price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// What was traded.
    pub symbol: Symbol,
    /// The instrument's feed number: trades and levels of one instrument have dense numbers from 1.
    pub sequence: u64,
    /// The trade's own number, unique in the unit for ever.
    pub trade_id: u64,
    /// At what price.
    pub price: Decimal,
    /// How much.
    pub quantity: Decimal,
    /// The side of the order that came to trade.
    pub taker_side: Side,
    /// The order that rested.
    pub maker_order: u64,
    /// The order that came.
    pub taker_order: u64,
    /// The resting order's account. Not for the public.
    pub maker_account: AccountName,
    /// The account of the order that came. Not for the public.
    pub taker_account: AccountName,
    /// When, ns since 1970 UTC.
    pub time: i64,
}

/// A price level as it now is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookLevel {
    /// Of which instrument.
    pub symbol: Symbol,
    /// The instrument's feed number.
    pub sequence: u64,
    /// Bids or offers.
    pub side: Side,
    /// Its price.
    pub price: Decimal,
    /// What is open there; zero: the level is gone.
    pub quantity: Decimal,
    /// How many orders that is.
    pub orders: u32,
    /// When it changed, ns since 1970 UTC.
    pub time: i64,
}

/// A FIX message that took an outbound number.
#[derive(Clone, Debug, PartialEq)]
pub struct Outbound {
    /// Whose.
    pub session: SessionId,
    /// The connection to send it on; `None`: the session is away and will ask for it.
    pub connection: Option<ConnectionId>,
    /// Its MsgSeqNum (34).
    pub seq: u64,
    /// SendingTime (52) of its first sending, ns since 1970 UTC.
    pub time: i64,
    /// Third-party routing, when what it answers had any.
    pub route: Option<Box<Route>>,
    /// What it says.
    pub message: Message,
}

/// What an outbound FIX message says.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "the largest, an execution report, is also the most frequent")]
pub enum Message {
    /// A message of the session layer, or the BusinessMessageReject (j) of a message the api could not take.
    Session(SessionMessage),
    /// ExecutionReport (8).
    Execution(ExecutionReport),
    /// OrderCancelReject (9).
    CancelReject(CancelReject),
    /// SecurityList (y).
    SecurityList(SecurityList),
    /// MarketDataSnapshotFullRefresh (W).
    MarketDataSnapshot(MarketDataSnapshot),
    /// MarketDataIncrementalRefresh (X).
    MarketDataIncremental(MarketDataIncremental),
    /// MarketDataRequestReject (Y).
    MarketDataReject(MarketDataReject),
}

/// ExecutionReport (8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecutionReport {
    /// OrderID (37); 0 is written as `NONE`.
    pub order_id: u64,
    /// ExecID (17): [`ExecId`] says how it is written.
    pub exec_id: ExecId,
    /// ClOrdID (11).
    pub cl_ord_id: ClOrdId,
    /// OrigClOrdID (41); empty: none.
    pub orig_cl_ord_id: ClOrdId,
    /// OrdStatusReqID (790); empty: none.
    pub status_request_id: RequestId,
    /// ExecType (150).
    pub exec_type: ExecType,
    /// OrdStatus (39).
    pub ord_status: OrdStatus,
    /// OrdRejReason (103), with ExecType Rejected.
    pub reject_reason: Option<OrdRejReason>,
    /// Account (1); empty: none.
    pub account: AccountName,
    /// Symbol (55).
    pub symbol: Symbol,
    /// Side (54).
    pub side: Side,
    /// OrdType (40).
    pub ord_type: OrdType,
    /// TimeInForce (59).
    pub time_in_force: TimeInForce,
    /// OrderQty (38); `None` when what was asked for is no number the exchange can write.
    pub order_qty: Option<Decimal>,
    /// Price (44).
    pub price: Option<Decimal>,
    /// LastQty (32) and LastPx (31), with ExecType Trade.
    pub last: Option<Fill>,
    /// LeavesQty (151).
    pub leaves_qty: Decimal,
    /// CumQty (14).
    pub cum_qty: Decimal,
    /// AvgPx (6): what was paid over CumQty, rounded half away from zero to four digits more than prices have.
    pub avg_px: Decimal,
    /// TransactTime (60), ns since 1970 UTC.
    pub transact_time: i64,
    /// Text (58); empty: none.
    pub text: Text<120>,
}

/// One fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// LastQty (32).
    pub quantity: Decimal,
    /// LastPx (31).
    pub price: Decimal,
}

/// An ExecID (17): unique for ever over all units, as the counter lies in the unit's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExecId {
    /// The unit.
    pub unit: u16,
    /// The unit's count of executions and reports.
    pub number: u64,
}

impl std::fmt::Display for ExecId {
    /// As it stands in the message: `unit-number`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.unit, self.number)
    }
}

/// Why an order was refused (FIX tag 103), those the exchange gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OrdRejReason {
    /// The exchange's own rules: the book is full, too many ids today.
    Exchange = 0,
    /// No such instrument in this unit.
    UnknownSymbol = 1,
    /// The instrument does not trade now.
    ExchangeClosed = 2,
    /// Larger than one order may be.
    OrderExceedsLimit = 3,
    /// No order of that ClOrdID (in answer to a status request).
    UnknownOrder = 5,
    /// The ClOrdID was used before.
    DuplicateOrder = 6,
    /// A side, type, time in force or instruction that is not supported.
    UnsupportedCharacteristic = 11,
    /// Not a positive multiple of the lot.
    IncorrectQuantity = 13,
    /// Not one of the session's accounts.
    UnknownAccount = 15,
    /// Anything else: the price, for one.
    Other = 99,
}

impl OrdRejReason {
    /// The reason of that number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<OrdRejReason> {
        use OrdRejReason as R;
        let all = [
            R::Exchange,
            R::UnknownSymbol,
            R::ExchangeClosed,
            R::OrderExceedsLimit,
            R::UnknownOrder,
            R::DuplicateOrder,
            R::UnsupportedCharacteristic,
            R::IncorrectQuantity,
            R::UnknownAccount,
            R::Other,
        ];
        all.into_iter().find(|it| *it as u8 == code)
    }
}

/// OrderCancelReject (9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelReject {
    /// OrderID (37); 0, written as `NONE`: no such order.
    pub order_id: u64,
    /// ClOrdID (11): the request's.
    pub cl_ord_id: ClOrdId,
    /// OrigClOrdID (41): the request's.
    pub orig_cl_ord_id: ClOrdId,
    /// OrdStatus (39) of the order; `8` if there is none.
    pub ord_status: OrdStatus,
    /// CxlRejResponseTo (434).
    pub response_to: CxlRejResponseTo,
    /// CxlRejReason (102).
    pub reason: CxlRejReason,
    /// Account (1); empty: none.
    pub account: AccountName,
    /// TransactTime (60), ns since 1970 UTC.
    pub transact_time: i64,
    /// Text (58).
    pub text: Text<120>,
}

/// What an OrderCancelReject answers (FIX tag 434).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum CxlRejResponseTo {
    /// An OrderCancelRequest.
    Cancel = 1,
    /// An OrderCancelReplaceRequest.
    Replace = 2,
}

/// Why a cancel or replace was refused (FIX tag 102), those the exchange gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum CxlRejReason {
    /// The order is done.
    TooLateToCancel = 0,
    /// No such order.
    UnknownOrder = 1,
    /// The exchange's own rules: a price, a quantity, a halted instrument.
    Exchange = 2,
    /// The request's ClOrdID was used before.
    DuplicateClOrdId = 6,
}

/// SecurityList (y).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityList {
    /// SecurityReqID (320).
    pub request_id: RequestId,
    /// SecurityResponseID (322): unique as an ExecID is.
    pub response_id: ExecId,
    /// SecurityRequestResult (560): 0 valid, 1 invalid or unsupported request, 2 no instrument found.
    pub result: u8,
    /// TotNoRelatedSym (393).
    pub total: u32,
    /// LastFragment (893).
    pub last_fragment: bool,
    /// The instruments of this fragment.
    pub instruments: Vec<Instrument>,
}

/// MarketDataSnapshotFullRefresh (W).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketDataSnapshot {
    /// MDReqID (262).
    pub request_id: RequestId,
    /// Symbol (55).
    pub symbol: Symbol,
    /// The entries: bids from the best, offers from the best, the last trade; of those what was asked for.
    pub entries: Vec<MarketDataEntry>,
}

/// MarketDataIncrementalRefresh (X).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketDataIncremental {
    /// MDReqID (262).
    pub request_id: RequestId,
    /// Symbol (55), of every entry.
    pub symbol: Symbol,
    /// What changed, in order.
    pub entries: Vec<MarketDataEntry>,
}

/// An entry of market data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketDataEntry {
    /// MDUpdateAction (279); `New` in a snapshot, where it is not written.
    pub action: UpdateAction,
    /// MDEntryType (269).
    pub kind: EntryType,
    /// MDEntryPx (270).
    pub price: Decimal,
    /// MDEntrySize (271); zero with `Delete`.
    pub size: Decimal,
    /// NumberOfOrders (346); 0 for trades.
    pub orders: u32,
    /// MDEntryDate (272) and MDEntryTime (273), ns since 1970 UTC.
    pub time: i64,
}

/// What happened to an entry (FIX tag 279).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum UpdateAction {
    /// It is new.
    New = b'0',
    /// Its size changed.
    Change = b'1',
    /// It is gone.
    Delete = b'2',
}

/// The kind of an entry (FIX tag 269).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EntryType {
    /// A level of bids.
    Bid = b'0',
    /// A level of offers.
    Offer = b'1',
    /// A trade.
    Trade = b'2',
}

/// MarketDataRequestReject (Y).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketDataReject {
    /// MDReqID (262).
    pub request_id: RequestId,
    /// MDReqRejReason (281), FIX's character: `0` unknown symbol, `1` duplicate MDReqID, `4` unsupported
    /// SubscriptionRequestType, `5` unsupported MarketDepth, `6` unsupported MDUpdateType, `7` unsupported AggregatedBook,
    /// `8` unsupported MDEntryType.
    pub reason: u8,
    /// Text (58).
    pub text: Text<120>,
}
