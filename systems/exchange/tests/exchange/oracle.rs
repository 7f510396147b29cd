//! A slow, obvious exchange: one list of orders, searched from end to end. Random order flow goes to it and to the unit;
//! after every message both must say the same of every order and every trade.

use std::collections::BTreeMap;

use decalog_exchange::command::{CancelOrder, NewOrder, ReplaceOrder, Request};
use decalog_exchange::event::{Event, Message};
use decalog_exchange::value::{ExecType, OrdStatus, OrdType, SessionId, Side, TimeInForce};
use decalog_fix::session::Body;

use crate::desk::{ALICE, BOB, BOTH, Desk, SECOND, buy, messages, text};

/// An order as the oracle keeps it. Prices in cents, quantities in units.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) session: SessionId,
    pub(crate) name: String,
    is_buy: bool,
    price: i64,
    lasts: bool,
    quantity: i64,
    traded: i64,
    status: OrdStatus,
    /// Earlier goes first at the same price.
    place: u64,
}

/// The exchange, one instrument.
#[derive(Clone, Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) orders: Vec<Kept>,
    /// The order that each name of the day names; `usize::MAX`: none.
    names: BTreeMap<(SessionId, String), usize>,
    places: u64,
    /// Price and quantity of each.
    trades: Vec<(i64, i64)>,
}

impl Oracle {
    fn find(&self, session: SessionId, name: &str) -> Option<usize> {
        self.names.get(&(session, name.to_owned())).copied()
    }

    /// The live order of that newest name.
    fn live(&self, session: SessionId, name: &str) -> Option<usize> {
        let it = self.find(session, name)?;
        self.orders.get(it).filter(|kept| kept.status.is_live() && kept.name == name).map(|_| it)
    }

    fn open(&self, it: usize) -> i64 {
        self.orders[it].quantity - self.orders[it].traded
    }

    /// Resting orders that would trade with one at this price, best first.
    fn makers(&self, taker: usize, price: i64) -> Vec<usize> {
        let is_buy = self.orders[taker].is_buy;
        let meets = |it: &Kept| if is_buy { it.price <= price } else { it.price >= price };
        let mut makers: Vec<usize> = (0..self.orders.len())
            .filter(|it| {
                *it != taker && self.orders[*it].status.is_live() && self.orders[*it].is_buy != is_buy
            })
            .filter(|it| meets(&self.orders[*it]))
            .collect();
        makers.sort_by_key(|it| {
            let kept = &self.orders[*it];
            (if is_buy { kept.price } else { -kept.price }, kept.place)
        });
        makers
    }

    fn fill(&mut self, it: usize, quantity: i64) {
        let kept = &mut self.orders[it];
        kept.traded += quantity;
        kept.status =
            if kept.traded == kept.quantity { OrdStatus::Filled } else { OrdStatus::PartiallyFilled };
    }

    fn match_in(&mut self, taker: usize, price: i64) {
        for maker in self.makers(taker, price) {
            let quantity = self.open(taker).min(self.open(maker));
            if quantity > 0 {
                self.trades.push((self.orders[maker].price, quantity));
                self.fill(taker, quantity);
                self.fill(maker, quantity);
            }
        }
    }

    pub(crate) fn place(&mut self, session: SessionId, order: &NewOrder) {
        let name = order.cl_ord_id.to_string();
        if self.find(session, &name).is_some() {
            return;
        }
        let is_buy = order.side == Side::Buy;
        let any_price = if is_buy { i64::MAX } else { i64::MIN };
        self.places += 1;
        let it = self.orders.len();
        self.names.insert((session, name.clone()), it);
        self.orders.push(Kept {
            session,
            name,
            is_buy,
            price: order.price.map_or(any_price, |price| price.mantissa),
            lasts: order.time_in_force == TimeInForce::GoodTillCancel,
            quantity: order.quantity.mantissa,
            traded: 0,
            status: OrdStatus::New,
            place: self.places,
        });
        let price = self.orders[it].price;
        let within: i64 = self.makers(it, price).into_iter().map(|maker| self.open(maker)).sum();
        if order.time_in_force != TimeInForce::FillOrKill || within >= self.open(it) {
            self.match_in(it, price);
        }
        let rests = order.ord_type == OrdType::Limit
            && matches!(order.time_in_force, TimeInForce::Day | TimeInForce::GoodTillCancel);
        if !rests && self.open(it) > 0 {
            self.orders[it].status = OrdStatus::Canceled;
        }
    }

