//! The byte forms of events. What every order brings has fixed layouts, the rest is MessagePack with named fields.
//!
//! A released (kind, version) never changes; `tests/exchange/golden.rs` keeps one of each in hexadecimal.

use decalog_fix::session::{CloseReason, ConnectionId, ReplayItem, Route, SessionMessage};
use decalog_runtime::{DecodeError, Wire, pack};
use serde::{Deserialize, Serialize};
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{
    Address, BookLevel, EntryType, Event, ExecId, ExecutionReport, Fill, MarketDataEntry,
    MarketDataIncremental, MarketDataSnapshot, Message, OrdRejReason, Outbound, Trade, UpdateAction,
};
use crate::value::wire::{Body, DecimalForm, TextForm};
use crate::value::{ExecType, OrdStatus, OrdType, RequestId, SessionId, Side, Symbol, Text, TimeInForce};

/// The kinds of events. Numbers are never used again.
mod kind {
    pub(super) const LISTED: u16 = 1;
    pub(super) const TRADE: u16 = 2;
    pub(super) const BOOK_LEVEL: u16 = 3;
    pub(super) const FIX_REPLAY: u16 = 4;
    pub(super) const FIX_CLOSE: u16 = 5;
    pub(super) const SESSION: u16 = 16;
    pub(super) const EXECUTION: u16 = 17;
    pub(super) const CANCEL_REJECT: u16 = 18;
    pub(super) const SECURITY_LIST: u16 = 19;
    pub(super) const MARKET_DATA_SNAPSHOT: u16 = 20;
    pub(super) const MARKET_DATA_INCREMENTAL: u16 = 21;
    pub(super) const MARKET_DATA_REJECT: u16 = 22;
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct TradeForm {
    symbol: TextForm<16>,
    sequence: U64,
    trade_id: U64,
    price: DecimalForm,
    quantity: DecimalForm,
    taker_side: u8,
    maker_order: U64,
    taker_order: U64,
    maker_account: TextForm<16>,
    taker_account: TextForm<16>,
    time: I64,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct BookLevelForm {
    symbol: TextForm<16>,
    sequence: U64,
    side: u8,
    price: DecimalForm,
    quantity: DecimalForm,
    orders: U32,
    time: I64,
}

/// What every outbound FIX message begins with; `route_len` bytes of MessagePack follow it.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct OutboundForm {
    session: U32,
    /// 1: the connection is meant, 0: there is none.
    connected: u8,
    connection: U64,
    seq: U64,
    time: I64,
    route_len: U16,
}

/// An execution report; `text_len` bytes of its text follow it.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct ExecutionForm {
    order_id: U64,
    unit: U16,
    exec_number: U64,
    cl_ord_id: TextForm<36>,
    orig_cl_ord_id: TextForm<36>,
    status_request_id: TextForm<36>,
    exec_type: u8,
    ord_status: u8,
    /// `NO_REASON`: none.
    reject_reason: u8,
    account: TextForm<16>,
    symbol: TextForm<16>,
    side: u8,
    ord_type: u8,
    time_in_force: u8,
    order_qty: DecimalForm,
    price: DecimalForm,
    last_qty: DecimalForm,
    last_px: DecimalForm,
    leaves_qty: DecimalForm,
    cum_qty: DecimalForm,
    avg_px: DecimalForm,
    transact_time: I64,
    text_len: u8,
}

const NO_REASON: u8 = u8::MAX;

/// What market data begins with; the entries follow it.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct MarketDataForm {
    request_id: TextForm<36>,
    symbol: TextForm<16>,
    entries: U32,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct EntryForm {
    action: u8,
    kind: u8,
    price: DecimalForm,
    size: DecimalForm,
    orders: U32,
    time: I64,
}

/// What a replay begins with; its items follow it.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct ReplayForm {
    session: U32,
    connection: U64,
    items: U32,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct ReplayItemForm {
    /// 1: the message of an address again; 0: a gap fill.
    resends: u8,
    seq: U64,
    /// Of the address; or NewSeqNo (36).
    offset_or_new_seq: U64,
    index: U32,
}

#[derive(Serialize, Deserialize)]
struct FixClose {
    session: SessionId,
    connection: ConnectionId,
    reason: CloseReason,
}

