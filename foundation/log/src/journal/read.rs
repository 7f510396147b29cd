//! Reading one partition: its batches are found by the index and read from their segments, past the appenders. The
//! journal's mutex is held only to copy a few index entries.

use std::io;
use std::sync::Arc;

use super::Core;
use super::format::{FRAME_HEADER_BYTES, FrameHeader, Kind, Position, SegmentHeader, payload_checksum};
use super::index::{Entry, Index, Shares, find};
use super::scan::{Scanner, Step};
use super::seal::BatchOpener;
use super::segment::{SegmentFile, segment_name};
use crate::options::Guarantee;
use crate::{Batch, Damage, LogError, Offset, PartitionId, Reader};

/// Index entries copied in one go.
const ENTRIES: usize = 64;
/// Bytes read in one go, when the next entries lie that close.
const WINDOW_BYTES: u64 = 256 << 10;

pub(super) struct JournalReader {
    core: Arc<Core>,
    partition: PartitionId,
    next: Offset,
    /// The batches to come, all durable, in `segment`; those before `used` are done.
    entries: Vec<Entry>,
    used: usize,
    segment: Option<Arc<SegmentFile>>,
    /// The index of a finished segment, while its batches are read.
    index: Option<(u64, Arc<Index>)>,
    /// Bytes of one segment, from a place on.
    window: Vec<u8>,
    window_segment: u64,
    window_start: u64,
    opener: BatchOpener,
}

/// Where the next entries come from.
enum Source {
    /// Copied from the active segment's.
    Copied,
    /// A finished segment: open, and with its index, when that is in memory.
    Finished(SegmentHeader, Option<Arc<SegmentFile>>, Option<Arc<Index>>),
    /// Nothing is durable beyond.
    End,
}

impl JournalReader {
    pub(super) fn new(core: &Arc<Core>, partition: PartitionId, from: Offset) -> Result<Self, LogError> {
        let extent = core.state().partitions.get(&partition).map(|partition| partition.extent());
        let extent = extent.ok_or(LogError::NoPartition { partition })?;
        if from > extent.next {
            return Err(LogError::BeyondEnd { partition, offset: from, next: extent.next });
        }
        if from < extent.first {
            return Err(LogError::Trimmed { partition, offset: from, first: extent.first });
        }
        Ok(Self {
            core: Arc::clone(core),
            partition,
            next: from,
            entries: Vec::with_capacity(ENTRIES),
            used: 0,
            segment: None,
            index: None,
            window: Vec::new(),
            window_segment: 0,
            window_start: 0,
            opener: BatchOpener::new(core.options.seal.as_ref()),
        })
    }

    /// Finds the next durable batches; `false` when there are none.
    fn refill(&mut self) -> Result<bool, LogError> {
        self.entries.clear();
        self.used = 0;
        match self.source()? {
            Source::Copied => Ok(true),
            Source::End => Ok(false),
            Source::Finished(header, file, index) => {
                let number = header.segment;
                let held = self.segment.take().filter(|held| held.number() == number);
                let segment =
                    match held.or(file).map_or_else(|| SegmentFile::open(&*self.core.storage, header), Ok) {
                        Ok(segment) => segment,
                        Err(e) => {
                            // If it was dropped since, the partition was trimmed, and that is what the reader is told.
                            self.source()?;
                            return Err(self.core.io("open", &segment_name(number), e));
                        }
                    };
                let index = match (self.index.take(), index) {
                    (Some((held, index)), _) if held == number => index,
                    (_, Some(index)) => index,
                    _ => Arc::new(self.load_index(&segment)?),
                };
                let list = index.partitions.get(&self.partition.0).map_or(&[][..], Vec::as_slice);
                let from = find(list, self.next);
                self.entries.extend(list[from..].iter().take(ENTRIES));
                self.index = Some((number, index));
                self.enter(segment);
                if self.entries.first().is_none_or(|entry| entry.first > self.next) {
                    return Err(self.damage(0, "its index lacks a batch that was written"));
                }
                Ok(true)
            }
        }
    }

    fn source(&mut self) -> Result<Source, LogError> {
        let core = Arc::clone(&self.core);
        let state = core.state();
        let Some(partition) = state.partitions.get(&self.partition) else { return Ok(Source::End) };
        if self.next < partition.first {
            let (offset, first) = (self.next, partition.first);
            return Err(LogError::Trimmed { partition: self.partition, offset, first });
        }
        if self.next >= partition.durable {
            return Ok(Source::End);
        }
        if partition.entries.first().is_some_and(|entry| entry.first <= self.next) {
            let entries = &partition.entries[find(&partition.entries, self.next)..];
            let durable = entries.iter().take(ENTRIES).take_while(|entry| entry.next() <= partition.durable);
            self.entries.extend(durable);
            self.enter(Arc::clone(&state.active));
            return Ok(if self.entries.is_empty() { Source::End } else { Source::Copied });
        }
        // A reader goes on where it was; only a new one looks from the oldest.
        let oldest = state.sealed.front().map_or(0, |sealed| sealed.header.segment);
        let from = self.segment.as_ref().map_or(0, |segment| segment.number().saturating_sub(oldest));
        let holds = |shares: &Shares| {
            shares.get(&self.partition.0).is_some_and(|share| (share.first..share.next).contains(&self.next))
        };
        let mut finished = state.sealed.iter().skip(usize::try_from(from).unwrap_or(0));
        match finished.find(|sealed| holds(&sealed.shares)) {
            Some(sealed) => Ok(Source::Finished(sealed.header, sealed.file.clone(), sealed.index.clone())),
            None => Err(self.damage(0, "no segment holds the offset that is read")),
        }
    }

