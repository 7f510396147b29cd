//! A few threads for work that takes tens of milliseconds of a core: password checks. So many run at once, so many wait,
//! and the threads go behind all others that want a core, so that a flood of logons does not slow what else is served.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// How much less the threads count than others where cores are scarce (nice(2)).
const NICE: i32 = 5;

type Job<P> = Box<dyn FnOnce(&mut P) + Send>;

/// The threads, each with what the work there needs. They end when this is dropped and all that waits is done.
pub struct Workers<P> {
    jobs: SyncSender<Job<P>>,
}

/// As much waits as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl<P: Default + 'static> Workers<P> {
    /// So many threads, and so much work that may wait for them.
    ///
    /// # Panics
    /// When the system gives no thread.
    pub fn start(name: &str, threads: usize, queue: usize) -> Self {
        let (jobs, waiting) = sync_channel(queue);
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..threads {
            let waiting = Arc::clone(&waiting);
            let thread = thread::Builder::new().name(format!("{name}-{number}"));
            thread.spawn(move || work(&waiting)).expect("the system gives a thread");
        }
        Self { jobs }
    }

    /// Leaves work for the first thread that is free. Work that panics is over; its thread goes on.
    pub fn offer(&self, work: impl FnOnce(&mut P) + Send + 'static) -> Result<(), Full> {
        self.jobs.try_send(Box::new(work)).map_err(|_| Full)
    }
}

fn work<P: Default>(waiting: &Mutex<Receiver<Job<P>>>) {
    // Where it is not allowed, the threads count as much as all others.
    let _ = rustix::process::nice(NICE);
    let mut place = P::default();
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        let run = std::panic::AssertUnwindSafe(|| job(&mut place));
        if std::panic::catch_unwind(run).is_err() {
            place = P::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn no_more_than_the_threads_run_at_once() {
        let workers = Workers::<()>::start("test", 2, 16);
        let counts = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let (done, is_done) = mpsc::channel();
        for _ in 0..16 {
            let (counts, done) = (Arc::clone(&counts), done.clone());
            let job = move |(): &mut ()| {
                let (running, most) = &*counts;
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                done.send(()).unwrap();
            };
            assert_eq!(workers.offer(job), Ok(()));
        }
        for _ in 0..16 {
            is_done.recv().unwrap();
        }
        assert!((1..=2).contains(&counts.1.load(Ordering::SeqCst)));
    }

    #[test]
    fn what_finds_no_place_is_refused_and_a_panic_takes_no_thread_away() {
        let workers = Workers::<()>::start("test", 1, 1);
        let (entered, is_in) = mpsc::channel();
        let (leave, left) = mpsc::channel::<()>();
        let first = move |(): &mut ()| {
            entered.send(()).unwrap();
            left.recv().unwrap();
            panic!("on purpose");
        };
        assert_eq!(workers.offer(first), Ok(()));
        is_in.recv().unwrap();
        let (done, is_done) = mpsc::channel();
        assert_eq!(workers.offer(move |()| done.send(2).unwrap()), Ok(()));
        assert_eq!(workers.offer(|()| ()), Err(Full));
        leave.send(()).unwrap();
        assert_eq!(is_done.recv(), Ok(2));
    }
}
