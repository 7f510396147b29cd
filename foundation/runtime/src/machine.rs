//! What a system gives the runtime: a deterministic state machine and the byte forms of its data.
//!
//! Nothing here appends, waits or answers anybody: that is the partition's business. A machine sees records in
//! order and says what they change.

use std::io;

pub use decalog_log::PartitionId;
use xxhash_rust::xxh3::xxh3_128;

use crate::tables::Tables;

/// Nanoseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment `nanos` later (earlier when negative), stopping at the ends of the scale.
    pub fn plus_nanos(self, nanos: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(nanos))
    }

    /// Whole milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

/// Everything about a record that is not its body: the only source of time, identity and ids in `apply`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The record's place in its partition.
    pub offset: u64,
    /// The record's moment; never before an earlier record's. While a deadline fires it is that deadline.
    pub time: Timestamp,
    /// The rules in force: old branches of a changed rule look at this.
    pub rules: u32,
    /// The key bucket (0..1024) or, for listed partitions, the unit. 0 while a deadline fires.
    pub bucket: u16,
    /// Who asks; 0 is the system itself.
    pub principal: u64,
    /// The client instance, for deduplication; 0 asks for none.
    pub client: u64,
    /// That client's sequence number.
    pub sequence: u64,
}

/// A value with a released byte form. A released (kind, version) never changes; a new field makes a new version.
///
/// Kinds from [`crate::record::RESERVED_KINDS`] on belong to the runtime.
pub trait Wire: Sized {
    /// The kind and version that `encode` writes under these rules.
    fn kind(&self, rules: u32) -> (u16, u16);
    /// Appends the body (without kind and version) to `out`, which may already hold other bytes.
    fn encode(&self, rules: u32, out: &mut Vec<u8>);
    /// Reads a body of that kind and version.
    fn decode(kind: u16, version: u16, body: &[u8]) -> Result<Self, DecodeError>;
}

/// Nothing to say: for machines without replies or events.
impl Wire for () {
    fn kind(&self, _rules: u32) -> (u16, u16) {
        (0, 0)
    }

    fn encode(&self, _rules: u32, _out: &mut Vec<u8>) {}

    fn decode(kind: u16, version: u16, body: &[u8]) -> Result<Self, DecodeError> {
        if body.is_empty() { Ok(()) } else { Err(DecodeError::new(kind, version, "bytes where none belong")) }
    }
}

/// A body that is not what its kind and version promise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("kind {kind} version {version}: {reason}")]
pub struct DecodeError {
    /// The record's kind.
    pub kind: u16,
    /// The record's version.
    pub version: u16,
    /// What is wrong with it.
    pub reason: String,
}

impl DecodeError {
    /// Says what is wrong with a body.
    pub fn new(kind: u16, version: u16, reason: impl Into<String>) -> DecodeError {
        DecodeError { kind, version, reason: reason.into() }
    }
}

/// Writes a body as MessagePack with named fields, the form for everything that is not latency-bound.
///
/// # Panics
/// When the value cannot be written at all (a map with keys that are no strings): a bug of its type.
pub fn pack<T: serde::Serialize>(value: &T, out: &mut Vec<u8>) {
    rmp_serde::encode::write_named(out, value).expect("a body that MessagePack can hold");
}

/// Reads what [`pack`] wrote.
pub fn unpack<T: serde::de::DeserializeOwned>(
    kind: u16,
    version: u16,
    body: &[u8],
) -> Result<T, DecodeError> {
    rmp_serde::from_slice(body).map_err(|error| DecodeError::new(kind, version, error.to_string()))
}

/// A 128-bit fingerprint of state, or of a history of replies and events. Not a defence against forgery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub u128);

