//! The slow and obvious book: two ordered maps of queues, searched from end to end. It says what the fast book must say.

use std::collections::{BTreeMap, VecDeque};

use super::super::*;
use super::Report;

/// The same requests, results and reports as [`OrderBook`], by the plainest means.
#[derive(Debug)]
pub(super) struct ReferenceBook {
    bids: BTreeMap<Price, VecDeque<RestingOrder>>,
    asks: BTreeMap<Price, VecDeque<RestingOrder>>,
    self_trade: SelfTrade,
    pub(super) reports: Vec<Report>,
}

impl ReferenceBook {
    pub(super) fn new(self_trade: SelfTrade) -> Self {
        Self { bids: BTreeMap::new(), asks: BTreeMap::new(), self_trade, reports: Vec::new() }
    }

    pub(super) fn submit(&mut self, order: &NewOrder) -> Result<Outcome, Refusal> {
        check(order.quantity)?;
        let limit = match order.kind {
            Kind::Limit(price) if price < Price::MIN || price > Price::MAX => {
                return Err(Refusal::PriceOutOfRange);
            }
            Kind::Limit(price) => Some(price),
            Kind::Market => None,
        };
        if self.find(order.id).is_some() {
            return Err(Refusal::DuplicateOrder);
        }
        let fills = self.plan(order.side, limit, order.owner, order.quantity);
        let total: u64 = fills.iter().map(|(_, quantity)| quantity.0).sum();
        if order.time_in_force == TimeInForce::FillOrKill && total < order.quantity.0 {
            self.cancelled(order.id, order.owner, order.quantity, CancelReason::NotFillable);
            return Ok(Outcome { traded: Quantity(0), resting: Quantity(0), cancelled: order.quantity });
        }
        let rests = matches!(order.time_in_force, TimeInForce::Day | TimeInForce::GoodTillCancel);
        let taker = Incoming { id: order.id, owner: order.owner, side: order.side, quantity: order.quantity };
        Ok(self.run(taker, limit, limit.filter(|_| rests)))
    }

    pub(super) fn cancel(&mut self, id: OrderId) -> Result<RestingOrder, Refusal> {
        let order = self.find(id).ok_or(Refusal::UnknownOrder)?;
        self.cancelled(id, order.owner, order.quantity, CancelReason::Requested);
        self.take_out(&order);
        self.level(order.side, order.price);
        Ok(order)
    }

    pub(super) fn replace(&mut self, id: OrderId, price: Price, open: Quantity) -> Result<Outcome, Refusal> {
        check(open)?;
        if price < Price::MIN || price > Price::MAX {
            return Err(Refusal::PriceOutOfRange);
        }
        let old = self.find(id).ok_or(Refusal::UnknownOrder)?;
        let new = RestingOrder { price, quantity: open, ..old };
        let keeps_place = price == old.price && open <= old.quantity;
        self.reports.push(Report::Replaced(new, keeps_place));
        if keeps_place {
            let queue = self.side(old.side).get_mut(&price).expect("its level");
            queue.iter_mut().find(|order| order.id == id).expect("it rests").quantity = open;
            self.level(old.side, price);
            return Ok(Outcome { traded: Quantity(0), resting: open, cancelled: Quantity(0) });
        }
        self.take_out(&old);
        if price != old.price {
            self.level(old.side, old.price);
        }
        let taker = Incoming { id, owner: old.owner, side: old.side, quantity: open };
        Ok(self.run(taker, Some(price), Some(price)))
    }

    pub(super) fn find(&self, id: OrderId) -> Option<RestingOrder> {
        self.resting().into_iter().find(|order| order.id == id)
    }

    pub(super) fn resting(&self) -> Vec<RestingOrder> {
        self.bids.values().rev().chain(self.asks.values()).flatten().copied().collect()
    }

    fn side(&mut self, side: Side) -> &mut BTreeMap<Price, VecDeque<RestingOrder>> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// What an order would do: the makers in the order they are met, with what trades; nothing trades with an own order that
    /// self-trade prevention takes out.
    fn plan(
        &self,
        side: Side,
        limit: Option<Price>,
        owner: Owner,
        quantity: Quantity,
    ) -> Vec<(RestingOrder, Quantity)> {
        let makers: Vec<RestingOrder> = match side {
            Side::Buy => self.asks.values().flatten().copied().collect(),
            Side::Sell => self.bids.values().rev().flatten().copied().collect(),
        };
        let mut left = quantity.0;
        let mut fills = Vec::new();
        for maker in makers {
            let within = match (side, limit) {
                (_, None) => true,
                (Side::Buy, Some(limit)) => maker.price <= limit,
                (Side::Sell, Some(limit)) => maker.price >= limit,
            };
            if !within || left == 0 {
                break;
            }
            let is_own = self.self_trade != SelfTrade::Allow && owner.0 != 0 && maker.owner == owner;
            if is_own && self.self_trade == SelfTrade::CancelNewest {
                break;
            }
            let traded = if is_own { 0 } else { left.min(maker.quantity.0) };
            left -= traded;
            fills.push((maker, Quantity(traded)));
        }
        fills
    }

