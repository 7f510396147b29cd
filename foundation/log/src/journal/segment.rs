//! Segment files: their names, how one is made so that a power cut leaves either a whole one or none, and how zeroes
//! are written over it before it is used.

use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, PoisonError};

use super::format::{SEGMENT_HEADER_BYTES, SEGMENT_HEADER_USED, SegmentHeader};
use crate::storage::{File, Storage};

const SEGMENT_SUFFIX: &str = ".segment";
const INDEX_SUFFIX: &str = ".index";
/// What is being made has this suffix until it is whole.
pub(crate) const UNFINISHED_SUFFIX: &str = ".tmp";
/// Bytes of zeroes written in one go: short, because an append may wait for one.
const ZERO_STEP_BYTES: u64 = 256 << 10;
/// Bytes of zeroes between two syncs: a device must not have to take many at once, because appenders' syncs wait then.
const ZERO_SYNC_BYTES: u64 = 1 << 20;

/// The file name of a segment.
pub(crate) fn segment_name(segment: u64) -> String {
    format!("{segment:016}{SEGMENT_SUFFIX}")
}

/// The file name of a segment's index.
pub(crate) fn index_name(segment: u64) -> String {
    format!("{segment:016}{INDEX_SUFFIX}")
}

/// The segment that a file name names.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    name.strip_suffix(SEGMENT_SUFFIX)?.parse().ok()
}

/// The segment whose index a file name names.
pub(crate) fn index_number(name: &str) -> Option<u64> {
    name.strip_suffix(INDEX_SUFFIX)?.parse().ok()
}

/// An open segment file.
pub(crate) struct SegmentFile {
    pub(crate) header: SegmentHeader,
    /// What its frames' checksums begin from.
    pub(crate) seed: u32,
    pub(crate) file: Arc<dyn File>,
    /// Held while zeroes are written.
    use_of: Mutex<Use>,
}

/// What a segment file is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Prepared: its space is reserved, and zeroes are written up to this byte.
    Prepared { filled: u64 },
    /// Frames are, or may be, written into it.
    Taken,
}

impl SegmentFile {
    pub(crate) fn new(header: SegmentHeader, file: Arc<dyn File>) -> Arc<Self> {
        Arc::new(Self {
            header,
            seed: header.seed(),
            file,
            use_of: Mutex::new(Use::Prepared { filled: SEGMENT_HEADER_BYTES }),
        })
    }

    pub(crate) fn number(&self) -> u64 {
        self.header.segment
    }

    /// Makes an empty segment: whole and synced under its name, or not there at all.
    pub(crate) fn create(storage: &dyn Storage, header: SegmentHeader) -> io::Result<Arc<Self>> {
        let unfinished = format!("next{UNFINISHED_SUFFIX}");
        let file = storage.create(&unfinished, header.length)?;
        file.write_at(0, &mut [IoSlice::new(&header.encode())])?;
        file.sync()?;
        storage.rename(&unfinished, &segment_name(header.segment))?;
        storage.sync_directory()?;
        Ok(Self::new(header, file))
    }

    /// Opens a segment whose header is known, for writing too.
    pub(crate) fn open(storage: &dyn Storage, header: SegmentHeader) -> io::Result<Arc<Self>> {
        Ok(Self::new(header, storage.open(&segment_name(header.segment), true)?))
    }

    /// Reads a segment's header as it stands.
    pub(crate) fn read_header(
        file: &dyn File,
        check: bool,
    ) -> io::Result<Result<SegmentHeader, &'static str>> {
        if file.length()? < SEGMENT_HEADER_BYTES {
            return Ok(Err("the file is shorter than a segment's header"));
        }
        let mut bytes = [0; SEGMENT_HEADER_USED];
        file.read_at(0, &mut bytes)?;
        Ok(SegmentHeader::decode(&bytes, check))
    }

    /// From now on no zeroes are written into it. Waits for the step that is being written.
    pub(crate) fn take(&self) {
        *self.use_of.lock().unwrap_or_else(PoisonError::into_inner) = Use::Taken;
    }

    /// Writes zeroes over the empty segment up to a byte, unless it is taken meanwhile; says up to where they are
    /// written. A sync of bytes that replace written ones is much cheaper than one of bytes in space that was only
    /// reserved.
    pub(crate) fn fill(&self, to: u64) -> io::Result<u64> {
        let to = to.min(self.header.length);
        loop {
            let filled = {
                let mut use_of = self.use_of.lock().unwrap_or_else(PoisonError::into_inner);
                let Use::Prepared { filled } = *use_of else { return Ok(self.header.length) };
                if filled >= to {
                    return Ok(filled);
                }
                let step = ZERO_STEP_BYTES.min(self.header.length - filled);
                self.file.zero(filled, step)?;
                *use_of = Use::Prepared { filled: filled + step };
                filled + step
            };
            if filled.is_multiple_of(ZERO_SYNC_BYTES) || filled >= to {
                self.file.sync()?;
            }
        }
    }
}

/// A salt for a new segment: unforeseeable, unless the options say how it is drawn.
pub(crate) fn draw_salt(fixed: Option<u64>, segment: u64) -> u64 {
    match fixed {
        Some(seed) => seed.rotate_left(32) ^ segment.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        None => RandomState::new().hash_one(segment),
    }
}
