//! Cuts a stream of bytes into messages by BeginString (8), BodyLength (9) and CheckSum (10).
//!
//! A message that contradicts its own length or checksum is garbled: it is skipped and its number stays missing, so
//! that the session asks for it again. What a BodyLength claims belongs to the message, even where it runs into the
//! next one; the search for the next BeginString goes on behind the CheckSum after it.

use std::ops::Range;

use super::SOH;
use crate::sabotage::{self, Sabotage};
use crate::time::digits;

/// One message whose length and checksum are right.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// From BeginString to the delimiter after CheckSum.
    pub bytes: &'a [u8],
}

/// What comes next in the stream.
#[derive(Debug)]
pub enum Framed<'a> {
    /// A message.
    Message(Frame<'a>),
    /// Something that is none and was skipped.
    Garbled(Garbled),
}

/// Why bytes were skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Garbled {
    /// The first three fields are not BeginString, BodyLength and MsgType.
    #[error("the first three fields are not 8, 9 and 35")]
    Opening,
    /// BodyLength does not lead to a CheckSum.
    #[error("BodyLength (9) is wrong")]
    BodyLength,
    /// CheckSum is not that of the bytes.
    #[error("CheckSum (10) is wrong")]
    CheckSum,
}

/// A message longer than agreed: the stream cannot be followed any further within bounded memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message is longer than the {limit} bytes that are allowed")]
pub struct TooLarge {
    /// The most that is allowed, in bytes.
    pub limit: usize,
}

/// The longest first field and BodyLength together: `8=FIX.4.4|9=1234567|` and some room.
const OPENING_LIMIT: usize = 40;
/// `10=123|`, and some room for a checksum that is written wrongly.
const TRAILER_LIMIT: usize = 16;
const FIRST_BUFFER: usize = 4096;

/// Cuts one connection's bytes into messages, within a bounded buffer.
#[derive(Debug)]
pub struct Framer {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    limit: usize,
}

/// What stands at the start of the buffer.
enum Step {
    /// More bytes are needed.
    Wait,
    Message(usize),
    Garbled(usize, Garbled),
}

impl Framer {
    /// A framer that takes messages of at most `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, end: 0, limit }
    }

    /// Room to read into; say with [`Framer::filled`] how much was.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.buffer.len() - self.end < FIRST_BUFFER / 4 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.buffer.len() - self.end < FIRST_BUFFER / 4 {
                let most = self.limit + FIRST_BUFFER;
                let grown =
                    (self.buffer.len() * 2).clamp(FIRST_BUFFER, most).max(self.end + FIRST_BUFFER / 4);
                self.buffer.resize(grown, 0);
            }
        }
        &mut self.buffer[self.end..]
    }

    /// So many bytes of [`Framer::space`] were filled.
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// Takes bytes from elsewhere. They are all kept: bound what is given.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space();
            let count = space.len().min(bytes.len());
            space[..count].copy_from_slice(&bytes[..count]);
            self.filled(count);
            bytes = &bytes[count..];
        }
    }

    /// How many bytes wait for more.
    #[must_use]
    pub const fn pending(&self) -> usize {
        self.end - self.start
    }

    /// The next message, or `None` until more bytes have come.
    pub fn next_frame(&mut self) -> Result<Option<Framed<'_>>, TooLarge> {
        self.skip_to_begin_string();
        let limit = self.limit;
        let (length, garbled) = match step(&self.buffer[self.start..self.end], limit) {
            Step::Wait if self.end - self.start > limit + OPENING_LIMIT + TRAILER_LIMIT => {
                return Err(TooLarge { limit });
            }
            Step::Wait => return Ok(None),
            Step::Message(length) if length > limit => return Err(TooLarge { limit }),
            Step::Message(length) => (length, None),
            Step::Garbled(length, garbled) => (length, Some(garbled)),
        };
        let taken = Range { start: self.start, end: self.start + length };
        self.start = taken.end;
        Ok(Some(match garbled {
            Some(garbled) => Framed::Garbled(garbled),
            None => Framed::Message(Frame { bytes: &self.buffer[taken] }),
        }))
    }

    /// Drops what stands before the next `8=`, keeping a last `8` that may become one.
    fn skip_to_begin_string(&mut self) {
        let bytes = &self.buffer[self.start..self.end];
        if bytes.starts_with(b"8=") {
            return;
        }
        let found = bytes.windows(2).position(|pair| pair == b"8=");
        self.start += found.unwrap_or(bytes.len() - usize::from(bytes.last() == Some(&b'8')));
    }
}