impl Digest {
    /// The fingerprint of some bytes (xxh3-128).
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(xxh3_128(bytes))
    }

    /// This fingerprint followed by more bytes: for sequences, where order counts.
    #[must_use]
    pub fn then(self, bytes: &[u8]) -> Digest {
        Digest(
            xxh3_128(bytes) ^ self.0.rotate_left(1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
        )
    }

    /// This set of things with one more: order does not count, and [`Digest::without`] takes it out again, so a
    /// table's fingerprint is kept up to date entry by entry.
    #[must_use]
    pub fn with(self, entry: Digest) -> Digest {
        Digest(self.0.wrapping_add(entry.0))
    }

    /// This set of things with one less.
    #[must_use]
    pub fn without(self, entry: Digest) -> Digest {
        Digest(self.0.wrapping_sub(entry.0))
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A deterministic state machine: what a system is.
///
/// `apply` and `expire` are functions of the state and their arguments: no clock, no I/O, no randomness, no
/// iteration over hash maps. A refusal is a reply. A panic is a bug: the state is thrown away and rebuilt to the
/// record before, and the partition answers only reads until an operator skips the record.
pub trait StateMachine: Sized + Send + 'static {
    /// Everything that can be asked of the state.
    type Command: Wire + Send + 'static;
    /// What it answers, refusals included.
    type Reply: Wire + Send + 'static;
    /// What it tells others.
    type Event: Wire + Send + 'static;

    /// The newest rules this code knows; a partition whose log was raised above them cannot be opened by it.
    const RULES: u32 = 1;
    /// How many replies the runtime remembers to recognise repeats by (client, sequence). Part of the behaviour:
    /// changing it changes what a repeat answers.
    const DEDUPE_WINDOW: usize = 65_536;

    /// Decides and changes. Called once per record, in log order, on the partition's own thread.
    fn apply(&mut self, at: &Stamp, command: Self::Command, out: &mut Outbox<Self::Event>) -> Self::Reply;

    /// The next moment at which the state changes by itself. Asked before every record: must be cheap.
    fn deadline(&self) -> Option<Timestamp>;

    /// Fires what is due at `at.time`, which is the deadline just given; must move the deadline on.
    fn expire(&mut self, at: &Stamp, out: &mut Outbox<Self::Event>);

    /// Writes the whole state. What is written must not depend on the way it was reached.
    fn snapshot(&self, out: &mut dyn io::Write) -> io::Result<()>;

    /// Replaces the state by one that `snapshot` wrote.
    fn restore(&mut self, from: &mut dyn io::Read) -> io::Result<()>;

    /// The fingerprint of the state, kept incrementally or cheap to compute; equal states give equal digests.
    fn digest(&self) -> Digest;

    /// The tables of a table-backed machine: everything `apply` reads is in them. `None` for machines that live
    /// in memory. A machine is one or the other, never half.
    fn tables(&mut self) -> Option<&mut Tables> {
        None
    }
}

/// A command on its way to another partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it goes.
    pub target: PartitionId,
    /// The bucket it concerns there.
    pub bucket: u16,
    /// The command's kind and version.
    pub kind: (u16, u16),
    /// The command's body.
    pub body: Vec<u8>,
}

/// Where `apply` puts what it tells others. Events are addressed (offset, index) in the order they are put here.
#[derive(Debug)]
pub struct Outbox<E> {
    pub(crate) events: Vec<E>,
    pub(crate) messages: Vec<Message>,
}

impl<E> Default for Outbox<E> {
    fn default() -> Self {
        Outbox { events: Vec::new(), messages: Vec::new() }
    }
}

impl<E> Outbox<E> {
    /// An empty outbox, for tests that call `apply` themselves.
    pub fn new() -> Outbox<E> {
        Outbox::default()
    }

    /// Tells whoever follows this partition.
    pub fn emit(&mut self, event: E) {
        self.events.push(event);
    }

    /// Sends a command to another partition, where it is applied exactly once, after this record has reached the
    /// device, in the order of sending. Its reply goes nowhere: let the target answer with a message of its own.
    pub fn send<C: Wire>(&mut self, target: PartitionId, bucket: u16, command: &C, rules: u32) {
        let mut body = Vec::new();
        command.encode(rules, &mut body);
        self.messages.push(Message { target, bucket, kind: command.kind(rules), body });
    }

    /// The index the next event of this record gets.
    pub fn next_index(&self) -> u32 {
        u32::try_from(self.events.len()).expect("fewer than 2^32 events a record")
    }

    /// What was put here so far.
    pub fn events(&self) -> &[E] {
        &self.events
    }

    /// The messages put here so far.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Takes the events, for tests that call `apply` themselves.
    pub fn take_events(&mut self) -> Vec<E> {
        std::mem::take(&mut self.events)
    }

    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.messages.clear();
    }
}
