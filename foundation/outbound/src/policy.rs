//! How calls are made: one set of numbers for every client.

use std::time::Duration;

/// How long calls wait, how often they are tried again, and when they are not made at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// A connection must stand within, TLS included.
    pub connect_timeout: Duration,
    /// One attempt must be answered within, to the last byte.
    pub attempt_timeout: Duration,
    /// All attempts and redirects of a call together must be done within, or within what is left to the caller.
    pub timeout: Duration,
    /// The largest answer.
    pub max_answer_bytes: usize,
    /// Attempts at one peer at the same time.
    pub concurrency: usize,
    /// Attempts that may wait for one of these places; more are refused.
    pub queue: usize,
    /// Further attempts of one call.
    pub retries: u32,
    /// Before the first further attempt, a random time up to this is waited; up to twice as much before each next one.
    pub backoff: Duration,
    /// The most that this grows to.
    pub backoff_max: Duration,
    /// Further attempts, retries and hedges together, in percent of the calls.
    pub retry_percent: u32,
    /// So many further attempts a second are free, so that a client with few calls can retry at all; ten seconds' worth is
    /// saved up.
    pub retries_per_second: u32,
    /// Failures in a row after which a peer is left alone.
    pub breaker_failures: u32,
    /// For how long.
    pub breaker_pause: Duration,
    /// Then one call at a time tries it; so many successes end the pause.
    pub breaker_probes: u32,
    /// When a read is sent a second time although the first has not failed.
    pub hedge: Hedge,
}

/// When a read is sent a second time although the first has not failed. The first good answer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hedge {
    /// Never.
    Off,
    /// After this time.
    After(Duration),
    /// When it takes longer than 19 of the last 20 did; never before enough are known.
    P95,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            attempt_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(15),
            max_answer_bytes: 1 << 20,
            concurrency: 64,
            queue: 256,
            retries: 3,
            backoff: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
            retry_percent: 10,
            retries_per_second: 1,
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(60),
            breaker_probes: 1,
            hedge: Hedge::P95,
        }
    }
}
