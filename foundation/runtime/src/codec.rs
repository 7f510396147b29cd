//! Little-endian numbers in streams, for what the runtime writes into snapshots.

use std::io::{self, Read, Write};

pub(crate) fn put_u32(out: &mut dyn Write, value: u32) -> io::Result<()> {
    out.write_all(&value.to_le_bytes())
}

pub(crate) fn put_u64(out: &mut dyn Write, value: u64) -> io::Result<()> {
    out.write_all(&value.to_le_bytes())
}

pub(crate) fn put_u128(out: &mut dyn Write, value: u128) -> io::Result<()> {
    out.write_all(&value.to_le_bytes())
}

/// Bytes with their length in front.
pub(crate) fn put_bytes(out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    put_u32(out, u32::try_from(bytes.len()).map_err(|_| io::Error::other("more than 4 GiB in one piece"))?)?;
    out.write_all(bytes)
}

fn take<const N: usize>(from: &mut dyn Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn take_u32(from: &mut dyn Read) -> io::Result<u32> {
    take(from).map(u32::from_le_bytes)
}

pub(crate) fn take_u64(from: &mut dyn Read) -> io::Result<u64> {
    take(from).map(u64::from_le_bytes)
}

pub(crate) fn take_u128(from: &mut dyn Read) -> io::Result<u128> {
    take(from).map(u128::from_le_bytes)
}

/// Bytes with their length in front. The length is not trusted: memory grows only as bytes come.
pub(crate) fn take_bytes(from: &mut dyn Read) -> io::Result<Vec<u8>> {
    let length = u64::from(take_u32(from)?);
    let mut bytes = Vec::new();
    if from.take(length).read_to_end(&mut bytes)? as u64 == length {
        Ok(bytes)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
