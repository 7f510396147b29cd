//! The log's syncs, and the space on the disk that holds the data.

use std::fmt;
use std::path::PathBuf;

use decalog_log::OnSync;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::{Metrics, times};

/// Times every sync of a log that is opened with this.
pub fn syncs(metrics: &Metrics) -> OnSync {
    let histogram = times();
    let told = histogram.clone();
    metrics.register(|registry| {
        registry.register_with_unit(
            "log_sync_duration",
            "From the decision to sync to its partitions being told",
            Unit::Seconds,
            histogram,
        );
    });
    OnSync::new(move |took| told.observe(took.as_secs_f64()))
}

/// Looks, at each scrape, how much space the file system of this directory has and how much is free for the process.
pub fn space(metrics: &Metrics, directory: PathBuf) {
    metrics.register(|registry| registry.register_collector(Box::new(Space(directory))));
}

#[derive(Debug)]
struct Space(PathBuf);

impl Collector for Space {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        // What cannot be told is left out: an absent metric is noticed, a wrong one is not.
        let Ok(disk) = rustix::fs::statvfs(&self.0) else { return Ok(()) };
        let mut show = |name, help, blocks: u64| {
            let bytes =
                ConstGauge::new(i64::try_from(blocks.saturating_mul(disk.f_frsize)).unwrap_or(i64::MAX));
            let metric = encoder.encode_descriptor(name, help, Some(&Unit::Bytes), bytes.metric_type())?;
            bytes.encode(metric)
        };
        show(
            "data_free",
            "Space that is left for the process on the disk that holds the data",
            disk.f_bavail,
        )?;
        show("data_size", "Space on the disk that holds the data", disk.f_blocks)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use decalog_log::storage::SimDisk;
    use decalog_log::{
        Allowance, BatchBuilder, Durability, EmbeddedLog, Listener, Log, LogError, Options, PartitionId,
    };
    use std::sync::Arc;

    use super::*;

    struct Nobody;

    impl Listener for Nobody {
        fn advanced(&self, _durable: u64, _synced: u64) {}
        fn failed(&self, error: Arc<LogError>) {
            panic!("{error}");
        }
    }

    #[test]
    fn a_logs_syncs_are_timed() {
        let metrics = Metrics::new("1");
        let options = Options { on_sync: syncs(&metrics), ..Options::small() };
        let log = EmbeddedLog::start(Arc::new(SimDisk::new()), options).unwrap();
        log.open(PartitionId(1), Durability::Fsync, Arc::new(Nobody)).unwrap();
        let mut batch = BatchBuilder::new();
        batch.push(b"a record").unwrap();
        log.append(PartitionId(1), 0, &batch, Allowance::Ordinary).unwrap();
        let began = std::time::Instant::now();
        while !metrics.text().contains("decalog_log_sync_duration_seconds_count 1\n") {
            assert!(began.elapsed() < Duration::from_secs(20), "{}", metrics.text());
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_disks_space_is_told_when_there_is_a_disk() {
        let metrics = Metrics::new("1");
        space(&metrics, PathBuf::from("/"));
        let value = |name: &str| -> u64 {
            let text = metrics.text();
            let line =
                text.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).expect("it is told");
            line.parse().expect("a number")
        };
        let (free, size) = (value("decalog_data_free_bytes"), value("decalog_data_size_bytes"));
        assert!(0 < free && free < size, "{free} of {size}");
        let other = Metrics::new("1");
        space(&other, PathBuf::from("/no/such/place"));
        assert!(!other.text().contains("data_free"));
    }
}
