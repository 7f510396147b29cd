//! Walks the frames of one segment and says where and why the walk ends. Decides nothing: what an end means (the
//! end of the log, a torn tail, damage) is seen only beside the other segments, in `survey`.

use std::io;

use super::format::{
    ALIGNMENT, FRAME_HEADER_BYTES, FrameHeader, Kind, Position, SEGMENT_HEADER_BYTES, SegmentHeader,
    UNSEALED, decode_table, looks_like_frame, payload_checksum,
};
use super::seal::BatchSealer;
use crate::storage::File;
use crate::{Batch, PartitionId};

const WINDOW_BYTES: u64 = 1 << 20;

/// What stands at the scanner's place.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// A whole frame; the scanner has gone on to the next.
    Frame(FrameHeader, &'a [u8]),
    /// Zeroes, or no room for a frame.
    Unwritten,
    /// Bytes that are no frame.
    Broken(&'static str),
}

/// What lies behind the place at which a walk ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rest {
    /// The byte after the last that is not zero, when there is one.
    pub(crate) written_to: Option<u64>,
    /// Whole batches found there, and their records.
    pub(crate) batches: u64,
    pub(crate) records: u64,
    /// The latest durable statement of a frame found there.
    pub(crate) durable: Position,
    /// Where bytes that are no frame begin again, behind frames found there and before others.
    pub(crate) gaps: Vec<u64>,
}

/// Walks one segment.
pub(crate) struct Scanner<'f> {
    window: Window<'f>,
    segment: u64,
    seed: u32,
    check: bool,
    position: u64,
}

impl<'f> Scanner<'f> {
    /// Begins at the first frame. With `check` false (a sabotage) checksums count for nothing.
    pub(crate) fn new(file: &'f dyn File, header: SegmentHeader, check: bool) -> io::Result<Self> {
        let length = file.length()?.min(header.length);
        Ok(Self {
            window: Window { file, length, start: 0, bytes: Vec::new() },
            segment: header.segment,
            seed: header.seed(),
            check,
            position: SEGMENT_HEADER_BYTES,
        })
    }

    /// Where the next frame should begin.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Goes to a place where a frame begins.
    pub(crate) fn go_to(&mut self, position: u64) {
        self.position = position;
    }

    /// Goes to the next place at which a whole frame begins; `false` when there is none.
    pub(crate) fn seek_frame(&mut self) -> io::Result<bool> {
        while let Some(nonzero) = self.window.next_nonzero(self.position)? {
            self.position = nonzero;
            if matches!(self.step()?, Step::Frame(..)) {
                self.position = nonzero;
                return Ok(true);
            }
            self.position = nonzero + ALIGNMENT as u64;
        }
        Ok(false)
    }

    /// Looks at the scanner's place, and goes on when a frame stands there.
    pub(crate) fn step(&mut self) -> io::Result<Step<'_>> {
        let at = Position { segment: self.segment, byte: self.position };
        let Some(bytes) = self.window.array::<FRAME_HEADER_BYTES>(at.byte)? else {
            return Ok(Step::Unwritten);
        };
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(Step::Unwritten);
        }
        let header = match FrameHeader::decode(&bytes, self.seed, at, self.check) {
            Ok(header) => header,
            Err(what) => return Ok(Step::Broken(what)),
        };
        let start = at.byte + FRAME_HEADER_BYTES as u64;
        let Some(padded) = self.window.get(start, header.padded_length())? else {
            return Ok(Step::Broken("a frame reaches past the end of its segment"));
        };
        let payload = &padded[..header.length as usize];
        if self.check && payload_checksum(payload) != header.payload_checksum {
            return Ok(Step::Broken("the checksum of a frame's payload does not fit"));
        }
        if self.check && padded[payload.len()..].iter().any(|byte| *byte != 0) {
            return Ok(Step::Broken("the padding of a frame is not zero"));
        }
        if let Some(what) = malformed(&header, payload) {
            return Ok(Step::Broken(what));
        }
        self.position = header.end();
        Ok(Step::Frame(header, payload))
    }

    /// Looks through everything from the scanner's place to the end of the segment.
    pub(crate) fn rest(mut self) -> io::Result<Rest> {
        let mut rest = Rest::default();
        let mut broken_since = None;
        let mut found = false;
        loop {
            let Some(nonzero) = self.window.next_nonzero(self.position)? else { return Ok(rest) };
            self.position = nonzero;
            let begins = self.window.get(nonzero, ALIGNMENT)?.is_some_and(looks_like_frame);
            let step = if begins { self.step()? } else { Step::Unwritten };
            if let Step::Frame(header, _) = step {
                rest.durable = rest.durable.max(header.durable);
                if header.kind == Kind::Batch {
                    rest.batches += 1;
                    rest.records += u64::from(header.count);
                }
                rest.gaps.extend(broken_since.take().filter(|_| found));
                found = true;
            } else {
                broken_since.get_or_insert(nonzero);
                self.position = nonzero + ALIGNMENT as u64;
            }
            rest.written_to = Some(self.position);
        }
    }
}

