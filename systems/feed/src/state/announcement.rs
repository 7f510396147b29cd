//! Announcements: what the server tells everybody, and how they react.

use serde::{Deserialize, Serialize};

use super::listing::Listing;
use super::rows::{Rows, family, key};
use super::{Turn, refused};
use crate::command::{
    Command, DismissAnnouncement, React, Refusal, RemoveAnnouncement, Reply, SetAnnouncement,
};
use crate::engine::emoji::is_emoji;
use crate::event::Noticed;
use crate::value::{AccountId, ItemId, Notice};

/// Announcements that there may be.
const ANNOUNCEMENTS: usize = 100;
/// Different reactions to one of them.
const REACTIONS: usize = 8;

/// What the server tells everybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// Its id.
    pub id: ItemId,
    /// What it says.
    pub text: String,
    /// When what it is about begins.
    pub starts: Option<i64>,
    /// When that ends: then it is shown no more.
    pub ends: Option<i64>,
    /// Both are days, not moments.
    pub all_day: bool,
    /// When it was made.
    pub published: i64,
    /// When it was changed last.
    pub updated: i64,
    /// Reactions in the order in which they came first, each with how many there are.
    pub reactions: Vec<(String, u64)>,
}

pub(super) fn announcement_key(id: ItemId) -> Vec<u8> {
    key(family::NOTICE, [1, id.0])
}

fn reactions_prefix(id: ItemId) -> Vec<u8> {
    key(family::NOTICE, [3, id.0])
}

fn reaction_key(id: ItemId, account: AccountId, name: &str) -> Vec<u8> {
    [&key(family::NOTICE, [3, id.0, account.0]), name.as_bytes()].concat()
}

impl Rows {
    pub(super) fn announcement(&self, id: ItemId) -> Option<Announcement> {
        self.get(&announcement_key(id))
    }

    pub(super) fn announcements(&self) -> Vec<Announcement> {
        self.all(&key(family::NOTICE, [1])).into_iter().map(|(_, row)| row).collect()
    }

    /// Whether somebody reacts so.
    pub(super) fn reacts(&self, id: ItemId, account: AccountId, name: &str) -> bool {
        self.has(&reaction_key(id, account, name))
    }
}

impl Turn<'_> {
    /// What the server shows to everybody.
    pub(super) fn take_notice(&mut self, command: Command) -> Reply {
        match command {
            Command::SetAnnouncement(it) => self.set_announcement(it),
            Command::RemoveAnnouncement(it) => self.remove_announcement(it),
            Command::React(it) => self.react(it),
            Command::SetEmoji(it) => self.set_emoji(it),
            Command::RemoveEmoji(it) => self.remove_emoji(it),
            other => unreachable!("{} is shown to nobody", other.name()),
        }
    }

    pub(super) fn set_announcement(&mut self, it: SetAnnouncement) -> Reply {
        let now = self.now();
        let before = it.announcement.map(|id| self.rows.announcement(id));
        let (id, published, reactions) = match before {
            Some(None) => return refused(Refusal::NotFound),
            Some(Some(row)) => (row.id, row.published, row.reactions),
            None if self.rows.announcements().len() >= ANNOUNCEMENTS => return refused(Refusal::TooMany),
            None => (ItemId(self.next_id()), now, Vec::new()),
        };
        let SetAnnouncement { text, starts, ends, all_day, .. } = it;
        let row = Announcement { id, text, starts, ends, all_day, published, updated: now, reactions };
        self.rows.put(&announcement_key(id), &row);
        self.out.emit(Noticed { notice: Notice::Announced(id) }.into());
        Reply::Made(id)
    }

    pub(super) fn remove_announcement(&mut self, it: RemoveAnnouncement) -> Reply {
        let id = it.announcement;
        if self.rows.announcement(id).is_none() {
            return refused(Refusal::NotFound);
        }
        self.rows.remove(&announcement_key(id));
        let reactions = self.rows.tables.scan(&reactions_prefix(id));
        reactions.iter().for_each(|(key, _)| self.rows.remove(key));
        self.out.emit(Noticed { notice: Notice::Withdrawn(id) }.into());
        Reply::Done
    }

    /// In the reader's partition.
    pub(super) fn dismiss_announcement(&mut self, it: DismissAnnouncement) -> Reply {
        let DismissAnnouncement { account, announcement } = it;
        if !self.rows.has_account(account) {
            return refused(Refusal::NotFound);
        }
        self.set_listed_in(Listing::ReadAnnouncements, account.0, announcement.0, true);
        Reply::Done
    }

    pub(super) fn react(&mut self, it: React) -> Reply {
        let React { account, announcement: id, name, on } = it;
        let Some(mut row) = self.rows.announcement(id) else { return refused(Refusal::NotFound) };
        let place = row.reactions.iter().position(|(known, _)| *known == name);
        match (on, self.rows.reacts(id, account, &name)) {
            (true, true) => return Reply::Done,
            (false, false) => return refused(Refusal::NotFound),
            (true, false) => {
                if !is_emoji(&name) && self.rows.emoji(&name).is_none() {
                    return refused(Refusal::NoEmoji);
                }
                match place {
                    Some(place) => row.reactions[place].1 += 1,
                    None if row.reactions.len() >= REACTIONS => return refused(Refusal::TooManyReactions),
                    None => row.reactions.push((name.clone(), 1)),
                }
                self.rows.mark(&reaction_key(id, account, &name));
            }
            (false, true) => {
                self.rows.remove(&reaction_key(id, account, &name));
                if let Some(place) = place {
                    row.reactions[place].1 = row.reactions[place].1.saturating_sub(1);
                    row.reactions.retain(|(_, count)| *count > 0);
                }
            }
        }
        let count = row.reactions.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| *count);
        self.rows.put(&announcement_key(id), &row);
        self.out.emit(Noticed { notice: Notice::Reacted(id, name, count) }.into());
        Reply::Done
    }
}