impl Wire for Event {
    fn kind(&self, _rules: u32) -> (u16, u16) {
        let kind = match self {
            Event::Listed(_) => kind::LISTED,
            Event::Trade(_) => kind::TRADE,
            Event::BookLevel(_) => kind::BOOK_LEVEL,
            Event::FixReplay { .. } => kind::FIX_REPLAY,
            Event::FixClose { .. } => kind::FIX_CLOSE,
            Event::Fix(outbound) => match &outbound.message {
                Message::Session(_) => kind::SESSION,
                Message::Execution(_) => kind::EXECUTION,
                Message::CancelReject(_) => kind::CANCEL_REJECT,
                Message::SecurityList(_) => kind::SECURITY_LIST,
                Message::MarketDataSnapshot(_) => kind::MARKET_DATA_SNAPSHOT,
                Message::MarketDataIncremental(_) => kind::MARKET_DATA_INCREMENTAL,
                Message::MarketDataReject(_) => kind::MARKET_DATA_REJECT,
            },
        };
        (kind, 1)
    }

    fn encode(&self, _rules: u32, out: &mut Vec<u8>) {
        match self {
            Event::Listed(listed) => pack(listed, out),
            Event::Trade(trade) => out.extend_from_slice(trade_form(trade).as_bytes()),
            Event::BookLevel(level) => out.extend_from_slice(level_form(level).as_bytes()),
            Event::Fix(outbound) => encode_outbound(outbound, out),
            Event::FixReplay { session, connection, items } => {
                encode_replay(*session, *connection, items, out)
            }
            Event::FixClose { session, connection, reason } => {
                pack(&FixClose { session: *session, connection: *connection, reason: *reason }, out);
            }
        }
    }

    fn decode(kind: u16, version: u16, body: &[u8]) -> Result<Self, DecodeError> {
        let mut body = Body::new(kind, version, body);
        if version != 1 {
            return Err(body.error("no such event; was it written by a newer version?"));
        }
        let event = match kind {
            kind::LISTED => Event::Listed(body.unpack_rest()?),
            kind::TRADE => Event::Trade(read_trade(&mut body)?),
            kind::BOOK_LEVEL => Event::BookLevel(read_level(&mut body)?),
            kind::FIX_REPLAY => read_replay(&mut body)?,
            kind::FIX_CLOSE => {
                let FixClose { session, connection, reason } = body.unpack_rest()?;
                Event::FixClose { session, connection, reason }
            }
            _ => Event::Fix(read_outbound(kind, &mut body)?),
        };
        body.end()?;
        Ok(event)
    }
}

fn trade_form(trade: &Trade) -> TradeForm {
    TradeForm {
        symbol: trade.symbol.into(),
        sequence: U64::new(trade.sequence),
        trade_id: U64::new(trade.trade_id),
        price: trade.price.into(),
        quantity: trade.quantity.into(),
        taker_side: trade.taker_side.to_char(),
        maker_order: U64::new(trade.maker_order),
        taker_order: U64::new(trade.taker_order),
        maker_account: trade.maker_account.into(),
        taker_account: trade.taker_account.into(),
        time: I64::new(trade.time),
    }
}

fn read_trade(body: &mut Body<'_>) -> Result<Trade, DecodeError> {
    let form = body.take::<TradeForm>()?;
    Ok(Trade {
        symbol: form.symbol.read(body)?,
        sequence: form.sequence.get(),
        trade_id: form.trade_id.get(),
        price: form.price.read(body)?,
        quantity: form.quantity.read(body)?,
        taker_side: Side::from_char(form.taker_side),
        maker_order: form.maker_order.get(),
        taker_order: form.taker_order.get(),
        maker_account: form.maker_account.read(body)?,
        taker_account: form.taker_account.read(body)?,
        time: form.time.get(),
    })
}

fn level_form(level: &BookLevel) -> BookLevelForm {
    BookLevelForm {
        symbol: level.symbol.into(),
        sequence: U64::new(level.sequence),
        side: level.side.to_char(),
        price: level.price.into(),
        quantity: level.quantity.into(),
        orders: U32::new(level.orders),
        time: I64::new(level.time),
    }
}

fn read_level(body: &mut Body<'_>) -> Result<BookLevel, DecodeError> {
    let form = body.take::<BookLevelForm>()?;
    Ok(BookLevel {
        symbol: form.symbol.read(body)?,
        sequence: form.sequence.get(),
        side: Side::from_char(form.side),
        price: form.price.read(body)?,
        quantity: form.quantity.read(body)?,
        orders: form.orders.get(),
        time: form.time.get(),
    })
}

