//! Whether the server lives, has started, and should be given work, with the reasons.
//!
//! `/livez` (also `/healthz`) answers while the process does; `/startupz` once everything has been opened; `/readyz` while every
//! part can do its work and nobody has told the server to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use serde::Serialize;
use serde_json::json;

use crate::access::Access;
use crate::openapi::{Description, JSON, Operation, item, object, paths};
use crate::problem::{self, Problem};
use crate::route::Routes;

const WAIT: Duration = Duration::from_secs(1);

/// Says what is wrong with a part, if anything is.
pub type Trouble = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// The server's parts and where it is in its life.
#[derive(Clone, Default)]
pub struct Health {
    parts: Vec<(&'static str, Trouble)>,
    started: Arc<AtomicBool>,
    stopping: Arc<AtomicBool>,
}

#[derive(Serialize)]
struct Status {
    status: &'static str,
}

impl Health {
    /// No part yet, not started.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more part that must be well.
    #[must_use]
    pub fn with(mut self, name: &'static str, trouble: Trouble) -> Self {
        self.parts.push((name, trouble));
        self
    }

    /// Everything has been opened.
    pub fn started(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// The server is told to stop: no new work, please.
    pub fn stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Why no work should come, if so.
    pub fn trouble(&self) -> Option<String> {
        if !self.started.load(Ordering::Acquire) {
            return Some("the server starts".to_owned());
        }
        if self.stopping.load(Ordering::Acquire) {
            return Some("the server stops".to_owned());
        }
        let reasons = self.parts.iter().filter_map(|(name, trouble)| Some(format!("{name}: {}", trouble()?)));
        let reasons: Vec<String> = reasons.collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// The probes, open to everybody.
    pub fn routes() -> Routes<Self> {
        let live = async || Json(Status { status: "ok" });
        Routes::new()
            .route(Method::GET, "/livez", Access::Public, live)
            .route(Method::GET, "/healthz", Access::Public, live)
            .route(Method::GET, "/startupz", Access::Public, startup)
            .route(Method::GET, "/readyz", Access::Public, ready)
    }
}

impl Health {
    /// What is said of the probes.
    pub fn description() -> Description {
        let probe = |id, summary, may_refuse: bool| {
            let status = object(&[("status", json!({ "type": "string" }))]);
            let get = Operation::new(id, summary).answers(StatusCode::OK, "Yes", JSON, status);
            item([("get", if may_refuse { get.refuses(&[&problem::UNAVAILABLE]) } else { get })])
        };
        let paths = paths([
            ("/livez", probe("isAlive", "Whether the process answers", false)),
            ("/healthz", probe("isHealthy", "The same as /livez", false)),
            ("/startupz", probe("hasStarted", "Whether everything has been opened", true)),
            ("/readyz", probe("isReady", "Whether work may come; if not, why", true)),
        ]);
        Description { paths, ..Description::default() }
    }
}

async fn startup(State(health): State<Health>) -> Result<Json<Status>, Problem> {
    if health.started.load(Ordering::Acquire) {
        Ok(Json(Status { status: "started" }))
    } else {
        Err(unavailable("the server starts".to_owned()))
    }
}

async fn ready(State(health): State<Health>) -> Result<Json<Status>, Problem> {
    match health.trouble() {
        None => Ok(Json(Status { status: "ready" })),
        Some(reasons) => Err(unavailable(reasons)),
    }
}

fn unavailable(reason: String) -> Problem {
    problem::UNAVAILABLE.because(reason).retry_after(WAIT)
}
