//! The routes answer what the description says, and every refusal is a problem.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use decalog_gateway::front::{Door, Front, Settings};
use decalog_gateway::gate::Gate;
use decalog_gateway::openapi::Document;
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;
use crate::command::{Instrument, SelfTrade};
use crate::projection::book::{Change, Depth, Level, Numbered, Picture, PublicTrade};
use crate::value::{Decimal, Side, Symbol as Name};

fn context(max_subscribers: u32) -> Context {
    let instrument = Instrument {
        symbol: Name::new("BTC-USD").unwrap(),
        price_scale: 2,
        tick_size: 1,
        quantity_scale: 4,
        lot_size: 1,
        price_low: 1,
        price_high: 1_000_000_000,
        quantity_max: 1_000_000_000,
        self_trade: SelfTrade::Allow,
    };
    let empty = Depth { sequence: 0, bids: Vec::new(), asks: Vec::new() };
    let picture = Picture::new(&empty, 10, 16);
    let price = Decimal::new(10_050, 2);
    let quantity = Decimal::new(5_000, 4);
    let level = Change::Level(Side::Buy, Level { price, quantity, orders: 2 });
    let trade =
        PublicTrade { id: 9, price, quantity, aggressor: Side::Sell, time: 1_700_000_000_000_000_000 };
    picture.apply(Numbered { sequence: 1, change: level }).unwrap();
    picture.apply(Numbered { sequence: 2, change: Change::Trade(trade) }).unwrap();
    let mut market = Market::new();
    market.add_unit(3, 17, [Listing { instrument, picture }]);
    Context { market: Arc::new(market), feed: feed::Bounds::new(max_subscribers) }
}

fn door(context: Context, public: bool) -> Door {
    let routes = routes(public).with_state(context);
    Front::new(Gate::closed(), Settings::default()).with(routes).open()
}

struct Answer {
    status: StatusCode,
    kind: String,
    offset: Option<String>,
    body: Value,
}

fn ask(context: Context, method: &str, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let response = door(context, true).oneshot(request).await.unwrap();
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (status, kind, offset) =
            (response.status(), header("content-type").unwrap_or_default(), header("decalog-offset"));
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Answer { status, kind, offset, body: serde_json::from_slice(&body).unwrap() }
    })
}

#[test]
fn a_book_shows_every_digit_and_its_offset() {
    let answer = ask(context(1), "GET", "/v1/instruments/BTC-USD/book?depth=5");
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.offset.as_deref(), Some("3:17"));
    let expected = serde_json::json!({
        "symbol": "BTC-USD", "sequence": 2, "asks": [],
        "bids": [{ "price": "100.50", "quantity": "0.5000", "orders": 2 }],
    });
    assert_eq!(answer.body, expected);
}

#[test]
fn trades_name_the_aggressor() {
    let answer = ask(context(1), "GET", "/v1/instruments/BTC-USD/trades");
    let trade = &answer.body["trades"][0];
    assert_eq!(
        (&trade["aggressor"], &trade["price"], &trade["id"]),
        (&"ask".into(), &"100.50".into(), &"9".into())
    );
}

#[test]
fn every_refusal_is_a_problem() {
    for (method, path, status, name) in [
        ("GET", "/v1/nothing", 404, "not-found"),
        ("GET", "/v1/instruments/NOSUCH", 404, "unknown-instrument"),
        ("GET", "/v1/instruments/%ff/book", 404, "unknown-instrument"),
        ("POST", "/v1/instruments", 405, "method-not-allowed"),
        ("GET", "/v1/instruments/BTC-USD/book?depth=0", 400, "invalid-parameter"),
        ("GET", "/v1/instruments/BTC-USD/book?depth=1001", 400, "invalid-parameter"),
        ("GET", "/v1/instruments/BTC-USD/book?depth=1&depth=2", 400, "invalid-parameter"),
        ("GET", "/v1/instruments/BTC-USD/trades?limit=-1", 400, "invalid-parameter"),
        ("GET", "/v1/instruments/BTC-USD/feed", 426, "upgrade-required"),
    ] {
        let answer = ask(context(1), method, path);
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_eq!(answer.kind, "application/problem+json", "{path}");
        assert_eq!(answer.body["type"], format!("urn:decalog:problem:{name}"), "{path}");
        assert_eq!(answer.body["status"], status, "{path}");
    }
}

#[test]
fn the_routes_answer_as_described() {
    let document = document();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let answer = ask(context(1), "GET", &path.replace("{symbol}", "BTC-USD"));
        let responses = &operations["get"]["responses"];
        let response = &responses[answer.status.as_str()];
        assert!(response.is_object(), "{path} answers {}", answer.status);
        let schema = &response["content"]["application/json"]["schema"];
        if schema["$ref"].is_string() {
            check(&document, schema, &answer.body, path);
        }
    }
}

#[test]
fn market_data_that_is_not_public_needs_its_scope() {
    let door = door(context(1), false);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for path in routes(false).table().iter().map(|declared| declared.path.replace("{symbol}", "BTC-USD")) {
        let request = Request::builder().uri(&path).body(Body::empty()).unwrap();
        let response = runtime.block_on(door.clone().oneshot(request)).unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
}

fn document() -> Value {
    let mut document = Document::new("Exchange", "1");
    document.add(routes(true).table(), description()).unwrap();
    document.to_value()
}

#[test]
fn feed_messages_are_as_described() {
    let context = context(1);
    let document = document();
    let listing = context.market.listing("BTC-USD").unwrap();
    let snapshot = wire::FeedMessage::Snapshot(Book::new("BTC-USD", &listing.picture.depth(9)));
    let level = Level { price: Decimal::new(1, 2), quantity: Decimal::new(0, 4), orders: 0 };
    let level = Numbered { sequence: 3, change: Change::Level(Side::Sell, level) };
    let trade = PublicTrade {
        id: 1,
        price: Decimal::new(1, 0),
        quantity: Decimal::new(1, 0),
        aggressor: Side::Buy,
        time: 2,
    };
    let trade = Numbered { sequence: 4, change: Change::Trade(trade) };
    let variants = document["components"]["schemas"]["FeedMessage"]["oneOf"].as_array().unwrap();
    for (variant, message) in variants.iter().zip([snapshot, (&level).into(), (&trade).into()]) {
        let message = serde_json::to_value(message).unwrap();
        assert_eq!(variant["properties"]["type"]["const"], message["type"]);
        check(&document, variant, &message, "feed");
    }
}

/// Checks the part of JSON Schema that the description uses: references, objects, arrays, types.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).expect(reference);
        return check(document, target, value, at);
    }
    match schema["type"].as_str() {
        Some("object") => {
            let fields = value.as_object().unwrap_or_else(|| panic!("{at}: {value} is no object"));
            let described = schema["properties"].as_object().unwrap();
            let names =
                |keys: Vec<&String>| keys.into_iter().cloned().collect::<std::collections::BTreeSet<_>>();
            assert_eq!(names(fields.keys().collect()), names(described.keys().collect()), "{at}");
            for (name, field) in fields {
                check(document, &described[name], field, &format!("{at}.{name}"));
            }
        }
        Some("array") => {
            for item in value.as_array().unwrap_or_else(|| panic!("{at}: {value} is no array")) {
                check(document, &schema["items"], item, at);
            }
        }
        Some("string") => assert!(value.is_string(), "{at}: {value}"),
        Some("integer") => assert!(value.is_u64(), "{at}: {value}"),
        _ => {}
    }
}
