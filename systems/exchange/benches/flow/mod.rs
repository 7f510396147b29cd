//! Order flows for tests and benchmarks of order books: the same messages from the same seed, whoever reads them.
//!
//! A flow knows no engine. While it is made, [`market`] follows which orders still rest, so that cancels and replaces name live
//! orders, as a venue's do. Included by path from the engine's tests, its micro-benchmark and `bench/peers`.

mod market;

use fastrand::Rng;
use market::Market;

/// What a participant sends. Orders are numbered 0, 1, 2… in the order of their arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// A new limit order.
    New {
        /// Its number.
        order: u32,
        /// Buy or sell.
        buy: bool,
        /// Limit in ticks.
        price: i64,
        /// Lots.
        quantity: u64,
        /// Immediate-or-cancel; otherwise it rests.
        ioc: bool,
    },
    /// Takes a live order out.
    Cancel {
        /// Its number.
        order: u32,
    },
    /// Moves a live order to another price, or asks for more at the same price. It loses its place either way.
    Replace {
        /// Its number.
        order: u32,
        /// New limit.
        price: i64,
        /// New open quantity.
        quantity: u64,
    },
}

/// A flow to be replayed.
#[derive(Clone, Debug)]
pub struct Flow {
    /// What it is called in tables.
    pub name: &'static str,
    /// Fills the book; not measured.
    pub warm_up: Vec<Message>,
    /// What is measured.
    pub messages: Vec<Message>,
    /// How many orders the flow numbers.
    pub orders: u32,
    /// What became of the measured part's orders.
    pub census: Census,
}

/// What became of orders, and what their messages did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Census {
    /// New orders.
    pub new: u32,
    /// Of these, immediate-or-cancel.
    pub ioc: u32,
    /// Orders replaced at least once.
    pub replaced: u32,
    /// Orders that ended filled.
    pub filled: u32,
    /// Orders that ended cancelled, IOC residues included.
    pub cancelled: u32,
    /// Trades.
    pub trades: u32,
    /// Lots traded.
    pub volume: u64,
}

/// The kind of market a flow comes from.
#[derive(Clone, Copy, Debug)]
struct Shape {
    name: &'static str,
    /// Orders that rest, roughly, at all times.
    live: usize,
    /// How far from the centre orders rest, in ticks.
    reach: i64,
    /// 1: evenly spread over the reach; 2, 3: denser towards the centre.
    crowding: i32,
    /// Percent of new orders that are immediate-or-cancel.
    ioc: u32,
    /// Percent of those that are priced to trade.
    hits: u32,
    /// The centre, as a factor of [`BASE`], at a time in 0..1.
    path: fn(f64) -> f64,
    /// Whether sellers sell forty times as much, at any price, while the centre falls.
    panic: bool,
}

/// The price, in ticks, around which all flows start.
const BASE: f64 = 100_000.0;

fn still(_: f64) -> f64 {
    1.0
}

/// Four swings of this much, up and down.
fn swing(much: f64, time: f64) -> f64 {
    1.0 + much * (time * 4.0 * std::f64::consts::TAU).sin()
}

/// Down by 35 % within a tenth of the time, back within four tenths.
fn crash(time: f64) -> f64 {
    match time {
        ..0.4 => 1.0,
        ..0.5 => 1.0 - 0.35 * (time - 0.4) * 10.0,
        ..0.9 => 0.65 + 0.35 * (time - 0.5) * 2.5,
        _ => 1.0,
    }
}

const NORMAL: Shape = Shape {
    name: "normal",
    live: 10_000,
    reach: 2_000,
    crowding: 3,
    ioc: 15,
    hits: 14,
    path: still,
    panic: false,
};

const SHAPES: [Shape; 6] = [
    NORMAL,
    Shape { name: "swing 25%", live: 20_000, ioc: 50, hits: 50, path: |time| swing(0.25, time), ..NORMAL },
    Shape { name: "swing 40%", live: 20_000, ioc: 50, hits: 50, path: |time| swing(0.40, time), ..NORMAL },
    Shape {
        name: "flash crash",
        live: 100_000,
        reach: 20_000,
        crowding: 2,
        ioc: 30,
        hits: 30,
        path: crash,
        panic: true,
    },
    Shape { name: "wide book", live: 100_000, reach: 50_000, crowding: 1, ..NORMAL },
    Shape { name: "deep book", live: 500_000, reach: 12, crowding: 1, ..NORMAL },
];

