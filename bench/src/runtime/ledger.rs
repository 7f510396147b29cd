//! The machine that the runtime is measured with: it does as little as a machine can (adds up, answers, tells one
//! event), so that what is measured is the way there and back. Commands and events are 64 bytes.

use std::io::{self, Read, Write};

use decalog_runtime::{DecodeError, Digest, Outbox, Stamp, StateMachine, Timestamp, Wire};

/// The size of a command's body and of an event's.
pub(crate) const BODY_BYTES: usize = 64;

/// A command or an event: an amount, and bytes that only have to be carried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry([u8; BODY_BYTES]);

impl Entry {
    /// An entry of this amount.
    pub(crate) fn of(amount: u64) -> Self {
        let mut bytes = [0xA5; BODY_BYTES];
        bytes[..8].copy_from_slice(&amount.to_le_bytes());
        Self(bytes)
    }

    /// What is carried.
    pub(crate) fn bytes(&self) -> &[u8; BODY_BYTES] {
        &self.0
    }

    fn amount(&self) -> u64 {
        u64::from_le_bytes(*self.0.first_chunk().expect("an entry has more than 8 bytes"))
    }
}

impl Wire for Entry {
    fn kind(&self, _rules: u32) -> (u16, u16) {
        (1, 1)
    }

    fn encode(&self, _rules: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn decode(kind: u16, version: u16, body: &[u8]) -> Result<Self, DecodeError> {
        let bytes = body.try_into().map_err(|_| DecodeError::new(kind, version, "an entry has 64 bytes"))?;
        Ok(Self(bytes))
    }
}

/// What an entry is answered with: the sum so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum(u64);

impl Wire for Sum {
    fn kind(&self, _rules: u32) -> (u16, u16) {
        (2, 1)
    }

    fn encode(&self, _rules: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_le_bytes());
    }

    fn decode(kind: u16, version: u16, body: &[u8]) -> Result<Self, DecodeError> {
        let bytes = body.try_into().map_err(|_| DecodeError::new(kind, version, "a sum has 8 bytes"))?;
        Ok(Self(u64::from_le_bytes(bytes)))
    }
}

/// The sum and the number of all entries.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    sum: u64,
    /// How many entries were applied.
    pub(crate) entries: u64,
}

impl StateMachine for Ledger {
    type Command = Entry;
    type Reply = Sum;
    type Event = Entry;

    fn apply(&mut self, _at: &Stamp, command: Entry, out: &mut Outbox<Entry>) -> Sum {
        self.sum = self.sum.wrapping_add(command.amount());
        self.entries += 1;
        out.emit(command);
        Sum(self.sum)
    }

    fn deadline(&self) -> Option<Timestamp> {
        None
    }

    fn expire(&mut self, _at: &Stamp, _out: &mut Outbox<Entry>) {}

    fn snapshot(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.sum.to_le_bytes())?;
        out.write_all(&self.entries.to_le_bytes())
    }

    fn restore(&mut self, from: &mut dyn Read) -> io::Result<()> {
        let mut bytes = [0; 8];
        from.read_exact(&mut bytes)?;
        self.sum = u64::from_le_bytes(bytes);
        from.read_exact(&mut bytes)?;
        self.entries = u64::from_le_bytes(bytes);
        Ok(())
    }

    fn digest(&self) -> Digest {
        Digest(u128::from(self.sum) << 64 | u128::from(self.entries))
    }
}
