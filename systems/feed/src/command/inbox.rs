//! What reaches an account: notifications and conversations.

use crate::value::{AccountId, ItemId, PostId};

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
}
