//! The key ring's file: lines of text, replaced whole or not at all, so that a power cut leaves the ring before or the
//! ring after.
//!
//! ```text
//! decalog key ring 1
//! salt <32 bytes drawn for this writing>
//! master <8 bytes that tell one master key from another>
//! key <number> <a data key and its tag>
//! check <the tag over all lines above>
//! ```
//!
//! The wrapping key is HKDF(master key, salt), so each writing has its own and a key's number is a good nonce; 0, which
//! no key has, is the check's.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::cipher::{Cipher, KEY_BYTES, TAG_BYTES, counted, random};
use crate::ring::Keys;
use crate::{MasterKey, SealError, hex};

const FIRST_LINE: &str = "decalog key ring 1";
const WRAP: &str = "decalog key ring 1: wrap";
const TELL: &str = "decalog key ring 1: tell";
const SALT_BYTES: usize = 32;
const MASTER_BYTES: usize = 8;

/// Held while a ring is changed, so that two who change it do not lose each other's keys.
pub(crate) struct Exclusive(#[expect(dead_code, reason = "the lock goes with it")] File);

impl Exclusive {
    pub(crate) fn take(path: &Path) -> Result<Self, SealError> {
        let lock = beside(path, "lock");
        let open = || {
            let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&lock)?;
            file.lock()?;
            Ok(Self(file))
        };
        open().map_err(|source| SealError::Io { path: lock.clone(), source })
    }
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    path.with_added_extension(extension)
}

pub(crate) fn write(
    path: &Path,
    keys: &Keys,
    master: &MasterKey,
    _held: &Exclusive,
) -> Result<(), SealError> {
    let text = encode(keys, master)?;
    let unfinished = beside(path, "unfinished");
    let put = || {
        let mut file =
            File::options().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    put().map_err(|source: io::Error| SealError::Io { path: path.to_owned(), source })
}

fn encode(keys: &Keys, master: &MasterKey) -> Result<String, SealError> {
    let salt: [u8; SALT_BYTES] = random()?;
    let cipher = Cipher::derive(&master.0, &salt, WRAP);
    let mut text = format!("{FIRST_LINE}\nsalt ");
    hex::encode(&salt, &mut text);
    text += "\nmaster ";
    hex::encode(&tell(master, &salt), &mut text);
    for (number, key) in keys {
        let line = format!("key {number} ");
        let mut wrapped = key.clone();
        let tag = cipher.seal(counted(u64::from(*number)), line.as_bytes(), &mut wrapped[..]);
        text += "\n";
        text += &line;
        hex::encode(&wrapped[..], &mut text);
        hex::encode(&tag, &mut text);
    }
    text += "\n";
    let check = cipher.seal(counted(0), text.as_bytes(), &mut []);
    text += "check ";
    hex::encode(&check, &mut text);
    text += "\n";
    Ok(text)
}

/// Tells one master key from another, so that a wrong key is not taken for a damaged file.
fn tell(master: &MasterKey, salt: &[u8]) -> [u8; MASTER_BYTES] {
    let mut zeroes = [0; MASTER_BYTES];
    Cipher::derive(&master.0, salt, TELL).seal(counted(0), &[], &mut zeroes);
    zeroes
}

pub(crate) fn read(path: &Path, master: &MasterKey) -> Result<Keys, SealError> {
    let text = fs::read_to_string(path).map_err(|source| SealError::Io { path: path.to_owned(), source })?;
    let damaged = |what: &str| SealError::Ring { path: path.to_owned(), what: what.to_owned() };
    let wrong = || SealError::WrongMaster { path: path.to_owned() };
    let form = || damaged("has not the form of one");
    let mut lines = text.split_inclusive('\n');
    let mut line = |name: &str| -> Option<&str> {
        lines.next()?.strip_suffix('\n')?.strip_prefix(name)?.strip_prefix(' ')
    };
    let mut salt = [0; SALT_BYTES];
    let mut told = [0; MASTER_BYTES];
    let first = line("decalog").ok_or_else(form)?;
    let head = FIRST_LINE.strip_prefix("decalog ") == Some(first)
        && hex::decode(line("salt").ok_or_else(form)?.as_bytes(), &mut salt)
        && hex::decode(line("master").ok_or_else(form)?.as_bytes(), &mut told);
    if !head {
        return Err(form());
    }
    let cipher = Cipher::derive(&master.0, &salt, WRAP);
    let (body, check) = text.rsplit_once("check ").ok_or_else(form)?;
    let mut tag = [0; TAG_BYTES];
    let whole = hex::decode(check.trim_end().as_bytes(), &mut tag)
        && cipher.open(counted(0), body.as_bytes(), &mut tag).is_some();
    if !whole {
        return Err(if told == tell(master, &salt) { damaged("is not what was written") } else { wrong() });
    }
    let mut keys = Keys::new();
    for line in body.lines().skip(3) {
        let (number, key) = unwrap(line, &cipher).ok_or_else(form)?;
        keys.insert(number, key);
    }
    if keys.is_empty() { Err(damaged("holds no key")) } else { Ok(keys) }
}

fn unwrap(line: &str, cipher: &Cipher) -> Option<(u32, Zeroizing<[u8; KEY_BYTES]>)> {
    let (head, digits) = line.split_at_checked(line.rfind(' ')? + 1)?;
    let number = head.strip_prefix("key ")?.trim_end().parse().ok()?;
    let mut wrapped = Zeroizing::new([0; KEY_BYTES + TAG_BYTES]);
    if !hex::decode(digits.as_bytes(), &mut wrapped[..]) {
        return None;
    }
    let opened = cipher.open(counted(u64::from(number)), head.as_bytes(), &mut wrapped[..])?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    key.copy_from_slice(opened);
    Some((number, key))
}
