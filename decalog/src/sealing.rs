//! Encryption at rest as configured: where the master key comes from, the key ring of a data directory, and how a
//! running server takes a new key over. What is sealed, and how, is `decalog-seal`'s.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use decalog_seal::{KeyRing, KeySource, SealError};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Seal, Server};
use crate::failure::Failure;

/// The key ring of a data directory.
pub(crate) fn ring_path(data: &Path) -> PathBuf {
    data.join("seal.keys")
}

/// Where the master key comes from, when one is configured.
pub(crate) fn source(seal: &Seal) -> Option<KeySource> {
    if !seal.key_file.as_os_str().is_empty() {
        Some(KeySource::File(seal.key_file.clone()))
    } else if !seal.key_environment.is_empty() {
        Some(KeySource::Environment(seal.key_environment.clone()))
    } else if !seal.key_command.is_empty() {
        Some(KeySource::Command(seal.key_command.clone()))
    } else {
        None
    }
}

/// The keys for a data directory that is looked at; `None` when it is not sealed.
pub(crate) fn keys(seal: &Seal, data: &Path) -> Result<Option<Arc<KeyRing>>, Failure> {
    let path = ring_path(data);
    if !path.exists() {
        return Ok(None);
    }
    let source = source(seal).ok_or_else(|| Failure::SealedData { data: data.to_owned() })?;
    let ring = KeyRing::open(&path, &source.read()?)?;
    Ok(Some(Arc::new(if seal.accept_unsealed { ring.accepting_unsealed() } else { ring })))
}

/// The keys with which a server seals its data directory, made when sealing begins; `None` when it does not seal.
pub(crate) fn begin(server: &Server) -> Result<Option<Arc<KeyRing>>, Failure> {
    let (seal, data) = (&server.seal, &server.data);
    let Some(source) = source(seal) else { return keys(seal, data) };
    let path = ring_path(data);
    if !path.exists() {
        // A ring that was lost looks like one that never was: only the operator knows.
        if data.join("journal").exists() && !seal.accept_unsealed {
            return Err(Failure::NoRing { data: data.clone() });
        }
        KeyRing::create(&path, &source.read()?)?;
        tracing::info!(ring = %path.display(), "sealing begins: back the key ring up, and the master key elsewhere");
    }
    keys(seal, data)
}

/// On SIGHUP reads the master key and the ring again, so that a rotation takes effect without a restart. Whatever is
/// wrong with them then is said, and the server goes on with the keys it has.
pub(crate) async fn follow(ring: Arc<KeyRing>, source: KeySource) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::error!(%error, "cannot listen for SIGHUP: a rotation takes effect at the next start");
            return;
        }
    };
    while hangup.recv().await.is_some() {
        let (ring, source) = (Arc::clone(&ring), source.clone());
        let reload = tokio::task::spawn_blocking(move || ring.reload(&source.read()?));
        match reload.await {
            Ok(Ok(key)) => tracing::info!(key, "SIGHUP: this key seals from now on"),
            Ok(Err(error)) => {
                tracing::error!(code = code(&error), "SIGHUP: {error}; the keys stay as they are")
            }
            Err(panic) => tracing::error!(%panic, "SIGHUP: the keys stay as they are"),
        }
    }
}

/// The code that docs/errors.md lists.
pub(crate) fn code(error: &SealError) -> &'static str {
    match error {
        SealError::Master { .. } => "E-SEAL-KEY",
        SealError::WrongMaster { .. } => "E-SEAL-WRONG-KEY",
        SealError::Ring { .. } | SealError::Io { .. } | SealError::UnknownKey { .. } => "E-SEAL-RING",
        SealError::NoKeys { .. } => "E-SEAL-NO-KEYS",
        SealError::Unsealed => "E-SEAL-UNSEALED",
        SealError::Broken { .. } | SealError::Malformed { .. } => "E-SEAL-BROKEN",
        SealError::Random => "E-SEAL-RANDOM",
    }
}
