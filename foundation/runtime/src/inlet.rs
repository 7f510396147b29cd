//! The way into a partition: a bounded queue that many threads fill and the partition's thread empties whole.
//!
//! A command is encoded in the caller's thread and copied into the batch that is being filled; the partition takes
//! that batch and gives an emptied one back, so that in the steady state nothing is allocated and the lock is held
//! for a copy. It is a lock and not a lock-free ring because the partition takes it once a batch, not once a command.
//!
//! While batches are on their way to the device, the partition asks for a next one of some size; it is not woken for
//! less. Many small batches would cost a wake-up and a write each, and be durable no sooner than one.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;

use decalog_log::{MAX_BATCH_BYTES, PartitionId, RECORD_PREFIX_BYTES};
use tokio::sync::oneshot;
use tracing::Span;
use zerocopy::IntoBytes;

use crate::error::{ReadError, SubmitError};
use crate::machine::StateMachine;
use crate::partition::Answer;
use crate::record::{HEADER_BYTES, Header, MAX_BODY_BYTES};
use crate::replica::Replica;

/// What is waited for.
type Outcome<M> = Result<Answer<<M as StateMachine>::Reply>, SubmitError>;

/// Somebody who waits for the answer.
pub(crate) struct Waiter<M: StateMachine> {
    answer: oneshot::Sender<Outcome<M>>,
    /// What the command is part of, when somebody traces it.
    span: Option<Box<Span>>,
}

impl<M: StateMachine> Waiter<M> {
    /// One who waits at the other end, within the caller's span.
    pub(crate) fn new() -> (Waiter<M>, oneshot::Receiver<Outcome<M>>) {
        let (answer, other_end) = oneshot::channel();
        let span = tracing::debug_span!("submit");
        (Waiter { answer, span: (!span.is_disabled()).then(|| Box::new(span)) }, other_end)
    }

    /// The span in which the command is applied, if it is traced.
    pub(crate) fn applying(&self, offset: u64) -> Option<tracing::span::EnteredSpan> {
        let span = self.span.as_ref()?;
        Some(tracing::debug_span!(parent: &**span, "apply", offset).entered())
    }

    /// Answers; whoever asked may have gone away.
    pub(crate) fn send(self, outcome: Outcome<M>) {
        drop(self.answer.send(outcome));
    }
}
/// A read: gets the state with the runtime's share.
pub(crate) type ReadJob<M> = Box<dyn FnOnce(Result<&Replica<M>, ReadError>) + Send>;

/// One command in an intake.
pub(crate) struct Entry<M: StateMachine> {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) urgent: bool,
    pub(crate) token: u64,
    pub(crate) waiter: Option<Waiter<M>>,
}

/// Commands that become one batch.
pub(crate) struct Intake<M: StateMachine> {
    pub(crate) bytes: Vec<u8>,
    pub(crate) entries: Vec<Entry<M>>,
}

impl<M: StateMachine> Default for Intake<M> {
    fn default() -> Self {
        Intake { bytes: Vec::new(), entries: Vec::new() }
    }
}

impl<M: StateMachine> Intake<M> {
    pub(crate) fn fits(&self, record: usize) -> bool {
        self.bytes.len() + record + RECORD_PREFIX_BYTES * (self.entries.len() + 1) <= MAX_BATCH_BYTES
    }

    pub(crate) fn push(&mut self, record: &[u8], urgent: bool, token: u64, waiter: Option<Waiter<M>>) {
        let start = u32::try_from(self.bytes.len()).expect("a batch below 4 GiB");
        self.bytes.extend_from_slice(record);
        let end = u32::try_from(self.bytes.len()).expect("a batch below 4 GiB");
        self.entries.push(Entry { start, end, urgent, token, waiter });
    }

    pub(crate) fn record(&self, entry: &Entry<M>) -> &[u8] {
        &self.bytes[entry.start as usize..entry.end as usize]
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }
}

/// What an operator or another thread asks of the partition, besides commands and reads.
pub(crate) enum Order {
    /// Take UTC as it is, after a jump.
    AcceptClock,
    /// Another partition's messages may have been lost on the way: send again what is not acknowledged.
    Resend,
    /// Answer what was taken, sync, and stop.
    Stop,
}

struct State<M: StateMachine> {
    filled: VecDeque<Intake<M>>,
    spare: Vec<Intake<M>>,
    records: usize,
    bytes: usize,
    reads: VecDeque<(u64, ReadJob<M>)>,
    orders: Vec<Order>,
    /// The partition sleeps until there are reads, orders, or a batch of at least so many commands.
    parked: Option<usize>,
    closed: Option<SubmitError>,
}