    pub(crate) fn cancel(&mut self, session: SessionId, name: &str, orig: &str) {
        if self.find(session, name).is_some() {
            return;
        }
        if let Some(it) = self.live(session, orig) {
            self.names.insert((session, name.to_owned()), it);
            self.orders[it].status = OrdStatus::Canceled;
            self.orders[it].name = name.to_owned();
        } else {
            self.names.insert((session, name.to_owned()), usize::MAX);
        }
    }

    pub(crate) fn replace(&mut self, session: SessionId, orig: &str, order: &NewOrder) {
        let name = order.cl_ord_id.to_string();
        if self.find(session, &name).is_some() {
            return;
        }
        let Some(it) =
            self.live(session, orig).filter(|it| self.orders[*it].is_buy == (order.side == Side::Buy))
        else {
            self.names.insert((session, name), usize::MAX);
            return;
        };
        self.names.insert((session, name.clone()), it);
        let (price, quantity) = (order.price.expect("a limit").mantissa, order.quantity.mantissa);
        let kept = &mut self.orders[it];
        let stays = kept.price == price && quantity <= kept.quantity;
        (kept.name, kept.price) = (name, price);
        kept.lasts = order.time_in_force == TimeInForce::GoodTillCancel;
        if quantity <= kept.traded {
            (kept.quantity, kept.status) = (kept.traded, OrdStatus::Filled);
            return;
        }
        kept.quantity = quantity;
        if !stays {
            self.places += 1;
            self.orders[it].place = self.places;
            self.match_in(it, price);
        }
    }

    /// A name that was used for what is not in this book.
    pub(crate) fn take_name(&mut self, session: SessionId, name: &str) {
        self.names.entry((session, name.to_owned())).or_insert(usize::MAX);
    }

    pub(crate) fn end_day(&mut self) {
        for kept in self.orders.iter_mut().filter(|it| it.status.is_live() && !it.lasts) {
            kept.status = OrdStatus::Expired;
        }
        self.names.clear();
        for (it, kept) in self.orders.iter().enumerate().filter(|(_, kept)| kept.status.is_live()) {
            self.names.insert((kept.session, kept.name.clone()), it);
        }
    }

    /// Every level as `Desk::levels` writes it.
    pub(crate) fn levels(&self, is_buy: bool) -> Vec<String> {
        let mut levels: BTreeMap<i64, (i64, u32)> = BTreeMap::new();
        for kept in self.orders.iter().filter(|it| it.status.is_live() && it.is_buy == is_buy) {
            let level = levels.entry(kept.price).or_default();
            level.0 += kept.quantity - kept.traded;
            level.1 += 1;
        }
        let line = |(price, (open, orders)): (&i64, &(i64, u32))| {
            format!("{}.{:02}x{open}({orders})", price / 100, price % 100)
        };
        if is_buy { levels.iter().rev().map(line).collect() } else { levels.iter().map(line).collect() }
    }
}

/// The next message of a random flow, all of it within the instrument's rules; names repeat now and then.
pub(crate) fn random_request(
    random: &mut fastrand::Rng,
    number: u32,
    oracle: &Oracle,
) -> (SessionId, Request) {
    let session = [ALICE, BOB, BOTH][random.usize(0..3)];
    let name =
        if random.u8(0..40) == 0 { format!("n{}", random.u32(0..=number)) } else { format!("n{number}") };
    let side = if random.bool() { Side::Buy } else { Side::Sell };
    let mut order = NewOrder { side, cl_ord_id: text(&name), ..buy("", "10", "100.00") };
    order.quantity.mantissa = i64::from(random.u32(1..=12)) * 10;
    order.price = order.price.map(|price| decalog_exchange::value::Decimal {
        mantissa: price.mantissa + i64::from(random.i32(-6..=6)) * 5,
        ..price
    });
    order.time_in_force = if random.u8(0..4) == 0 { TimeInForce::GoodTillCancel } else { TimeInForce::Day };
    let known = oracle.orders.len().min(60);
    let target = (known > 0).then(|| &oracle.orders[oracle.orders.len() - 1 - random.usize(0..known)]);
    match (random.u8(0..20), target) {
        (0..=3, Some(target)) => {
            let (session, side) = (target.session, if target.is_buy { Side::Buy } else { Side::Sell });
            let orig_cl_ord_id = text(&target.name);
            let cancel = CancelOrder {
                cl_ord_id: text(&name),
                orig_cl_ord_id,
                order_id: None,
                symbol: text("ACME"),
                side,
            };
            (session, Request::Cancel(cancel))
        }
        (4..=7, Some(target)) => {
            let side = if target.is_buy { Side::Buy } else { Side::Sell };
            let orig_cl_ord_id = text(&target.name);
            let replace = ReplaceOrder { order: NewOrder { side, ..order }, orig_cl_ord_id, order_id: None };
            (target.session, Request::Replace(replace))
        }
        (8, _) => (session, Request::NewOrder(NewOrder { ord_type: OrdType::Market, price: None, ..order })),
        (9..=10, _) => {
            let time_in_force = TimeInForce::ImmediateOrCancel;
            (session, Request::NewOrder(NewOrder { time_in_force, ..order }))
        }
        (11, _) => (session, Request::NewOrder(NewOrder { time_in_force: TimeInForce::FillOrKill, ..order })),
        _ => (session, Request::NewOrder(order)),
    }
}

