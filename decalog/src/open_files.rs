//! Open files: each connection is one, and the usual limit of 1,024 is meant for programs that have few.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::config::Config;

/// What journal, snapshots, listeners and the rest need.
const OWN: u64 = 256;

/// Raises the limit as far as this process may, and says when the connections that the configuration allows do not fit.
pub(crate) fn raise(config: &Config) {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, "the limit of open files stays as it is");
            limit = getrlimit(Resource::Nofile);
        }
    }
    let wanted = wanted(config);
    if let Some(most) = limit.current.filter(|most| *most < wanted) {
        tracing::warn!(
            most,
            wanted,
            "the limit of open files is below what http.max_connections and exchange.fix.max_connections allow: \
             connections beyond it will have to wait; raise it (LimitNOFILE, ulimit -n) or lower them"
        );
    }
}

fn wanted(config: &Config) -> u64 {
    OWN + u64::from(config.http.max_connections.get()) + u64::from(config.exchange.fix.max_connections.get())
}
