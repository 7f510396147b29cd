//! Calls to other servers: what became of them, how long they took, what was tried again, and which peers are left alone.

use std::time::Duration;

use decalog_outbound::resilience::Position;
use decalog_outbound::{Kind, Watch};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;

use crate::{Metrics, times};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    client: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Caller {
    client: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Further {
    client: &'static str,
    kind: &'static str,
    allowed: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Stands {
    client: &'static str,
    state: &'static str,
}

/// Counts calls. Labels are the clients' names and a few fixed words; whom a client calls is none, since strangers may choose it.
#[derive(Clone, Debug)]
pub struct Calls {
    ended: Family<Ended, Counter>,
    duration: Family<Caller, Histogram, fn() -> Histogram>,
    further: Family<Further, Counter>,
    circuits: Family<Stands, Gauge>,
}

impl Calls {
    /// Counts into these metrics.
    pub fn new(metrics: &Metrics) -> Self {
        let calls = Self {
            ended: Family::default(),
            duration: Family::new_with_constructor(times),
            further: Family::default(),
            circuits: Family::default(),
        };
        metrics.register(|registry| {
            registry.register("outbound_calls", "Calls to other servers that ended", calls.ended.clone());
            registry.register_with_unit(
                "outbound_call_duration",
                "From a call to its answer, with all attempts",
                Unit::Seconds,
                calls.duration.clone(),
            );
            registry.register(
                "outbound_further_attempts",
                "Retries and hedges, made or refused by the budget",
                calls.further.clone(),
            );
            registry.register(
                "outbound_peers",
                "Servers that are called, by the state of their circuit breaker",
                calls.circuits.clone(),
            );
        });
        calls
    }
}

fn state(position: Position) -> &'static str {
    match position {
        Position::Closed => "closed",
        Position::Open => "open",
        Position::HalfOpen => "half_open",
    }
}

impl Watch for Calls {
    fn called(&self, client: &'static str, outcome: &'static str, took: Duration) {
        self.ended.get_or_create(&Ended { client, outcome }).inc();
        self.duration.get_or_create(&Caller { client }).observe(took.as_secs_f64());
    }

    fn further(&self, client: &'static str, kind: Kind, allowed: bool) {
        let kind = match kind {
            Kind::Retry => "retry",
            Kind::Hedge => "hedge",
        };
        let allowed = if allowed { "yes" } else { "no" };
        self.further.get_or_create(&Further { client, kind, allowed }).inc();
    }

    fn circuit(&self, client: &'static str, from: Option<Position>, to: Option<Position>) {
        if let Some(from) = from {
            self.circuits.get_or_create(&Stands { client, state: state(from) }).dec();
        }
        if let Some(to) = to {
            self.circuits.get_or_create(&Stands { client, state: state(to) }).inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use decalog_outbound::{Client, Guard, Hedge, Policy};

    use super::*;

    #[tokio::test]
    async fn calls_further_attempts_and_circuits_are_told() {
        let metrics = Metrics::new("1");
        // Nobody listens at a port that was just given back.
        let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let url = format!("http://{free}/");
        let policy = Policy {
            retries: 1,
            retries_per_second: 1,
            retry_percent: 0,
            backoff: Duration::ZERO,
            breaker_failures: 4,
            hedge: Hedge::Off,
            ..Policy::default()
        };
        let client = Client::new("test", Guard::default().naming(&url).unwrap(), policy).unwrap();
        let client = client.watched(Arc::new(Calls::new(&metrics)));
        for _ in 0..3 {
            assert!(client.get(&url).await.is_err());
        }
        assert!(client.get("http://127.0.0.2/").await.is_err());
        let text = metrics.text();
        let has =
            |line: &str| assert!(text.contains(&format!("decalog_outbound_{line}\n")), "{line} in {text}");
        has("calls_total{client=\"test\",outcome=\"unreachable\"} 2");
        has("calls_total{client=\"test\",outcome=\"paused\"} 1");
        has("calls_total{client=\"test\",outcome=\"forbidden_address\"} 1");
        has("further_attempts_total{client=\"test\",kind=\"retry\",allowed=\"yes\"} 2");
        has("peers{client=\"test\",state=\"open\"} 1");
        has("peers{client=\"test\",state=\"closed\"} 0");
        has("call_duration_seconds_count{client=\"test\"} 4");
        drop(client);
        assert!(metrics.text().contains("decalog_outbound_peers{client=\"test\",state=\"open\"} 0\n"));
    }
}
