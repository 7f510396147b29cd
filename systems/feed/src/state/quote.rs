//! Quotes: a post that shows another one in itself. The quoted post's partition decides whether it may, counts it, and can
//! take that back; the quoting post's remembers what was decided.

use serde::{Deserialize, Serialize};

use super::due::Due;
use super::follow::step;
use super::listing::{Listing, prefix};
use super::post::Post;
use super::rows::{Rows, Window};
use super::{Relation, Turn, refused};
use crate::command::message::{QuoteAnswered, QuoteTold, QuotedEdited};
use crate::command::{Refusal, Reply, RevokeQuote, SetQuotePolicy};
use crate::event::Changed;
use crate::sabotage::{self, Sabotage};
use crate::value::{AccountId, NotificationKind, PostId, PostRef, QuotePolicy, QuoteState, Visibility};

/// Authors who are told at once that what they quoted was edited.
const TOLD: usize = 1_000;

/// What a post quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// Which post.
    pub of: PostRef,
    /// What its author's partition decided.
    pub state: QuoteState,
}

/// How a viewer finds the quoted post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Its author lets them see it.
    Seen,
    /// It is there, and not for them.
    Hidden,
    /// It is gone.
    Gone,
}

/// How a quote is shown to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuoteShown {
    /// The name that the API has for it.
    pub state: &'static str,
    /// Whether the quoted post is shown with it.
    pub with_post: bool,
}

impl Quote {
    /// How it is shown to a viewer who finds the quoted post so and stands so to its author; to nobody in particular and to the
    /// author, without any relation.
    pub fn shown(&self, found: Found, relation: Option<&Relation>) -> QuoteShown {
        let without = |state| QuoteShown { state, with_post: false };
        let found = if sabotage::lacks(Sabotage::QuoteSight) { Found::Seen } else { found };
        let with = |state| QuoteShown { state, with_post: true };
        match (self.state, found) {
            (QuoteState::Rejected, _) => without("rejected"),
            (QuoteState::Revoked, _) => without("revoked"),
            (QuoteState::Accepted, Found::Gone) => without("deleted"),
            (QuoteState::Accepted, Found::Hidden) => without("unauthorized"),
            (QuoteState::Accepted, Found::Seen) => match relation {
                Some(relation) if relation.blocked_by => without("unauthorized"),
                Some(relation) if relation.blocking => with("blocked_account"),
                Some(relation) if relation.muting.is_some() => with("muted_account"),
                _ => with("accepted"),
            },
        }
    }
}

/// What a policy is for a post: only the author quotes what is not for everybody.
pub(super) fn policy_for(visibility: Visibility, policy: QuotePolicy) -> QuotePolicy {
    if visibility.is_open() { policy } else { QuotePolicy::Nobody }
}

impl Rows {
    /// Whether an account may quote a post, in a post that those may see.
    fn may_quote(&self, quoted: &Post, by: AccountId, visibility: Visibility) -> bool {
        if sabotage::lacks(Sabotage::QuotePolicy) {
            return true;
        }
        if quoted.visibility == Visibility::Direct || !self.may_see(quoted, Some(by)) {
            return false;
        }
        if by == quoted.author {
            return quoted.visibility.is_open() || !visibility.is_open();
        }
        match quoted.quote_policy {
            QuotePolicy::Public => true,
            QuotePolicy::Followers => self.relation(quoted.author, by).followed_by,
            QuotePolicy::Nobody => false,
        }
    }
}

