//! Erasure: accounts that identity has erased are erased here, at the start before anybody is served, and as it happens;
//! and the files of the tables forget, within the erasure window, what is in no row any more. Attachments go as all files
//! do that nobody refers to ([`super::collection`]).

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use decalog_runtime::Origin;
use tokio::sync::broadcast::error::RecvError;

use super::service::{Failure, Service, Shared};
use crate::command::EraseAccount;
use crate::value::AccountId;

/// How often is tried again what did not work.
const AGAIN: Duration = Duration::from_secs(1);

/// Where and how often files forget.
pub(crate) struct Files {
    /// Its age says when they did so last, also before a restart.
    pub(crate) mark: PathBuf,
    pub(crate) every: Duration,
}

impl Service {
    /// Erases what identity has erased, also what a backup has brought back. Blocks.
    pub(crate) fn erase_again(&self, accounts: &[u64]) -> Result<(), Failure> {
        for account in accounts.iter().copied().map(AccountId) {
            let partition = self.partition(account.bucket());
            if partition.read_blocking(0, move |feed| feed.is_erased(account))?.value {
                continue;
            }
            let origin = Origin::system(account.bucket());
            partition.submit_blocking(origin, &EraseAccount { account }.into())?;
        }
        Ok(())
    }

    async fn erase(&self, account: AccountId) {
        while let Err(error) = self.ask(AccountId(0), account.bucket(), EraseAccount { account }).await {
            tracing::warn!(%account, ?error, "an account that identity has erased is not erased yet");
            tokio::time::sleep(AGAIN).await;
        }
        self.forget_known(account);
    }

    /// Brings the files of the tables to what the rows say.
    async fn tidy_files(self: Arc<Self>) -> std::io::Result<()> {
        match tokio::task::spawn_blocking(move || self.rewrite_tables()).await {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}

/// Erases accounts as identity does, until the feed is gone.
pub(crate) fn follow_erasures(service: &Shared, mut erased: tokio::sync::broadcast::Receiver<u64>) {
    let service = Arc::downgrade(service);
    tokio::spawn(async move {
        loop {
            let accounts = match erased.recv().await {
                Ok(account) => vec![account],
                Err(RecvError::Closed) => return,
                // Too many at once: the ledger knows them all.
                Err(RecvError::Lagged(_)) => match service.upgrade() {
                    Some(service) => service.identity.erased(),
                    None => return,
                },
            };
            let Some(service) = service.upgrade() else { return };
            for account in accounts {
                service.erase(AccountId(account)).await;
            }
        }
    });
}

/// Lets the files forget, again and again, until the feed is gone.
pub(crate) fn forget_by_age(service: &Shared, files: Files) {
    let service: Weak<Service> = Arc::downgrade(service);
    tokio::spawn(async move {
        let Files { mark, every } = files;
        let age = |mark: &PathBuf| {
            let made = std::fs::metadata(mark).and_then(|mark| mark.modified()).ok()?;
            SystemTime::now().duration_since(made).ok()
        };
        loop {
            tokio::time::sleep(every.saturating_sub(age(&mark).unwrap_or(every)).max(AGAIN)).await;
            let Some(service) = service.upgrade() else { return };
            let tidied = service.tidy_files().await;
            let marked = tidied.and_then(|()| std::fs::write(&mark, b""));
            if let Err(error) = marked {
                tracing::warn!(%error, "the feed's files do not forget now");
            }
        }
    });
}
