//! Erasing accounts.

use decalog_runtime::payloads;

payloads! {
    /// Forget an account and everything that is of it. Its id stays with other systems, and says nothing.
    EraseAccount {
        /// The account.
        account: u64,
        /// Refuse it for the last person who holds this right; none when it must be done whatever comes of it.
        unless_last_with: Option<String>,
    }
}
