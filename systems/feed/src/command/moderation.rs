//! What moderators do.

use crate::value::{AccountId, Standing};

decalog_runtime::payloads! {
    /// Take measures about an account, or take them back. Goes to the account's partition, which tells all others.
    Moderate {
        /// About whom.
        account: AccountId,
        /// What holds from now on.
        standing: Standing,
    }
}
