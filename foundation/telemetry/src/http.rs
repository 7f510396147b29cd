//! Requests: how many, with which status, how long, and how many at this moment.

use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;

use crate::{Metrics, times};

/// The route of requests that no route takes.
const NO_ROUTE: &str = "none";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

/// Counts requests.
#[derive(Clone, Debug)]
pub struct Requests {
    answered: Family<Answered, Counter>,
    duration: Family<Route, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
}

impl Requests {
    /// Counts into these metrics.
    pub fn new(metrics: &Metrics) -> Self {
        let requests = Self {
            answered: Family::default(),
            duration: Family::new_with_constructor(times),
            in_flight: Gauge::default(),
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
        });
        requests
    }

    /// The router with every request counted, those that no route takes among them.
    pub fn count(self, router: Router) -> Router {
        router.layer(from_fn(move |request: Request, next: Next| {
            let requests = self.clone();
            async move { requests.pass(request, next).await }
        }))
    }

    async fn pass(&self, request: Request, next: Next) -> Response {
        let route =
            request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
        let method = known(request.method());
        let _under_way = UnderWay::new(&self.in_flight);
        let began = Instant::now();
        let response = next.run(request).await;
        let took = began.elapsed().as_secs_f64();
        let status = response.status().as_u16();
        self.duration.get_or_create(&Route { route: route.clone() }).observe(took);
        self.answered.get_or_create(&Answered { route, method, status }).inc();
        response
    }
}

/// A request under way; one whose client goes away is not under way either.
struct UnderWay<'a>(&'a Gauge);

impl<'a> UnderWay<'a> {
    fn new(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The methods there are; a client may invent others.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    async fn call(router: &Router, method: &str, path: &str) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap();
    }

    #[tokio::test]
    async fn requests_are_counted_by_template_method_and_status() {
        let metrics = Metrics::new("1");
        let handler = async || StatusCode::IM_A_TEAPOT;
        let router = Router::new().route("/pots/{pot}", get(handler));
        let router = Requests::new(&metrics).count(router);
        for pot in 0..50 {
            call(&router, "GET", &format!("/pots/{pot}")).await;
            call(&router, "GET", &format!("/nowhere/{pot}")).await;
            call(&router, &format!("VERB{pot}"), "/pots/1").await;
        }
        let text = metrics.text();
        let counts: Vec<_> =
            text.lines().filter(|line| line.starts_with("decalog_http_requests_total")).collect();
        assert_eq!(counts.len(), 3, "strangers make no labels: {counts:#?}");
        let has = |labels: &str, count: u32| {
            assert!(
                text.contains(&format!("decalog_http_requests_total{{{labels}}} {count}\n")),
                "{labels} in {text}"
            );
        };
        has("route=\"/pots/{pot}\",method=\"GET\",status=\"418\"", 50);
        has("route=\"none\",method=\"GET\",status=\"404\"", 50);
        has("route=\"/pots/{pot}\",method=\"other\",status=\"405\"", 50);
        assert!(
            text.contains("decalog_http_request_duration_seconds_count{route=\"/pots/{pot}\"} 100\n"),
            "{text}"
        );
        assert!(text.contains("decalog_http_requests_in_flight 0\n"));
    }

    #[tokio::test]
    async fn a_request_is_under_way_until_it_is_answered_or_given_up() {
        let metrics = Metrics::new("1");
        let router = Router::new().route("/", get(std::future::pending::<()>));
        let router = Requests::new(&metrics).count(router);
        let request = Request::builder().uri("/").body(Body::empty()).unwrap();
        let mut waiting = Box::pin(router.oneshot(request));
        assert!(
            std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx))).await.is_pending()
        );
        assert!(metrics.text().contains("decalog_http_requests_in_flight 1\n"));
        drop(waiting);
        assert!(metrics.text().contains("decalog_http_requests_in_flight 0\n"));
    }
}
