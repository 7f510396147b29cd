//! From FIX messages to the exchange's requests, converted by hand.
//!
//! What a message says but the exchange does not support is carried along, so that its refusal is decided by the
//! state and is part of the history; only what has no form at all is refused here, by the protocol's own means.

use decalog_fix::codec::Message;
use decalog_fix::decimal::Decimal as FixDecimal;
use decalog_fix::dictionary::{MsgType, tag};
use decalog_fix::guard::Refusal;
use decalog_fix::message::{
    self, FieldError, NewOrderSingle, OrderCancelReplaceRequest, OrderCancelRequest, OrderStatusRequest,
    SubscriptionRequestType,
};

use crate::command::{
    CancelOrder, MarketDataRequest, NewOrder, OrderStatus, ReplaceOrder, Request, SecurityListRequest,
};
use crate::value::{ClOrdId, Decimal, OrdType, Side, Symbol, Text, TimeInForce};

/// Reads an application message that keeps the dictionary's rules.
pub(crate) fn decode(message: &Message<'_>) -> Result<Request, Refusal> {
    Ok(match message.msg_type() {
        Some(MsgType::NewOrderSingle) => Request::NewOrder(new_order(&NewOrderSingle::decode(message)?)?),
        Some(MsgType::OrderCancelRequest) => Request::Cancel(cancel(&OrderCancelRequest::decode(message)?)?),
        Some(MsgType::OrderCancelReplaceRequest) => {
            Request::Replace(replace(&OrderCancelReplaceRequest::decode(message)?)?)
        }
        Some(MsgType::OrderStatusRequest) => Request::Status(status(&OrderStatusRequest::decode(message)?)?),
        Some(MsgType::SecurityListRequest) => {
            Request::SecurityList(security_list(&message::SecurityListRequest::decode(message)?)?)
        }
        Some(MsgType::MarketDataRequest) => {
            Request::MarketData(market_data(&message::MarketDataRequest::decode(message)?)?)
        }
        _ => return Err(Refusal::Unsupported),
    })
}

fn new_order(message: &NewOrderSingle<'_>) -> Result<NewOrder, Refusal> {
    let unsupported = [
        (tag::EXEC_INST, message.exec_inst.is_some()),
        (tag::STOP_PX, message.stop_px.is_some()),
        (tag::MIN_QTY, message.min_qty.is_some_and(asks_for_something)),
        (tag::MAX_FLOOR, message.max_floor.is_some()),
        (tag::EXPIRE_TIME, message.expire_time.is_some()),
        (tag::EXPIRE_DATE, message.expire_date.is_some()),
    ];
    Ok(NewOrder {
        cl_ord_id: text(tag::CL_ORD_ID, message.cl_ord_id)?,
        account: text(tag::ACCOUNT, message.account.unwrap_or_default())?,
        symbol: symbol(message.symbol),
        side: side(message.side),
        ord_type: OrdType::from_char(char(message.ord_type.wire())),
        time_in_force: time_in_force(message.time_in_force),
        quantity: decimal(message.order_qty),
        price: message.price.map(decimal),
        unsupported_tag: first(&unsupported),
    })
}

fn replace(message: &OrderCancelReplaceRequest<'_>) -> Result<ReplaceOrder, Refusal> {
    let unsupported = [
        (tag::EXEC_INST, message.exec_inst.is_some()),
        (tag::STOP_PX, message.stop_px.is_some()),
        (tag::MIN_QTY, message.min_qty.is_some_and(asks_for_something)),
        (tag::MAX_FLOOR, message.max_floor.is_some()),
        (tag::EXPIRE_TIME, message.expire_time.is_some()),
        (tag::EXPIRE_DATE, message.expire_date.is_some()),
    ];
    let order = NewOrder {
        cl_ord_id: text(tag::CL_ORD_ID, message.cl_ord_id)?,
        account: text(tag::ACCOUNT, message.account.unwrap_or_default())?,
        symbol: symbol(message.symbol),
        side: side(message.side),
        ord_type: OrdType::from_char(char(message.ord_type.wire())),
        time_in_force: time_in_force(message.time_in_force),
        quantity: decimal(message.order_qty),
        price: message.price.map(decimal),
        unsupported_tag: first(&unsupported),
    };
    Ok(ReplaceOrder {
        order,
        orig_cl_ord_id: reference(message.orig_cl_ord_id),
        order_id: message.order_id.map(order_id),
    })
}

