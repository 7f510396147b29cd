//! What a system gives the runtime: a deterministic state machine and the byte forms of its data.

/// Nanoseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// Everything about a record that is not its body: the only source of time, identity and ids in `apply`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The record's place in its partition.
    pub offset: u64,
    /// The record's moment; never before an earlier record's. While a deadline fires it is that deadline.
    pub time: Timestamp,
    /// The rules in force: old branches of a changed rule look at this.
    pub rules: u32,
    /// The key bucket (0..1024) or, for listed partitions, the unit.
    pub bucket: u16,
    /// Who asks; 0 is the system itself.
    pub principal: u64,
    /// The client instance, for deduplication; 0 asks for none.
    pub client: u64,
    /// That client's sequence number.
    pub sequence: u64,
}

/// A value with a released byte form. A released (kind, version) never changes; a new field makes a new version.
pub trait Wire: Sized {
    /// The kind and version that `encode` writes under these rules.
    fn kind(&self, rules: u32) -> (u16, u16);
    /// Appends the body (without kind and version).
    fn encode(&self, rules: u32, out: &mut Vec<u8>);
    /// Reads a body of that kind and version.
    fn decode(kind: u16, version: u16, body: &[u8]) -> Result<Self, DecodeError>;
}

/// A body that is not what its kind and version promise.
#[derive(Debug, thiserror::Error)]
#[error("kind {kind} version {version}: {reason}")]
pub struct DecodeError {
    /// The record's kind.
    pub kind: u16,
    /// The record's version.
    pub version: u16,
    /// What is wrong with it.
    pub reason: String,
}

/// A 128-bit fingerprint of state, or of a history of replies and events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Digest(pub u128);

/// A deterministic state machine: what a system is.
pub trait StateMachine: Sized + Send + 'static {
    /// Everything that can be asked of the state.
    type Command: Wire + Send + 'static;
    /// What it answers, refusals included.
    type Reply: Wire + Send + 'static;
    /// What it tells others.
    type Event: Wire + Send + 'static;

    /// Decides and changes. Called once per record, in log order, on the partition's own thread.
    fn apply(&mut self, at: &Stamp, command: Self::Command, out: &mut Outbox<Self::Event>) -> Self::Reply;

    /// The next moment at which the state changes by itself.
    fn deadline(&self) -> Option<Timestamp>;

    /// Fires what is due at `at.time`, which is the deadline just given; must move the deadline on.
    fn expire(&mut self, at: &Stamp, out: &mut Outbox<Self::Event>);

    /// Writes the whole state. What is written must not depend on the way it was reached.
    fn snapshot(&self, out: &mut dyn std::io::Write) -> std::io::Result<()>;

    /// Replaces the state by one that `snapshot` wrote.
    fn restore(&mut self, from: &mut dyn std::io::Read) -> std::io::Result<()>;

    /// The fingerprint of the state, kept incrementally or cheap to compute; equal states give equal digests.
    fn digest(&self) -> Digest;
}

/// Where `apply` puts what it tells others. Events are addressed (offset, index) in the order they are put here.
#[derive(Debug)]
pub struct Outbox<E> {
    events: Vec<E>,
}
