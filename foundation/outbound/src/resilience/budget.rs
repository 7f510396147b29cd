//! How many further attempts a peer's calls may make: a token bucket that each call fills a little, and time too. Retries
//! without a bound turn a peer that fails for a moment into one that is overloaded for good.

use std::time::Duration;

use tokio::time::Instant;

/// What one further attempt costs.
const ATTEMPT: u64 = 100_000;
/// A percent of one, which each call pays as often as the policy says.
const PERCENT: u64 = ATTEMPT / 100;
/// What time alone brings is saved up for so long, in seconds.
const SAVED: u64 = 10;
/// Attempts that are saved up beside that.
const PAID: u64 = 10;

/// A bucket of further attempts. It is told the time.
#[derive(Debug)]
pub(super) struct Budget {
    percent: u64,
    per_second: u64,
    held: u64,
    at: Instant,
}

impl Budget {
    /// Each call pays `percent` of an attempt; `per_second` attempts come by themselves, and ten seconds' worth is there.
    pub(super) fn new(percent: u32, per_second: u32, now: Instant) -> Self {
        let (percent, per_second) = (u64::from(percent), u64::from(per_second));
        Self { percent, per_second, held: per_second * SAVED * ATTEMPT, at: now }
    }

    /// A call is made.
    pub(super) fn call(&mut self, now: Instant) {
        self.fill(now);
        self.hold(self.percent * PERCENT);
    }

    /// Takes an attempt out, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let left = self.held.checked_sub(ATTEMPT);
        self.held = left.unwrap_or(self.held);
        left.is_some()
    }

    fn fill(&mut self, now: Instant) {
        // The rest of a millisecond counts the next time.
        let millis = u64::try_from(now.saturating_duration_since(self.at).as_millis()).unwrap_or(u64::MAX);
        let counted = millis.min(SAVED * 1_000 + PAID * 1_000);
        self.hold(counted * self.per_second * (ATTEMPT / 1_000));
        self.at = if counted < millis { now } else { self.at + Duration::from_millis(millis) };
    }

    fn hold(&mut self, more: u64) {
        self.held = (self.held + more).min((self.per_second * SAVED + PAID) * ATTEMPT);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Call,
        Take,
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![4 => Just(Step::Call), 4 => Just(Step::Take), 1 => (0_u64..5_000_000).prop_map(Step::Wait)]
    }

    proptest! {
        /// The model keeps all that happened. Between any two moments no more is taken than is saved up, comes with time,
        /// and is paid for; and what is refused could not have been given.
        #[test]
        fn between_any_two_moments_the_budget_is_kept(
            steps in proptest::collection::vec(step(), 1..300),
            percent in prop_oneof![Just(0_u32), Just(10), Just(33), Just(150)],
            per_second in 0_u32..3,
        ) {
            let begin = Instant::now();
            let mut budget = Budget::new(percent, per_second, begin);
            // Time in microseconds, calls and takes so far; and a bucket in real numbers beside.
            let (mut micros, mut calls, mut taken) = (0_u64, 0_u32, 0_u32);
            let most = f64::from(per_second) * 10.0 + 10.0;
            let mut model = f64::from(per_second) * 10.0;
            let mut history = vec![(0.0, 0, 0)];
            for step in steps {
                let now = begin + Duration::from_micros(micros);
                match step {
                    Step::Wait(time) => {
                        micros += time;
                        #[allow(clippy::cast_precision_loss, reason = "seconds of a test")]
                        let seconds = time as f64 / 1e6;
                        model = (model + seconds * f64::from(per_second)).min(most);
                    }
                    Step::Call => {
                        budget.call(now);
                        calls += 1;
                        model = (model + f64::from(percent) / 100.0).min(most);
                    }
                    Step::Take => {
                        let given = budget.take(now);
                        // A millisecond is its step.
                        let step = f64::from(per_second) / 1_000.0 + 1e-6;
                        prop_assert!(!given || model > 1.0 - step, "given with {model} there");
                        prop_assert!(given || model < 1.0 + step, "refused with {model} there");
                        taken += u32::from(given);
                        model -= f64::from(u8::from(given));
                    }
                }
                #[allow(clippy::cast_precision_loss, reason = "seconds of a test")]
                history.push((micros as f64 / 1e6, calls, taken));
            }
            let (end, all_calls, all_taken) = history[history.len() - 1];
            for (at, calls, taken) in history {
                let came = (end - at) * f64::from(per_second);
                let paid = f64::from(all_calls - calls) * f64::from(percent) / 100.0;
                prop_assert!(f64::from(all_taken - taken) <= most + came + paid + 0.01);
            }
        }
    }
}
