//! The hook on the apply thread: how a latency-bound door (FIX, OUCH) answers without another thread in between.

use crate::error::SubmitError;
use crate::machine::{Stamp, StateMachine};
use crate::partition::Origin;

/// What a record did.
#[derive(Debug)]
pub struct Applied<'a, M: StateMachine> {
    /// The record's place, moment and author.
    pub stamp: &'a Stamp,
    /// What whoever submitted it gave along ([`crate::Partition::offer`]); 0 for records that nobody here submitted.
    pub token: u64,
    /// The answer; `None` for the runtime's own records (ticks, acknowledgements).
    pub reply: Option<&'a M::Reply>,
    /// When the command was a repeat: the offset at which it was applied first. Its reply is the recorded one, and
    /// there are no events.
    pub repeat_of: Option<u64>,
    /// The events, deadlines that fired first; the address of each is (`stamp.offset`, its index here).
    pub events: &'a [M::Event],
    /// The state after the record.
    pub state: &'a M,
}

/// A command that was offered ([`crate::Partition::offer`]) and is not in the log.
#[derive(Debug)]
pub struct Refused<'a, M: StateMachine> {
    /// What whoever offered it gave along.
    pub token: u64,
    /// Who asked.
    pub origin: Origin,
    /// What was asked, for who can do something else with it.
    pub command: M::Command,
    /// Why it was not taken.
    pub error: &'a SubmitError,
}

/// Is told of every record applied, on the partition's own thread, after it is durable. It must be quick (the whole
/// partition waits) and must not block. A panic switches it off, with an error in the log; the partition goes on.
///
/// It sees what is applied while the process runs. What was applied during the replay at start, it learns from the
/// state, or from the event journal.
pub trait Observer<M: StateMachine>: Send + 'static {
    /// A record was applied.
    fn applied(&mut self, record: &Applied<'_, M>);

    /// An offered command was not taken after all (the disk is full, the partition halted).
    fn refused(&mut self, refused: Refused<'_, M>) {
        let _ = refused;
    }

    /// Everything that was durable is applied: flush what was written meanwhile. `applied` is the next record's offset.
    fn batch_end(&mut self, applied: u64) {
        let _ = applied;
    }

    /// The partition is halted by a bug, or stops: close what depends on it.
    fn stopped(&mut self, error: &SubmitError) {
        let _ = error;
    }
}
