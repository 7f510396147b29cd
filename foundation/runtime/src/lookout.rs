//! Waiting awake. A thread that is woken loses some ten microseconds, on virtual machines thirty and more; one that looks
//! out for what comes next loses none, and its core is lost to others. So a thread looks out only while things come
//! quickly one after the other, lets others have the core in between, few do so at a time, and one that got its core back
//! late sleeps for a while: somebody else needs it.

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

/// A core that comes back later than this was wanted by others: idle ones come back within a few microseconds.
const LATE: Duration = Duration::from_micros(500);
/// The time lost to others, but for a twentieth of all time, that makes a core crowded: a few of a scheduler's slices.
const CROWDED: Duration = Duration::from_millis(10);
/// How long a thread leaves a crowded core alone. A scheduler gives somebody who waits awake his core back late, somebody
/// who is woken at once, so on a busy machine it is sleeping that is quick.
const RESPITE: Duration = Duration::from_secs(1);

/// Decides whether a thread waits awake for what comes next.
#[derive(Debug)]
pub struct Lookout {
    limit: Duration,
    came: Instant,
    gap: Duration,
    /// What was lost to others, as of when.
    lost: (Duration, Instant),
    /// Until then the core is left to others.
    asleep_until: Option<Instant>,
}

impl Lookout {
    /// Waits awake for at most so long, and only while the last two things came no further apart; zero never does.
    pub fn new(limit: Duration) -> Lookout {
        let now = Instant::now();
        Lookout { limit, came: now, gap: Duration::MAX, lost: (Duration::ZERO, now), asleep_until: None }
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
    pub fn until(&mut self, is_there: impl FnMut() -> bool) -> bool {
        // Whoever brings it may need this very core.
        self.until_yielding(is_there, thread::yield_now)
    }

    fn until_yielding(&mut self, mut is_there: impl FnMut() -> bool, mut give_way: impl FnMut()) -> bool {
        if self.gap >= self.limit {
            return false;
        }
        let mut now = Instant::now();
        if now - self.came >= self.limit || self.asleep_until.is_some_and(|until| now < until) {
            return false;
        }
        let Some(_place) = PLACES.take(most()) else { return false };
        while !is_there() {
            if now - self.came >= self.limit {
                return false;
            }
            give_way();
            let back = Instant::now();
            if back - now > LATE && self.is_crowded(back - now, back) {
                self.asleep_until = Some(back + RESPITE);
                return is_there();
            }
            now = back;
        }
        true
    }

    /// Whether a core that came back so late was lost too often of late.
    fn is_crowded(&mut self, late: Duration, now: Instant) -> bool {
        let (lost, before) = self.lost;
        let lost = lost.saturating_sub((now - before) / 20) + late;
        let crowded = lost > CROWDED;
        self.lost = (if crowded { Duration::ZERO } else { lost }, now);
        crowded
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
    fn it_leaves_a_core_alone_that_comes_back_late_again_and_again() {
        let mut lookout = Lookout::new(LONG);
        lookout.came();
        lookout.came();
        let mut yields = 0;
        let slice = CROWDED / 4;
        let give_way = || {
            yields += 1;
            thread::sleep(slice);
        };
        assert!(!lookout.until_yielding(|| false, give_way));
        assert!(yields > 1, "once is no crowd");
        assert!(!lookout.until(|| true), "others need the core");
        lookout.asleep_until = Some(Instant::now());
        assert!(lookout.until(|| true), "it was left alone for long enough");
    }

    #[test]
    fn what_is_lost_now_and_then_is_forgiven() {
        let mut lookout = Lookout::new(LONG);
        let start = Instant::now();
        let crowded =
            (1..100).any(|second| lookout.is_crowded(CROWDED / 2, start + Duration::from_secs(second)));
        assert!(!crowded);
        assert!(lookout.is_crowded(CROWDED, start + Duration::from_secs(99)));
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
