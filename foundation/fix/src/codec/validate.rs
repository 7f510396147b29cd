//! Does a message keep the dictionary's rules? The first breach decides the Reject.
//!
//! One walk over the index, by bit sets, without allocation. What depends on the value of another field is not
//! judged here: such conditions belong to the application's level (`message::FieldError::Missing`).

use super::check;
use super::parse::{Message, Place, UNREADABLE};
use crate::dictionary::{self, Field, Format, Group, HEADER, Known, Layout, TRAILER, TagSet};
use crate::session::{RejectReason, Tag};

/// What may be set about validation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Take tags from 5000 on as the counterparties' own, unread, instead of refusing them.
    pub allow_user_defined: bool,
}

/// Why a message breaks the dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// SessionRejectReason (373).
    pub reason: RejectReason,
    /// RefTagID (371).
    pub tag: Option<Tag>,
}

const USER_DEFINED: Tag = 5000;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    Header,
    Body,
    Trailer,
}

impl Message<'_> {
    /// Judges the message. A type that is only known by name is judged by its header alone.
    pub fn validate(&self, rules: Rules) -> Result<(), Rejection> {
        let Some(msg_type) = self.msg_type() else {
            return Err(Rejection { reason: RejectReason::InvalidMsgType, tag: None });
        };
        let body = dictionary::layout(msg_type);
        let mut walk = Walk { message: self, rules, at: 0, seen: TagSet::new() };
        walk.sections(body)?;
        missing(&HEADER, &walk.seen)?;
        body.map_or(Ok(()), |body| missing(body, &walk.seen))
    }
}

struct Walk<'a> {
    message: &'a Message<'a>,
    rules: Rules,
    at: usize,
    seen: TagSet,
}

impl<'a> Walk<'a> {
    fn sections(&mut self, body: Option<&'static Layout>) -> Result<(), Rejection> {
        let mut section = Section::Header;
        while let Some(place) = self.message.fields.get(self.at) {
            let Some(field) = self.judge(place, body.is_none())? else {
                section = section.max(Section::Body);
                self.at += 1;
                continue;
            };
            let (home, layout) = if HEADER.members.contains(field.tag) {
                (Section::Header, &HEADER)
            } else if TRAILER.members.contains(field.tag) {
                (Section::Trailer, &TRAILER)
            } else if let Some(body) = body.filter(|body| body.members.contains(field.tag)) {
                (Section::Body, body)
            } else if body.is_none() {
                section = Section::Body;
                self.at += 1;
                continue;
            } else {
                return refuse(RejectReason::TagNotDefinedForMessage, place.tag);
            };
            if home < section {
                return refuse(RejectReason::TagOutOfOrder, place.tag);
            }
            section = home;
            if self.seen.insert(field.tag) {
                return refuse(RejectReason::TagAppearsMoreThanOnce, place.tag);
            }
            self.at += 1;
            self.enter(field, layout, place)?;
        }
        Ok(())
    }

    /// Judges a field by itself. `None` for one that only passes: user-defined, or of a message known by name only.
    fn judge(&self, place: &'a Place, by_name_only: bool) -> Result<Option<&'static Field>, Rejection> {
        if place.tag == UNREADABLE {
            return Err(Rejection { reason: RejectReason::InvalidTagNumber, tag: None });
        }
        let known = u16::try_from(place.tag).ok().and_then(dictionary::field);
        let value = self.message.value(place);
        let field = match known {
            Some(Known::Field(field)) => Some(field),
            Some(Known::Elsewhere) if by_name_only => None,
            Some(Known::Elsewhere) if value.is_empty() => None,
            Some(Known::Elsewhere) => return refuse(RejectReason::TagNotDefinedForMessage, place.tag),
            None if self.rules.allow_user_defined && place.tag >= USER_DEFINED => None,
            None => return refuse(RejectReason::InvalidTagNumber, place.tag),
        };
        if value.is_empty() {
            return refuse(RejectReason::TagWithoutValue, place.tag);
        }
        if let Some(field) = field {
            check::value(field, value).or_else(|reason| refuse(reason, place.tag))?;
        }
        Ok(field)
    }

    /// Walks the entries when this field opens a group.
    fn enter(&mut self, field: &Field, layout: &'static Layout, place: &Place) -> Result<(), Rejection> {
        if field.format != Format::NumInGroup {
            return Ok(());
        }
        match layout.group(field.tag) {
            Some(group) => self.group(group, place),
            None => Ok(()),
        }
    }

    fn group(&mut self, group: &'static Group, count: &Place) -> Result<(), Rejection> {
        let text = std::str::from_utf8(self.message.value(count)).unwrap_or_default();
        let announced: u64 = text.parse().unwrap_or(0);
        for _ in 0..announced {
            match self.next_tag() {
                Some(tag) if tag == group.delimiter => self.entry(group)?,
                Some(tag) if group.all.contains(tag) => {
                    return refuse(RejectReason::GroupFieldsOutOfOrder, Tag::from(tag));
                }
                _ => return refuse(RejectReason::IncorrectGroupCount, count.tag),
            }
        }
        match self.next_tag() {
            Some(tag) if tag == group.delimiter || announced == 0 && group.entry.members.contains(tag) => {
                refuse(RejectReason::IncorrectGroupCount, count.tag)
            }
            _ => Ok(()),
        }
    }

    /// One entry: the delimiter, and what belongs to it until the next one.
    fn entry(&mut self, group: &'static Group) -> Result<(), Rejection> {
        let mut seen = TagSet::new();
        while let Some(tag) = self.next_tag() {
            if !group.entry.members.contains(tag) || tag == group.delimiter && seen.contains(tag) {
                break;
            }
            let place = &self.message.fields[self.at];
            let Some(field) = self.judge(place, false)? else { break };
            if seen.insert(tag) {
                return refuse(RejectReason::TagAppearsMoreThanOnce, place.tag);
            }
            self.at += 1;
            self.enter(field, &group.entry, place)?;
        }
        missing(&group.entry, &seen)
    }

    fn next_tag(&self) -> Option<u16> {
        self.message.fields.get(self.at).and_then(|place| u16::try_from(place.tag).ok())
    }
}

fn missing(layout: &Layout, seen: &TagSet) -> Result<(), Rejection> {
    match layout.required.iter().find(|tag| !seen.contains(**tag)) {
        Some(tag) => refuse(RejectReason::RequiredTagMissing, Tag::from(*tag)),
        None => Ok(()),
    }
}

fn refuse<T>(reason: RejectReason, tag: Tag) -> Result<T, Rejection> {
    Err(Rejection { reason, tag: Some(tag) })
}