/// Does the same in the oracle.
pub(crate) fn mirror(oracle: &mut Oracle, session: SessionId, request: &Request) {
    match request {
        Request::NewOrder(order) => oracle.place(session, order),
        Request::Cancel(it) => {
            oracle.cancel(session, &it.cl_ord_id.to_string(), &it.orig_cl_ord_id.to_string())
        }
        Request::Replace(it) => oracle.replace(session, &it.orig_cl_ord_id.to_string(), &it.order),
        other => panic!("not order flow: {other:?}"),
    }
}

/// What the unit has said of each order, by session and newest name.
#[derive(Default)]
struct Heard {
    names: BTreeMap<u64, (SessionId, String)>,
    orders: BTreeMap<u64, (OrdStatus, i64, i64)>,
    trades: Vec<(i64, i64)>,
}

impl Heard {
    fn take(&mut self, events: &[Event]) {
        for event in events {
            if let Event::Trade(trade) = event {
                self.trades.push((trade.price.mantissa, trade.quantity.mantissa));
            }
        }
        for session in [ALICE, BOB, BOTH] {
            for message in messages(events, session) {
                let Message::Execution(report) = message else { continue };
                if report.order_id != 0 && report.exec_type != ExecType::Rejected {
                    let name = (session, report.cl_ord_id.to_string());
                    self.names.insert(report.order_id, name);
                    let numbers = (report.ord_status, report.cum_qty.mantissa, report.leaves_qty.mantissa);
                    self.orders.insert(report.order_id, numbers);
                }
            }
        }
    }

    fn by_name(&self) -> Vec<(SessionId, String, OrdStatus, i64, i64)> {
        // Ids rise with time, as the oracle's list does.
        let all = self.orders.iter().map(|(id, numbers)| (&self.names[id], numbers));
        all.map(|((session, name), it)| (*session, name.clone(), it.0, it.1, it.2)).collect()
    }
}

fn expected(oracle: &Oracle) -> Vec<(SessionId, String, OrdStatus, i64, i64)> {
    let open = |it: &Kept| if it.status.is_live() { it.quantity - it.traded } else { 0 };
    oracle.orders.iter().map(|it| (it.session, it.name.clone(), it.status, it.traded, open(it))).collect()
}

#[test]
fn random_order_flow_leaves_what_a_slow_obvious_exchange_leaves() {
    for seed in 0..8 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut desk = Desk::logged_on();
        let (mut oracle, mut heard) = (Oracle::default(), Heard::default());
        for number in 0..1_500 {
            if number % 400 == 399 {
                let next_day = desk.unit.next_day_end().expect("the desk's day ends");
                heard.take(&desk.wait_until(next_day.0 + SECOND));
                oracle.end_day();
            }
            let (session, request) = random_request(&mut random, number, &oracle);
            mirror(&mut oracle, session, &request);
            heard.take(&desk.fix(session, Body::Application(request.clone())));
            let shown = format!("seed {seed}, message {number}: {request:?}");
            assert_eq!(heard.trades, oracle.trades, "{shown}");
            assert_eq!(desk.levels(decalog_exchange::engine::Side::Buy), oracle.levels(true), "{shown}");
            assert_eq!(desk.levels(decalog_exchange::engine::Side::Sell), oracle.levels(false), "{shown}");
            if number % 50 == 0 {
                assert_eq!(heard.by_name(), expected(&oracle), "{shown}");
            }
        }
        assert_eq!(heard.by_name(), expected(&oracle), "seed {seed}");
        assert!(oracle.trades.len() > 300, "seed {seed}: {} trades", oracle.trades.len());
    }
}
