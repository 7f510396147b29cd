//! Random flows: the book and the reference book must give the same results, the same reports and the same resting orders.
//! Prices are few, so that orders meet; ids come back, so that duplicates and unknown orders occur.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::reference::ReferenceBook;
use super::*;

#[derive(Clone, Debug)]
enum Request {
    Submit(NewOrder),
    Cancel(OrderId),
    Replace(OrderId, Price, Quantity),
    /// A replace at the price that the order has.
    Resize(OrderId, Quantity),
}

fn price() -> impl Strategy<Value = Price> {
    prop_oneof![
        24 => (95i64..=105).prop_map(Price),
        4 => (-300i64..=300).prop_map(Price),
        1 => prop_oneof![
            Just(Price::MIN), Just(Price::MAX), Just(Price(i64::MIN)), Just(Price(i64::MAX)),
            Just(Price(Price::MAX.0 + 1)), Just(Price(10_000_000)), Just(Price(-10_000_000)),
        ],
    ]
}

fn quantity() -> impl Strategy<Value = Quantity> {
    prop_oneof![
        40 => (1u64..=12).prop_map(Quantity),
        1 => prop_oneof![Just(0), Just(u64::MAX), Just(1 << 40), Just((1 << 40) - 1)].prop_map(Quantity),
    ]
}

fn new_order() -> impl Strategy<Value = NewOrder> {
    let kind = prop_oneof![9 => price().prop_map(Kind::Limit), 1 => Just(Kind::Market)];
    let time_in_force = prop_oneof![
        6 => Just(TimeInForce::Day), 2 => Just(TimeInForce::GoodTillCancel),
        2 => Just(TimeInForce::ImmediateOrCancel), 2 => Just(TimeInForce::FillOrKill),
    ];
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    (id(), 0u32..4, side, kind, quantity(), time_in_force).prop_map(
        |(id, owner, side, kind, quantity, time_in_force)| NewOrder {
            id,
            owner: Owner(owner),
            side,
            kind,
            quantity,
            time_in_force,
        },
    )
}

fn id() -> impl Strategy<Value = OrderId> {
    // Strided like ids that sort by time, and few enough to come back.
    (0u64..60).prop_map(|id| OrderId(id << 22 | 7 << 12))
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        6 => new_order().prop_map(Request::Submit),
        2 => id().prop_map(Request::Cancel),
        2 => (id(), price(), quantity()).prop_map(|(id, price, open)| Request::Replace(id, price, open)),
        1 => (id(), quantity()).prop_map(|(id, open)| Request::Resize(id, open)),
    ]
}

/// How often each thing happened: a flow that never reaches a rule would prove nothing about it.
#[derive(Debug, Default)]
struct Seen {
    trades: u32,
    crossing_replaces: u32,
    kept_places: u32,
    killed: u32,
    residues: u32,
    self_trades: u32,
    refusals: [u32; 8],
}

impl Seen {
    fn note(&mut self, request: &Request, reports: &[Report], refusal: Option<Refusal>) {
        for report in reports {
            match report {
                Report::Trade(_) => self.trades += 1,
                Report::Replaced(_, true) => self.kept_places += 1,
                Report::Cancelled(_, _, _, CancelReason::NotFillable) => self.killed += 1,
                Report::Cancelled(_, _, _, CancelReason::Residue) => self.residues += 1,
                Report::Cancelled(_, _, _, CancelReason::SelfTrade) => self.self_trades += 1,
                _ => {}
            }
        }
        let traded = reports.iter().any(|report| matches!(report, Report::Trade(_)));
        self.crossing_replaces += u32::from(traded && matches!(request, Request::Replace(..)));
        if let Some(refusal) = refusal {
            self.refusals[refusal as usize] += 1;
        }
    }
}

fn run(policy: SelfTrade, requests: &[Request], seen: &mut Seen) -> Result<(), TestCaseError> {
    let mut book = OrderBook::new(policy);
    let mut reference = ReferenceBook::new(policy);
    for request in requests {
        let mut record = Record::default();
        reference.reports.clear();
        let refusal = match request {
            Request::Submit(order) => {
                let result = book.submit(order, &mut record);
                prop_assert_eq!(result, reference.submit(order), "{:?}", request);
                result.err()
            }
            Request::Cancel(id) => {
                let result = book.cancel(*id, &mut record);
                prop_assert_eq!(result, reference.cancel(*id), "{:?}", request);
                result.err()
            }
            Request::Replace(id, price, open) => {
                let result = book.replace(*id, *price, *open, &mut record);
                prop_assert_eq!(result, reference.replace(*id, *price, *open), "{:?}", request);
                result.err()
            }
            Request::Resize(id, open) => {
                let price = reference.find(*id).map_or(Price(0), |order| order.price);
                let result = book.replace(*id, price, *open, &mut record);
                prop_assert_eq!(result, reference.replace(*id, price, *open), "{:?}", request);
                result.err()
            }
        };
        prop_assert_eq!(&record.0, &reference.reports, "reports of {:?}", request);
        seen.note(request, &record.0, refusal);
        check_queries(&book, &reference)?;
    }
    Ok(())
}

/// Every question gives what the reference holds, and the digest kept along is that of a book built from the orders alone.
fn check_queries(book: &OrderBook, reference: &ReferenceBook) -> Result<(), TestCaseError> {
    let resting: Vec<RestingOrder> = book.resting().collect();
    prop_assert_eq!(&resting, &reference.resting());
    prop_assert_eq!(book.len() as usize, resting.len());
    let mut restored = OrderBook::new(SelfTrade::Allow);
    for order in &resting {
        prop_assert_eq!(book.get(order.id), Some(*order));
        prop_assert_eq!(restored.restore(order), Ok(()));
    }
    prop_assert_eq!(restored.digest(), book.digest());
    for side in Side::BOTH {
        let mut orders = 0;
        for level in book.levels(side) {
            prop_assert!(level.orders > 0, "a phantom level: {:?}", level);
            let of_level = || resting.iter().filter(|o| o.side == side && o.price == level.price);
            prop_assert_eq!(level.orders as usize, of_level().count());
            prop_assert_eq!(level.quantity.0, of_level().map(|order| order.quantity.0).sum::<u64>());
            prop_assert_eq!(book.level(side, level.price), Some(level));
            prop_assert_eq!(book.level(side.opposite(), level.price), None);
            orders += level.orders;
        }
        prop_assert_eq!(orders as usize, resting.iter().filter(|order| order.side == side).count());
        prop_assert_eq!(book.best(side), book.levels(side).next());
    }
    Ok(())
}

#[test]
fn book_and_reference_agree_on_random_flows() {
    let mut runner = TestRunner::new(Config { cases: 600, failure_persistence: None, ..Config::default() });
    let policy = prop_oneof![
        2 => Just(SelfTrade::Allow), 1 => Just(SelfTrade::CancelResting), 1 => Just(SelfTrade::CancelNewest),
    ];
    let flows = (policy, prop::collection::vec(request(), 1..250));
    let seen = std::cell::RefCell::new(Seen::default());
    runner
        .run(&flows, |(policy, requests)| run(policy, &requests, &mut seen.borrow_mut()))
        .unwrap_or_else(|failure| panic!("{failure}"));
    let seen = seen.into_inner();
    let counts =
        [seen.trades, seen.crossing_replaces, seen.kept_places, seen.killed, seen.residues, seen.self_trades];
    assert!(counts.iter().all(|&count| count > 100), "a rule was hardly met: {seen:?}");
    assert!(seen.refusals[1..=5].iter().all(|&count| count > 100), "a refusal was hardly met: {seen:?}");
}
