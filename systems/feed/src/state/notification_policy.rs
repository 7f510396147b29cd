//! Which notifications are kept apart, until their recipient decides about the one whom they are from.

use decalog_runtime::bucket::Id;
use serde::{Deserialize, Serialize};

use super::listing::Listing;
use super::notification::Notification;
use super::rows::{Rows, Window, family, key};
use super::{Turn, refused};
use crate::command::{AnswerNotificationRequests, Refusal, Reply, SetPolicy};
use crate::event::NotificationsMerged;
use crate::sabotage::{self, Sabotage};
use crate::value::{AccountId, ItemId, NotificationKind, PostRef, SECOND, Treatment};

const DAY: i64 = 86_400 * SECOND;
/// How long an account counts as new.
const NEW: i64 = 30 * DAY;
/// How long one must have followed to count as a follower.
const FOLLOWED: i64 = 3 * DAY;
/// Notifications of one account that are kept apart, at most, so that they push out nothing else.
const HELD_EACH: u64 = 100;

/// What becomes of notifications from accounts of these kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Whom one does not follow.
    pub not_following: Treatment,
    /// Who does not follow, or only since a short time.
    pub not_followers: Treatment,
    /// Who is new.
    pub new_accounts: Treatment,
    /// Who mentions one in private, unasked.
    pub private_mentions: Treatment,
    /// Who is limited.
    pub limited_accounts: Treatment,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            not_following: Treatment::Accept,
            not_followers: Treatment::Accept,
            new_accounts: Treatment::Accept,
            private_mentions: Treatment::Filter,
            limited_accounts: Treatment::Filter,
        }
    }
}

/// Notifications of one account that are kept apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// When the first of them came.
    pub created: i64,
    /// When the last of them came.
    pub updated: i64,
    /// How many mentions: with the first of them the account is listed as one to decide about.
    pub mentions: u64,
    /// How many others.
    pub others: u64,
    /// The last post that mentions.
    pub last: Option<PostRef>,
}

/// Kinds that a policy is about.
fn is_filterable(kind: NotificationKind) -> bool {
    use NotificationKind::{Favourite, Follow, FollowRequest, Mention, Quote, Reblog};
    matches!(kind, Mention | Reblog | Follow | FollowRequest | Favourite | Quote)
}

fn policy_key(account: AccountId) -> Vec<u8> {
    key(family::POLICY, [account.0])
}

fn held_key(account: AccountId, from: AccountId) -> Vec<u8> {
    key(family::HELD, [account.0, from.0])
}

impl Rows {
    pub(super) fn policy(&self, account: AccountId) -> Policy {
        self.get(&policy_key(account)).unwrap_or_default()
    }

    pub(super) fn held(&self, account: AccountId, from: AccountId) -> Option<Held> {
        self.get(&held_key(account, from))
    }

    /// Whom a request is about.
    fn request(&self, account: AccountId, id: ItemId) -> Option<AccountId> {
        let window = Window::only(id.0);
        let found = self.listing(Listing::NotificationRequests, account.0, window);
        found.first().map(|(_, from)| AccountId(*from))
    }

    fn set_held(&mut self, account: AccountId, from: AccountId, held: &Held) {
        if held.mentions + held.others == 0 {
            self.remove(&held_key(account, from));
        } else {
            self.put(&held_key(account, from), held);
        }
        if held.mentions == 0 {
            self.unlist(Listing::NotificationRequests, account.0, from.0);
        }
    }
}

