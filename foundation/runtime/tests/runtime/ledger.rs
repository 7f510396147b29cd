//! The machine under test: accounts that hold points. Points can be held back until a moment, at which they return;
//! they can be sent to an account of another partition; and a command exists that is a bug.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};

use decalog_runtime::erasure::Erase;
use decalog_runtime::{
    DecodeError, Digest, Outbox, PartitionId, Stamp, StateMachine, Timestamp, Wire, pack, unpack,
};
use serde::{Deserialize, Serialize};

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Give an account points.
    Deposit { account: u64, points: u64 },
    /// Take points until a moment.
    Hold { account: u64, points: u64, until: i64 },
    /// Take what is left, only while nothing is held.
    Close { account: u64 },
    /// Move points to an account of another partition.
    Send { account: u64, points: u64, to: u32 },
    /// Points that another partition sent.
    Receive { account: u64, points: u64 },
    /// A bug.
    Explode,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// The account's points afterwards.
    Points(u64),
    /// Not so many points.
    Short { has: u64 },
    /// No such account.
    Unknown,
    /// Something is held.
    Held,
}

/// What others hear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Event {
    /// An account's points changed.
    Changed { account: u64, points: u64 },
    /// Held points came back.
    Returned { account: u64, points: u64 },
    /// An account is gone.
    Closed { account: u64 },
}

macro_rules! packed {
    ($name:ty, $kind:literal) => {
        impl Wire for $name {
            fn kind(&self, _rules: u32) -> (u16, u16) {
                ($kind, 1)
            }
            fn encode(&self, _rules: u32, out: &mut Vec<u8>) {
                pack(self, out);
            }
            fn decode(kind: u16, version: u16, body: &[u8]) -> Result<Self, DecodeError> {
                unpack(kind, version, body)
            }
        }
    };
}
packed!(Command, 1);
packed!(Reply, 2);
packed!(Event, 3);

/// The state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ledger {
    accounts: BTreeMap<u64, u64>,
    /// (when, number) → (account, points).
    holds: BTreeMap<(i64, u64), (u64, u64)>,
    made: u64,
    /// Points ever sent to other partitions, and received from them.
    sent: (u64, u64),
    /// Points ever deposited less those taken by closing and sending: what must be there.
    given: u64,
    /// Not part of the state: makes two replicas differ, for the tests that must notice.
    #[serde(skip)]
    pub(crate) skew: u64,
    /// Not part of the state: a machine whose bug was repaired.
    #[serde(skip)]
    pub(crate) repaired: bool,
}

impl Ledger {
    pub(crate) fn points(&self, account: u64) -> Option<u64> {
        self.accounts.get(&account).copied()
    }

    pub(crate) fn held(&self) -> u64 {
        self.holds.values().map(|(_, points)| points).sum()
    }

    pub(crate) fn total(&self) -> u64 {
        self.accounts.values().sum::<u64>() + self.held()
    }

    pub(crate) fn sent(&self) -> (u64, u64) {
        self.sent
    }

    pub(crate) fn given(&self) -> u64 {
        self.given
    }

    pub(crate) fn holders(&self) -> BTreeSet<u64> {
        self.holds.values().map(|(account, _)| *account).collect()
    }

    fn take(&mut self, account: u64, points: u64) -> Result<u64, Reply> {
        let has = self.accounts.get_mut(&account).ok_or(Reply::Unknown)?;
        let left = has.checked_sub(points).ok_or(Reply::Short { has: *has })?;
        *has = left;
        Ok(left)
    }
}

impl Erase for Ledger {
    const NAME: &'static str = "ledger";

    fn holds(&self, id: u64) -> bool {
        self.accounts.contains_key(&id)
    }

    fn erasure(id: u64) -> (u16, Command) {
        (0, Command::Close { account: id })
    }
}

impl StateMachine for Ledger {
    type Command = Command;
    type Reply = Reply;
    type Event = Event;
    const DEDUPE_WINDOW: usize = 1000;

    fn apply(&mut self, at: &Stamp, command: Command, out: &mut Outbox<Event>) -> Reply {
        let mut changed = |account, points| out.emit(Event::Changed { account, points });
        match command {
            Command::Deposit { account, points } => {
                let has = self.accounts.entry(account).or_default();
                *has += points + self.skew;
                self.given += points + self.skew;
                changed(account, *has);
                Reply::Points(*has)
            }
            Command::Receive { account, points } => {
                let has = self.accounts.entry(account).or_default();
                *has += points;
                self.given += points;
                self.sent.1 += points;
                changed(account, *has);
                Reply::Points(*has)
            }
            Command::Hold { account, points, until } => match self.take(account, points) {
                Ok(left) => {
                    self.made += 1;
                    let until = until.max(at.time.0 + 1);
                    self.holds.insert((until, self.made), (account, points));
                    changed(account, left);
                    Reply::Points(left)
                }
                Err(refusal) => refusal,
            },
            Command::Close { account } => {
                if self.holders().contains(&account) {
                    return Reply::Held;
                }
                match self.accounts.remove(&account) {
                    Some(points) => {
                        self.given -= points;
                        out.emit(Event::Closed { account });
                        Reply::Points(points)
                    }
                    None => Reply::Unknown,
                }
            }
            Command::Send { account, points, to } => match self.take(account, points) {
                Ok(left) => {
                    changed(account, left);
                    self.given -= points;
                    self.sent.0 += points;
                    out.send(PartitionId(to), at.bucket, &Command::Receive { account, points }, at.rules);
                    Reply::Points(left)
                }
                Err(refusal) => refusal,
            },
            Command::Explode if self.repaired => Reply::Unknown,
            Command::Explode => panic!("the machine was asked to explode"),
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.holds.first_key_value().map(|((until, _), _)| Timestamp(*until))
    }

    fn expire(&mut self, _at: &Stamp, out: &mut Outbox<Event>) {
        let Some((_, (account, points))) = self.holds.pop_first() else { return };
        *self.accounts.entry(account).or_default() += points;
        out.emit(Event::Returned { account, points });
    }

    fn snapshot(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        pack(
            &(&self.accounts, self.holds.iter().collect::<Vec<_>>(), self.made, self.given, self.sent),
            &mut bytes,
        );
        out.write_all(&bytes)
    }

    fn restore(&mut self, from: &mut dyn Read) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes)?;
        type Parts = (BTreeMap<u64, u64>, Vec<((i64, u64), (u64, u64))>, u64, u64, (u64, u64));
        let (accounts, holds, made, given, sent): Parts =
            unpack(0, 0, &bytes).map_err(std::io::Error::other)?;
        (self.accounts, self.holds) = (accounts, holds.into_iter().collect());
        (self.made, self.given, self.sent) = (made, given, sent);
        Ok(())
    }

    fn digest(&self) -> Digest {
        let mut bytes = Vec::new();
        pack(
            &(&self.accounts, self.holds.iter().collect::<Vec<_>>(), self.made, self.given, self.sent),
            &mut bytes,
        );
        Digest::of(&bytes)
    }
}
