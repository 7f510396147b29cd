//! The audit trail on disk: a file a day (UTC), kept for a year unless set, whatever the log forgets.
//!
//! A line is an entry as JSON; in a sealed directory it is `sealed KEY BASE64`, bound to its day and its number. The last
//! line is the cursor: after `kill -9` the trail goes on behind it, so nothing is lost and nothing comes twice. A torn
//! last line is cut off and written again. Erasing an account writes the days anew that describe it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use decalog_runtime::Address;
use decalog_seal::{KeyRing, Opener, SealError, Sealer};
use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{Span, Timestamp};

use super::audit::Entry;
use crate::sabotage::{self, Sabotage};

const PURPOSE: &str = "decalog audit line 1";
const SUFFIX: &str = ".jsonl";
const UNFINISHED: &str = "unfinished";
const SEALED: &[u8] = b"sealed ";

/// The files as they are read, beside a running server too.
#[derive(Clone, Debug)]
pub struct Files {
    folder: PathBuf,
    keys: Option<Arc<KeyRing>>,
}

fn malformed(path: &Path, line: usize) -> io::Error {
    let words = format!("{}, line {line}: it is not what was written", path.display());
    io::Error::new(io::ErrorKind::InvalidData, words)
}

impl Files {
    /// The files in this folder, and the keys that open them when the directory is sealed.
    pub fn new(folder: impl Into<PathBuf>, keys: Option<Arc<KeyRing>>) -> Files {
        Files { folder: folder.into(), keys }
    }

    fn path(&self, day: Date) -> PathBuf {
        self.folder.join(format!("{day}{SUFFIX}"))
    }

    /// The days of which there are entries, oldest first.
    pub fn days(&self) -> io::Result<Vec<Date>> {
        let mut days = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let day: Option<Date> = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)?.parse().ok());
            days.extend(day);
        }
        days.sort_unstable();
        Ok(days)
    }

    /// A day's entries; a last line that is not whole is left out.
    pub fn read(&self, day: Date) -> io::Result<Vec<Entry>> {
        self.read_whole(day).map(|(entries, _)| entries)
    }

    /// A day's entries and the length of the lines that hold them.
    fn read_whole(&self, day: Date) -> io::Result<(Vec<Entry>, u64)> {
        let path = self.path(day);
        let bytes = fs::read(&path)?;
        let mut opener = self.keys.clone().map(|keys| Opener::new(keys, PURPOSE));
        let (mut entries, mut length) = (Vec::new(), 0);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let is_last = length + line.len() == bytes.len();
            let Some(text) = line.strip_suffix(b"\n") else { break };
            match open(text, &place(day, entries.len()), opener.as_mut()) {
                Ok(entry) => entries.push(entry),
                Err(error) if error.kind() != io::ErrorKind::InvalidData => return Err(error),
                Err(_) if is_last => break,
                Err(_) => return Err(malformed(&path, entries.len() + 1)),
            }
            length += line.len();
        }
        Ok((entries, length as u64))
    }
}

fn place(day: Date, line: usize) -> Vec<u8> {
    format!("{day} {line}").into_bytes()
}

fn open(line: &[u8], place: &[u8], opener: Option<&mut Opener>) -> io::Result<Entry> {
    let Some(sealed) = line.strip_prefix(SEALED) else {
        if opener.is_some_and(|opener| !opener.accepts_unsealed()) {
            return Err(SealError::Unsealed.into());
        }
        return Ok(serde_json::from_slice(line)?);
    };
    let invalid = || io::Error::from(SealError::Malformed { what: "a line of the audit trail" });
    let (key, body) =
        std::str::from_utf8(sealed).ok().and_then(|text| text.split_once(' ')).ok_or_else(invalid)?;
    let (key, body) = (key.parse().map_err(|_| invalid())?, BASE64.decode(body).map_err(|_| invalid())?);
    let opener = opener.ok_or(SealError::NoKeys { key })?;
    let mut plain = Vec::new();
    Ok(serde_json::from_slice(opener.open(key, place, &body, &mut plain)?)?)
}

/// The trail as it is written.
#[derive(Debug)]
pub struct Trail {
    files: Files,
    sealer: Option<Sealer>,
    keep_days: u32,
    last: Option<Last>,
    cursor: Address,
}

/// The newest file.
#[derive(Debug)]
struct Last {
    day: Date,
    file: File,
    lines: usize,
    length: u64,
}

