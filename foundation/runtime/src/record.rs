//! The byte form of a record: a fixed little-endian header, then the body. What a body means is the machine's
//! business, except for the runtime's own kinds, which live here too.

use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::machine::{DecodeError, Stamp, Timestamp};

/// Kinds from here on are the runtime's own.
pub const RESERVED_KINDS: u16 = 0xff00;

/// The largest body in bytes: larger things are blobs.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// What stands before every body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Header {
    /// What the body is.
    pub kind: U16,
    /// Which form of that kind.
    pub version: U16,
    /// The key bucket or unit.
    pub bucket: U16,
    /// The rules in force when it was appended.
    pub rules: U32,
    /// Who asks.
    pub principal: U64,
    /// The client instance; 0 asks for no deduplication.
    pub client: U64,
    /// That client's sequence number.
    pub sequence: U64,
    /// Nanoseconds since 1970 UTC.
    pub stamp: I64,
}

/// The header's size in bytes.
pub const HEADER_BYTES: usize = size_of::<Header>();

impl Header {
    /// The header of a record of the runtime's own.
    pub(crate) fn own(kind: Own) -> Header {
        Header { kind: U16::new(kind as u16), version: U16::new(1), ..Header::EMPTY }
    }

    pub(crate) const EMPTY: Header = Header {
        kind: U16::ZERO,
        version: U16::ZERO,
        bucket: U16::ZERO,
        rules: U32::ZERO,
        principal: U64::ZERO,
        client: U64::ZERO,
        sequence: U64::ZERO,
        stamp: I64::ZERO,
    };

    /// The stamp that `apply` gets for this header at this place.
    pub fn stamp(&self, offset: u64) -> Stamp {
        Stamp {
            offset,
            time: Timestamp(self.stamp.get()),
            rules: self.rules.get(),
            bucket: self.bucket.get(),
            principal: self.principal.get(),
            client: self.client.get(),
            sequence: self.sequence.get(),
        }
    }
}

/// Splits a record into its header and body.
pub fn split(record: &[u8]) -> Result<(&Header, &[u8]), DecodeError> {
    Header::ref_from_prefix(record).map_err(|_| {
        DecodeError::new(0, 0, format!("a record of {} bytes has no room for its header", record.len()))
    })
}

/// The runtime's own kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Own {
    /// Time passes: deadlines fire although nothing else happens. No body.
    Tick = 0xff01,
    /// The rules become those of the body (u32).
    Rules = 0xff02,
    /// A command from another partition: see [`Delivery`].
    Delivery = 0xff03,
    /// Another partition has what was sent to it: see [`Acknowledgement`].
    Acknowledge = 0xff04,
    /// An operator accepted a jump of the clock; the body is the jump in nanoseconds (i64).
    ClockAccepted = 0xff05,
}

impl Own {
    /// The runtime's kind with this number.
    pub fn from_kind(kind: u16) -> Option<Own> {
        [Own::Tick, Own::Rules, Own::Delivery, Own::Acknowledge, Own::ClockAccepted]
            .into_iter()
            .find(|own| *own as u16 == kind)
    }

    /// Its name, as `decalog log cat` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Own::Tick => "tick",
            Own::Rules => "rules",
            Own::Delivery => "delivery",
            Own::Acknowledge => "acknowledge",
            Own::ClockAccepted => "clock-accepted",
        }
    }
}

/// The front of a delivery's body; the command's body follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Delivery {
    /// The partition that sent it.
    pub source: U32,
    /// Its place in the dense sequence from that source to this target; the first is 1.
    pub sequence: U64,
    /// The command's kind.
    pub kind: U16,
    /// The command's version.
    pub version: U16,
}

/// The body of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Acknowledgement {
    /// The partition that has received.
    pub target: U32,
    /// It has everything up to and including this sequence.
    pub sequence: U64,
}
