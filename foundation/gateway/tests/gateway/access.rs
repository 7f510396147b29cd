//! Every route without, with a wrong and with the right credential; what was not declared is not there.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use decalog_gateway::access::{Access, Authenticator, Credential, Denied, Principal, Scope, Scopes};
use decalog_gateway::front::{Door, Front, Settings};
use decalog_gateway::gate::{ClientCertificate, Gate};
use decalog_gateway::route::{Declared, Routes};
use serde_json::Value;
use tower::ServiceExt as _;

const READ: Scope = Scope("ledger:read");
const WRITE: Scope = Scope("ledger:write");

/// Tokens are what they name: `ledger:read`, `expired`, …
pub(crate) struct Names;

impl Authenticator for Names {
    fn authenticate(&self, credential: Credential<'_>) -> Result<Arc<Principal>, Denied> {
        let scopes = match credential {
            Credential::Bearer("expired") => return Err(Denied::Expired),
            Credential::Bearer("revoked") => return Err(Denied::Revoked),
            Credential::Bearer("unavailable") => return Err(Denied::Unavailable),
            Credential::Bearer("panics") => panic!("on purpose"),
            Credential::Bearer("none") => Scopes::none(),
            Credential::Bearer(list) if list.starts_with("app ") => {
                let scopes = Scopes::parse(&list[4..]).unwrap();
                let client = Some("an-app".into());
                return Ok(Arc::new(Principal {
                    account: 0,
                    name: "app".into(),
                    scopes,
                    client,
                    session: 2,
                }));
            }
            Credential::Bearer(list) | Credential::ApiKey(list) if list.starts_with("ledger") => {
                Scopes::parse(list).unwrap()
            }
            Credential::Certificate(b"client") => Scopes::new([READ.0]),
            _ => return Err(Denied::Unknown),
        };
        Ok(Arc::new(Principal { account: 7, name: "ada".into(), scopes, client: None, session: 1 }))
    }
}

async fn whoami(principal: Option<Extension<Arc<Principal>>>) -> String {
    principal.map_or("nobody".to_owned(), |found| found.name.to_string())
}

fn routes() -> Routes<()> {
    Routes::new()
        .route(Method::GET, "/public", Access::Public, whoami)
        .route(Method::GET, "/signed", Access::Signed, whoami)
        .route(Method::GET, "/things/{id}", Access::Scope(READ), whoami)
        .route(Method::POST, "/things/{id}", Access::Scope(WRITE), whoami)
        .route(Method::DELETE, "/things/{id}", Access::Scope(WRITE), whoami)
        .route(Method::GET, "/known", Access::Known, whoami)
        .route(Method::GET, "/app", Access::App(READ), whoami)
        .route(Method::GET, "/either", Access::Either(READ, WRITE), whoami)
}

fn door() -> Door {
    Front::new(Gate::new(Arc::new(Names)), Settings::default()).with(routes()).open()
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn problem(&self) -> &str {
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(body["status"], self.status.as_u16());
        let name = body["type"].as_str().unwrap().strip_prefix("urn:decalog:problem:").unwrap().to_owned();
        let all = decalog_gateway::problem::ALL;
        all.iter().find(|kind| kind.name == name).expect("a declared type").name
    }
}

fn ask(method: &Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path.replace("{id}", "1"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(request.body(Body::empty()).unwrap())
}

fn answer(request: Request<Body>) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let response = door().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec();
        Answer { status, headers, body }
    })
}

#[test]
pub(crate) fn each_route_lets_in_only_who_may() {
    for Declared { method, path, access, .. } in routes().table() {
        let with = |token: &str| {
            let header = format!("Bearer {token}");
            let answer = ask(method, path, &[("authorization", &header)]);
            (answer.status.as_u16(), answer)
        };
        let without = ask(method, path, &[]);
        match access {
            Access::Public => {
                assert_eq!((without.status, &without.body[..]), (StatusCode::OK, &b"nobody"[..]));
                assert_eq!(with("expired").1.body, b"nobody");
                assert_eq!(with("none").1.body, b"ada");
            }
            Access::Signed => {
                assert_eq!(without.problem(), "credential-required");
                assert_eq!(with("expired").0, 401);
                assert_eq!(with("none").1.body, b"ada");
            }
            Access::Known => {
                assert_eq!(without.problem(), "credential-required");
                assert_eq!((with("expired").0, with("none").1.body), (401, b"ada".to_vec()));
            }
            Access::Either(one, two) => {
                assert_eq!(without.problem(), "credential-required");
                assert_eq!(with("none").1.problem(), "insufficient-scope");
                assert_eq!((with(one.0).1.body, with(two.0).1.body), (b"ada".to_vec(), b"ada".to_vec()));
            }
            Access::Scope(scope) | Access::App(scope) => {
                let other = if *scope == READ { WRITE } else { READ };
                assert_eq!(without.problem(), "credential-required");
                assert_eq!(with("none").1.problem(), "insufficient-scope");
                assert_eq!(with(other.0).0, 403, "{method} {path}");
                assert_eq!(with(scope.0).1.body, b"ada");
                assert_eq!(with("ledger:read ledger:write").1.body, b"ada");
            }
        }
    }
}