    /// Trades, then rests at `rest_at` or cancels what is left.
    fn run(&mut self, mut taker: Incoming, limit: Option<Price>, rest_at: Option<Price>) -> Outcome {
        let wanted = taker.quantity;
        let fills = self.plan(taker.side, limit, taker.owner, taker.quantity);
        for (position, &(maker, quantity)) in fills.iter().enumerate() {
            self.meet(&mut taker, maker, quantity);
            if fills.get(position + 1).is_none_or(|(next, _)| next.price != maker.price) {
                self.level(maker.side, maker.price);
            }
        }
        let traded = Quantity(wanted.0 - taker.quantity.0);
        let none = Quantity(0);
        if taker.quantity == none {
            return Outcome { traded, resting: none, cancelled: none };
        }
        let stopped = self.is_stopped(&taker, limit);
        if let (Some(price), false) = (rest_at, stopped) {
            let Incoming { id, owner, side, quantity } = taker;
            let order = RestingOrder { id, owner, side, price, quantity };
            self.side(side).entry(price).or_default().push_back(order);
            self.reports.push(Report::Rested(order));
            self.level(side, price);
            return Outcome { traded, resting: quantity, cancelled: none };
        }
        let reason = if stopped { CancelReason::SelfTrade } else { CancelReason::Residue };
        self.cancelled(taker.id, taker.owner, taker.quantity, reason);
        Outcome { traded, resting: none, cancelled: taker.quantity }
    }

    fn meet(&mut self, taker: &mut Incoming, maker: RestingOrder, quantity: Quantity) {
        if quantity.0 == 0 {
            self.cancelled(maker.id, maker.owner, maker.quantity, CancelReason::SelfTrade);
            self.take_out(&maker);
            return;
        }
        taker.quantity.0 -= quantity.0;
        let maker_left = Quantity(maker.quantity.0 - quantity.0);
        self.reports.push(Report::Trade(Trade {
            maker: maker.id,
            taker: taker.id,
            maker_owner: maker.owner,
            taker_side: taker.side,
            price: maker.price,
            quantity,
            maker_left,
            taker_left: taker.quantity,
        }));
        if maker_left.0 == 0 {
            self.take_out(&maker);
        } else {
            self.side(maker.side).get_mut(&maker.price).expect("its level")[0].quantity = maker_left;
        }
    }

    /// Whether an own order now stands in the taker's way under [`SelfTrade::CancelNewest`].
    fn is_stopped(&self, taker: &Incoming, limit: Option<Price>) -> bool {
        if self.self_trade != SelfTrade::CancelNewest || taker.owner.0 == 0 {
            return false;
        }
        let first = match taker.side {
            Side::Buy => self.asks.values().next().map(|queue| queue[0]),
            Side::Sell => self.bids.values().next_back().map(|queue| queue[0]),
        };
        first.is_some_and(|maker| {
            let within = match taker.side {
                Side::Buy => limit.is_none_or(|limit| maker.price <= limit),
                Side::Sell => limit.is_none_or(|limit| maker.price >= limit),
            };
            within && maker.owner == taker.owner
        })
    }

    fn take_out(&mut self, order: &RestingOrder) {
        let side = self.side(order.side);
        let queue = side.get_mut(&order.price).expect("its level");
        queue.retain(|other| other.id != order.id);
        if queue.is_empty() {
            side.remove(&order.price);
        }
    }

    fn cancelled(&mut self, id: OrderId, owner: Owner, left: Quantity, reason: CancelReason) {
        self.reports.push(Report::Cancelled(id, owner, left, reason));
    }

    fn level(&mut self, side: Side, price: Price) {
        let queue = self.side(side).get(&price).cloned().unwrap_or_default();
        let quantity = Quantity(queue.iter().map(|order| order.quantity.0).sum());
        let orders = u32::try_from(queue.len()).expect("few orders");
        self.reports.push(Report::Level(side, LevelView { price, quantity, orders }));
    }
}

/// What is left of an order on its way in.
#[derive(Debug)]
struct Incoming {
    id: OrderId,
    owner: Owner,
    side: Side,
    quantity: Quantity,
}

fn check(quantity: Quantity) -> Result<(), Refusal> {
    match quantity.0 {
        0 => Err(Refusal::ZeroQuantity),
        1..=0xFF_FFFF_FFFF => Ok(()),
        _ => Err(Refusal::QuantityTooLarge),
    }
}
