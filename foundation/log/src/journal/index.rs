//! Where each partition's batches lie in one segment, so that a partition can be read without its neighbours.
//!
//! The index of the segment being written is in memory. A finished segment's is written beside it and is a cache:
//! its checksum is looked at, and what does not fit is made again from the segment.

use std::collections::BTreeMap;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::Offset;

const MAGIC: [u8; 4] = *b"didx";

/// One batch of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) first: Offset,
    pub(crate) count: u32,
    /// Where its frame begins in the segment.
    pub(crate) position: u32,
    /// The bytes of its frame.
    pub(crate) bytes: u32,
}

impl Entry {
    /// The offset after its last record.
    pub(crate) fn next(&self) -> Offset {
        self.first + u64::from(self.count)
    }
}

/// The batches of one segment by partition, in offset order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) partitions: BTreeMap<u32, Vec<Entry>>,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawHeader {
    checksum: U32,
    magic: [u8; 4],
    segment: U64,
    salt: U64,
    entries: U64,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawEntry {
    partition: U32,
    count: U32,
    first: U64,
    position: U32,
    bytes: U32,
}

/// The first and the next offset of each partition in a segment.
pub(crate) type Bounds = BTreeMap<u32, (Offset, Offset)>;

impl Index {
    pub(crate) fn push(&mut self, partition: u32, entry: Entry) {
        self.partitions.entry(partition).or_default().push(entry);
    }

    pub(crate) fn bounds(&self) -> Bounds {
        let bounds = |entries: &Vec<Entry>| Some((entries.first()?.first, entries.last()?.next()));
        self.partitions
            .iter()
            .filter_map(|(partition, entries)| Some((*partition, bounds(entries)?)))
            .collect()
    }

    pub(crate) fn encode(&self, segment: u64, salt: u64) -> Vec<u8> {
        let entries = self.partitions.values().map(Vec::len).sum::<usize>() as u64;
        let header = RawHeader {
            checksum: 0.into(),
            magic: MAGIC,
            segment: segment.into(),
            salt: salt.into(),
            entries: entries.into(),
        };
        let mut bytes = header.as_bytes().to_vec();
        for (partition, entry) in
            self.partitions.iter().flat_map(|(p, list)| list.iter().map(move |e| (p, e)))
        {
            let raw = RawEntry {
                partition: (*partition).into(),
                count: entry.count.into(),
                first: entry.first.into(),
                position: entry.position.into(),
                bytes: entry.bytes.into(),
            };
            bytes.extend_from_slice(raw.as_bytes());
        }
        let checksum = crc32c::crc32c(&bytes[4..]);
        bytes[..4].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads what `encode` wrote for this segment; `None` when it is anything else.
    pub(crate) fn decode(bytes: &[u8], segment: u64, salt: u64) -> Option<Self> {
        let (header, entries) = RawHeader::ref_from_prefix(bytes).ok()?;
        let entries = <[RawEntry]>::ref_from_bytes(entries).ok()?;
        let fits = header.magic == MAGIC
            && header.checksum.get() == crc32c::crc32c(&bytes[4..])
            && header.segment.get() == segment
            && header.salt.get() == salt
            && header.entries.get() == entries.len() as u64;
        let mut index = Self::default();
        for raw in entries.iter().filter(|_| fits) {
            let entry = Entry {
                first: raw.first.get(),
                count: raw.count.get(),
                position: raw.position.get(),
                bytes: raw.bytes.get(),
            };
            index.push(raw.partition.get(), entry);
        }
        fits.then_some(index)
    }
}

/// The place in `entries` of the batch that holds `offset`, or of the first one after it.
pub(crate) fn find(entries: &[Entry], offset: Offset) -> usize {
    entries.partition_point(|entry| entry.next() <= offset)
}
