//! NewOrderSingle (D): the checks that depend on state, and the way into the book.

use decalog_fix::session::Header;

use super::account::owner;
use super::instrument::Fault;
use super::order::Order;
use super::report::{Particulars, way_back};
use super::{Turn, Unit};
use crate::command::{NewOrder, TradingStatus};
use crate::engine::{self, Kind, OrderId, Price, Quantity, Side};
use crate::event::OrdRejReason;
use crate::value;
use crate::value::{AccountName, ExecType, OrdType, TimeInForce};

/// A new order whose fields the unit can work with.
struct Checked {
    instrument: u32,
    account: u32,
    side: Side,
    kind: Kind,
    quantity: Quantity,
    time_in_force: engine::TimeInForce,
}

impl Unit {
    /// Places an order: rejected, or New and then what comes of it.
    pub(super) fn place(&mut self, turn: &mut Turn<'_>, session: u32, header: &Header, order: &NewOrder) {
        if let Some(namesake) = self.sessions.get(session).ids.find(order.cl_ord_id) {
            return self.repeated(turn, session, header, order, namesake);
        }
        match self.check_new(session, order) {
            Err(Fault { reason, text }) => {
                self.sessions.touch(session).ids.take(order.cl_ord_id, 0);
                self.reject(turn, session, header, order, reason, &text);
            }
            Ok(checked) => self.enter(turn, session, header, order, &checked),
        }
    }

    /// A ClOrdID that was used before (FIX 4.4 volume 4, matrix F.1.b). What may be a repeat is answered by the order's
    /// status; anything else is rejected, with the numbers of the order that has the name.
    fn repeated(
        &mut self,
        turn: &mut Turn<'_>,
        session: u32,
        header: &Header,
        order: &NewOrder,
        namesake: u64,
    ) {
        let text = "ClOrdID(11) was used before today";
        let reject =
            Particulars { reject_reason: Some(OrdRejReason::DuplicateOrder), text, ..Particulars::default() };
        match self.orders.get(namesake).is_some() {
            true if header.poss_resend => {
                self.report(turn, namesake, ExecType::OrderStatus, Particulars::default())
            }
            true => self.report(turn, namesake, ExecType::Rejected, reject),
            false => self.reject(turn, session, header, order, OrdRejReason::DuplicateOrder, text),
        }
    }

    fn check_new(&self, session: u32, order: &NewOrder) -> Result<Checked, Fault> {
        if self.sessions.get(session).ids.is_full() {
            return fault(OrdRejReason::Exchange, "the session has used up its ClOrdIDs of the day");
        }
        let Some(instrument) = self.instruments.find(order.symbol) else {
            return fault(
                OrdRejReason::UnknownSymbol,
                format!("Symbol(55) {} is not traded here", order.symbol),
            );
        };
        let account = self.account_of(session, order.account)?;
        let side = side(order.side)?;
        let time_in_force = match order.time_in_force {
            TimeInForce::Day => engine::TimeInForce::Day,
            TimeInForce::GoodTillCancel => engine::TimeInForce::GoodTillCancel,
            TimeInForce::ImmediateOrCancel => engine::TimeInForce::ImmediateOrCancel,
            TimeInForce::FillOrKill => engine::TimeInForce::FillOrKill,
            TimeInForce::Other(char) => return unsupported("TimeInForce(59)", char, "0, 1, 3 and 4"),
        };
        if order.unsupported_tag != 0 {
            let text = format!("tag {} is not supported", order.unsupported_tag);
            return fault(OrdRejReason::UnsupportedCharacteristic, text);
        }
        let listing = self.instruments.get(instrument);
        let kind = match (order.ord_type, order.price) {
            (OrdType::Limit, Some(price)) => Kind::Limit(listing.ticks(price)?),
            (OrdType::Limit, None) => return fault(OrdRejReason::Other, "a limit order needs a Price(44)"),
            (OrdType::Market, None) => Kind::Market,
            (OrdType::Market, Some(_)) => {
                return fault(OrdRejReason::UnsupportedCharacteristic, "a market order has no Price(44)");
            }
            (OrdType::Other(char), _) => return unsupported("OrdType(40)", char, "1 and 2"),
        };
        let quantity = listing.lots(order.quantity)?;
        if let Some(text) = self.closed(instrument) {
            return fault(OrdRejReason::ExchangeClosed, text);
        }
        Ok(Checked { instrument, account, side, kind, quantity, time_in_force })
    }