fn encode_outbound(outbound: &Outbound, out: &mut Vec<u8>) {
    let mut route = Vec::new();
    if let Some(it) = &outbound.route {
        pack(it, &mut route);
    }
    let form = OutboundForm {
        session: U32::new(outbound.session.0),
        connected: u8::from(outbound.connection.is_some()),
        connection: U64::new(outbound.connection.map_or(0, |connection| connection.0)),
        seq: U64::new(outbound.seq),
        time: I64::new(outbound.time),
        route_len: U16::new(u16::try_from(route.len()).expect("a message of at most 64 KiB")),
    };
    out.extend_from_slice(form.as_bytes());
    out.extend_from_slice(&route);
    match &outbound.message {
        Message::Session(message) => pack(message, out),
        Message::Execution(report) => {
            out.extend_from_slice(execution_form(report).as_bytes());
            out.extend_from_slice(report.text.as_bytes());
        }
        Message::CancelReject(reject) => pack(reject, out),
        Message::SecurityList(list) => pack(list, out),
        Message::MarketDataSnapshot(it) => encode_market_data(it.request_id, it.symbol, &it.entries, out),
        Message::MarketDataIncremental(it) => encode_market_data(it.request_id, it.symbol, &it.entries, out),
        Message::MarketDataReject(reject) => pack(reject, out),
    }
}

fn read_outbound(kind: u16, body: &mut Body<'_>) -> Result<Outbound, DecodeError> {
    let form = body.take::<OutboundForm>()?;
    let connection = match (form.connected, form.connection.get()) {
        (0, 0) => None,
        (1, connection) => Some(ConnectionId(connection)),
        (flag, _) => return Err(body.error(format!("connection flag {flag}"))),
    };
    let route = match form.route_len.get() {
        0 => None,
        len => Some(Box::new(body.unpack::<Route>(usize::from(len))?)),
    };
    let message = match kind {
        kind::SESSION => Message::Session(body.unpack_rest::<SessionMessage>()?),
        kind::EXECUTION => Message::Execution(read_execution(body)?),
        kind::CANCEL_REJECT => Message::CancelReject(body.unpack_rest()?),
        kind::SECURITY_LIST => Message::SecurityList(body.unpack_rest()?),
        kind::MARKET_DATA_SNAPSHOT => {
            let (request_id, symbol, entries) = read_market_data(body)?;
            Message::MarketDataSnapshot(MarketDataSnapshot { request_id, symbol, entries })
        }
        kind::MARKET_DATA_INCREMENTAL => {
            let (request_id, symbol, entries) = read_market_data(body)?;
            Message::MarketDataIncremental(MarketDataIncremental { request_id, symbol, entries })
        }
        kind::MARKET_DATA_REJECT => Message::MarketDataReject(body.unpack_rest()?),
        _ => return Err(body.error("no such event; was it written by a newer version?")),
    };
    let (session, seq, time) = (SessionId(form.session.get()), form.seq.get(), form.time.get());
    Ok(Outbound { session, connection, seq, time, route, message })
}

fn execution_form(report: &ExecutionReport) -> ExecutionForm {
    ExecutionForm {
        order_id: U64::new(report.order_id),
        unit: U16::new(report.exec_id.unit),
        exec_number: U64::new(report.exec_id.number),
        cl_ord_id: report.cl_ord_id.into(),
        orig_cl_ord_id: report.orig_cl_ord_id.into(),
        status_request_id: report.status_request_id.into(),
        exec_type: report.exec_type as u8,
        ord_status: report.ord_status as u8,
        reject_reason: report.reject_reason.map_or(NO_REASON, |reason| reason as u8),
        account: report.account.into(),
        symbol: report.symbol.into(),
        side: report.side.to_char(),
        ord_type: report.ord_type.to_char(),
        time_in_force: report.time_in_force.to_char(),
        order_qty: report.order_qty.into(),
        price: report.price.into(),
        last_qty: report.last.map(|fill| fill.quantity).into(),
        last_px: report.last.map(|fill| fill.price).into(),
        leaves_qty: report.leaves_qty.into(),
        cum_qty: report.cum_qty.into(),
        avg_px: report.avg_px.into(),
        transact_time: I64::new(report.transact_time),
        text_len: u8::try_from(report.text.as_bytes().len()).expect("a text of at most 120 bytes"),
    }
}