/// What is wrong with a frame whose checksums fit.
fn malformed(header: &FrameHeader, payload: &[u8]) -> Option<&'static str> {
    match header.kind {
        Kind::Batch if header.count == 0 => Some("a batch is empty"),
        // Its records are known to who has the key.
        Kind::Batch if header.key != UNSEALED => {
            (payload.len() < BatchSealer::OVERHEAD_BYTES).then_some("a sealed batch is shorter than its seal")
        }
        Kind::Batch => {
            let partition = PartitionId(header.partition);
            let batch = Batch::new(partition, header.first, header.count, header.context, payload);
            batch.is_err().then_some("a batch does not hold the records its header says")
        }
        Kind::Table
            if decode_table(payload).is_none_or(|table| table.len() as u64 != u64::from(header.count)) =>
        {
            Some("a table does not hold the entries its header says")
        }
        Kind::Table | Kind::Mark | Kind::Trim => None,
    }
}

/// Where the first byte that is not zero stands. Most of what is looked at is empty, so it goes by blocks, which the
/// compiler turns into wide instructions.
fn first_nonzero(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 512;
    let block = bytes.chunks(BLOCK).position(|block| block.iter().fold(0, |all, byte| all | byte) != 0)?;
    let start = block * BLOCK;
    Some(start + bytes[start..].iter().position(|byte| *byte != 0)?)
}

/// A part of a file in memory.
struct Window<'f> {
    file: &'f dyn File,
    length: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// The bytes from `position`, or `None` when the file ends before.
    fn get(&mut self, position: u64, length: usize) -> io::Result<Option<&[u8]>> {
        let end = position + length as u64;
        if end > self.length {
            return Ok(None);
        }
        if position < self.start || end > self.start + self.bytes.len() as u64 {
            let wanted = WINDOW_BYTES.max(length as u64).min(self.length - position);
            self.bytes.resize(usize::try_from(wanted).map_err(io::Error::other)?, 0);
            self.start = position;
            if let Err(e) = self.file.read_at(position, &mut self.bytes) {
                self.bytes.clear();
                return Err(e);
            }
        }
        let from = usize::try_from(position - self.start).map_err(io::Error::other)?;
        Ok(Some(&self.bytes[from..from + length]))
    }

    fn array<const N: usize>(&mut self, position: u64) -> io::Result<Option<[u8; N]>> {
        Ok(self.get(position, N)?.and_then(|bytes| bytes.try_into().ok()))
    }

    /// The first aligned place from `position` whose eight bytes are not all zero.
    fn next_nonzero(&mut self, mut position: u64) -> io::Result<Option<u64>> {
        while position < self.length {
            // What is in memory first: a walk over broken bytes comes here for each of them.
            let loaded =
                (self.start + self.bytes.len() as u64).checked_sub(position).filter(|left| *left > 0);
            let held = loaded.filter(|_| position >= self.start).unwrap_or(WINDOW_BYTES);
            let length = held.min(self.length - position);
            let Some(bytes) = self.get(position, usize::try_from(length).map_err(io::Error::other)?)? else {
                return Ok(None);
            };
            if let Some(place) = first_nonzero(bytes) {
                return Ok(Some(position + (place / ALIGNMENT * ALIGNMENT) as u64));
            }
            position += length;
        }
        Ok(None)
    }
}
