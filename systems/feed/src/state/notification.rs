//! What an account is told: one row each, in its own partition.

use serde::{Deserialize, Serialize};

use super::Turn;
use super::listing::Listing;
use super::post::Post;
use super::rows::{Rows, Window, family, key, last_number, read};
use crate::command::message::{Named, Unnamed};
use crate::command::{ClearNotifications, Reply};
use crate::event::Notified;
use crate::value::{AccountId, ItemId, NotificationKind, PostId, PostRef, Treatment, Visibility};

/// Notifications kept for each account.
const KEPT: usize = 2_000;
/// They are counted with one in 2^8 of them.
const COUNTED: u32 = 8;
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
    /// It is kept apart: [`super::Policy`].
    #[serde(rename = "x", default, skip_serializing_if = "std::ops::Not::not")]
    pub filtered: bool,
    /// The conversation that goes on when one that is kept apart is taken in.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub talk: Option<Talk>,
    /// What was reported, for moderators.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ItemId>,
}

/// The conversation that a private mention belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Talk {
    /// The post that it began with.
    pub conversation: PostId,
    /// Everybody who takes part.
    pub participants: Vec<AccountId>,
}

fn prefix(account: AccountId) -> Vec<u8> {
    key(family::NOTIFICATION, [account.0])
}

pub(super) fn notification_key(account: AccountId, id: u64) -> Vec<u8> {
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
        let treatment = self.treatment(account, kind, from, false);
        let at = self.now();
        let told = Notification {
            kind,
            from,
            post,
            at,
            filtered: treatment != Treatment::Accept,
            talk: None,
            report: None,
        };
        self.tell_of(account, told, treatment);
    }

    pub(super) fn tell_of(&mut self, account: AccountId, told: Notification, treatment: Treatment) {
        let Notification { kind, from, .. } = told;
        if account == from && kind != NotificationKind::Poll || !self.rows.has_account(account) {
            return;
        }
        let relation = self.rows.relation(account, from);
        let muted = relation.muting.as_ref().is_some_and(|muting| muting.notifications);
        if relation.blocking || relation.blocked_by || muted || self.rows.is_suspended(from) {
            return;
        }
        let kept = match treatment {
            Treatment::Accept => true,
            Treatment::Filter => self.hold(account, &told),
            Treatment::Drop => false,
        };
        if !kept {
            return;
        }
        let id = self.next_id_of(account);
        self.rows.put(&notification_key(account, id), &told);
        if !told.filtered {
            self.out.emit(Notified { account, notification: ItemId(id), kind }.into());
        }
        self.forget_oldest(account, id);
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
                self.forget_notification(account, id, &told);
            }
        }
    }

    /// Removes a notification.
    pub(super) fn forget_notification(&mut self, account: AccountId, id: u64, told: &Notification) {
        self.rows.remove(&notification_key(account, id));
        if told.filtered {
            self.release(account, told);
        }
    }

    /// Forgets the oldest when there are too many. That is looked at once in a while, as many rows are counted for it: what is
    /// above the bound by a few does no harm.
    fn forget_oldest(&mut self, account: AccountId, id: u64) {
        // Fibonacci hashing (Knuth, TAOCP 6.4): ids are spread evenly, however coarse the clock in them is.
        let chosen = id.wrapping_mul(0x9e37_79b9_7f4a_7c15).leading_zeros() >= COUNTED;
        if !chosen {
            return;
        }
        let all = self.rows.raw_page(&prefix(account), Window { rising: true, ..Window::newest(usize::MAX) });
        for (row, value) in &all[..all.len().saturating_sub(KEPT)] {
            self.forget_notification(account, last_number(row), &read(value));
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
        let silent = relation.blocking || relation.blocked_by || self.rows.is_suspended(post.author);
        if silent || !self.rows.has_account(target) {
            return Reply::Done;
        }
        let muted = self.rows.place(Listing::MutedThreads, target.0, conversation.0).is_some();
        let kind = NotificationKind::Mention;
        let direct = visibility == Visibility::Direct;
        let asked = |row: super::Conversation| row.addressed.contains(&post.author);
        let unasked = direct && !self.rows.conversation(target, conversation).is_some_and(asked);
        let treatment = self.treatment(target, kind, post.author, unasked);
        let talks = direct && relation.muting.is_none();
        if talks && (muted || treatment == Treatment::Accept) {
            self.converse(target, conversation, post, &participants, !muted);
        }
        if !muted {
            let filtered = treatment == Treatment::Filter;
            let talk = (talks && filtered).then_some(Talk { conversation, participants });
            let (from, at) = (post.author, self.now());
            let told = Notification { kind, from, post: Some(post), at, filtered, talk, report: None };
            self.tell_of(target, told, treatment);
        }
        Reply::Done
    }

    /// A post names somebody of this partition no more.
    pub(super) fn unnamed(&mut self, it: Unnamed) -> Reply {
        let Unnamed { target, post, conversation } = it;
        self.unnotify(target, NotificationKind::Mention, post.author, Some(post.post));
        self.unsaid(target, conversation, post.post);
        Reply::Done
    }

    pub(super) fn clear_notifications(&mut self, it: ClearNotifications) -> Reply {
        let account = it.account;
        let gone: Vec<(u64, Notification)> = match it.only {
            None => self.rows.notifications(account, Window::newest(usize::MAX)),
            Some(ids) => {
                let row = |id: ItemId| Some((id.0, self.rows.get(&notification_key(account, id.0))?));
                ids.into_iter().filter_map(row).collect()
            }
        };
        gone.iter().for_each(|(id, told)| self.forget_notification(account, *id, told));
        Reply::Done
    }
}
