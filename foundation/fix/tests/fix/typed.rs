//! Typed messages: what is written is read back, and what is conditionally required is missed.

use decalog_fix::codec::{Encoder, Frame, Framed, Framer, Parser, Rules, Stamp};
use decalog_fix::decimal::Decimal;
use decalog_fix::dictionary::MsgType;
use decalog_fix::message::{
    FieldError, MDEntryType, MDUpdateAction, MarketDataIncrementalRefresh, MarketDataRequest, NewOrderSingle,
    OrdType, RequestedEntryType, RequestedSymbol, Side, SubscriptionRequestType, TimeInForce,
};
use decalog_fix::message::{IncrementalEntry, ListedSecurity, SecurityList, SecurityRequestResult};
use decalog_fix::session::Route;
use decalog_fix::time::Timestamp;
use proptest::prelude::*;

use crate::script::{from_client, shown};

const NOW: Timestamp = Timestamp(1_767_261_600_123_000_000);

fn order() -> NewOrderSingle<'static> {
    NewOrderSingle {
        account: Some("ACC"),
        cl_ord_id: "id-1",
        handl_inst: None,
        exec_inst: None,
        order_qty: Decimal::from(100),
        ord_type: OrdType::Limit,
        price: Some(Decimal::new(1_050, 2)),
        side: Side::Sell,
        symbol: "ACME",
        text: None,
        time_in_force: Some(TimeInForce::ImmediateOrCancel),
        transact_time: NOW,
        stop_px: None,
        min_qty: None,
        max_floor: None,
        expire_time: None,
        expire_date: None,
    }
}

