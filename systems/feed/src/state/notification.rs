//! What an account is told: one row each, in its own partition.

use serde::{Deserialize, Serialize};

use super::Turn;
use super::listing::Listing;
use super::post::Post;
use super::rows::{Rows, Window, family, key};
use crate::command::message::Named;
use crate::command::{ClearNotifications, Reply};
use crate::event::Notified;
use crate::value::{AccountId, ItemId, NotificationKind, PostId, PostRef, Visibility};

/// Notifications kept for each account.
const KEPT: usize = 2_000;
/// Notifications among which one is looked for that is to be taken back.
const LOOKED_AT: usize = 200;

/// Somebody did something that an account is told of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// What.
    #[serde(rename = "k")]
    pub kind: NotificationKind,
    /// Who.
    #[serde(rename = "f")]
    pub from: AccountId,
    /// About which post.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub post: Option<PostRef>,
    /// When, in nanoseconds since 1970.
    #[serde(rename = "t")]
    pub at: i64,
}

fn prefix(account: AccountId) -> Vec<u8> {
    key(family::NOTIFICATION, [account.0])
}

fn notification_key(account: AccountId, id: u64) -> Vec<u8> {
    key(family::NOTIFICATION, [account.0, id])
}

impl Rows {
    pub(super) fn notifications(&self, account: AccountId, window: Window) -> Vec<(u64, Notification)> {
        self.page(&prefix(account), window)
    }
}

impl Turn<'_> {
    /// Tells an account of this partition something, unless it does not want to hear of whom that is about.
    pub(super) fn notify(
        &mut self,
        account: AccountId,
        kind: NotificationKind,
        from: AccountId,
        post: Option<PostRef>,
    ) {
        if account == from && kind != NotificationKind::Poll || !self.rows.has_account(account) {
            return;
        }
        let relation = self.rows.relation(account, from);
        let muted = relation.muting.as_ref().is_some_and(|muting| muting.notifications);
        if relation.blocking || relation.blocked_by || muted {
            return;
        }
        let id = self.next_id_of(account);
        let at = self.now();
        self.rows.put(&notification_key(account, id), &Notification { kind, from, post, at });
        self.out.emit(Notified { account, notification: ItemId(id), kind }.into());
        self.forget_oldest(account);
    }

    /// Tells an author what is done with their post, unless they hear no more of its thread.
    pub(super) fn notify_author(&mut self, post: &Post, kind: NotificationKind, from: AccountId) {
        if self.rows.place(Listing::MutedThreads, post.author.0, post.conversation.0).is_none() {
            self.notify(post.author, kind, from, Some(post.reference()));
        }
    }

    /// The same for an account that may be elsewhere: it is named there.
    pub(super) fn notify_anywhere(&mut self, account: AccountId, kind: NotificationKind, post: PostRef) {
        debug_assert_eq!(kind, NotificationKind::Poll, "nothing else is told so");
        let named = Named {
            target: account,
            post,
            conversation: PostId(0),
            visibility: Visibility::Public,
            participants: Vec::new(),
        };
        self.tell(account.bucket(), named);
    }

    /// Takes back what was told of something that is no more so.
    pub(super) fn unnotify(
        &mut self,
        account: AccountId,
        kind: NotificationKind,
        from: AccountId,
        post: Option<PostId>,
    ) {
        let recent = self.rows.notifications(account, Window::newest(LOOKED_AT));
        for (id, told) in recent {
            if told.kind == kind && told.from == from && told.post.map(|post| post.post) == post {
                self.rows.remove(&notification_key(account, id));
            }
        }
    }

    fn forget_oldest(&mut self, account: AccountId) {
        let first = Window { rising: true, ..Window::newest(1) };
        // Looked at once in a while: what is above the bound by a few does no harm.
        if self.now() % 64 == 0 && self.rows.notifications(account, Window::newest(KEPT + 1)).len() > KEPT {
            for (key, _) in self.rows.raw_page(&prefix(account), Window { most: KEPT / 10, ..first }) {
                self.rows.remove(&key);
            }
        }
    }

    /// A post names somebody of this partition.
    pub(super) fn named(&mut self, it: Named) -> Reply {
        let Named { target, post, conversation, visibility, participants } = it;
        if conversation == PostId(0) {
            self.notify(target, NotificationKind::Poll, post.author, Some(post));
            return Reply::Done;
        }
        let relation = self.rows.relation(target, post.author);
        if relation.blocking || relation.blocked_by || !self.rows.has_account(target) {
            return Reply::Done;
        }
        let muted = self.rows.place(Listing::MutedThreads, target.0, conversation.0).is_some();
        if visibility == Visibility::Direct && relation.muting.is_none() {
            self.converse(target, conversation, post, &participants, !muted);
        }
        if !muted {
            self.notify(target, NotificationKind::Mention, post.author, Some(post));
        }
        Reply::Done
    }

    pub(super) fn clear_notifications(&mut self, it: ClearNotifications) -> Reply {
        match it.only {
            None => {
                let rows = self.rows.tables.scan(&prefix(it.account));
                rows.iter().for_each(|(key, _)| self.rows.remove(key));
            }
            Some(ids) => {
                for id in ids {
                    self.rows.remove(&notification_key(it.account, id.0));
                }
            }
        }
        Reply::Done
    }
}
