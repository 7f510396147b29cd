//! Messages: short byte strings that are sealed and opened whole.
//!
//! A sealed message is the salt that its sealer drew (16 bytes), the sealer's counter (8, little-endian), the
//! encrypted bytes and the tag (16). The key's number is kept by the caller, in a header of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::cipher::{Cipher, TAG_BYTES, counted, random};
use crate::sabotage::{Sabotage, lacks};
use crate::{KeyRing, SealError};

const SALT_BYTES: usize = 16;
const FRONT_BYTES: usize = SALT_BYTES + 8;
/// What a sealed message has more than the bytes in it.
pub const MESSAGE_OVERHEAD_BYTES: usize = FRONT_BYTES + TAG_BYTES;
/// Runs whose ciphers an opener keeps at hand: a journal is read in the order it was written, a run at a time.
const KEPT_RUNS: usize = 64;

/// Seals messages of one kind. Threads share it.
pub struct Sealer {
    ring: Arc<KeyRing>,
    purpose: &'static str,
    run: RwLock<Arc<Run>>,
}

/// From a draw of a salt to the next: a start of the process, or a rotation.
struct Run {
    key: u32,
    salt: [u8; SALT_BYTES],
    cipher: Cipher,
    counter: AtomicU64,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Sealer");
        out.field("ring", &self.ring).field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

impl Run {
    fn begin(ring: &KeyRing, purpose: &str) -> Result<Arc<Self>, SealError> {
        let (key, salt) = (ring.active(), random()?);
        let cipher = ring.cipher(key, &salt, purpose)?;
        Ok(Arc::new(Self { key, salt, cipher, counter: AtomicU64::new(0) }))
    }
}

impl Sealer {
    /// A sealer with the ring's newest key. The purpose names the kind of message and the version of its form.
    pub fn new(ring: Arc<KeyRing>, purpose: &'static str) -> Result<Self, SealError> {
        let run = RwLock::new(Run::begin(&ring, purpose)?);
        Ok(Self { ring, purpose, run })
    }

    /// Appends the sealed message to `out`; gives the number of the key. Does not allocate once `out` has room.
    pub fn seal(&self, place: &[u8], plain: &[u8], out: &mut Vec<u8>) -> Result<u32, SealError> {
        let run = self.run()?;
        let step = u64::from(!lacks(Sabotage::Counter));
        let counter = run.counter.fetch_add(step, Ordering::Relaxed);
        out.extend_from_slice(&run.salt);
        out.extend_from_slice(&counter.to_le_bytes());
        let start = out.len();
        out.extend_from_slice(plain);
        let tag = run.cipher.seal(counted(counter), place, &mut out[start..]);
        out.extend_from_slice(&tag);
        Ok(run.key)
    }

    /// The run that seals now: another one once the ring has a newer key.
    fn run(&self) -> Result<Arc<Run>, SealError> {
        let run = Arc::clone(&self.run.read().unwrap_or_else(PoisonError::into_inner));
        if run.key == self.ring.active() {
            return Ok(run);
        }
        let mut current = self.run.write().unwrap_or_else(PoisonError::into_inner);
        if current.key != self.ring.active() {
            *current = Run::begin(&self.ring, self.purpose)?;
        }
        Ok(Arc::clone(&current))
    }
}

/// Opens messages of one kind.
pub struct Opener {
    ring: Arc<KeyRing>,
    purpose: &'static str,
    runs: BTreeMap<(u32, [u8; SALT_BYTES]), Cipher>,
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Opener");
        out.field("ring", &self.ring).field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

impl Opener {
    /// An opener of what a [`Sealer`] with the same purpose has sealed.
    pub fn new(ring: Arc<KeyRing>, purpose: &'static str) -> Self {
        Self { ring, purpose, runs: BTreeMap::new() }
    }

    /// Is the ring willing to have things that are not sealed?
    pub fn accepts_unsealed(&self) -> bool {
        self.ring.accepts_unsealed()
    }

    /// Opens a message into `out`, which is emptied first.
    pub fn open<'o>(
        &mut self,
        key: u32,
        place: &[u8],
        sealed: &[u8],
        out: &'o mut Vec<u8>,
    ) -> Result<&'o [u8], SealError> {
        let short = SealError::Malformed { what: "a message is shorter than its salt, counter and tag" };
        if sealed.len() < MESSAGE_OVERHEAD_BYTES {
            return Err(short);
        }
        let Some((front, body)) = sealed.split_first_chunk::<FRONT_BYTES>() else { return Err(short) };
        let Some((salt, counter)) = front.split_first_chunk::<SALT_BYTES>() else { return Err(short) };
        let counter = counter.try_into().map_or(0, u64::from_le_bytes);
        if !self.runs.contains_key(&(key, *salt)) {
            let cipher = self.ring.cipher(key, salt, self.purpose)?;
            if self.runs.len() >= KEPT_RUNS {
                self.runs.clear();
            }
            self.runs.insert((key, *salt), cipher);
        }
        let cipher = self.runs.get(&(key, *salt)).ok_or(SealError::UnknownKey { key })?;
        out.clear();
        out.extend_from_slice(body);
        let opened = cipher.open(counted(counter), place, out).map(|plain| plain.len());
        match opened {
            Some(length) => Ok(&out[..length]),
            None => {
                out.clear();
                Err(SealError::Broken { key })
            }
        }
    }
}
