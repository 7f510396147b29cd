//! The bytes of a segment file. Everything is little-endian.
//!
//! A segment begins with a header that fills its first 4,096 bytes, so that no batch shares a sector with it:
//!
//! | byte | size | field |
//! |-----:|-----:|-------|
//! | 0 | 4 | CRC32C of bytes 4 to 63 |
//! | 4 | 4 | `dseg` |
//! | 8 | 2 | version, 1 |
//! | 10 | 6 | zero |
//! | 16 | 8 | segment number, as in the file's name |
//! | 24 | 8 | length of the file |
//! | 32 | 8 | salt, drawn for this file |
//! | 40 | 24 | zero |
//!
//! Frames follow without a gap, each a header of 96 bytes and a payload, zero-padded to a multiple of 8:
//!
//! | byte | size | field |
//! |-----:|-----:|-------|
//! | 0 | 4 | CRC32C of bytes 4 to 95, begun from the segment's salt |
//! | 4 | 4 | `dfrm` |
//! | 8 | 2 | version, 1 |
//! | 10 | 1 | kind: 1 batch, 2 mark, 3 table, 4 trim |
//! | 11 | 1 | flags, 0 |
//! | 12 | 4 | key id of a sealed payload, 0 for an open one |
//! | 16 | 8 | segment number |
//! | 24 | 8 | byte in the segment at which this frame begins |
//! | 32 | 8 | durable statement: a segment … |
//! | 40 | 8 | … and a byte in it: all frames before were synced when this one was written |
//! | 48 | 4 | partition (batch, trim) |
//! | 52 | 4 | records in the batch, or entries in the table |
//! | 56 | 8 | first offset (batch); oldest kept offset (trim); end of the previous segment (table) |
//! | 64 | 24 | the owner's context (batch); when the segment was begun, u64 milliseconds since 1970, or 0, then zero (table) |
//! | 88 | 4 | length of the payload |
//! | 92 | 4 | CRC32C of the payload and its padding |
//!
//! * A **batch** carries framed records (see [`crate::BatchBuilder`]).
//! * A **mark** is written when the journal falls idle: it states the last group durable.
//! * A **table** is the first frame of each segment: where each partition stood (partition u32, zero u32, oldest kept
//!   offset u64, next offset u64), so that older segments can be dropped without any other file.
//! * A **trim** records that a partition needs nothing below an offset any more.
//!
//! The salt keeps frames apart that only look right: those of an older file of the same number, and those that
//! somebody hides in the body of a record. The number and the place in each header catch misdirected writes.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::Context;

/// The bytes before the first frame of a segment.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = 4096;
/// The bytes of a frame before its payload.
pub(crate) const FRAME_HEADER_BYTES: usize = 96;
/// Frames begin at multiples of this.
pub(crate) const ALIGNMENT: usize = 8;
/// The bytes of a table's entry.
pub(crate) const TABLE_ENTRY_BYTES: usize = 24;
/// The key id of a payload that is not sealed.
pub(crate) const UNSEALED: u32 = 0;

const SEGMENT_MAGIC: [u8; 4] = *b"dseg";
const FRAME_MAGIC: [u8; 4] = *b"dfrm";
const VERSION: u16 = 1;
const CHECKSUM_BYTES: usize = 4;

/// A place in the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) segment: u64,
    pub(crate) byte: u64,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Batch = 1,
    Mark = 2,
    Table = 3,
    Trim = 4,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Batch, Self::Mark, Self::Table, Self::Trim].into_iter().find(|kind| *kind as u8 == byte)
    }
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawSegmentHeader {
    checksum: U32,
    magic: [u8; 4],
    version: U16,
    zero: [u8; 6],
    segment: U64,
    length: U64,
    salt: U64,
    rest: [u8; 24],
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawFrameHeader {
    checksum: U32,
    magic: [u8; 4],
    version: U16,
    kind: u8,
    flags: u8,
    key: U32,
    segment: U64,
    position: U64,
    durable_segment: U64,
    durable_byte: U64,
    partition: U32,
    count: U32,
    first: U64,
    context: Context,
    length: U32,
    payload_checksum: U32,
}

/// A segment's header, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) segment: u64,
    pub(crate) length: u64,
    pub(crate) salt: u64,
}

/// The bytes that a segment's header needs of the 4,096 it has.
pub(crate) const SEGMENT_HEADER_USED: usize = size_of::<RawSegmentHeader>();

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_USED] {
        let mut raw = RawSegmentHeader {
            checksum: 0.into(),
            magic: SEGMENT_MAGIC,
            version: VERSION.into(),
            zero: [0; 6],
            segment: self.segment.into(),
            length: self.length.into(),
            salt: self.salt.into(),
            rest: [0; 24],
        };
        raw.checksum = crc32c::crc32c(&raw.as_bytes()[CHECKSUM_BYTES..]).into();
        zerocopy::transmute!(raw)
    }

    pub(crate) fn decode(bytes: &[u8; SEGMENT_HEADER_USED], check: bool) -> Result<Self, &'static str> {
        let raw: &RawSegmentHeader = zerocopy::transmute_ref!(bytes);
        if raw.magic != SEGMENT_MAGIC {
            return Err("the segment's header is not one");
        }
        if check && raw.checksum.get() != crc32c::crc32c(&bytes[CHECKSUM_BYTES..]) {
            return Err("the checksum of the segment's header does not fit");
        }
        if raw.version.get() != VERSION {
            return Err("the segment has a version that this program does not know");
        }
        Ok(Self { segment: raw.segment.get(), length: raw.length.get(), salt: raw.salt.get() })
    }

    /// What the checksums of this segment's frames begin from.
    pub(crate) fn seed(&self) -> u32 {
        crc32c::crc32c(&self.salt.to_le_bytes())
    }
}

