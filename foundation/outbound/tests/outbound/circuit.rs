//! The circuit against an obvious model, which keeps the whole history and reads it anew each time.

use std::time::Duration;

use decalog_outbound::resilience::{Circuit, Pass, Position, Verdict};
use proptest::prelude::*;
use tokio::time::Instant;

const FAILURES: usize = 3;
const PROBES: usize = 2;
const PAUSE: u64 = 60;

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter,
    /// The call that entered so long ago ends.
    Leave(usize, Verdict),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let verdict = prop_oneof![
        3 => Just(Verdict::Worked),
        6 => Just(Verdict::Failed),
        1 => Just(Verdict::Unknown),
    ];
    prop_oneof![
        4 => Just(Step::Enter),
        5 => (0_usize..4, verdict).prop_map(|(which, verdict)| Step::Leave(which, verdict)),
        1 => (0_u64..100).prop_map(Step::Wait),
    ]
}

/// What happened since the last turn of the circuit, in order, and what it was before.
#[derive(Debug)]
enum Model {
    /// The verdicts that came.
    Closed(Vec<Verdict>),
    Open {
        since: u64,
    },
    /// The verdicts that came, and whether a probe is out.
    HalfOpen(Vec<Verdict>, bool),
}

impl Model {
    fn enter(&mut self, now: u64) -> bool {
        if matches!(self, Model::Open { since } if now >= *since + PAUSE) {
            *self = Model::HalfOpen(Vec::new(), false);
        }
        match self {
            Model::Closed(_) => true,
            Model::Open { .. } => false,
            Model::HalfOpen(_, out) => !std::mem::replace(out, true),
        }
    }

    /// The verdict of a call that this position let through; says whether the circuit turned.
    fn leave(&mut self, verdict: Verdict, now: u64) -> bool {
        match self {
            Model::Closed(came) => {
                came.push(verdict);
                let told = came.iter().rev().filter(|one| **one != Verdict::Unknown);
                let row = told.take_while(|one| **one == Verdict::Failed).count();
                if row >= FAILURES {
                    *self = Model::Open { since: now };
                    return true;
                }
            }
            Model::Open { .. } => {}
            Model::HalfOpen(came, out) => {
                came.push(verdict);
                *out = false;
                if came.contains(&Verdict::Failed) {
                    *self = Model::Open { since: now };
                    return true;
                }
                if came.iter().filter(|one| **one == Verdict::Worked).count() >= PROBES {
                    *self = Model::Closed(Vec::new());
                    return true;
                }
            }
        }
        false
    }

    fn position(&self) -> Position {
        match self {
            Model::Closed(_) => Position::Closed,
            Model::Open { .. } => Position::Open,
            Model::HalfOpen(..) => Position::HalfOpen,
        }
    }
}

proptest! {
    #[test]
    fn the_circuit_does_as_the_model(steps in proptest::collection::vec(step(), 1..200)) {
        let begin = Instant::now();
        let mut circuit = Circuit::new(3, Duration::from_secs(PAUSE), 2);
        let mut model = Model::Closed(Vec::new());
        let (mut seconds, mut turns) = (0, 0);
        // Each call with the number of turns before it: an outcome counts only in the position that let it through.
        let mut calls: Vec<(Pass, u32)> = Vec::new();
        for step in steps {
            let now = begin + Duration::from_secs(seconds);
            match step {
                Step::Wait(time) => seconds += time,
                Step::Enter => {
                    let was_open = matches!(model, Model::Open { .. });
                    let (entered, expected) = (circuit.enter(now), model.enter(seconds));
                    turns += u32::from(was_open && model.position() == Position::HalfOpen);
                    prop_assert_eq!(entered.is_ok(), expected, "{:?}", model);
                    calls.extend(entered.ok().map(|pass| (pass, turns)));
                }
                Step::Leave(which, verdict) if which < calls.len() => {
                    let (pass, at) = calls.remove(calls.len() - 1 - which);
                    circuit.leave(pass, verdict, now);
                    if at == turns {
                        turns += u32::from(model.leave(verdict, seconds));
                    }
                }
                Step::Leave(..) => {}
            }
            prop_assert_eq!(circuit.position(), model.position());
        }
    }
}
