//! Counts that a system keeps itself, by a name of its configuration and by outcome: shown at each scrape.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabel, EncodeLabelSet, EncodeMetric, LabelSetEncoder,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use crate::Metrics;

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    /// The metric's name, without prefix and `_total`.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// The label beside `outcome`. Its values come from the configuration, so there are few.
    pub label: &'static str,
}

/// Asks, at each scrape, for the counts: label, outcome, how many.
pub fn show(
    metrics: &Metrics,
    counter: Counter,
    read: impl Fn() -> Vec<(String, &'static str, u64)> + Send + Sync + 'static,
) {
    let outcomes = Outcomes { counter, read: Box::new(read) };
    metrics.register(|registry| registry.register_collector(Box::new(outcomes)));
}

type Read = dyn Fn() -> Vec<(String, &'static str, u64)> + Send + Sync;

struct Outcomes {
    counter: Counter,
    read: Box<Read>,
}

impl fmt::Debug for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcomes").field("counter", &self.counter).finish_non_exhaustive()
    }
}

struct Labels<'a>([(&'static str, &'a str); 2]);

impl EncodeLabelSet for Labels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.iter().try_for_each(|label| label.encode(encoder.encode_label()))
    }
}

impl Collector for Outcomes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Counter { name, help, label } = self.counter;
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (value, outcome, count) in (self.read)() {
            let labels = Labels([(label, &value), ("outcome", outcome)]);
            ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_asked_for_at_each_scrape() {
        let metrics = Metrics::new("0");
        let asked = std::sync::atomic::AtomicU64::new(0);
        let counter = Counter { name: "visits", help: "Visits", label: "house" };
        show(&metrics, counter, move || {
            let count = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            vec![("red".to_owned(), "welcome", count), ("blue".to_owned(), "away", 7)]
        });
        metrics.text();
        let text = metrics.text();
        assert!(text.contains("decalog_visits_total{house=\"red\",outcome=\"welcome\"} 1"), "{text}");
        assert!(text.contains("decalog_visits_total{house=\"blue\",outcome=\"away\"} 7"), "{text}");
    }
}
