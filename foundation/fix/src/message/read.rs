//! Values of fields as Rust types, for the generated readers.

use super::FieldError;
use crate::codec::{Cursor, FieldRef};
use crate::decimal::Decimal;
use crate::dictionary::{Group, MsgType, TagSet, layout};
use crate::time::Timestamp;

/// An enumeration of the dictionary.
pub(super) trait FromWire: Sized {
    fn from_wire(wire: &[u8]) -> Option<Self>;
}

fn wrong(field: &FieldRef<'_>) -> FieldError {
    FieldError::Value(u16::try_from(field.tag).unwrap_or(0))
}

pub(super) fn enumerated<E: FromWire>(field: &FieldRef<'_>) -> Result<E, FieldError> {
    E::from_wire(field.value).ok_or_else(|| wrong(field))
}

pub(super) fn text<'a>(field: &FieldRef<'a>) -> Result<&'a str, FieldError> {
    std::str::from_utf8(field.value).map_err(|_| wrong(field))
}

pub(super) fn int(field: &FieldRef<'_>) -> Result<i64, FieldError> {
    text(field)?.parse().map_err(|_| wrong(field))
}

pub(super) fn unsigned(field: &FieldRef<'_>) -> Result<u64, FieldError> {
    text(field)?.parse().map_err(|_| wrong(field))
}

pub(super) fn decimal(field: &FieldRef<'_>) -> Result<Decimal, FieldError> {
    Decimal::parse(field.value).map_err(|_| wrong(field))
}

pub(super) fn boolean(field: &FieldRef<'_>) -> Result<bool, FieldError> {
    match field.value {
        b"Y" => Ok(true),
        b"N" => Ok(false),
        _ => Err(wrong(field)),
    }
}

pub(super) fn timestamp(field: &FieldRef<'_>) -> Result<Timestamp, FieldError> {
    Timestamp::parse(field.value).ok_or_else(|| wrong(field))
}

/// Reads the entries that a count announces.
pub(super) fn entries<'a, E>(
    count: &FieldRef<'a>,
    cursor: &mut Cursor<'a>,
    decode: impl Fn(&mut Cursor<'a>) -> Result<E, FieldError>,
) -> Result<Vec<E>, FieldError> {
    let announced = unsigned(count)?;
    let mut entries = Vec::new();
    for _ in 0..announced.min(cursor.remaining() as u64) {
        entries.push(decode(cursor)?);
    }
    Ok(entries)
}

/// The group's tags: the delimiter of its entries, and all that may stand in one.
pub(super) fn entry_of(msg_type: MsgType, count: u16) -> (u16, &'static TagSet) {
    static NONE: TagSet = TagSet::new();
    let group: Option<&'static Group> = layout(msg_type).and_then(|layout| layout.group(count));
    group.map_or((0, &NONE), |group| (group.delimiter, &group.all))
}
