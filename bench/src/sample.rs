//! Samples and rounds: exact percentiles, medians, and the interleaving that makes two measurements comparable.
//!
//! A ratio is only worth printing when both sides saw the same machine, so every claim runs A B, B A, A B … and
//! the median of the rounds' ratios counts. What is measured, and how, is left to the callers.

use std::time::{Duration, Instant};

/// Latencies in nanoseconds, every one kept: percentiles are exact, not bucketed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies {
    nanos: Vec<u64>,
    sorted: bool,
}

impl Latencies {
    /// Room for `expected` samples, so that recording does not allocate.
    pub(crate) fn with_capacity(expected: usize) -> Self {
        Self { nanos: Vec::with_capacity(expected), sorted: true }
    }

    /// Adds one sample.
    pub(crate) fn record(&mut self, latency: Duration) {
        self.nanos.push(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
        self.sorted = false;
    }

    /// Adds all samples of another set.
    pub(crate) fn merge(&mut self, other: Self) {
        self.nanos.extend(other.nanos);
        self.sorted = false;
    }

    /// How many samples there are.
    pub(crate) fn len(&self) -> usize {
        self.nanos.len()
    }

    /// The sample that `per_mille` thousandths of all samples do not exceed (nearest rank); zero when empty.
    pub(crate) fn per_mille(&mut self, per_mille: usize) -> Duration {
        if !self.sorted {
            self.nanos.sort_unstable();
            self.sorted = true;
        }
        let rank = (self.nanos.len() * per_mille).div_ceil(1000);
        Duration::from_nanos(self.nanos.get(rank.saturating_sub(1)).copied().unwrap_or(0))
    }

    /// The median.
    pub(crate) fn p50(&mut self) -> Duration {
        self.per_mille(500)
    }

    /// p50, p99, p99.9 and the largest, in microseconds.
    pub(crate) fn summary(&mut self) -> Summary {
        Summary {
            samples: self.len(),
            p50_us: micros(self.per_mille(500)),
            p99_us: micros(self.per_mille(990)),
            p999_us: micros(self.per_mille(999)),
            max_us: micros(self.per_mille(1000)),
        }
    }
}

/// What is told of a set of latencies.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Summary {
    /// How many samples there were.
    pub(crate) samples: usize,
    /// The median, in microseconds.
    pub(crate) p50_us: f64,
    /// 99 % are at most this, in microseconds.
    pub(crate) p99_us: f64,
    /// 99.9 % are at most this, in microseconds.
    pub(crate) p999_us: f64,
    /// The largest, in microseconds.
    pub(crate) max_us: f64,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p50 {:.0} µs, p99 {:.0}, p99.9 {:.0}", self.p50_us, self.p99_us, self.p999_us)
    }
}

/// A duration in microseconds.
pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Operations counted over a span of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// How many were completed.
    pub(crate) operations: u64,
    /// How long it took.
    pub(crate) elapsed: Duration,
}

impl Rate {
    /// Operations per second.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub(crate) fn per_second(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }
}

/// The median of a non-empty list; the mean of the middle two when their number is even.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

/// Both sides' figures of every round, in the order of the rounds.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub(crate) struct Rounds {
    /// What is judged.
    pub(crate) subject: Vec<f64>,
    /// What it is compared with.
    pub(crate) control: Vec<f64>,
}

impl Rounds {
    /// Runs both sides `rounds` times, swapping who goes first each time, so that drift hits both alike.
    pub(crate) fn interleave(
        rounds: usize,
        mut subject: impl FnMut() -> anyhow::Result<f64>,
        mut control: impl FnMut() -> anyhow::Result<f64>,
    ) -> anyhow::Result<Self> {
        let mut all = Self::default();
        for round in 0..rounds {
            if round % 2 == 0 {
                all.subject.push(subject()?);
                all.control.push(control()?);
            } else {
                all.control.push(control()?);
                all.subject.push(subject()?);
            }
        }
        Ok(all)
    }

    /// Subject divided by control, round by round.
    pub(crate) fn ratios(&self) -> Vec<f64> {
        self.subject.iter().zip(&self.control).map(|(subject, control)| subject / control).collect()
    }
}

/// A moment at which a measurement ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until(Instant);

impl Until {
    /// That far from now.
    pub(crate) fn after(span: Duration) -> Self {
        Self(Instant::now() + span)
    }

    /// Has it come?
    pub(crate) fn over(self) -> bool {
        Instant::now() >= self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut latencies = Latencies::with_capacity(1000);
        for micros in (1..=1000).rev() {
            latencies.record(Duration::from_micros(micros));
        }
        assert_eq!(latencies.p50(), Duration::from_micros(500));
        assert_eq!(latencies.per_mille(999), Duration::from_micros(999));
        assert_eq!(latencies.per_mille(1000), Duration::from_micros(1000));
        assert_eq!(Latencies::default().p50(), Duration::ZERO);
    }

    #[test]
    fn rounds_swap_who_goes_first() {
        let order = std::cell::RefCell::new(String::new());
        let rounds = Rounds::interleave(
            3,
            || {
                order.borrow_mut().push('A');
                Ok(6.0)
            },
            || {
                order.borrow_mut().push('B');
                Ok(3.0)
            },
        )
        .expect("neither side fails");
        assert_eq!(order.into_inner(), "ABBAAB");
        assert_eq!(rounds.ratios(), [2.0, 2.0, 2.0]);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&[9.0, 1.0, 2.0]), 2.0);
    }
}
