//! The runtime's own share of a partition's state: how far it is, the rules and the time, the digest of all replies
//! and events, the dedupe window and the books of messages. Deterministic like the machine beside it.

use std::io::{self, Read, Write};

use crate::codec::{put_u32, put_u64, put_u128, take_u32, take_u64, take_u128};
use crate::dedupe::Window;
use crate::delivery::Post;
use crate::machine::{Digest, Timestamp};

/// The rules a new partition begins under.
pub(crate) const FIRST_RULES: u32 = 1;

/// The runtime's share of the state.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// The next record to apply.
    pub(crate) applied: u64,
    /// The last record's stamp.
    pub(crate) time: Timestamp,
    /// The rules in force.
    pub(crate) rules: u32,
    /// The rolling digest of all replies, events and messages.
    pub(crate) chain: Digest,
    pub(crate) dedupe: Window,
    pub(crate) post: Post,
}

impl Ledger {
    pub(crate) fn new(window: usize) -> Ledger {
        Ledger {
            applied: 0,
            time: Timestamp(i64::MIN),
            rules: FIRST_RULES,
            chain: Digest::default(),
            dedupe: Window::new(window),
            post: Post::default(),
        }
    }

    /// The fingerprint of this share.
    pub(crate) fn digest(&self) -> Digest {
        self.chain
            .then(&self.applied.to_le_bytes())
            .then(&self.time.0.to_le_bytes())
            .then(&self.rules.to_le_bytes())
            .then(&self.dedupe.digest().0.to_le_bytes())
            .then(&self.post.digest().0.to_le_bytes())
    }

    /// Everything but the window and the books: what changes with every record.
    pub(crate) fn write_head(&self, out: &mut dyn Write) -> io::Result<()> {
        put_u64(out, self.applied)?;
        out.write_all(&self.time.0.to_le_bytes())?;
        put_u32(out, self.rules)?;
        put_u128(out, self.chain.0)
    }

    pub(crate) fn read_head(&mut self, from: &mut dyn Read) -> io::Result<()> {
        self.applied = take_u64(from)?;
        self.time = Timestamp(take_u64(from)?.cast_signed());
        self.rules = take_u32(from)?;
        self.chain = Digest(take_u128(from)?);
        Ok(())
    }

    pub(crate) fn snapshot(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_head(out)?;
        self.dedupe.snapshot(out)?;
        self.post.snapshot(out)
    }

    pub(crate) fn restore(&mut self, from: &mut dyn Read) -> io::Result<()> {
        self.read_head(from)?;
        self.dedupe.restore(from)?;
        self.post = Post::restore(from)?;
        Ok(())
    }
}
