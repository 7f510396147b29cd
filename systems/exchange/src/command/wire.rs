//! The byte forms of commands and replies. Order flow has fixed layouts, the rest is MessagePack with named fields.
//!
//! A released (kind, version) never changes; `tests/exchange/golden.rs` keeps one of each in hexadecimal.

use decalog_fix::dictionary::MsgType;
use decalog_fix::session::{Body as FixBody, Header, Route};
use decalog_fix::time::Timestamp;
use decalog_runtime::{DecodeError, Wire, pack};
use serde::{Deserialize, Serialize};
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{
    CancelOrder, Command, ConnectionId, FixMessage, Inbound, NewOrder, Refusal, ReplaceOrder, Reply, Request,
};
use super::{Instrument, SessionSetup, TradingStatus};
use crate::value::wire::{Body, DecimalForm, TextForm};
use crate::value::{AccountName, OrdType, SessionId, Side, Symbol, TimeInForce};

/// The kinds of commands. Numbers are never used again.
mod kind {
    pub(super) const NEW_ORDER: u16 = 1;
    pub(super) const CANCEL: u16 = 2;
    pub(super) const REPLACE: u16 = 3;
    pub(super) const FIX: u16 = 4;
    pub(super) const FIX_DISCONNECTED: u16 = 5;
    pub(super) const GATEWAY_STARTED: u16 = 6;
    pub(super) const FIX_LOG_OUT: u16 = 7;
    pub(super) const INSTALL_INSTRUMENT: u16 = 16;
    pub(super) const OPEN_ACCOUNT: u16 = 17;
    pub(super) const INSTALL_SESSION: u16 = 18;
    pub(super) const SET_DAY_END: u16 = 19;
    pub(super) const SET_TRADING_STATUS: u16 = 20;

    pub(super) const DONE: u16 = 1;
    pub(super) const REFUSED: u16 = 2;
}

const POSS_DUP: u8 = 1;
const POSS_RESEND: u8 = 2;
const ORIG_SENDING_TIME: u8 = 4;
const ORDER_ID: u8 = 8;
const FLAGS: u8 = POSS_DUP | POSS_RESEND | ORIG_SENDING_TIME | ORDER_ID;

