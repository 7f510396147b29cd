//! Certificates from an ACME authority (RFC 8555), Let's Encrypt for one: obtained and renewed while the server runs.
//!
//! The authority sees that the server answers for a name by TLS-ALPN-01 (RFC 8737): it connects to port 443 of the name and is shown
//! a certificate made for that question. So no other port and no other server is needed; the listener shows it by itself
//! ([`decalog_gateway::tls::Tls::challenge`]).
//!
//! All that is kept lies in one folder, for its owner only: `account.json`, the account at the authority with its key,
//! and `certificate.pem`, key and certificate in one file, so that they change together. Until there is one of the
//! authority a certificate of our own stands there: browsers refuse it, but the listener has something to begin with.

#![forbid(unsafe_code)]

mod courier;
mod folder;
mod order;
mod validity;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use decalog_gateway::tls::{Files, Tls};
use decalog_outbound::Client;

pub use folder::Folder;

/// How often the certificate's age is looked at.
const LOOK: Duration = Duration::from_secs(3_600);
/// How long to wait after a failure: the first time, and at most. Authorities limit how often one may fail.
const AGAIN: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(6 * 3_600)];

/// What is wanted of whom.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The authority's directory: `https://acme-v02.api.letsencrypt.org/directory`.
    pub directory: String,
    /// The DNS names that the certificate is for.
    pub names: Vec<String>,
    /// Whom the authority may write to, as `mailto:` addresses.
    pub contacts: Vec<String>,
    /// Where account and certificate are kept.
    pub folder: PathBuf,
}

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    /// The folder cannot be used.
    #[error("{path}: {source}", path = path.display())]
    Folder {
        /// What in it.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The account's file is not what was written there.
    #[error("{path} holds no account: {source}; without it a new account is made", path = path.display())]
    Account {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The authority refused, or cannot be reached.
    #[error("the ACME authority: {0}")]
    Authority(#[from] instant_acme::Error),
    /// The authority wants to see something else than this server can show.
    #[error("the ACME authority offers no tls-alpn-01 challenge for {name}")]
    NoChallenge {
        /// For which name.
        name: String,
    },
    /// The authority did not see what it should.
    #[error(
        "the ACME authority found that this server does not answer for {names}: is port 443 of each led here?"
    )]
    NotValid {
        /// Which of the names, or all.
        names: String,
    },
    /// A certificate cannot be made.
    #[error("a certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// What the authority issued cannot be served.
    #[error(transparent)]
    Tls(#[from] decalog_gateway::tls::TlsError),
}

/// Makes sure that there is something to serve; says where. Both files are one.
pub fn prepare(settings: &Settings) -> Result<Files, AcmeError> {
    let folder = Folder::open(&settings.folder)?;
    if folder.certificate()?.is_none() {
        folder.put_certificate(&order::placeholder(&settings.names)?)?;
    }
    let path = folder.certificate_path();
    Ok(Files { certificate: path.clone(), key: path, client_authorities: None })
}

/// Obtains a certificate when there is none of this authority for these names, and when two thirds of its time are over.
/// Never ends. What fails is logged and tried again, and what is served meanwhile stays.
pub async fn keep(settings: Settings, client: Client, tls: Arc<Tls>) {
    let mut pause = AGAIN[0];
    loop {
        let wait = match look(&settings, &client, &tls).await {
            Ok(()) => {
                pause = AGAIN[0];
                LOOK
            }
            Err(error) => {
                let wait = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
                pause = (pause * 2).min(AGAIN[1]);
                tracing::error!(%error, again_in = ?wait, "no certificate was obtained; the one before stays in use");
                wait
            }
        };
        tokio::time::sleep(wait).await;
    }
}

async fn look(settings: &Settings, client: &Client, tls: &Arc<Tls>) -> Result<(), AcmeError> {
    let folder = Folder::open(&settings.folder)?;
    let is_known = folder.account(&settings.directory)?.is_some();
    let stands = folder.certificate()?.filter(|_| is_known);
    if stands.is_some_and(|pem| !validity::is_due(&pem, &settings.names, SystemTime::now())) {
        return Ok(());
    }
    let pem = order::obtain(settings, &folder, client, tls).await?;
    folder.put_certificate(&pem)?;
    tls.reload()?;
    tracing::info!(names = ?settings.names, "the ACME authority issued a certificate, which is in use");
    Ok(())
}
