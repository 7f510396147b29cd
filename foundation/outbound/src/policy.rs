//! How calls are made: one set of numbers for every client.

use std::time::Duration;

/// How long calls wait and what they may take.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// A connection must stand within, TLS included.
    pub connect_timeout: Duration,
    /// One attempt must be answered within, to the last byte.
    pub attempt_timeout: Duration,
    /// All attempts and redirects of a call together must be done within.
    pub timeout: Duration,
    /// The largest answer.
    pub max_answer_bytes: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            attempt_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(15),
            max_answer_bytes: 1 << 20,
        }
    }
}
