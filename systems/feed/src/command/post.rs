//! Writing, and what is done with what others wrote.

use crate::value::{AccountId, Application, ItemId, Mention, Poll, PostId, PostRef, QuotePolicy, Visibility};

decalog_runtime::payloads! {
    /// What is posted. Names and tags in the text were found at the edge.
    #[derive(Default)]
    Draft {
        /// As it was written.
        text: String,
        /// A warning before it.
        spoiler: String,
        /// Attachments are hidden at first.
        sensitive: bool,
        /// ISO 639-1.
        language: Option<String>,
        /// Who may see it.
        visibility: Visibility,
        /// What it answers.
        reply_to: Option<PostRef>,
        /// The post that the thread began with, when it answers one.
        conversation: Option<PostId>,
        /// Whom it names.
        mentions: Vec<Mention>,
        /// Its tags: normalised, and as they were written.
        tags: Vec<(String, String)>,
        /// Its attachments, which must be the author's.
        media: Vec<ItemId>,
        /// Its question; a scheduled one's end counts from 1970, and is moved on to when it is published.
        poll: Option<Poll>,
        /// What it was written with.
        application: Option<Application>,
        /// What it quotes, which they were seen to be allowed.
        #[serde(default)]
        quote: Option<PostRef>,
        /// Who may quote it.
        #[serde(default = "QuotePolicy::nobody")]
        quote_policy: QuotePolicy,
    }
    /// Post, now or later.
    Publish {
        /// Who.
        account: AccountId,
        /// What.
        draft: Draft,
        /// When, in nanoseconds since 1970.
        scheduled: Option<i64>,
    }
    /// Change a post.
    EditPost {
        /// Who.
        account: AccountId,
        /// Which.
        post: PostId,
        /// What it is from now on. Who may see it, what it answers and how it was written stay.
        draft: Draft,
    }
    /// Take a post back.
    DeletePost {
        /// Who.
        account: AccountId,
        /// Which.
        post: PostId,
        /// Its attachments go at once; else they can be part of another post for a while.
        #[serde(default)]
        delete_media: bool,
    }
    /// Show somebody's post to one's own followers.
    Reblog {
        /// Who.
        account: AccountId,
        /// What, which they were seen to be allowed.
        of: PostRef,
        /// Who may see the reblog.
        visibility: Visibility,
        /// The post's language, for followers who chose.
        language: Option<String>,
    }
    /// Take a reblog back.
    Unreblog {
        /// Who.
        account: AccountId,
        /// Of which post.
        of: PostRef,
    }
    /// Say who may quote a post from now on.
    SetQuotePolicy {
        /// Who.
        account: AccountId,
        /// Which of their posts.
        post: PostId,
        /// Who.
        policy: QuotePolicy,
    }
    /// Take back that a post may quote another.
    RevokeQuote {
        /// Who.
        account: AccountId,
        /// Which of their posts is quoted.
        post: PostId,
        /// By which.
        quote: PostId,
    }
    /// Like a post, or no more. Goes to the author's partition, which knows whether they may see it.
    Favourite {
        /// Who.
        account: AccountId,
        /// Which post.
        post: PostId,
        /// From now on.
        on: bool,
    }
    /// Keep a post, or no more.
    SetBookmark {
        /// Who.
        account: AccountId,
        /// Which post, which they were seen to be allowed.
        post: PostRef,
        /// From now on.
        on: bool,
    }
    /// Show a post first on the profile, or no more.
    SetPin {
        /// Who.
        account: AccountId,
        /// Which of their posts.
        post: PostId,
        /// From now on.
        on: bool,
    }
    /// Hear no more of a thread, or again.
    SetThreadMute {
        /// Who.
        account: AccountId,
        /// The post that the thread began with.
        conversation: PostId,
        /// From now on.
        on: bool,
    }
    /// Vote in a poll. Goes to the author's partition.
    Vote {
        /// Who.
        account: AccountId,
        /// The post that asks.
        post: PostId,
        /// The answers' places.
        choices: Vec<u32>,
    }
    /// Give a scheduled post another time.
    Reschedule {
        /// Whose.
        account: AccountId,
        /// Which.
        scheduled: ItemId,
        /// When, in nanoseconds since 1970.
        at: i64,
    }
    /// Do not publish a scheduled post.
    CancelScheduled {
        /// Whose.
        account: AccountId,
        /// Which.
        scheduled: ItemId,
    }
}
