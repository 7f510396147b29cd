//! What moderators do, what the server shows to everybody, and what people keep apart, at random.

use decalog_feed::command::*;
use decalog_feed::state::Window;
use decalog_feed::value::*;

use crate::people::Dice;

impl Dice<'_> {
    /// Identity erases an account: one of those that are only for that.
    pub(crate) fn erase(&mut self) -> (Command, u16) {
        let account = self.people.accounts[self.people.accounts.len() - 2];
        (EraseAccount { account }.into(), account.bucket())
    }

    pub(crate) fn policy(&mut self, account: AccountId) -> Command {
        let one = |dice: &mut Self| {
            let some = [Treatment::Accept, Treatment::Filter, Treatment::Filter, Treatment::Drop];
            dice.often(0.3).then(|| dice.one_of(&some))
        };
        SetPolicy {
            account,
            not_following: one(self),
            not_followers: one(self),
            new_accounts: one(self),
            private_mentions: one(self),
            limited_accounts: one(self),
        }
        .into()
    }

    pub(crate) fn answer_notifications(&mut self, account: AccountId) -> Command {
        let all = self.home(account).notification_requests(account, Window::newest(9));
        let all: Vec<ItemId> = all.into_iter().map(|(id, ..)| id).collect();
        let requests = vec![self.item(&all)];
        AnswerNotificationRequests { account, requests, accept: self.often(0.5) }.into()
    }

    pub(crate) fn moderate(&mut self) -> (Command, u16) {
        let account = self.account();
        let by = self.account();
        match self.random.u32(0..4) {
            0 | 1 => {}
            2 => return (self.report(by, account), account.bucket()),
            _ => {
                let all = self.home(account).reports(Window::newest(9));
                let all: Vec<ItemId> = all.iter().map(|report| report.id).collect();
                let report = self.item(&all);
                let resolve = self.often(0.6).then_some(self.random.bool());
                let assign = self.often(0.3).then_some(by);
                return (
                    ChangeReport { report, by, assign, resolve, ..Default::default() }.into(),
                    report.bucket(),
                );
            }
        }
        // Mostly nothing holds, so that people can go on.
        let kind = self.random.u32(0..16);
        // Whom limited accounts ask waits, though nobody else does: that has tests of its own.
        let standing = Standing { sensitive: kind < 2, limited: false, suspended: kind == 2 };
        let resolve = self.often(0.3);
        (Moderate { account, standing, by, resolve }.into(), account.bucket())
    }

    /// What the server shows to everybody, and what they do with it.
    pub(crate) fn notice(&mut self, account: AccountId) -> (Command, u16) {
        let all: Vec<ItemId> = self.sight.at(0).announcements().iter().map(|row| row.id).collect();
        // One of them has most reactions, and comes to the limit.
        let announcement =
            all.first().copied().filter(|_| self.often(0.9)).unwrap_or_else(|| self.item(&all));
        let shortcode = self.one_of(&["blob", "cat"]).to_owned();
        let command = match self.random.u32(0..24) {
            0..2 => SetAnnouncement {
                announcement: self.often(0.5).then_some(announcement),
                text: self.words("news of"),
                starts: None,
                ends: None,
                all_day: false,
            }
            .into(),
            2 if self.often(0.6) => RemoveAnnouncement { announcement }.into(),
            2 | 3 => {
                return (DismissAnnouncement { account, announcement }.into(), account.bucket());
            }
            4 | 5 => SetEmoji { shortcode, files: Vec::new(), category: None, listed: true }.into(),
            6 => RemoveEmoji { shortcode }.into(),
            _ => {
                let names = ["🤔", "😀", "😁", "😂", "😃", "😄", "😅", "😆", "😇", "blob", "x"];
                // Mostly one that nobody has reacted with yet.
                let row = self.sight.at(0).announcement(announcement);
                let next = row.and_then(|row| names.get(row.reactions.len()).copied());
                let name = next.filter(|_| self.often(0.8)).unwrap_or_else(|| self.one_of(&names));
                React { account, announcement, name: name.to_owned(), on: self.often(0.95) }.into()
            }
        };
        (command, 0)
    }

    pub(crate) fn report(&mut self, account: AccountId, target: AccountId) -> Command {
        let posts = vec![self.post_of(target).post];
        let (comment, moderators) = (self.words("complaint about"), vec![self.account()]);
        let category = ReportCategory::Spam;
        FileReport { account, target, posts, comment, category, rules: vec![1], moderators }.into()
    }
}
