//! Looking at a journal without changing it: what `decalog log stat`, `verify` and `cat` show.
//!
//! No lock is needed, so it works on a directory that a running server writes. What stands behind the last whole
//! frame is then being written, and is told as a tail, not as damage; damage is looked at twice before it is
//! reported, because a segment may be finished or dropped while it is read.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use decalog_seal::KeyRing;

use crate::journal::format::{FrameHeader, Kind, SEGMENT_HEADER_BYTES};
use crate::journal::scan::{Scanner, Step};
use crate::journal::seal::BatchOpener;
use crate::journal::segment::{SegmentFile, segment_name, segment_number};
use crate::journal::survey::{Survey, survey};
use crate::storage::{File, FileStorage, Storage};
use crate::{Batch, Cut, Damage, LogError, Offset, PartitionId};

/// A directory changes while it is read; after so many tries it is not that.
const TRIES: usize = 5;

/// A journal to look at.
pub struct Inspection {
    storage: Arc<dyn Storage>,
    keys: Option<Arc<KeyRing>>,
}

/// What a journal holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Its segments, oldest first.
    pub segments: Vec<SegmentStat>,
    /// Its partitions, in order.
    pub partitions: Vec<PartitionStat>,
}

/// What a segment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentUse {
    /// It is finished: only read, and dropped once nobody needs it.
    Finished,
    /// It is being written.
    Active,
    /// It is prepared for what comes next.
    Prepared,
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentStat {
    /// Its number, as in its file name.
    pub segment: u64,
    /// What it is for.
    pub used_as: SegmentUse,
    /// The length of its file in bytes; 0 when its header is damaged.
    pub bytes: u64,
    /// The bytes that are written.
    pub written: u64,
    /// Batches in it.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Partitions that have batches in it.
    pub partitions: u64,
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionStat {
    /// Its number.
    pub partition: PartitionId,
    /// The oldest offset that can be read.
    pub first: Offset,
    /// The offset the next record gets.
    pub next: Offset,
    /// Batches that are still there.
    pub batches: u64,
    /// Bytes of their frames.
    pub bytes: u64,
    /// The oldest segment that it keeps from being dropped, if any.
    pub oldest_segment: Option<u64>,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Segments read.
    pub segments: u64,
    /// Whole batches found.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of frames.
    pub bytes: u64,
    /// A tail that is torn, or is being written right now; the next start cuts it.
    pub tail: Option<Cut>,
    /// Every damage; with any of them a start is refused.
    pub damages: Vec<Damage>,
}

impl Verification {
    /// Is everything that was durable as it was written?
    pub fn is_sound(&self) -> bool {
        self.damages.is_empty()
    }
}

impl Inspection {
    /// Looks at the journal in a directory.
    pub fn directory(directory: &Path) -> Result<Self, LogError> {
        let action = || format!("look into {}", directory.display());
        let storage =
            FileStorage::existing(directory).map_err(|source| LogError::Io { action: action(), source })?;
        Ok(Self::over(Arc::new(storage)))
    }

    /// Looks at the journal in any storage.
    pub fn over(storage: Arc<dyn Storage>) -> Self {
        Self { storage, keys: None }
    }

    /// Gives the keys, without which only [`Inspection::cat`] of a sealed journal fails.
    #[must_use]
    pub fn with_keys(mut self, keys: Option<Arc<KeyRing>>) -> Self {
        self.keys = keys;
        self
    }

    /// What is in it, by segment and by partition. Says nothing of damage.
    pub fn stat(&self) -> Result<Stat, LogError> {
        Ok(stat(&self.survey()?))
    }

    /// Reads every byte of it.
    pub fn verify(&self) -> Result<Verification, LogError> {
        let first = verification(&self.survey()?);
        if first.is_sound() {
            return Ok(first);
        }
        let mut second = verification(&self.survey()?);
        second.damages.retain(|damage| first.damages.contains(damage));
        Ok(second)
    }

    /// Reads one partition from the batch that holds `from`, and shows what can be read even of a damaged journal.
    pub fn cat(&self, partition: PartitionId, from: Offset) -> Result<Cat, LogError> {
        let names = self.storage.list().map_err(|e| self.failure("list", "", e))?;
        let mut segments = names.iter().filter_map(|name| segment_number(name)).collect::<Vec<_>>();
        segments.sort_unstable_by(|a, b| b.cmp(a));
        Ok(Cat {
            inspection: Self::over(Arc::clone(&self.storage)),
            opener: BatchOpener::new(self.keys.as_ref()),
            partition,
            next: from,
            segments,
            walk: None,
            batch: None,
        })
    }

    fn survey(&self) -> Result<Survey, LogError> {
        let mut tries = 1;
        loop {
            match survey(&*self.storage, true, false) {
                // A segment was dropped between its name's being listed and its file's being opened.
                Err(LogError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound && tries < TRIES =>
                {
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn failure(&self, action: &str, name: &str, source: io::Error) -> LogError {
        LogError::Io { action: format!("{action} {}", self.storage.location().join(name).display()), source }
    }
}

fn stat(survey: &Survey) -> Stat {
    let active = survey.segments.iter().rposition(|segment| segment.begun()).unwrap_or(0);
    let mut partitions: BTreeMap<u32, PartitionStat> = BTreeMap::new();
    for (id, (first, next)) in &survey.partitions {
        let partition = PartitionId(*id);
        let stat = PartitionStat {
            partition,
            first: *first,
            next: *next,
            batches: 0,
            bytes: 0,
            oldest_segment: None,
        };
        partitions.insert(*id, stat);
    }
    for segment in &survey.segments {
        for (id, share) in &segment.shares {
            let Some(partition) = partitions.get_mut(id) else { continue };
            partition.batches += share.batches;
            partition.bytes += share.bytes;
            if share.next > partition.first {
                partition.oldest_segment.get_or_insert(segment.number);
            }
        }
    }
    let segments = survey.segments.iter().enumerate().map(|(place, segment)| SegmentStat {
        segment: segment.number,
        used_as: match place.cmp(&active) {
            std::cmp::Ordering::Less => SegmentUse::Finished,
            std::cmp::Ordering::Equal => SegmentUse::Active,
            std::cmp::Ordering::Greater => SegmentUse::Prepared,
        },
        bytes: segment.header.map_or(0, |header| header.length),
        written: segment.end,
        batches: segment.batches,
        records: segment.records,
        partitions: segment.shares.len() as u64,
    });
    Stat { segments: segments.collect(), partitions: partitions.into_values().collect() }
}

fn verification(survey: &Survey) -> Verification {
    let segments = &survey.segments;
    let tail = survey.broken.clone().filter(|(at, _)| *at >= survey.stated).map(|(at, what)| {
        let (bytes, batches) = survey.behind_break();
        Cut { segment: at.segment, position: at.byte, bytes, batches, what }
    });
    Verification {
        segments: segments.len() as u64,
        batches: segments.iter().map(|segment| segment.batches + segment.rest.batches).sum(),
        records: segments.iter().map(|segment| segment.records + segment.rest.records).sum(),
        bytes: segments.iter().map(|segment| segment.end - SEGMENT_HEADER_BYTES).sum(),
        tail,
        damages: survey.damages.clone(),
    }
}

/// Reads one partition of a journal that may be damaged.
pub struct Cat {
    inspection: Inspection,
    opener: BatchOpener,
    partition: PartitionId,
    next: Offset,
    /// Segments to come, the next one last.
    segments: Vec<u64>,
    walk: Option<Walk>,
    batch: Option<Found>,
}

struct Walk {
    segment: Arc<SegmentFile>,
    position: u64,
}

/// A batch that was found, with its own copy of the payload.
struct Found {
    header: FrameHeader,
    payload: Vec<u8>,
}

impl Cat {
    /// The next batch, or `None` at the end. After [`LogError::Damaged`] it goes on behind the damage when called again.
    pub fn next_batch(&mut self) -> Result<Option<Batch<'_>>, LogError> {
        loop {
            let walk = match self.walk.take() {
                Some(walk) => walk,
                None => match self.segments.pop() {
                    Some(number) => match self.enter(number)? {
                        Some(walk) => walk,
                        None => continue,
                    },
                    None => return Ok(None),
                },
            };
            let name = segment_name(walk.segment.number());
            match self.walk_on(walk).map_err(|e| self.inspection.failure("read", &name, e))? {
                Ok(true) => break,
                Ok(false) => {}
                Err(damage) => return Err(LogError::Damaged(damage)),
            }
        }
        let Some(found) = &self.batch else { return Ok(None) };
        let Found { header, payload } = found;
        let records = self.opener.open(header, payload)?;
        Batch::new(self.partition, header.first, header.count, header.context, records).map(Some).map_err(
            |e| {
                let source = io::Error::new(io::ErrorKind::InvalidData, e);
                self.inspection.failure("read a batch of", "", source)
            },
        )
    }

    fn enter(&self, number: u64) -> Result<Option<Walk>, LogError> {
        let name = segment_name(number);
        let open = || {
            let file: Arc<dyn File> = self.inspection.storage.open(&name, false)?;
            Ok::<_, io::Error>((SegmentFile::read_header(&*file, true)?, file))
        };
        match open() {
            Ok((Ok(header), file)) => {
                Ok(Some(Walk { segment: SegmentFile::new(header, file), position: SEGMENT_HEADER_BYTES }))
            }
            Ok((Err(what), _)) => Err(LogError::Damaged(damage(number, 0, what))),
            // It was dropped meanwhile.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.inspection.failure("open", &name, e)),
        }
    }

    /// Walks to the next batch of the partition; `false` at the end of the segment.
    fn walk_on(&mut self, mut walk: Walk) -> io::Result<Result<bool, Damage>> {
        let segment = Arc::clone(&walk.segment);
        let mut scanner = Scanner::new(&*segment.file, segment.header, true)?;
        scanner.go_to(walk.position);
        loop {
            let at = scanner.position();
            match scanner.step()? {
                Step::Frame(header, payload) => {
                    let next = header.first + u64::from(header.count);
                    let wanted = header.kind == Kind::Batch && header.partition == self.partition.0;
                    if wanted && next > self.next {
                        self.next = next;
                        self.batch = Some(Found { header, payload: payload.to_vec() });
                        walk.position = header.end();
                        self.walk = Some(walk);
                        return Ok(Ok(true));
                    }
                }
                Step::Unwritten | Step::Broken(_) => {
                    if !scanner.seek_frame()? {
                        return Ok(Ok(false));
                    }
                    walk.position = scanner.position();
                    let number = walk.segment.number();
                    self.walk = Some(walk);
                    return Ok(Err(damage(number, at, "bytes that are no frame, before others that are")));
                }
            }
        }
    }
}

fn damage(segment: u64, position: u64, what: &str) -> Damage {
    let remedy =
        "Batches may be missing here; `decalog log verify` says whether they were durable".to_owned();
    Damage { segment, position, what: what.to_owned(), remedy }
}
