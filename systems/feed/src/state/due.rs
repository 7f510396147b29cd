//! What happens by itself: scheduled posts, the end of polls, mutes and filters, and what is cleared away bit by bit.

use decalog_runtime::Timestamp;
use decalog_runtime::tables::{Order, end_of};

use super::Turn;
use super::rows::{Rows, family, key};
use crate::value::{AccountId, ItemId, PostId};

/// What is due. The numbers stand in keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// An account's scheduled post.
    Publish = 1,
    /// The poll of a post.
    PollEnd = 2,
    /// An account's mute of another.
    MuteEnd = 3,
    /// An account's filter.
    FilterEnd = 4,
    /// What is left of a post.
    Sweep = 5,
    /// An account's attachment, unless it is posted.
    MediaEnd = 50,
    /// Telling who quotes a post that it was edited.
    TellQuoters = 51,
    /// Who reblogs a post is told of its change, from a place on.
    EditTold = 20,
    /// Who waits for an account that need not be asked any more.
    Unlock = 21,
    /// What is left of an account that was erased.
    Forget = 15,
}

fn due_key(at: i64, due: Due, owner: u64, item: u64) -> Vec<u8> {
    key(family::DUE, [at.max(0).cast_unsigned(), due as u64, owner, item])
}

/// The moment, kind, owner and item of a key.
fn read_key(key: &[u8]) -> Option<[u64; 4]> {
    let (numbers, rest) = key.get(1..)?.as_chunks::<8>();
    let numbers: &[[u8; 8]; 4] = numbers.try_into().ok()?;
    rest.is_empty().then(|| numbers.map(u64::from_be_bytes))
}

impl Rows {
    fn first_due(&self) -> Option<Vec<u8>> {
        let (from, to) = ([family::DUE], end_of(&[family::DUE]));
        self.tables.range(&from, &to, Order::Rising, 1).pop().map(|(key, _)| key)
    }

    /// When something happens by itself next.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let [at, ..] = read_key(&self.first_due()?)?;
        Some(Timestamp(at.cast_signed()))
    }
}

impl Turn<'_> {
    pub(super) fn set_due(&mut self, at: i64, due: Due, owner: u64, item: u64) {
        self.rows.mark(&due_key(at, due, owner, item));
        self.due_changed = true;
    }

    pub(super) fn clear_due(&mut self, at: i64, due: Due, owner: u64, item: u64) {
        self.rows.remove(&due_key(at, due, owner, item));
        self.due_changed = true;
    }

    /// Does what is due first.
    pub(super) fn fire_due(&mut self) {
        let Some(first) = self.rows.first_due() else { return };
        self.rows.remove(&first);
        self.due_changed = true;
        let Some([_, due, owner, item]) = read_key(&first) else { return };
        match due {
            1 => self.publish_scheduled(AccountId(owner), ItemId(item)),
            2 => self.end_poll(PostId(owner)),
            3 => self.end_mute(AccountId(owner), AccountId(item)),
            4 => self.end_filter(AccountId(owner), ItemId(item)),
            5 => self.sweep(PostId(owner)),
            51 => self.tell_quoters(PostId(owner), item),
            50 => self.end_media(AccountId(owner), ItemId(item)),
            20 => self.tell_edited(PostId(owner), item),
            21 => self.accept_waiting(AccountId(owner)),
            15 => self.forget(AccountId(owner)),
            _ => {}
        }
    }
}
