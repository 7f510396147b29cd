//! The event journal: a file copy of what was published, for late subscribers and for resends by address.
//!
//! A projection: never synced, checked when opened and when read, rebuilt by replay from the oldest kept snapshot when
//! it is missing or damaged. Segment files hold blocks of whole frames, each block with its checksum; a segment's name
//! is the first record whose events it may hold. With keys each block's frames are sealed, and bound to the journal and
//! the records they are of; blocks that are not sealed as they should be are damage, and are made again.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use decalog_seal::{KeyRing, MESSAGE_OVERHEAD_BYTES, Opener, SealError, Sealer, UNSEALED};
use xxhash_rust::xxh3::xxh3_64;

use crate::events::Frame;
use crate::hub::Chunk;
use crate::machine::Digest;

const MAGIC: &[u8; 8] = b"DLEVNT02";
/// Magic, then the fingerprint of the skips under which the events came about.
const SEGMENT_HEADER_BYTES: u64 = 24;
/// Length of the frames u32, checksum of the rest u64, key of the frames u32 (0: not sealed), first and next record u64
/// each.
const BLOCK_HEADER_BYTES: usize = 32;
const PURPOSE: &str = "decalog events block 1";
const BLOCK_BYTES: usize = 32 << 10;
const SEGMENT_BYTES: u64 = 64 << 20;

#[derive(Debug)]
struct Block {
    next: u64,
    position: u64,
    length: usize,
}

#[derive(Debug)]
struct Segment {
    first: u64,
    path: PathBuf,
    file: File,
    bytes: u64,
    blocks: Vec<Block>,
    /// When its file was made; long ago when the file system does not say.
    begun: SystemTime,
}

/// One partition's journal.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    fingerprint: Digest,
    seal: Option<Seal>,
    segments: Vec<Segment>,
    /// Frames that are not yet a block, and the record after the last one written.
    pending: Vec<u8>,
    written: u64,
    end: u64,
}

/// What a journal needs to seal and to open its blocks.
#[derive(Debug)]
struct Seal {
    sealer: Sealer,
    opener: Mutex<Opener>,
    /// What tells this journal from others: its folder's name and the fingerprint of its skips.
    journal: Vec<u8>,
}

impl Seal {
    fn new(keys: &Arc<KeyRing>, folder: &Path, fingerprint: Digest) -> Result<Seal, SealError> {
        let name = folder.file_name().map_or(&[][..], OsStrExt::as_bytes);
        let journal = [&fingerprint.0.to_le_bytes(), name].concat();
        let opener = Mutex::new(Opener::new(keys.clone(), PURPOSE));
        Ok(Seal { sealer: Sealer::new(keys.clone(), PURPOSE)?, opener, journal })
    }

    fn place(&self, first: u64, next: u64) -> Vec<u8> {
        [&first.to_le_bytes()[..], &next.to_le_bytes(), &self.journal].concat()
    }

    fn open(&self, key: u32, chunk: &Chunk) -> Result<Vec<u8>, SealError> {
        let mut plain = Vec::new();
        let place = self.place(chunk.first, chunk.next);
        let mut opener = self.opener.lock().unwrap_or_else(PoisonError::into_inner);
        let length = opener.open(key, &place, &chunk.frames, &mut plain)?.len();
        plain.truncate(length);
        Ok(plain)
    }
}

fn invalid(path: &Path, what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{}: {what}; remove it to have it rebuilt", path.display()),
    )
}

fn segment_path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.events"))
}