impl Trail {
    /// Makes the folder, removes what a killed process left unfinished, and finds where the trail goes on.
    pub fn open(files: Files, keep_days: u32) -> io::Result<Trail> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&files.folder)?;
        for entry in fs::read_dir(&files.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == UNFINISHED) {
                fs::remove_file(path)?;
            }
        }
        let sealer = files.keys.clone().map(|keys| Sealer::new(keys, PURPOSE)).transpose()?;
        let mut trail =
            Trail { files, sealer, keep_days, last: None, cursor: Address { offset: 0, index: 0 } };
        while let Some(day) = trail.files.days()?.pop() {
            let (entries, length) = trail.files.read_whole(day)?;
            if let Some(newest) = entries.last() {
                if !sabotage::lacks(Sabotage::AuditCursor) {
                    trail.cursor = newest.address().after();
                }
                trail.go_on(day, entries.len(), length)?;
                break;
            }
            fs::remove_file(trail.files.path(day))?;
        }
        Ok(trail)
    }

    /// Opens a day's file behind its last whole line.
    fn go_on(&mut self, day: Date, lines: usize, length: u64) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true).mode(0o600);
        let file = options.open(self.files.path(day))?;
        if file.metadata()?.len() > length {
            tracing::warn!(%day, "cut a torn line off the audit trail");
            file.set_len(length)?;
        }
        self.last = Some(Last { day, file, lines, length });
        Ok(())
    }

    /// The place of the next entry: what is before it stands in the files.
    pub fn cursor(&self) -> Address {
        self.cursor
    }

    /// The history begins again before the cursor: it came from a backup that is older than the trail.
    pub(crate) fn go_back(&mut self, to: Address) {
        self.cursor = to;
    }

    fn write_line(&self, entry: &Entry, place: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match &self.sealer {
            None => serde_json::to_writer(&mut *out, entry)?,
            Some(sealer) => {
                let mut sealed = Vec::new();
                let key = sealer.seal(place, &serde_json::to_vec(entry)?, &mut sealed)?;
                out.extend_from_slice(SEALED);
                write!(out, "{key} {}", BASE64.encode(sealed))?;
            }
        }
        out.push(b'\n');
        Ok(())
    }

    /// Adds entries, in their order; those before the cursor stand there already. They are on the device when this
    /// returns; after a failure the same may be tried again.
    pub fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut rest = entries;
        while let Some(first) = rest.first() {
            if first.address() < self.cursor {
                rest = &rest[1..];
                continue;
            }
            let day = self.day_of(first.time);
            let count = rest.iter().take_while(|entry| self.day_of(entry.time) == day).count();
            let (same, other) = rest.split_at(count);
            self.begin(day)?;
            self.write(same)?;
            rest = other;
        }
        Ok(())
    }

    /// The day of a moment, and none before the newest file's.
    fn day_of(&self, time: i64) -> Date {
        let moment = Timestamp::from_nanosecond(i128::from(time)).unwrap_or(Timestamp::UNIX_EPOCH);
        let day = Offset::UTC.to_datetime(moment).date();
        self.last.as_ref().map_or(day, |last| day.max(last.day))
    }

    /// Sees to it that the newest file is this day's; when it is begun, what is too old goes.
    fn begin(&mut self, day: Date) -> io::Result<()> {
        if self.last.as_ref().is_some_and(|last| last.day == day) {
            return Ok(());
        }
        let there = self.files.path(day).exists();
        let (lines, length) = match there {
            true => self.files.read_whole(day).map(|(entries, length)| (entries.len(), length))?,
            false => (0, 0),
        };
        self.go_on(day, lines, length)?;
        File::open(&self.files.folder)?.sync_all()?;
        let oldest = day.saturating_sub(Span::new().days(i64::from(self.keep_days)));
        for old in self.files.days()?.into_iter().filter(|day| *day < oldest) {
            fs::remove_file(self.files.path(old))?;
        }
        Ok(())
    }

    fn write(&mut self, entries: &[Entry]) -> io::Result<()> {
        let Some(last) = &self.last else { return Ok(()) };
        let mut bytes = Vec::new();
        for (number, entry) in (last.lines..).zip(entries) {
            self.write_line(entry, &place(last.day, number), &mut bytes)?;
        }
        let Some(last) = &mut self.last else { return Ok(()) };
        let written = last.file.write_all(&bytes).and_then(|()| last.file.sync_data());
        if let Err(error) = written {
            // It is opened, and cut, again by the next try.
            let _ = last.file.set_len(last.length);
            self.last = None;
            return Err(error);
        }
        last.lines += entries.len();
        last.length += bytes.len() as u64;
        if let Some(newest) = entries.last() {
            self.cursor = newest.address().after();
        }
        Ok(())
    }

    /// Takes what entries say of an account out of all files. May be repeated.
    pub fn erase(&mut self, account: u64) -> io::Result<()> {
        self.last = None;
        for day in self.files.days()? {
            let mut entries = self.files.read(day)?;
            if entries.iter().any(|entry| entry.describes(account)) {
                entries.iter_mut().filter(|entry| entry.describes(account)).for_each(Entry::erase);
                self.rewrite(day, &entries)?;
            }
        }
        Ok(())
    }

    fn rewrite(&self, day: Date, entries: &[Entry]) -> io::Result<()> {
        let path = self.files.path(day);
        let unfinished = path.with_added_extension(UNFINISHED);
        let mut bytes = Vec::new();
        for (number, entry) in entries.iter().enumerate() {
            self.write_line(entry, &place(day, number), &mut bytes)?;
        }
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        File::open(&self.files.folder)?.sync_all()
    }
}
