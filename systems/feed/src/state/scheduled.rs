//! Posts for later.

use serde::{Deserialize, Serialize};

use super::due::Due;
use super::rows::{Rows, family, key};
use super::{Turn, refused};
use crate::command::{CancelScheduled, Draft, Refusal, Reply, Reschedule};
use crate::value::{AccountId, ItemId, Media};

/// Scheduled posts of one account.
const SCHEDULED: usize = 300;

/// A post for later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduled {
    /// Its id.
    pub id: ItemId,
    /// When, in nanoseconds since 1970.
    pub at: i64,
    /// What. A poll's end counts from the moment it is published.
    pub draft: Draft,
    /// Its attachments, as they were.
    pub media: Vec<Media>,
}

fn scheduled_key(account: AccountId, id: ItemId) -> Vec<u8> {
    key(family::SCHEDULED, [account.0, id.0])
}

impl Rows {
    pub(super) fn scheduled(&self, account: AccountId, id: ItemId) -> Option<Scheduled> {
        self.get(&scheduled_key(account, id))
    }

    pub(super) fn all_scheduled(&self, account: AccountId) -> Vec<Scheduled> {
        self.all(&key(family::SCHEDULED, [account.0])).into_iter().map(|(_, row)| row).collect()
    }
}

impl Turn<'_> {
    pub(super) fn schedule(&mut self, account: AccountId, draft: Draft, at: i64) -> Reply {
        if self.rows.all_scheduled(account).len() >= SCHEDULED {
            return refused(Refusal::TooMany);
        }
        let free = |id| self.rows.media(account, id).filter(|row| row.post.is_none());
        let media = draft.media.iter().map(|id| free(*id).map(|row| row.media));
        let Some(media) = media.collect() else { return refused(Refusal::NotFound) };
        let id = ItemId(self.next_id_of(account));
        self.rows.put(&scheduled_key(account, id), &Scheduled { id, at, draft, media });
        self.set_due(at, Due::Publish, account.0, id.0);
        Reply::Made(id)
    }

    pub(super) fn reschedule(&mut self, it: Reschedule) -> Reply {
        let Some(mut row) = self.rows.scheduled(it.account, it.scheduled) else {
            return refused(Refusal::NotFound);
        };
        self.clear_due(row.at, Due::Publish, it.account.0, row.id.0);
        row.at = it.at;
        self.set_due(row.at, Due::Publish, it.account.0, row.id.0);
        self.rows.put(&scheduled_key(it.account, row.id), &row);
        Reply::Made(row.id)
    }

    pub(super) fn cancel_scheduled(&mut self, it: CancelScheduled) -> Reply {
        let Some(row) = self.rows.scheduled(it.account, it.scheduled) else {
            return refused(Refusal::NotFound);
        };
        self.clear_due(row.at, Due::Publish, it.account.0, row.id.0);
        self.rows.remove(&scheduled_key(it.account, row.id));
        Reply::Done
    }

    /// Its time has come.
    pub(super) fn publish_scheduled(&mut self, account: AccountId, id: ItemId) {
        let Some(Scheduled { mut draft, .. }) = self.rows.scheduled(account, id) else { return };
        self.rows.remove(&scheduled_key(account, id));
        if let Some(poll) = &mut draft.poll {
            poll.expires = poll.expires.saturating_add(self.now());
        }
        // What cannot be posted any more (an attachment that is gone) is dropped: nobody waits for an answer.
        let _ = self.write(account, draft);
    }
}
