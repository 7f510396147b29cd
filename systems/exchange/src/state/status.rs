//! OrderStatusRequest (H): an order as it stands.

use decalog_fix::session::Header;

use super::report::{Particulars, way_back};
use super::{Turn, Unit};
use crate::command::OrderStatus;
use crate::event::{ExecutionReport, Message, OrdRejReason};
use crate::value::{AccountName, ClOrdId, Decimal, ExecType, OrdStatus, OrdType, Text, TimeInForce};

impl Unit {
    /// Reports on the order that a ClOrdID of this session names, whatever name of its chain is given. An order that is
    /// not known is reported as rejected (FIX 4.4 volume 4, matrix G.1.b).
    pub(super) fn status(
        &mut self,
        turn: &mut Turn<'_>,
        session: u32,
        header: &Header,
        request: &OrderStatus,
    ) {
        let id = self.sessions.get(session).ids.find(request.cl_ord_id);
        let order = id.and_then(|id| self.orders.get(id));
        let meant = order.filter(|order| request.order_id.is_none_or(|id| id == order.id));
        let status_request_id = request.request_id;
        if let Some(order) = meant {
            let id = order.id;
            let said = Particulars { status_request_id, ..Particulars::default() };
            return self.report(turn, id, ExecType::OrderStatus, said);
        }
        let report = ExecutionReport {
            order_id: 0,
            exec_id: self.next_exec_id(),
            cl_ord_id: request.cl_ord_id,
            orig_cl_ord_id: ClOrdId::EMPTY,
            status_request_id,
            exec_type: ExecType::OrderStatus,
            ord_status: OrdStatus::Rejected,
            reject_reason: Some(OrdRejReason::UnknownOrder),
            account: AccountName::EMPTY,
            symbol: request.symbol,
            side: request.side,
            ord_type: OrdType::Limit,
            time_in_force: TimeInForce::Day,
            order_qty: Some(Decimal::default()),
            price: None,
            last: None,
            leaves_qty: Decimal::default(),
            cum_qty: Decimal::default(),
            avg_px: Decimal::default(),
            transact_time: turn.time,
            text: Text::cut("no such order in this session, or it ended too long ago"),
        };
        self.sessions.send(turn, session, way_back(header).as_deref(), Message::Execution(report));
    }
}