/// All flows, with this many measured messages each.
pub fn all(messages: usize, seed: u64) -> impl Iterator<Item = Flow> {
    SHAPES.into_iter().map(move |shape| Maker::new(shape, seed).make(messages))
}

/// Makes one flow.
struct Maker {
    shape: Shape,
    random: Rng,
    market: Market,
    falling: bool,
    centre: i64,
}

impl Maker {
    fn new(shape: Shape, seed: u64) -> Self {
        Self { shape, random: Rng::with_seed(seed), market: Market::default(), falling: false, centre: 0 }
    }

    fn make(mut self, count: usize) -> Flow {
        self.move_to(0.0);
        let mut warm_up = Vec::with_capacity(self.shape.live);
        while self.market.live() < self.shape.live {
            warm_up.push(self.passive());
        }
        self.market.census = Census::default();
        let mut messages = Vec::with_capacity(count);
        for step in 0..count {
            self.move_to(step as f64 / count as f64);
            messages.push(self.message());
        }
        let Market { census, .. } = self.market;
        Flow { name: self.shape.name, warm_up, messages, orders: self.market.orders(), census }
    }

    #[expect(clippy::cast_possible_truncation, reason = "far below 2^53")]
    fn move_to(&mut self, time: f64) {
        let centre = (BASE * (self.shape.path)(time)) as i64;
        self.falling = centre < self.centre;
        self.centre = centre;
    }

    fn message(&mut self) -> Message {
        if self.random.u32(0..100) < 10 {
            return self.replace();
        }
        if self.market.live() > self.shape.live {
            let order = self.pick();
            self.market.cancel(order);
            return Message::Cancel { order };
        }
        if self.random.u32(0..100) < self.shape.ioc { self.immediate() } else { self.passive() }
    }

    /// Half the time one of the youngest orders: they are the ones that most often go.
    fn pick(&mut self) -> u32 {
        let live = self.market.live();
        let among = if self.random.bool() { live.min(256) } else { live };
        self.market.nth_live(live - 1 - self.random.usize(0..among))
    }

    fn passive(&mut self) -> Message {
        let buy = self.random.bool();
        let price = self.resting_price(buy);
        let quantity = self.random.u64(1..=100);
        self.enter(buy, price, quantity, false)
    }

    fn immediate(&mut self) -> Message {
        let buy = self.random.bool();
        let mut quantity = self.random.u64(1..=100);
        let outward = if buy { 1 } else { -1 };
        if self.shape.panic && self.falling && !buy {
            quantity *= 40;
            return self.enter(buy, self.centre - self.shape.reach, quantity, true);
        }
        let reach = if self.random.u32(0..100) < self.shape.hits {
            40.max(self.shape.reach / 50)
        } else {
            -self.shape.reach
        };
        self.enter(buy, self.centre + outward * reach, quantity, true)
    }

    fn replace(&mut self) -> Message {
        let order = self.pick();
        let (buy, old, mut quantity) = self.market.order(order);
        let price = if self.random.u32(0..10) < 7 { self.resting_price(buy) } else { old };
        if price == old {
            quantity += self.random.u64(1..=10);
        }
        self.market.replace(order, price, quantity);
        Message::Replace { order, price, quantity }
    }

    #[expect(clippy::cast_possible_truncation, reason = "far below 2^53")]
    fn resting_price(&mut self, buy: bool) -> i64 {
        let share = self.random.f64().powi(self.shape.crowding);
        let distance = 1 + (share * self.shape.reach as f64) as i64;
        if buy { self.centre - distance } else { self.centre + distance }
    }

    fn enter(&mut self, buy: bool, price: i64, quantity: u64, ioc: bool) -> Message {
        let order = self.market.submit(buy, price, quantity, ioc);
        Message::New { order, buy, price, quantity, ioc }
    }
}
