//! The master key, and where an operator may keep it. This process reads it and never writes it down.

use std::fmt;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::cipher::{KEY_BYTES, KeyBytes};
use crate::sabotage::{Sabotage, lacks};
use crate::{SealError, hex};

/// What a key's text may have around its 64 digits before it is taken for something else.
const TEXT_BYTES: usize = 256;

/// The key that wraps the data keys: 256 bits. Zeroed when dropped, never shown.
pub struct MasterKey(pub(crate) KeyBytes);

impl MasterKey {
    /// A master key of these bytes.
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads 64 hexadecimal digits, with nothing but white space around them.
    fn parse(text: &[u8]) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        hex::decode(text.trim_ascii(), &mut bytes[..]).then_some(Self(bytes))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(not shown)")
    }
}

/// Where the master key comes from: 64 hexadecimal digits (`openssl rand -hex 32` makes some).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A file that only its owner may read.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A program and its arguments, which writes the key to its standard output: a secret store's client.
    Command(Vec<String>),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
            // Not its arguments: people put tokens there.
            Self::Command(words) => write!(f, "the command {}", words.first().map_or("", String::as_str)),
        }
    }
}

impl KeySource {
    /// Reads the key. A command may take its time; it is waited for.
    pub fn read(&self) -> Result<MasterKey, SealError> {
        let refuse = |what: String| SealError::Master { origin: self.to_string(), what };
        let text = match self {
            Self::File(path) => read_file(path),
            Self::Environment(name) => std::env::var(name)
                .map(|text| Zeroizing::new(text.into_bytes()))
                .map_err(|_| "is not set, or is no text".to_owned()),
            Self::Command(words) => run(words),
        };
        let form = "holds no key: 64 hexadecimal digits are expected (`openssl rand -hex 32` makes some)";
        MasterKey::parse(&text.map_err(refuse)?).ok_or_else(|| refuse(form.to_owned()))
    }
}

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    // The open file's, so that nothing can be put in its place between the look and the reading.
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("is no regular file".to_owned());
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 && !lacks(Sabotage::KeyFileMode) {
        return Err(format!("others may read or write it (mode {mode:04o}): `chmod 600` it"));
    }
    read_text(file)
}

fn run(words: &[String]) -> Result<Zeroizing<Vec<u8>>, String> {
    let Some((program, arguments)) = words.split_first() else { return Err("is empty".to_owned()) };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot be started: {error}"))?;
    let text = match child.stdout.take() {
        Some(out) => read_text(out),
        None => Err("gave nothing".to_owned()),
    };
    let status = child.wait().map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(format!("failed ({status}); it says why on standard error"));
    }
    text
}

fn read_text(from: impl std::io::Read) -> Result<Zeroizing<Vec<u8>>, String> {
    // Room for all of it at once: a vector that grows would leave a copy behind.
    let mut text = Zeroizing::new(Vec::with_capacity(2 * TEXT_BYTES));
    from.take(TEXT_BYTES as u64).read_to_end(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}