impl<M: StateMachine> State<M> {
    /// Whether a batch can be taken: at least so many commands wait, or one batch is full. `usize::MAX` asks for none.
    fn holds(&self, least: usize) -> bool {
        least != usize::MAX && (self.records >= least.max(1) || self.filled.len() > 1)
    }
}

/// The queue.
pub(crate) struct Inlet<M: StateMachine> {
    partition: PartitionId,
    limit_records: usize,
    limit_bytes: usize,
    limit_reads: usize,
    state: Mutex<State<M>>,
    thread: OnceLock<Thread>,
    /// Something was put in since the last take: a hint for whoever looks without the lock.
    pub(crate) news: AtomicBool,
}

/// What the partition takes out at once.
pub(crate) struct Taken<M: StateMachine> {
    pub(crate) intake: Option<Intake<M>>,
    pub(crate) reads: VecDeque<(u64, ReadJob<M>)>,
    pub(crate) orders: Vec<Order>,
}

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl<M: StateMachine> Inlet<M> {
    pub(crate) fn new(partition: PartitionId, records: usize, bytes: usize, reads: usize) -> Inlet<M> {
        let state = State {
            filled: VecDeque::with_capacity(4),
            spare: Vec::with_capacity(4),
            records: 0,
            bytes: 0,
            reads: VecDeque::new(),
            orders: Vec::new(),
            parked: None,
            closed: None,
        };
        Inlet {
            partition,
            limit_records: records,
            limit_bytes: bytes,
            limit_reads: reads,
            state: Mutex::new(state),
            thread: OnceLock::new(),
            news: AtomicBool::new(false),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<M>> {
        // No foreign code runs under the lock, so a poisoned one still holds a whole state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The partition's thread says who it is, before anybody can need to wake it.
    pub(crate) fn attach(&self, thread: Thread) {
        let _ = self.thread.set(thread);
    }

    /// Wakes the partition's thread whether it sleeps or not.
    pub(crate) fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Puts a record into the queue; the body is what `encode` appends.
    pub(crate) fn push(
        &self,
        header: &Header,
        urgent: bool,
        token: u64,
        waiter: Option<Waiter<M>>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), SubmitError> {
        SCRATCH.with_borrow_mut(|record| {
            record.clear();
            record.extend_from_slice(header.as_bytes());
            encode(record);
            let body = record.len() - HEADER_BYTES;
            if body > MAX_BODY_BYTES {
                return Err(SubmitError::TooLarge { bytes: body, limit: MAX_BODY_BYTES });
            }
            self.push_record(record, urgent, token, waiter)
        })
    }

    fn push_record(
        &self,
        record: &[u8],
        urgent: bool,
        token: u64,
        waiter: Option<Waiter<M>>,
    ) -> Result<(), SubmitError> {
        let mut guard = self.state();
        let state = &mut *guard;
        if let Some(error) = &state.closed {
            return Err(error.clone());
        }
        let full = state.records >= self.limit_records || state.bytes + record.len() > self.limit_bytes;
        if full && state.records > 0 {
            return Err(SubmitError::Overloaded { partition: self.partition, waiting: state.records });
        }
        if !state.filled.back().is_some_and(|intake| intake.fits(record.len())) {
            let intake = state.spare.pop().unwrap_or_default();
            state.filled.push_back(intake);
        }
        let intake = state.filled.back_mut().expect("an intake was just put there");
        intake.push(record, urgent, token, waiter);
        state.records += 1;
        state.bytes += record.len();
        let enough = state.parked.is_none_or(|least| state.holds(least));
        self.release(guard, enough);
        Ok(())
    }

    /// Puts a read into the queue: it runs once everything below `seen` is applied.
    pub(crate) fn push_read(&self, seen: u64, job: ReadJob<M>) -> Result<(), ReadError> {
        let mut state = self.state();
        let error = match &state.closed {
            Some(SubmitError::Halted(_)) | None if state.reads.len() >= self.limit_reads => {
                Some(ReadError::Overloaded { partition: self.partition, waiting: state.reads.len() })
            }
            Some(SubmitError::Halted(_)) | None => None,
            Some(_) => Some(ReadError::Closed(self.partition)),
        };
        if let Some(error) = error {
            return Err(error);
        }
        state.reads.push_back((seen, job));
        self.release(state, true);
        Ok(())
    }

    pub(crate) fn order(&self, order: Order) {
        let mut state = self.state();
        state.orders.push(order);
        self.release(state, true);
    }

    /// Lets go of the lock and, when there is `enough` to do, wakes the partition if it sleeps.
    fn release(&self, mut state: MutexGuard<'_, State<M>>, enough: bool) {
        let parked = enough && state.parked.take().is_some();
        drop(state);
        self.news.store(true, Ordering::Release);
        if parked {
            self.wake();
        }
    }

    /// Takes the next batch, if at least so many commands wait, all reads and orders; `spent` goes back to be filled
    /// again.
    pub(crate) fn take(&self, least: usize, spent: &mut Vec<Intake<M>>) -> Taken<M> {
        self.news.store(false, Ordering::Release);
        let mut guard = self.state();
        let state = &mut *guard;
        if state.spare.len() < 8 {
            state.spare.append(spent);
        }
        let intake = if state.holds(least) { state.filled.pop_front() } else { None };
        if let Some(intake) = &intake {
            state.records -= intake.entries.len();
            state.bytes -= intake.bytes.len();
        }
        Taken { intake, reads: std::mem::take(&mut state.reads), orders: std::mem::take(&mut state.orders) }
    }

    /// Says that the partition is about to sleep until at least so many commands wait; `false` when something came in meanwhile.
    pub(crate) fn about_to_park(&self, least: usize) -> bool {
        let mut state = self.state();
        let idle = !state.holds(least) && state.reads.is_empty() && state.orders.is_empty();
        state.parked = idle.then_some(least);
        idle
    }

    /// Refuses every further command with this error; reads go on when it is a halt.
    pub(crate) fn close(&self, error: SubmitError) {
        self.state().closed = Some(error);
    }

    pub(crate) fn waiting(&self) -> usize {
        self.state().records
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read, Write};

    use super::*;
    use crate::machine::{Digest, Outbox, Stamp, Timestamp};

    /// Does nothing.
    struct Idle;

    impl StateMachine for Idle {
        type Command = ();
        type Reply = ();
        type Event = ();

        fn apply(&mut self, _at: &Stamp, (): (), _out: &mut Outbox<()>) {}
        fn deadline(&self) -> Option<Timestamp> {
            None
        }
        fn expire(&mut self, _at: &Stamp, _out: &mut Outbox<()>) {}
        fn snapshot(&self, _out: &mut dyn Write) -> io::Result<()> {
            Ok(())
        }
        fn restore(&mut self, _from: &mut dyn Read) -> io::Result<()> {
            Ok(())
        }
        fn digest(&self) -> Digest {
            Digest::default()
        }
    }

    fn push(inlet: &Inlet<Idle>, body: usize) -> Result<(), SubmitError> {
        let header = Header::own(crate::record::Own::Tick);
        inlet.push(&header, false, 0, None, |out| out.resize(out.len() + body, 0))
    }

    fn parked(inlet: &Inlet<Idle>) -> bool {
        inlet.state().parked.is_some()
    }

    fn taken(inlet: &Inlet<Idle>, least: usize) -> usize {
        inlet.take(least, &mut Vec::new()).intake.map_or(0, |intake| intake.entries.len())
    }

    #[test]
    fn a_sleeper_that_wants_three_is_woken_by_the_third() {
        let inlet = Inlet::new(PartitionId(1), 100, 4 << 20, 10);
        assert!(inlet.about_to_park(3));
        for _ in 0..2 {
            push(&inlet, 10).unwrap();
            assert!(parked(&inlet), "not for so few");
            assert_eq!(taken(&inlet, 3), 0);
        }
        push(&inlet, 10).unwrap();
        assert!(!parked(&inlet));
        assert!(!inlet.about_to_park(3), "enough waits");
        assert_eq!((taken(&inlet, 3), taken(&inlet, 1)), (3, 0));
    }

    #[test]
    fn a_sleeper_is_woken_for_reads_and_orders_whatever_it_wants() {
        let inlet = Inlet::<Idle>::new(PartitionId(1), 100, 4 << 20, 10);
        assert!(inlet.about_to_park(usize::MAX));
        inlet.push_read(0, Box::new(|_| ())).unwrap();
        assert!(!parked(&inlet));
        inlet.take(usize::MAX, &mut Vec::new());
        assert!(inlet.about_to_park(usize::MAX));
        inlet.order(Order::Stop);
        assert!(!parked(&inlet));
    }

    #[test]
    fn a_full_batch_goes_however_many_are_wanted() {
        let inlet = Inlet::new(PartitionId(1), 100, 4 << 20, 10);
        for _ in 0..3 {
            push(&inlet, MAX_BODY_BYTES).unwrap();
        }
        assert_eq!(taken(&inlet, 100), 2, "a batch holds two of the largest, the third is in the next");
        assert_eq!((taken(&inlet, usize::MAX), taken(&inlet, 100), taken(&inlet, 1)), (0, 0, 1));
    }
}
