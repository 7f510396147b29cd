//! The index of a message's fields: tag and place of each, without a copy.

use super::SOH;
use super::framing::Frame;
use crate::dictionary::{self, Known, LENGTHS, MsgType, TagSet};
use crate::session::Tag;

/// Where a field's value lies in its frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) tag: Tag,
    start: u32,
    end: u32,
}

/// A tag that is no number; no field of any message has this one.
pub(super) const UNREADABLE: Tag = Tag::MIN;

/// A field: tag and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRef<'a> {
    /// Its tag.
    pub tag: Tag,
    /// Its value, delimiter excluded.
    pub value: &'a [u8],
}

/// Builds indexes; keep one per connection, so that no message allocates.
#[derive(Debug, Default)]
pub struct Parser {
    fields: Vec<Place>,
}

/// A message and the index of its fields, BeginString to CheckSum.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) fields: &'a [Place],
    msg_type: Option<MsgType>,
}

impl Parser {
    /// An empty parser.
    #[must_use]
    pub const fn new() -> Self {
        Self { fields: Vec::new() }
    }

    /// Indexes a frame. Syntax is not judged: a tag that is no number is kept as one that is never valid.
    pub fn parse<'a>(&'a mut self, frame: Frame<'a>) -> Message<'a> {
        self.fields.clear();
        let bytes = frame.bytes;
        let mut at = 0;
        let mut data = None;
        while at < bytes.len() {
            let (tag, start) = tag(bytes, at);
            let end = value_end(bytes, start, tag, data.take());
            self.fields.push(Place { tag, start: index(start), end: index(end) });
            data = announced(tag, &bytes[start..end]);
            at = end + 1;
        }
        let mut message = Message { bytes, fields: &self.fields, msg_type: None };
        message.msg_type = MsgType::from_wire(message.msg_type_wire());
        message
    }
}

/// The most digits of a tag; no dictionary has more than five.
const TAG_DIGITS: usize = 9;

/// Reads `digits=`; the value starts after it. Without the sign the whole field counts as its value.
#[inline]
fn tag(bytes: &[u8], at: usize) -> (Tag, usize) {
    let negative = bytes[at] == b'-';
    let first = at + usize::from(negative);
    let (mut value, mut digits) = (0i32, 0);
    for byte in &bytes[first..] {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(i32::from(digit));
        digits += 1;
    }
    let sign = first + digits;
    if digits == 0 || digits > TAG_DIGITS || bytes.get(sign) != Some(&b'=') {
        return (UNREADABLE, at);
    }
    (if negative { -value } else { value }, sign + 1)
}

/// A value ends at the next delimiter, or, for Data, where the field before said, if a delimiter stands there.
fn value_end(bytes: &[u8], start: usize, tag: Tag, data: Option<(u16, usize)>) -> usize {
    if let Some((expected, length)) = data
        && tag == Tag::from(expected)
        && bytes.get(start.saturating_add(length)) == Some(&SOH)
    {
        return start + length;
    }
    delimiter(bytes, start)
}

/// The place of the next delimiter, eight bytes at a time (the "has a zero byte" trick of Hacker's Delight, 6-1).
#[inline]
fn delimiter(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    while let Some(Ok(eight)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let zeroed = u64::from_le_bytes(eight) ^ (ONES * SOH as u64);
        let found = zeroed.wrapping_sub(ONES) & !zeroed & HIGHS;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    bytes[at..].iter().position(|byte| *byte == SOH).map_or(bytes.len(), |length| at + length)
}

/// The Data field and its length, when this field states one.
#[inline]
fn announced(tag: Tag, value: &[u8]) -> Option<(u16, usize)> {
    let tag = u16::try_from(tag).ok().filter(|tag| LENGTHS.contains(*tag))?;
    let Some(Known::Field(field)) = dictionary::field(tag) else { return None };
    Some((field.data, std::str::from_utf8(value).ok()?.parse().ok()?))
}

/// Frames are far below 4 GiB.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl<'a> Message<'a> {
    /// MsgType (35), which is the third field of every frame; `None` when FIX 4.4 has no such type.
    #[must_use]
    pub const fn msg_type(&self) -> Option<MsgType> {
        self.msg_type
    }

    /// The bytes of MsgType (35).
    #[must_use]
    pub fn msg_type_wire(&self) -> &'a [u8] {
        self.fields.get(2).map_or(&[], |place| self.value(place))
    }

    /// The first field with that tag.
    #[must_use]
    pub fn get(&self, tag: u16) -> Option<&'a [u8]> {
        self.fields.iter().find(|place| place.tag == Tag::from(tag)).map(|place| self.value(place))
    }

    /// The first field with that tag, as text.
    #[must_use]
    pub fn text(&self, tag: u16) -> Option<&'a str> {
        self.get(tag).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All fields in order.
    pub fn fields(&self) -> impl Iterator<Item = FieldRef<'a>> + use<'a> {
        let (bytes, fields) = (self.bytes, self.fields);
        fields.iter().map(move |place| FieldRef { tag: place.tag, value: slice(bytes, place) })
    }

    /// Walks the fields one by one.
    #[must_use]
    pub const fn cursor(&self) -> Cursor<'a> {
        Cursor { bytes: self.bytes, fields: self.fields }
    }

    /// The whole message.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    pub(super) fn value(&self, place: &Place) -> &'a [u8] {
        slice(self.bytes, place)
    }
}

#[inline]
fn slice<'a>(bytes: &'a [u8], place: &Place) -> &'a [u8] {
    &bytes[place.start as usize..place.end as usize]
}

/// Walks the fields of a message; typed messages are read by it.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    fields: &'a [Place],
}

impl<'a> Cursor<'a> {
    /// The next field within the entry of a group: `None` before the delimiter of the next entry, and behind the
    /// group.
    pub(crate) fn next_in_entry(
        &mut self,
        (delimiter, all): (u16, &TagSet),
        opened: &mut bool,
    ) -> Option<FieldRef<'a>> {
        let tag = u16::try_from(self.fields.first()?.tag).ok()?;
        if tag == delimiter && std::mem::replace(opened, true) || !all.contains(tag) {
            return None;
        }
        self.next()
    }

    /// How many fields are left.
    pub(crate) const fn remaining(&self) -> usize {
        self.fields.len()
    }
}

impl<'a> Iterator for Cursor<'a> {
    type Item = FieldRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<FieldRef<'a>> {
        let (place, rest) = self.fields.split_first()?;
        self.fields = rest;
        Some(FieldRef { tag: place.tag, value: slice(self.bytes, place) })
    }
}
