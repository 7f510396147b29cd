//! What holds for every history of one partition, which takes its own messages at once.

use std::sync::Arc;

use decalog_feed::command::{Command, Refusal, Reply};
use decalog_feed::state::Feed;
use decalog_runtime::harness::{Outcome, Plan, Scenario, Step, prove};
use decalog_runtime::tables::ModelBacking;
use decalog_runtime::{Origin, StateMachine, Timestamp};

use crate::books;
use crate::people::{People, START};

/// Kinds that are messages between partitions.
const MESSAGES: usize = 20;

/// One partition, and people.
struct Life(People);

impl Scenario for Life {
    type Machine = Feed;
    const COMMANDS: &'static [&'static str] = Command::NAMES.split_at(Command::NAMES.len() - MESSAGES).0;
    const REFUSALS: &'static [&'static str] = &[
        "not-found",
        "not-allowed",
        "duplicate",
        "too-many",
        "poll-ended",
        "voted-before",
        "no-such-option",
        "own-poll",
        "oneself",
        "name-taken",
        "wrong-visibility",
        "not-ready",
        "not-followed",
        "bad-model",
        "old-model",
        "suspended",
        "no-emoji",
        "too-many-reactions",
    ];

    fn machine(&self) -> Feed {
        Feed::new(Arc::new(ModelBacking::new()), 0, 1)
    }

    fn start(&self) -> Timestamp {
        Timestamp(START)
    }

    fn step(&mut self, random: &mut fastrand::Rng, state: &Feed) -> Step<Command> {
        if state.digest() == self.machine().digest() {
            self.0 = People::new();
        }
        let wait_nanos = random.i64(0..2_000_000_000);
        self.0.now += wait_nanos;
        let (command, bucket) = self.0.command(random, state);
        Step { origin: Origin { bucket, ..Origin::default() }, wait_nanos, command }
    }

    fn name(command: &Command) -> &'static str {
        command.name()
    }

    fn outcome(reply: &Reply) -> Outcome {
        match reply {
            Reply::Refused(why) => Outcome::Refused(name(*why)),
            _ => Outcome::Accepted,
        }
    }

    /// After some records: it reads every row. Which ones depends on the state alone.
    fn invariant(state: &Feed) -> Result<(), String> {
        if state.digest().0.is_multiple_of(8) {
            books::check_together(std::slice::from_ref(state))
        } else {
            Ok(())
        }
    }
}

fn name(why: Refusal) -> &'static str {
    match why {
        Refusal::NotFound => "not-found",
        Refusal::NotAllowed => "not-allowed",
        Refusal::Duplicate => "duplicate",
        Refusal::TooMany => "too-many",
        Refusal::PollEnded => "poll-ended",
        Refusal::VotedBefore => "voted-before",
        Refusal::NoSuchOption => "no-such-option",
        Refusal::OwnPoll => "own-poll",
        Refusal::Oneself => "oneself",
        Refusal::NameTaken => "name-taken",
        Refusal::WrongVisibility => "wrong-visibility",
        Refusal::NotReady => "not-ready",
        Refusal::NotFollowed => "not-followed",
        Refusal::BadModel => "bad-model",
        Refusal::OldModel => "old-model",
        Refusal::Suspended => "suspended",
        Refusal::NoEmoji => "no-emoji",
        Refusal::TooManyReactions => "too-many-reactions",
    }
}

#[test]
fn replay_and_snapshots_come_to_the_same_and_everything_is_reached() {
    assert_eq!(Life::COMMANDS.last(), Some(&"revoke-quote"), "messages come last");
    let report = prove(&mut Life(People::new()), Plan { seed: 1, histories: 16, length: 500 });
    assert!(report.events > 2_000, "{report:#?}");
}
