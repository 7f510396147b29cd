//! Follows which orders of a flow still rest while the flow is made: a plain book that forgets lazily.

use std::collections::{BTreeMap, VecDeque};

use super::Census;

#[derive(Clone, Copy, Debug)]
struct Order {
    buy: bool,
    price: i64,
    left: u64,
    /// Counts its entries into a queue: older entries are void.
    entry: u32,
    /// Its place in `live`, if it rests.
    place: Option<usize>,
    replaced: bool,
}

/// Orders queue here as (number, entry).
type Queues = BTreeMap<i64, VecDeque<(u32, u32)>>;

/// The market as the flow's maker sees it.
#[derive(Debug, Default)]
pub(super) struct Market {
    bids: Queues,
    asks: Queues,
    orders: Vec<Order>,
    live: Vec<u32>,
    pub(super) census: Census,
}

impl Market {
    pub(super) fn live(&self) -> usize {
        self.live.len()
    }

    #[expect(clippy::cast_possible_truncation, reason = "flows are shorter than 2^32 orders")]
    pub(super) fn orders(&self) -> u32 {
        self.orders.len() as u32
    }

    pub(super) fn nth_live(&self, place: usize) -> u32 {
        self.live[place]
    }

    /// (buy, price, open quantity).
    pub(super) fn order(&self, order: u32) -> (bool, i64, u64) {
        let order = &self.orders[order as usize];
        (order.buy, order.price, order.left)
    }

    pub(super) fn submit(&mut self, buy: bool, price: i64, quantity: u64, ioc: bool) -> u32 {
        let number = self.orders();
        self.orders.push(Order { buy, price, left: quantity, entry: 0, place: None, replaced: false });
        self.census.new += 1;
        self.census.ioc += u32::from(ioc);
        self.enter(number, ioc);
        number
    }

    pub(super) fn cancel(&mut self, number: u32) {
        self.leave(number);
        self.census.cancelled += 1;
    }

    pub(super) fn replace(&mut self, number: u32, price: i64, quantity: u64) {
        let order = &mut self.orders[number as usize];
        self.census.replaced += u32::from(!order.replaced);
        (order.price, order.left, order.replaced) = (price, quantity, true);
        order.entry += 1;
        self.leave(number);
        self.enter(number, false);
    }

    fn enter(&mut self, number: u32, ioc: bool) {
        self.meet(number);
        let order = &mut self.orders[number as usize];
        if order.left == 0 {
            self.census.filled += 1;
        } else if ioc {
            self.census.cancelled += 1;
        } else {
            order.place = Some(self.live.len());
            self.live.push(number);
            let side = if order.buy { &mut self.bids } else { &mut self.asks };
            side.entry(order.price).or_default().push_back((number, order.entry));
        }
    }

    fn leave(&mut self, number: u32) {
        let place = self.orders[number as usize].place.take().expect("the order rests");
        self.live.swap_remove(place);
        if let Some(&moved) = self.live.get(place) {
            self.orders[moved as usize].place = Some(place);
        }
    }

    /// Trades with the other side as far as the order's price allows.
    fn meet(&mut self, taker: u32) {
        loop {
            let Order { buy, price, left, .. } = self.orders[taker as usize];
            let best = if buy { self.asks.first_entry() } else { self.bids.last_entry() };
            let Some(mut queue) =
                best.filter(|best| if buy { *best.key() <= price } else { *best.key() >= price })
            else {
                return;
            };
            if left == 0 {
                return;
            }
            let Some(&(maker, entry)) = queue.get().front() else {
                queue.remove();
                continue;
            };
            let order = &mut self.orders[maker as usize];
            if order.place.is_none() || order.entry != entry {
                queue.get_mut().pop_front();
                continue;
            }
            let traded = left.min(order.left);
            order.left -= traded;
            let filled = order.left == 0;
            self.orders[taker as usize].left -= traded;
            self.census.trades += 1;
            self.census.volume += traded;
            if filled {
                queue.get_mut().pop_front();
                self.census.filled += 1;
                self.leave(maker);
            }
        }
    }
}