/// A frame's header, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) kind: Kind,
    pub(crate) key: u32,
    pub(crate) at: Position,
    pub(crate) durable: Position,
    pub(crate) partition: u32,
    pub(crate) count: u32,
    pub(crate) first: u64,
    pub(crate) context: Context,
    pub(crate) length: u32,
    pub(crate) payload_checksum: u32,
}

impl FrameHeader {
    pub(crate) fn encode(&self, seed: u32) -> [u8; FRAME_HEADER_BYTES] {
        let mut raw = RawFrameHeader {
            checksum: 0.into(),
            magic: FRAME_MAGIC,
            version: VERSION.into(),
            kind: self.kind as u8,
            flags: 0,
            key: self.key.into(),
            segment: self.at.segment.into(),
            position: self.at.byte.into(),
            durable_segment: self.durable.segment.into(),
            durable_byte: self.durable.byte.into(),
            partition: self.partition.into(),
            count: self.count.into(),
            first: self.first.into(),
            context: self.context,
            length: self.length.into(),
            payload_checksum: self.payload_checksum.into(),
        };
        raw.checksum = crc32c::crc32c_append(seed, &raw.as_bytes()[CHECKSUM_BYTES..]).into();
        zerocopy::transmute!(raw)
    }

    /// Reads the header of a frame that should begin at `at`. With `check` false (a sabotage) checksums count for nothing.
    pub(crate) fn decode(
        bytes: &[u8; FRAME_HEADER_BYTES],
        seed: u32,
        at: Position,
        check: bool,
    ) -> Result<Self, &'static str> {
        let raw: &RawFrameHeader = zerocopy::transmute_ref!(bytes);
        if raw.magic != FRAME_MAGIC {
            return Err("no frame begins where one should");
        }
        if check && raw.checksum.get() != crc32c::crc32c_append(seed, &bytes[CHECKSUM_BYTES..]) {
            return Err("the checksum of a frame's header does not fit");
        }
        if raw.version.get() != VERSION {
            return Err("a frame has a version that this program does not know");
        }
        let written_at = Position { segment: raw.segment.get(), byte: raw.position.get() };
        if written_at != at {
            return Err("a frame was written for another place");
        }
        let durable = Position { segment: raw.durable_segment.get(), byte: raw.durable_byte.get() };
        if durable > at {
            return Err("a frame states more durable than was written before it");
        }
        Ok(Self {
            kind: Kind::from_byte(raw.kind).ok_or("a frame has a kind that this program does not know")?,
            key: raw.key.get(),
            at,
            durable,
            partition: raw.partition.get(),
            count: raw.count.get(),
            first: raw.first.get(),
            context: raw.context,
            length: raw.length.get(),
            payload_checksum: raw.payload_checksum.get(),
        })
    }

    /// The bytes of the payload with its padding.
    pub(crate) fn padded_length(&self) -> usize {
        padded(self.length as usize)
    }

    /// The byte after this frame.
    pub(crate) fn end(&self) -> u64 {
        self.at.byte + (FRAME_HEADER_BYTES + self.padded_length()) as u64
    }
}

/// Could a frame begin here? A quick look before the checksum.
pub(crate) fn looks_like_frame(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(&FRAME_MAGIC)
}

/// The length with padding.
pub(crate) fn padded(length: usize) -> usize {
    length.next_multiple_of(ALIGNMENT)
}

/// The padding after a payload of this length.
pub(crate) fn padding(length: usize) -> &'static [u8] {
    &[0; ALIGNMENT][..padded(length) - length]
}

/// The bytes of a whole frame in a segment.
pub(crate) fn frame_bytes(payload: usize) -> u64 {
    (FRAME_HEADER_BYTES + padded(payload)) as u64
}

/// The checksum of a payload, its padding included.
pub(crate) fn payload_checksum(payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(payload), padding(payload.len()))
}

/// Where a partition stood when a segment began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableEntry {
    pub(crate) partition: u32,
    pub(crate) first: u64,
    pub(crate) next: u64,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawTableEntry {
    partition: U32,
    zero: U32,
    first: U64,
    next: U64,
}

/// Appends an entry to a table's payload.
pub(crate) fn encode_table_entry(entry: TableEntry, payload: &mut Vec<u8>) {
    let raw = RawTableEntry {
        partition: entry.partition.into(),
        zero: 0.into(),
        first: entry.first.into(),
        next: entry.next.into(),
    };
    payload.extend_from_slice(raw.as_bytes());
}

/// The entries of a table's payload, or `None` when it has not the form of one.
pub(crate) fn decode_table(payload: &[u8]) -> Option<Vec<TableEntry>> {
    let raw = <[RawTableEntry]>::ref_from_bytes(payload).ok()?;
    let entry = |raw: &RawTableEntry| TableEntry {
        partition: raw.partition.get(),
        first: raw.first.get(),
        next: raw.next.get(),
    };
    Some(raw.iter().map(entry).collect())
}
