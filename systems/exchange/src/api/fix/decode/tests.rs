//! Messages become requests; what they ask for beyond the exchange is carried along or refused by the protocol's means.

use decalog_fix::codec::{Encoder, Framed, Framer, Parser, Stamp};
use decalog_fix::time::Timestamp;

use super::*;

/// Decodes a message of these fields.
fn request(msg_type: MsgType, fields: &[(u16, &str)]) -> Result<Request, Refusal> {
    let mut bytes = Vec::new();
    Encoder::default().write(msg_type, &Stamp::new("A", "B", 1, Timestamp(0)), &mut bytes, |body| {
        for (tag, value) in fields {
            body.text(*tag, value);
        }
    });
    let mut framer = Framer::new(1 << 20);
    framer.push(&bytes);
    let Some(Framed::Message(frame)) = framer.next_frame().unwrap() else { panic!("a whole message") };
    decode(&Parser::new().parse(frame))
}

const ORDER: [(u16, &str); 7] = [
    (tag::CL_ORD_ID, "C1"),
    (tag::SYMBOL, "ACME"),
    (tag::SIDE, "1"),
    (tag::TRANSACT_TIME, "20240101-00:00:00"),
    (tag::ORDER_QTY, "100"),
    (tag::ORD_TYPE, "2"),
    (tag::PRICE, "10.50"),
];

fn with(more: &[(u16, &'static str)]) -> Vec<(u16, &'static str)> {
    ORDER
        .iter()
        .copied()
        .filter(|(tag, _)| more.iter().all(|(other, _)| other != tag))
        .chain(more.iter().copied())
        .collect()
}

fn order(fields: &[(u16, &str)]) -> NewOrder {
    match request(MsgType::NewOrderSingle, fields) {
        Ok(Request::NewOrder(order)) => order,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_order_is_read_with_its_defaults() {
    let order = order(&ORDER);
    assert_eq!(
        (order.side, order.ord_type, order.time_in_force),
        (Side::Buy, OrdType::Limit, TimeInForce::Day)
    );
    assert_eq!(order.price.and_then(|price| price.at_scale(2)), Some(1_050));
    assert_eq!((order.account.is_empty(), order.unsupported_tag), (true, 0));
}

#[test]
fn what_is_not_supported_is_carried_along() {
    assert_eq!(order(&with(&[(tag::MAX_FLOOR, "5")])).unsupported_tag, u32::from(tag::MAX_FLOOR));
    assert_eq!(order(&with(&[(tag::MIN_QTY, "0")])).unsupported_tag, 0);
    assert_eq!(order(&with(&[(tag::SIDE, "5")])).side, Side::Other(b'5'));
    assert_eq!(order(&with(&[(tag::TIME_IN_FORCE, "6")])).time_in_force, TimeInForce::Other(b'6'));
}

#[test]
fn a_limit_order_without_a_price_is_refused() {
    let fields: Vec<_> = ORDER.into_iter().filter(|(tag, _)| *tag != tag::PRICE).collect();
    let refusal = request(MsgType::NewOrderSingle, &fields).unwrap_err();
    assert_eq!(refusal, Refusal::Field(FieldError::Missing(tag::PRICE)));
}

#[test]
fn an_id_too_long_to_be_written_back_is_refused_but_a_symbol_is_just_unknown() {
    let long = "X".repeat(37);
    let mut fields = ORDER.to_vec();
    fields[0].1 = &long;
    let refusal = request(MsgType::NewOrderSingle, &fields).unwrap_err();
    assert_eq!(refusal, Refusal::Field(FieldError::Value(tag::CL_ORD_ID)));
    let mut fields = ORDER.to_vec();
    fields[1].1 = &long;
    assert_eq!(order(&fields).symbol.as_bytes().len(), 16);
}

#[test]
fn an_order_id_that_is_none_of_ours_is_0() {
    for (text, id) in [("17", 17), ("NONE", 0), ("-1", 0), ("99999999999999999999", 0)] {
        let fields = [
            (tag::CL_ORD_ID, "C2"),
            (tag::ORIG_CL_ORD_ID, "C1"),
            (tag::ORDER_ID, text),
            (tag::SYMBOL, "ACME"),
            (tag::SIDE, "1"),
            (tag::TRANSACT_TIME, "20240101-00:00:00"),
        ];
        let Ok(Request::Cancel(cancel)) = request(MsgType::OrderCancelRequest, &fields) else {
            panic!("{text}")
        };
        assert_eq!(cancel.order_id, Some(id));
    }
}

#[test]
fn other_messages_are_not_served() {
    assert_eq!(request(MsgType::QuoteRequest, &[]).unwrap_err(), Refusal::Unsupported);
}
