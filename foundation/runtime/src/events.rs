//! Events as others see them: addressed, stamped, and published only after their record is durable.

use crate::machine::{DecodeError, Timestamp, Wire};

/// The place of an event: its record's offset, and its index among that record's events.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Address {
    /// The record.
    pub offset: u64,
    /// Which of its events, from 0.
    pub index: u32,
}

impl Address {
    /// The address of the record's first event.
    pub fn of_record(offset: u64) -> Address {
        Address { offset, index: 0 }
    }

    /// The next possible address.
    #[must_use]
    pub fn after(self) -> Address {
        Address { offset: self.offset, index: self.index + 1 }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.offset, self.index)
    }
}

/// An event with its address and its record's moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published<E> {
    /// Where it stands.
    pub address: Address,
    /// Its record's stamp.
    pub time: Timestamp,
    /// What happened.
    pub event: E,
}

/// Why a reader of events stops.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    /// The journal no longer goes back so far.
    #[error("events before {oldest} are gone, {asked} was asked for: take the state at offset {oldest_offset} or later and subscribe from there", oldest_offset = .oldest.offset)]
    CursorTooOld {
        /// What was asked for.
        asked: Address,
        /// The oldest that can be read.
        oldest: Address,
    },
    /// The reader had caught up and fell behind again by more than is allowed.
    #[error(
        "the subscriber is {behind} records behind, {limit} are allowed: read faster, or subscribe again from {at}"
    )]
    TooSlow {
        /// Records between the reader and the newest event.
        behind: u64,
        /// How many may be.
        limit: u64,
        /// Where the reader stopped.
        at: Address,
    },
    /// The journal could not be read.
    #[error("the event journal cannot be read: {0}")]
    Journal(String),
    /// An event is not what its kind and version promise.
    #[error(transparent)]
    Undecodable(#[from] DecodeError),
    /// The partition has been shut down and everything was delivered.
    #[error("the partition has been shut down")]
    Closed,
}

/// An event's bytes within a record's frame: kind u16, version u16, length u32, body.
pub(crate) const EVENT_PREFIX_BYTES: usize = 8;
/// A record's frame: offset u64, stamp i64, bytes of events u32, then the events.
pub(crate) const FRAME_PREFIX_BYTES: usize = 20;

/// Appends an event to a frame.
pub(crate) fn encode_event<E: Wire>(event: &E, rules: u32, out: &mut Vec<u8>) {
    let (kind, version) = event.kind(rules);
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&version.to_le_bytes());
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    event.encode(rules, out);
    let length = u32::try_from(out.len() - length_at - 4).expect("an event below 4 GiB");
    out[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
}

/// A record's events, as encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) offset: u64,
    pub(crate) time: Timestamp,
    pub(crate) events: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Splits the first frame off; `None` when there is no whole one.
    pub(crate) fn split(bytes: &'a [u8]) -> Option<(Frame<'a>, &'a [u8])> {
        let (front, rest) = bytes.split_at_checked(FRAME_PREFIX_BYTES)?;
        let length = u32::from_le_bytes(front[16..20].try_into().ok()?) as usize;
        let (events, rest) = rest.split_at_checked(length)?;
        let frame = Frame {
            offset: u64::from_le_bytes(front[0..8].try_into().ok()?),
            time: Timestamp(i64::from_le_bytes(front[8..16].try_into().ok()?)),
            events,
        };
        Some((frame, rest))
    }

    /// The raw events in order: kind, version, body.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, u16, &'a [u8])> + use<'a> {
        let mut rest = self.events;
        std::iter::from_fn(move || {
            let (front, after) = rest.split_at_checked(EVENT_PREFIX_BYTES)?;
            let kind = u16::from_le_bytes([front[0], front[1]]);
            let version = u16::from_le_bytes([front[2], front[3]]);
            let length = u32::from_le_bytes([front[4], front[5], front[6], front[7]]) as usize;
            let (body, after) = after.split_at_checked(length)?;
            rest = after;
            Some((kind, version, body))
        })
    }
}

/// Begins a frame at the end of `out`; [`finish_frame`] completes it.
pub(crate) fn begin_frame(offset: u64, time: Timestamp, out: &mut Vec<u8>) -> usize {
    let at = out.len();
    out.extend_from_slice(&offset.to_le_bytes());
    out.extend_from_slice(&time.0.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    at
}

/// Writes the length of the events into the frame that begins at `at`.
pub(crate) fn finish_frame(at: usize, out: &mut [u8]) {
    let length = u32::try_from(out.len() - at - FRAME_PREFIX_BYTES).expect("a record's events below 4 GiB");
    out[at + 16..at + 20].copy_from_slice(&length.to_le_bytes());
}
