//! When an answer is no longer wanted, for whatever is asked on its behalf: who makes a request to another server gives it
//! the time that is left, and no more.
//!
//! It goes with the task that serves a request. Work that is spawned is on its own: it takes [`current`] with it, and runs
//! [`within`] it, if somebody waits for it.

use std::future::Future;

use tokio::time::Instant;

tokio::task_local! {
    static DEADLINE: Instant;
}

/// When whoever waits for this task's work will wait no longer; `None` when nobody has said.
pub fn current() -> Option<Instant> {
    DEADLINE.try_with(|deadline| *deadline).ok()
}

/// Runs the work with this deadline, or with the one that is there when that comes sooner. Nothing is cut off here: what
/// waits looks at [`current`].
pub async fn within<F: Future>(deadline: Instant, work: F) -> F::Output {
    let deadline = current().map_or(deadline, |outer| outer.min(deadline));
    DEADLINE.scope(deadline, work).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_sooner_deadline_counts_and_ends_with_its_work() {
        assert_eq!(current(), None);
        let (soon, late) = (Instant::now() + Duration::from_secs(1), Instant::now() + Duration::from_secs(9));
        let seen = within(soon, async {
            assert_eq!(within(late, async { current() }).await, Some(soon));
            current()
        });
        assert_eq!(seen.await, Some(soon));
        assert_eq!(within(late, within(soon, async { current() })).await, Some(soon));
        assert_eq!(current(), None);
    }
}