    /// Why an instrument takes no orders now.
    pub(super) fn closed(&self, instrument: u32) -> Option<&'static str> {
        if self.day.is_ending() {
            Some("the day is ending; try again when its orders have expired")
        } else if self.instruments.get(instrument).status == TradingStatus::Halted {
            Some("trading is halted")
        } else {
            None
        }
    }

    /// The account an order is for: one of its session's, the first if it names none.
    fn account_of(&self, session: u32, name: AccountName) -> Result<u32, Fault> {
        let accounts = &self.sessions.get(session).accounts;
        if name.is_empty() {
            return Ok(accounts[0]);
        }
        match self.accounts.find(name).filter(|account| accounts.contains(account)) {
            Some(account) => Ok(account),
            None => {
                fault(OrdRejReason::UnknownAccount, format!("Account(1) {name} is not one of this session's"))
            }
        }
    }

    fn enter(
        &mut self,
        turn: &mut Turn<'_>,
        session: u32,
        header: &Header,
        order: &NewOrder,
        checked: &Checked,
    ) {
        let Checked { instrument, account, side, kind, quantity, time_in_force } = *checked;
        let id = self.counters.order_ids.next(decalog_runtime::Timestamp(turn.time), self.number).0;
        let price = match kind {
            Kind::Limit(price) => Some(price),
            Kind::Market => None,
        };
        let entry =
            engine::NewOrder { id: OrderId(id), owner: owner(account), side, kind, quantity, time_in_force };
        let before = price.is_some_and(|price| self.level_exists(instrument, side, price));
        let entered = self.instruments.get_mut(instrument).book.submit(&entry, &mut self.happened);
        if let Err(refusal) = entered {
            self.sessions.touch(session).ids.take(order.cl_ord_id, 0);
            let text = refusal.to_string();
            return self.reject(turn, session, header, order, OrdRejReason::Exchange, &text);
        }
        self.sessions.touch(session).ids.take(order.cl_ord_id, id);
        self.orders.insert(Order {
            id,
            session,
            account,
            instrument,
            cl_ord_id: order.cl_ord_id,
            side,
            ord_type: order.ord_type,
            time_in_force: order.time_in_force,
            price,
            quantity,
            traded: Quantity::ZERO,
            notional: 0,
            done: None,
            route: way_back(header),
        });
        self.report(turn, id, ExecType::New, Particulars::default());
        self.tell_happened(turn, instrument, price.map(|price| (side, price)).filter(|_| !before));
    }

    /// Whether any order rests at a price.
    pub(super) fn level_exists(&self, instrument: u32, side: Side, price: Price) -> bool {
        self.instruments.get(instrument).book.level(side, price).is_some()
    }
}

/// The engine's side, if it is one the exchange knows.
pub(super) fn side(side: value::Side) -> Result<Side, Fault> {
    match side {
        value::Side::Buy => Ok(Side::Buy),
        value::Side::Sell => Ok(Side::Sell),
        value::Side::Other(char) => unsupported("Side(54)", char, "1 and 2"),
    }
}

fn unsupported<T>(field: &str, char: u8, supported: &str) -> Result<T, Fault> {
    let text = format!("{field} {} is not supported; {supported} are", char.escape_ascii());
    fault(OrdRejReason::UnsupportedCharacteristic, text)
}

fn fault<T>(reason: OrdRejReason, text: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { reason, text: text.into() })
}
