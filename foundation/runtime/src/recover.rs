//! From snapshot and log back to state: at a start, after a bug, for the shadow, and for `verify`.

use std::collections::VecDeque;
use std::io;

use decalog_log::{Batch, Context, Log, LogError, PartitionId};

use crate::config::Make;
use crate::error::{Bug, Divergence, StartError};
use crate::machine::{Digest, StateMachine};
use crate::replica::Replica;
use crate::sabotage::{self, Sabotage};
use crate::skip::Skips;
use crate::snapshot::{self, Unusable};
use crate::store::Store;

/// What a batch header says about the history before it: the digest of everything below an offset.
pub(crate) fn context(chain: Digest, covers: u64) -> Context {
    let mut bytes = [0; 24];
    bytes[..16].copy_from_slice(&chain.0.to_le_bytes());
    bytes[16..].copy_from_slice(&covers.to_le_bytes());
    bytes
}

/// Reads what [`context`] wrote.
pub(crate) fn read_context(bytes: &Context) -> (Digest, u64) {
    let (chain, covers) = bytes.split_at(16);
    let chain = u128::from_le_bytes(chain.try_into().expect("16 bytes"));
    (Digest(chain), u64::from_le_bytes(covers.try_into().expect("8 bytes")))
}

/// Compares a replay's digests with those in batch headers. A header's digest covers what was applied when the batch
/// was written, which is the beginning of an earlier batch: so those digests are kept until they are asked for.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    known: VecDeque<(u64, Digest)>,
    agreed: u64,
    /// Headers compared.
    pub(crate) compared: u64,
}

impl Checker {
    fn check(
        &mut self,
        partition: PartitionId,
        batch: &Batch<'_>,
        chain: Digest,
        skips: &Skips,
    ) -> Result<(), Divergence> {
        self.known.push_back((batch.first(), chain));
        let (expected, covers) = read_context(batch.context());
        while self.known.front().is_some_and(|(offset, _)| *offset < covers) {
            self.known.pop_front();
        }
        let Some((_, found)) = self.known.front().filter(|(offset, _)| *offset == covers) else {
            return Ok(());
        };
        if !skips.comparable(covers, batch.first()) || sabotage::lacks(Sabotage::DigestCompare) {
            return Ok(());
        }
        if *found != expected {
            return Err(Divergence { partition, after: self.agreed, upto: covers, expected, found: *found });
        }
        self.agreed = covers;
        self.compared += 1;
        Ok(())
    }
}

/// Why a replay stopped.
#[derive(Debug)]
pub(crate) enum Stopped {
    Log(LogError),
    Bug { offset: u64, bug: Bug },
    Diverged(Divergence),
}

impl From<LogError> for Stopped {
    fn from(error: LogError) -> Self {
        Stopped::Log(error)
    }
}

/// Where a partition's history lies.
pub(crate) struct History<'a, M: StateMachine> {
    pub(crate) partition: PartitionId,
    pub(crate) log: &'a dyn Log,
    pub(crate) store: &'a dyn Store,
    pub(crate) make: &'a Make<M>,
    pub(crate) skips: &'a Skips,
}

impl<M: StateMachine> History<'_, M> {
    fn io(&self, action: &'static str, name: &str, source: io::Error) -> StartError {
        StartError::Io { action, path: self.store.place(name), source }
    }

    /// The state without a log: nothing, or what the machine's tables hold.
    pub(crate) fn empty(&self) -> Result<Replica<M>, StartError> {
        Replica::new((self.make)(self.partition), self.skips.offsets())
            .map_err(|error| self.io("read the tables of", &crate::skip::shelf(self.partition), error))
    }

    /// The newest usable snapshot at or below `below`, or an empty state.
    pub(crate) fn restore(&self, below: u64) -> Result<Replica<M>, StartError> {
        let mut replica = self.empty()?;
        if replica.backing.is_some() {
            return Ok(replica);
        }
        let offsets = snapshot::list(self.store, self.partition)
            .map_err(|error| self.io("list the snapshots in", &crate::skip::shelf(self.partition), error))?;
        for offset in offsets.into_iter().rev().filter(|offset| *offset <= below) {
            let result = snapshot::read(self.store, self.partition, offset, self.skips, &mut replica)
                .map_err(|error| self.io("read", &snapshot::name(self.partition, offset), error))?;
            match result {
                Ok(()) => return Ok(replica),
                Err(Unusable::OtherSkips) => {
                    tracing::info!(
                        partition = self.partition.0,
                        offset,
                        "a snapshot from before a skip is not used"
                    );
                }
                Err(Unusable::Broken(reason)) => {
                    tracing::warn!(
                        partition = self.partition.0,
                        offset,
                        reason,
                        "a broken snapshot is not used"
                    );
                }
            }
            // What could not be read may have left something behind.
            replica = self.empty()?;
        }
        Ok(replica)
    }

    /// The oldest usable snapshot at or above `from`, where the log begins.
    pub(crate) fn oldest(&self, from: u64) -> Result<Replica<M>, StartError> {
        let offsets = snapshot::list(self.store, self.partition)
            .map_err(|error| self.io("list the snapshots in", &crate::skip::shelf(self.partition), error))?;
        for offset in offsets.into_iter().filter(|offset| *offset >= from) {
            let replica = self.restore(offset)?;
            if replica.ledger.applied >= from {
                return Ok(replica);
            }
        }
        self.empty()
    }

    /// Applies what the log holds from where the replica is, up to `upto` (exclusive) or the durable end. After each
    /// batch, `published` gets the records it held and their frames.
    pub(crate) fn replay(
        &self,
        replica: &mut Replica<M>,
        checker: &mut Checker,
        upto: u64,
        published: &mut dyn FnMut(u64, u64, &[u8]),
    ) -> Result<(), Stopped> {
        if replica.ledger.applied >= upto {
            return Ok(());
        }
        let mut reader = self.log.read(self.partition, replica.ledger.applied)?;
        let mut frames = Vec::new();
        while let Some(batch) = reader.next()? {
            if batch.first() == replica.ledger.applied {
                checker
                    .check(self.partition, &batch, replica.ledger.chain, self.skips)
                    .map_err(Stopped::Diverged)?;
            }
            frames.clear();
            let first = replica.ledger.applied;
            let result = apply_batch(replica, &batch, upto, &mut frames);
            if result.is_ok() {
                replica.seal();
            }
            published(first, replica.ledger.applied.max(first), &frames);
            result?;
            if replica.ledger.applied >= upto {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn apply_batch<M: StateMachine>(
    replica: &mut Replica<M>,
    batch: &Batch<'_>,
    upto: u64,
    frames: &mut Vec<u8>,
) -> Result<(), Stopped> {
    for (offset, record) in batch.records() {
        if offset < replica.ledger.applied {
            continue;
        }
        if offset >= upto {
            break;
        }
        replica.apply(record, frames).map_err(|bug| Stopped::Bug { offset, bug })?;
    }
    Ok(())
}
