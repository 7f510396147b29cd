//! Where each partition's batches lie in one segment, so that a partition can be read without its neighbours.
//!
//! The index of the segment being written is in memory. A finished segment's is written beside it and is a cache:
//! its checksum is looked at, and what does not fit is made again from the segment.

use std::collections::BTreeMap;
use std::io;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::segment::index_name;
use crate::Offset;
use crate::storage::Storage;

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

/// What one partition has in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) first: Offset,
    pub(crate) next: Offset,
    pub(crate) batches: u64,
    /// Bytes of its frames.
    pub(crate) bytes: u64,
}

/// Each partition's share of a segment.
pub(crate) type Shares = BTreeMap<u32, Share>;

impl Index {
    pub(crate) fn push(&mut self, partition: u32, entry: Entry) {
        self.partitions.entry(partition).or_default().push(entry);
    }

    pub(crate) fn shares(&self) -> Shares {
        let share = |entries: &Vec<Entry>| {
            Some(Share {
                first: entries.first()?.first,
                next: entries.last()?.next(),
                batches: entries.len() as u64,
                bytes: entries.iter().map(|entry| u64::from(entry.bytes)).sum(),
            })
        };
        self.partitions
            .iter()
            .filter_map(|(partition, entries)| Some((*partition, share(entries)?)))
            .collect()
    }

    /// Is it what lies beside the segment?
    pub(crate) fn is_stored(&self, storage: &dyn Storage, segment: u64, salt: u64) -> bool {
        Self::load(storage, segment, salt).is_ok_and(|stored| stored.as_ref() == Some(self))
    }

    /// Reads the index beside a segment; `None` when it is not the segment's.
    pub(crate) fn load(storage: &dyn Storage, segment: u64, salt: u64) -> io::Result<Option<Self>> {
        let file = storage.open(&index_name(segment), false)?;
        let mut bytes = vec![0; usize::try_from(file.length()?).map_err(io::Error::other)?];
        file.read_at(0, &mut bytes)?;
        Ok(Self::decode(&bytes, segment, salt))
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
