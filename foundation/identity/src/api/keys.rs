//! The private halves of the keys that sign tokens: files of the edge, mode 0600, never in the log.
//!
//! A key is made half a period before it signs, so that who caches the published keys knows it in time, and is trusted for
//! as long as the last token it signed lives.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::command::AddSigningKey;
use crate::value::Bytes;

/// The keys that this node can sign with.
pub(crate) struct Keys {
    folder: PathBuf,
    held: RwLock<BTreeMap<String, Arc<Ed25519KeyPair>>>,
}

impl Keys {
    /// Reads the folder's keys; makes the folder.
    pub(crate) fn open(folder: &Path) -> std::io::Result<Keys> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut held = BTreeMap::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let Some(kid) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".pk8")) else {
                continue;
            };
            let key = Ed25519KeyPair::from_pkcs8(&std::fs::read(&path)?)
                .map_err(|error| std::io::Error::other(format!("{}: {error}", path.display())))?;
            held.insert(kid.to_owned(), Arc::new(key));
        }
        Ok(Keys { folder: folder.to_owned(), held: RwLock::new(held) })
    }

    /// Makes a key, synced to its file before anybody hears of it.
    pub(crate) fn make(&self, signs_from: i64, trusted_until: i64) -> std::io::Result<AddSigningKey> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(broken)?;
        let key = Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(broken)?;
        let kid = super::random::readable(1, 16);
        let path = self.folder.join(format!("{kid}.pk8"));
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(document.as_ref())?;
        file.sync_all()?;
        std::fs::File::open(&self.folder)?.sync_all()?;
        let public = Bytes(key.public_key().as_ref().to_vec());
        self.held.write().unwrap_or_else(PoisonError::into_inner).insert(kid.clone(), Arc::new(key));
        Ok(AddSigningKey { kid, public, signs_from, trusted_until })
    }

    /// The key with this name.
    pub(crate) fn get(&self, kid: &str) -> Option<Arc<Ed25519KeyPair>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).get(kid).cloned()
    }

    /// Deletes what is trusted no more.
    pub(crate) fn keep(&self, trusted: impl Fn(&str) -> bool) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.retain(|kid, _| {
            let stays = trusted(kid);
            if !stays && let Err(error) = std::fs::remove_file(self.folder.join(format!("{kid}.pk8"))) {
                tracing::warn!(kid, %error, "an old signing key cannot be deleted");
            }
            stays
        });
    }
}

fn broken(error: impl std::fmt::Display) -> std::io::Error {
    std::io::Error::other(format!("a new key cannot be made: {error}"))
}