fn cancel(message: &OrderCancelRequest<'_>) -> Result<CancelOrder, Refusal> {
    Ok(CancelOrder {
        cl_ord_id: text(tag::CL_ORD_ID, message.cl_ord_id)?,
        orig_cl_ord_id: reference(message.orig_cl_ord_id),
        order_id: message.order_id.map(order_id),
        symbol: symbol(message.symbol),
        side: side(message.side),
    })
}

fn status(message: &OrderStatusRequest<'_>) -> Result<OrderStatus, Refusal> {
    Ok(OrderStatus {
        cl_ord_id: text(tag::CL_ORD_ID, message.cl_ord_id)?,
        order_id: message.order_id.map(order_id),
        request_id: text(tag::ORD_STATUS_REQ_ID, message.ord_status_req_id.unwrap_or_default())?,
        symbol: symbol(message.symbol),
        side: side(message.side),
    })
}

fn security_list(message: &message::SecurityListRequest<'_>) -> Result<SecurityListRequest, Refusal> {
    Ok(SecurityListRequest {
        request_id: text(tag::SECURITY_REQ_ID, message.security_req_id)?,
        kind: u32::from(char(message.security_list_request_type.wire()) - b'0'),
        symbol: symbol(message.symbol.unwrap_or_default()),
    })
}

fn market_data(message: &message::MarketDataRequest<'_>) -> Result<MarketDataRequest, Refusal> {
    let depth = u32::try_from(message.market_depth).map_err(|_| wrong(tag::MARKET_DEPTH))?;
    // A client that takes its subscription back need not say again how it wanted the updates.
    let update_type = message
        .md_update_type
        .filter(|_| message.subscription_request_type != SubscriptionRequestType::DisablePreviousSnapshot);
    Ok(MarketDataRequest {
        request_id: text(tag::MD_REQ_ID, message.md_req_id)?,
        subscription: char(message.subscription_request_type.wire()),
        depth,
        update_type: update_type.map(|kind| char(kind.wire())),
        aggregated: message.aggregated_book.unwrap_or(true),
        entry_types: message.md_entry_types.iter().map(|entry| char(entry.md_entry_type.wire())).collect(),
        symbols: message.related_sym.iter().map(|entry| symbol(entry.symbol)).collect(),
    })
}

/// A text that must fit its field, as it is written back to the client.
fn text<const N: usize>(tag: u16, value: &str) -> Result<Text<N>, Refusal> {
    Text::new(value).map_err(|_| wrong(tag))
}

fn wrong(tag: u16) -> Refusal {
    Refusal::Field(FieldError::Value(tag))
}

/// A reference to an order: what is too long for an id names no order.
fn reference(value: &str) -> ClOrdId {
    ClOrdId::new(value).unwrap_or_else(|_| ClOrdId::cut(value))
}

/// A symbol: what is too long for one is no instrument's, and is written back as far as it fits.
fn symbol(value: &str) -> Symbol {
    Symbol::new(value).unwrap_or_else(|_| Symbol::cut(value))
}

fn side(side: message::Side) -> Side {
    Side::from_char(char(side.wire()))
}

fn time_in_force(given: Option<message::TimeInForce>) -> TimeInForce {
    given.map_or(TimeInForce::Day, |given| TimeInForce::from_char(char(given.wire())))
}

/// The exchange's order ids are decimal numbers above 0; any other id is none of ours.
fn order_id(value: &str) -> u64 {
    value.parse().unwrap_or(0)
}

fn decimal(value: FixDecimal) -> Decimal {
    Decimal::new(value.mantissa, value.scale)
}

fn asks_for_something(quantity: FixDecimal) -> bool {
    quantity.mantissa != 0
}

fn first(tags: &[(u16, bool)]) -> u32 {
    tags.iter().find(|(_, given)| *given).map_or(0, |(tag, _)| u32::from(*tag))
}

/// All these enumerations have one character on the wire.
fn char(wire: &'static str) -> u8 {
    wire.as_bytes()[0]
}

#[cfg(test)]
mod tests;
