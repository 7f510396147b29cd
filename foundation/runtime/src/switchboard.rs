//! Carries messages between the partitions of this process, whatever systems they belong to.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use decalog_log::PartitionId;

use crate::inlet::{Inlet, Order};
use crate::machine::StateMachine;
use crate::record::{Header, Own};

/// A partition's side entrance.
pub(crate) trait Door: Send + Sync {
    /// Puts a record of the runtime's own into the queue; `false` when there is no room now.
    fn put(&self, header: &Header, body: &[u8]) -> bool;
    /// Asks for what was sent and not acknowledged to be sent again.
    fn resend(&self);
}

impl<M: StateMachine> Door for Inlet<M> {
    fn put(&self, header: &Header, body: &[u8]) -> bool {
        self.push(header, true, 0, None, |out| out.extend_from_slice(body)).is_ok()
    }

    fn resend(&self) {
        self.order(Order::Resend);
    }
}

/// Knows every partition of this process that can be sent to.
#[derive(Default)]
pub struct Switchboard {
    doors: RwLock<BTreeMap<PartitionId, Arc<dyn Door>>>,
}

impl Switchboard {
    /// One without partitions.
    pub fn new() -> Switchboard {
        Switchboard::default()
    }

    /// A partition has started; those that have something for it send it (again).
    pub(crate) fn connect(&self, partition: PartitionId, door: Arc<dyn Door>) {
        let mut doors = self.doors.write().unwrap_or_else(PoisonError::into_inner);
        doors.insert(partition, door);
        doors.values().for_each(|door| door.resend());
    }

    pub(crate) fn disconnect(&self, partition: PartitionId) {
        self.doors.write().unwrap_or_else(PoisonError::into_inner).remove(&partition);
    }

    /// Puts a record into a partition's queue; `false` when it is not here or has no room now.
    pub(crate) fn put(&self, target: PartitionId, header: &Header, body: &[u8]) -> bool {
        let doors = self.doors.read().unwrap_or_else(PoisonError::into_inner);
        doors.get(&target).is_some_and(|door| door.put(header, body))
    }
}

/// How far one partition has sent to each target, and when it last heard of it.
#[derive(Default)]
pub(crate) struct Sent {
    upto: BTreeMap<PartitionId, u64>,
}

impl Sent {
    /// The next sequence to send to this target.
    pub(crate) fn next(&self, target: PartitionId) -> u64 {
        self.upto.get(&target).map_or(1, |upto| upto + 1)
    }

    pub(crate) fn note(&mut self, target: PartitionId, sequence: u64) {
        self.upto.insert(target, sequence);
    }

    /// Everything unacknowledged goes again.
    pub(crate) fn forget(&mut self) {
        self.upto.clear();
    }
}

const _: () = assert!(Own::Tick as u16 >= crate::record::RESERVED_KINDS);