fn step(bytes: &[u8], limit: usize) -> Step {
    let opening = &bytes[..bytes.len().min(OPENING_LIMIT)];
    let whole = opening.len() == OPENING_LIMIT;
    let cut = |at: usize| if whole { Step::Garbled(at, Garbled::Opening) } else { Step::Wait };
    let Some(first) = position(opening, SOH) else { return cut(2) };
    let rest = &opening[first + 1..];
    if rest.len() < 2 {
        return cut(2);
    }
    if !rest.starts_with(b"9=") {
        return Step::Garbled(2, Garbled::Opening);
    }
    let Some(length_end) = position(rest, SOH) else { return cut(2) };
    let text = &rest[2..length_end];
    let Some(length) = digits(&text[..text.len().min(9)]).filter(|_| (1..=9).contains(&text.len())) else {
        return Step::Garbled(2, Garbled::BodyLength);
    };
    let body = first + 1 + length_end + 1;
    let body_end = body + length as usize;
    if body_end > limit + OPENING_LIMIT {
        // More than is allowed, or a wrong length: either way not worth waiting for more than the limit.
        return if bytes.len() > limit {
            Step::Wait
        } else {
            find_checksum(bytes, body, Garbled::BodyLength)
        };
    }
    checked(bytes, body, body_end)
}

/// The length is plausible: is there a CheckSum where it leads, and is it right?
fn checked(bytes: &[u8], body: usize, body_end: usize) -> Step {
    let Some(trailer) = bytes.get(body_end..).filter(|trailer| trailer.len() >= 4) else { return Step::Wait };
    if bytes[body_end - 1] != SOH || !trailer.starts_with(b"10=") {
        return find_checksum(bytes, body_end, Garbled::BodyLength);
    }
    let near = &trailer[..trailer.len().min(TRAILER_LIMIT)];
    let Some(end) = position(near, SOH) else {
        return if near.len() == TRAILER_LIMIT {
            Step::Garbled(body_end, Garbled::CheckSum)
        } else {
            Step::Wait
        };
    };
    let total = body_end + end + 1;
    let stated = digits(&trailer[3..end]).filter(|_| end == 6);
    let right = stated == Some(u32::from(checksum(&bytes[..body_end])));
    if !right && !sabotage::lacks(Sabotage::ChecksumUnchecked) {
        return Step::Garbled(total, Garbled::CheckSum);
    }
    if bytes[body..].starts_with(b"35=") {
        Step::Message(total)
    } else {
        Step::Garbled(total, Garbled::Opening)
    }
}

/// Skips a message whose length is wrong: everything up to the next CheckSum from where it claimed to end.
fn find_checksum(bytes: &[u8], from: usize, garbled: Garbled) -> Step {
    let from = from.saturating_sub(1);
    let Some(rest) = bytes.get(from..) else { return Step::Wait };
    let Some(at) = rest.windows(4).position(|window| window == b"\x0110=") else { return Step::Wait };
    match position(&rest[at + 4..], SOH) {
        Some(end) => Step::Garbled(from + at + 4 + end + 1, garbled),
        None => Step::Wait,
    }
}

fn position(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|byte| *byte == wanted)
}

/// The sum of all bytes modulo 256 (the value of CheckSum).
pub(crate) fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte))
}
