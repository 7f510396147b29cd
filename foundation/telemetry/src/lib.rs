//! What the product says about itself in numbers, for Prometheus to scrape.
//!
//! [`Metrics`] is the registry and its `/metrics` route. What fills it: [`http`] counts requests, [`partitions`] shows how
//! the partitions of systems fare, [`disk`] the log's syncs and the space that is left. Names follow Prometheus' conventions:
//! base units (`_seconds`, `_bytes`, `_records`), `_total` for what only grows. Labels have few values: a route is its
//! template and never a path, and nothing that a stranger chooses becomes one.
//!
//! The log and the runtime know nothing of this: they tell whoever is given to them ([`decalog_log::OnSync`],
//! [`decalog_runtime::Meter`]).

#![forbid(unsafe_code)]

pub mod disk;
pub mod http;
pub mod partitions;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::http::header;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// The media type of what [`Metrics::text`] writes (OpenMetrics 1.0).
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every metric of the process. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
}

impl Metrics {
    /// The product's version, and nothing else yet.
    pub fn new(version: &'static str) -> Self {
        let mut registry = Registry::with_prefix("decalog");
        registry.register("build", "The version that runs", Info::new([("version", version)]));
        Self { registry: Arc::new(Mutex::new(registry)) }
    }

    /// Adds metrics; each name gets the prefix `decalog_`.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry());
    }

    /// All metrics as OpenMetrics text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry()).expect("a string takes all");
        text
    }

    /// The route `/metrics`.
    pub fn router(&self) -> Router {
        let metrics = self.clone();
        Router::new()
            .route("/metrics", get(async move || ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.text())))
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        // A panic while encoding leaves the registry as it was.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A histogram of times from 1 µs to 16 s, each bucket four times the one before; 0.25 s, which alerts ask for, is among them.
pub(crate) fn times() -> Histogram {
    Histogram::new(exponential_buckets(1.0 / f64::from(1 << 20), 4.0, 13))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_the_version_and_ends_as_openmetrics_asks() {
        let text = Metrics::new("1.2.3").text();
        assert!(text.contains("decalog_build_info{version=\"1.2.3\"} 1"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn the_buckets_of_times_have_a_quarter_of_a_second() {
        let metrics = Metrics::new("1");
        let histogram = times();
        histogram.observe(0.25);
        histogram.observe(0.3);
        metrics.register(|registry| registry.register("a", "A time", histogram));
        assert!(metrics.text().contains("decalog_a_bucket{le=\"0.25\"} 1\n"), "{}", metrics.text());
    }
}
