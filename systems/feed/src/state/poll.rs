//! Polls: voted in where the question is.

use super::rows::{Rows, family, key, last_number};
use super::{Turn, refused};
use crate::command::{Refusal, Reply, Vote};
use crate::value::{AccountId, NotificationKind, PostId};

/// Voters who are told that a poll has ended: the first ones.
const TOLD: usize = 1_000;

fn vote_key(post: PostId, voter: AccountId) -> Vec<u8> {
    key(family::VOTE, [post.0, voter.0])
}

impl Rows {
    /// What somebody chose.
    pub(super) fn votes(&self, post: PostId, voter: AccountId) -> Option<Vec<u32>> {
        self.get(&vote_key(post, voter))
    }
}

impl Turn<'_> {
    pub(super) fn vote(&mut self, it: Vote) -> Reply {
        let Vote { account, post: id, mut choices } = it;
        let seen = self.rows.post(id).filter(|post| self.rows.may_see(post, Some(account)));
        let Some((mut post, mut poll)) = seen.and_then(|post| post.poll.clone().map(|poll| (post, poll)))
        else {
            return refused(Refusal::NotFound);
        };
        if post.author == account {
            return refused(Refusal::OwnPoll);
        }
        if poll.expires <= self.now() {
            return refused(Refusal::PollEnded);
        }
        choices.sort_unstable();
        choices.dedup();
        if choices.is_empty() || choices.iter().any(|choice| *choice as usize >= poll.options.len()) {
            return refused(Refusal::NoSuchOption);
        }
        if self.rows.votes(id, account).is_some() || (choices.len() > 1 && !poll.multiple) {
            return refused(Refusal::VotedBefore);
        }
        for choice in &choices {
            poll.options[*choice as usize].votes += 1;
        }
        poll.voters += 1;
        post.poll = Some(poll);
        self.rows.put(&super::post::post_key(id), &post);
        self.rows.put(&vote_key(id, account), &choices);
        Reply::Done
    }

    /// Takes one vote back: of whoever was erased.
    pub(super) fn forget_vote(&mut self, id: PostId, voter: AccountId) {
        let Some(choices) = self.rows.votes(id, voter) else { return };
        self.rows.remove(&vote_key(id, voter));
        self.rows.change_post(id, |post| {
            let Some(poll) = &mut post.poll else { return };
            poll.voters = poll.voters.saturating_sub(1);
            for choice in choices {
                if let Some(option) = poll.options.get_mut(choice as usize) {
                    option.votes = option.votes.saturating_sub(1);
                }
            }
        });
    }

    pub(super) fn forget_votes(&mut self, post: PostId) {
        let votes = self.rows.tables.scan(&key(family::VOTE, [post.0]));
        votes.iter().for_each(|(key, _)| self.rows.remove(key));
    }

    /// The question is over: whoever asked and whoever voted here are told.
    pub(super) fn end_poll(&mut self, id: PostId) {
        let Some(post) = self.rows.post(id) else { return };
        let reference = post.reference();
        self.notify_author(&post, NotificationKind::Poll, post.author);
        let voters = self.rows.raw_page(
            &key(family::VOTE, [id.0]),
            super::Window { rising: true, ..super::Window::newest(TOLD) },
        );
        for (key, _) in voters {
            self.notify_anywhere(AccountId(last_number(&key)), NotificationKind::Poll, reference);
        }
    }
}
