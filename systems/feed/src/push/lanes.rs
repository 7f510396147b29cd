//! What waits to be pushed: a lane for each push service, with places of its own. Pure; whoever asks says the time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::sabotage::{self, Sabotage};
use crate::value::{AccountId, ItemId};

/// A notification on its way to a session's app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub notification: ItemId,
    /// To which of their sessions.
    pub session: u64,
    /// The push service: scheme, host and port.
    pub service: String,
    /// How often it was tried.
    pub attempts: u32,
}

/// How much may wait and be on its way.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Jobs of one service on their way at the same time.
    pub at_one: usize,
    /// Jobs of all on their way at the same time.
    pub at_all: usize,
    /// Jobs that wait for one service.
    pub waiting_for_one: usize,
    /// Jobs that wait for all.
    pub waiting: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { at_one: 8, at_all: 64, waiting_for_one: 2_000, waiting: 20_000 }
    }
}

/// A job on its way; its outcome is told with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    service: String,
    number: u64,
}

#[derive(Debug, Default)]
struct Lane {
    /// By when they are due, and by age.
    waiting: BTreeMap<(Instant, u64), Job>,
    running: BTreeMap<u64, Job>,
}

/// All lanes.
#[derive(Debug, Default)]
pub struct Lanes {
    bounds: Bounds,
    lanes: BTreeMap<String, Lane>,
    next: u64,
    waiting: usize,
    running: usize,
    /// The service that had its turn last.
    last: String,
}

impl Lanes {
    /// None yet.
    pub fn new(bounds: Bounds) -> Lanes {
        Lanes { bounds, ..Lanes::default() }
    }

    /// Adds a job that is due then. Where that is too much, the one of the longest lane that was to come first makes room,
    /// and is given back.
    pub fn put(&mut self, job: Job, due: Instant) -> Option<Job> {
        self.next += 1;
        let lane = self.lanes.entry(job.service.clone()).or_default();
        let service = job.service.clone();
        lane.waiting.insert((due, self.next), job);
        self.waiting += 1;
        if lane.waiting.len() > self.bounds.waiting_for_one {
            return self.drop_first(&service);
        }
        if self.waiting > self.bounds.waiting {
            let longest = self.lanes.iter().max_by_key(|(_, lane)| lane.waiting.len())?.0.clone();
            return self.drop_first(&longest);
        }
        None
    }

    fn drop_first(&mut self, service: &str) -> Option<Job> {
        let (_, job) = self.lanes.get_mut(service)?.waiting.pop_first()?;
        self.waiting -= 1;
        Some(job)
    }

    fn has_place(&self, lane: &Lane) -> bool {
        lane.running.len() < self.bounds.at_one || sabotage::lacks(Sabotage::PushLane)
    }

    /// The next job that is due and has a place; the services take turns.
    pub fn take(&mut self, now: Instant) -> Option<(Ticket, Job)> {
        if self.running >= self.bounds.at_all {
            return None;
        }
        let due = |lane: &Lane| lane.waiting.first_key_value().is_some_and(|((due, _), _)| *due <= now);
        let after =
            self.lanes.range((std::ops::Bound::Excluded(self.last.clone()), std::ops::Bound::Unbounded));
        let mut turns = after.chain(self.lanes.range(..=self.last.clone()));
        let service = turns.find(|(_, lane)| due(lane) && self.has_place(lane))?.0.clone();
        let lane = self.lanes.get_mut(&service)?;
        let ((_, number), job) = lane.waiting.pop_first()?;
        lane.running.insert(number, job.clone());
        self.waiting -= 1;
        self.running += 1;
        self.last.clone_from(&service);
        Some((Ticket { service, number }, job))
    }

    /// When the next job is due that has a place.
    pub fn next_due(&self) -> Option<Instant> {
        if self.running >= self.bounds.at_all {
            return None;
        }
        let lanes = self.lanes.values().filter(|lane| self.has_place(lane));
        lanes.filter_map(|lane| lane.waiting.first_key_value().map(|((due, _), _)| *due)).min()
    }

    /// A job is over; or it is tried again, then.
    pub fn end(&mut self, ticket: &Ticket, again: Option<(Job, Instant)>) -> Option<Job> {
        let lane = self.lanes.get_mut(&ticket.service)?;
        if lane.running.remove(&ticket.number).is_some() {
            self.running -= 1;
        }
        let dropped = again.and_then(|(job, due)| self.put(job, due));
        if self
            .lanes
            .get(&ticket.service)
            .is_some_and(|lane| lane.waiting.is_empty() && lane.running.is_empty())
        {
            self.lanes.remove(&ticket.service);
        }
        dropped
    }

    /// Everything that waits or is on its way: what is not over.
    pub fn jobs(&self) -> Vec<Job> {
        let lanes = self.lanes.values();
        lanes.flat_map(|lane| lane.running.values().chain(lane.waiting.values())).cloned().collect()
    }
}
