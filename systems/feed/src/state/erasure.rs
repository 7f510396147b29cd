//! Forgetting an account that identity has erased: at once nobody finds it any more; what it leaves is cleared away bit by
//! bit, first what is its own, each piece as if its owner took it back, then, in every partition, what others hold of it.
//!
//! How far that is stands in a row, so that it goes on after a restart; each step can be done twice.

use decalog_runtime::tables::{Order, end_of};
use serde::{Deserialize, Serialize};

use super::due::Due;
use super::listing::Listing;
use super::rows::{Rows, Window, family, key, last_number};
use super::{Conversation, Notification, Report, Turn};
use crate::command::message::{Answered, Decision, Forgotten, StandingTold};
use crate::command::{
    CancelScheduled, Command, DeletePost, EraseAccount, Favourite, React, RemoveFilter, RemoveList, Reply,
    SetBlock, Unfollow, Unreblog,
};
use crate::event::{AccountGone, PushChanged};
use crate::sabotage::{self, Sabotage};
use crate::value::{AccountId, Impression, Standing};

/// Things of its own that one step clears away, and rows that one step looks at.
const AT_ONCE: usize = 32;
const ROWS: usize = 512;
/// Between two steps others have their turn, in nanoseconds.
const PAUSE: i64 = 1_000_000;

/// Families whose rows others have, in which the account may be named.
const OTHERS: [u8; 8] = [
    family::RELATION,
    family::PLACE,
    family::NOTIFICATION,
    family::CONVERSATION,
    family::VOTE,
    family::REPORT,
    family::SAID,
    family::IMPRESSION,
];

/// How far the account is forgotten in a partition. The row stays when all is done: its number is never opened again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    /// What was its own is cleared away.
    own: bool,
    /// Rows of others are looked at from this key on; empty when all are.
    from: Vec<u8>,
}

fn progress_key(account: AccountId) -> Vec<u8> {
    key(family::NOTICE, [4, account.0])
}

/// Everything that an account has under its own number.
const OWN: [u8; 15] = [
    family::CONVERSATION,
    family::FOLLOWED_TAG,
    family::FEATURED_TAG,
    family::OWN_TAG,
    family::NOTIFICATION,
    family::HELD,
    family::POLICY,
    family::MARKERS,
    family::AUDIENCE,
    family::BLOCKED_DOMAIN,
    family::PUSH,
    family::SAID,
    family::EXPOSURE,
    family::IMPRESSION,
    family::RANKING,
];
const OWN_LISTINGS: [Listing; 17] = [
    Listing::Following,
    Listing::Followers,
    Listing::Requests,
    Listing::Blocks,
    Listing::Mutes,
    Listing::Endorsed,
    Listing::Favourites,
    Listing::Bookmarks,
    Listing::Reblogs,
    Listing::Pins,
    Listing::MutedThreads,
    Listing::NotificationRequests,
    Listing::NotificationPermits,
    Listing::OpenReports,
    Listing::ReadAnnouncements,
    Listing::NotSuggested,
    Listing::Reported,
];
/// Listings of others whose subjects are accounts, beside those that go with a relation or a notification.
const OF_OTHERS: [Listing; 5] = [
    Listing::FavouritedBy,
    Listing::RebloggedBy,
    Listing::Members,
    Listing::NotificationPermits,
    Listing::NotSuggested,
];

impl Rows {
    /// Whether an account was erased.
    pub(super) fn is_erased(&self, account: AccountId) -> bool {
        self.has(&progress_key(account))
    }
}