fn write(
    msg_type: MsgType,
    stamp: &Stamp<'_>,
    body: impl FnOnce(&mut decalog_fix::codec::Body<'_>),
) -> Vec<u8> {
    let mut out = Vec::new();
    Encoder::default().write(msg_type, stamp, &mut out, body);
    let mut framer = Framer::new(1 << 16);
    framer.push(&out);
    let Ok(Some(Framed::Message(frame))) = framer.next_frame() else {
        panic!("not framed: {}", shown(&out));
    };
    let mut parser = Parser::new();
    let message = parser.parse(frame);
    assert_eq!(message.validate(Rules::default()), Ok(()), "{}", shown(&out));
    out
}

#[test]
fn an_order_on_the_wire() {
    let stamp = Stamp::new("CLIENT", "EXCHANGE", 7, NOW);
    let bytes = write(MsgType::NewOrderSingle, &stamp, |body| order().encode(body));
    assert_eq!(
        shown(&bytes),
        "8=FIX.4.4|9=135|35=D|34=7|49=CLIENT|52=20260101-10:00:00.123|56=EXCHANGE|1=ACC|11=id-1|38=100|40=2|\
         44=10.50|54=2|55=ACME|59=3|60=20260101-10:00:00.123|10=217|"
    );
}

#[test]
fn a_message_sent_again_says_so() {
    let route = Route { on_behalf_of: [Some("JCD".into()), None, Some("CHI".into())], ..Route::default() };
    let stamp = Stamp { route: Some(&route), ..Stamp::new("CLIENT", "EXCHANGE", 7, NOW) }.again(Timestamp(0));
    let bytes = write(MsgType::NewOrderSingle, &stamp, |body| order().encode(body));
    let text = shown(&bytes);
    assert!(text.contains("|34=7|43=Y|49=CLIENT|"), "{text}");
    assert!(text.contains("|115=JCD|122=19700101-00:00:00.000|144=CHI|1=ACC|"), "{text}");
}

#[test]
fn a_delimiter_in_a_text_forges_no_field() {
    let stamp = Stamp::new("CLIENT", "EXCHANGE", 7, NOW);
    let forged = NewOrderSingle { text: Some("harmless\x0138=1000000"), ..order() };
    let bytes = write(MsgType::NewOrderSingle, &stamp, |body| forged.encode(body));
    assert!(shown(&bytes).contains("|58=harmless|59=3|"));
}

fn decoded(fields: &str) -> Result<Decimal, FieldError> {
    let bytes = from_client("D", 2, fields);
    let mut parser = Parser::new();
    let message = parser.parse(Frame { bytes: &bytes });
    assert_eq!(message.validate(Rules::default()), Ok(()));
    NewOrderSingle::decode(&message).map(|order| order.order_qty)
}

#[test]
fn what_is_conditionally_required_is_missed() {
    let common = "11=id|54=1|55=ACME|60=20260101-10:00:00|";
    assert_eq!(decoded(&format!("{common}38=5|40=1|")), Ok(Decimal::from(5)));
    assert_eq!(decoded(&format!("{common}40=1|")), Err(FieldError::Missing(38)));
    assert_eq!(decoded(&format!("{common}38=5|40=2|")), Err(FieldError::Missing(44)));
    assert_eq!(decoded(&format!("{common}38=5|40=3|")), Err(FieldError::Missing(99)));
    assert_eq!(decoded("11=id|54=1|38=5|40=1|60=20260101-10:00:00|"), Err(FieldError::Missing(55)));
}

#[test]
fn groups_are_read_as_they_were_written() {
    let request = MarketDataRequest {
        md_req_id: "r",
        subscription_request_type: SubscriptionRequestType::SnapshotAndUpdates,
        market_depth: 0,
        md_update_type: None,
        aggregated_book: Some(true),
        md_entry_types: vec![
            RequestedEntryType { md_entry_type: MDEntryType::Bid },
            RequestedEntryType { md_entry_type: MDEntryType::Offer },
        ],
        related_sym: vec![RequestedSymbol { symbol: "ACME" }, RequestedSymbol { symbol: "EMCA" }],
    };
    let stamp = Stamp::new("CLIENT", "EXCHANGE", 7, NOW);
    let bytes = write(MsgType::MarketDataRequest, &stamp, |body| request.encode(body));
    let mut parser = Parser::new();
    assert_eq!(MarketDataRequest::decode(&parser.parse(Frame { bytes: &bytes })), Ok(request));

    let refresh = MarketDataIncrementalRefresh {
        md_req_id: None,
        md_entries: vec![IncrementalEntry {
            md_update_action: MDUpdateAction::Change,
            md_entry_type: MDEntryType::Bid,
            md_entry_id: Some("1"),
            symbol: Some("ACME"),
            md_entry_px: Some(Decimal::new(-5, 1)),
            md_entry_size: Some(Decimal::from(3)),
            number_of_orders: Some(2),
            md_entry_position_no: Some(1),
        }],
    };
    let bytes = write(MsgType::MarketDataIncrementalRefresh, &stamp, |body| refresh.encode(body));
    let mut parser = Parser::new();
    assert_eq!(MarketDataIncrementalRefresh::decode(&parser.parse(Frame { bytes: &bytes })), Ok(refresh));

    let list = SecurityList {
        security_req_id: "q",
        security_response_id: "a",
        tot_no_related_sym: Some(1),
        security_request_result: SecurityRequestResult::ValidRequest,
        last_fragment: Some(true),
        related_sym: vec![ListedSecurity {
            symbol: "ACME",
            security_desc: Some("Acme Corp"),
            currency: Some("USD"),
            round_lot: Some(Decimal::from(1)),
            min_trade_vol: None,
        }],
    };
    let bytes = write(MsgType::SecurityList, &stamp, |body| list.encode(body));
    let mut parser = Parser::new();
    assert_eq!(SecurityList::decode(&parser.parse(Frame { bytes: &bytes })), Ok(list));
}

proptest! {
    #[test]
    fn orders_survive_the_wire(
        id in "[!-~]{1,20}", symbol in "[A-Z.]{1,8}", quantity in 0i64..=i64::MAX, price in any::<i64>(),
        scale in 0u8..=18, seq in 1u64..1 << 59, moment in 0i64..i64::MAX
    ) {
        let sent = NewOrderSingle {
            cl_ord_id: &id,
            symbol: &symbol,
            order_qty: Decimal::from(quantity),
            price: Some(Decimal::new(price, scale)),
            transact_time: Timestamp(moment - moment % 1_000_000),
            ..order()
        };
        let stamp = Stamp::new("CLIENT", "EXCHANGE", seq, Timestamp(moment));
        let mut bytes = Vec::new();
        Encoder::default().write(MsgType::NewOrderSingle, &stamp, &mut bytes, |body| sent.encode(body));
        let mut parser = Parser::new();
        let message = parser.parse(Frame { bytes: &bytes });
        if price != i64::MIN {
            prop_assert_eq!(message.validate(Rules::default()), Ok(()));
            let read = NewOrderSingle::decode(&message).unwrap();
            prop_assert_eq!(read.price.and_then(|read| read.rescaled(scale)), Some(price));
            prop_assert_eq!(NewOrderSingle { price: sent.price, ..read }, sent);
        }
    }
}
