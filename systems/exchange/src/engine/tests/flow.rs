//! The benchmarks' flows are what they claim to be, and the book trades on them what the plain market of their maker trades.

#[path = "../../../benches/flow/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the benchmarks, which use more of it")]
mod flows;

use flows::{Flow, Message};

use super::*;

fn id(order: u32) -> OrderId {
    // Milliseconds, unit and counter, as the exchange makes them.
    OrderId(u64::from(order / 1000) << 22 | 7 << 12 | u64::from(order % 1000))
}

fn replay(book: &mut OrderBook, messages: &[Message], record: &mut Record) {
    for message in messages {
        let done = match *message {
            Message::New { order, buy, price, quantity, ioc: is_ioc } => {
                let side = if buy { Side::Buy } else { Side::Sell };
                let order = limit(id(order).0, side, price, quantity);
                let time_in_force = if is_ioc { TimeInForce::ImmediateOrCancel } else { TimeInForce::Day };
                book.submit(&NewOrder { time_in_force, ..order }, record).map(|_| ())
            }
            Message::Cancel { order } => book.cancel(id(order), record).map(|_| ()),
            Message::Replace { order, price, quantity } => {
                book.replace(id(order), Price(price), Quantity(quantity), record).map(|_| ())
            }
        };
        assert_eq!(done, Ok(()), "{message:?}");
    }
}

fn check(flow: &Flow) {
    let mut book = OrderBook::new(SelfTrade::Allow);
    replay(&mut book, &flow.warm_up, &mut Record::default());
    let mut record = Record::default();
    replay(&mut book, &flow.messages, &mut record);
    let trades = record.trades();
    let volume: u64 = trades.iter().map(|&(_, _, _, quantity)| quantity).sum();
    assert_eq!(trades.len(), flow.census.trades as usize, "{}", flow.name);
    assert_eq!(volume, flow.census.volume, "{}", flow.name);
}

#[test]
fn flows_are_as_described_and_trade_alike() {
    for flow in flows::all(100_000, 1) {
        let census = flow.census;
        let percent = |part: u32, whole: u32| f64::from(part) * 100.0 / f64::from(whole);
        let ended = census.filled + census.cancelled;
        if flow.name == "normal" {
            assert!((percent(census.cancelled, ended) - 95.0).abs() < 1.5, "{census:?}");
            assert!((percent(census.ioc, census.new) - 15.0).abs() < 1.5, "{census:?}");
            assert!((percent(census.replaced, census.new) - 20.0).abs() < 4.0, "{census:?}");
        }
        if flow.name.starts_with("swing") {
            assert!((percent(census.ioc, census.new) - 50.0).abs() < 1.5, "{census:?}");
        }
        assert!(census.trades > 500, "{}: {census:?}", flow.name);
        check(&flow);
    }
}
