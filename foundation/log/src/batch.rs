//! Batches: the unit that is appended and read. Records are framed here; what they mean is their owner's business.
//!
//! The payload of a batch is its records in order, each as a little-endian `u32` length and its bytes. Both logs
//! store this payload as it is.

use crate::{Offset, PartitionId};

/// The largest record in bytes: a body of 256 KiB and room for the runtime's header.
pub const MAX_RECORD_BYTES: usize = 256 * 1024 + 64;

/// The largest payload of a batch in bytes, the records' length prefixes included.
pub const MAX_BATCH_BYTES: usize = 768 * 1024;

/// The bytes in front of each record in a payload: its length.
pub const RECORD_PREFIX_BYTES: usize = 4;

/// Bytes that the owner of a partition writes into each batch's header (a rolling digest, for one).
pub type Context = [u8; 24];

/// A record that a batch cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// Larger than any record may be.
    #[error(
        "a record of {bytes} bytes is larger than the {MAX_RECORD_BYTES} a record may have: store it as a blob"
    )]
    RecordTooLarge {
        /// The record's size.
        bytes: usize,
    },
    /// The batch has no room for it; append the batch and begin the next.
    #[error("the batch has no room for {bytes} more bytes: append it and begin the next")]
    BatchFull {
        /// The record's size.
        bytes: usize,
    },
}

/// A batch being filled. Clear it and use it again: after the first use it does not allocate.
#[derive(Clone, Debug, Default)]
pub struct BatchBuilder {
    payload: Vec<u8>,
    count: u32,
    context: Context,
}

impl BatchBuilder {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty batch with room for this many bytes of payload.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { payload: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Would a record of this size fit?
    pub fn fits(&self, record_bytes: usize) -> bool {
        record_bytes <= MAX_RECORD_BYTES
            && self.payload.len() + RECORD_PREFIX_BYTES + record_bytes <= MAX_BATCH_BYTES
    }

    /// Adds a record. A refused record leaves the batch as it was.
    pub fn push(&mut self, record: &[u8]) -> Result<(), PushError> {
        self.push_with(|payload| payload.extend_from_slice(record))
    }

    /// Adds the record that `encode` appends to the payload, so that it is written once. `encode` must only append.
    /// A refused record leaves the batch as it was.
    pub fn push_with(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> Result<(), PushError> {
        let start = self.payload.len();
        self.payload.extend_from_slice(&[0; RECORD_PREFIX_BYTES]);
        encode(&mut self.payload);
        let bytes = self.payload.len() - start - RECORD_PREFIX_BYTES;
        match u32::try_from(bytes) {
            Ok(length) if bytes <= MAX_RECORD_BYTES && self.payload.len() <= MAX_BATCH_BYTES => {
                self.payload[start..start + RECORD_PREFIX_BYTES].copy_from_slice(&length.to_le_bytes());
                self.count += 1;
                Ok(())
            }
            _ => {
                self.payload.truncate(start);
                Err(if bytes > MAX_RECORD_BYTES {
                    PushError::RecordTooLarge { bytes }
                } else {
                    PushError::BatchFull { bytes }
                })
            }
        }
    }

    /// Removes every record and the context; keeps the memory.
    pub fn clear(&mut self) {
        self.payload.clear();
        self.count = 0;
        self.context = Context::default();
    }

    /// Sets the owner's bytes in the batch's header.
    pub fn set_context(&mut self, context: Context) {
        self.context = context;
    }

    /// The owner's bytes in the batch's header.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// How many records it holds.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Does it hold no record?
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The framed records.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }
}

/// A payload that is not `count` framed records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a payload of {bytes} bytes does not hold exactly {count} framed records")]
pub struct FramingError {
    /// How many records it should hold.
    pub count: u32,
    /// The payload's size.
    pub bytes: usize,
}

/// A batch as read: consecutive records of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch<'a> {
    partition: PartitionId,
    first: Offset,
    count: u32,
    context: Context,
    payload: &'a [u8],
}

impl<'a> Batch<'a> {
    /// A batch over a stored payload; its framing is checked, so that iterating cannot fail.
    pub fn new(
        partition: PartitionId,
        first: Offset,
        count: u32,
        context: Context,
        payload: &'a [u8],
    ) -> Result<Self, FramingError> {
        let mut rest = payload;
        let mut found = 0;
        while let Some((_, after)) = split_record(rest) {
            rest = after;
            found += 1;
        }
        if found != count || !rest.is_empty() {
            return Err(FramingError { count, bytes: payload.len() });
        }
        Ok(Self { partition, first, count, context, payload })
    }

    /// The partition it belongs to.
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// The offset of its first record.
    pub fn first(&self) -> Offset {
        self.first
    }

    /// The offset after its last record.
    pub fn next(&self) -> Offset {
        self.first + u64::from(self.count)
    }

    /// How many records it holds.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The owner's bytes in its header.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The framed records.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Its records in order, each with its offset.
    pub fn records(&self) -> Records<'a> {
        Records { offset: self.first, rest: self.payload }
    }
}

/// Iterates the records of a [`Batch`].
#[derive(Clone, Debug)]
pub struct Records<'a> {
    offset: Offset,
    rest: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = (Offset, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (record, rest) = split_record(self.rest)?;
        let offset = self.offset;
        self.rest = rest;
        self.offset += 1;
        Some((offset, record))
    }
}

fn split_record(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = payload.split_first_chunk::<RECORD_PREFIX_BYTES>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    rest.split_at_checked(length)
}
