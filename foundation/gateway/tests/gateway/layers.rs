//! What every route gets without asking.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::Json;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use decalog_gateway::access::Access;
use decalog_gateway::behalf;
use decalog_gateway::client::Client;
use decalog_gateway::front::{Door, Front, Settings};
use decalog_gateway::gate::Gate;
use decalog_gateway::route::Routes;
use decalog_gateway::trace::TraceContext;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::desk::run;

async fn panics() -> &'static str {
    panic!("on purpose")
}

fn door(origins: &[&str]) -> Door {
    let routes = Routes::<()>::new()
        .route(Method::GET, "/short", Access::Public, async || "short")
        .route(Method::GET, "/long", Access::Public, async || "long ".repeat(1_000))
        .route(Method::GET, "/panics", Access::Public, panics)
        .route(Method::POST, "/json", Access::Public, async |body: Json<Vec<u8>>| body.len().to_string())
        .route(Method::GET, "/trace", Access::Public, async || {
            behalf::trace().map_or_else(String::new, |trace| trace.to_string())
        });
    let cors_origins = origins.iter().map(|origin| origin.parse().unwrap()).collect();
    let settings = Settings { cors_origins, max_body_bytes: 1_000, access_log: true, watch: Arc::new(()) };
    Front::new(Gate::closed(), settings).with(routes).open()
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(body["status"], self.status.as_u16());
        body["type"].as_str().unwrap().trim_start_matches("urn:decalog:problem:").to_owned()
    }
}

fn ask(door: Door, request: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let (method, path) = request.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(body.into()).unwrap();
    request.extensions_mut().insert(Client { address: [127, 0, 0, 1].into(), secure: path == "/short" });
    run(async {
        let response = door.oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec() }
    })
}

#[test]
fn each_answer_has_an_id_and_the_security_headers() {
    for request in ["GET /short", "GET /none", "PUT /short", "GET /panics"] {
        let answer = ask(door(&[]), request, &[], "");
        assert_eq!(answer.header("x-request-id").len(), 32, "{request}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!(answer.headers.contains_key("strict-transport-security"), request.ends_with("/short"));
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
    let given = |id: &str| {
        ask(door(&[]), "GET /short", &[("x-request-id", id)], "").header("x-request-id").to_owned()
    };
    assert_eq!(given("a-b_c.9"), "a-b_c.9");
    for id in ["a b", "", &"a".repeat(65), "a\"b"] {
        assert_eq!(given(id).len(), 32, "{id}");
    }
}

#[test]
fn a_trace_goes_on_and_a_broken_one_begins_anew() {
    let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let seen = |header: &str| {
        let answer = ask(door(&[]), "GET /trace", &[("traceparent", header)], "");
        String::from_utf8(answer.body).unwrap()
    };
    assert_eq!(seen(given)[..36], given[..36]);
    assert_ne!(seen(given)[36..52], given[36..52]);
    assert_ne!(seen("nonsense")[..36], given[..36]);
    assert!(seen("nonsense").parse::<TraceContext>().is_ok());
}

#[test]
fn a_panic_is_a_problem_that_tells_nothing() {
    let answer = ask(door(&[]), "GET /panics", &[], "");
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (500, "internal"));
    assert!(!String::from_utf8_lossy(&answer.body).contains("on purpose"));
}

#[test]
pub(crate) fn a_body_above_the_limit_is_refused() {
    let json = [("content-type", "application/json")];
    let list = |numbers: usize| format!("[{}1]", "1,".repeat(numbers - 1));
    assert_eq!(ask(door(&[]), "POST /json", &json, list(400)).body, b"400");
    let refused = ask(door(&[]), "POST /json", &json, list(600));
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (413, "body-too-large"));
    // Without a length it is noticed on the way.
    let chunks = futures_util::stream::iter(vec![Ok::<_, std::io::Error>(list(600))]);
    assert_eq!(ask(door(&[]), "POST /json", &json, Body::from_stream(chunks)).problem(), "body-too-large");
}

#[test]
fn a_refusal_of_an_extractor_is_a_problem() {
    let json = [("content-type", "application/json")];
    assert_eq!(ask(door(&[]), "POST /json", &[], "[1]").problem(), "unsupported-media-type");
    for body in ["[", "{}", "[256]", ""] {
        let answer = ask(door(&[]), "POST /json", &json, body);
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (400, "invalid-request"), "{body}");
    }
}

#[test]
fn only_listed_origins_may_call() {
    let listed = ["https://app.example"];
    let from = |origin: &str| {
        let answer = ask(door(&listed), "GET /short", &[("origin", origin)], "");
        answer.header("access-control-allow-origin").to_owned()
    };
    assert_eq!(from("https://app.example"), "https://app.example");
    for origin in ["https://evil.example", "https://app.example.evil.example", "http://app.example", "null"] {
        assert_eq!(from(origin), "", "{origin}");
    }
    let preflight = [("origin", listed[0]), ("access-control-request-method", "POST")];
    let answer = ask(door(&listed), "OPTIONS /json", &preflight, "");
    assert!(answer.status.is_success() && answer.header("access-control-allow-methods").contains("POST"));
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
}

#[test]
fn a_long_answer_is_compressed_for_those_who_take_it() {
    let gzip = [("accept-encoding", "gzip")];
    let long = ask(door(&[]), "GET /long", &gzip, "");
    assert_eq!(long.header("content-encoding"), "gzip");
    assert!(long.body.len() < 500 && long.body.starts_with(&[0x1f, 0x8b]));
    let whole = ask(door(&[]), "GET /long", &[], "");
    assert_eq!(
        (whole.body.len(), whole.header("vary")),
        (5_000, "accept-encoding"),
        "a cache keeps them apart"
    );
    assert_eq!(ask(door(&[]), "GET /short", &gzip, "").body, b"short");
}
