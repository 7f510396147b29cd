//! What reaches an account: notifications and conversations.

use crate::value::{AccountId, ItemId, PostId, Treatment};

decalog_runtime::payloads! {
    /// Forget notifications.
    ClearNotifications {
        /// Whose.
        account: AccountId,
        /// Which; none means all.
        only: Option<Vec<ItemId>>,
    }
    /// A conversation was read.
    ReadConversation {
        /// Whose.
        account: AccountId,
        /// The post that it began with.
        conversation: PostId,
    }
    /// Show a conversation no more until something new is said.
    HideConversation {
        /// Whose.
        account: AccountId,
        /// The post that it began with.
        conversation: PostId,
    }
    /// Say which notifications are kept apart or dropped; what is `None` stays.
    #[derive(Default)]
    SetPolicy {
        /// Whose.
        account: AccountId,
        /// Those from accounts that it does not follow.
        not_following: Option<Treatment>,
        /// Those from accounts that do not follow it, or only since a short time.
        not_followers: Option<Treatment>,
        /// Those from accounts that are new and that it does not follow.
        new_accounts: Option<Treatment>,
        /// Private mentions of accounts that it does not follow, and that it did not write to first.
        private_mentions: Option<Treatment>,
        /// Those from accounts that are limited and that it does not follow.
        limited_accounts: Option<Treatment>,
    }
    /// Decide about accounts whose notifications were kept apart.
    AnswerNotificationRequests {
        /// Whose.
        account: AccountId,
        /// Which.
        requests: Vec<ItemId>,
        /// Take them in, also those that come, or forget those that came.
        accept: bool,
    }
}
