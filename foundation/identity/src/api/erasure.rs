//! Erasing an account: what is checked before, and what makes it last.

use std::sync::Arc;

use decalog_runtime::erasure::ErasureError;

use super::service::{ADMIN, Identity, Trouble};
use crate::command::{EraseAccount, Refusal};
use crate::state::Directory;

/// Why an account is not erased.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotErased {
    /// The configuration would open it again.
    #[error(
        "the configuration names this account ([[identity.accounts]]) and would open it again: take it out there and \
         restart, then erase it"
    )]
    Declared,
    /// The directory does not do it.
    #[error(transparent)]
    Trouble(#[from] Trouble),
    /// It is gone, but a backup would bring it back.
    #[error("{0}; it is tried again every second, and the account is gone meanwhile")]
    Ledger(ErasureError),
}

impl Identity {
    /// Forgets an account. When this returns, no backup brings it back.
    pub(crate) async fn erase(self: &Arc<Self>, by: u64, account: u64) -> Result<(), NotErased> {
        let name = self.read(move |state| state.account(account).map(|account| account.name.clone())).await?;
        let name = name.ok_or(Trouble::Refused(Refusal::UnknownAccount))?;
        if self.settings.accounts.iter().any(|declared| declared.name == name) {
            return Err(NotErased::Declared);
        }
        let erase = EraseAccount { account, unless_last_with: Some(ADMIN.to_owned()) };
        self.ask(by, &account.to_string(), erase).await?;
        let identity = Arc::clone(self);
        let record = move || identity.erasures.record::<Directory>(account, identity.clock.utc());
        match tokio::task::spawn_blocking(record).await {
            Ok(recorded) => recorded.map_err(NotErased::Ledger),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}
