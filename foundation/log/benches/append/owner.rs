//! Owners of partitions and their submitters.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use decalog_log::{Allowance, BatchBuilder, Durability, Listener, Log, LogError, Offset, PartitionId};

const RECORD: [u8; 64] = [7; 64];

/// Wakes an owner when its partition has moved on.
struct Waker {
    durable: AtomicU64,
    synced: AtomicU64,
    owner: thread::Thread,
}

impl Listener for Waker {
    fn advanced(&self, durable: Offset, synced: Offset) {
        self.synced.store(synced, Ordering::Release);
        self.durable.store(durable, Ordering::Release);
        self.owner.unpark();
    }

    fn failed(&self, error: Arc<LogError>) {
        panic!("{error}");
    }
}

impl Waker {
    fn new() -> Arc<Self> {
        Arc::new(Self { durable: AtomicU64::new(0), synced: AtomicU64::new(0), owner: thread::current() })
    }

    fn wait_synced(&self, next: Offset) {
        while self.synced.load(Ordering::Acquire) < next {
            thread::park();
        }
    }

    fn wait(&self, next: Offset) {
        while self.durable.load(Ordering::Acquire) < next {
            thread::park();
        }
    }
}

/// A single submitter that owns its partition; how long each record took until it was durable.
pub(crate) fn alone(log: &dyn Log, partition: u32, durability: Durability, records: usize) -> Vec<Duration> {
    let partition = PartitionId(partition);
    let waker = Waker::new();
    let mut next = log.open(partition, durability, waker.clone()).expect("the partition opens").next;
    let mut batch = BatchBuilder::with_capacity(1 << 10);
    let mut times = Vec::with_capacity(records);
    for _ in 0..records {
        let begun = Instant::now();
        batch.clear();
        batch.push(&RECORD).expect("a small record fits");
        let extent = log.append(partition, next, &batch, Allowance::Ordinary).expect("an append");
        next = extent.next;
        if extent.durable < next {
            waker.wait(next);
        }
        times.push(begun.elapsed());
    }
    log.request_sync(partition);
    waker.wait_synced(next);
    log.trim(partition, next).expect("a trim");
    log.close(partition);
    times
}

/// A submitter's record on its way.
#[derive(Clone, Copy)]
struct Request {
    submitter: u32,
    record: [u8; 64],
}

/// Where the submitters of one partition hand in.
struct Queue {
    waiting: Mutex<Vec<Request>>,
    owner: OnceLock<thread::Thread>,
}

/// Where one carrier's submitters are answered.
struct Mailbox {
    answered: Mutex<Vec<u32>>,
    carrier: OnceLock<thread::Thread>,
}

/// Threads that carry submitters.
const CARRIERS: usize = 2;

/// What the threads of one run share.
struct Run<'a> {
    log: &'a dyn Log,
    queues: Vec<Queue>,
    mailboxes: Vec<Mailbox>,
    durability: Durability,
    stop: AtomicBool,
}

/// Records per second of `submitters` over `partitions` from `first` on, each with an owner of its own. Returns once
/// what was appended is on the device, so that the next run does not pay for it.
pub(crate) fn crowd(
    log: &dyn Log,
    first: u32,
    partitions: u32,
    submitters: usize,
    durability: Durability,
    time: Duration,
) -> f64 {
    let queue = |_| Queue { waiting: Mutex::default(), owner: OnceLock::new() };
    let mailbox = |_| Mailbox { answered: Mutex::default(), carrier: OnceLock::new() };
    let run = Run {
        log,
        queues: (0..partitions).map(queue).collect(),
        mailboxes: (0..CARRIERS).map(mailbox).collect(),
        durability,
        stop: AtomicBool::new(false),
    };
    let mut done = 0;
    let mut took = Duration::ZERO;
    thread::scope(|scope| {
        let run = &run;
        let owners = (first..)
            .zip(&run.queues)
            .map(|(number, queue)| scope.spawn(move || own(run, PartitionId(number), queue)));
        let owners = owners.collect::<Vec<_>>();
        let begun = Instant::now();
        for carrier in 0..CARRIERS {
            scope.spawn(move || carry(run, carrier, submitters));
        }
        thread::sleep(time);
        run.stop.store(true, Ordering::Relaxed);
        done = owners.into_iter().map(|owner| owner.join().expect("an owner ends")).sum();
        took = begun.elapsed();
        run.mailboxes.iter().filter_map(|mailbox| mailbox.carrier.get()).for_each(thread::Thread::unpark);
    });
    for partition in (first..first + partitions).map(PartitionId) {
        log.request_sync(partition);
        while log.extent(partition).is_some_and(|extent| extent.synced < extent.next) {
            thread::yield_now();
        }
        log.trim(partition, log.extent(partition).expect("an extent").next).expect("a trim");
    }
    done as f64 / took.as_secs_f64()
}

