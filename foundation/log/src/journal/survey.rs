//! Reads every segment of a journal in order and says what is there: where each partition stands, where the log
//! ends, what is damaged. Changes nothing; a start repairs by it (`recovery`), `inspect` reports it.
//!
//! # Torn tail or damage?
//!
//! After a power cut, any part of what was not synced may be missing, in any order. So the first place at which the
//! chain of frames breaks is either where such a loss begins, and everything from there is cut off, or it is damage to
//! bytes that had been synced, and nothing may be cut. Each frame states what was synced when it was written: a
//! break before the latest statement found anywhere is damage. Whole frames behind a break that no frame states
//! durable were in the same unsynced group, whose pages reached the disk in another order: they go with the cut.

use std::collections::BTreeMap;
use std::io;

use super::format::{
    FrameHeader, Kind, Position, SEGMENT_HEADER_BYTES, SegmentHeader, TableEntry, decode_table,
};
use super::index::{Entry, Index, Shares};
use super::scan::{Rest, Scanner, Step};
use super::segment::{SegmentFile, segment_name, segment_number};
use crate::storage::{File, Storage};
use crate::{Damage, LogError, Offset};

/// Why the chain breaks where zeroes stand in place of a frame.
const LATE_BYTES: &str = "a frame is missing before bytes written later";

/// Everything that a journal's segments hold.
#[derive(Default)]
pub(crate) struct Survey {
    pub(crate) segments: Vec<SegmentSurvey>,
    /// Each partition's oldest kept and next offset.
    pub(crate) partitions: BTreeMap<u32, (Offset, Offset)>,
    /// The first place at which the chain of frames breaks, and why.
    pub(crate) broken: Option<(Position, String)>,
    /// The latest durable statement of any frame.
    pub(crate) stated: Position,
    /// What was durable and is not what was written.
    pub(crate) damages: Vec<Damage>,
    /// Offsets that each partition's oldest segment begins with: what lies before must have been trimmed.
    missing_below: BTreeMap<u32, Offset>,
}

/// One segment of a [`Survey`].
pub(crate) struct SegmentSurvey {
    pub(crate) number: u64,
    /// `None` when it is damaged.
    pub(crate) header: Option<SegmentHeader>,
    /// The byte after its last frame in the chain; nothing lies in it when this is the first frame's place.
    pub(crate) end: u64,
    /// When it was begun, in milliseconds since 1970; 0 when that is not known.
    pub(crate) began: u64,
    pub(crate) batches: u64,
    pub(crate) records: u64,
    pub(crate) shares: Shares,
    /// Its batches; of an older segment only when they do not lie beside it as they should.
    pub(crate) index: Option<Index>,
    /// Is the last frame a mark?
    pub(crate) marked: bool,
    /// Why the walk ended, when not at zeroes.
    stop: Option<&'static str>,
    /// What lies behind `end`.
    pub(crate) rest: Rest,
}

impl SegmentSurvey {
    /// Was any frame written into it?
    pub(crate) fn begun(&self) -> bool {
        self.end > SEGMENT_HEADER_BYTES
    }

    /// Gives back the memory of an index that can be read again.
    fn slim(&mut self, storage: &dyn Storage) {
        let Some(header) = self.header else { return };
        self.index = self.index.take().filter(|index| !index.is_stored(storage, self.number, header.salt));
    }

    fn touched(&self) -> bool {
        self.begun() || self.rest.written_to.is_some()
    }

    fn place(&self, byte: u64) -> Position {
        Position { segment: self.number, byte }
    }
}

/// Reads the segments. With `check` false (a sabotage) checksums count for nothing; `write` opens files for repair.
pub(crate) fn survey(storage: &dyn Storage, check: bool, write: bool) -> Result<Survey, LogError> {
    let names = storage.list().map_err(|e| failure(format!("list {}", storage.location().display()), e))?;
    let mut numbers = names.iter().filter_map(|name| segment_number(name)).collect::<Vec<_>>();
    numbers.sort_unstable();
    let mut survey = Survey::default();
    for number in numbers {
        let action = || format!("read {}", storage.location().join(segment_name(number)).display());
        let file = storage.open(&segment_name(number), write).map_err(|e| failure(action(), e))?;
        if let Some(previous) = survey.segments.last_mut() {
            previous.slim(storage);
        }
        survey.take(number, &*file, check).map_err(|e| failure(action(), e))?;
    }
    survey.conclude();
    Ok(survey)
}

fn failure(action: String, source: io::Error) -> LogError {
    LogError::Io { action, source }
}

