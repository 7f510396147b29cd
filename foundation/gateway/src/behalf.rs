//! What a request hands on to whatever is done on its behalf: when its answer is no longer wanted, and which trace it belongs
//! to. Who makes a request to another server gives it the time that is left, and no more, and names the trace.
//!
//! It goes with the task that serves a request. Work that is spawned is on its own: it takes what is here with it, if somebody
//! waits for it.

use std::future::Future;

use tokio::time::Instant;

use crate::trace::TraceContext;

#[derive(Clone, Copy, Default)]
struct Behalf {
    deadline: Option<Instant>,
    trace: Option<TraceContext>,
}

tokio::task_local! {
    static BEHALF: Behalf;
}

fn current() -> Behalf {
    BEHALF.try_with(|behalf| *behalf).unwrap_or_default()
}

/// When whoever waits for this task's work will wait no longer; `None` when nobody has said.
pub fn deadline() -> Option<Instant> {
    current().deadline
}

/// The place in a trace of whoever waits for this task's work; `None` when there is none.
pub fn trace() -> Option<TraceContext> {
    current().trace
}

/// Runs the work with this deadline, or with the one that is there when that comes sooner. Nothing is cut off here: what
/// waits looks at [`deadline`].
pub fn until<F: Future>(deadline: Instant, work: F) -> impl Future<Output = F::Output> {
    let outer = current();
    let sooner = outer.deadline.map_or(deadline, |outer| outer.min(deadline));
    BEHALF.scope(Behalf { deadline: Some(sooner), ..outer }, work)
}

/// Runs the work of a request at this place in its trace, with the first deadline that it gets.
pub fn of_request<F: Future>(
    trace: TraceContext,
    deadline: Instant,
    work: F,
) -> impl Future<Output = F::Output> {
    BEHALF.scope(Behalf { deadline: Some(deadline), trace: Some(trace) }, work)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_sooner_deadline_counts_and_ends_with_its_work() {
        assert_eq!(deadline(), None);
        let (soon, late) = (Instant::now() + Duration::from_secs(1), Instant::now() + Duration::from_secs(9));
        let seen = until(soon, async {
            assert_eq!(until(late, async { deadline() }).await, Some(soon));
            deadline()
        });
        assert_eq!(seen.await, Some(soon));
        assert_eq!(until(late, async { until(soon, async { deadline() }).await }).await, Some(soon));
        assert_eq!(deadline(), None);
    }

    #[tokio::test]
    async fn a_request_has_its_own_and_hands_both_on() {
        let (trace_of_it, end) = (TraceContext::root(), Instant::now());
        let later = end + Duration::from_secs(1);
        let seen =
            of_request(trace_of_it, end, async { until(later, async { (trace(), deadline()) }).await });
        assert_eq!(seen.await, (Some(trace_of_it), Some(end)));
        assert_eq!(trace(), None);
    }
}
