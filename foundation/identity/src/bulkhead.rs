//! A bound on how much of something costly happens at once: password checks take tens of milliseconds of a core.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// So many places, each with what the work there needs, and a queue before them.
pub struct Bulkhead<P> {
    free: Mutex<Vec<P>>,
    freed: Condvar,
}

impl<P: Default> Bulkhead<P> {
    /// At most so many at once.
    pub fn new(places: usize) -> Self {
        Self { free: Mutex::new((0..places).map(|_| P::default()).collect()), freed: Condvar::new() }
    }

    /// Runs the work once there is a place; `None` when there is none within `patience`.
    pub fn run<T>(&self, patience: Duration, work: impl FnOnce(&mut P) -> T) -> Option<T> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.freed.wait_timeout_while(free, patience, |free| free.is_empty());
        let (mut free, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let place = free.pop()?;
        drop(free);
        let mut taken = Taken { bulkhead: self, place };
        Some(work(&mut taken.place))
    }
}

/// Gives the place back, also after a panic.
struct Taken<'a, P: Default> {
    bulkhead: &'a Bulkhead<P>,
    place: P,
}

impl<P: Default> Drop for Taken<'_, P> {
    fn drop(&mut self) {
        let place = std::mem::take(&mut self.place);
        self.bulkhead.free.lock().unwrap_or_else(PoisonError::into_inner).push(place);
        self.bulkhead.freed.notify_one();
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
                    bulkhead.run(LONG, |()| {
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
                bulkhead.run(LONG, move |()| {
                    entered.send(()).unwrap();
                    left.recv().unwrap();
                })
            });
            is_in.recv().unwrap();
            assert_eq!(bulkhead.run(Duration::ZERO, |()| 1), None);
            leave.send(()).unwrap();
            assert_eq!(bulkhead.run(LONG, |()| 2), Some(2));
        });
    }
}