impl Turn<'_> {
    /// What becomes of a notification: `unasked` when it is of a private mention that answers nothing.
    pub(super) fn treatment(
        &self,
        account: AccountId,
        kind: NotificationKind,
        from: AccountId,
        unasked: bool,
    ) -> Treatment {
        let permitted = || self.rows.place(Listing::NotificationPermits, account.0, from.0).is_some();
        if !is_filterable(kind) || permitted() || sabotage::lacks(Sabotage::NotificationPolicy) {
            return Treatment::Accept;
        }
        let policy = self.rows.policy(account);
        let stranger = self.rows.relation(account, from).following.is_none();
        let is_since = |id: u64, long: i64| Id(id).time().0 + long <= self.now();
        let follows = self.rows.place(Listing::Followers, account.0, from.0);
        let rules = [
            (policy.not_following, stranger),
            (policy.not_followers, !follows.is_some_and(|place| is_since(place, FOLLOWED))),
            (policy.new_accounts, stranger && !is_since(from.0, NEW)),
            (policy.private_mentions, stranger && unasked),
            (policy.limited_accounts, stranger && self.rows.standing(from).limited),
        ];
        rules.into_iter().filter(|(_, counts)| *counts).map(|(it, _)| it).max().unwrap_or_default()
    }

    /// Counts a notification that is kept apart; says whether there is room for it.
    pub(super) fn hold(&mut self, account: AccountId, told: &Notification) -> bool {
        let now = self.now();
        let none = Held { created: now, updated: now, mentions: 0, others: 0, last: None };
        let mut held = self.rows.held(account, told.from).unwrap_or(none);
        if held.mentions + held.others >= HELD_EACH {
            return false;
        }
        held.updated = now;
        if told.kind == NotificationKind::Mention {
            held.mentions += 1;
            held.last = told.post;
            self.set_listed_in(Listing::NotificationRequests, account.0, told.from.0, true);
        } else {
            held.others += 1;
        }
        self.rows.set_held(account, told.from, &held);
        true
    }

    /// One that was kept apart is so no more.
    pub(super) fn release(&mut self, account: AccountId, told: &Notification) {
        let Some(mut held) = self.rows.held(account, told.from) else { return };
        let count =
            if told.kind == NotificationKind::Mention { &mut held.mentions } else { &mut held.others };
        *count = count.saturating_sub(1);
        self.rows.set_held(account, told.from, &held);
    }

    pub(super) fn set_policy(&mut self, it: SetPolicy) -> Reply {
        if !self.rows.has_account(it.account) {
            return refused(Refusal::NotFound);
        }
        let before = self.rows.policy(it.account);
        let policy = Policy {
            not_following: it.not_following.unwrap_or(before.not_following),
            not_followers: it.not_followers.unwrap_or(before.not_followers),
            new_accounts: it.new_accounts.unwrap_or(before.new_accounts),
            private_mentions: it.private_mentions.unwrap_or(before.private_mentions),
            limited_accounts: it.limited_accounts.unwrap_or(before.limited_accounts),
        };
        self.rows.put(&policy_key(it.account), &policy);
        Reply::Done
    }

    pub(super) fn answer_notification_requests(&mut self, it: AnswerNotificationRequests) -> Reply {
        let AnswerNotificationRequests { account, requests, accept } = it;
        let from: Vec<AccountId> =
            requests.into_iter().filter_map(|id| self.rows.request(account, id)).collect();
        if from.is_empty() {
            return refused(Refusal::NotFound);
        }
        if accept {
            for from in &from {
                self.set_listed_in(Listing::NotificationPermits, account.0, from.0, true);
            }
        }
        for (id, told) in self.rows.notifications(account, Window::newest(usize::MAX)).into_iter().rev() {
            if !told.filtered || !from.contains(&told.from) {
                continue;
            }
            if accept {
                self.take_in(account, id, told);
            } else {
                self.forget_notification(account, id, &told);
            }
        }
        if accept {
            self.out.emit(NotificationsMerged { account }.into());
        }
        Reply::Done
    }

    /// One that was kept apart is told from now on.
    fn take_in(&mut self, account: AccountId, id: u64, mut told: Notification) {
        self.release(account, &told);
        told.filtered = false;
        let talk = told.talk.take();
        self.rows.put(&super::notification::notification_key(account, id), &told);
        if let (Some(talk), Some(post)) = (talk, told.post) {
            self.converse(account, talk.conversation, post, &talk.participants, true);
        }
    }
}