/// The quoting post's side.
impl Turn<'_> {
    /// Tells the quoted post's partition that a post quotes it, or no more.
    pub(super) fn tell_quote(&mut self, post: &Post, on: bool) {
        if let Some(Quote { of, .. }) = post.quote {
            let (by, visibility) = (post.reference(), post.visibility);
            self.tell(of.post.bucket(), QuoteTold { quoted: of.post, by, visibility, on });
        }
    }

    /// A quote of this partition was rejected, or was accepted once and is no more.
    pub(super) fn quote_answered(&mut self, it: QuoteAnswered) -> Reply {
        let QuoteAnswered { quote: id, of, state } = it;
        let Some(mut post) = self.rows.post(id) else { return Reply::Done };
        if post.quote.is_none_or(|quote| quote.of != of || quote.state == state) {
            return Reply::Done;
        }
        post.quote = Some(Quote { of, state });
        self.rows.put(&super::post::post_key(id), &post);
        self.out.emit(Changed { post: post.reference(), own: true }.into());
        self.retract(&post, true);
        Reply::Done
    }

    /// What a post of this partition quotes was edited.
    pub(super) fn quoted_edited(&mut self, it: QuotedEdited) -> Reply {
        let Some(post) = self.rows.post(it.quote) else { return Reply::Done };
        let of = Quote { of: it.of, state: QuoteState::Accepted };
        if post.quote == Some(of) {
            self.notify(post.author, NotificationKind::QuotedUpdate, it.of.author, Some(post.reference()));
        }
        Reply::Done
    }
}

/// The quoted post's side.
impl Turn<'_> {
    pub(super) fn quote_told(&mut self, it: QuoteTold) -> Reply {
        let QuoteTold { quoted: id, by, visibility, on } = it;
        // Whoever quotes what is gone sees that it is.
        let Some(quoted) = self.rows.post(id).filter(|post| post.reblog_of.is_none()) else {
            return Reply::Done;
        };
        if !on {
            if self.count_quote(id, by.post, false) {
                self.unnotify(quoted.author, NotificationKind::Quote, by.author, Some(by.post));
            }
            return Reply::Done;
        }
        if !self.rows.may_quote(&quoted, by.author, visibility) {
            let (quote, of) = (by.post, quoted.reference());
            self.tell(by.post.bucket(), QuoteAnswered { quote, of, state: QuoteState::Rejected });
            return Reply::Done;
        }
        let muted = self.rows.place(Listing::MutedThreads, quoted.author.0, quoted.conversation.0).is_some();
        if self.count_quote(id, by.post, true) && !muted {
            self.notify(quoted.author, NotificationKind::Quote, by.author, Some(by));
        }
        Reply::Done
    }

    /// A quote more or less; says whether that changed anything.
    fn count_quote(&mut self, quoted: PostId, quote: PostId, on: bool) -> bool {
        let changed = if on {
            self.rows.list_at(Listing::Quotes, quoted.0, quote.0, quote.0)
        } else {
            self.rows.unlist(Listing::Quotes, quoted.0, quote.0).is_some()
        };
        if changed {
            self.rows.change_post(quoted, |post| post.quotes = step(post.quotes, on));
        }
        changed
    }

    pub(super) fn revoke_quote(&mut self, it: RevokeQuote) -> Reply {
        let RevokeQuote { account, post, quote } = it;
        let Some(quoted) = self.rows.own_post(account, post) else { return refused(Refusal::NotFound) };
        if !self.count_quote(post, quote, false) {
            return refused(Refusal::NotFound);
        }
        let of = quoted.reference();
        self.tell(quote.bucket(), QuoteAnswered { quote, of, state: QuoteState::Revoked });
        Reply::Done
    }

    pub(super) fn set_quote_policy(&mut self, it: SetQuotePolicy) -> Reply {
        let SetQuotePolicy { account, post: id, policy } = it;
        let Some(mut post) = self.rows.own_post(account, id).filter(|post| post.reblog_of.is_none()) else {
            return refused(Refusal::NotFound);
        };
        post.quote_policy = policy_for(post.visibility, policy);
        self.rows.put(&super::post::post_key(id), &post);
        Reply::Posted(id)
    }

    /// Tells who quotes a post that it was edited, so many at a time; those after this place.
    pub(super) fn tell_quoters(&mut self, quoted: PostId, after: u64) {
        let Some(post) = self.rows.post(quoted) else { return };
        let of = post.reference();
        let window = Window { above: Some(after), rising: true, ..Window::newest(TOLD) };
        let quotes = self.rows.page::<u64>(&prefix(Listing::Quotes, quoted.0), window);
        for (_, quote) in &quotes {
            let quote = PostId(*quote);
            self.tell(quote.bucket(), QuotedEdited { quote, of });
        }
        if quotes.len() == TOLD
            && let Some((last, _)) = quotes.last()
        {
            self.set_due(self.now(), Due::TellQuoters, quoted.0, *last);
        }
    }
}
