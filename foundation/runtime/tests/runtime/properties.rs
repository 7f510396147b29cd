//! The harness on the tests' machine, and on machines with mistakes: each mistake must be found.

use std::io::{Read, Write};

use decalog_runtime::harness::{Outcome, Plan, Scenario, Step, prove, search};
use decalog_runtime::{Digest, Origin, Outbox, Stamp, StateMachine, Timestamp};

use crate::ledger::{Command, Event, Ledger, Reply};

pub(crate) const PLAN: Plan = Plan { seed: 1, histories: 20, length: 200 };

/// Random flows over few accounts, so that they meet.
pub(crate) struct Flows;

pub(crate) fn random_step(random: &mut fastrand::Rng, now: i64) -> Step<Command> {
    let account = random.u64(0..6);
    let points = random.u64(0..20);
    let command = match random.u32(0..10) {
        0..4 => Command::Deposit { account, points },
        4..7 => Command::Hold { account, points, until: now + random.i64(0..2_000) },
        7 => Command::Close { account },
        _ => Command::Send { account, points, to: 3 },
    };
    // Some repeat an earlier sequence number.
    let origin = Origin { client: random.u64(0..3), sequence: random.u64(0..300), ..Origin::default() };
    Step { origin, wait_nanos: random.i64(0..300), command }
}

fn name(command: &Command) -> &'static str {
    match command {
        Command::Deposit { .. } => "deposit",
        Command::Hold { .. } => "hold",
        Command::Close { .. } => "close",
        Command::Send { .. } => "send",
        Command::Receive { .. } => "receive",
        Command::Explode => "explode",
    }
}

fn outcome(reply: &Reply) -> Outcome {
    match reply {
        Reply::Points(_) => Outcome::Accepted,
        Reply::Short { .. } => Outcome::Refused("short"),
        Reply::Unknown => Outcome::Refused("unknown"),
        Reply::Held => Outcome::Refused("held"),
    }
}

impl Scenario for Flows {
    type Machine = Ledger;
    const COMMANDS: &'static [&'static str] = &["deposit", "hold", "close", "send"];
    const REFUSALS: &'static [&'static str] = &["short", "unknown", "held"];
    fn machine(&self) -> Ledger {
        Ledger::default()
    }
    fn step(&mut self, random: &mut fastrand::Rng, state: &Ledger) -> Step<Command> {
        let now = state.deadline().unwrap_or(self.start()).0;
        random_step(random, now)
    }
    fn name(command: &Command) -> &'static str {
        name(command)
    }
    fn outcome(reply: &Reply) -> Outcome {
        outcome(reply)
    }
}

#[test]
fn the_ledger_keeps_every_property() {
    let report = prove(&mut Flows, PLAN);
    assert_eq!(report.commands, 4000);
    assert!(report.events > 1000, "{report:?}");
}

/// A mistake that machines make.
#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    /// Something that decides is not in the snapshot.
    Forgets,
    /// Decides by what is not state.
    Undecided,
    /// An invariant of the accounts breaks.
    Breaks,
}

/// A ledger with a mistake.
struct Wrong {
    ledger: Ledger,
    mistake: Mistake,
    seen: u64,
}

thread_local! {
    static OUTSIDE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

impl StateMachine for Wrong {
    type Command = Command;
    type Reply = Reply;
    type Event = Event;
    fn apply(&mut self, at: &Stamp, command: Command, out: &mut Outbox<Event>) -> Reply {
        self.seen += 1;
        let outside = OUTSIDE.get();
        OUTSIDE.set(outside + 1);
        let odd = match self.mistake {
            Mistake::Forgets => self.seen.is_multiple_of(50),
            Mistake::Undecided => outside % 1000 == 999,
            Mistake::Breaks => false,
        };
        if odd { Reply::Held } else { self.ledger.apply(at, command, out) }
    }
    fn deadline(&self) -> Option<Timestamp> {
        self.ledger.deadline()
    }
    fn expire(&mut self, at: &Stamp, out: &mut Outbox<Event>) {
        self.ledger.expire(at, out);
    }
    fn snapshot(&self, out: &mut dyn Write) -> std::io::Result<()> {
        self.ledger.snapshot(out)
    }
    fn restore(&mut self, from: &mut dyn Read) -> std::io::Result<()> {
        self.ledger.restore(from)
    }
    fn digest(&self) -> Digest {
        self.ledger.digest()
    }
}

struct WrongFlows(Mistake);

impl Scenario for WrongFlows {
    type Machine = Wrong;
    const COMMANDS: &'static [&'static str] = &[];
    const REFUSALS: &'static [&'static str] = &["nobody says this"];
    fn machine(&self) -> Wrong {
        Wrong { ledger: Ledger::default(), mistake: self.0, seen: 0 }
    }
    fn step(&mut self, random: &mut fastrand::Rng, _state: &Wrong) -> Step<Command> {
        random_step(random, self.start().0)
    }
    fn name(command: &Command) -> &'static str {
        name(command)
    }
    fn outcome(reply: &Reply) -> Outcome {
        outcome(reply)
    }
    fn invariant(state: &Wrong) -> Result<(), String> {
        let broken = state.mistake == Mistake::Breaks && state.ledger.held() > 0;
        if broken { Err("something is held".to_owned()) } else { Ok(()) }
    }
}

#[test]
fn every_mistake_is_found_and_its_history_is_short() {
    let forgets = search(&mut WrongFlows(Mistake::Forgets), PLAN).unwrap_err();
    assert!(forgets.what.contains("snapshot"), "{forgets}");
    let undecided = search(&mut WrongFlows(Mistake::Undecided), PLAN).unwrap_err();
    assert!(undecided.what.contains("replay"), "{undecided}");
    let breaks = search(&mut WrongFlows(Mistake::Breaks), PLAN).unwrap_err();
    assert!(breaks.what.contains("something is held"), "{breaks}");
    assert!(breaks.history.len() <= 2, "a deposit and a hold at most: {breaks}");
}

#[test]
fn a_refusal_that_is_never_reached_fails() {
    struct Idle;
    impl Scenario for Idle {
        type Machine = Ledger;
        const COMMANDS: &'static [&'static str] = &["deposit"];
        const REFUSALS: &'static [&'static str] = &["short"];
        fn machine(&self) -> Ledger {
            Ledger::default()
        }
        fn step(&mut self, _random: &mut fastrand::Rng, _state: &Ledger) -> Step<Command> {
            Step {
                origin: Origin::default(),
                wait_nanos: 1,
                command: Command::Deposit { account: 1, points: 1 },
            }
        }
        fn name(command: &Command) -> &'static str {
            name(command)
        }
        fn outcome(reply: &Reply) -> Outcome {
            outcome(reply)
        }
    }
    let panic = std::panic::catch_unwind(|| prove(&mut Idle, PLAN)).unwrap_err();
    assert!(panic.downcast_ref::<String>().is_some_and(|words| words.contains("never reached: [\"short\"]")));
}
