//! Everything that a partition tells others: what timelines in memory and open streams are fed with.

use crate::state::Emoji;
use crate::value::{AccountId, Entry, ItemId, Notice, NotificationKind, PostId, PostRef, Standing};

decalog_runtime::payloads! {
    /// A slice of a post's fan-out has arrived, for the followers of its author that are of this partition.
    Arrived {
        /// The post.
        entry: Entry,
    }
    /// A post was written: for the author's own timeline and for public streams.
    Written {
        /// The post.
        entry: Entry,
    }
    /// A post was changed.
    Changed {
        /// Which.
        post: PostRef,
        /// In this partition it was written, else only delivered.
        own: bool,
    }
    /// A post is gone.
    Gone {
        /// Which.
        post: PostRef,
        /// In this partition it was written, else only delivered.
        own: bool,
    }
    /// Whom somebody follows, mutes or blocks, and which tags and lists they have, changed: what is kept of their timeline is
    /// made anew.
    HomeChanged {
        /// Whose.
        account: AccountId,
    }
    /// Somebody is told something.
    Notified {
        /// Who.
        account: AccountId,
        /// The notification.
        notification: ItemId,
        /// What it tells.
        kind: NotificationKind,
    }
    /// Somebody's conversation goes on.
    Conversed {
        /// Whose.
        account: AccountId,
        /// The post that it began with.
        conversation: PostId,
    }
    /// Somebody's filters changed.
    FiltersChanged {
        /// Whose.
        account: AccountId,
    }
    /// Notifications that were kept apart are among the others now.
    NotificationsMerged {
        /// Whose.
        account: AccountId,
    }
    /// An account was erased: told by its own partition.
    AccountGone {
        /// Which.
        account: AccountId,
    }
    /// The server lets everybody know something.
    Noticed {
        /// What.
        notice: Notice,
    }
    /// A custom emoji was made or changed, or is gone.
    EmojiChanged {
        /// Its name.
        shortcode: String,
        /// What it is now.
        emoji: Option<Emoji>,
    }
    /// Moderators have taken measures about an account: told by its own partition.
    StandingChanged {
        /// Whose.
        account: AccountId,
        /// What holds from now on.
        standing: Standing,
    }
    /// Somebody's push subscriptions changed.
    PushChanged {
        /// Whose.
        account: AccountId,
        /// There are some.
        on: bool,
    }
}

decalog_runtime::kinds! {
    /// What is told. The numbers are released and never used again.
    #[derive(Clone, Debug, PartialEq, Eq)]
    Event {
        /// A slice of a post's fan-out has arrived.
        1 "arrived" Arrived,
        /// A post was written.
        2 "written" Written,
        /// A post was changed.
        3 "changed" Changed,
        /// A post is gone.
        4 "gone" Gone,
        /// Whom somebody follows changed.
        5 "home-changed" HomeChanged,
        /// Somebody is told something.
        6 "notified" Notified,
        /// Somebody's conversation goes on.
        7 "conversed" Conversed,
        /// Somebody's filters changed.
        8 "filters-changed" FiltersChanged,
        /// Notifications that were kept apart are among the others now.
        15 "notifications-merged" NotificationsMerged,
        /// Moderators have taken measures about an account.
        16 "standing-changed" StandingChanged,
        /// The server lets everybody know something.
        17 "noticed" Noticed,
        /// A custom emoji was made or changed, or is gone.
        18 "emoji-changed" EmojiChanged,
        /// An account was erased.
        19 "account-gone" AccountGone,
        /// Somebody's push subscriptions changed.
        20 "push-changed" PushChanged,
    }
}
