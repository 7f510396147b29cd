//! From the exchange's events to FIX messages, converted by hand; for the first sending and for a resend alike.

use std::io::Write as _;

use decalog_fix::codec::{Body, Encoder, Stamp};
use decalog_fix::decimal::Decimal as FixDecimal;
use decalog_fix::dictionary::{MsgType, tag};
use decalog_fix::guard::Identity;
use decalog_fix::outbound::write_session;
use decalog_fix::time::{Precision, Timestamp};

use crate::event::{
    CancelReject, ExecId, ExecutionReport, MarketDataEntry, MarketDataIncremental, MarketDataReject,
    MarketDataSnapshot, Message, Outbound, SecurityList,
};
use crate::value::{Decimal, Text};

/// Appends an event's message as it goes out for the first time.
pub(crate) fn encode(encoder: &mut Encoder, identity: &Identity, outbound: &Outbound, out: &mut Vec<u8>) {
    let stamp = Stamp {
        route: outbound.route.as_deref(),
        ..Stamp::new(&identity.ours, &identity.theirs, outbound.seq, Timestamp(outbound.time))
    };
    write(encoder, &outbound.message, &stamp, out);
}

/// Appends an event's message as it goes out again, at `now`.
pub(crate) fn encode_again(
    encoder: &mut Encoder,
    identity: &Identity,
    outbound: &Outbound,
    now: Timestamp,
    out: &mut Vec<u8>,
) {
    let stamp = Stamp {
        route: outbound.route.as_deref(),
        ..Stamp::new(&identity.ours, &identity.theirs, outbound.seq, now)
    };
    write(encoder, &outbound.message, &stamp.again(Timestamp(outbound.time)), out);
}

fn write(encoder: &mut Encoder, message: &Message, stamp: &Stamp<'_>, out: &mut Vec<u8>) {
    match message {
        Message::Session(message) => write_session(encoder, message, stamp, None, out),
        Message::Execution(report) => {
            encoder.write(MsgType::ExecutionReport, stamp, out, |body| execution_report(report, body));
        }
        Message::CancelReject(reject) => {
            encoder.write(MsgType::OrderCancelReject, stamp, out, |body| cancel_reject(reject, body));
        }
        Message::SecurityList(list) => {
            encoder.write(MsgType::SecurityList, stamp, out, |body| security_list(list, body));
        }
        Message::MarketDataSnapshot(snapshot) => {
            let kind = MsgType::MarketDataSnapshotFullRefresh;
            encoder.write(kind, stamp, out, |body| market_data_snapshot(snapshot, body));
        }
        Message::MarketDataIncremental(incremental) => {
            let kind = MsgType::MarketDataIncrementalRefresh;
            encoder.write(kind, stamp, out, |body| market_data_incremental(incremental, body));
        }
        Message::MarketDataReject(reject) => {
            let kind = MsgType::MarketDataRequestReject;
            encoder.write(kind, stamp, out, |body| market_data_reject(reject, body));
        }
    }
}

fn execution_report(report: &ExecutionReport, out: &mut Body<'_>) {
    optional(out, tag::ACCOUNT, &report.account);
    out.decimal(tag::AVG_PX, decimal(report.avg_px));
    optional(out, tag::CL_ORD_ID, &report.cl_ord_id);
    out.decimal(tag::CUM_QTY, decimal(report.cum_qty));
    exec_id(out, tag::EXEC_ID, report.exec_id);
    if let Some(last) = report.last {
        out.decimal(tag::LAST_PX, decimal(last.price));
        out.decimal(tag::LAST_QTY, decimal(last.quantity));
    }
    order_id(out, report.order_id);
    if let Some(quantity) = report.order_qty {
        out.decimal(tag::ORDER_QTY, decimal(quantity));
    }
    char(out, tag::ORD_STATUS, report.ord_status as u8);
    char(out, tag::ORD_TYPE, report.ord_type.to_char());
    optional(out, tag::ORIG_CL_ORD_ID, &report.orig_cl_ord_id);
    if let Some(price) = report.price {
        out.decimal(tag::PRICE, decimal(price));
    }
    char(out, tag::SIDE, report.side.to_char());
    optional(out, tag::SYMBOL, &report.symbol);
    optional(out, tag::TEXT, &report.text);
    char(out, tag::TIME_IN_FORCE, report.time_in_force.to_char());
    out.timestamp(tag::TRANSACT_TIME, Timestamp(report.transact_time));
    if let Some(reason) = report.reject_reason {
        out.unsigned(tag::ORD_REJ_REASON, u64::from(reason as u8));
    }
    char(out, tag::EXEC_TYPE, report.exec_type as u8);
    out.decimal(tag::LEAVES_QTY, decimal(report.leaves_qty));
    optional(out, tag::ORD_STATUS_REQ_ID, &report.status_request_id);
}