/// Owns a partition until told to stop: appends what waits, answers who is durable. Returns how many were.
fn own(run: &Run<'_>, partition: PartitionId, queue: &Queue) -> u64 {
    let waker = Waker::new();
    let begin = run.log.open(partition, run.durability, waker.clone()).expect("the partition opens").next;
    queue.owner.set(thread::current()).expect("a queue has one owner");
    let (mut next, mut answered) = (begin, begin);
    let mut taken = Vec::new();
    let mut unanswered = VecDeque::new();
    let mut batch = BatchBuilder::with_capacity(64 << 10);
    while !run.stop.load(Ordering::Relaxed) || answered < next {
        if !run.stop.load(Ordering::Relaxed) {
            std::mem::swap(&mut taken, &mut *queue.waiting.lock().unwrap());
        }
        let mut durable = waker.durable.load(Ordering::Acquire);
        let idle = taken.is_empty() && durable <= answered;
        if !taken.is_empty() {
            batch.clear();
            for request in taken.drain(..) {
                batch.push(&request.record).expect("small records fit");
                unanswered.push_back(request.submitter);
            }
            let extent = run.log.append(partition, next, &batch, Allowance::Ordinary).expect("an append");
            (next, durable) = (extent.next, durable.max(extent.durable));
        }
        while answered < durable {
            answer(run, &mut unanswered, durable - answered);
            answered = durable;
        }
        if idle {
            thread::park_timeout(Duration::from_millis(100));
        }
    }
    run.log.close(partition);
    next - begin
}

/// Tells the first `count` of those who wait.
fn answer(run: &Run<'_>, unanswered: &mut VecDeque<u32>, count: u64) {
    let mut told = [false; CARRIERS];
    for submitter in unanswered.drain(..usize::try_from(count).expect("so many wait")) {
        let carrier = submitter as usize % CARRIERS;
        run.mailboxes[carrier].answered.lock().unwrap().push(submitter);
        told[carrier] = true;
    }
    for (mailbox, _) in run.mailboxes.iter().zip(told).filter(|(_, told)| *told) {
        mailbox.carrier.get().inspect(|carrier| carrier.unpark());
    }
}

/// Carries every `CARRIERS`-th submitter: each hands in its next record once the one before is answered.
fn carry(run: &Run<'_>, carrier: usize, submitters: usize) {
    let mailbox = &run.mailboxes[carrier];
    mailbox.carrier.set(thread::current()).expect("a mailbox has one carrier");
    let mut ready =
        (0..submitters).skip(carrier).step_by(CARRIERS).filter_map(|s| u32::try_from(s).ok()).collect();
    let mut woken = vec![false; run.queues.len()];
    while !run.stop.load(Ordering::Relaxed) {
        let handed: Vec<u32> = std::mem::take(&mut ready);
        for submitter in handed.iter().copied() {
            let place = submitter as usize / CARRIERS % run.queues.len();
            let record = [u8::try_from(submitter % 251).expect("less than 251"); 64];
            run.queues[place].waiting.lock().unwrap().push(Request { submitter, record });
            woken[place] = true;
        }
        for (queue, woken) in run.queues.iter().zip(&mut woken) {
            if std::mem::take(woken) {
                queue.owner.get().inspect(|owner| owner.unpark());
            }
        }
        while ready.is_empty() && !run.stop.load(Ordering::Relaxed) {
            std::mem::swap(&mut ready, &mut *mailbox.answered.lock().unwrap());
            if ready.is_empty() {
                thread::park_timeout(Duration::from_millis(100));
            }
        }
    }
}
