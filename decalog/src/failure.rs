//! Failures of the environment, each with a code that docs/errors.md explains.
//!
//! A code keeps its meaning for ever; scripts may look for it. Bugs have no code: they panic.

use std::net::SocketAddr;
use std::path::PathBuf;

use decalog_exchange::api::service;
use decalog_feed::api::service as feed;
use decalog_feed::running;
use decalog_identity::api::service as identity;
use decalog_log::LogError;
use decalog_runtime::erasure::ErasureError;
use decalog_runtime::{Fatal, StartError};
use decalog_seal::SealError;

use crate::config::ConfigError;
use crate::sealing;

/// Why a command of the binary ends without having done its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nothing to serve.
    #[error(
        "no system is configured: add [[exchange.units]] or set feed.enabled (decalog.example.toml shows both), or start with --demo"
    )]
    NoSystem,
    /// `--demo` and units of one's own.
    #[error("{} lists units of its own: leave out --demo, or the units", .file.display())]
    DemoWithUnits {
        /// The configuration file.
        file: PathBuf,
    },
    /// `--demo` on an address that others can reach.
    #[error("{key} = {address}: the demo's password is known to everybody, so it listens on loopback only")]
    DemoInTheOpen {
        /// The configuration's key.
        key: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// Traces cannot be sent.
    #[error(transparent)]
    Traces(#[from] decalog_telemetry::traces::TracesError),
    /// The blob store cannot be opened.
    #[error("the blob store: {0}")]
    Blobs(#[from] decalog_blob::BlobError),
    /// The bucket's secret cannot be had.
    #[error("the secret of the bucket: {place}: {reason}")]
    BlobSecret {
        /// Where it should be.
        place: String,
        /// Why it is not.
        reason: String,
    },
    /// The feed does not start.
    #[error(transparent)]
    Feed(#[from] feed::Failure),
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] decalog_gateway::tls::TlsError),
    /// There is no place for the certificate of an ACME authority, or none to begin with can be made.
    #[error("http.acme: {0}")]
    Acme(#[from] decalog_acme::AcmeError),
    /// A listener's address cannot be taken.
    #[error("cannot listen on {address} for {key}: {source}")]
    Listen {
        /// The configuration's key.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data directory cannot be used.
    #[error("{}: {source}", .path.display())]
    Data {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The log cannot be opened or read.
    #[error("data directory {}: {error}", .data.display())]
    Log {
        /// The data directory.
        data: PathBuf,
        /// What the log said.
        error: LogError,
    },
    /// A key is missing or wrong, or a key ring is.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The data directory is sealed, and no key is configured.
    #[error("data directory {} is sealed: configure its master key in [server.seal]", .data.display())]
    SealedData {
        /// The data directory.
        data: PathBuf,
    },
    /// A master key is configured, and the data directory holds data and no key ring.
    #[error(
        "data directory {} holds a journal and no seal.keys: restore that file from a backup; or, when the directory was \
         never sealed, set server.seal.accept_unsealed", .data.display()
    )]
    NoRing {
        /// The data directory.
        data: PathBuf,
    },
    /// The erasure ledger cannot be used.
    #[error(transparent)]
    Erasures(#[from] ErasureError),
    /// The exchange does not start.
    #[error(transparent)]
    Exchange(#[from] service::Failure),
    /// The accounts do not start.
    #[error(transparent)]
    Identity(#[from] identity::Failure),
    /// An outside provider's client secret cannot be had.
    #[error("identity.providers {provider}: the client secret in {place} cannot be read: {reason}")]
    ProviderSecret {
        /// The provider's name.
        provider: String,
        /// Where it should be.
        place: String,
        /// Why not.
        reason: String,
    },
    /// No calls to other servers can be made.
    #[error(transparent)]
    Outbound(#[from] decalog_outbound::OutboundError),
    /// The process's own machinery (threads, signals).
    #[error("cannot {action}: {source}")]
    Process {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Failure {
    /// The code that docs/errors.md lists.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Config(ConfigError::Unreadable { .. }) => "E-CONFIG-FILE",
            Self::Config(ConfigError::Refused(_))
            | Self::NoSystem
            | Self::DemoWithUnits { .. }
            | Self::DemoInTheOpen { .. }
            | Self::Traces(_) => "E-CONFIG",
            Self::Tls(_) => "E-TLS",
            Self::Acme(_) => "E-ACME",
            Self::Listen { .. } => "E-LISTEN",
            Self::Data { .. } => "E-DATA",
            Self::Log { error, .. } => log_code(error),
            Self::Seal(error) => sealing::code(error),
            Self::SealedData { .. } => "E-SEAL-NO-KEYS",
            Self::NoRing { .. } => "E-SEAL-RING",
            Self::Erasures(_) | Self::Identity(identity::Failure::Erasure(_)) => "E-ERASURES",
            Self::Identity(identity::Failure::Audit(_)) => "E-AUDIT",
            Self::Exchange(service::Failure::Start(error)) => start_code(error),
            Self::Exchange(service::Failure::Refused { .. }) => "E-UNIT-REFUSED",
            Self::Exchange(_) => "E-UNIT",
            Self::Identity(identity::Failure::Start(error)) => start_code(error),
            Self::Feed(feed::Failure::Partitions(running::Failure::Start(error))) => start_code(error),
            Self::Feed(_) => "E-FEED",
            Self::Blobs(_) | Self::BlobSecret { .. } => "E-BLOBS",
            Self::Identity(_) => "E-IDENTITY",
            Self::ProviderSecret { .. } => "E-PROVIDER-SECRET",
            Self::Outbound(_) => "E-OUTBOUND",
            Self::Process { .. } => "E-PROCESS",
        }
    }
}

fn log_code(error: &LogError) -> &'static str {
    match error {
        LogError::Locked { .. } => "E-DATA-HELD",
        LogError::Damaged(_) => "E-LOG-DAMAGED",
        LogError::SyncFailed { .. } => "E-LOG-SYNC",
        LogError::Sealed { source, .. } | LogError::Sealing { source } => sealing::code(source),
        _ => "E-LOG",
    }
}

fn start_code(error: &StartError) -> &'static str {
    match error {
        StartError::Log(error) => log_code(error),
        StartError::Io { source, .. } => {
            let sealed = source.get_ref().and_then(|source| source.downcast_ref::<SealError>());
            sealed.map_or("E-START", sealing::code)
        }
        StartError::ClockBehind { .. } => "E-CLOCK-BEHIND",
        StartError::Gap { .. } | StartError::Ahead { .. } => "E-SNAPSHOT-GAP",
        StartError::Diverged(_) => "E-REPLAY-DIFFERS",
        _ => "E-START",
    }
}

/// The code of a failure that stops a running process.
pub(crate) fn fatal_code(fatal: &Fatal) -> &'static str {
    match fatal {
        Fatal::Log { error, .. } => log_code(error),
        Fatal::Refused { .. } => "E-LOG-REFUSED",
        Fatal::Tables { .. } => "E-TABLES",
        Fatal::Bug { .. } => "E-BUG",
    }
}

#[cfg(test)]
mod tests {
    /// Every code in this file has its section in the page, and the page no other.
    #[test]
    fn the_page_explains_every_code() {
        let codes = |text: &str, marker: &str| {
            let found = text.split(marker).skip(1).filter_map(|rest| {
                let code: String =
                    rest.chars().take_while(|letter| letter.is_ascii_uppercase() || *letter == '-').collect();
                (code.len() > 2).then_some(code)
            });
            found.collect::<std::collections::BTreeSet<_>>()
        };
        let source = concat!(include_str!("failure.rs"), include_str!("sealing.rs"));
        let page = include_str!("../../docs/errors.md");
        assert_eq!(codes(source, "=> \"E-"), codes(page, "\n## E-"));
        assert!(codes(page, "\n## E-").len() > 10);
    }
}
