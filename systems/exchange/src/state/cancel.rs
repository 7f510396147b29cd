//! OrderCancelRequest (F), and what it shares with OrderCancelReplaceRequest (G): finding the order that is meant.

use decalog_fix::session::Header;

use super::report::{Particulars, way_back};
use super::{Turn, Unit};
use crate::command::CancelOrder;
use crate::engine::OrderId;
use crate::event::{CancelReject, CxlRejReason, CxlRejResponseTo, Message};
use crate::value::{AccountName, ClOrdId, ExecType, OrdStatus, Side, Symbol, Text};

/// How a cancel or replace names itself and its order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Naming {
    pub(super) response_to: CxlRejResponseTo,
    pub(super) cl_ord_id: ClOrdId,
    pub(super) orig_cl_ord_id: ClOrdId,
    pub(super) order_id: Option<u64>,
    pub(super) symbol: Symbol,
    pub(super) side: Side,
}

/// Why a cancel or replace is refused.
#[derive(Debug)]
pub(super) struct CancelFault {
    pub(super) reason: CxlRejReason,
    /// The order, if there is one.
    pub(super) order: Option<u64>,
    pub(super) text: String,
}

impl CancelFault {
    pub(super) fn exchange(order: u64, text: impl Into<String>) -> CancelFault {
        CancelFault { reason: CxlRejReason::Exchange, order: Some(order), text: text.into() }
    }

    fn unknown(text: impl Into<String>) -> CancelFault {
        CancelFault { reason: CxlRejReason::UnknownOrder, order: None, text: text.into() }
    }
}

impl Unit {
    /// Cancels a live order, or says why not.
    pub(super) fn cancel(
        &mut self,
        turn: &mut Turn<'_>,
        session: u32,
        header: &Header,
        request: &CancelOrder,
    ) {
        let naming = Naming {
            response_to: CxlRejResponseTo::Cancel,
            cl_ord_id: request.cl_ord_id,
            orig_cl_ord_id: request.orig_cl_ord_id,
            order_id: request.order_id,
            symbol: request.symbol,
            side: request.side,
        };
        if self.is_repeat(turn, session, header, &naming) {
            return;
        }
        match self.find_live(session, &naming) {
            Err(fault) => {
                self.sessions.touch(session).ids.take(naming.cl_ord_id, 0);
                self.reject_cancel(turn, session, header, &naming, &fault);
            }
            Ok(id) => {
                self.sessions.touch(session).ids.take(naming.cl_ord_id, id);
                self.take_out(id);
                let order = self.orders.update(id, |order| order.cl_ord_id = naming.cl_ord_id);
                let instrument = order.instrument;
                self.orders.finish(id, OrdStatus::Canceled);
                let orig_cl_ord_id = naming.orig_cl_ord_id;
                self.report(
                    turn,
                    id,
                    ExecType::Canceled,
                    Particulars { orig_cl_ord_id, ..Particulars::default() },
                );
                self.tell_happened(turn, instrument, None);
            }
        }
    }

    /// Takes a live order out of its book.
    pub(super) fn take_out(&mut self, id: u64) {
        let instrument = self.orders.get(id).expect("a live order is known").instrument;
        let book = &mut self.instruments.get_mut(instrument).book;
        book.cancel(OrderId(id), &mut self.happened).expect("a live order rests in its book");
    }

    /// A request whose ClOrdID was used before. What may be a repeat of the request that gave the order its name is
    /// answered by the order's status, anything else is rejected.
    pub(super) fn is_repeat(
        &mut self,
        turn: &mut Turn<'_>,
        session: u32,
        header: &Header,
        naming: &Naming,
    ) -> bool {
        let Some(namesake) = self.sessions.get(session).ids.find(naming.cl_ord_id) else { return false };
        if header.poss_resend && self.orders.get(namesake).is_some() {
            self.report(turn, namesake, ExecType::OrderStatus, Particulars::default());
        } else {
            let order = self.sessions.get(session).ids.find(naming.orig_cl_ord_id).filter(|id| *id != 0);
            let text = "ClOrdID(11) was used before today".to_owned();
            let fault = CancelFault { reason: CxlRejReason::DuplicateClOrdId, order, text };
            self.reject_cancel(turn, session, header, naming, &fault);
        }
        true
    }

    /// The live order that a request means.
    pub(super) fn find_live(&self, session: u32, naming: &Naming) -> Result<u64, CancelFault> {
        let orig = naming.orig_cl_ord_id;
        let order = match self.sessions.get(session).ids.find(orig) {
            None => return Err(CancelFault::unknown(format!("no order {orig} in this session"))),
            Some(id) => self.orders.get(id),
        };
        let Some(order) = order else {
            let text = format!("{orig} names no order that lives, or one that ended too long ago");
            return Err(CancelFault::unknown(text));
        };
        if order.done.is_some() {
            let text = format!("order {orig} is done");
            return Err(CancelFault { reason: CxlRejReason::TooLateToCancel, order: Some(order.id), text });
        }
        if order.cl_ord_id != orig {
            return Err(CancelFault::unknown(format!("order {orig} is now named {}", order.cl_ord_id)));
        }
        if naming.order_id.is_some_and(|id| id != order.id) {
            return Err(CancelFault::unknown(format!("OrderID(37) is not that of order {orig}")));
        }
        if naming.symbol != self.instruments.get(order.instrument).spec.symbol {
            return Err(CancelFault::exchange(order.id, "Symbol(55) is not the order's"));
        }
        if naming.side != super::instrument::outward(order.side) {
            return Err(CancelFault::exchange(order.id, "Side(54) is not the order's"));
        }
        Ok(order.id)
    }

    /// Refuses a cancel or replace.
    pub(super) fn reject_cancel(
        &mut self,
        turn: &mut Turn<'_>,
        session: u32,
        header: &Header,
        naming: &Naming,
        fault: &CancelFault,
    ) {
        let order = fault.order.and_then(|id| self.orders.get(id));
        let reject = CancelReject {
            order_id: order.map_or(0, |order| order.id),
            cl_ord_id: naming.cl_ord_id,
            orig_cl_ord_id: naming.orig_cl_ord_id,
            ord_status: order.map_or(OrdStatus::Rejected, |order| order.status()),
            response_to: naming.response_to,
            reason: fault.reason,
            account: order.map_or(AccountName::EMPTY, |order| self.accounts.name(order.account)),
            transact_time: turn.time,
            text: Text::cut(&fault.text),
        };
        self.sessions.send(turn, session, way_back(header).as_deref(), Message::CancelReject(reject));
    }
}
