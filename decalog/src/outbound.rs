//! Calls to other servers, as the configuration wants them: one guard and one policy for every client.

use std::time::Duration;

use decalog_outbound::{Guard, Hedge, Policy};

use crate::config::{Outbound, Resilience};

/// Where calls may go.
pub(crate) fn guard(outbound: &Outbound) -> Guard {
    // What cannot be parsed was refused when the configuration was read.
    let allowed = outbound.allow.iter().filter_map(|allowed| allowed.as_str().parse().ok()).collect();
    Guard { allowed, plain_http: outbound.plain_http }
}

/// How calls are made.
pub(crate) fn policy(resilience: &Resilience) -> Policy {
    let millis = |millis: u32| Duration::from_millis(millis.into());
    let hedge = match resilience.hedge_milliseconds.get() {
        _ if !resilience.hedge => Hedge::Off,
        0 => Hedge::P95,
        after => Hedge::After(millis(after)),
    };
    Policy {
        connect_timeout: millis(resilience.connect_timeout_milliseconds.get()),
        attempt_timeout: millis(resilience.attempt_timeout_milliseconds.get()),
        timeout: millis(resilience.timeout_milliseconds.get()),
        concurrency: resilience.concurrency.get() as usize,
        queue: resilience.queue.get() as usize,
        retries: resilience.retries.get(),
        backoff: millis(resilience.backoff_milliseconds.get()),
        backoff_max: millis(resilience.backoff_max_milliseconds.get()),
        retry_percent: resilience.retry_percent.get(),
        retries_per_second: resilience.retries_per_second.get(),
        breaker_failures: resilience.breaker_failures.get(),
        breaker_pause: millis(resilience.breaker_seconds.get() * 1_000),
        breaker_probes: resilience.breaker_probes.get(),
        hedge,
        ..Policy::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_the_configuration_are_those_of_the_crate() {
        assert_eq!(policy(&Resilience::default()), Policy::default());
    }
}
