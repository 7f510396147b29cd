//! What a message costs on the hot path: framing, index, validation and typed reading of a NewOrderSingle, and
//! writing an ExecutionReport. Prints nanoseconds per message, the best and the median of many short rounds.

use std::hint::black_box;
use std::time::Instant;

use decalog_fix::codec::{Encoder, Frame, Framed, Framer, Parser, Rules, Stamp};
use decalog_fix::decimal::Decimal;
use decalog_fix::dictionary::MsgType;
use decalog_fix::guard::{Guard, Identity};
use decalog_fix::message::{
    ExecType, ExecutionReport, HandlInst, NewOrderSingle, OrdStatus, OrdType, Side, TimeInForce,
};
use decalog_fix::time::Timestamp;

const ROUNDS: usize = 200;
const MESSAGES: u32 = 5_000;
const NOW: Timestamp = Timestamp(1_790_000_000_123_000_000);

fn main() {
    let order = order();
    println!("NewOrderSingle, {} bytes", order.len());
    measure(
        "  frame (length, checksum)",
        |framer: &mut Framer| {
            framer.push(&order);
            assert!(matches!(framer.next_frame(), Ok(Some(Framed::Message(_)))));
        },
        Framer::new(65_536),
    );
    measure(
        "  index",
        |parser: &mut Parser| {
            black_box(parser.parse(Frame { bytes: black_box(&order) }));
        },
        Parser::new(),
    );
    measure(
        "  index + validate",
        |parser: &mut Parser| {
            let message = parser.parse(Frame { bytes: black_box(&order) });
            assert!(message.validate(Rules::default()).is_ok());
        },
        Parser::new(),
    );
    measure(
        "  index + validate + read as a type",
        |parser: &mut Parser| {
            let message = parser.parse(Frame { bytes: black_box(&order) });
            assert!(message.validate(Rules::default()).is_ok());
            black_box(NewOrderSingle::decode(&message).expect("a valid order"));
        },
        Parser::new(),
    );
    let mut guard = Guard::new(Rules::default());
    guard.bind(Identity { ours: "EXCHANGE".into(), theirs: "CLIENT".into() });
    measure(
        "  frame + guard + read: bytes to a session's input",
        |(framer, guard): &mut (Framer, Guard)| {
            framer.push(&order);
            let Ok(Some(Framed::Message(frame))) = framer.next_frame() else {
                unreachable!("a whole message")
            };
            let inbound =
                guard.check(frame, |message| Ok(NewOrderSingle::decode(message)?.order_qty.mantissa));
            black_box(inbound);
        },
        (Framer::new(65_536), guard),
    );

    let report = report();
    let mut out = Vec::new();
    Encoder::default().write(MsgType::ExecutionReport, &stamp(), &mut out, |body| report.encode(body));
    println!("ExecutionReport, {} bytes", out.len());
    measure(
        "  write",
        |(encoder, out): &mut (Encoder, Vec<u8>)| {
            out.clear();
            encoder.write(MsgType::ExecutionReport, &stamp(), out, |body| black_box(&report).encode(body));
        },
        (Encoder::default(), Vec::new()),
    );
}

fn measure<S>(name: &str, mut one: impl FnMut(&mut S), mut state: S) {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..MESSAGES {
                one(&mut state);
            }
            start.elapsed().as_secs_f64() * 1e9 / f64::from(MESSAGES)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!("{name:52} {:7.0} ns best {:7.0} ns median", rounds[0], rounds[ROUNDS / 2]);
}

fn stamp() -> Stamp<'static> {
    Stamp::new("EXCHANGE", "CLIENT", 123_456, NOW)
}

fn order() -> Vec<u8> {
    let order = NewOrderSingle {
        account: Some("ACC-1"),
        cl_ord_id: "ORDER-0000000001",
        handl_inst: Some(HandlInst::AutomatedExecutionNoIntervention),
        exec_inst: None,
        order_qty: Decimal::from(1500),
        ord_type: OrdType::Limit,
        price: Some(Decimal::new(10_025, 2)),
        side: Side::Buy,
        symbol: "ACME",
        text: None,
        time_in_force: Some(TimeInForce::Day),
        transact_time: NOW,
        stop_px: None,
        min_qty: None,
        max_floor: None,
        expire_time: None,
        expire_date: None,
    };
    let mut out = Vec::new();
    let stamp = Stamp::new("CLIENT", "EXCHANGE", 123_456, NOW);
    Encoder::default().write(MsgType::NewOrderSingle, &stamp, &mut out, |body| order.encode(body));
    out
}

fn report() -> ExecutionReport<'static> {
    ExecutionReport {
        account: Some("ACC-1"),
        avg_px: Decimal::new(10_025, 2),
        cl_ord_id: Some("ORDER-0000000001"),
        cum_qty: Decimal::from(500),
        exec_id: "1234567890123456789",
        exec_ref_id: None,
        last_px: Some(Decimal::new(10_025, 2)),
        last_qty: Some(Decimal::from(500)),
        order_id: "1234567890123456780",
        order_qty: Some(Decimal::from(1500)),
        ord_status: OrdStatus::PartiallyFilled,
        ord_type: Some(OrdType::Limit),
        orig_cl_ord_id: None,
        price: Some(Decimal::new(10_025, 2)),
        side: Side::Buy,
        symbol: "ACME",
        text: None,
        time_in_force: Some(TimeInForce::Day),
        transact_time: Some(NOW),
        ord_rej_reason: None,
        exec_type: ExecType::Trade,
        leaves_qty: Decimal::from(1000),
        ord_status_req_id: None,
    }
}
