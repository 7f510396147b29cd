//! A running directory with its doors, on a simulated disk and a clock that the test moves.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use decalog_gateway::access::Authenticator;
use decalog_gateway::front::{Door, Front};
use decalog_gateway::gate::Gate;
use decalog_identity::api::provider::{Fetch, Provider};
use decalog_identity::api::service::{First, Identity, Plan, Settings};
use decalog_identity::api::{oauth, rest};
use decalog_identity::value::SECOND;
use decalog_log::storage::SimDisk;
use decalog_log::{EmbeddedLog, Options};
use decalog_runtime::clock::SimClock;
use decalog_runtime::erasure::Erasures;
use decalog_runtime::store::MemoryStore;
use decalog_runtime::{Config, Timestamp};
use serde_json::Value;
use tower::ServiceExt;

use crate::life::set;

pub(crate) const ISSUER: &str = "http://id.example";

/// What outlives a restart.
pub(crate) struct Place {
    disk: SimDisk,
    store: MemoryStore,
    pub(crate) clock: Arc<SimClock>,
    issuer: &'static str,
    pub(crate) open_accounts: bool,
    pub(crate) providers: Vec<Provider>,
    pub(crate) fetch: Arc<dyn Fetch>,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

/// A running directory.
pub(crate) struct Desk {
    pub(crate) identity: Arc<Identity>,
    pub(crate) first: Option<First>,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    door: Door,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn text_of(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no {name}: {}", self.text)).to_owned()
    }

    pub(crate) fn location(&self) -> &str {
        self.headers.get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default()
    }

    /// A parameter of where it sends the browser.
    pub(crate) fn sent(&self, name: &str) -> Option<String> {
        let query = self.location().split_once('?')?.1;
        form_urlencoded::parse(query.as_bytes())
            .find(|(one, _)| one == name)
            .map(|(_, value)| value.into_owned())
    }

    /// A hidden field of its form.
    pub(crate) fn field(&self, name: &str) -> String {
        let begin = format!("name=\"{name}\" value=\"");
        let rest = self.text.split_once(&begin).unwrap_or_else(|| panic!("no {name}: {}", self.text)).1;
        rest.split('"').next().unwrap_or_default().to_owned()
    }
}

fn settings(issuer: &str, open_accounts: bool) -> Settings {
    Settings {
        issuer: issuer.to_owned(),
        audience: issuer.to_owned(),
        rights: set(&[
            "identity:admin",
            "identity:self",
            "a:read",
            "a:write",
            "read",
            "write",
            "follow",
            "admin:read",
        ]),
        user_rights: set(&["a:read", "read", "write", "follow"]),
        access_lifetime: 600 * SECOND,
        refresh_lifetime: 86_400 * SECOND,
        logon_lifetime: 3_600 * SECOND,
        key_period: 7 * 86_400 * SECOND,
        open_registration: true,
        open_accounts,
        apps: crate::apps::settings(),
        audit_days: 365,
        password_checks: 2,
        password_queue: 64,
        accounts: Vec::new(),
        providers: Vec::new(),
    }
}

impl Place {
    pub(crate) fn new() -> Place {
        Place::known_as(ISSUER)
    }

    pub(crate) fn known_as(issuer: &'static str) -> Place {
        Place {
            issuer,
            open_accounts: true,
            providers: Vec::new(),
            fetch: Arc::new(()),
            disk: SimDisk::new(),
            store: MemoryStore::new(),
            clock: Arc::new(SimClock::new(Timestamp(1_700_000_000 * SECOND))),
            folder: tempfile::tempdir().expect("a folder"),
            runtime: tokio::runtime::Runtime::new().expect("a runtime"),
        }
    }

    pub(crate) fn audit(&self) -> std::path::PathBuf {
        self.folder.path().join("audit")
    }

    pub(crate) fn ledger(&self) -> std::path::PathBuf {
        self.folder.path().join("erasures")
    }

    pub(crate) fn keys(&self) -> std::path::PathBuf {
        self.folder.path().join("keys")
    }

    pub(crate) fn start(&self) -> Desk {
        let options = Options { segment_bytes: 1 << 20, ..Options::small() };
        let log = EmbeddedLog::start(Arc::new(self.disk.clone()), options).expect("the log opens");
        let plan = Plan {
            log: Arc::new(log),
            store: Arc::new(self.store.clone()),
            journal: self.folder.path().join("events"),
            seal: None,
            keys: self.keys(),
            audit: self.audit(),
            erasures: Arc::new(Erasures::open(&self.ledger()).expect("the ledger opens")),
            runtime: Config { snapshot_every: 0, ..Config::default() },
            clock: self.clock.clone(),
            meter: Arc::new(()),
            fatal: Arc::new(|fatal| panic!("{fatal}")),
            fetch: Arc::clone(&self.fetch),
            settings: Settings {
                providers: self.providers.clone(),
                ..settings(self.issuer, self.open_accounts)
            },
        };
        let _inside = self.runtime.enter();
        let (identity, first) = Identity::start(plan).expect("the directory starts");
        let authenticator = identity.authenticator();
        let gate = Gate::new(authenticator.clone());
        let routes = oauth::routes().merge(rest::routes()).with_state(identity.clone());
        let door = Front::new(gate, decalog_gateway::front::Settings::default()).with(routes).open();
        Desk { identity, first, authenticator, door }
    }

    pub(crate) fn call(&self, desk: &Desk, request: Request<Body>) -> Answer {
        self.runtime.block_on(async {
            let response = desk.door.clone().oneshot(request).await.expect("routers do not fail");
            let (status, headers) = (response.status(), response.headers().clone());
            let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a body");
            Answer { status, headers, text: String::from_utf8(body.to_vec()).expect("text") }
        })
    }

    /// Waits for something that the directory does.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// A request of a program: JSON, with a token.
    pub(crate) fn api(&self, desk: &Desk, method: Method, path: &str, token: &str, body: &Value) -> Answer {
        let mut request =
            Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
        if !token.is_empty() {
            let (name, value) = match token.strip_prefix("decalog_") {
                Some(_) => ("x-api-key", token.to_owned()),
                None => ("authorization", format!("Bearer {token}")),
            };
            request = request.header(name, value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.call(desk, request.body(body).expect("a request"))
    }

    /// A form, as programs send it.
    pub(crate) fn post(&self, desk: &Desk, path: &str, fields: &[(&str, &str)]) -> Answer {
        Visitor::default().post(self, desk, path, fields)
    }
}

/// A browser: it keeps cookies.
#[derive(Default)]
pub(crate) struct Visitor {
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Visitor {
    fn send(
        &mut self,
        place: &Place,
        desk: &Desk,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Answer {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, cookies.join("; "))
            .header(header::USER_AGENT, "a browser")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = place.call(desk, request.body(Body::from(body.unwrap_or_default())).expect("a request"));
        for line in answer.headers.get_all(header::SET_COOKIE) {
            let pair = line.to_str().expect("text").split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    pub(crate) fn get(&mut self, place: &Place, desk: &Desk, path: &str) -> Answer {
        self.send(place, desk, Method::GET, path, None)
    }

    pub(crate) fn post(&mut self, place: &Place, desk: &Desk, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        self.send(place, desk, Method::POST, path, Some(form.finish()))
    }
}
