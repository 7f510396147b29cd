//! FIX 4.4 as tables, generated from `dictionary/` by the build script.
//!
//! What a tag may hold ([`field`]), what a message may hold ([`layout`]), and the message types ([`MsgType`]).
//! Walking a message by these tables is the validator's work, not this module's.

include!(concat!(env!("OUT_DIR"), "/tables.rs"));

/// No tag of FIX 4.4 lies at or above this.
pub const TAG_LIMIT: usize = 1024;

/// A set of tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TagSet(pub(crate) [u64; TAG_LIMIT / 64]);

impl TagSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; TAG_LIMIT / 64])
    }

    /// Is the tag in the set?
    #[must_use]
    #[inline]
    pub const fn contains(&self, tag: u16) -> bool {
        (tag as usize) < TAG_LIMIT && self.0[tag as usize / 64] >> (tag % 64) & 1 == 1
    }

    /// Adds a tag below [`TAG_LIMIT`]; was it there before?
    #[inline]
    pub const fn insert(&mut self, tag: u16) -> bool {
        let (word, bit) = (tag as usize / 64, 1 << (tag % 64));
        let before = self.0[word] & bit != 0;
        self.0[word] |= bit;
        before
    }
}

/// The syntax of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An optional minus and digits.
    Int,
    /// Digits: int, not negative (Length, SeqNum).
    Unsigned,
    /// Digits: how many entries of a repeating group follow.
    NumInGroup,
    /// A decimal number (float, Price, Qty, Amt, Percentage, PriceOffset).
    Decimal,
    /// One byte.
    Char,
    /// `Y` or `N`.
    Boolean,
    /// UTF-8 text, free but for its enumeration.
    Text,
    /// Words separated by single spaces.
    MultipleValue,
    /// UTCTimestamp.
    UtcTimestamp,
    /// `HH:MM:SS` with an optional fraction.
    UtcTime,
    /// `YYYYMMDD`.
    Date,
    /// `YYYYMM`, `YYYYMMDD` or `YYYYMMwN`.
    MonthYear,
    /// Raw bytes, whose length the field before states.
    Data,
}

/// A field: tag, name, syntax, allowed values.
#[derive(Debug)]
pub struct Field {
    /// Its number.
    pub tag: u16,
    /// Its name in the specification.
    pub name: &'static str,
    /// Its syntax.
    pub format: Format,
    /// The values allowed; empty allows all.
    pub values: &'static [&'static str],
    /// The single-byte values allowed, as a set of ASCII codes, when all are such; else 0.
    pub(crate) ascii: u128,
    /// The tag of the Data field whose length this field states; else 0.
    pub data: u16,
}

/// What a message, its header or an entry of a group may hold.
#[derive(Debug)]
pub struct Layout {
    /// The tags that may stand here, groups by the tag of their count.
    pub members: TagSet,
    /// The tags that must, in the order of the dictionary.
    pub required: &'static [u16],
    /// The repeating groups.
    pub groups: &'static [Group],
}

/// A repeating group.
#[derive(Debug)]
pub struct Group {
    /// The tag that states how many entries follow.
    pub count: u16,
    /// The tag that opens each entry.
    pub delimiter: u16,
    /// All tags that may stand in an entry, those of groups within it included.
    pub all: TagSet,
    /// What one entry may hold.
    pub entry: Layout,
}

impl Layout {
    /// The group that this count opens here.
    #[must_use]
    pub fn group(&self, count: u16) -> Option<&Group> {
        self.groups.iter().find(|group| group.count == count)
    }
}

/// The tags of the fields that state the length of a Data field.
pub static LENGTHS: TagSet = {
    let mut lengths = TagSet::new();
    let mut at = 0;
    while at < FIELDS.len() {
        if FIELDS[at].data != 0 {
            lengths.insert(FIELDS[at].tag);
        }
        at += 1;
    }
    lengths
};

/// What FIX 4.4 says of a tag.
#[derive(Clone, Copy, Debug)]
pub enum Known {
    /// A field that some supported message uses.
    Field(&'static Field),
    /// A field that no supported message uses.
    Elsewhere,
}

/// What FIX 4.4 says of a tag; `None` when it does not define it.
#[must_use]
#[inline]
pub fn field(tag: u16) -> Option<Known> {
    match FIELD_INDEX.get(usize::from(tag)) {
        None | Some(&0) => None,
        Some(&u16::MAX) => Some(Known::Elsewhere),
        Some(&index) => Some(Known::Field(&FIELDS[usize::from(index) - 1])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_by_its_tag() {
        for entry in FIELDS {
            assert!(matches!(field(entry.tag), Some(Known::Field(found)) if found.name == entry.name));
        }
        assert!(field(0).is_none() && field(999).is_none() && field(5000).is_none());
        assert!(matches!(field(2), Some(Known::Elsewhere)), "AdvId belongs to no supported message");
    }

    #[test]
    fn message_types_survive_their_wire_form() {
        for wire in ["0", "D", "8", "BH", "AE"] {
            assert_eq!(MsgType::from_wire(wire.as_bytes()).unwrap().wire(), wire);
        }
        assert!(MsgType::from_wire(b"*").is_none() && MsgType::from_wire(b"").is_none());
    }

    #[test]
    fn layouts_know_their_groups() {
        let order = layout(MsgType::NewOrderSingle).unwrap();
        assert_eq!(order.required, [11, 54, 60, 40]);
        let parties = order.group(453).unwrap();
        assert_eq!(parties.delimiter, 448);
        assert!(parties.all.contains(523) && !parties.entry.members.contains(523));
        assert!(layout(MsgType::IOI).is_none());
    }
}
