//! Files that nobody refers to any more are removed, once in a while.
//!
//! What is referred to is read first, partition by partition, then the store is looked through. That this is never too
//! early: a row names a file only because it was just put (then it is younger than the grace period, and stays whatever was
//! read), or because another row named it before, of the same account and so of the same partition, at the same moment.

use std::sync::{Arc, Weak};
use std::time::Duration;

use decalog_blob::{BlobId, Collected};
use tokio::time::{MissedTickBehavior, interval};

use super::error::Error;
use super::service::Service;

/// Rows that one read looks at.
const AT_ONCE: usize = 500;

/// Begins to look, and looks again each time after so long.
pub(crate) fn start(service: &Arc<Service>, every: Duration) {
    tokio::spawn(rounds(Arc::downgrade(service), every));
}

async fn rounds(service: Weak<Service>, every: Duration) {
    let mut rounds = interval(every);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        let Some(service) = service.upgrade() else { return };
        match service.collect().await {
            Ok(done) if done.removed + done.repeats + done.abandoned > 0 => {
                let Collected { blobs, removed, repeats, abandoned } = done;
                tracing::info!(blobs, removed, repeats, abandoned, "files that nobody refers to are removed");
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(error = %error.to_json(), "files that nobody refers to are not removed now")
            }
        }
    }
}

/// The beginning of a blob's name. That two begin alike keeps one too long, at worst.
fn beginning(id: BlobId) -> u64 {
    let digits = id.to_string();
    digits.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default()
}

impl Service {
    async fn collect(&self) -> Result<Collected, Error> {
        let mut used: Vec<u64> = Vec::new();
        for place in 0..self.places() {
            let mut after: Option<Vec<u8>> = None;
            loop {
                let (blobs, last) =
                    self.read_place(place, move |feed| feed.blobs(after.as_deref(), AT_ONCE)).await?;
                used.extend(blobs.iter().filter_map(|blob| blob.parse().ok()).map(beginning));
                if last.is_none() {
                    break;
                }
                after = last;
            }
            used.sort_unstable();
            used.dedup();
        }
        let collected = self.blobs.collect(|id| used.binary_search(&beginning(id)).is_ok()).await;
        collected.map_err(|error| {
            tracing::warn!(%error, "the store of files");
            Error::later("The store cannot be looked through now")
        })
    }
}
