//! What the product says about itself in numbers, for Prometheus to scrape.
//!
//! [`Metrics`] is the registry and its `/metrics` route. What fills it: [`http`] counts requests, [`partitions`] shows how
//! the partitions of systems fare, [`calls`] what becomes of calls to other servers, [`disk`] the log's syncs and the space that is left,
//! [`outcomes`] counts that systems keep. [`traces`] sends spans to a collector. Names follow Prometheus' conventions:
//! base units (`_seconds`, `_bytes`, `_records`), `_total` for what only grows. Labels have few values: a route is its
//! template and never a path, and nothing that a stranger chooses becomes one.
//!
//! The log and the runtime know nothing of this: they tell whoever is given to them ([`decalog_log::OnSync`],
//! [`decalog_runtime::Meter`]).

#![forbid(unsafe_code)]

pub mod calls;
pub mod disk;
pub mod http;
pub mod outcomes;
pub mod partitions;
pub mod traces;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse as _, Response};
use decalog_gateway::access::Access;
use decalog_gateway::problem;
use decalog_gateway::route::Routes;
use http::Certificates;
use prometheus_client::encoding::{prometheus_protobuf, text};
use prometheus_client::metrics::histogram::{Histogram, NativeHistogramConfig, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// The media type of what [`Metrics::text`] writes (OpenMetrics 1.0).
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The media type of Prometheus' own binary form, the only one that carries native histograms.
pub const PROTOBUF: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// Every metric of the process. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    certificates: Certificates,
}

impl Metrics {
    /// The product's version, and nothing else yet.
    pub fn new(version: &'static str) -> Self {
        let mut registry = Registry::with_prefix("decalog");
        registry.register("build", "The version that runs", Info::new([("version", version)]));
        let certificates = Certificates::default();
        registry.register_collector(Box::new(certificates.clone()));
        Self { registry: Arc::new(Mutex::new(registry)), certificates }
    }

    /// Adds metrics; each name gets the prefix `decalog_`.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry());
    }

    /// All metrics as OpenMetrics text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.registry()).expect("a string takes all");
        text
    }

    /// The route `/metrics`: the text, or for a scraper that prefers it the binary form with native histograms.
    pub fn routes() -> Routes<Self> {
        Routes::new().route(Method::GET, "/metrics", Access::Public, scrape)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        // A panic while encoding leaves the registry as it was.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn scrape(State(metrics): State<Metrics>, headers: HeaderMap) -> Response {
    if !prefers_protobuf(&headers) {
        return ([(header::CONTENT_TYPE, OPENMETRICS)], metrics.text()).into_response();
    }
    match prometheus_protobuf::encode_to_vec(&metrics.registry()) {
        Ok(bytes) => ([(header::CONTENT_TYPE, PROTOBUF)], bytes).into_response(),
        Err(_) => problem::INTERNAL.because("the metrics cannot be encoded").into_response(),
    }
}

/// Prometheus names the forms it takes in the order of its preference, the first with the greatest weight.
fn prefers_protobuf(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.trim_start().starts_with("application/vnd.google.protobuf")
}

/// A histogram of times. Scraped as text it has buckets from 1 µs to 16 s, each four times the one before; 0.25 s, which
/// alerts ask for, is among them. Scraped in the binary form it is a native histogram too, each bucket at most a tenth
/// wider than the one before, of which there are no more than 160.
pub(crate) fn times() -> Histogram {
    let native = NativeHistogramConfig::new(1.1).max_buckets(160);
    Histogram::new_classic_and_native(exponential_buckets(1.0 / f64::from(1 << 20), 4.0, 13), native)
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
