//! Reblogs: a post of the reblogger's that has nothing of its own, counted where the original is.

use super::listing::Listing;
use super::post::{Post, post_key};
use super::{Turn, refused};
use crate::command::message::ReblogTold;
use crate::command::{Reblog, Refusal, Reply, Unreblog};
use crate::event::Written;
use crate::value::{NotificationKind, PostId, QuotePolicy, Visibility};

impl Turn<'_> {
    pub(super) fn reblog(&mut self, it: Reblog) -> Reply {
        let Reblog { account, of, visibility, language } = it;
        if !self.rows.has_account(account) {
            return refused(Refusal::NotFound);
        }
        if visibility == Visibility::Direct {
            return refused(Refusal::WrongVisibility);
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
        self.count_status(account, visibility, true);
        self.out.emit(Written { entry: post.entry() }.into());
        self.tell(of.post.bucket(), ReblogTold { post: of.post, by: post.reference(), on: true });
        self.deliver(post.entry());
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
        let Some(post) = self.rows.post(id).filter(|post| post.reblog_of.is_none()) else {
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
}
