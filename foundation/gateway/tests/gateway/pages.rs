//! Paths that are open to pages of every origin, and the protocol that speaks there.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, Response, header};
use axum::response::IntoResponse as _;
use decalog_gateway::access::{Access, Scope};
use decalog_gateway::front::{Door, Front, REQUEST_ID, Settings};
use decalog_gateway::gate::Gate;
use decalog_gateway::problem::Problem;
use decalog_gateway::route::Routes;
use tower::ServiceExt as _;

use crate::desk::run;

fn refuse(problem: Problem) -> Response<Body> {
    let words = format!("no: {}", problem.detail());
    (problem.kind().status, [(header::CONTENT_TYPE, "application/x-no")], words).into_response()
}

fn door() -> Door {
    let own = Routes::<()>::new()
        .route(Method::GET, "/api/things", Access::Scope(Scope("read")), async || "things")
        .route(Method::POST, "/api/things", Access::Public, async || "made")
        .refusing(refuse)
        .beneath(&["/api"]);
    let others = Routes::<()>::new()
        .route(Method::GET, "/apis", Access::Public, async || "others")
        .route(Method::GET, "/open/token", Access::Public, async || "token")
        .route(Method::GET, "/open", Access::Public, async || "page");
    let settings =
        Settings { cors_origins: vec!["https://app.example".parse().unwrap()], ..Settings::default() };
    Front::new(Gate::closed(), settings)
        .with(own)
        .with(others)
        .open_to_pages(["/api", "/open/token"], [header::LINK, REQUEST_ID])
        .open()
}

fn ask(method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    run(async {
        let response = door().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, headers, String::from_utf8(body.to_vec()).unwrap())
    })
}

#[test]
pub(crate) fn every_origin_may_call_what_is_open_and_nothing_beside_it() {
    let stranger = ("origin", "https://stranger.example");
    for path in ["/api/things", "/api/none", "/api", "/open/token"] {
        let (_, headers, _) = ask("GET", path, &[stranger]);
        assert_eq!(headers["access-control-allow-origin"], "*", "{path}");
        assert_eq!(headers["access-control-expose-headers"], "link,x-request-id");
        let preflight = [
            stranger,
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization, idempotency-key"),
        ];
        let (status, headers, _) = ask("OPTIONS", path, &preflight);
        assert_eq!((status, &headers["access-control-allow-origin"]), (200, &"*".parse().unwrap()), "{path}");
        assert_eq!(headers["access-control-allow-headers"], "authorization, idempotency-key");
        assert!(headers["access-control-allow-methods"].to_str().unwrap().contains("DELETE"));
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }
    // The rest is for the origins that are listed.
    for path in ["/apis", "/open", "/none", "/open/tokens"] {
        assert!(!ask("GET", path, &[stranger]).1.contains_key("access-control-allow-origin"), "{path}");
        let (_, headers, _) = ask("GET", path, &[("origin", "https://app.example")]);
        assert_eq!(headers["access-control-allow-origin"], "https://app.example", "{path}");
    }
}

#[test]
fn a_protocol_speaks_beneath_its_paths_also_where_no_route_is() {
    for path in ["/api", "/api/", "/api/none", "/api/things/none"] {
        let (status, headers, body) = ask("GET", path, &[]);
        assert_eq!((status, &headers["content-type"]), (404, &"application/x-no".parse().unwrap()), "{path}");
        assert!(body.starts_with("no: "), "{body}");
    }
    let (status, headers, body) = ask("PUT", "/api/things", &[]);
    assert_eq!((status, &headers["content-type"]), (405, &"application/x-no".parse().unwrap()), "{body}");
    for path in ["/apiary", "/none"] {
        assert_eq!(ask("GET", path, &[]).1["content-type"], "application/problem+json", "{path}");
    }
}
