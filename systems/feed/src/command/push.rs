//! Web push: where an account is told of its notifications when none of its apps is open.

use std::collections::BTreeSet;

use crate::value::{AccountId, ItemId, NotificationKind, PushPolicy};

decalog_runtime::payloads! {
    /// Push to an address what a session asks for; what the session asked for before ends.
    SetPush {
        /// Whose.
        account: AccountId,
        /// The session whose token asks, in identity.
        session: u64,
        /// Where to.
        endpoint: String,
        /// The receiver's public key: an uncompressed point of P-256.
        public: Vec<u8>,
        /// The secret that the receiver shares.
        auth: Vec<u8>,
        /// Encrypted by RFC 8291; else by the draft that older apps know.
        standard: bool,
        /// What is told.
        alerts: BTreeSet<NotificationKind>,
        /// By whom it must be caused.
        policy: PushPolicy,
        /// The session's token, sealed at the edge: the receiver is told it, and nobody else.
        token: Vec<u8>,
    }
    /// Push other things.
    ChangePush {
        /// Whose.
        account: AccountId,
        /// The session.
        session: u64,
        /// What is told.
        alerts: BTreeSet<NotificationKind>,
        /// By whom it must be caused.
        policy: PushPolicy,
    }
    /// Push no more.
    RemovePush {
        /// Whose.
        account: AccountId,
        /// The session.
        session: u64,
        /// Only if it is this subscription; none means whichever there is.
        only: Option<ItemId>,
    }
}