impl Turn<'_> {
    /// An account is forgotten: in its own partition, or in another.
    pub(super) fn take_erasure(&mut self, command: Command) -> Reply {
        match command {
            Command::EraseAccount(it) => self.erase_account(it),
            Command::Forgotten(it) => self.forgotten(it),
            other => unreachable!("{} forgets nobody", other.name()),
        }
    }

    /// In the account's own partition.
    pub(super) fn erase_account(&mut self, it: EraseAccount) -> Reply {
        let account = it.account;
        if self.rows.is_erased(account) {
            return Reply::Done;
        }
        if let Some(row) = self.rows.account(account) {
            self.rows.remove_account(&row);
            self.rows.leave_directory(account);
            self.forget_activity(account, row.statuses);
        }
        let standing = Standing::default();
        self.standing_told(StandingTold { account, standing });
        self.tell_all(&StandingTold { account, standing });
        self.begin_to_forget(account, false);
        self.out.emit(PushChanged { account, on: false }.into());
        self.out.emit(AccountGone { account }.into());
        Reply::Done
    }

    /// In every other partition, once nothing is left of it in its own.
    pub(super) fn forgotten(&mut self, it: Forgotten) -> Reply {
        self.begin_to_forget(it.account, true);
        Reply::Done
    }

    fn begin_to_forget(&mut self, account: AccountId, own: bool) {
        self.rows.put(&progress_key(account), &Progress { own, from: vec![0] });
        self.set_due(self.now(), Due::Forget, account.0, 0);
    }

    /// One step.
    pub(super) fn forget(&mut self, account: AccountId) {
        if sabotage::lacks(Sabotage::Erasure) {
            return;
        }
        let Some(mut progress) = self.rows.get::<Progress>(&progress_key(account)) else { return };
        if !progress.own {
            progress.own = self.forget_own(account);
            if progress.own {
                self.tell_all(&Forgotten { account });
            }
        } else if let Some(from) = self.forget_of_others(account, &progress.from) {
            progress.from = from;
        } else {
            progress.from = Vec::new();
            self.rows.put(&progress_key(account), &progress);
            return;
        }
        self.rows.put(&progress_key(account), &progress);
        self.set_due(self.now() + PAUSE, Due::Forget, account.0, 0);
    }

    /// Clears away some of what was its own; says whether that was all.
    fn forget_own(&mut self, account: AccountId) -> bool {
        self.forget_posts(account)
            && self.forget_likes(account)
            && self.forget_relations(account)
            && self.forget_arrangements(account)
            && self.forget_rows(account)
    }

    fn forget_posts(&mut self, account: AccountId) -> bool {
        let written = self.rows.written(account, Window::newest(AT_ONCE));
        for entry in &written {
            match entry.reblog_of {
                Some(of) => self.unreblog(Unreblog { account, of }),
                None => self.delete_post(DeletePost { account, post: entry.post, delete_media: true }),
            };
        }
        written.is_empty()
    }

    fn forget_likes(&mut self, account: AccountId) -> bool {
        let liked = self.rows.listing(Listing::Favourites, account.0, Window::newest(AT_ONCE));
        for (_, post) in &liked {
            let post = crate::value::PostId(*post);
            self.rows.unlist(Listing::Favourites, account.0, post.0);
            self.tell(post.bucket(), Favourite { account, post, on: false });
        }
        liked.is_empty()
    }

    fn forget_relations(&mut self, account: AccountId) -> bool {
        let first = Window { rising: true, ..Window::newest(AT_ONCE) };
        let rows = self.rows.raw_page(&key(family::RELATION, [account.0]), first);
        for (row, _) in &rows {
            let target = AccountId(last_number(row));
            self.unfollow(Unfollow { account, target });
            let relation = self.rows.relation(account, target);
            if relation.followed_by || relation.requested_by {
                self.set_follower(account, target, false);
                let (from, accept) = (target, Decision::Rejected);
                self.tell(target.bucket(), Answered { from, target: account, accept });
            }
            if relation.blocking {
                self.set_block(SetBlock { account, target, on: false });
            }
            if let Some(until) = relation.muting.and_then(|muting| muting.until) {
                self.clear_due(until, Due::MuteEnd, account.0, target.0);
            }
            self.rows.unlist(Listing::Mutes, account.0, target.0);
            self.rows.remove(row);
        }
        rows.is_empty()
    }

    fn forget_arrangements(&mut self, account: AccountId) -> bool {
        let scheduled = self.rows.all_scheduled(account);
        for row in scheduled.iter().take(AT_ONCE) {
            self.cancel_scheduled(CancelScheduled { account, scheduled: row.id });
        }
        let lists = self.rows.lists(account);
        for list in lists.iter().take(AT_ONCE) {
            self.remove_list(RemoveList { account, list: list.id });
        }
        let filters = self.rows.filters(account);
        for filter in filters.iter().take(AT_ONCE) {
            self.remove_filter(RemoveFilter { account, filter: filter.id });
        }
        let media = self.rows.raw_page(&key(family::MEDIA, [account.0]), Window::newest(AT_ONCE));
        for (row, _) in &media {
            self.forget_media(account, crate::value::ItemId(last_number(row)));
        }
        media.is_empty() && scheduled.is_empty() && lists.is_empty() && filters.is_empty()
    }

    fn forget_rows(&mut self, account: AccountId) -> bool {
        let mut left = ROWS;
        for letter in OWN {
            left = self.remove_some(&key(letter, [account.0]), left);
        }
        for listing in OWN_LISTINGS {
            left = self.remove_some(&key(family::PLACE, [listing as u64, account.0]), left);
            left = self.remove_some(&key(family::LISTING, [listing as u64, account.0]), left);
        }
        left > 0
    }

    /// Removes rows that begin so, as many as may still be; answers how many may then.
    fn remove_some(&mut self, prefix: &[u8], left: usize) -> usize {
        let rows = self.rows.tables.range(prefix, &end_of(prefix), Order::Rising, left);
        rows.iter().for_each(|(key, _)| self.rows.remove(key));
        left - rows.len()
    }

    /// Looks at some rows of others from a key on; answers where to go on, nothing at the end.
    fn forget_of_others(&mut self, account: AccountId, from: &[u8]) -> Option<Vec<u8>> {
        let letter = *from.first()?;
        let mut families = OTHERS;
        families.sort_unstable();
        let Some(family) = families.into_iter().find(|one| *one >= letter) else {
            self.forget_reactions(account);
            return None;
        };
        let from = if family == letter { from.to_vec() } else { vec![family] };
        let rows = self.rows.tables.range(&from, &end_of(&[family]), Order::Rising, ROWS);
        for (row, value) in &rows {
            self.forget_in(account, row, value);
        }
        match rows.last() {
            // The next key after the last one.
            Some((last, _)) if rows.len() == ROWS => Some([last.as_slice(), &[0]].concat()),
            _ => Some(vec![family + 1]),
        }
    }

    /// What one row of somebody else holds of the account.
    fn forget_in(&mut self, account: AccountId, row: &[u8], value: &[u8]) {
        let Some((letter, rest)) = row.split_first() else { return };
        let number = |place: usize| {
            rest.get(place * 8..place * 8 + 8)
                .and_then(|part| part.try_into().ok())
                .map_or(0, u64::from_be_bytes)
        };
        let (owner, second) = (AccountId(number(0)), number(1));
        match *letter {
            family::RELATION if second == account.0 => self.forget_relation(owner, account),
            family::PLACE if number(2) == account.0 => self.forget_listed(number(0), second, account),
            family::NOTIFICATION => {
                let told: Option<Notification> = decalog_runtime::unpack(0, 0, value).ok();
                match told {
                    Some(told) if told.from == account => self.forget_notification(owner, second, &told),
                    Some(mut told) => {
                        let Some(talk) = &mut told.talk else { return };
                        talk.participants.retain(|one| *one != account);
                        self.rows.put(row, &told);
                    }
                    None => {}
                }
            }
            family::SAID => {
                let author: Option<u64> = decalog_runtime::unpack(0, 0, value).ok();
                if author == Some(account.0) {
                    self.unsaid(owner, crate::value::PostId(second), crate::value::PostId(number(2)));
                }
            }
            family::IMPRESSION => {
                let shown: Option<Impression> = decalog_runtime::unpack(0, 0, value).ok();
                if shown.is_some_and(|shown| shown.post.author == account) {
                    self.rows.forget_impression(owner, row);
                }
            }
            family::CONVERSATION => self.forget_talk(account, row, value),
            family::VOTE if second == account.0 => self.forget_vote(crate::value::PostId(owner.0), account),
            family::REPORT => {
                let report: Option<Report> = decalog_runtime::unpack(0, 0, value).ok();
                report.into_iter().for_each(|report| self.forget_report(account, row, report));
            }
            _ => {}
        }
    }

    fn forget_relation(&mut self, owner: AccountId, account: AccountId) {
        let relation = self.rows.relation(owner, account);
        self.answered(Answered { from: owner, target: account, accept: Decision::Rejected });
        self.set_follower(owner, account, false);
        if let Some(until) = relation.muting.and_then(|muting| muting.until) {
            self.clear_due(until, Due::MuteEnd, owner.0, account.0);
        }
        for listing in [Listing::Mutes, Listing::Blocks] {
            self.rows.unlist(listing, owner.0, account.0);
        }
        self.rows.set_relation(owner, account, &super::Relation::default());
        self.home_changed(owner);
    }

    /// What was said by it or about it is gone; what it saw to is seen to by nobody in particular.
    fn forget_report(&mut self, account: AccountId, row: &[u8], mut report: Report) {
        if report.account == account || report.target == account {
            self.rows.unlist(Listing::OpenReports, report.target.0, report.id.0);
            self.rows.remove(row);
            return;
        }
        report.assigned = report.assigned.filter(|moderator| *moderator != account);
        if let Some((_, by)) = &mut report.resolved
            && *by == account
        {
            *by = AccountId(0);
        }
        self.rows.put(row, &report);
    }

    fn forget_listed(&mut self, listing: u64, owner: u64, account: AccountId) {
        let Some(listing) = OF_OTHERS.into_iter().find(|one| *one as u64 == listing) else { return };
        if self.rows.unlist(listing, owner, account.0).is_none() {
            return;
        }
        let post = crate::value::PostId(owner);
        match listing {
            Listing::FavouritedBy => {
                self.rows
                    .change_post(post, |post| post.favourites = super::follow::step(post.favourites, false));
            }
            Listing::RebloggedBy => {
                self.rows.change_post(post, |post| post.reblogs = super::follow::step(post.reblogs, false));
            }
            _ => {}
        }
    }

    fn forget_talk(&mut self, account: AccountId, row: &[u8], value: &[u8]) {
        let Ok(mut talk) = decalog_runtime::unpack::<Conversation>(0, 0, value) else { return };
        if talk.last.author == account {
            // Only one that is not shown still ends with what it said.
            talk.last.author = AccountId(0);
            talk.participants.retain(|one| *one != account);
            self.rows.put(row, &talk);
        } else if talk.participants.contains(&account) || talk.addressed.contains(&account) {
            talk.participants.retain(|one| *one != account);
            talk.addressed.retain(|one| *one != account);
            self.rows.put(row, &talk);
        }
    }

    fn forget_reactions(&mut self, account: AccountId) {
        for announcement in self.rows.announcements() {
            for (name, _) in announcement.reactions {
                if self.rows.reacts(announcement.id, account, &name) {
                    self.react(React { account, announcement: announcement.id, name, on: false });
                }
            }
        }
    }
}
