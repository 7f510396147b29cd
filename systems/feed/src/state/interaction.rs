//! What is done with a post beside reblogging: likes, bookmarks, pins, muted threads, answers.

use super::follow::step;
use super::listing::Listing;
use super::{Turn, refused};
use crate::command::message::{FavouriteTold, ReplyTold};
use crate::command::{Favourite, Refusal, Reply, SetBookmark, SetPin, SetThreadMute};
use crate::value::{NotificationKind, PostRef, Visibility};

/// Posts that one account may show first.
const PINS: usize = 5;

impl Turn<'_> {
    /// In the author's partition: it knows who may see the post, and counts.
    pub(super) fn favourite(&mut self, it: Favourite) -> Reply {
        let Favourite { account, post: id, on } = it;
        let post = self.rows.post(id).filter(|post| !on || self.rows.may_see(post, Some(account)));
        let Some(post) = post.filter(|post| post.reblog_of.is_none()) else {
            return refused(Refusal::NotFound);
        };
        if self.set_listed_in(Listing::FavouritedBy, id.0, account.0, on) {
            self.rows.change_post(id, |post| post.favourites = step(post.favourites, on));
            if on {
                self.notify_author(&post, NotificationKind::Favourite, account);
            } else {
                self.unnotify(post.author, NotificationKind::Favourite, account, Some(id));
            }
            self.tell(account.bucket(), FavouriteTold { account, post: post.reference(), on });
        }
        Reply::Done
    }

    /// In the partition of who likes it: for their own listing.
    pub(super) fn favourite_told(&mut self, it: FavouriteTold) -> Reply {
        if it.on && self.rows.is_erased(it.account) {
            let FavouriteTold { account, post: PostRef { post, .. }, .. } = it;
            self.tell(post.bucket(), Favourite { account, post, on: false });
            return Reply::Done;
        }
        self.set_listed_in(Listing::Favourites, it.account.0, it.post.post.0, it.on);
        if it.on {
            self.be_active(it.account);
        }
        Reply::Done
    }

    pub(super) fn set_bookmark(&mut self, it: SetBookmark) -> Reply {
        self.set_listed_in(Listing::Bookmarks, it.account.0, it.post.post.0, it.on);
        Reply::Done
    }

    pub(super) fn set_pin(&mut self, it: SetPin) -> Reply {
        let SetPin { account, post: id, on } = it;
        let Some(post) = self.rows.own_post(account, id).filter(|post| post.reblog_of.is_none()) else {
            return refused(Refusal::NotFound);
        };
        if on && post.visibility == Visibility::Direct {
            return refused(Refusal::WrongVisibility);
        }
        let full = || self.rows.listing(Listing::Pins, account.0, super::Window::newest(PINS)).len() == PINS;
        if on && self.rows.place(Listing::Pins, account.0, id.0).is_none() && full() {
            return refused(Refusal::TooMany);
        }
        self.set_listed_in(Listing::Pins, account.0, id.0, on);
        Reply::Done
    }

    pub(super) fn set_thread_mute(&mut self, it: SetThreadMute) -> Reply {
        self.set_listed_in(Listing::MutedThreads, it.account.0, it.conversation.0, it.on);
        Reply::Done
    }

    /// A post of this partition was answered, or an answer is gone.
    pub(super) fn reply_told(&mut self, it: ReplyTold) -> Reply {
        let ReplyTold { parent, reply, on } = it;
        if self.rows.post(parent).is_none_or(|post| post.reblog_of.is_some()) {
            return Reply::Done;
        }
        // The answer's id is its place; it is also the subject, as an author may answer more than once.
        let changed = if on {
            self.rows.list_at(Listing::Replies, parent.0, reply.post.0, reply.post.0)
        } else {
            self.rows.unlist(Listing::Replies, parent.0, reply.post.0).is_some()
        };
        if changed {
            self.rows.change_post(parent, |post| post.replies = step(post.replies, on));
        }
        Reply::Done
    }
}