    fn enter(&mut self, segment: Arc<SegmentFile>) {
        if self.window_segment != segment.number() {
            self.window.clear();
            self.window_segment = segment.number();
        }
        self.segment = Some(segment);
    }

    /// Reads the index beside a segment, or makes it again.
    fn load_index(&self, segment: &SegmentFile) -> Result<Index, LogError> {
        if let Ok(Some(index)) = Index::load(&*self.core.storage, segment.number(), segment.header.salt) {
            return Ok(index);
        }
        tracing::debug!(
            segment = segment.number(),
            "the segment's index is not usable: reading the segment instead"
        );
        rebuild(segment).map_err(|e| self.core.io("read", &segment_name(segment.number()), e))
    }

    fn damage(&self, position: u64, what: &str) -> LogError {
        damage(self.segment.as_deref(), self.partition, self.next, position, what)
    }

    /// Brings an entry's frame into the window; says where in it.
    fn load(&mut self, segment: &SegmentFile, entry: Entry) -> io::Result<usize> {
        let position = u64::from(entry.position);
        let end = position + u64::from(entry.bytes);
        let held = self.window_start..=self.window_start + self.window.len() as u64;
        if self.window.is_empty() || !held.contains(&position) || !held.contains(&end) {
            // Never beyond the last entry: what follows is still being written.
            let last =
                self.entries.last().map_or(end, |last| u64::from(last.position) + u64::from(last.bytes));
            let length = (end - position).max(WINDOW_BYTES.min(last - position));
            self.window.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
            self.window_start = position;
            if let Err(e) = segment.file.read_at(position, &mut self.window) {
                self.window.clear();
                return Err(e);
            }
        }
        usize::try_from(position - self.window_start).map_err(io::Error::other)
    }
}

impl Reader for JournalReader {
    fn next(&mut self) -> Result<Option<Batch<'_>>, LogError> {
        if self.used == self.entries.len() && !self.refill()? {
            return Ok(None);
        }
        let (entry, segment) = match (self.entries.get(self.used), &self.segment) {
            (Some(entry), Some(segment)) => (*entry, Arc::clone(segment)),
            _ => return Ok(None),
        };
        let start = self.load(&segment, entry);
        let start = start.map_err(|e| self.core.io("read", &segment_name(segment.number()), e))?;
        let at = Position { segment: segment.number(), byte: u64::from(entry.position) };
        let check = !self.core.options.lacks(Guarantee::Checksum);
        match decode(&self.window[start..start + entry.bytes as usize], segment.seed, at, check) {
            Ok(header) if header.partition == self.partition.0 && header.first == entry.first => {
                let payload = start + FRAME_HEADER_BYTES;
                let payload = &self.window[payload..payload + header.length as usize];
                let records = self.opener.open(&header, payload)?;
                match Batch::new(self.partition, header.first, header.count, header.context, records) {
                    Ok(batch) => {
                        self.used += 1;
                        self.next = batch.next();
                        Ok(Some(batch))
                    }
                    Err(e) => Err(damage(
                        self.segment.as_deref(),
                        self.partition,
                        self.next,
                        at.byte,
                        &e.to_string(),
                    )),
                }
            }
            Ok(_) => Err(self.damage(at.byte, "another batch stands where it should")),
            Err(what) => Err(self.damage(at.byte, what)),
        }
    }
}

fn damage(
    segment: Option<&SegmentFile>,
    partition: PartitionId,
    offset: Offset,
    position: u64,
    what: &str,
) -> LogError {
    LogError::Damaged(Damage {
        segment: segment.map_or(0, SegmentFile::number),
        position,
        what: format!("partition {} at offset {offset}: {what}", partition.0),
        remedy:
            "Stop the server and run `decalog log verify`; restore the segment from a backup or a replica"
                .to_owned(),
    })
}

/// Checks a whole batch frame.
fn decode(frame: &[u8], seed: u32, at: Position, check: bool) -> Result<FrameHeader, &'static str> {
    let (header, payload) = frame.split_first_chunk().ok_or("a frame is shorter than its header")?;
    let header = FrameHeader::decode(header, seed, at, check)?;
    let payload = payload.get(..header.length as usize).ok_or("a frame is longer than it was")?;
    if header.kind != Kind::Batch {
        return Err("no batch stands where one was written");
    }
    if check && payload_checksum(payload) != header.payload_checksum {
        return Err("the checksum of a frame's payload does not fit");
    }
    Ok(header)
}

/// Makes the index of a finished segment from its frames.
pub(super) fn rebuild(segment: &SegmentFile) -> io::Result<Index> {
    let mut index = Index::default();
    let mut scanner = Scanner::new(&*segment.file, segment.header, true)?;
    loop {
        match scanner.step()? {
            Step::Frame(header, _) if header.kind == Kind::Batch => {
                let place = |value| u32::try_from(value).map_err(io::Error::other);
                let entry = Entry {
                    first: header.first,
                    count: header.count,
                    position: place(header.at.byte)?,
                    bytes: place(header.end() - header.at.byte)?,
                };
                index.push(header.partition, entry);
            }
            Step::Frame(..) => {}
            Step::Unwritten | Step::Broken(_) => return Ok(index),
        }
    }
}
