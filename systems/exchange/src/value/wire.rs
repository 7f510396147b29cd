//! Fixed byte forms of the shared values, little-endian and unaligned, for the records where latency counts.
//!
//! Released layouts never change: a new field is a new version of the record that holds it.

use decalog_runtime::DecodeError;
use zerocopy::little_endian::I64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{Decimal, Text};

/// A body being read: what is left of it, and whose it is, for errors.
pub(crate) struct Body<'a> {
    kind: u16,
    version: u16,
    rest: &'a [u8],
}

impl<'a> Body<'a> {
    /// All of it.
    pub(crate) fn new(kind: u16, version: u16, body: &'a [u8]) -> Self {
        Body { kind, version, rest: body }
    }

    /// An error of this body.
    pub(crate) fn error(&self, reason: impl Into<String>) -> DecodeError {
        DecodeError::new(self.kind, self.version, reason)
    }

    /// The next value of a fixed layout.
    pub(crate) fn take<T: FromBytes + KnownLayout + Immutable + Unaligned>(
        &mut self,
    ) -> Result<&'a T, DecodeError> {
        let (value, rest) = T::ref_from_prefix(self.rest).map_err(|_| {
            self.error(format!("{} bytes left where {} belong", self.rest.len(), size_of::<T>()))
        })?;
        self.rest = rest;
        Ok(value)
    }

    /// The next `len` bytes.
    pub(crate) fn bytes(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (bytes, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or_else(|| self.error(format!("{} bytes left where {len} belong", self.rest.len())))?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A MessagePack value in the next `len` bytes.
    pub(crate) fn unpack<T: serde::de::DeserializeOwned>(&mut self, len: usize) -> Result<T, DecodeError> {
        let bytes = self.bytes(len)?;
        decalog_runtime::unpack(self.kind, self.version, bytes)
    }

    /// A MessagePack value in all that is left.
    pub(crate) fn unpack_rest<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, DecodeError> {
        self.unpack(self.rest.len())
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.error(format!("{} bytes too many", self.rest.len())))
        }
    }
}

/// A short text: its length, then its bytes, zeros behind.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C, packed)]
pub(crate) struct TextForm<const N: usize> {
    len: u8,
    bytes: [u8; N],
}

impl<const N: usize> From<Text<N>> for TextForm<N> {
    fn from(text: Text<N>) -> Self {
        TextForm { len: text.len, bytes: text.bytes }
    }
}

impl<const N: usize> TextForm<N> {
    /// The text; refused when it is longer than its field or its padding is not zero, so that equal texts are equal bytes.
    pub(crate) fn read(&self, body: &Body<'_>) -> Result<Text<N>, DecodeError> {
        let bytes = self.bytes;
        match bytes.split_at_checked(usize::from(self.len)) {
            Some((text, rest)) if rest.iter().all(|byte| *byte == 0) => {
                Ok(Text::new(text).unwrap_or_default())
            }
            _ => Err(body.error(format!("a text of length {} in a field of {N}", self.len))),
        }
    }
}

/// A decimal: mantissa, then scale.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C, packed)]
pub(crate) struct DecimalForm {
    mantissa: I64,
    scale: u8,
}

/// The scale that says "no number here".
const NO_NUMBER: u8 = 0xfe;

impl From<Decimal> for DecimalForm {
    fn from(decimal: Decimal) -> Self {
        DecimalForm { mantissa: I64::new(decimal.mantissa), scale: decimal.scale }
    }
}

impl From<Option<Decimal>> for DecimalForm {
    fn from(decimal: Option<Decimal>) -> Self {
        decimal.unwrap_or(Decimal { mantissa: 0, scale: NO_NUMBER }).into()
    }
}

impl DecimalForm {
    /// The number, which must be there.
    pub(crate) fn read(self, body: &Body<'_>) -> Result<Decimal, DecodeError> {
        self.read_option(body)?.ok_or_else(|| body.error("no number where one belongs"))
    }

    /// The number, if there is one.
    pub(crate) fn read_option(self, body: &Body<'_>) -> Result<Option<Decimal>, DecodeError> {
        let number = Decimal { mantissa: self.mantissa.get(), scale: self.scale };
        match self.scale {
            0..=Decimal::MAX_SCALE => Ok(Some(number)),
            NO_NUMBER if number.mantissa == 0 => Ok(None),
            _ if number == Decimal::OUT_OF_RANGE => Ok(Some(number)),
            scale => Err(body.error(format!("a decimal of scale {scale}"))),
        }
    }
}
