//! Snapshots: the whole state of a partition at an offset, as one checked object.
//!
//! Layout, little-endian: magic, partition u32, offset u64, digest of the skips below u128, digest of the state u128,
//! the runtime's share, the machine's own bytes; at the end the xxh3-128 of everything before it.

use std::io::{self, Read, Write};

use decalog_log::PartitionId;
use xxhash_rust::xxh3::Xxh3;

use crate::codec::{put_u32, put_u64, put_u128, take_u32, take_u64, take_u128};
use crate::machine::{Digest, StateMachine};
use crate::replica::Replica;
use crate::skip::{Skips, shelf};
use crate::store::Store;

const MAGIC: &[u8; 8] = b"DLSNAP01";
const TRAILER_BYTES: usize = 16;

fn prefix(partition: PartitionId) -> String {
    format!("{}/snapshot-", shelf(partition))
}

pub(crate) fn name(partition: PartitionId, offset: u64) -> String {
    format!("{}{offset:020}", prefix(partition))
}

/// The offsets of a partition's snapshots, oldest first.
pub(crate) fn list(store: &dyn Store, partition: PartitionId) -> io::Result<Vec<u64>> {
    let prefix = prefix(partition);
    let names = store.list(&prefix)?;
    Ok(names.iter().filter_map(|name| name.strip_prefix(&prefix)?.parse().ok()).collect())
}

struct Hashing<'a> {
    out: &'a mut dyn Write,
    hash: Box<Xxh3>,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes a snapshot of the replica as it is. When this returns it is on the device.
pub(crate) fn write<M: StateMachine>(
    store: &dyn Store,
    partition: PartitionId,
    replica: &Replica<M>,
    skips: &Skips,
) -> io::Result<u64> {
    let offset = replica.ledger.applied;
    store.put(&name(partition, offset), &mut |out| {
        let mut out = Hashing { out, hash: Box::new(Xxh3::new()) };
        out.write_all(MAGIC)?;
        put_u32(&mut out, partition.0)?;
        put_u64(&mut out, offset)?;
        put_u128(&mut out, skips.digest_below(offset).0)?;
        put_u128(&mut out, replica.digest().0)?;
        replica.ledger.snapshot(&mut out)?;
        // Machines write field by field; the buffer keeps the hash and the file from seeing each of them.
        let mut buffered = io::BufWriter::with_capacity(64 << 10, &mut out);
        replica.machine.snapshot(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        let digest = out.hash.digest128();
        put_u128(out.out, digest)
    })?;
    Ok(offset)
}

/// Whether the bytes of a snapshot are what was written.
pub(crate) fn is_whole(store: &dyn Store, partition: PartitionId, offset: u64) -> io::Result<bool> {
    match store.get(&name(partition, offset)).and_then(|mut from| check(&mut *from)) {
        Ok(length) => Ok(length.is_some()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a snapshot is not.
pub(crate) enum Unusable {
    /// It was made with other skips.
    OtherSkips,
    /// Its bytes are not what was written, or its machine cannot read them.
    Broken(String),
}

/// Reads a snapshot into an empty replica. After a failure the replica is of no use.
pub(crate) fn read<M: StateMachine>(
    store: &dyn Store,
    partition: PartitionId,
    offset: u64,
    skips: &Skips,
    replica: &mut Replica<M>,
) -> io::Result<Result<(), Unusable>> {
    let name = name(partition, offset);
    let length = match store.get(&name).and_then(|mut from| check(&mut *from)) {
        Ok(Some(length)) => length,
        Ok(None) => return Ok(Err(Unusable::Broken("its checksum does not match".to_owned()))),
        // A seal that does not fit; a key that is missing is another matter.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Ok(Err(Unusable::Broken(error.to_string())));
        }
        Err(error) => return Err(error),
    };
    let from = &mut store.get(&name)?.take(length);
    match read_checked(from, partition, offset, skips, replica) {
        Ok(result) => Ok(result),
        Err(error) => Ok(Err(Unusable::Broken(error.to_string()))),
    }
}

fn read_checked<M: StateMachine>(
    from: &mut dyn Read,
    partition: PartitionId,
    offset: u64,
    skips: &Skips,
    replica: &mut Replica<M>,
) -> io::Result<Result<(), Unusable>> {
    let mut magic = [0; MAGIC.len()];
    from.read_exact(&mut magic)?;
    if &magic != MAGIC || take_u32(from)? != partition.0 || take_u64(from)? != offset {
        return Ok(Err(Unusable::Broken("it is not this partition's snapshot of this offset".to_owned())));
    }
    if Digest(take_u128(from)?) != skips.digest_below(offset) {
        return Ok(Err(Unusable::OtherSkips));
    }
    let expected = Digest(take_u128(from)?);
    replica.ledger.restore(from)?;
    replica.machine.restore(from)?;
    let found = replica.digest();
    if found != expected {
        let reason = format!("the restored state has digest {found}, {expected} was snapshot");
        return Ok(Err(Unusable::Broken(reason)));
    }
    Ok(Ok(()))
}

/// The length of the object before its trailer, or `None` when the trailer does not match.
fn check(from: &mut dyn Read) -> io::Result<Option<u64>> {
    let mut hash = Box::new(Xxh3::new());
    let mut buffer = vec![0; 256 << 10];
    let (mut held, mut length) = (0, 0);
    loop {
        let read = from.read(&mut buffer[held..])?;
        if read == 0 {
            break;
        }
        held += read;
        // The last bytes seen may be the trailer: they are hashed once more have come.
        if held > TRAILER_BYTES {
            let whole = held - TRAILER_BYTES;
            hash.update(&buffer[..whole]);
            length += whole as u64;
            buffer.copy_within(whole..held, 0);
            held = TRAILER_BYTES;
        }
    }
    Ok((buffer[..held] == hash.digest128().to_le_bytes()).then_some(length))
}
