//! When a peer is left alone: a state machine that is told the time.
//!
//! ```text
//! closed ── failures in a row ──▶ open ── pause ──▶ half-open ── successes ──▶ closed
//!                                  ▲                    │
//!                                  └───── a failure ────┘
//! ```

use std::time::Duration;

use tokio::time::Instant;

/// What a call's outcome says of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It serves.
    Worked,
    /// It does not.
    Failed,
    /// Nothing: the call was given up, or never reached it.
    Unknown,
}

/// Where a circuit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Position {
    /// Calls are made.
    Closed,
    /// None is.
    Open,
    /// One at a time is, to see.
    HalfOpen,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen { worked: u32, probing: bool },
}

/// A call that may be made. Its outcome is reported with it, whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Which of the circuit's positions let it through: an outcome that comes later than that says nothing.
    era: u64,
}

/// One peer's circuit.
#[derive(Clone, Debug)]
pub struct Circuit {
    state: State,
    era: u64,
    failures: u32,
    pause: Duration,
    probes: u32,
}

impl Circuit {
    /// Closed. Opens after so many failures in a row, for the pause; closes after so many successful probes.
    pub fn new(failures: u32, pause: Duration, probes: u32) -> Self {
        let (failures, probes) = (failures.max(1), probes.max(1));
        Self { state: State::Closed { failures: 0 }, era: 0, failures, pause, probes }
    }

    /// May a call be made? Otherwise, when is it worth asking again.
    pub fn enter(&mut self, now: Instant) -> Result<Pass, Duration> {
        if let State::Open { until } = self.state
            && now >= until
        {
            self.turn(State::HalfOpen { worked: 0, probing: false });
        }
        match &mut self.state {
            State::Closed { .. } => {}
            State::Open { until } => return Err(*until - now),
            State::HalfOpen { probing: true, .. } => return Err(Duration::ZERO),
            State::HalfOpen { probing, .. } => *probing = true,
        }
        Ok(Pass { era: self.era })
    }

    /// A call has ended.
    pub fn leave(&mut self, pass: Pass, verdict: Verdict, now: Instant) {
        if pass.era != self.era {
            return;
        }
        let open = State::Open { until: now + self.pause };
        match (&mut self.state, verdict) {
            (State::Closed { failures }, Verdict::Worked) => *failures = 0,
            (State::Closed { failures }, Verdict::Failed) => {
                *failures += 1;
                if *failures >= self.failures {
                    self.turn(open);
                }
            }
            (State::HalfOpen { .. }, Verdict::Failed) => self.turn(open),
            (State::HalfOpen { worked, probing }, Verdict::Worked) => {
                (*worked, *probing) = (*worked + 1, false);
                if *worked >= self.probes {
                    self.turn(State::Closed { failures: 0 });
                }
            }
            (State::HalfOpen { probing, .. }, Verdict::Unknown) => *probing = false,
            (State::Closed { .. }, Verdict::Unknown) | (State::Open { .. }, _) => {}
        }
    }

    fn turn(&mut self, state: State) {
        self.state = state;
        self.era += 1;
    }

    /// Where it stands; a pause that is over is seen by the next call.
    pub fn position(&self) -> Position {
        match self.state {
            State::Closed { .. } => Position::Closed,
            State::Open { .. } => Position::Open,
            State::HalfOpen { .. } => Position::HalfOpen,
        }
    }
}
