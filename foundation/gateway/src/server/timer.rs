//! A connection's deadlines, one after the other, on one timer.
//!
//! The HTTP library takes a timer for each head that it waits for, and drops it when the head has come. Tokio's would be put
//! among all other timers and taken out again for each request; this one stays there, and is set anew when it goes off for a
//! head that has come.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// The timer of one connection, for whatever its one task waits for.
#[derive(Clone, Default)]
pub(super) struct Deadlines(Arc<Mutex<Option<Pin<Box<tokio::time::Sleep>>>>>);

impl Timer for Deadlines {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Until { deadline: deadline.into(), timer: self.clone() })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

struct Until {
    deadline: tokio::time::Instant,
    timer: Deadlines,
}

impl Sleep for Until {}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut timer = self.timer.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sleep = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(self.deadline)));
        if sleep.deadline() > self.deadline {
            sleep.as_mut().reset(self.deadline);
        }
        if sleep.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        // Perhaps it was set for an earlier one, which nobody waits for any more.
        sleep.as_mut().reset(self.deadline);
        sleep.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_deadline_comes_when_it_should_whatever_was_waited_for_before() {
        let (timer, begin) = (Deadlines::default(), tokio::time::Instant::now());
        let mut given_up = timer.sleep(2 * SECOND);
        assert!(tokio::time::timeout(SECOND, &mut given_up).await.is_err());
        drop(given_up);
        // Later than what the timer is set for, then earlier, then at once.
        for (wait, end) in [(4, 5), (1, 6), (0, 6)] {
            timer.sleep_until((tokio::time::Instant::now() + wait * SECOND).into_std()).await;
            assert_eq!(begin.elapsed().as_secs(), end);
        }
        let (mut later, mut sooner) = (timer.sleep(9 * SECOND), timer.sleep(3 * SECOND));
        assert!(tokio::time::timeout(Duration::ZERO, &mut later).await.is_err());
        assert!(tokio::time::timeout(2 * SECOND, &mut sooner).await.is_err());
        sooner.await;
        assert_eq!(begin.elapsed().as_secs(), 9);
        later.await;
        assert_eq!(begin.elapsed().as_secs(), 15);
    }
}
