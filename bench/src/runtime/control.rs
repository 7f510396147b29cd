//! The runtime's control: the least that does what clients see. A queue; a thread that takes what waits and writes it
//! to a file in one write; a second thread that answers. No order is checked, nothing can be read back, no state, no
//! events, no snapshot, no recovery. Each record is as long as the runtime's, headers included.

use std::fs::File;
use std::io::Write as _;
use std::mem;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use anyhow::Context as _;
use decalog_log::RECORD_PREFIX_BYTES;
use decalog_runtime::record::HEADER_BYTES;
use tokio::sync::oneshot;

use super::ledger::{BODY_BYTES, Entry};
use crate::clients::Door;

/// A record as long as the runtime writes it.
const RECORD_BYTES: usize = RECORD_PREFIX_BYTES + HEADER_BYTES + BODY_BYTES;

/// One request: its bytes, and who waits.
type Request = ([u8; RECORD_BYTES], oneshot::Sender<u64>);

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    arrival: Condvar,
}

#[derive(Default)]
struct Waiting {
    requests: Vec<Request>,
    closed: bool,
}

/// The queue and its two threads.
pub(crate) struct Control {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Control {
    /// Starts both threads; the file is created.
    pub(crate) fn start(path: &Path) -> anyhow::Result<Self> {
        let queue = Arc::new(Queue::default());
        let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        let (written, to_answer) = mpsc::channel();
        let requests = queue.clone();
        let writer = std::thread::spawn(move || write(&requests, file, &written));
        let answerer = std::thread::spawn(move || answer(&to_answer));
        Ok(Self { queue, threads: vec![writer, answerer] })
    }

    /// Ends both threads once everything is answered.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.queue.arrival.notify_one();
        self.threads.into_iter().try_for_each(|thread| {
            thread.join().map_err(|_| anyhow::anyhow!("a thread of the control panicked"))?
        })
    }
}

fn write(queue: &Queue, mut file: File, written: &mpsc::Sender<Vec<Request>>) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let mut waiting = queue.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.requests.is_empty() && !waiting.closed {
            waiting = queue.arrival.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let requests = mem::take(&mut waiting.requests);
        drop(waiting);
        if requests.is_empty() {
            return Ok(());
        }
        bytes.clear();
        for (record, _) in &requests {
            bytes.extend_from_slice(record);
        }
        file.write_all(&bytes).context("cannot write the control's file")?;
        written.send(requests).context("the answering thread has ended")?;
    }
}

fn answer(to_answer: &mpsc::Receiver<Vec<Request>>) -> anyhow::Result<()> {
    let mut answered = 0;
    for requests in to_answer {
        for (_, waiter) in requests {
            answered += 1;
            // A client that has gone away needs no answer.
            let _ = waiter.send(answered);
        }
    }
    Ok(())
}

impl Queue {
    fn push(&self, request: Request) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.requests.push(request);
        // Only the first of a batch can find the writer asleep.
        let first = waiting.requests.len() == 1;
        drop(waiting);
        if first {
            self.arrival.notify_one();
        }
    }
}

impl Door for Control {
    async fn ask(&self, _client: usize, sequence: u64) {
        let mut record = [0; RECORD_BYTES];
        record[RECORD_BYTES - BODY_BYTES..].copy_from_slice(Entry::of(sequence).bytes());
        let (waiter, answer) = oneshot::channel();
        self.queue.push((record, waiter));
        answer.await.expect("the control answers every request before it stops");
    }
}