#[test]
pub(crate) fn an_app_of_no_account_passes_where_apps_may_and_nowhere_else() {
    let both = "app ledger:read ledger:write";
    for Declared { method, path, access, .. } in routes().table() {
        let answer = ask(method, path, &[("authorization", &format!("Bearer {both}"))]);
        match access {
            Access::Public => assert_eq!(answer.body, b"nobody", "it counts as none"),
            Access::Known | Access::App(_) => assert_eq!(answer.body, b"app"),
            Access::Signed | Access::Scope(_) | Access::Either(..) => {
                assert_eq!((answer.status.as_u16(), answer.problem()), (403, "account-required"), "{path}");
            }
        }
    }
    let lacking = ask(&Method::GET, "/app", &[("authorization", "Bearer app ledger:write")]);
    assert_eq!(lacking.problem(), "insufficient-scope");
}

#[test]
fn who_holds_the_whole_holds_its_parts() {
    let with = |list: &str| {
        let answer = ask(&Method::GET, "/things/1", &[("authorization", &format!("Bearer {list}"))]);
        answer.status.as_u16()
    };
    assert_eq!((with("ledger:read:one"), with("ledger:rea"), with("ledger:")), (403, 403, 403));
    assert_eq!((with("ledger"), with("ledger:read")), (200, 200));
}

#[test]
fn a_refusal_says_what_is_missing() {
    let challenge = |headers: &[(&str, &str)]| {
        let answer = ask(&Method::GET, "/things/1", headers);
        (answer.status.as_u16(), answer.headers["www-authenticate"].to_str().unwrap().to_owned())
    };
    assert_eq!(challenge(&[]), (401, "Bearer realm=\"decalog\"".to_owned()));
    let (status, text) = challenge(&[("authorization", "Bearer expired")]);
    assert!(status == 401 && text.contains("error=\"invalid_token\"") && text.contains("expired"), "{text}");
    let (status, text) = challenge(&[("authorization", "Bearer ledger:write")]);
    assert_eq!(status, 403);
    assert!(text.ends_with("error=\"insufficient_scope\", scope=\"ledger:read\""), "{text}");
    let unavailable = ask(&Method::GET, "/things/1", &[("authorization", "Bearer unavailable")]);
    assert_eq!(
        (unavailable.problem(), &unavailable.headers["retry-after"]),
        ("unavailable", &"1".parse().unwrap())
    );
}

#[test]
fn a_credential_comes_in_three_ways_but_one_at_a_time() {
    let path = "/things/1";
    for header in [("authorization", "bEaReR ledger:read"), ("x-api-key", "ledger:read")] {
        assert_eq!(ask(&Method::GET, path, &[header]).status, StatusCode::OK, "{header:?}");
    }
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    request.extensions_mut().insert(ClientCertificate(Arc::from(&b"client"[..])));
    assert_eq!(answer(request).status, StatusCode::OK);
    let token = ("authorization", "Bearer ledger:read");
    for other in [token, ("x-api-key", "ledger:read")] {
        let answer = ask(&Method::GET, path, &[token, other]);
        assert_eq!((answer.status.as_u16(), answer.problem()), (400, "invalid-request"));
    }
    for other in ["Bearer", "Bearer ", "Bearerledger:read", "Basic bGVkZ2VyOnJlYWQ=", "ledger:read", "Be", ""]
    {
        assert_eq!(ask(&Method::GET, path, &[("authorization", other)]).status.as_u16(), 401, "{other:?}");
    }
}

#[test]
fn a_head_request_needs_what_its_get_needs() {
    assert_eq!(ask(&Method::HEAD, "/public", &[]).status, StatusCode::OK);
    assert_eq!(ask(&Method::HEAD, "/things/1", &[]).status, StatusCode::UNAUTHORIZED);
}

#[test]
fn what_was_not_declared_is_a_problem() {
    let token = ("authorization", "Bearer ledger:read ledger:write");
    for path in ["/", "/thing", "/things", "/things/1/2", "/public/", "//public", "/PUBLIC", "/%00"] {
        assert_eq!(ask(&Method::GET, path, &[token]).problem(), "not-found", "{path}");
    }
    let answer = ask(&Method::PUT, "/things/1", &[token]);
    assert_eq!(answer.problem(), "method-not-allowed");
    let allowed = answer.headers["allow"].to_str().unwrap();
    for method in ["GET", "HEAD", "POST", "DELETE"] {
        assert!(allowed.contains(method), "{allowed}");
    }
}

#[test]
fn a_gate_that_panics_lets_nobody_in_and_answers() {
    let answer = ask(&Method::GET, "/things/1", &[("authorization", "Bearer panics")]);
    assert_eq!((answer.status.as_u16(), answer.problem()), (500, "internal"));
}

#[test]
fn no_route_hides_another() {
    let opens = |method: Method, path: &'static str| {
        let more = Routes::new().route(method, path, Access::Public, whoami);
        let front = Front::new(Gate::closed(), Settings::default()).with(routes());
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| front.with(more))).is_ok()
    };
    assert!(opens(Method::PUT, "/things/{id}"));
    assert!(opens(Method::GET, "/things/own"));
    assert!(!opens(Method::GET, "/things/{id}"), "declared twice");
    assert!(!opens(Method::PUT, "/things/{name}"), "one path, two templates");
}
