//! Waiting awake. A thread that is woken loses some ten microseconds, on virtual machines thirty and more; one that looks
//! out for what comes next loses none, and its core is lost to others. So a thread looks out only while things come
//! quickly one after the other, lets others have the core in between, and few do so at a time.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Threads of this process that wait awake: the cores they share are the process's too.
static PLACES: Places = Places(AtomicUsize::new(0));

/// How many may: two a core, as a reader and the partition that it feeds can share one.
fn most() -> usize {
    static MOST: OnceLock<usize> = OnceLock::new();
    *MOST.get_or_init(|| 2 * thread::available_parallelism().map_or(1, usize::from))
}

/// Decides whether a thread waits awake for what comes next.
#[derive(Debug)]
pub struct Lookout {
    limit: Duration,
    came: Instant,
    gap: Duration,
}

impl Lookout {
    /// Waits awake for at most so long, and only while the last two things came no further apart; zero never does.
    pub fn new(limit: Duration) -> Lookout {
        Lookout { limit, came: Instant::now(), gap: Duration::MAX }
    }

    /// Something came.
    pub fn came(&mut self) {
        if self.limit.is_zero() {
            return;
        }
        let now = Instant::now();
        self.gap = now.duration_since(self.came);
        self.came = now;
    }

    /// Waits awake until it is there, if that is likely to be soon; `false` when the thread had better sleep.
    pub fn until(&self, mut is_there: impl FnMut() -> bool) -> bool {
        if self.gap >= self.limit || self.came.elapsed() >= self.limit {
            return false;
        }
        let Some(_place) = PLACES.take(most()) else { return false };
        while !is_there() {
            if self.came.elapsed() >= self.limit {
                return false;
            }
            // Whoever brings it may need this very core.
            thread::yield_now();
        }
        true
    }
}

/// How many wait awake.
struct Places(AtomicUsize);

/// One who does.
struct Place<'a>(&'a Places);

impl Places {
    fn take(&self, most: usize) -> Option<Place<'_>> {
        let place = Place(self);
        (self.0.fetch_add(1, Ordering::Relaxed) < most).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    #[test]
    fn it_looks_out_once_two_things_came_close_together() {
        let mut lookout = Lookout::new(LONG);
        assert!(!lookout.until(|| true), "nothing came yet");
        lookout.came();
        assert!(lookout.until(|| true));
        lookout.gap = LONG;
        assert!(!lookout.until(|| true), "the last two came far apart");
    }

    #[test]
    fn a_limit_of_zero_never_looks_out() {
        let mut lookout = Lookout::new(Duration::ZERO);
        lookout.came();
        lookout.came();
        assert!(!lookout.until(|| true));
    }

    #[test]
    fn it_gives_up_when_nothing_comes() {
        let mut lookout = Lookout::new(Duration::from_millis(5));
        lookout.came();
        lookout.came();
        assert!(!lookout.until(|| false));
    }

    #[test]
    fn only_so_many_look_out_at_a_time() {
        let places = Places(AtomicUsize::new(0));
        let (one, two) = (places.take(2), places.take(2));
        assert!(one.is_some() && two.is_some() && places.take(2).is_none());
        drop(one);
        assert!(places.take(2).is_some());
    }
}