impl Survey {
    fn take(&mut self, number: u64, file: &dyn File, check: bool) -> io::Result<()> {
        if let Some(before) = self.segments.last().filter(|before| before.number + 1 != number) {
            let missing = before.number + 1;
            self.damage(Position { segment: missing, byte: 0 }, "the segment's file is missing".to_owned());
        }
        let mut segment = SegmentSurvey {
            number,
            header: None,
            end: SEGMENT_HEADER_BYTES,
            began: 0,
            batches: 0,
            records: 0,
            shares: Shares::new(),
            index: Some(Index::default()),
            marked: false,
            stop: None,
            rest: Rest::default(),
        };
        let header = match SegmentFile::read_header(file, check)? {
            Ok(header) if header.segment != number => Err("the header is that of another segment"),
            Ok(header) if header.length > file.length()? => Err("the file is shorter than its header says"),
            other => other,
        };
        match header {
            Ok(header) => {
                let mut scanner = Scanner::new(file, header, check)?;
                self.walk(&mut segment, &mut scanner)?;
                segment.rest = scanner.rest()?;
                self.stated = self.stated.max(segment.rest.durable);
                segment.header = Some(header);
                segment.shares = segment.index.as_ref().map(Index::shares).unwrap_or_default();
            }
            Err(what) => self.damage(segment.place(0), what.to_owned()),
        }
        self.segments.push(segment);
        Ok(())
    }

    fn walk(&mut self, segment: &mut SegmentSurvey, scanner: &mut Scanner<'_>) -> io::Result<()> {
        loop {
            match scanner.step()? {
                Step::Frame(header, payload) => {
                    if !self.follow(segment, &header, payload) {
                        return Ok(());
                    }
                    segment.end = header.end();
                    self.stated = self.stated.max(header.durable);
                }
                Step::Unwritten => break,
                Step::Broken(what) => {
                    segment.stop = Some(what);
                    break;
                }
            }
        }
        if !segment.begun() {
            self.close_previous(None);
        }
        Ok(())
    }

    /// Takes a frame into the account; `false` ends the walk of its segment.
    fn follow(&mut self, segment: &mut SegmentSurvey, header: &FrameHeader, payload: &[u8]) -> bool {
        if segment.end == SEGMENT_HEADER_BYTES {
            if header.kind != Kind::Table {
                self.damage(header.at, "the segment does not begin with a table".to_owned());
                return false;
            }
            segment.began = header.context.first_chunk().map_or(0, |began| u64::from_le_bytes(*began));
            self.close_previous(Some(header.first));
            if self.broken.is_none() {
                self.follow_table(segment, header, payload);
            }
        }
        segment.marked = header.kind == Kind::Mark;
        if header.kind == Kind::Batch {
            segment.batches += 1;
            segment.records += u64::from(header.count);
        }
        // What lies behind a break is counted, not believed.
        if self.broken.is_none() {
            match header.kind {
                Kind::Batch => self.follow_batch(segment, header),
                Kind::Trim => {
                    let (first, next) = self.partitions.entry(header.partition).or_default();
                    *first = (*first).max(header.first).min(*next);
                }
                Kind::Table | Kind::Mark => {}
            }
        }
        true
    }

    fn follow_table(&mut self, segment: &SegmentSurvey, header: &FrameHeader, payload: &[u8]) {
        let table = decode_table(payload).unwrap_or_default();
        if self.segments.is_empty() {
            for TableEntry { partition, first, next } in table {
                self.partitions.insert(partition, (first, next));
                self.missing_below.insert(partition, next);
            }
            return;
        }
        for entry in table {
            let stand = self.partitions.entry(entry.partition).or_default();
            if stand.1 != entry.next {
                let what = format!(
                    "the segment begins with partition {} at offset {}, but the segments before end at {}",
                    entry.partition, entry.next, stand.1
                );
                self.damage(segment.place(header.at.byte), what);
                return;
            }
            stand.0 = stand.0.max(entry.first);
        }
    }

    fn follow_batch(&mut self, segment: &mut SegmentSurvey, header: &FrameHeader) {
        let stand = self.partitions.entry(header.partition).or_default();
        if stand.1 != header.first {
            let (next, first, partition) = (stand.1, header.first, header.partition);
            let what = format!(
                "a batch of partition {partition} begins with offset {first}, but the next is {next}"
            );
            self.damage(header.at, what);
        }
        let stand = self.partitions.entry(header.partition).or_default();
        stand.1 = header.first + u64::from(header.count);
        let entry = Entry {
            first: header.first,
            count: header.count,
            position: u32::try_from(header.at.byte).unwrap_or(u32::MAX),
            bytes: u32::try_from(header.end() - header.at.byte).unwrap_or(u32::MAX),
        };
        segment.index.get_or_insert_default().push(header.partition, entry);
    }

