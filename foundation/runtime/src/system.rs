//! All partitions of one system: started together, found by key or by unit, stopped together.

use std::sync::Arc;
use std::thread::JoinHandle;

use decalog_log::PartitionId;

use crate::bucket::{bucket_of, partition_of};
use crate::config::Setup;
use crate::error::StartError;
use crate::inlet::Order;
use crate::machine::StateMachine;
use crate::partition::Partition;
use crate::start::Starting;

/// The partition of a system: the system's number in the high half, the index in the low.
pub fn partition_id(system: u16, index: u16) -> PartitionId {
    PartitionId(u32::from(system) << 16 | u32::from(index))
}

/// A running system. [`System::shutdown`] (or dropping it) answers what was taken, syncs, and stops its threads.
pub struct System<M: StateMachine> {
    partitions: Vec<Partition<M>>,
    threads: Vec<JoinHandle<()>>,
}

impl<M: StateMachine> System<M> {
    /// Recovers partitions 0 to `count` of the system with this number, side by side, and starts them.
    pub fn start(setup: Setup<M>, system: u16, count: u16) -> Result<System<M>, StartError> {
        let setup = Arc::new(setup);
        let recovered: Vec<_> = std::thread::scope(|scope| {
            let recover = |index| {
                let setup = setup.clone();
                let id = partition_id(system, index);
                (id, scope.spawn(move || Starting::recover(setup, id)))
            };
            let handles: Vec<_> = (0..count).map(recover).collect();
            handles.into_iter().map(|(id, handle)| (id, handle.join())).collect()
        });
        let mut starting = Vec::new();
        for (_, result) in recovered {
            match result {
                Ok(one) => starting.push(one),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        let mut whole = System { partitions: Vec::new(), threads: Vec::new() };
        for one in starting.into_iter().collect::<Result<Vec<_>, _>>()? {
            whole.partitions.push(one.launch(&mut whole.threads)?);
        }
        Ok(whole)
    }

    /// Every partition, by index.
    pub fn partitions(&self) -> &[Partition<M>] {
        &self.partitions
    }

    /// The partition with this index, for systems whose units are listed.
    ///
    /// # Panics
    /// When there is none.
    pub fn partition(&self, index: usize) -> &Partition<M> {
        &self.partitions[index]
    }

    /// The partition that owns a key, with the key's bucket, for systems whose keys are hashed.
    pub fn by_key(&self, key: &[u8]) -> (u16, &Partition<M>) {
        let bucket = bucket_of(key);
        (bucket, &self.partitions[partition_of(bucket, self.partitions.len())])
    }

    /// Answers what was taken, syncs, and stops every partition's threads. Handles that are left refuse everything.
    pub fn shutdown(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        for partition in &self.partitions {
            partition.shared.inlet.order(Order::Stop);
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of a partition panicked");
            }
        }
    }
}

impl<M: StateMachine> Drop for System<M> {
    fn drop(&mut self) {
        self.stop();
    }
}
