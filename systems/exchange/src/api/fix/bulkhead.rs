//! A bound on how much of something costly happens at once: password checks take tens of milliseconds of a core.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// So many places, and a queue before them.
pub(crate) struct Bulkhead {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Bulkhead {
    /// At most so many at once.
    pub(crate) fn new(places: usize) -> Self {
        Self { free: Mutex::new(places), freed: Condvar::new() }
    }

    /// Runs the work once there is a place; `None` when there is none within `patience`.
    pub(crate) fn run<T>(&self, patience: Duration, work: impl FnOnce() -> T) -> Option<T> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.freed.wait_timeout_while(free, patience, |free| *free == 0);
        let (mut free, timed_out) = waited.unwrap_or_else(PoisonError::into_inner);
        if timed_out.timed_out() && *free == 0 {
            return None;
        }
        *free -= 1;
        drop(free);
        let _place = Place(self);
        Some(work())
    }
}

/// Gives the place back, also after a panic.
struct Place<'a>(&'a Bulkhead);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn no_more_than_the_places_run_at_once() {
        let bulkhead = Bulkhead::new(2);
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    bulkhead.run(LONG, || {
                        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        running.fetch_sub(1, Ordering::SeqCst);
                    })
                });
            }
        });
        assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
    }

    #[test]
    fn who_finds_no_place_in_time_goes_away() {
        let bulkhead = Bulkhead::new(1);
        let (entered, is_in) = mpsc::channel();
        let (leave, left) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                bulkhead.run(LONG, move || {
                    entered.send(()).unwrap();
                    left.recv().unwrap();
                })
            });
            is_in.recv().unwrap();
            assert_eq!(bulkhead.run(Duration::ZERO, || 1), None);
            leave.send(()).unwrap();
            assert_eq!(bulkhead.run(LONG, || 2), Some(2));
        });
    }
}
