//! Sealing of batches: what is bound, and which frames may be read with which keys.
//!
//! A sealed frame carries the number of its key in its header and a sealed message as its payload; its checksums cover
//! the sealed bytes, so that recovery and `verify` need no key. What binds a batch is its place in the partition (and
//! its context), not its place on the disk: it is sealed before the journal's mutex is taken, while nobody knows yet
//! where it will stand. Marks, tables and trims hold offsets only and stay open.

use std::cell::Cell;
use std::sync::Arc;

use decalog_seal::{KeyRing, MESSAGE_OVERHEAD_BYTES, Opener, SealError, Sealer};

use super::format::{FrameHeader, UNSEALED};
use crate::{Context, LogError, Offset, PartitionId};

const PURPOSE: &str = "decalog journal batch 1";
/// A buffer above this is not kept for the next batch.
const KEPT_BYTES: usize = 1 << 20;
const PLACE_BYTES: usize = 4 + 4 + 8 + 24;

thread_local! {
    /// Where this thread seals, so that an append does not allocate.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What the seal of a batch binds beside the key.
fn place(partition: u32, first: Offset, count: u32, context: &Context) -> [u8; PLACE_BYTES] {
    let mut place = [0; PLACE_BYTES];
    place[..4].copy_from_slice(&partition.to_le_bytes());
    place[4..8].copy_from_slice(&count.to_le_bytes());
    place[8..16].copy_from_slice(&first.to_le_bytes());
    place[16..].copy_from_slice(context);
    place
}

/// Seals batches that are appended.
#[derive(Debug)]
pub(crate) struct BatchSealer(Sealer);

impl BatchSealer {
    /// What a sealed payload has more.
    pub(crate) const OVERHEAD_BYTES: usize = MESSAGE_OVERHEAD_BYTES;

    pub(crate) fn new(ring: &Arc<KeyRing>) -> Result<Self, SealError> {
        Sealer::new(Arc::clone(ring), PURPOSE).map(Self)
    }

    /// Seals a batch and hands the key's number and the sealed payload on.
    pub(crate) fn seal<T>(
        &self,
        (partition, first): (PartitionId, Offset),
        (count, context, payload): (u32, &Context, &[u8]),
        then: impl FnOnce(u32, &[u8]) -> T,
    ) -> Result<T, SealError> {
        let mut buffer = BUFFER.take();
        buffer.clear();
        let key = self.0.seal(&place(partition.0, first, count, context), payload, &mut buffer);
        let outcome = key.map(|key| then(key, &buffer));
        if buffer.capacity() <= KEPT_BYTES {
            BUFFER.set(buffer);
        }
        outcome
    }
}

/// Opens batches that are read.
#[derive(Debug)]
pub(crate) struct BatchOpener {
    opener: Option<Opener>,
    plain: Vec<u8>,
}

impl BatchOpener {
    /// With the keys of a ring, or without any.
    pub(crate) fn new(ring: Option<&Arc<KeyRing>>) -> Self {
        Self { opener: ring.map(|ring| Opener::new(Arc::clone(ring), PURPOSE)), plain: Vec::new() }
    }

    /// The records of a frame.
    pub(crate) fn open<'p>(
        &'p mut self,
        header: &FrameHeader,
        payload: &'p [u8],
    ) -> Result<&'p [u8], LogError> {
        let opened = match (&mut self.opener, header.key) {
            (None, UNSEALED) => Ok(payload),
            (None, key) => Err(SealError::NoKeys { key }),
            (Some(opener), UNSEALED) if opener.accepts_unsealed() => Ok(payload),
            (Some(_), UNSEALED) => Err(SealError::Unsealed),
            (Some(opener), key) => {
                let place = place(header.partition, header.first, header.count, &header.context);
                opener.open(key, &place, payload, &mut self.plain)
            }
        };
        opened.map_err(|source| LogError::Sealed {
            segment: header.at.segment,
            position: header.at.byte,
            source,
        })
    }
}