    /// The segment before is complete when it ends where the next one's table says.
    fn close_previous(&mut self, stated_end: Option<u64>) {
        let Some(previous) = self.segments.last() else { return };
        let place = previous.place(previous.end);
        match stated_end {
            Some(end) if end == previous.end => {}
            Some(_) => {
                let what = previous.stop.unwrap_or("frames are missing before the next segment begins");
                self.breaks(place, what);
            }
            None if previous.rest.written_to.is_some() => {
                let what = previous.stop.unwrap_or(LATE_BYTES);
                self.breaks(place, what);
            }
            None => {}
        }
    }

    fn breaks(&mut self, at: Position, what: &str) {
        if self.broken.as_ref().is_none_or(|(before, _)| at < *before) {
            self.broken = Some((at, what.to_owned()));
        }
    }

    fn damage(&mut self, at: Position, what: String) {
        self.damages.push(Damage {
            segment: at.segment,
            position: at.byte,
            what,
            remedy: "Restore this segment's file from a backup or a replica; `decalog log verify` lists every damage, \
                     `decalog log cat` what can still be read"
                .to_owned(),
        });
    }

    fn conclude(&mut self) {
        let ends = self.segments.iter().rposition(SegmentSurvey::begun);
        if let Some(last) = ends.or_else(|| (!self.segments.is_empty()).then_some(0)) {
            let segment = &self.segments[last];
            if segment.rest.written_to.is_some() {
                let (at, what) = (segment.place(segment.end), segment.stop.unwrap_or(LATE_BYTES));
                self.breaks(at, what);
            }
        }
        // A segment after the last begun one is the prepared next one, and empty, or has lost its first frame.
        let next = ends.map_or(0, |last| last + 1);
        let touched = self.segments[next..].iter().find(|segment| segment.touched());
        if let Some(at) = touched.map(|segment| segment.place(SEGMENT_HEADER_BYTES)) {
            self.breaks(at, "the segment's table is missing");
        }
        self.condemn_break();
        self.report_gaps();
        self.check_oldest();
    }

    /// A break before what is stated durable is damage.
    fn condemn_break(&mut self) {
        if let Some((at, what)) = self.broken.clone()
            && at < self.stated
        {
            let Position { segment, byte } = self.stated;
            self.damage(
                at,
                format!("{what}, though everything before byte {byte} of segment {segment} was synced"),
            );
        }
    }

    fn report_gaps(&mut self) {
        let stated = self.stated;
        let gaps = self.segments.iter().flat_map(|s| s.rest.gaps.iter().map(|byte| s.place(*byte)));
        for gap in gaps.filter(|gap| *gap < stated).collect::<Vec<_>>() {
            self.damage(gap, "bytes that are no frame, between frames".to_owned());
        }
    }

    /// Segments are dropped only once every partition has trimmed past them, so what the oldest one begins with
    /// tells whether an older one was lost.
    fn check_oldest(&mut self) {
        let Some((oldest, begun)) = self.segments.first().map(|s| (s.number, s.begun())) else { return };
        if oldest > 1 && !begun && self.damages.is_empty() {
            let at = Position { segment: oldest - 1, byte: 0 };
            return self.damage(at, "the file is missing: the next segment is not the first".to_owned());
        }
        let lost = self.missing_below.iter().find_map(|(partition, below)| {
            let first = self.partitions.get(partition)?.0;
            (first < *below).then_some((*partition, first, *below))
        });
        if let Some((partition, first, below)) = lost.filter(|_| self.broken.is_none()) {
            let what = format!(
                "the file is missing: it held offsets {first} to {} of partition {partition}",
                below - 1
            );
            self.damage(Position { segment: oldest - 1, byte: 0 }, what);
        }
    }

    /// The bytes from the break to the end of everything written, and the whole batches among them.
    pub(crate) fn behind_break(&self) -> (u64, u64) {
        let Some((at, _)) = &self.broken else { return (0, 0) };
        let mut bytes = 0;
        let mut batches = 0;
        for segment in self.segments.iter().filter(|segment| segment.number >= at.segment) {
            let from = if segment.number == at.segment { at.byte } else { SEGMENT_HEADER_BYTES };
            bytes += segment.rest.written_to.unwrap_or(segment.end).saturating_sub(from);
            batches += segment.rest.batches;
            if segment.number > at.segment {
                batches += segment.batches;
            }
        }
        (bytes, batches)
    }
}
