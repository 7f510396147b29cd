//! How long a peer's reads took of late, and how long is unusual.

use std::time::Duration;

/// Reads that are remembered.
const KEPT: usize = 100;
/// With fewer nothing is unusual.
const ENOUGH: usize = 20;
/// Nothing that comes sooner than this is worth a second request.
const SHORTEST: Duration = Duration::from_millis(5);

/// The last reads of a peer.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    took: Vec<Duration>,
    oldest: usize,
}

impl Latencies {
    pub(super) fn record(&mut self, took: Duration) {
        if self.took.len() < KEPT {
            self.took.push(took);
        } else {
            self.took[self.oldest] = took;
            self.oldest = (self.oldest + 1) % KEPT;
        }
    }

    /// What 95 of 100 reads did not exceed.
    pub(super) fn p95(&self) -> Option<Duration> {
        if self.took.len() < ENOUGH {
            return None;
        }
        let mut took = self.took.clone();
        let place = took.len() * 95 / 100;
        let (_, p95, _) = took.select_nth_unstable(place.min(self.took.len() - 1));
        Some((*p95).max(SHORTEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_95th_of_100_counts_and_the_old_are_forgotten() {
        let mut all = Latencies::default();
        for millis in (1..=19).map(|n| n * 10) {
            all.record(Duration::from_millis(millis));
            assert_eq!(all.p95(), None);
        }
        for millis in (20..=100).map(|n| n * 10) {
            all.record(Duration::from_millis(millis));
        }
        assert_eq!(all.p95(), Some(Duration::from_millis(960)));
        for _ in 0..KEPT {
            all.record(Duration::from_millis(1));
        }
        assert_eq!(all.p95(), Some(SHORTEST));
    }
}
