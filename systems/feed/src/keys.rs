//! The secrets of the edge: keys that are made at the first start and kept in files that only the server's user reads,
//! sealed when the data directory is. None of them is ever in the log.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use decalog_seal::{KeyRing, Opener, Sealer, UNSEALED};
use ring::rand::{SecureRandom as _, SystemRandom};

/// What the seal is for, and the version of the files' form.
const PURPOSE: &str = "feed keys 1";

/// A folder of keys.
#[derive(Clone, Debug)]
pub struct Keys {
    folder: PathBuf,
    seal: Option<Arc<KeyRing>>,
}

impl Keys {
    /// Makes the folder when there is none.
    pub fn open(folder: &Path, seal: Option<Arc<KeyRing>>) -> io::Result<Keys> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Ok(Keys { folder: folder.to_owned(), seal })
    }

    /// The key of this name, which is made when there is none. One that was kept by an older key of the ring, or unsealed, is
    /// written anew.
    pub fn get(&self, name: &str, make: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<Vec<u8>> {
        let path = self.folder.join(name);
        let named = |error: io::Error| io::Error::other(format!("{}: {error}", path.display()));
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = make()?;
                self.write(&path, name, &key).map_err(named)?;
                return Ok(key);
            }
            Err(error) => return Err(named(error)),
        };
        let (sealed_by, key) = self.read(name, &bytes).map_err(named)?;
        if sealed_by != self.active() {
            self.write(&path, name, &key).map_err(named)?;
        }
        Ok(key)
    }

    /// A key of so many random bytes.
    pub fn random(&self, name: &str, bytes: usize) -> io::Result<Vec<u8>> {
        self.get(name, || {
            let mut key = vec![0; bytes];
            SystemRandom::new().fill(&mut key).map_err(io::Error::other)?;
            Ok(key)
        })
    }

    fn active(&self) -> u32 {
        self.seal.as_ref().map_or(UNSEALED, |ring| ring.active())
    }

    /// The number of the ring's key, little-endian, and what it seals.
    fn read(&self, name: &str, bytes: &[u8]) -> io::Result<(u32, Vec<u8>)> {
        let cut = || io::Error::other("it is cut off");
        let (number, rest) = bytes.split_first_chunk().ok_or_else(cut)?;
        let number = u32::from_le_bytes(*number);
        match &self.seal {
            Some(ring) if number == UNSEALED && ring.accepts_unsealed() => Ok((number, rest.to_vec())),
            Some(ring) => {
                let (mut opener, mut plain) = (Opener::new(Arc::clone(ring), PURPOSE), Vec::new());
                let key = opener.open(number, name.as_bytes(), rest, &mut plain).map_err(io::Error::other)?;
                Ok((number, key.to_vec()))
            }
            None if number == UNSEALED => Ok((number, rest.to_vec())),
            None => Err(io::Error::other("it is sealed, and there is no key to open it")),
        }
    }

    /// Synced before anybody hears of it.
    fn write(&self, path: &Path, name: &str, key: &[u8]) -> io::Result<()> {
        let mut sealed = Vec::new();
        let number = match &self.seal {
            Some(ring) => Sealer::new(Arc::clone(ring), PURPOSE)
                .and_then(|sealer| sealer.seal(name.as_bytes(), key, &mut sealed))
                .map_err(io::Error::other)?,
            None => {
                sealed.extend_from_slice(key);
                UNSEALED
            }
        };
        let new = path.with_extension("new");
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&number.to_le_bytes())?;
        file.write_all(&sealed)?;
        file.sync_all()?;
        std::fs::rename(&new, path)?;
        std::fs::File::open(&self.folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use decalog_seal::MasterKey;

    use super::*;

    fn ring(folder: &Path) -> Arc<KeyRing> {
        Arc::new(KeyRing::create(&folder.join("ring"), &MasterKey::new([8; 32])).unwrap())
    }

    #[test]
    fn a_key_is_made_once_and_is_sealed_where_the_rest_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("keys");
        let open = Keys::open(&at, None).unwrap();
        let key = open.random("token", 32).unwrap();
        assert_eq!(open.random("token", 32).unwrap(), key);
        assert_ne!(open.random("other", 32).unwrap(), key);
        assert!(std::fs::read(at.join("token")).unwrap().ends_with(&key));
        let ring = ring(folder.path());
        let sealed = |name: &str| Keys::open(&at, Some(Arc::clone(&ring))).unwrap().random(name, 32);
        assert!(sealed("token").is_err(), "what is not sealed is not taken unless that was said");
        let fresh = sealed("fresh").unwrap();
        assert_eq!(sealed("fresh").unwrap(), fresh);
        let bytes = std::fs::read(at.join("fresh")).unwrap();
        assert!(!bytes.windows(8).any(|part| fresh.windows(8).any(|of| of == part)));
        assert!(open.random("fresh", 32).is_err(), "without the ring nobody reads it");
        std::fs::copy(at.join("fresh"), at.join("moved")).unwrap();
        assert!(sealed("moved").is_err(), "a file that was put in another's place is not taken");
    }

    #[test]
    fn a_key_from_before_the_seal_is_sealed_when_that_is_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("keys");
        let key = Keys::open(&at, None).unwrap().random("token", 32).unwrap();
        ring(folder.path());
        let ring = KeyRing::open(&folder.path().join("ring"), &MasterKey::new([8; 32])).unwrap();
        let accepting = Keys::open(&at, Some(Arc::new(ring.accepting_unsealed()))).unwrap();
        assert_eq!(accepting.random("token", 32).unwrap(), key);
        assert!(!std::fs::read(at.join("token")).unwrap().ends_with(&key));
    }
}