impl Journal {
    /// Opens a journal, keeping what is whole and was made under these skips; everything after the first damage goes.
    pub(crate) fn open(folder: &Path, skips: Digest, keys: Option<&Arc<KeyRing>>) -> io::Result<Journal> {
        fs::create_dir_all(folder)?;
        let seal = keys.map(|keys| Seal::new(keys, folder, skips)).transpose()?;
        let mut firsts = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let first = name.to_str().and_then(|name| name.strip_suffix(".events")?.parse::<u64>().ok());
            firsts.extend(first);
        }
        firsts.sort_unstable();
        let mut journal = Journal {
            folder: folder.to_owned(),
            fingerprint: skips,
            seal,
            segments: Vec::new(),
            pending: Vec::new(),
            written: 0,
            end: 0,
        };
        let mut whole = true;
        for first in firsts {
            let path = segment_path(folder, first);
            // A gap in front is a trim that was interrupted, or a lost file: only what follows on is of use.
            if whole
                && (journal.segments.is_empty() || journal.end == first)
                && let Some((segment, undamaged)) =
                    Segment::open(path.clone(), first, skips, journal.seal.as_ref())?
            {
                journal.end = segment.blocks.last().map_or(first, |block| block.next);
                journal.segments.push(segment);
                whole = undamaged;
                continue;
            }
            whole = false;
            fs::remove_file(&path)?;
        }
        journal.written = journal.end;
        Ok(journal)
    }

    /// The oldest record whose events it holds.
    pub(crate) fn start(&self) -> u64 {
        self.segments.first().map_or(self.end, |segment| segment.first)
    }

    /// The record after the last one whose events it holds.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Takes the frames of records up to `next`; those it has already are left out.
    pub(crate) fn append(&mut self, frames: &[u8], next: u64) -> io::Result<()> {
        let mut rest = frames;
        while let Some((frame, after)) = Frame::split(rest) {
            if frame.offset >= self.end {
                self.pending.extend_from_slice(&rest[..rest.len() - after.len()]);
                if self.pending.len() >= BLOCK_BYTES {
                    self.write_block(frame.offset + 1)?;
                }
            }
            rest = after;
        }
        self.end = self.end.max(next);
        Ok(())
    }

    /// Writes what is pending, so that readers find it.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() { Ok(()) } else { self.write_block(self.end) }
    }

    /// Notes in the file how far it goes, although the last records had no events.
    pub(crate) fn mark_end(&mut self) -> io::Result<()> {
        if self.written < self.end { self.write_block(self.end) } else { Ok(()) }
    }

    fn write_block(&mut self, next: u64) -> io::Result<()> {
        let first = self.written;
        if self.segments.last().is_none_or(|segment| segment.bytes >= SEGMENT_BYTES) {
            let segment = Segment::create(segment_path(&self.folder, first), first, self.fingerprint)?;
            self.segments.push(segment);
        }
        let segment = self.segments.last_mut().expect("a segment to write to");
        let mut block = vec![0; BLOCK_HEADER_BYTES];
        block.reserve(self.pending.len() + MESSAGE_OVERHEAD_BYTES);
        let key = match &self.seal {
            None => {
                block.extend_from_slice(&self.pending);
                UNSEALED
            }
            Some(seal) => seal.sealer.seal(&seal.place(first, next), &self.pending, &mut block)?,
        };
        let length = u32::try_from(block.len() - BLOCK_HEADER_BYTES).map_err(io::Error::other)?;
        block[..4].copy_from_slice(&length.to_le_bytes());
        block[12..16].copy_from_slice(&key.to_le_bytes());
        block[16..24].copy_from_slice(&first.to_le_bytes());
        block[24..32].copy_from_slice(&next.to_le_bytes());
        let checksum = xxh3_64(&block[12..]);
        block[4..12].copy_from_slice(&checksum.to_le_bytes());
        segment.file.write_all_at(&block, segment.bytes)?;
        segment.blocks.push(Block { next, position: segment.bytes, length: block.len() });
        segment.bytes += block.len() as u64;
        self.pending.clear();
        self.written = next;
        Ok(())
    }

    /// The block with the first events of records from `offset` on; `None` when there are none.
    pub(crate) fn read(&self, offset: u64) -> io::Result<Option<Chunk>> {
        let at = self.segments.partition_point(|segment| segment.first <= offset).saturating_sub(1);
        for segment in &self.segments[at..] {
            let block = segment.blocks.partition_point(|block| block.next <= offset);
            if let Some(block) = segment.blocks.get(block) {
                return segment.read(block, self.seal.as_ref()).map(Some);
            }
        }
        Ok(None)
    }

    /// Removes the oldest segments, as long as all their events are of records before `below` and `keep_bytes` remain.
    pub(crate) fn trim(&mut self, below: u64, keep_bytes: u64) {
        let mut bytes: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
        while self.segments.len() > 1
            && self.segments[1].first <= below
            && bytes - self.segments[0].bytes >= keep_bytes
        {
            bytes -= self.segments[0].bytes;
            self.remove_oldest();
        }
    }

    /// Begins the next segment when the last one holds events and is so old.
    pub(crate) fn finish_segment(&mut self, age: Duration) -> io::Result<()> {
        let is_old = |segment: &Segment| {
            // From the future: nobody knows.
            !segment.blocks.is_empty() && segment.begun.elapsed().map_or(true, |elapsed| elapsed >= age)
        };
        if self.segments.last().is_some_and(is_old) {
            self.flush()?;
            let path = segment_path(&self.folder, self.written);
            self.segments.push(Segment::create(path, self.written, self.fingerprint)?);
        }
        Ok(())
    }

    /// Removes the oldest segments, as long as all their events are of records before `below`, and nothing was added to
    /// them for so long.
    pub(crate) fn forget(&mut self, below: u64, age: Duration) {
        while self.segments.len() > 1 && self.segments[1].first <= below && self.segments[0].rests(age) {
            self.remove_oldest();
        }
    }

    fn remove_oldest(&mut self) {
        let oldest = self.segments.remove(0);
        if let Err(error) = fs::remove_file(&oldest.path) {
            tracing::warn!("{} cannot be removed: {error}", oldest.path.display());
        }
    }

    /// Forgets everything and begins again at this record.
    pub(crate) fn restart(&mut self, at: u64) -> io::Result<()> {
        for segment in self.segments.drain(..) {
            fs::remove_file(&segment.path)?;
        }
        self.pending.clear();
        (self.written, self.end) = (at, at);
        Ok(())
    }
}

