//! How the partitions of systems fare: what waits, what is applied and how fast, what a restart would replay.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use decalog_runtime::{Health, Meter, PartitionId, Status};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;

use crate::{Metrics, times};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Place {
    system: &'static str,
    partition: u32,
}

impl Place {
    /// The low half of an id is the partition's number in its system.
    fn of(system: &'static str, id: PartitionId) -> Place {
        Place { system, partition: id.0 & 0xffff }
    }
}

/// What a system's partitions are bounded by, to compare with.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Commands that may wait.
    pub queue_records: u64,
    /// Records between two snapshots.
    pub snapshot_every: u64,
}

/// The partitions of all systems. Clones share them.
#[derive(Clone, Debug)]
pub struct Partitions {
    records: Family<Place, Counter>,
    duration: Family<Place, Histogram, fn() -> Histogram>,
    systems: Systems,
}

impl Partitions {
    /// Shows them in these metrics.
    pub fn new(metrics: &Metrics) -> Self {
        let partitions = Self {
            records: Family::default(),
            duration: Family::new_with_constructor(times),
            systems: Systems::default(),
        };
        metrics.register(|registry| {
            registry.register("partition_applied_records", "Records applied", partitions.records.clone());
            registry.register_with_unit(
                "partition_apply_duration",
                "Applying and answering the records that became durable together",
                Unit::Seconds,
                partitions.duration.clone(),
            );
            registry.register_collector(Box::new(partitions.systems.clone()));
        });
        partitions
    }

    /// What counts and times the records that a system's partitions apply: for its setup.
    pub fn meter(&self, system: &'static str) -> Arc<dyn Meter> {
        let (records, duration) = (self.records.clone(), self.duration.clone());
        Arc::new(Applied { system, records, duration })
    }

    /// Asks a system, at each scrape, where its partitions stand.
    pub fn show(
        &self,
        system: &'static str,
        bounds: Bounds,
        ask: impl Fn() -> Vec<Status> + Send + Sync + 'static,
    ) {
        let ask = Box::new(ask);
        self.systems.list().push(System { name: system, bounds, ask });
    }
}

struct Applied {
    system: &'static str,
    records: Family<Place, Counter>,
    duration: Family<Place, Histogram, fn() -> Histogram>,
}

impl Meter for Applied {
    fn applied(&self, partition: PartitionId, records: u64, took: Duration) {
        let place = Place::of(self.system, partition);
        self.records.get_or_create(&place).inc_by(records);
        self.duration.get_or_create(&place).observe(took.as_secs_f64());
    }
}

struct System {
    name: &'static str,
    bounds: Bounds,
    ask: Box<dyn Fn() -> Vec<Status> + Send + Sync>,
}

/// The systems that are asked.
#[derive(Clone, Default)]
struct Systems(Arc<Mutex<Vec<System>>>);

impl Systems {
    fn list(&self) -> MutexGuard<'_, Vec<System>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Systems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list().iter().map(|system| system.name)).finish()
    }
}

/// A number of each partition.
type Number = fn(&Status, &Bounds) -> u64;

/// Name, help, and where the number comes from.
const NUMBERS: [(&str, &str, Number); 8] = [
    ("partition_running", "1 while it takes commands", |it, _| u64::from(it.health == Health::Running)),
    ("partition_diverged", "1 when its shadow came to another state", |it, _| u64::from(it.diverged)),
    ("partition_queue_records", "Commands that wait", |it, _| it.waiting as u64),
    ("partition_queue_limit_records", "Commands that may wait", |_, bounds| bounds.queue_records),
    ("partition_unsynced_records", "Records applied that are not on the device yet", |it, _| {
        it.applied.saturating_sub(it.synced)
    }),
    ("partition_unapplied_records", "Records durable that are not applied yet", |it, _| {
        it.durable.saturating_sub(it.applied)
    }),
    ("partition_snapshot_lag_records", "Records that a restart would replay", |it, _| {
        it.applied.saturating_sub(it.snapshot)
    }),
    ("partition_snapshot_every_records", "Records between two snapshots", |_, bounds| bounds.snapshot_every),
];

impl Collector for Systems {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let systems = self.list();
        let partitions: Vec<_> = systems.iter().map(|system| (system, (system.ask)())).collect();
        for (name, help, number) in NUMBERS {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (system, statuses) in &partitions {
                for status in statuses {
                    let place = Place::of(system.name, status.partition);
                    let value = i64::try_from(number(status, &system.bounds)).unwrap_or(i64::MAX);
                    ConstGauge::new(value).encode(metric.encode_family(&place)?)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(partition: u32) -> Status {
        Status {
            partition: PartitionId(1 << 16 | partition),
            applied: 120,
            durable: 130,
            synced: 100,
            rules: 1,
            waiting: 7,
            health: Health::Running,
            snapshot: 50,
            diverged: partition == 1,
            slowest_pin: None,
        }
    }

    #[test]
    fn each_partition_shows_where_it_stands() {
        let metrics = Metrics::new("1");
        let bounds = Bounds { queue_records: 8192, snapshot_every: 1000 };
        let partitions = Partitions::new(&metrics);
        partitions.show("exchange", bounds, || vec![status(0), status(1)]);
        partitions.show("identity", bounds, || vec![status(0)]);
        let text = metrics.text();
        assert_eq!(text.matches("# TYPE decalog_partition_running gauge").count(), 1, "one family: {text}");
        for (name, first, second) in [
            ("running", 1, 1),
            ("diverged", 0, 1),
            ("queue_records", 7, 7),
            ("queue_limit_records", 8192, 8192),
            ("unsynced_records", 20, 20),
            ("unapplied_records", 10, 10),
            ("snapshot_lag_records", 70, 70),
            ("snapshot_every_records", 1000, 1000),
        ] {
            for (partition, value) in [(0, first), (1, second)] {
                let line = format!(
                    "decalog_partition_{name}{{system=\"exchange\",partition=\"{partition}\"}} {value}\n"
                );
                assert!(text.contains(&line), "{line} in {text}");
            }
        }
    }

    #[test]
    fn what_partitions_apply_is_counted_and_timed() {
        let metrics = Metrics::new("1");
        let meter = Partitions::new(&metrics).meter("exchange");
        meter.applied(PartitionId(1 << 16 | 3), 40, Duration::from_millis(2));
        meter.applied(PartitionId(1 << 16 | 3), 2, Duration::from_millis(1));
        let text = metrics.text();
        let place = "system=\"exchange\",partition=\"3\"";
        assert!(text.contains(&format!("decalog_partition_applied_records_total{{{place}}} 42\n")), "{text}");
        assert!(
            text.contains(&format!("decalog_partition_apply_duration_seconds_count{{{place}}} 2\n")),
            "{text}"
        );
    }
}
