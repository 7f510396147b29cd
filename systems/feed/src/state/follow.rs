//! Following. The follower's partition holds the wish, the followed one's decides; both know the outcome.

use serde::{Deserialize, Serialize};

use super::block::Muting;
use super::due::Due;
use super::listing::Listing;
use super::rows::{Rows, Window, family, key};
use super::{Turn, refused};
use crate::command::message::{Answered, Asked, Decision, Unasked};
use crate::command::{
    AnswerRequest, DismissSuggestion, Follow, Refusal, RemoveFollower, Reply, SetEndorsed, SetNote, Unfollow,
};
use crate::event::HomeChanged;
use crate::sabotage::{self, Sabotage};
use crate::value::{AccountId, NotificationKind};

/// Requests that are accepted at once when an account need not be asked any more.
const ACCEPTED: usize = 100;

/// How an account stands to another: everything that the first one's partition knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relation {
    /// They follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub following: Option<Following>,
    /// They have asked to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<Following>,
    /// The other one follows.
    #[serde(default)]
    pub followed_by: bool,
    /// The other one has asked to.
    #[serde(default)]
    pub requested_by: bool,
    /// They block.
    #[serde(default)]
    pub blocking: bool,
    /// The other one blocks.
    #[serde(default)]
    pub blocked_by: bool,
    /// They mute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muting: Option<Muting>,
    /// They show the other one on the profile.
    #[serde(default)]
    pub endorsed: bool,
    /// What they wrote down about the other one.
    #[serde(default)]
    pub note: String,
}

/// How somebody follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Following {
    /// Reblogs are seen.
    pub reblogs: bool,
    /// Each post is told.
    pub notify: bool,
    /// The languages that are seen; none means all.
    pub languages: Vec<String>,
}

fn relation_key(account: AccountId, other: AccountId) -> Vec<u8> {
    key(family::RELATION, [account.0, other.0])
}

fn bell_key(author: AccountId, follower: AccountId) -> Vec<u8> {
    key(family::BELL, [author.0, follower.0])
}

impl Rows {
    pub(super) fn relation(&self, account: AccountId, other: AccountId) -> Relation {
        self.get(&relation_key(account, other)).unwrap_or_default()
    }

    pub(super) fn set_relation(&mut self, account: AccountId, other: AccountId, relation: &Relation) {
        if *relation == Relation::default() {
            self.remove(&relation_key(account, other));
        } else {
            self.put(&relation_key(account, other), relation);
        }
    }

    /// Followers of this partition who are told of each post.
    pub(super) fn bells(&self, author: AccountId) -> Vec<AccountId> {
        let rows = self.tables.scan(&key(family::BELL, [author.0]));
        rows.iter().map(|(key, _)| AccountId(super::rows::last_number(key))).collect()
    }

    fn set_bell(&mut self, author: AccountId, follower: AccountId, on: bool) {
        if on {
            self.mark(&bell_key(author, follower));
        } else {
            self.remove(&bell_key(author, follower));
        }
    }
}

/// The follower's side.
impl Turn<'_> {
    pub(super) fn follow(&mut self, it: Follow) -> Reply {
        let Follow { account, target, reblogs, notify, languages, locked } = it;
        if account == target {
            return refused(Refusal::Oneself);
        }
        let mut relation = self.rows.relation(account, target);
        if !self.rows.has_account(account) || self.rows.is_suspended(target) {
            return refused(Refusal::NotFound);
        }
        if relation.blocking || relation.blocked_by {
            return refused(Refusal::NotAllowed);
        }
        let how = Following { reblogs, notify, languages };
        if relation.following.is_some() {
            relation.following = Some(how);
            self.rows.set_relation(account, target, &relation);
            self.rows.set_bell(target, account, notify);
            self.home_changed(account);
            return Reply::Done;
        }
        let asked = relation.requested.is_some();
        relation.requested = Some(how);
        self.rows.set_relation(account, target, &relation);
        if !asked {
            if !locked {
                // What the other side will say, seen at the edge: should it say otherwise, that comes as an answer.
                self.answered(Answered { from: account, target, accept: Decision::Accepted });
            }
            self.tell(target.bucket(), Asked { from: account, target });
        }
        Reply::Done
    }

    pub(super) fn unfollow(&mut self, it: Unfollow) -> Reply {
        let Unfollow { account, target } = it;
        let relation = self.rows.relation(account, target);
        if relation.following.is_some() || relation.requested.is_some() {
            self.answered(Answered { from: account, target, accept: Decision::Rejected });
            self.tell(target.bucket(), Unasked { from: account, target });
        }
        Reply::Done
    }

    /// What became of a wish.
    pub(super) fn answered(&mut self, it: Answered) -> Reply {
        let Answered { from: account, target, accept } = it;
        let mut relation = self.rows.relation(account, target);
        let was = relation.following.is_some();
        let wish = relation.following.take().or(relation.requested.take());
        match (accept, wish) {
            (Decision::Rejected, None) => {}
            (Decision::Rejected, Some(_)) => self.leave_lists(account, target),
            (_, None) if sabotage::lacks(Sabotage::EndedWish) => {}
            // The wish is gone, and not always by a word of this side: an older no, or a block, may have crossed it.
            (_, None) => self.tell(target.bucket(), Unasked { from: account, target }),
            (Decision::Accepted, wish) => relation.following = wish,
            (Decision::Waiting, wish) => relation.requested = wish,
        }
        let is = relation.following.is_some();
        if !is && relation.endorsed {
            relation.endorsed = false;
            self.set_listed_in(Listing::Endorsed, account.0, target.0, false);
        }
        self.rows.set_relation(account, target, &relation);
        self.rows.set_bell(target, account, relation.following.is_some_and(|how| how.notify));
        if was != is {
            self.set_listed_in(Listing::Following, account.0, target.0, is);
            self.rows.change_account(account, |row| row.following = step(row.following, is));
            self.home_changed(account);
        }
        Reply::Done
    }

    pub(super) fn set_note(&mut self, it: SetNote) -> Reply {
        let mut relation = self.rows.relation(it.account, it.target);
        relation.note = it.note;
        self.rows.set_relation(it.account, it.target, &relation);
        Reply::Done
    }

    pub(super) fn dismiss_suggestion(&mut self, it: DismissSuggestion) -> Reply {
        if !self.rows.has_account(it.account) {
            return refused(Refusal::NotFound);
        }
        self.set_listed_in(Listing::NotSuggested, it.account.0, it.target.0, true);
        Reply::Done
    }

    pub(super) fn set_endorsed(&mut self, it: SetEndorsed) -> Reply {
        let mut relation = self.rows.relation(it.account, it.target);
        if it.on && relation.following.is_none() {
            return refused(Refusal::NotFollowed);
        }
        relation.endorsed = it.on;
        self.rows.set_relation(it.account, it.target, &relation);
        self.set_listed_in(Listing::Endorsed, it.account.0, it.target.0, it.on);
        Reply::Done
    }

    pub(super) fn home_changed(&mut self, account: AccountId) {
        self.out.emit(HomeChanged { account }.into());
    }
}

