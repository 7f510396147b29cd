//! OrderCancelReplaceRequest (G): another price, another quantity. The order keeps its OrderID and goes by the new name.

use decalog_fix::session::Header;

use super::cancel::{CancelFault, Naming};
use super::report::Particulars;
use super::{Turn, Unit};
use crate::command::ReplaceOrder;
use crate::engine::{OrderId, Price, Quantity};
use crate::event::CxlRejResponseTo;
use crate::value::{ExecType, OrdStatus, OrdType, TimeInForce};

/// A replace whose fields the unit can work with.
struct Checked {
    id: u64,
    instrument: u32,
    price: Price,
    /// OrderQty (38) as it shall be, what has traded included.
    quantity: Quantity,
    /// What has traded.
    traded: Quantity,
}

impl Unit {
    /// Replaces a live order, or says why not.
    pub(super) fn replace(
        &mut self,
        turn: &mut Turn<'_>,
        session: u32,
        header: &Header,
        request: &ReplaceOrder,
    ) {
        let naming = Naming {
            response_to: CxlRejResponseTo::Replace,
            cl_ord_id: request.order.cl_ord_id,
            orig_cl_ord_id: request.orig_cl_ord_id,
            order_id: request.order_id,
            symbol: request.order.symbol,
            side: request.order.side,
        };
        if self.is_repeat(turn, session, header, &naming) {
            return;
        }
        let checked = self.check_replace(session, &naming, request);
        if let Err(fault) = checked.and_then(|checked| self.change(turn, &naming, request, &checked)) {
            self.sessions.touch(session).ids.take(naming.cl_ord_id, 0);
            self.reject_cancel(turn, session, header, &naming, &fault);
        }
    }

    fn check_replace(
        &self,
        session: u32,
        naming: &Naming,
        request: &ReplaceOrder,
    ) -> Result<Checked, CancelFault> {
        let id = self.find_live(session, naming)?;
        let order = self.orders.get(id).expect("a live order is known");
        let wanted = &request.order;
        let refuse = |text: &str| Err(CancelFault::exchange(id, text));
        if self.sessions.get(session).ids.is_full() {
            return refuse("the session has used up its ClOrdIDs of the day");
        }
        if !wanted.account.is_empty() && wanted.account != self.accounts.name(order.account) {
            return refuse("Account(1) is not the order's");
        }
        if wanted.ord_type != OrdType::Limit {
            return refuse("OrdType(40) must stay 2");
        }
        if !matches!(wanted.time_in_force, TimeInForce::Day | TimeInForce::GoodTillCancel) {
            return refuse("TimeInForce(59) of a resting order can be 0 or 1");
        }
        if wanted.unsupported_tag != 0 {
            return refuse(&format!("tag {} is not supported", wanted.unsupported_tag));
        }
        let Some(price) = wanted.price else { return refuse("a limit order needs a Price(44)") };
        let listing = self.instruments.get(order.instrument);
        let price = listing.ticks(price).map_err(|fault| CancelFault::exchange(id, fault.text))?;
        let quantity =
            listing.lots(wanted.quantity).map_err(|fault| CancelFault::exchange(id, fault.text))?;
        if let Some(text) = self.closed(order.instrument) {
            return refuse(text);
        }
        Ok(Checked { id, instrument: order.instrument, price, quantity, traded: order.traded })
    }

    /// Changes the order in its book. Nothing has changed when it answers a fault.
    fn change(
        &mut self,
        turn: &mut Turn<'_>,
        naming: &Naming,
        request: &ReplaceOrder,
        checked: &Checked,
    ) -> Result<(), CancelFault> {
        let Checked { id, instrument, price, quantity, traded } = *checked;
        // Asked down to what has traded or below, the order is filled (FIX 4.4 volume 4, matrices C.3.b and C.3.c).
        let is_filled = quantity <= traded;
        let side = self.orders.get(id).expect("a live order is known").side;
        let before = self.level_exists(instrument, side, price);
        if is_filled {
            self.take_out(id);
        } else {
            let open = Quantity(quantity.0 - traded.0);
            let book = &mut self.instruments.get_mut(instrument).book;
            book.replace(OrderId(id), price, open, &mut self.happened)
                .map_err(|refusal| CancelFault::exchange(id, refusal.to_string()))?;
        }
        let session = self.orders.get(id).expect("a live order is known").session;
        self.sessions.touch(session).ids.take(naming.cl_ord_id, id);
        self.orders.update(id, |order| {
            order.cl_ord_id = naming.cl_ord_id;
            order.price = Some(price);
            order.quantity = if is_filled { traded } else { quantity };
            order.time_in_force = request.order.time_in_force;
        });
        if is_filled {
            self.orders.finish(id, OrdStatus::Filled);
        }
        let orig_cl_ord_id = naming.orig_cl_ord_id;
        self.report(turn, id, ExecType::Replaced, Particulars { orig_cl_ord_id, ..Particulars::default() });
        self.tell_happened(turn, instrument, Some((side, price)).filter(|_| !before));
        Ok(())
    }
}
