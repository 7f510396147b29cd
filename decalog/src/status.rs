//! `/status` of the operators' listener: the whole server on one page, for people and as JSON.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::Method;
use decalog_gateway::access::Access;
use decalog_gateway::health::Health;
use decalog_gateway::route::Routes;
use decalog_runtime::Status as Standing;
use serde::{Deserialize, Serialize};

/// Asks a system where its partitions stand.
pub(crate) type Ask = Box<dyn Fn() -> Vec<Standing> + Send + Sync>;

/// What is asked when somebody wants to know.
pub(crate) struct Status {
    pub(crate) health: Health,
    pub(crate) started: Instant,
    pub(crate) systems: Vec<(&'static str, Ask)>,
}

/// The server at a moment.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Report {
    pub(crate) version: String,
    pub(crate) uptime_seconds: u64,
    /// Why no work should come; none when it may.
    pub(crate) not_ready: Option<String>,
    pub(crate) partitions: Vec<Partition>,
}

/// A partition at a moment.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Partition {
    pub(crate) system: String,
    pub(crate) partition: u32,
    pub(crate) health: String,
    /// Every record below is applied; every one below is on the device.
    pub(crate) applied: u64,
    pub(crate) synced: u64,
    /// Commands that wait.
    pub(crate) waiting: usize,
    /// The newest snapshot's offset: a restart replays from there.
    pub(crate) snapshot: u64,
    /// The reader of events that is furthest behind, and by how many records.
    pub(crate) slowest_reader: Option<(String, u64)>,
}

impl Status {
    /// The route.
    pub(crate) fn routes() -> Routes<Arc<Status>> {
        let show = async |State(status): State<Arc<Status>>| Json(status.report());
        Routes::new().route(Method::GET, "/status", Access::Public, show)
    }

    fn report(&self) -> Report {
        let all = self
            .systems
            .iter()
            .flat_map(|(system, ask)| ask().into_iter().map(|standing| (*system, standing)));
        Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: self.started.elapsed().as_secs(),
            not_ready: self.health.trouble(),
            partitions: all.map(|(system, standing)| Partition::of(system, standing)).collect(),
        }
    }
}

impl Partition {
    fn of(system: &str, standing: Standing) -> Self {
        let health = if standing.diverged {
            "diverged: its shadow came to another state".to_owned()
        } else {
            standing.health.to_string()
        };
        Self {
            system: system.to_owned(),
            // The low half of an id is the partition's number in its system.
            partition: standing.partition.0 & 0xffff,
            health,
            applied: standing.applied,
            synced: standing.synced,
            waiting: standing.waiting,
            snapshot: standing.snapshot,
            slowest_reader: standing.slowest_pin,
        }
    }
}
