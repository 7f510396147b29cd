//! Everything that goes out keeps the dictionary's rules, and says what the event says.

use decalog_fix::codec::{Framed, Framer, Parser, Rules};
use decalog_fix::message;

use super::*;
use crate::command::{Instrument, SelfTrade};
use crate::event::{CxlRejReason, CxlRejResponseTo, EntryType, Fill, OrdRejReason, UpdateAction};
use crate::value::{
    AccountName, ClOrdId, ExecType, OrdStatus, OrdType, RequestId, SessionId, Side, Symbol, TimeInForce,
};

const TIME: i64 = 1_700_000_000_123_456_789;

fn identity() -> Identity {
    Identity { ours: "EXCHANGE".to_owned(), theirs: "ALICE".to_owned() }
}

fn outbound(message: Message) -> Outbound {
    Outbound { session: SessionId(1), connection: None, seq: 7, time: TIME, route: None, message }
}

/// Encodes, checks against the dictionary, and gives the parsed message to `look`.
fn checked(message: Message, look: impl FnOnce(&decalog_fix::codec::Message<'_>)) {
    let mut bytes = Vec::new();
    encode(&mut Encoder::default(), &identity(), &outbound(message), &mut bytes);
    read(&bytes, look);
}

fn read(bytes: &[u8], look: impl FnOnce(&decalog_fix::codec::Message<'_>)) {
    let mut framer = Framer::new(1 << 20);
    framer.push(bytes);
    let Some(Framed::Message(frame)) = framer.next_frame().unwrap() else { panic!("a whole message") };
    let mut parser = Parser::new();
    let message = parser.parse(frame);
    message.validate(Rules::default()).unwrap_or_else(|error| panic!("{error:?}"));
    look(&message);
}

fn report() -> ExecutionReport {
    ExecutionReport {
        order_id: 42,
        exec_id: ExecId { unit: 3, number: 9 },
        cl_ord_id: ClOrdId::new("C2").unwrap(),
        orig_cl_ord_id: ClOrdId::new("C1").unwrap(),
        status_request_id: RequestId::EMPTY,
        exec_type: ExecType::Trade,
        ord_status: OrdStatus::PartiallyFilled,
        reject_reason: None,
        account: AccountName::new("ACC").unwrap(),
        symbol: Symbol::new("ACME").unwrap(),
        side: Side::Sell,
        ord_type: OrdType::Limit,
        time_in_force: TimeInForce::Day,
        order_qty: Some(Decimal::new(100, 0)),
        price: Some(Decimal::new(10_050, 2)),
        last: Some(Fill { quantity: Decimal::new(30, 0), price: Decimal::new(10_100, 2) }),
        leaves_qty: Decimal::new(70, 0),
        cum_qty: Decimal::new(30, 0),
        avg_px: Decimal::new(101_000_000, 6),
        transact_time: TIME,
        text: Text::EMPTY,
    }
}

#[test]
fn a_fill_says_everything() {
    checked(Message::Execution(report()), |message| {
        let read = message::ExecutionReport::decode(message).unwrap();
        assert_eq!((read.order_id, read.exec_id), ("42", "3-9"));
        assert_eq!((read.cl_ord_id, read.orig_cl_ord_id), (Some("C2"), Some("C1")));
        assert_eq!(read.last_px, Some(FixDecimal::new(101, 0)));
        assert_eq!(message.get(tag::PRICE), Some(&b"100.50"[..]), "all digits of the scale");
        assert_eq!((read.ord_status.wire(), read.exec_type.wire(), read.side.wire()), ("1", "F", "2"));
        assert_eq!(read.transact_time.map(|time| time.0), Some(TIME / 1_000_000 * 1_000_000));
    });
}

#[test]
fn a_rejection_names_no_order_of_ours() {
    let rejected = ExecutionReport {
        order_id: 0,
        exec_type: ExecType::Rejected,
        ord_status: OrdStatus::Rejected,
        reject_reason: Some(OrdRejReason::UnknownSymbol),
        order_qty: None,
        price: None,
        last: None,
        text: Text::cut("no such instrument"),
        ..report()
    };
    checked(Message::Execution(rejected), |message| {
        assert_eq!(message.get(tag::ORDER_ID), Some(&b"NONE"[..]));
        assert_eq!(message.get(tag::ORD_REJ_REASON), Some(&b"1"[..]));
        assert_eq!(message.get(tag::ORDER_QTY), None);
    });
}

#[test]
fn every_other_message_keeps_the_dictionary() {
    let entry = MarketDataEntry {
        action: UpdateAction::Change,
        kind: EntryType::Bid,
        price: Decimal::new(10_050, 2),
        size: Decimal::new(5, 0),
        orders: 2,
        time: TIME,
    };
    let request_id = RequestId::new("R").unwrap();
    let symbol = Symbol::new("ACME").unwrap();
    let instrument = Instrument {
        symbol,
        price_scale: 2,
        tick_size: 1,
        quantity_scale: 0,
        lot_size: 10,
        price_low: 1,
        price_high: 100,
        quantity_max: 1_000,
        self_trade: SelfTrade::Allow,
    };
    let list = |result, instruments: Vec<Instrument>| {
        let total = u32::try_from(instruments.len()).unwrap();
        let response_id = ExecId { unit: 0, number: 1 };
        SecurityList { request_id, response_id, result, total, last_fragment: true, instruments }
    };
    let cancel_reject = CancelReject {
        order_id: 0,
        cl_ord_id: ClOrdId::new("C2").unwrap(),
        orig_cl_ord_id: ClOrdId::new("C1").unwrap(),
        ord_status: OrdStatus::Rejected,
        response_to: CxlRejResponseTo::Cancel,
        reason: CxlRejReason::UnknownOrder,
        account: AccountName::EMPTY,
        transact_time: TIME,
        text: Text::cut("no such order"),
    };
    for (message, kind) in [
        (Message::CancelReject(cancel_reject), "9"),
        (Message::SecurityList(list(0, vec![instrument])), "y"),
        (Message::SecurityList(list(2, Vec::new())), "y"),
        (
            Message::MarketDataSnapshot(MarketDataSnapshot {
                request_id,
                symbol,
                entries: vec![entry, entry],
            }),
            "W",
        ),
        (
            Message::MarketDataIncremental(MarketDataIncremental {
                request_id,
                symbol,
                entries: vec![entry],
            }),
            "X",
        ),
        (Message::MarketDataReject(MarketDataReject { request_id, reason: b'0', text: Text::EMPTY }), "Y"),
    ] {
        checked(message, |message| assert_eq!(message.msg_type_wire(), kind.as_bytes()));
    }
}

#[test]
fn what_is_sent_again_says_so_and_differs_in_nothing_else() {
    let outbound = outbound(Message::Execution(report()));
    let (mut first, mut again) = (Vec::new(), Vec::new());
    encode(&mut Encoder::default(), &identity(), &outbound, &mut first);
    let now = Timestamp(TIME + 5_000_000_000);
    encode_again(&mut Encoder::default(), &identity(), &outbound, now, &mut again);
    let fields = |bytes: &[u8], without: &[u16]| {
        let mut list = Vec::new();
        read(bytes, |message| {
            let kept =
                message.fields().filter(|field| !without.iter().any(|tag| i32::from(*tag) == field.tag));
            list.extend(kept.map(|field| (field.tag, field.value.to_vec())));
        });
        list
    };
    let stamps =
        [tag::BODY_LENGTH, tag::CHECK_SUM, tag::SENDING_TIME, tag::POSS_DUP_FLAG, tag::ORIG_SENDING_TIME];
    assert_eq!(fields(&first, &stamps), fields(&again, &stamps));
    read(&again, |message| {
        assert_eq!(message.get(tag::POSS_DUP_FLAG), Some(&b"Y"[..]));
        assert_eq!(message.get(tag::ORIG_SENDING_TIME), Some(&b"20231114-22:13:20.123"[..]));
        assert_eq!(message.get(tag::SENDING_TIME), Some(&b"20231114-22:13:25.123"[..]));
    });
}
