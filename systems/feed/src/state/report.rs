//! Reports: what somebody says to the moderators about an account, kept with that account.

use serde::{Deserialize, Serialize};

use super::listing::Listing;
use super::notification::Notification;
use super::rows::{Rows, Window, family, key};
use super::{Turn, refused};
use crate::command::message::{Flagged, Reported};
use crate::command::{ChangeReport, FileReport, Refusal, Reply};
use crate::value::{AccountId, ItemId, NotificationKind, PostId, ReportCategory, Treatment};

/// Reports about one account that nobody has seen to yet, at most: strangers cannot fill the disk.
const OPEN: usize = 200;

/// A report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its id, in the bucket of whom it is about.
    pub id: ItemId,
    /// Who reports.
    pub account: AccountId,
    /// Whom.
    pub target: AccountId,
    /// Posts of theirs that it is about.
    pub posts: Vec<PostId>,
    /// What was said.
    pub comment: String,
    /// What it is about.
    pub category: ReportCategory,
    /// The rules that are said to be broken, by number.
    pub rules: Vec<u32>,
    /// When it was made.
    pub created: i64,
    /// When something was done about it last.
    pub updated: i64,
    /// The moderator who sees to it.
    pub assigned: Option<AccountId>,
    /// When it was seen to, and by whom.
    pub resolved: Option<(i64, AccountId)>,
}

fn report_key(id: ItemId) -> Vec<u8> {
    key(family::REPORT, [id.0])
}

impl Rows {
    pub(super) fn report(&self, id: ItemId) -> Option<Report> {
        self.get(&report_key(id))
    }

    /// Reports of this partition.
    pub(super) fn reports(&self, window: Window) -> Vec<Report> {
        self.page(&[family::REPORT], window).into_iter().map(|(_, row)| row).collect()
    }

    fn open_reports(&self, target: AccountId) -> Vec<Report> {
        let all = self.listing(Listing::OpenReports, target.0, Window::newest(OPEN)).into_iter();
        all.filter_map(|(id, _)| self.report(ItemId(id))).collect()
    }
}

impl Turn<'_> {
    pub(super) fn file_report(&mut self, it: FileReport) -> Reply {
        let FileReport { account, target, posts, comment, category, rules, moderators } = it;
        if !self.rows.has_account(target) {
            return refused(Refusal::NotFound);
        }
        if self.rows.open_reports(target).len() >= OPEN {
            return refused(Refusal::TooMany);
        }
        // What the reporter may see, of the one who is reported.
        let seen = |post: &PostId| {
            self.rows.own_post(target, *post).is_some_and(|post| self.rows.may_see(&post, Some(account)))
        };
        let posts = posts.into_iter().filter(seen).collect();
        let (id, now) = (ItemId(self.next_id_of(target)), self.now());
        let row = Report {
            id,
            account,
            target,
            posts,
            comment,
            category,
            rules,
            created: now,
            updated: now,
            assigned: None,
            resolved: None,
        };
        self.put_report(&row);
        if !row.posts.is_empty() {
            self.tell(account.bucket(), Reported { account, posts: row.posts });
        }
        let kind = NotificationKind::AdminReport;
        for moderator in moderators {
            self.tell(moderator.bucket(), Flagged { moderator, kind, from: account, report: Some(id) });
        }
        Reply::Made(id)
    }

    pub(super) fn change_report(&mut self, it: ChangeReport) -> Reply {
        let Some(mut row) = self.rows.report(it.report) else { return refused(Refusal::NotFound) };
        let now = self.now();
        if let Some(assigned) = it.assign {
            row.assigned = Some(assigned).filter(|assigned| assigned.0 != 0);
        }
        if let Some(resolved) = it.resolve {
            row.resolved = resolved.then_some((now, it.by));
        }
        if let Some(category) = it.category {
            row.category = category;
        }
        if let Some(rules) = it.rules {
            row.rules = rules;
        }
        row.updated = now;
        self.put_report(&row);
        Reply::Done
    }

    /// Whatever was open about an account is seen to.
    pub(super) fn resolve_reports(&mut self, target: AccountId, by: AccountId) {
        let now = self.now();
        for mut row in self.rows.open_reports(target) {
            (row.resolved, row.updated) = (Some((now, by)), now);
            self.put_report(&row);
        }
    }

    fn put_report(&mut self, row: &Report) {
        self.rows.put(&report_key(row.id), row);
        if row.resolved.is_none() {
            self.rows.list_at(Listing::OpenReports, row.target.0, row.id.0, row.id.0);
        } else {
            self.rows.unlist(Listing::OpenReports, row.target.0, row.id.0);
        }
    }

    /// Notes which posts an account of this partition has reported, so that it is learned who reports what.
    pub(super) fn reported(&mut self, it: Reported) -> Reply {
        let Reported { account, posts } = it;
        if self.rows.has_account(account) {
            for post in posts {
                let place = self.next_id_of(account);
                self.rows.list_at(Listing::Reported, account.0, post.0, place);
            }
        }
        Reply::Done
    }

    /// Tells a moderator of this partition that somebody reported, or signed up.
    pub(super) fn flagged(&mut self, it: Flagged) -> Reply {
        let Flagged { moderator, kind, from, report } = it;
        let at = self.now();
        let told = Notification { kind, from, post: None, at, filtered: false, talk: None, report };
        self.tell_of(moderator, told, Treatment::Accept);
        Reply::Done
    }
}