/// The followed one's side.
impl Turn<'_> {
    pub(super) fn asked(&mut self, it: Asked) -> Reply {
        let Asked { from, target } = it;
        let mut relation = self.rows.relation(target, from);
        let Some(account) =
            self.rows.account(target).filter(|_| !relation.blocking && !self.rows.is_suspended(from))
        else {
            self.tell(from.bucket(), Answered { from, target, accept: Decision::Rejected });
            return Reply::Done;
        };
        if relation.followed_by {
            return Reply::Done;
        }
        // Whom moderators have limited is asked for, too.
        if account.locked || self.rows.standing(from).limited {
            relation.requested_by = true;
            self.rows.set_relation(target, from, &relation);
            self.set_listed_in(Listing::Requests, target.0, from.0, true);
            self.notify(target, NotificationKind::FollowRequest, from, None);
            self.tell(from.bucket(), Answered { from, target, accept: Decision::Waiting });
        } else {
            self.set_follower(target, from, true);
            self.notify(target, NotificationKind::Follow, from, None);
            self.tell(from.bucket(), Answered { from, target, accept: Decision::Accepted });
        }
        Reply::Done
    }

    pub(super) fn unasked(&mut self, it: Unasked) -> Reply {
        self.set_follower(it.target, it.from, false);
        Reply::Done
    }

    pub(super) fn answer_request(&mut self, it: AnswerRequest) -> Reply {
        let AnswerRequest { account, from, accept } = it;
        if !self.rows.relation(account, from).requested_by {
            return refused(Refusal::NotFound);
        }
        self.set_follower(account, from, accept);
        if accept {
            self.notify(account, NotificationKind::Follow, from, None);
        }
        let accept = if accept { Decision::Accepted } else { Decision::Rejected };
        self.tell(from.bucket(), Answered { from, target: account, accept });
        Reply::Done
    }

    /// Who waits for an account that need not be asked any more follows it: some at once, the others after them.
    pub(super) fn accept_waiting(&mut self, account: AccountId) {
        if self.rows.account(account).is_none_or(|row| row.locked) || sabotage::lacks(Sabotage::Unlock) {
            return;
        }
        let window = Window { rising: true, ..Window::newest(ACCEPTED) };
        let waiting = self.rows.listing(Listing::Requests, account.0, window);
        for (_, from) in &waiting {
            self.answer_request(AnswerRequest { account, from: AccountId(*from), accept: true });
        }
        if waiting.len() == ACCEPTED {
            self.set_due(self.now(), Due::Unlock, account.0, 0);
        }
    }

    pub(super) fn remove_follower(&mut self, it: RemoveFollower) -> Reply {
        let RemoveFollower { account, from } = it;
        if self.rows.relation(account, from).followed_by {
            self.set_follower(account, from, false);
            self.tell(from.bucket(), Answered { from, target: account, accept: Decision::Rejected });
        }
        Reply::Done
    }

    /// Somebody follows from now on, or does not and does not ask either.
    pub(super) fn set_follower(&mut self, account: AccountId, from: AccountId, on: bool) {
        let mut relation = self.rows.relation(account, from);
        let was = relation.followed_by;
        if relation.requested_by {
            self.set_listed_in(Listing::Requests, account.0, from.0, false);
            self.unnotify(account, NotificationKind::FollowRequest, from, None);
        }
        (relation.followed_by, relation.requested_by) = (on, false);
        self.rows.set_relation(account, from, &relation);
        if was != on {
            self.set_listed_in(Listing::Followers, account.0, from.0, on);
            self.rows.change_account(account, |row| row.followers = step(row.followers, on));
            self.rows.change_audience(account, from.bucket(), on);
            if !on {
                self.unnotify(account, NotificationKind::Follow, from, None);
            }
        }
    }
}

/// One more or one less.
pub(super) fn step(count: u64, up: bool) -> u64 {
    if up { count + 1 } else { count.saturating_sub(1) }
}
