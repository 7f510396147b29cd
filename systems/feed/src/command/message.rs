//! What one partition tells another, exactly once and in order.

use crate::value::{
    AccountId, Entry, ItemId, NotificationKind, PostId, PostRef, QuoteState, Standing, Visibility,
};

decalog_runtime::payloads! {
    /// They wish to follow somebody of this partition.
    Asked {
        /// Who.
        from: AccountId,
        /// Whom.
        target: AccountId,
    }
    /// They wish no more, or follow no more.
    Unasked {
        /// Who.
        from: AccountId,
        /// Whom.
        target: AccountId,
    }
    /// The one whom somebody of this partition follows or asked has decided.
    Answered {
        /// Who asked.
        from: AccountId,
        /// Who decided.
        target: AccountId,
        /// Whether they may follow.
        accept: Decision,
    }
    /// Somebody blocks somebody of this partition, or no more.
    BlockTold {
        /// Who blocks.
        from: AccountId,
        /// Whom.
        target: AccountId,
        /// From now on.
        on: bool,
    }
    /// A slice of a post's fan-out: for the followers of its author that are of this partition.
    Delivered {
        /// The post.
        entry: Entry,
    }
    /// What was delivered is gone, or has changed.
    Retracted {
        /// The post and its author.
        post: PostRef,
        /// It is still there, in another form.
        edited: bool,
    }
    /// A post names somebody of this partition.
    Named {
        /// Whom.
        target: AccountId,
        /// The post.
        post: PostRef,
        /// The post that the thread began with.
        conversation: PostId,
        /// Who may see it.
        visibility: Visibility,
        /// Everybody who takes part, for a direct post.
        participants: Vec<AccountId>,
    }
    /// A post of this partition was answered, or an answer is gone.
    ReplyTold {
        /// What was answered.
        parent: PostId,
        /// The answer.
        reply: PostRef,
        /// There, or gone.
        on: bool,
    }
    /// A post of this partition was reblogged, or no more.
    ReblogTold {
        /// Which.
        post: PostId,
        /// By whom, with the reblog's own id.
        by: PostRef,
        /// There, or gone.
        on: bool,
    }
    /// A post of this partition is quoted, or no more.
    QuoteTold {
        /// Which.
        quoted: PostId,
        /// By which.
        by: PostRef,
        /// Who may see that.
        visibility: Visibility,
        /// From now on.
        on: bool,
    }
    /// What was decided of a quote of this partition.
    QuoteAnswered {
        /// The quoting post.
        quote: PostId,
        /// What it quotes.
        of: PostRef,
        /// The decision; that it may was known before.
        state: QuoteState,
    }
    /// What a post of this partition quotes was edited.
    QuotedEdited {
        /// The quoting post.
        quote: PostId,
        /// What it quotes.
        of: PostRef,
    }
    /// Posts of this partition reblog what is gone, or what their authors may not reblog.
    ReblogsEnded {
        /// What they reblog.
        of: PostId,
        /// The reblogs and who made them.
        reblogs: Vec<PostRef>,
    }
    /// What accounts of this partition reblog has changed.
    ReblogsEdited {
        /// What they reblog.
        of: PostRef,
        /// The post that its thread began with.
        conversation: PostId,
        /// Who made them.
        rebloggers: Vec<AccountId>,
    }
    /// A post names somebody of this partition no more, or is gone.
    Unnamed {
        /// Whom.
        target: AccountId,
        /// The post.
        post: PostRef,
        /// The post that the thread began with.
        conversation: PostId,
    }
    /// Somebody of this partition likes a post, or no more.
    FavouriteTold {
        /// Who.
        account: AccountId,
        /// Which post.
        post: PostRef,
        /// From now on.
        on: bool,
    }
    /// An account was erased. Every partition forgets what it holds of it.
    Forgotten {
        /// Which.
        account: AccountId,
    }
    /// Somebody reported, or signed up: for a moderator of this partition.
    Flagged {
        /// Who is told.
        moderator: AccountId,
        /// [`NotificationKind::AdminReport`] or [`NotificationKind::AdminSignUp`].
        kind: NotificationKind,
        /// Who reported, or signed up.
        from: AccountId,
        /// The report.
        report: Option<ItemId>,
    }
    /// Somebody of this partition has reported posts.
    Reported {
        /// Who.
        account: AccountId,
        /// Which; the report holds them.
        posts: Vec<PostId>,
    }
    /// Moderators have taken measures about an account, or have taken them back. Every partition hears of it.
    StandingTold {
        /// About whom.
        account: AccountId,
        /// What holds from now on.
        standing: Standing,
    }
}

/// What became of a wish to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Decision {
    /// They follow.
    Accepted,
    /// It waits to be decided.
    Waiting,
    /// They do not follow, or no more.
    Rejected,
}