fn read_execution(body: &mut Body<'_>) -> Result<ExecutionReport, DecodeError> {
    let form = body.take::<ExecutionForm>()?;
    let text =
        Text::new(body.bytes(usize::from(form.text_len))?).map_err(|error| body.error(error.to_string()))?;
    let reject_reason = match form.reject_reason {
        NO_REASON => None,
        code => {
            Some(OrdRejReason::from_code(code).ok_or_else(|| body.error(format!("unknown reason {code}")))?)
        }
    };
    let last = match (form.last_qty.read_option(body)?, form.last_px.read_option(body)?) {
        (Some(quantity), Some(price)) => Some(Fill { quantity, price }),
        (None, None) => None,
        _ => return Err(body.error("half a fill")),
    };
    let unknown = |what: &str, char: u8| body.error(format!("unknown {what} {char}"));
    Ok(ExecutionReport {
        order_id: form.order_id.get(),
        exec_id: ExecId { unit: form.unit.get(), number: form.exec_number.get() },
        cl_ord_id: form.cl_ord_id.read(body)?,
        orig_cl_ord_id: form.orig_cl_ord_id.read(body)?,
        status_request_id: form.status_request_id.read(body)?,
        exec_type: ExecType::from_char(form.exec_type).ok_or_else(|| unknown("ExecType", form.exec_type))?,
        ord_status: OrdStatus::from_char(form.ord_status)
            .ok_or_else(|| unknown("OrdStatus", form.ord_status))?,
        reject_reason,
        account: form.account.read(body)?,
        symbol: form.symbol.read(body)?,
        side: Side::from_char(form.side),
        ord_type: OrdType::from_char(form.ord_type),
        time_in_force: TimeInForce::from_char(form.time_in_force),
        order_qty: form.order_qty.read_option(body)?,
        price: form.price.read_option(body)?,
        last,
        leaves_qty: form.leaves_qty.read(body)?,
        cum_qty: form.cum_qty.read(body)?,
        avg_px: form.avg_px.read(body)?,
        transact_time: form.transact_time.get(),
        text,
    })
}

fn encode_replay(
    session: SessionId,
    connection: ConnectionId,
    items: &[ReplayItem<Address>],
    out: &mut Vec<u8>,
) {
    let count = u32::try_from(items.len()).expect("fewer items than fit a record");
    let form = ReplayForm {
        session: U32::new(session.0),
        connection: U64::new(connection.0),
        items: U32::new(count),
    };
    out.extend_from_slice(form.as_bytes());
    for item in items {
        let (resends, seq, offset_or_new_seq, index) = match *item {
            ReplayItem::GapFill { seq, new_seq } => (0, seq, new_seq, 0),
            ReplayItem::Resend { seq, address } => (1, seq, address.offset, address.index),
        };
        let form = ReplayItemForm {
            resends,
            seq: U64::new(seq),
            offset_or_new_seq: U64::new(offset_or_new_seq),
            index: U32::new(index),
        };
        out.extend_from_slice(form.as_bytes());
    }
}

fn read_replay(body: &mut Body<'_>) -> Result<Event, DecodeError> {
    let form = body.take::<ReplayForm>()?;
    let mut items = Vec::new();
    for _ in 0..form.items.get() {
        let item = body.take::<ReplayItemForm>()?;
        let (seq, second, index) = (item.seq.get(), item.offset_or_new_seq.get(), item.index.get());
        items.push(match (item.resends, index) {
            (0, 0) => ReplayItem::GapFill { seq, new_seq: second },
            (1, index) => ReplayItem::Resend { seq, address: Address { offset: second, index } },
            (flag, _) => return Err(body.error(format!("replay item {flag}"))),
        });
    }
    let (session, connection) = (SessionId(form.session.get()), ConnectionId(form.connection.get()));
    Ok(Event::FixReplay { session, connection, items })
}

fn encode_market_data(request_id: RequestId, symbol: Symbol, entries: &[MarketDataEntry], out: &mut Vec<u8>) {
    let count = u32::try_from(entries.len()).expect("fewer entries than fit a record");
    let form =
        MarketDataForm { request_id: request_id.into(), symbol: symbol.into(), entries: U32::new(count) };
    out.extend_from_slice(form.as_bytes());
    for entry in entries {
        let form = EntryForm {
            action: entry.action as u8,
            kind: entry.kind as u8,
            price: entry.price.into(),
            size: entry.size.into(),
            orders: U32::new(entry.orders),
            time: I64::new(entry.time),
        };
        out.extend_from_slice(form.as_bytes());
    }
}

fn read_market_data(body: &mut Body<'_>) -> Result<(RequestId, Symbol, Vec<MarketDataEntry>), DecodeError> {
    let form = body.take::<MarketDataForm>()?;
    let mut entries = Vec::new();
    for _ in 0..form.entries.get() {
        let entry = body.take::<EntryForm>()?;
        entries.push(MarketDataEntry {
            action: match entry.action {
                b'0' => UpdateAction::New,
                b'1' => UpdateAction::Change,
                b'2' => UpdateAction::Delete,
                other => return Err(body.error(format!("unknown MDUpdateAction {other}"))),
            },
            kind: match entry.kind {
                b'0' => EntryType::Bid,
                b'1' => EntryType::Offer,
                b'2' => EntryType::Trade,
                other => return Err(body.error(format!("unknown MDEntryType {other}"))),
            },
            price: entry.price.read(body)?,
            size: entry.size.read(body)?,
            orders: entry.orders.get(),
            time: entry.time.get(),
        });
    }
    Ok((form.request_id.read(body)?, form.symbol.read(body)?, entries))
}
