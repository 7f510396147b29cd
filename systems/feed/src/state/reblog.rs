//! Reblogs: a post of the reblogger's that has nothing of its own, counted where the original is.

use std::collections::BTreeMap;

use decalog_runtime::bucket::partition_of;

use super::due::Due;
use super::listing::Listing;
use super::post::{Post, post_key};
use super::{Turn, Window, refused};
use crate::command::message::{ReblogTold, ReblogsEdited, ReblogsEnded};
use crate::command::{Command, Reblog, Refusal, Reply, Unreblog};
use crate::event::Written;
use crate::sabotage::{self, Sabotage};
use crate::value::{AccountId, NotificationKind, PostId, PostRef, QuotePolicy, Visibility};

/// Who reblogs a post is told of its change so many at a time.
const TOLD: usize = 100;

impl Turn<'_> {
    pub(super) fn reblog(&mut self, it: Reblog) -> Reply {
        let Reblog { account, of, visibility, language } = it;
        if !self.rows.has_account(account) {
            return refused(Refusal::NotFound);
        }
        if visibility == Visibility::Direct {
            return refused(Refusal::WrongVisibility);
        }
        let relation = self.rows.relation(account, of.author);
        if relation.blocking || relation.blocked_by {
            return refused(Refusal::NotAllowed);
        }
        if let Some(before) = self.rows.place(Listing::Reblogs, account.0, of.post.0) {
            return Reply::Posted(PostId(before));
        }
        let id = PostId(self.next_id_of(account));
        let post = Post {
            id,
            author: account,
            created: self.now(),
            edited: None,
            reblog_of: Some(of),
            text: String::new(),
            spoiler: String::new(),
            sensitive: false,
            language,
            visibility,
            reply_to: None,
            conversation: id,
            mentions: Vec::new(),
            tags: Vec::new(),
            media: Vec::new(),
            poll: None,
            application: None,
            replies: 0,
            reblogs: 0,
            favourites: 0,
            quote: None,
            quote_policy: QuotePolicy::Nobody,
            quotes: 0,
        };
        self.rows.put(&post_key(id), &post);
        self.rows.list_at(Listing::Reblogs, account.0, of.post.0, id.0);
        self.index(&post);
        self.count_status(&post, true);
        self.out.emit(Written { entry: post.entry() }.into());
        self.deliver(post.entry());
        self.tell(of.post.bucket(), ReblogTold { post: of.post, by: post.reference(), on: true });
        Reply::Posted(id)
    }

    pub(super) fn unreblog(&mut self, it: Unreblog) -> Reply {
        let Unreblog { account, of } = it;
        let Some(place) = self.rows.unlist(Listing::Reblogs, account.0, of.post.0) else {
            return Reply::Done;
        };
        if let Some(post) = self.rows.own_post(account, PostId(place)) {
            self.take_away(&post);
            self.tell(of.post.bucket(), ReblogTold { post: of.post, by: post.reference(), on: false });
        }
        Reply::Done
    }

    pub(super) fn reblog_told(&mut self, it: ReblogTold) -> Reply {
        let ReblogTold { post: id, by, on } = it;
        let post = self.rows.post(id).filter(|post| post.reblog_of.is_none());
        let Some(post) = post.filter(|post| !on || self.may_reblog(post, by.author)) else {
            if on {
                self.end_reblogs(id, vec![by]);
            }
            return Reply::Done;
        };
        let changed = if on {
            self.rows.list_at(Listing::RebloggedBy, id.0, by.author.0, by.post.0)
        } else {
            self.rows.unlist(Listing::RebloggedBy, id.0, by.author.0).is_some()
        };
        if changed {
            self.rows.change_post(id, |post| post.reblogs = super::follow::step(post.reblogs, on));
            if on {
                self.notify_author(&post, NotificationKind::Reblog, by.author);
            } else {
                self.unnotify(post.author, NotificationKind::Reblog, by.author, Some(id));
            }
        }
        Reply::Done
    }

    /// A block may have crossed the reblog.
    fn may_reblog(&self, post: &Post, account: AccountId) -> bool {
        sabotage::lacks(Sabotage::BlockedReblog)
            || self.rows.may_see(post, Some(account)) && !self.rows.relation(post.author, account).blocked_by
    }

    /// Tells whoever made these reblogs that there is nothing any more that they stand for.
    pub(super) fn end_reblogs(&mut self, of: PostId, reblogs: Vec<PostRef>) {
        if sabotage::lacks(Sabotage::EndedReblogs) {
            return;
        }
        self.tell_each(reblogs, |reblog| reblog.author, |reblogs| ReblogsEnded { of, reblogs }.into());
    }

    /// Tells who reblogs a post that it was changed: some from a place on, the others later.
    pub(super) fn tell_edited(&mut self, id: PostId, above: u64) {
        let Some(post) = self.rows.post(id).filter(|_| !sabotage::lacks(Sabotage::EditTold)) else { return };
        let window = Window { above: Some(above), rising: true, ..Window::newest(TOLD) };
        let reblogs = self.rows.listing(Listing::RebloggedBy, id.0, window);
        if let Some((last, _)) = reblogs.last().filter(|_| reblogs.len() == TOLD) {
            self.set_due(self.now(), Due::EditTold, id.0, *last);
        }
        let (of, conversation) = (post.reference(), post.conversation);
        let rebloggers = reblogs.into_iter().map(|(_, by)| AccountId(by)).collect();
        self.tell_each(
            rebloggers,
            |account| *account,
            |rebloggers| ReblogsEdited { of, conversation, rebloggers }.into(),
        );
    }

    /// One message to each partition that has some of these.
    fn tell_each<T>(
        &mut self,
        all: Vec<T>,
        whose: impl Fn(&T) -> AccountId,
        message: impl Fn(Vec<T>) -> Command,
    ) {
        let mut parts: BTreeMap<usize, (u16, Vec<T>)> = BTreeMap::new();
        for one in all {
            let bucket = whose(&one).bucket();
            let partition = partition_of(bucket, self.place.partitions);
            parts.entry(partition).or_insert_with(|| (bucket, Vec::new())).1.push(one);
        }
        for (partition, (bucket, some)) in parts {
            self.tell_partition(partition, bucket, message(some));
        }
    }

    pub(super) fn reblogs_ended(&mut self, it: ReblogsEnded) -> Reply {
        for PostRef { post, author } in it.reblogs {
            if self.rows.place(Listing::Reblogs, author.0, it.of.0) != Some(post.0) {
                continue;
            }
            self.rows.unlist(Listing::Reblogs, author.0, it.of.0);
            if let Some(reblog) = self.rows.own_post(author, post) {
                self.take_away(&reblog);
            }
        }
        Reply::Done
    }

    pub(super) fn reblogs_edited(&mut self, it: ReblogsEdited) -> Reply {
        let ReblogsEdited { of, conversation, rebloggers } = it;
        for account in rebloggers {
            let reblogs = self.rows.place(Listing::Reblogs, account.0, of.post.0).is_some();
            if reblogs && self.rows.place(Listing::MutedThreads, account.0, conversation.0).is_none() {
                // Of many changes the last one is told.
                self.unnotify(account, NotificationKind::Update, of.author, Some(of.post));
                self.notify(account, NotificationKind::Update, of.author, Some(of));
            }
        }
        Reply::Done
    }
}
