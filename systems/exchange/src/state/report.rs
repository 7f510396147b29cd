//! Execution reports: what an order's owner hears. Every one is made here, so that their numbers always fit together.

use decalog_fix::session::{Header, Route};

use super::account::Accounts;
use super::instrument::{Instruments, outward};
use super::order::Order;
use super::{Turn, Unit};
use crate::command::NewOrder;
use crate::engine::{Price, Quantity};
use crate::event::{ExecId, ExecutionReport, Fill, Message, OrdRejReason};
use crate::value::{ClOrdId, Decimal, ExecType, OrdStatus, RequestId, Text};

/// What a report says beside the order's own numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Particulars<'a> {
    /// OrigClOrdID (41).
    pub(super) orig_cl_ord_id: ClOrdId,
    /// OrdStatusReqID (790).
    pub(super) status_request_id: RequestId,
    /// The trade it reports.
    pub(super) last: Option<(Price, Quantity)>,
    /// OrdRejReason (103).
    pub(super) reject_reason: Option<OrdRejReason>,
    /// Text (58).
    pub(super) text: &'a str,
}

impl Unit {
    /// Reports on a known order to its owner's session.
    pub(super) fn report(
        &mut self,
        turn: &mut Turn<'_>,
        id: u64,
        exec_type: ExecType,
        said: Particulars<'_>,
    ) {
        let exec_id = self.next_exec_id();
        let order = self.orders.get(id).expect("a reported order is known");
        let report = execution(order, &self.accounts, &self.instruments, exec_id, exec_type, said, turn.time);
        let (session, route) = (order.session, order.route.as_deref());
        self.sessions.send(turn, session, route, Message::Execution(report));
    }

    /// Refuses a new order that becomes none: it never gets an OrderID.
    pub(super) fn reject(
        &mut self,
        turn: &mut Turn<'_>,
        session: u32,
        header: &Header,
        order: &NewOrder,
        reason: OrdRejReason,
        text: &str,
    ) {
        let writable = |number: Decimal| (number.scale <= Decimal::MAX_SCALE).then_some(number);
        let report = ExecutionReport {
            order_id: 0,
            exec_id: self.next_exec_id(),
            cl_ord_id: order.cl_ord_id,
            orig_cl_ord_id: ClOrdId::EMPTY,
            status_request_id: RequestId::EMPTY,
            exec_type: ExecType::Rejected,
            ord_status: OrdStatus::Rejected,
            reject_reason: Some(reason),
            account: order.account,
            symbol: order.symbol,
            side: order.side,
            ord_type: order.ord_type,
            time_in_force: order.time_in_force,
            order_qty: writable(order.quantity),
            price: order.price.and_then(writable),
            last: None,
            leaves_qty: Decimal::default(),
            cum_qty: Decimal::default(),
            avg_px: Decimal::default(),
            transact_time: turn.time,
            text: Text::cut(text),
        };
        self.sessions.send(turn, session, way_back(header).as_deref(), Message::Execution(report));
    }
}

/// The route of an answer to a message with this header.
pub(super) fn way_back(header: &Header) -> Option<Box<Route>> {
    header.route.as_ref().map(|route| Box::new(route.reversed()))
}

fn execution(
    order: &Order,
    accounts: &Accounts,
    instruments: &Instruments,
    exec_id: ExecId,
    exec_type: ExecType,
    said: Particulars<'_>,
    time: i64,
) -> ExecutionReport {
    let listing = instruments.get(order.instrument);
    ExecutionReport {
        order_id: order.id,
        exec_id,
        cl_ord_id: order.cl_ord_id,
        orig_cl_ord_id: said.orig_cl_ord_id,
        status_request_id: said.status_request_id,
        exec_type,
        ord_status: order.status(),
        reject_reason: said.reject_reason,
        account: accounts.name(order.account),
        symbol: listing.spec.symbol,
        side: outward(order.side),
        ord_type: order.ord_type,
        time_in_force: order.time_in_force,
        order_qty: Some(listing.quantity(order.quantity)),
        price: order.price.map(|price| listing.price(price)),
        last: said.last.map(|(price, quantity)| Fill {
            quantity: listing.quantity(quantity),
            price: listing.price(price),
        }),
        leaves_qty: listing.quantity(order.leaves()),
        cum_qty: listing.quantity(order.traded),
        avg_px: listing.average(order.notional, order.traded),
        transact_time: time,
        text: Text::cut(said.text),
    }
}
