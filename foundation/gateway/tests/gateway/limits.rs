//! Rate limits, as a client sees them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};
use decalog_gateway::access::Access;
use decalog_gateway::client::Client;
use decalog_gateway::front::{Door, Front, Settings};
use decalog_gateway::gate::Gate;
use decalog_gateway::limit::{Class, Limits, ORDINARY, Rate, Rates};
use decalog_gateway::route::Routes;
use tower::ServiceExt as _;

use crate::access::Names;
use crate::desk::run;

const SIGN_IN: Class = Class("sign-in");

fn door() -> Door {
    let rate = |quota| Some(Rate { quota, window: Duration::from_secs(3_600) });
    let ordinary = Rates { address: rate(6), account: rate(3) };
    let limits =
        Limits::new(1_000, [(ORDINARY, ordinary), (SIGN_IN, Rates { address: rate(1), account: None })]);
    let gate = Gate::new(Arc::new(Names)).limited(Arc::new(limits));
    let routes = Routes::<()>::new()
        .route(Method::GET, "/", Access::Public, async || "")
        .route(Method::GET, "/token", Access::Public, async || "")
        .class(SIGN_IN);
    Front::new(gate, Settings::default()).with(routes).open()
}

fn ask(door: &Door, path: &str, address: &str, token: &str) -> (u16, HeaderMap) {
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    let mut request = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(Client { address: address.parse().unwrap(), secure: false });
    let response = run(door.clone().oneshot(request)).unwrap();
    (response.status().as_u16(), response.headers().clone())
}

#[test]
pub(crate) fn an_address_and_an_account_have_their_quota() {
    let door = door();
    // The account is one, from wherever it asks.
    let mut statuses: Vec<u16> =
        (1..=4).map(|n| ask(&door, "/", &format!("192.0.2.{n}"), "none").0).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    // The address is one, whoever asks; in IPv6 its network.
    statuses = (1..=7).map(|n| ask(&door, "/", &format!("2001:db8::{n}"), "unknown").0).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 429]);
    assert_eq!(ask(&door, "/", "2001:db8:0:1::1", "unknown").0, 200);
    // A class is counted apart.
    assert_eq!(ask(&door, "/token", "192.0.2.9", "unknown").0, 200);
    assert_eq!(ask(&door, "/token", "192.0.2.9", "unknown").0, 429);
    assert_eq!(ask(&door, "/", "192.0.2.9", "unknown").0, 200);
}

#[test]
fn a_protocol_says_what_is_left_in_its_own_headers() {
    let rate = |quota| Some(Rate { quota, window: Duration::from_secs(3_600) });
    let limits = Limits::new(1_000, [(ORDINARY, Rates { address: rate(6), account: rate(4) })]);
    let routes = Routes::<()>::new().route(Method::GET, "/", Access::Public, async || "");
    let routes = routes.telling_limits(|left, headers| {
        let said = format!("{} of {} for {} s", left.remaining, left.quota, left.full_in.as_secs());
        headers.insert("x-left", said.parse().unwrap());
    });
    let gate = Gate::new(Arc::new(Names)).limited(Arc::new(limits));
    let door = Front::new(gate, Settings::default()).with(routes).open();
    let told = |token: &str| {
        let (status, headers) = ask(&door, "/", "192.0.2.1", token);
        (status, headers["x-left"].to_str().unwrap().to_owned())
    };
    assert_eq!(told("unknown"), (200, "5 of 6 for 600 s".to_owned()));
    assert_eq!(told("none"), (200, "3 of 4 for 900 s".to_owned()), "of the limit that comes first");
    for _ in 0..4 {
        told("unknown");
    }
    let (status, said) = told("unknown");
    assert!(status == 429 && said.starts_with("0 of 6"), "a refusal too: {said}");
}

#[test]
fn an_answer_tells_what_is_left_and_a_refusal_when_to_come_back() {
    let door = door();
    let (_, headers) = ask(&door, "/", "192.0.2.1", "none");
    assert_eq!(
        headers["ratelimit-policy"],
        "\"ordinary-address\";q=6;w=3600, \"ordinary-account\";q=3;w=3600"
    );
    assert_eq!(headers["ratelimit"], "\"ordinary-address\";r=5;t=600, \"ordinary-account\";r=2;t=1200");
    ask(&door, "/token", "192.0.2.1", "unknown");
    let (status, headers) = ask(&door, "/token", "192.0.2.1", "unknown");
    assert_eq!(status, 429);
    let wait: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((3_500..=3_600).contains(&wait), "{wait}");
    assert_eq!(headers["ratelimit-policy"], "\"sign-in-address\";q=1;w=3600");
    assert!(headers["ratelimit"].to_str().unwrap().starts_with("\"sign-in-address\";r=0;t="));
}