fn cancel_reject(reject: &CancelReject, out: &mut Body<'_>) {
    optional(out, tag::ACCOUNT, &reject.account);
    optional(out, tag::CL_ORD_ID, &reject.cl_ord_id);
    order_id(out, reject.order_id);
    char(out, tag::ORD_STATUS, reject.ord_status as u8);
    optional(out, tag::ORIG_CL_ORD_ID, &reject.orig_cl_ord_id);
    optional(out, tag::TEXT, &reject.text);
    out.timestamp(tag::TRANSACT_TIME, Timestamp(reject.transact_time));
    out.unsigned(tag::CXL_REJ_REASON, u64::from(reject.reason as u8));
    out.unsigned(tag::CXL_REJ_RESPONSE_TO, u64::from(reject.response_to as u8));
}

fn security_list(list: &SecurityList, out: &mut Body<'_>) {
    out.bytes(tag::SECURITY_REQ_ID, list.request_id.as_bytes());
    exec_id(out, tag::SECURITY_RESPONSE_ID, list.response_id);
    out.unsigned(tag::SECURITY_REQUEST_RESULT, u64::from(list.result));
    if list.result != 0 {
        return;
    }
    out.unsigned(tag::TOT_NO_RELATED_SYM, u64::from(list.total));
    out.boolean(tag::LAST_FRAGMENT, list.last_fragment);
    out.unsigned(tag::NO_RELATED_SYM, list.instruments.len() as u64);
    for instrument in &list.instruments {
        out.bytes(tag::SYMBOL, instrument.symbol.as_bytes());
        let lot = i64::try_from(instrument.lot_size).unwrap_or(i64::MAX);
        out.decimal(tag::ROUND_LOT, FixDecimal::new(lot, instrument.quantity_scale));
    }
}

fn market_data_snapshot(snapshot: &MarketDataSnapshot, out: &mut Body<'_>) {
    out.bytes(tag::MD_REQ_ID, snapshot.request_id.as_bytes());
    out.bytes(tag::SYMBOL, snapshot.symbol.as_bytes());
    out.unsigned(tag::NO_MD_ENTRIES, snapshot.entries.len() as u64);
    for entry in &snapshot.entries {
        char(out, tag::MD_ENTRY_TYPE, entry.kind as u8);
        entry_values(entry, out);
    }
}

fn market_data_incremental(incremental: &MarketDataIncremental, out: &mut Body<'_>) {
    out.bytes(tag::MD_REQ_ID, incremental.request_id.as_bytes());
    out.unsigned(tag::NO_MD_ENTRIES, incremental.entries.len() as u64);
    for entry in &incremental.entries {
        char(out, tag::MD_UPDATE_ACTION, entry.action as u8);
        char(out, tag::MD_ENTRY_TYPE, entry.kind as u8);
        out.bytes(tag::SYMBOL, incremental.symbol.as_bytes());
        entry_values(entry, out);
    }
}

/// Price, size, date, time and number of orders of an entry.
fn entry_values(entry: &MarketDataEntry, out: &mut Body<'_>) {
    const DATE: std::ops::Range<usize> = 0..8;
    const TIME: std::ops::RangeFrom<usize> = 9..;
    out.decimal(tag::MD_ENTRY_PX, decimal(entry.price));
    out.decimal(tag::MD_ENTRY_SIZE, decimal(entry.size));
    let mut time = Vec::with_capacity(32);
    Timestamp(entry.time).write(Precision::Millis, &mut time);
    out.bytes(tag::MD_ENTRY_DATE, &time[DATE]);
    out.bytes(tag::MD_ENTRY_TIME, &time[TIME]);
    if entry.orders > 0 {
        out.unsigned(tag::NUMBER_OF_ORDERS, u64::from(entry.orders));
    }
}

fn market_data_reject(reject: &MarketDataReject, out: &mut Body<'_>) {
    optional(out, tag::TEXT, &reject.text);
    out.bytes(tag::MD_REQ_ID, reject.request_id.as_bytes());
    char(out, tag::MD_REQ_REJ_REASON, reject.reason);
}

fn optional<const N: usize>(out: &mut Body<'_>, tag: u16, text: &Text<N>) {
    if !text.is_empty() {
        out.bytes(tag, text.as_bytes());
    }
}

fn char(out: &mut Body<'_>, tag: u16, char: u8) {
    out.bytes(tag, &[char]);
}

fn order_id(out: &mut Body<'_>, id: u64) {
    match id {
        0 => out.text(tag::ORDER_ID, "NONE"),
        id => out.unsigned(tag::ORDER_ID, id),
    }
}

/// Without an allocation: 16 and 64 bits have at most 26 characters.
fn exec_id(out: &mut Body<'_>, tag: u16, id: ExecId) {
    let mut text = [0; 32];
    let room = text.len();
    let mut rest = &mut text[..];
    let written = write!(rest, "{id}");
    let length = room - rest.len();
    debug_assert!(written.is_ok());
    out.bytes(tag, &text[..length]);
}

fn decimal(value: Decimal) -> FixDecimal {
    FixDecimal::new(value.mantissa, value.scale)
}

#[cfg(test)]
mod tests;
