//! Where calls do not go, however they are led there, and what they do not take.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use decalog_gateway::behalf;
use decalog_gateway::trace::{TRACEPARENT, TraceContext};
use decalog_outbound::{Client, OutboundError, Policy};
use futures_util::{StreamExt as _, stream};

use crate::peer::{Names, client, guard, run, serve};

/// A server that counts who reaches it.
async fn counting() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let reached = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&reached);
    let secret = async move || {
        told.fetch_add(1, Ordering::Relaxed);
        "secret"
    };
    (serve(Router::new().route("/", get(secret))).await, reached)
}

#[test]
pub(crate) fn a_private_address_is_not_reached_by_any_spelling_or_name() {
    run(async {
        let (at, reached) = counting().await;
        let port = at.port();
        let closed = client(&["10.0.0.0/8"]);
        for host in
            ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]", "localhost", "LocalHost"]
        {
            let outcome = closed.get(&format!("http://{host}:{port}/")).await;
            assert!(matches!(outcome, Err(OutboundError::Forbidden(_))), "{host}: {outcome:?}");
        }
        assert_eq!(reached.load(Ordering::Relaxed), 0, "somebody got through");
        let message = closed.get(&format!("http://127.0.0.1:{port}/")).await.unwrap_err().to_string();
        assert!(message.contains("127.0.0.1") && message.contains("outbound.allow"), "{message}");
        for allowed in ["127.0.0.0/8", "localhost"] {
            let answer = client(&[allowed, "::1"]).get(&format!("http://localhost:{port}/")).await.unwrap();
            assert_eq!(answer.body, "secret");
        }
        assert_eq!(reached.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_name_that_resolves_to_something_else_the_second_time_gains_nothing() {
    run(async {
        let (at, reached) = counting().await;
        // What was checked is what is connected to: nobody resolves the name again in between.
        let names = Names::new(&[&["127.0.0.1"], &["127.0.0.2"]]);
        let open =
            Client::with_names("test", guard(&["127.0.0.1"]), Policy::default(), names.clone()).unwrap();
        let url = format!("http://rebind.example:{}/", at.port());
        assert!(open.get(&url).await.is_ok());
        assert_eq!(names.asked.load(Ordering::Relaxed), 1);
        let fresh = Client::with_names("test", guard(&["127.0.0.1"]), Policy::default(), names).unwrap();
        assert!(matches!(fresh.get(&url).await, Err(OutboundError::Forbidden(_))));
        assert_eq!(reached.load(Ordering::Relaxed), 1);
        // Of several addresses, only those that may be reached are.
        let names = Names::new(&[&["127.0.0.2", "10.1.1.1", "127.0.0.1"]]);
        let mixed = Client::with_names("test", guard(&["127.0.0.1"]), Policy::default(), names).unwrap();
        assert!(mixed.get(&url).await.is_ok());
    });
}

/// Redirects `/to/HOST…` to there, `/again` to itself, and tells which secrets came.
async fn redirecting() -> std::net::SocketAddr {
    let told = async |headers: HeaderMap| {
        let named =
            [header::AUTHORIZATION, header::COOKIE, header::ACCEPT].map(|name| headers.contains_key(name));
        format!("{named:?}")
    };
    let to = async |axum::extract::Path(to): axum::extract::Path<String>| {
        (StatusCode::FOUND, [(header::LOCATION, to)])
    };
    let again = async || (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/again")]);
    let router = Router::new().route("/", get(told)).route("/again", get(again)).route("/form", post(again));
    serve(router.route("/to/{*to}", get(to))).await
}

#[test]
fn redirects_are_followed_only_when_asked_and_each_hop_is_checked() {
    run(async {
        let (inside, reached) = counting().await;
        let at = redirecting().await;
        let names = Names::new(&[&["127.0.0.1"]]);
        let make =
            |name| Client::with_names(name, guard(&["door.example"]), Policy::default(), names.clone());
        let not = make("test").unwrap();
        let led = format!("http://door.example:{}/to/http://127.0.0.1:{}/", at.port(), inside.port());
        assert_eq!(not.get(&led).await.unwrap().status, StatusCode::FOUND);
        let follows = make("test").unwrap().following(2);
        assert!(matches!(follows.get(&led).await, Err(OutboundError::Forbidden(_))));
        assert_eq!(reached.load(Ordering::Relaxed), 0);
        for (to, what) in [("ftp://door.example/", "only"), ("http://u:p@door.example/", "password")] {
            let error = follows.get(&format!("http://door.example:{}/to/{to}", at.port())).await.unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
        let again = follows.get(&format!("http://door.example:{}/again", at.port())).await;
        assert!(matches!(again, Err(OutboundError::Redirects { followed: 2, .. })), "{again:?}");
        let form = follows
            .post_form(&format!("http://door.example:{}/form", at.port()), &[], HeaderMap::new())
            .await;
        assert_eq!(form.unwrap().status, StatusCode::TEMPORARY_REDIRECT, "a form is sent once");
    });
}

#[test]
fn secrets_are_not_handed_on_to_where_a_redirect_leads() {
    run(async {
        let (here, there) = (redirecting().await, redirecting().await);
        let follows = client(&["127.0.0.0/8"]).following(1);
        let mut headers = HeaderMap::new();
        for name in [header::AUTHORIZATION, header::COOKIE, header::ACCEPT] {
            headers.insert(name, "x".parse().unwrap());
        }
        let own =
            follows.get_with(&format!("http://{here}/to/http://{here}/"), headers.clone()).await.unwrap();
        assert_eq!(own.body, "[true, true, true]");
        let other = follows.get_with(&format!("http://{here}/to/http://{there}/"), headers).await.unwrap();
        assert_eq!(other.body, "[false, false, true]");
    });
}

#[test]
pub(crate) fn an_answer_has_no_more_bytes_than_it_may() {
    run(async {
        let told = async || vec![0_u8; 2_000];
        // Not quite endless: the control must end.
        let endless = async || {
            let pieces = stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0_u8; 100]));
            Body::from_stream(pieces.take(100))
        };
        let at = serve(Router::new().route("/told", get(told)).route("/endless", get(endless))).await;
        let policy = Policy { max_answer_bytes: 1_999, ..Policy::default() };
        let client = Client::new("test", guard(&["127.0.0.1"]), policy).unwrap();
        for path in ["told", "endless"] {
            let outcome = client.get(&format!("http://{at}/{path}")).await;
            assert!(
                matches!(outcome, Err(OutboundError::TooLarge { limit: 1_999, .. })),
                "{path}: {outcome:?}"
            );
        }
    });
}

#[test]
fn a_form_is_encoded_and_what_is_packed_stays_packed() {
    run(async {
        let echo = async |headers: HeaderMap, body: String| {
            let kind = headers[header::CONTENT_TYPE].to_str().unwrap().to_owned();
            assert!(!headers.contains_key(header::ACCEPT_ENCODING), "nothing packed is asked for");
            ([(header::CONTENT_ENCODING, "gzip")], format!("{kind} {body}"))
        };
        let at = serve(Router::new().route("/", post(echo))).await;
        let fields = [("code", "a b&c"), ("redirect_uri", "https://x/é")];
        let answer = client(&["127.0.0.1"])
            .post_form(&format!("http://{at}/"), &fields, HeaderMap::new())
            .await
            .unwrap();
        let expected = "application/x-www-form-urlencoded code=a+b%26c&redirect_uri=https%3A%2F%2Fx%2F%C3%A9";
        assert_eq!(answer.body, expected);
    });
}

#[test]
fn what_is_asked_on_behalf_of_a_request_belongs_to_its_trace() {
    run(async {
        let told = async |headers: HeaderMap| {
            headers.get(TRACEPARENT).map_or("none", |value| value.to_str().unwrap()).to_owned()
        };
        let at = serve(Router::new().route("/", get(told))).await;
        let client = client(&["127.0.0.0/8"]);
        let ask = async || {
            let answer = client.get(&format!("http://{at}/")).await.unwrap();
            String::from_utf8(answer.body.to_vec()).unwrap()
        };
        assert_eq!(ask().await, "none");
        let trace = TraceContext::root();
        let soon = tokio::time::Instant::now() + std::time::Duration::from_secs(9);
        assert_eq!(behalf::of_request(trace, soon, ask()).await, trace.to_string());
    });
}
