//! A reader of events: a position that moves through history into the present.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::events::{Address, Frame, Published, SubscriptionError};
use crate::hub::{Chunk, Hub, Sees};
use crate::machine::{Timestamp, Wire};

/// Follows a partition's events from a cursor on, each once and in order.
pub struct Subscription<E> {
    hub: Arc<Hub>,
    /// The next event to deliver is the first at or after this address.
    at: Address,
    /// The name of one that pins, and what it may see.
    follower: Option<(String, Sees)>,
    caught_up: bool,
    /// Events before are needed no more.
    released: Address,
    reading: Option<Reading>,
    event: PhantomData<fn() -> E>,
}

/// Where in a chunk the reader is.
struct Reading {
    chunk: Arc<Chunk>,
    /// The byte at which the next frame begins.
    frame: usize,
    current: Option<Current>,
}

/// The frame that is being read: the rest of its events.
#[derive(Clone, Copy)]
struct Current {
    offset: u64,
    time: Timestamp,
    index: u32,
    start: usize,
    end: usize,
}

impl<E> Drop for Subscription<E> {
    fn drop(&mut self) {
        if let Some((name, _)) = &self.follower {
            self.hub.unpin(name);
        }
    }
}

impl<E: Wire> Subscription<E> {
    pub(crate) fn new(hub: Arc<Hub>, at: Address, follower: Option<(String, Sees)>) -> Subscription<E> {
        Subscription { hub, at, follower, caught_up: false, released: at, reading: None, event: PhantomData }
    }

    /// The cursor: a subscription from here goes on where this one is.
    pub fn cursor(&self) -> Address {
        self.at
    }

    /// A follower no longer needs events before this address: its cursor is stored where it survives.
    pub fn release(&mut self, before: Address) {
        self.released = before;
        if let Some((name, sees)) = &self.follower {
            self.hub.pin(name, *sees, before.offset);
        }
    }

    /// The next event; waits for it.
    pub async fn next(&mut self) -> Result<Published<E>, SubscriptionError> {
        let hub = self.hub.clone();
        loop {
            let news = hub.news().notified();
            tokio::pin!(news);
            // Listen before looking, so that what comes in between is not missed.
            news.as_mut().enable();
            if let Some(event) = self.try_next()? {
                return Ok(event);
            }
            news.await;
        }
    }

    /// The next event, if it is there already.
    pub fn try_next(&mut self) -> Result<Option<Published<E>>, SubscriptionError> {
        let sees = self.follower.as_ref().map_or(Sees::Durable, |(_, sees)| *sees);
        let (end, closed) = self.hub.visible(sees);
        let behind = end.saturating_sub(self.at.offset);
        if self.caught_up && self.follower.is_none() && behind > self.hub.lag_limit() {
            return Err(SubscriptionError::TooSlow { behind, limit: self.hub.lag_limit(), at: self.at });
        }
        loop {
            if self.at.offset >= end {
                return self.nothing(end, closed);
            }
            if self.reading.is_none() {
                match self.hub.fetch(self.at.offset)? {
                    Some(chunk) => self.reading = Some(Reading { chunk, frame: 0, current: None }),
                    None => return self.nothing(end, closed),
                }
            }
            match self.step(end)? {
                Step::Event(event) => return Ok(Some(event)),
                Step::Waiting => return self.nothing(end, closed),
                Step::ChunkDone => {}
            }
        }
    }

    /// Nothing is left below `end`: the cursor stands there, past records without events.
    fn nothing(&mut self, end: u64, closed: bool) -> Result<Option<Published<E>>, SubscriptionError> {
        self.caught_up = true;
        pass(&mut self.at, &mut self.released, end);
        if self.released >= self.at {
            self.release(self.released);
        }
        if closed { Err(SubscriptionError::Closed) } else { Ok(None) }
    }

    /// Reads one event out of the present chunk, none of a record at or after `end`.
    fn step(&mut self, end: u64) -> Result<Step<E>, SubscriptionError> {
        let reading = self.reading.as_mut().expect("a chunk to read");
        loop {
            if let Some(mut current) = reading.current.take() {
                while current.start < current.end {
                    let rest = &reading.chunk.frames[current.start..current.end];
                    let frame = Frame { offset: current.offset, time: current.time, events: rest };
                    let Some((kind, version, body)) = frame.iter().next() else {
                        return Err(SubscriptionError::Journal(format!(
                            "a broken frame at offset {}",
                            current.offset
                        )));
                    };
                    let address = Address { offset: current.offset, index: current.index };
                    current.start += crate::events::EVENT_PREFIX_BYTES + body.len();
                    current.index += 1;
                    if address >= self.at {
                        let event = E::decode(kind, version, body)?;
                        self.at = address.after();
                        reading.current = Some(current);
                        return Ok(Step::Event(Published { address, time: current.time, event }));
                    }
                }
                pass(&mut self.at, &mut self.released, current.offset + 1);
            }
            let from = reading.frame;
            let Some((frame, rest)) = Frame::split(&reading.chunk.frames[from..]) else {
                pass(&mut self.at, &mut self.released, reading.chunk.next);
                self.reading = None;
                return Ok(Step::ChunkDone);
            };
            if frame.offset >= end {
                return Ok(Step::Waiting);
            }
            reading.frame = reading.chunk.frames.len() - rest.len();
            if frame.offset < self.at.offset {
                continue;
            }
            reading.current = Some(Current {
                offset: frame.offset,
                time: frame.time,
                index: 0,
                start: reading.frame - frame.events.len(),
                end: reading.frame,
            });
        }
    }
}

enum Step<E> {
    Event(Published<E>),
    /// The rest of the chunk may not be seen yet.
    Waiting,
    ChunkDone,
}

/// Goes on to a record past what has no further events. Who needed nothing before needs nothing of that either.
fn pass(at: &mut Address, released: &mut Address, record: u64) {
    let to = Address::of_record(record);
    if *at < to {
        if *released >= *at {
            *released = to;
        }
        *at = to;
    }
}
