//! The writing half of a FIX connection: the apply thread writes straight into the socket while it takes bytes.
//!
//! Only when the socket is full, or a resend is under way, do bytes queue up behind a thread of the connection's
//! own, which ends when the queue is empty again. The queue is bounded, and a peer that takes nothing for the
//! send timeout is cut off: what it misses waits in the session, for its resend request. Order is never lost,
//! since bytes go to the queue while there is one.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::net::{SendFlags, send};

use super::socket::Socket;

/// Why a connection was cut off, for the log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// More waited than the queue holds.
    QueueFull,
    /// The socket took nothing for the send timeout, or failed.
    SendFailed,
    /// The partition or the server stops.
    Stopped,
}

/// A piece of work for the connection's thread.
enum Work {
    Bytes(Vec<u8>),
    Resend(Resend),
    Close,
}

/// Writes a resend; given the socket (blocking, with the send timeout).
pub(crate) type Resend = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send>;

#[derive(Default)]
struct Queue {
    work: VecDeque<Work>,
    bytes: usize,
    /// A thread works on the queue: everything has to go through it.
    busy: bool,
    /// No more is taken, because of a cut or an orderly close.
    closed: bool,
    cut: Option<Cut>,
}

/// Writes to one connection; shared by the apply thread and the connection's own threads.
pub(crate) struct Outbound {
    socket: Socket,
    limit_bytes: usize,
    queue: Mutex<Queue>,
}

impl Outbound {
    /// Over a blocking socket whose send timeout is set; `limit_bytes` bounds what may wait.
    pub(crate) fn new(socket: Socket, limit_bytes: usize) -> Arc<Self> {
        Arc::new(Self { socket, limit_bytes, queue: Mutex::default() })
    }

    /// Writes bytes now when nothing waits, else queues them; cuts the peer off when too much waits. Never blocks.
    pub(crate) fn send(self: &Arc<Self>, mut bytes: &[u8]) {
        let mut queue = self.lock();
        if queue.closed {
            return;
        }
        if !queue.busy {
            match send(&self.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(sent) if sent == bytes.len() => return,
                Ok(sent) => bytes = &bytes[sent..],
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
                Err(_) => return self.cut_locked(&mut queue, Cut::SendFailed),
            }
        }
        if queue.bytes + bytes.len() > self.limit_bytes {
            return self.cut_locked(&mut queue, Cut::QueueFull);
        }
        queue.bytes += bytes.len();
        self.enqueue(queue, Work::Bytes(bytes.to_vec()));
    }

    /// Lets the connection's thread write a resend; what is sent meanwhile waits behind it.
    pub(crate) fn resend(self: &Arc<Self>, resend: Resend) {
        let queue = self.lock();
        if !queue.closed {
            self.enqueue(queue, Work::Resend(resend));
        }
    }

    /// Closes once everything before is written.
    pub(crate) fn close(self: &Arc<Self>) {
        let mut queue = self.lock();
        if queue.closed {
            return;
        }
        queue.closed = true;
        if queue.busy {
            self.enqueue(queue, Work::Close);
        } else {
            self.shutdown(Shutdown::Write);
        }
    }

    /// Ends the connection at once.
    pub(crate) fn cut(&self, why: Cut) {
        self.cut_locked(&mut self.lock(), why);
    }

    /// Whether no more is sent: the reader should end too.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Why the peer was cut off, if it was.
    pub(crate) fn cut_reason(&self) -> Option<Cut> {
        self.lock().cut
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic under this lock leaves at worst a queue that is cut off later.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut_locked(&self, queue: &mut Queue, why: Cut) {
        queue.closed = true;
        queue.cut.get_or_insert(why);
        queue.work.clear();
        queue.bytes = 0;
        self.shutdown(Shutdown::Both);
    }

    fn shutdown(&self, how: Shutdown) {
        // Fails only when the peer has closed already, which is what is wanted.
        let _ = self.socket.shutdown(how);
    }

    fn enqueue(self: &Arc<Self>, mut queue: MutexGuard<'_, Queue>, work: Work) {
        queue.work.push_back(work);
        if !queue.busy {
            queue.busy = true;
            let outbound = Arc::clone(self);
            let thread = std::thread::Builder::new().name("fix-writer".to_owned()).stack_size(256 * 1024);
            if thread.spawn(move || outbound.drain()).is_err() {
                self.cut_locked(&mut queue, Cut::SendFailed);
            }
        }
    }

    /// Works the queue off, then ends.
    fn drain(&self) {
        loop {
            let work = {
                let mut queue = self.lock();
                match queue.work.pop_front() {
                    Some(work) => work,
                    None => {
                        queue.busy = false;
                        return;
                    }
                }
            };
            let mut socket = &self.socket;
            let done = match work {
                Work::Bytes(bytes) => {
                    let done = socket.write_all(&bytes);
                    let mut queue = self.lock();
                    queue.bytes = queue.bytes.saturating_sub(bytes.len());
                    done
                }
                Work::Resend(resend) => resend(&mut socket),
                Work::Close => {
                    self.shutdown(Shutdown::Write);
                    Ok(())
                }
            };
            if done.is_err() {
                self.cut(Cut::SendFailed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use super::*;

    fn pair(limit_bytes: usize) -> (Arc<Outbound>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        server.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        (Outbound::new(server.into(), limit_bytes), client)
    }

    fn read_all(mut client: TcpStream) -> Vec<u8> {
        let mut read = Vec::new();
        client.read_to_end(&mut read).unwrap();
        read
    }

    #[test]
    fn bytes_keep_their_order_across_a_full_socket_and_a_resend() {
        let (outbound, client) = pair(64 << 20);
        let chunks: Vec<Vec<u8>> = (0..=255_u8).map(|byte| vec![byte; 64 * 1024]).collect();
        // Nobody reads yet: 16 MiB do not fit into the socket's buffers.
        let reader = {
            for chunk in &chunks[..128] {
                outbound.send(chunk);
            }
            let resent = chunks[128].clone();
            outbound.resend(Box::new(move |socket| socket.write_all(&resent)));
            for chunk in &chunks[129..] {
                outbound.send(chunk);
            }
            outbound.close();
            std::thread::spawn(move || read_all(client))
        };
        assert!(reader.join().unwrap() == chunks.concat(), "every byte, in order");
        assert_eq!(outbound.cut_reason(), None);
    }

    #[test]
    fn a_peer_that_never_reads_is_cut_off_when_its_queue_is_full() {
        let (outbound, _client) = pair(1 << 20);
        let chunk = vec![7; 64 * 1024];
        let mut sent = 0;
        while !outbound.is_closed() {
            outbound.send(&chunk);
            sent += chunk.len();
            assert!(sent < 64 << 20, "memory stays bounded");
        }
        assert!(outbound.cut_reason().is_some());
    }

    #[test]
    fn a_close_lets_what_was_sent_before_arrive() {
        let (outbound, client) = pair(1 << 20);
        outbound.send(b"last words");
        outbound.close();
        outbound.send(b"never");
        assert_eq!(read_all(client), b"last words");
        assert_eq!(outbound.cut_reason(), None);
    }
}
