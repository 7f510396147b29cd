//! The audit trail as it is read: its entries, the newest of them in memory, the others in the files of
//! [`super::trail`].
//!
//! Entries name accounts by their ids. What describes a person (a name, a label, a device) is in an entry's detail, which
//! is taken out when the account is erased.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use decalog_runtime::Address;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::trail::Files;
use crate::event::Event;

/// Entries kept in memory.
const RECENT: usize = 10_000;
/// The event that ends an account.
pub(crate) const ERASED: &str = "account-erased";

/// An entry of the trail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The record's offset and the event's index in it: the cursor.
    pub offset: u64,
    /// The event's index in its record.
    pub index: u32,
    /// Nanoseconds since 1970.
    pub time: i64,
    /// Who asked for it; 0 is the system itself.
    pub by: u64,
    /// Whom it concerns; 0 is nobody in particular.
    pub account: u64,
    /// What happened ([`crate::event::What::name`]).
    pub event: String,
    /// What there is to say of it.
    #[serde(flatten)]
    pub detail: Map<String, Value>,
}

impl Entry {
    /// The entry of an event.
    pub fn of(address: Address, time: i64, event: &Event) -> Entry {
        let mut detail = match serde_json::to_value(&event.what) {
            Ok(Value::Object(detail)) => detail,
            _ => Map::new(),
        };
        detail.remove("event");
        Entry {
            offset: address.offset,
            index: address.index,
            time,
            by: event.by,
            account: event.account,
            event: event.what.name().to_owned(),
            detail,
        }
    }

    /// Its place in the history.
    pub fn address(&self) -> Address {
        Address { offset: self.offset, index: self.index }
    }

    /// Whether it says more of this account than that something happened.
    pub(crate) fn describes(&self, account: u64) -> bool {
        self.account == account && !self.detail.is_empty() && !self.detail.contains_key("erased")
    }

    /// Takes out what it says of the account.
    pub(crate) fn erase(&mut self) {
        self.detail = Map::from_iter([("erased".to_owned(), Value::Bool(true))]);
    }
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this account.
    pub account: Option<u64>,
    /// Of this kind.
    pub event: Option<String>,
    /// At or after this moment.
    pub since: Option<i64>,
    /// Before this moment.
    pub until: Option<i64>,
    /// Only records after this offset.
    pub after: Option<u64>,
    /// The newest so many.
    pub limit: usize,
}

impl Filter {
    /// Whether an entry is wanted.
    pub fn passes(&self, entry: &Entry) -> bool {
        self.account.is_none_or(|account| entry.account == account || entry.by == account)
            && self.event.as_ref().is_none_or(|event| entry.event == *event)
            && self.since.is_none_or(|since| entry.time >= since)
            && self.until.is_none_or(|until| entry.time < until)
            && self.after.is_none_or(|after| entry.offset > after)
    }
}

/// The trail of a running directory.
#[derive(Debug)]
pub struct Audit {
    recent: Mutex<Recent>,
    files: Files,
}

#[derive(Debug)]
struct Recent {
    entries: VecDeque<Entry>,
    /// What is before this place is in the files only.
    from: Address,
}

impl Audit {
    /// A trail whose events before `from` are in the files.
    pub fn new(files: Files, from: Address) -> Audit {
        Audit { recent: Mutex::new(Recent { entries: VecDeque::new(), from }), files }
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event.
    pub fn add(&self, address: Address, time: i64, event: &Event) {
        let entry = Entry::of(address, time, event);
        let mut recent = self.recent();
        if entry.event == ERASED {
            let theirs = recent.entries.iter_mut().filter(|other| other.describes(entry.account));
            theirs.for_each(Entry::erase);
        }
        if recent.entries.len() >= RECENT
            && let Some(oldest) = recent.entries.pop_front()
        {
            recent.from = oldest.address().after();
        }
        recent.entries.push_back(entry);
    }

    /// The newest entries that pass, oldest first. Reads files when those in memory are not enough.
    pub fn find(&self, filter: &Filter) -> io::Result<Vec<Entry>> {
        let (mut found, from) = {
            let recent = self.recent();
            let passing = recent.entries.iter().rev().filter(|entry| filter.passes(entry));
            (passing.take(filter.limit).cloned().collect::<Vec<Entry>>(), recent.from)
        };
        if found.len() < filter.limit && filter.after.is_none_or(|after| after < from.offset) {
            for day in self.files.days()?.into_iter().rev() {
                let entries = self.files.read(day)?;
                let older = entries.into_iter().rev().filter(|entry| entry.address() < from);
                let left = filter.limit - found.len();
                found.extend(older.filter(|entry| filter.passes(entry)).take(left));
                if found.len() == filter.limit {
                    break;
                }
            }
        }
        found.reverse();
        Ok(found)
    }
}
