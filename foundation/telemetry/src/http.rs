//! Requests: how many, with which status, refused why, how long, and how many at this moment.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use decalog_gateway::tls::Tls;
use decalog_gateway::trace::TraceContext;
use decalog_gateway::watch::{Answered, Watch};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;
use tracing::Span;

use crate::{Metrics, times, traces};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    problem: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TurnedAway {
    why: &'static str,
}

/// Counts requests.
#[derive(Clone, Debug)]
pub struct Requests {
    answered: Family<Status, Counter>,
    duration: Family<Route, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    refused: Family<Refused, Counter>,
    turned_away: Family<TurnedAway, Counter>,
}

impl Requests {
    /// Counts into these metrics.
    pub fn new(metrics: &Metrics) -> Self {
        let requests = Self {
            answered: Family::default(),
            duration: Family::new_with_constructor(times),
            in_flight: Gauge::default(),
            refused: Family::default(),
            turned_away: Family::default(),
        };
        metrics.register(|registry| {
            registry.register("http_requests", "Requests answered", requests.answered.clone());
            registry.register_with_unit(
                "http_request_duration",
                "From the request's head to the answer's",
                Unit::Seconds,
                requests.duration.clone(),
            );
            registry.register("http_requests_in_flight", "Requests under way", requests.in_flight.clone());
            registry.register("http_refusals", "Refusals, by the problem's name", requests.refused.clone());
            registry.register(
                "http_connections_turned_away",
                "Connections that ended before a request",
                requests.turned_away.clone(),
            );
        });
        requests
    }
}

/// Asks, at each scrape, when the certificate expires that this listener uses.
pub fn certificate(metrics: &Metrics, listener: &'static str, tls: Arc<Tls>) {
    metrics.certificates.list().push((listener, tls));
}

/// A listener and its TLS side.
type Watched = (&'static str, Arc<Tls>);

/// The certificates that are watched.
#[derive(Clone, Default)]
pub(crate) struct Certificates(Arc<Mutex<Vec<Watched>>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfListener {
    listener: &'static str,
}

impl Certificates {
    fn list(&self) -> MutexGuard<'_, Vec<Watched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list().iter().map(|(listener, _)| listener)).finish()
    }
}

impl Collector for Certificates {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let all = self.list();
        if all.is_empty() {
            return Ok(());
        }
        let help = "When the TLS certificate in use expires, since 1970";
        let (name, unit) = ("tls_certificate_not_after", Some(&Unit::Seconds));
        let mut metric = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for (listener, tls) in all.iter() {
            let seconds = i64::try_from(tls.not_after().as_secs()).unwrap_or(i64::MAX);
            ConstGauge::new(seconds).encode(metric.encode_family(&OfListener { listener })?)?;
        }
        Ok(())
    }
}

impl Watch for Requests {
    fn began(&self, span: &Span, parent: Option<TraceContext>) -> TraceContext {
        self.in_flight.inc();
        traces::join(span, parent).unwrap_or_else(|| ().began(span, parent))
    }

    fn ended(&self) {
        self.in_flight.dec();
    }

    fn turned_away(&self, why: &'static str) {
        self.turned_away.get_or_create(&TurnedAway { why }).inc();
    }

    fn answered(&self, answered: Answered) {
        let Answered { route, method, status, problem, took } = answered;
        self.duration.get_or_create(&Route { route }).observe(took.as_secs_f64());
        self.answered.get_or_create(&Status { route, method, status: status.as_u16() }).inc();
        if let Some(problem) = problem {
            self.refused.get_or_create(&Refused { problem }).inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::Body;
    use axum::http::{Method, Request, StatusCode};
    use decalog_gateway::access::Access;
    use decalog_gateway::front::{Door, Front, Settings};
    use decalog_gateway::gate::Gate;
    use decalog_gateway::route::Routes;
    use tower::ServiceExt;

    use super::*;

    fn door(metrics: &Metrics) -> Door {
        let routes = Routes::<()>::new()
            .route(Method::GET, "/pots/{pot}", Access::Public, async || StatusCode::IM_A_TEAPOT)
            .route(Method::GET, "/own", Access::Signed, async || "mine")
            .route(Method::GET, "/never", Access::Public, std::future::pending::<()>);
        let watch = Arc::new(Requests::new(metrics));
        Front::new(Gate::closed(), Settings { watch, ..Settings::default() }).with(routes).open()
    }

    fn request(method: &str, path: &str) -> Request<Body> {
        Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn requests_are_counted_by_template_method_and_status() {
        let metrics = Metrics::new("1");
        let door = door(&metrics);
        let call = async |method: &str, path: &str| {
            door.clone().oneshot(request(method, path)).await.unwrap();
        };
        for pot in 0..50 {
            call("GET", &format!("/pots/{pot}")).await;
            call("GET", &format!("/nowhere/{pot}")).await;
            call(&format!("VERB{pot}"), "/pots/1").await;
        }
        call("GET", "/own").await;
        let text = metrics.text();
        let counts: Vec<_> =
            text.lines().filter(|line| line.starts_with("decalog_http_requests_total")).collect();
        assert_eq!(counts.len(), 4, "strangers make no labels: {counts:#?}");
        let has = |line: &str| assert!(text.contains(&format!("decalog_http_{line}\n")), "{line} in {text}");
        has("requests_total{route=\"/pots/{pot}\",method=\"GET\",status=\"418\"} 50");
        has("requests_total{route=\"none\",method=\"GET\",status=\"404\"} 50");
        has("requests_total{route=\"/pots/{pot}\",method=\"other\",status=\"405\"} 50");
        has("request_duration_seconds_count{route=\"/pots/{pot}\"} 100");
        has("refusals_total{problem=\"credential-required\"} 1");
        has("refusals_total{problem=\"not-found\"} 50");
        has("requests_in_flight 0");
    }

    #[tokio::test]
    async fn a_request_is_under_way_until_it_is_answered_or_given_up() {
        let metrics = Metrics::new("1");
        let mut waiting = Box::pin(door(&metrics).oneshot(request("GET", "/never")));
        assert!(
            std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx))).await.is_pending()
        );
        assert!(metrics.text().contains("decalog_http_requests_in_flight 1\n"));
        drop(waiting);
        assert!(metrics.text().contains("decalog_http_requests_in_flight 0\n"));
    }
}