impl Segment {
    fn create(path: PathBuf, first: u64, fingerprint: Digest) -> io::Result<Segment> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        file.write_all_at(&[&MAGIC[..], &fingerprint.0.to_le_bytes()].concat(), 0)?;
        let begun = SystemTime::now();
        Ok(Segment { first, path, file, bytes: SEGMENT_HEADER_BYTES, blocks: Vec::new(), begun })
    }

    /// Whether nothing was added for so long.
    fn rests(&self, age: Duration) -> bool {
        let written = self.file.metadata().and_then(|metadata| metadata.modified());
        written.is_ok_and(|written| written.elapsed().is_ok_and(|elapsed| elapsed >= age))
    }

    /// The segment up to its first damage, and whether there was none; `None` when nothing of it is of use.
    fn open(
        path: PathBuf,
        first: u64,
        fingerprint: Digest,
        seal: Option<&Seal>,
    ) -> io::Result<Option<(Segment, bool)>> {
        let mut file = File::options().read(true).write(true).open(&path)?;
        let mut header = [0; 24];
        if file.read_exact(&mut header).is_err()
            || header[..8] != *MAGIC
            || header[8..] != fingerprint.0.to_le_bytes()
        {
            return Ok(None);
        }
        let metadata = file.metadata()?;
        let (length, begun) = (metadata.len(), metadata.created().unwrap_or(SystemTime::UNIX_EPOCH));
        let mut segment =
            Segment { first, path, bytes: SEGMENT_HEADER_BYTES, blocks: Vec::new(), file, begun };
        let mut expected = first;
        while segment.bytes < length {
            let position = segment.bytes;
            let Ok((chunk, length)) = segment.read_at(position, length, seal) else { break };
            if chunk.first != expected {
                break;
            }
            expected = chunk.next;
            segment.blocks.push(Block { next: chunk.next, position, length });
            segment.bytes += length as u64;
        }
        let undamaged = segment.bytes == length;
        if !undamaged {
            segment.file.set_len(segment.bytes)?;
        }
        Ok(Some((segment, undamaged)))
    }

    fn read(&self, block: &Block, seal: Option<&Seal>) -> io::Result<Chunk> {
        Ok(self.read_at(block.position, block.position + block.length as u64, seal)?.0)
    }

    /// Reads, checks and opens the block at a position of a file of this length; with the block's own length.
    fn read_at(&self, position: u64, length: u64, seal: Option<&Seal>) -> io::Result<(Chunk, usize)> {
        let mut front = [0; 12];
        self.file.read_exact_at(&mut front, position)?;
        let frames = u32::from_le_bytes([front[0], front[1], front[2], front[3]]) as usize;
        if position + (BLOCK_HEADER_BYTES + frames) as u64 > length {
            return Err(invalid(&self.path, "a block is longer than the file"));
        }
        let mut rest = vec![0; BLOCK_HEADER_BYTES - 12 + frames];
        self.file.read_exact_at(&mut rest, position + 12)?;
        if xxh3_64(&rest).to_le_bytes() != front[4..12] {
            return Err(invalid(&self.path, "a block's checksum does not match"));
        }
        let number = |at: usize| u64::from_le_bytes(rest[at..at + 8].try_into().expect("eight bytes"));
        let key = u32::from_le_bytes(rest[..4].try_into().expect("four bytes"));
        let (first, next) = (number(4), number(12));
        rest.drain(..20);
        let mut chunk = Chunk { first, next, frames: rest };
        match (seal, key) {
            (None, UNSEALED) => {}
            (Some(seal), key) if key != UNSEALED => chunk.frames = seal.open(key, &chunk)?,
            (None, _) => return Err(invalid(&self.path, "a block is sealed, and there is no key")),
            (Some(_), _) => return Err(invalid(&self.path, "a block is not sealed, and should be")),
        }
        Ok((chunk, BLOCK_HEADER_BYTES + frames))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{begin_frame, encode_event, finish_frame};
    use crate::machine::Timestamp;

    fn frames(offsets: std::ops::Range<u64>) -> Vec<u8> {
        let mut out = Vec::new();
        for offset in offsets {
            let at = begin_frame(offset, Timestamp(7), &mut out);
            encode_event(&(), 1, &mut out);
            finish_frame(at, &mut out);
        }
        out
    }

    fn offsets(journal: &Journal) -> Vec<u64> {
        let (mut found, mut at) = (Vec::new(), journal.start());
        while let Some(chunk) = journal.read(at).unwrap() {
            let mut rest = &chunk.frames[..];
            while let Some((frame, after)) = Frame::split(rest) {
                found.push(frame.offset);
                rest = after;
            }
            at = chunk.next;
        }
        found
    }

    #[test]
    fn what_was_written_is_found_again_and_damage_costs_only_what_follows() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), Digest(1), None).unwrap();
        for block in 0..10 {
            journal.append(&frames(block * 10..block * 10 + 5), block * 10 + 10).unwrap();
            journal.flush().unwrap();
        }
        let all: Vec<u64> = (0..100).filter(|offset| offset % 10 < 5).collect();
        assert_eq!(offsets(&journal), all);
        drop(journal);
        let mut journal = Journal::open(folder.path(), Digest(1), None).unwrap();
        assert_eq!((offsets(&journal), journal.end()), (all.clone(), 100));
        journal.append(&frames(95..105), 105).unwrap();
        journal.flush().unwrap();
        assert_eq!(offsets(&journal).len(), 55, "what it had is not taken again");

        let path = segment_path(folder.path(), 0);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        let journal = Journal::open(folder.path(), Digest(1), None).unwrap();
        assert!(journal.end() > 0 && journal.end() < 105, "the front is kept");
        assert!(all.starts_with(&offsets(&journal)));
        drop(journal);
        let journal = Journal::open(folder.path(), Digest(2), None).unwrap();
        assert_eq!(journal.end(), 0, "events made under other skips are of no use");
    }

    #[test]
    fn blocks_are_sealed_for_their_journal_and_anything_else_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let master = decalog_seal::MasterKey::new([1; 32]);
        let keys = Arc::new(KeyRing::create(&folder.path().join("keys"), &master).unwrap());
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        let open =
            |folder: &Path, keys: Option<&Arc<KeyRing>>| Journal::open(folder, Digest(1), keys).unwrap();
        let write = |journal: &mut Journal| {
            for block in 0..3 {
                journal.append(&frames(block * 10..block * 10 + 5), block * 10 + 10).unwrap();
                journal.flush().unwrap();
                keys.rotate(&master).unwrap();
            }
        };
        write(&mut open(&one, Some(&keys)));
        let all: Vec<u64> = (0..30).filter(|offset| offset % 10 < 5).collect();
        assert_eq!(offsets(&open(&one, Some(&keys))), all);
        fs::create_dir(&two).unwrap();
        fs::copy(segment_path(&one, 0), segment_path(&two, 0)).unwrap();
        assert_eq!(open(&two, Some(&keys)).end(), 0, "another journal's blocks");
        assert_eq!(open(&one, None).end(), 0, "sealed blocks without a key");
        write(&mut open(&two, None));
        assert_eq!(open(&two, Some(&keys)).end(), 0, "blocks that are not sealed");
    }
}
