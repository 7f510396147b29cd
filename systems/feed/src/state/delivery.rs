//! Fan-out: a post goes to each partition that has followers of its author, as one slice; who they are is known there.

use decalog_runtime::bucket::{BUCKETS, partition_of};
use decalog_runtime::tables::Order;

use super::Turn;
use super::follow::step;
use super::post::Post;
use super::rows::{Rows, family, key, last_number};
use crate::command::Reply;
use crate::command::message::{Delivered, Retracted};
use crate::event::{Arrived, Changed, Gone};
use crate::sabotage::{self, Sabotage};
use crate::value::{AccountId, Entry, NotificationKind, PostRef, Visibility};

fn audience_key(account: AccountId, bucket: u16) -> Vec<u8> {
    key(family::AUDIENCE, [account.0, bucket.into()])
}

impl Rows {
    /// A follower more or less in this bucket.
    pub(super) fn change_audience(&mut self, account: AccountId, bucket: u16, on: bool) {
        let key = audience_key(account, bucket);
        match step(self.get(&key).unwrap_or(0), on) {
            0 if sabotage::lacks(Sabotage::Audience) => {}
            0 => self.remove(&key),
            count => self.put(&key, &count),
        }
    }

    /// The first bucket from this one on that has followers.
    fn next_audience(&self, account: AccountId, from: usize) -> Option<u16> {
        let from = key(family::AUDIENCE, [account.0, from as u64]);
        let to = key(family::AUDIENCE, [account.0, BUCKETS.into()]);
        let found = self.tables.range(&from, &to, Order::Rising, 1);
        found.first().and_then(|(key, _)| u16::try_from(last_number(key)).ok())
    }
}

impl Turn<'_> {
    /// One bucket of each partition that has followers. Looks once for each of them, however many followers there are.
    fn targets(&self, author: AccountId) -> Vec<(usize, u16)> {
        let partitions = self.place.partitions;
        let mut targets = Vec::new();
        let mut from = 0;
        while let Some(bucket) = self.rows.next_audience(author, from) {
            let partition = partition_of(bucket, partitions);
            targets.push((partition, bucket));
            // The first bucket that the next partition owns.
            from = ((partition + 1) * usize::from(BUCKETS)).div_ceil(partitions);
        }
        targets
    }

    /// Sends a slice to each of them.
    pub(super) fn deliver(&mut self, entry: Entry) {
        if entry.visibility == Visibility::Direct {
            return;
        }
        for (partition, bucket) in self.targets(entry.author) {
            self.tell_partition(partition, bucket, Delivered { entry: entry.clone() });
        }
    }

    /// Tells whoever had a post delivered that it is gone, or has changed.
    pub(super) fn retract(&mut self, post: &Post, edited: bool) {
        if post.visibility == Visibility::Direct || sabotage::lacks(Sabotage::Retraction) {
            return;
        }
        let post = post.reference();
        for (partition, bucket) in self.targets(post.author) {
            self.tell_partition(partition, bucket, Retracted { post, edited });
        }
    }

    pub(super) fn delivered(&mut self, it: Delivered) -> Reply {
        let Delivered { entry } = it;
        let PostRef { post, author } = PostRef { post: entry.post, author: entry.author };
        if entry.reblog_of.is_none() {
            for follower in self.rows.bells(author) {
                self.notify(follower, NotificationKind::Status, author, Some(PostRef { post, author }));
            }
        }
        self.out.emit(Arrived { entry }.into());
        Reply::Done
    }

    pub(super) fn retracted(&mut self, it: Retracted) -> Reply {
        let Retracted { post, edited } = it;
        if edited {
            self.out.emit(Changed { post, own: false }.into());
        } else {
            self.out.emit(Gone { post, own: false }.into());
        }
        Reply::Done
    }
}