/// What each message of order flow begins with; `route_len` bytes of MessagePack follow it.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct HeaderForm {
    session: U32,
    connection: U64,
    seq: U64,
    sending_time: I64,
    orig_sending_time: I64,
    flags: u8,
    route_len: U16,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct OrderForm {
    cl_ord_id: TextForm<36>,
    account: TextForm<16>,
    symbol: TextForm<16>,
    side: u8,
    ord_type: u8,
    time_in_force: u8,
    quantity: DecimalForm,
    price: DecimalForm,
    unsupported_tag: U32,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct CancelForm {
    cl_ord_id: TextForm<36>,
    orig_cl_ord_id: TextForm<36>,
    order_id: U64,
    symbol: TextForm<16>,
    side: u8,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct ReplaceForm {
    order: OrderForm,
    orig_cl_ord_id: TextForm<36>,
    order_id: U64,
}

/// A session with the connection that is meant.
#[derive(Serialize, Deserialize)]
struct FixConnection {
    session: SessionId,
    connection: ConnectionId,
}

#[derive(Serialize, Deserialize)]
struct OpenAccount {
    name: AccountName,
}

#[derive(Serialize, Deserialize)]
struct SetDayEnd {
    second_of_day: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct SetTradingStatus {
    symbol: Symbol,
    status: TradingStatus,
}

impl Wire for Command {
    fn kind(&self, _rules: u32) -> (u16, u16) {
        let kind = match self {
            Command::Fix(message) => fix_kind(&message.inbound),
            Command::FixDisconnected { .. } => kind::FIX_DISCONNECTED,
            Command::FixLogOut { .. } => kind::FIX_LOG_OUT,
            Command::GatewayStarted => kind::GATEWAY_STARTED,
            Command::InstallInstrument(_) => kind::INSTALL_INSTRUMENT,
            Command::OpenAccount { .. } => kind::OPEN_ACCOUNT,
            Command::InstallSession(_) => kind::INSTALL_SESSION,
            Command::SetDayEnd { .. } => kind::SET_DAY_END,
            Command::SetTradingStatus { .. } => kind::SET_TRADING_STATUS,
        };
        (kind, 1)
    }

    fn encode(&self, _rules: u32, out: &mut Vec<u8>) {
        match self {
            Command::Fix(message) => encode_fix(message, out),
            Command::FixDisconnected { session, connection } | Command::FixLogOut { session, connection } => {
                pack(&FixConnection { session: *session, connection: *connection }, out);
            }
            Command::GatewayStarted => {}
            Command::InstallInstrument(instrument) => pack(instrument, out),
            Command::OpenAccount { name } => pack(&OpenAccount { name: *name }, out),
            Command::InstallSession(setup) => pack(setup, out),
            Command::SetDayEnd { second_of_day } => pack(&SetDayEnd { second_of_day: *second_of_day }, out),
            Command::SetTradingStatus { symbol, status } => {
                pack(&SetTradingStatus { symbol: *symbol, status: *status }, out);
            }
        }
    }

    fn decode(kind: u16, version: u16, body: &[u8]) -> Result<Self, DecodeError> {
        let mut body = Body::new(kind, version, body);
        let command = match (kind, version) {
            (kind::NEW_ORDER | kind::CANCEL | kind::REPLACE, 1) => {
                Command::Fix(decode_order_flow(kind, &mut body)?)
            }
            (kind::FIX, 1) => Command::Fix(body.unpack_rest()?),
            (kind::FIX_DISCONNECTED, 1) => {
                let FixConnection { session, connection } = body.unpack_rest()?;
                Command::FixDisconnected { session, connection }
            }
            (kind::FIX_LOG_OUT, 1) => {
                let FixConnection { session, connection } = body.unpack_rest()?;
                Command::FixLogOut { session, connection }
            }
            (kind::GATEWAY_STARTED, 1) => Command::GatewayStarted,
            (kind::INSTALL_INSTRUMENT, 1) => Command::InstallInstrument(body.unpack_rest::<Instrument>()?),
            (kind::OPEN_ACCOUNT, 1) => Command::OpenAccount { name: body.unpack_rest::<OpenAccount>()?.name },
            (kind::INSTALL_SESSION, 1) => Command::InstallSession(body.unpack_rest::<SessionSetup>()?),
            (kind::SET_DAY_END, 1) => {
                Command::SetDayEnd { second_of_day: body.unpack_rest::<SetDayEnd>()?.second_of_day }
            }
            (kind::SET_TRADING_STATUS, 1) => {
                let SetTradingStatus { symbol, status } = body.unpack_rest()?;
                Command::SetTradingStatus { symbol, status }
            }
            _ => return Err(body.error("no such command; was it written by a newer version?")),
        };
        body.end()?;
        Ok(command)
    }
}

/// The kind of a FIX message: order flow as the guard makes it has a layout of its own.
fn fix_kind(inbound: &Inbound<Request>) -> u16 {
    let (kind, msg_type) = match &inbound.body {
        FixBody::Application(Request::NewOrder(_)) => (kind::NEW_ORDER, MsgType::NewOrderSingle),
        FixBody::Application(Request::Cancel(_)) => (kind::CANCEL, MsgType::OrderCancelRequest),
        FixBody::Application(Request::Replace(_)) => (kind::REPLACE, MsgType::OrderCancelReplaceRequest),
        _ => return kind::FIX,
    };
    if inbound.header.msg_type == Some(msg_type) { kind } else { kind::FIX }
}

fn encode_fix(message: &FixMessage, out: &mut Vec<u8>) {
    let FixBody::Application(request) = &message.inbound.body else { return pack(message, out) };
    if fix_kind(&message.inbound) == kind::FIX {
        return pack(message, out);
    }
    match request {
        Request::NewOrder(order) => {
            encode_header(message, None, out);
            out.extend_from_slice(order_form(order).as_bytes());
        }
        Request::Cancel(cancel) => {
            encode_header(message, cancel.order_id, out);
            let form = CancelForm {
                cl_ord_id: cancel.cl_ord_id.into(),
                orig_cl_ord_id: cancel.orig_cl_ord_id.into(),
                order_id: U64::new(cancel.order_id.unwrap_or(0)),
                symbol: cancel.symbol.into(),
                side: cancel.side.to_char(),
            };
            out.extend_from_slice(form.as_bytes());
        }
        Request::Replace(replace) => {
            encode_header(message, replace.order_id, out);
            let form = ReplaceForm {
                order: order_form(&replace.order),
                orig_cl_ord_id: replace.orig_cl_ord_id.into(),
                order_id: U64::new(replace.order_id.unwrap_or(0)),
            };
            out.extend_from_slice(form.as_bytes());
        }
        _ => pack(message, out),
    }
}

fn encode_header(message: &FixMessage, order_id: Option<u64>, out: &mut Vec<u8>) {
    let header = &message.inbound.header;
    let mut route = Vec::new();
    if let Some(it) = &header.route {
        pack(it, &mut route);
    }
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    let form = HeaderForm {
        session: U32::new(message.session.0),
        connection: U64::new(message.connection.0),
        seq: U64::new(header.seq),
        sending_time: I64::new(header.sending_time.0),
        orig_sending_time: I64::new(header.orig_sending_time.map_or(0, |time| time.0)),
        flags: flag(header.poss_dup, POSS_DUP)
            | flag(header.poss_resend, POSS_RESEND)
            | flag(header.orig_sending_time.is_some(), ORIG_SENDING_TIME)
            | flag(order_id.is_some(), ORDER_ID),
        route_len: U16::new(u16::try_from(route.len()).expect("a message of at most 64 KiB")),
    };
    out.extend_from_slice(form.as_bytes());
    out.extend_from_slice(&route);
}

fn order_form(order: &NewOrder) -> OrderForm {
    OrderForm {
        cl_ord_id: order.cl_ord_id.into(),
        account: order.account.into(),
        symbol: order.symbol.into(),
        side: order.side.to_char(),
        ord_type: order.ord_type.to_char(),
        time_in_force: order.time_in_force.to_char(),
        quantity: order.quantity.into(),
        price: order.price.into(),
        unsupported_tag: U32::new(order.unsupported_tag),
    }
}

fn decode_order_flow(kind: u16, body: &mut Body<'_>) -> Result<FixMessage, DecodeError> {
    let form = body.take::<HeaderForm>()?;
    if form.flags & !FLAGS != 0 {
        return Err(body.error(format!("unknown flags {:#x}", form.flags)));
    }
    let route = match form.route_len.get() {
        0 => None,
        len => Some(Box::new(body.unpack::<Route>(usize::from(len))?)),
    };
    let order_id = |id: U64| (form.flags & ORDER_ID != 0).then_some(id.get());
    let (msg_type, request) = match kind {
        kind::NEW_ORDER => {
            let order = body.take::<OrderForm>()?;
            (MsgType::NewOrderSingle, Request::NewOrder(read_order(order, body)?))
        }
        kind::CANCEL => {
            let form = body.take::<CancelForm>()?;
            let cancel = CancelOrder {
                cl_ord_id: form.cl_ord_id.read(body)?,
                orig_cl_ord_id: form.orig_cl_ord_id.read(body)?,
                order_id: order_id(form.order_id),
                symbol: form.symbol.read(body)?,
                side: Side::from_char(form.side),
            };
            (MsgType::OrderCancelRequest, Request::Cancel(cancel))
        }
        _ => {
            let form = body.take::<ReplaceForm>()?;
            let replace = ReplaceOrder {
                order: read_order(&form.order, body)?,
                orig_cl_ord_id: form.orig_cl_ord_id.read(body)?,
                order_id: order_id(form.order_id),
            };
            (MsgType::OrderCancelReplaceRequest, Request::Replace(replace))
        }
    };
    let header = Header {
        msg_type: Some(msg_type),
        seq: form.seq.get(),
        sending_time: Timestamp(form.sending_time.get()),
        poss_dup: form.flags & POSS_DUP != 0,
        poss_resend: form.flags & POSS_RESEND != 0,
        orig_sending_time: (form.flags & ORIG_SENDING_TIME != 0)
            .then(|| Timestamp(form.orig_sending_time.get())),
        route,
    };
    Ok(FixMessage {
        session: SessionId(form.session.get()),
        connection: ConnectionId(form.connection.get()),
        inbound: Inbound { header, body: FixBody::Application(request) },
    })
}

fn read_order(form: &OrderForm, body: &Body<'_>) -> Result<NewOrder, DecodeError> {
    Ok(NewOrder {
        cl_ord_id: form.cl_ord_id.read(body)?,
        account: form.account.read(body)?,
        symbol: form.symbol.read(body)?,
        side: Side::from_char(form.side),
        ord_type: OrdType::from_char(form.ord_type),
        time_in_force: TimeInForce::from_char(form.time_in_force),
        quantity: form.quantity.read(body)?,
        price: form.price.read_option(body)?,
        unsupported_tag: form.unsupported_tag.get(),
    })
}

impl Wire for Reply {
    fn kind(&self, _rules: u32) -> (u16, u16) {
        match self {
            Reply::Done => (kind::DONE, 1),
            Reply::Refused(_) => (kind::REFUSED, 1),
        }
    }

    fn encode(&self, _rules: u32, out: &mut Vec<u8>) {
        if let Reply::Refused(refusal) = self {
            out.extend_from_slice(&refusal.code().to_le_bytes());
        }
    }

    fn decode(kind: u16, version: u16, body: &[u8]) -> Result<Self, DecodeError> {
        let mut body = Body::new(kind, version, body);
        let reply = match (kind, version) {
            (kind::DONE, 1) => Reply::Done,
            (kind::REFUSED, 1) => {
                let code = body.take::<U16>()?.get();
                let refusal =
                    Refusal::from_code(code).ok_or_else(|| body.error(format!("unknown refusal {code}")))?;
                Reply::Refused(refusal)
            }
            _ => return Err(body.error("no such reply; was it written by a newer version?")),
        };
        body.end()?;
        Ok(reply)
    }
}
