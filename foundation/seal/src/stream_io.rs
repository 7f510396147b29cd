//! Streams over [`Write`] and [`Read`], one chunk in memory.

use std::io::{self, Read, Write};

use crate::stream::{CHUNK_BYTES, STREAM_HEADER_BYTES, StreamKey, TAG_BYTES};
use crate::{KeyRing, SealError};

/// Seals what is written to it. [`StreamWriter::finish`] ends the stream; without that it does not open.
pub struct StreamWriter<W> {
    out: W,
    key: StreamKey,
    chunk: u32,
    buffer: Vec<u8>,
}

impl<W: Write> StreamWriter<W> {
    /// Begins a stream at a place.
    pub fn new(mut out: W, ring: &KeyRing, place: &[u8]) -> io::Result<Self> {
        let (key, header) = StreamKey::create(ring, place)?;
        out.write_all(&header)?;
        Ok(Self { out, key, chunk: 0, buffer: Vec::with_capacity(CHUNK_BYTES + TAG_BYTES) })
    }

    /// Seals the last chunk and gives the writer below back.
    pub fn finish(mut self) -> io::Result<W> {
        self.put(true)?;
        Ok(self.out)
    }

    fn put(&mut self, last: bool) -> io::Result<()> {
        self.key.seal_chunk(self.chunk, last, &mut self.buffer);
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        // The last number stays unused: no chunk can come after one that has it.
        self.chunk = self.chunk.checked_add(1).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(())
    }
}

impl<W: Write> Write for StreamWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits for what comes: only then is it known not to be the last.
        if self.buffer.len() == CHUNK_BYTES && !bytes.is_empty() {
            self.put(false)?;
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Opens a sealed stream. Every byte it gives was checked; a stream that was cut off ends with an error.
pub struct StreamReader<R> {
    from: R,
    key: StreamKey,
    chunk: u32,
    /// The opened chunk, up to where it is read.
    plain: Vec<u8>,
    used: usize,
    /// The next chunk, sealed.
    ahead: Vec<u8>,
    /// A chunk did not open: nothing after it is given.
    broken: bool,
}

impl<R: Read> StreamReader<R> {
    /// Reads the header of a stream at a place.
    pub fn new(mut from: R, ring: &KeyRing, place: &[u8]) -> io::Result<Self> {
        let mut header = [0; STREAM_HEADER_BYTES];
        from.read_exact(&mut header).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                SealError::Malformed { what: "a stream is shorter than its header" }.into()
            }
            _ => error,
        })?;
        let key = StreamKey::of(ring, place, &header)?;
        let (plain, ahead) = (Vec::new(), Vec::new());
        let mut reader = Self { from, key, chunk: 0, plain, used: 0, ahead, broken: false };
        reader.look_ahead()?;
        if reader.ahead.is_empty() {
            return Err(SealError::Malformed { what: "a stream has no chunk" }.into());
        }
        Ok(reader)
    }

    fn look_ahead(&mut self) -> io::Result<()> {
        self.ahead.clear();
        let limit = (CHUNK_BYTES + TAG_BYTES) as u64;
        self.from.by_ref().take(limit).read_to_end(&mut self.ahead)?;
        Ok(())
    }
}

impl<R: Read> Read for StreamReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.broken {
            return Err(SealError::Malformed { what: "a chunk before did not open" }.into());
        }
        if self.used == self.plain.len() && !self.ahead.is_empty() && !out.is_empty() {
            std::mem::swap(&mut self.plain, &mut self.ahead);
            self.look_ahead()?;
            let last = self.ahead.is_empty();
            let length = self.key.open_chunk(self.chunk, last, &mut self.plain).map(|plain| plain.len());
            self.broken = length.is_err();
            let length = length?;
            self.plain.truncate(length);
            self.used = 0;
            self.chunk = self.chunk.checked_add(1).ok_or(io::ErrorKind::FileTooLarge)?;
        }
        let taken = out.len().min(self.plain.len() - self.used);
        out[..taken].copy_from_slice(&self.plain[self.used..self.used + taken]);
        self.used += taken;
        Ok(taken)
    }
}
