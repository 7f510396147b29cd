//! Posts that their authors take back, and what becomes of all that belonged to them.

use super::due::Due;
use super::listing::Listing;
use super::post::{Post, post_key};
use super::rows::{family, key};
use super::{Turn, Window, refused};
use crate::command::message::ReplyTold;
use crate::command::{DeletePost, Refusal, Reply};
use crate::event::Gone;
use crate::sabotage::{self, Sabotage};
use crate::value::{AccountId, ItemId, PostId, PostRef, Visibility};

/// Rows of a post's listings that one step clears away.
const SWEEP: usize = 1_000;
/// Reblogs that one step ends: each is told to followers.
const REBLOGS: usize = 100;

impl Turn<'_> {
    pub(super) fn delete_post(&mut self, it: DeletePost) -> Reply {
        let DeletePost { account, post: id, delete_media } = it;
        let Some(mut post) = self.rows.own_post(account, id).filter(|post| post.reblog_of.is_none()) else {
            return refused(Refusal::NotFound);
        };
        if let Some(poll) = &post.poll {
            self.clear_due(poll.expires, Due::PollEnd, id.0, 0);
            self.forget_votes(id);
        }
        self.rows.unlist(Listing::Pins, account.0, id.0);
        if let Some(parent) = post.reply_to {
            let reply = post.reference();
            self.tell(parent.post.bucket(), ReplyTold { parent: parent.post, reply, on: false });
        }
        self.tell_quote(&post, false);
        let before = self.rows.revisions(id);
        for media in before.iter().flat_map(|before| &before.media).chain(&post.media) {
            self.let_go(account, media.id, delete_media);
        }
        self.take_away(&post);
        let named = std::mem::take(&mut post.mentions);
        self.unname(&post, &named);
        if post.visibility == Visibility::Direct {
            self.unsaid(account, post.conversation, id);
        }
        self.set_due(self.now(), Due::Sweep, id.0, 0);
        Reply::Done
    }

    /// An attachment of a post that is gone.
    fn let_go(&mut self, account: AccountId, media: ItemId, at_once: bool) {
        if at_once || sabotage::lacks(Sabotage::Redraft) {
            self.forget_media(account, media);
        } else {
            self.detach(account, media);
        }
    }

    /// Removes a post's row and entries, and lets whoever has it know.
    pub(super) fn take_away(&mut self, post: &Post) {
        self.unindex(post);
        self.rows.remove(&post_key(post.id));
        self.count_status(post, false);
        self.out.emit(Gone { post: post.reference(), own: true }.into());
        self.retract(post, false);
    }

    /// Clears away what a deleted post leaves, so much at a time that nobody waits for it.
    pub(super) fn sweep(&mut self, post: PostId) {
        if sabotage::lacks(Sabotage::Sweep) {
            return;
        }
        let reblogs = self.rows.listing(Listing::RebloggedBy, post.0, Window::newest(REBLOGS));
        for (_, by) in &reblogs {
            self.rows.unlist(Listing::RebloggedBy, post.0, *by);
        }
        let one = |(id, by): &(u64, u64)| PostRef { post: PostId(*id), author: AccountId(*by) };
        self.end_reblogs(post, reblogs.iter().map(one).collect());
        let mut left = SWEEP;
        for listing in [Listing::FavouritedBy, Listing::Replies, Listing::Quotes] {
            for (_, subject) in self.rows.listing(listing, post.0, Window::newest(left)) {
                self.rows.unlist(listing, post.0, subject);
                left -= 1;
            }
        }
        let revisions = self.rows.tables.scan(&key(family::REVISION, [post.0]));
        revisions.iter().for_each(|(key, _)| self.rows.remove(key));
        if left == 0 || reblogs.len() == REBLOGS {
            self.set_due(self.now(), Due::Sweep, post.0, 0);
        }
    }
}
