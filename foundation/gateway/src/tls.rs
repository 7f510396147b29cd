//! TLS 1.3: certificate and key from PEM files, exchanged while running; client certificates if wanted.
//!
//! Only version 1.3: every client of the last years speaks it, and what it left out is what went wrong before.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig, version};
use tokio_rustls::server::TlsStream;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// How long one direction of a connection may go on alone.
const LINGER: Duration = Duration::from_secs(10);

/// The protocols offered by ALPN, the better first. The last is an authority's that looks whether a name is ours.
const PROTOCOLS: [&[u8]; 3] = [b"h2", b"http/1.1", ACME];
/// TLS-ALPN-01's protocol (RFC 8737, section 6.2): nothing is said in it.
pub(crate) const ACME: &[u8] = b"acme-tls/1";

/// Lets every TLS client of this process use the one crypto library that the servers use. May be called again and again.
pub fn use_ring() {
    // Somebody has done it already.
    let _ = ring::default_provider().install_default();
}

/// Where certificate and key are, PEM encoded.
#[derive(Clone, Debug)]
pub struct Files {
    /// The server's certificate, then those between it and the root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Clients may show a certificate of one of these authorities; one of another is refused. None: nobody is asked.
    pub client_authorities: Option<PathBuf>,
}

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} holds no {wanted} in PEM form", path = path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// The pieces do not fit: a key of another certificate, say.
    #[error("certificate {certificate} and its key cannot be used: {reason}", certificate = certificate.display())]
    Refused {
        /// The certificate's file.
        certificate: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// The TLS side of a listener. New connections use what was loaded last; open ones keep what they began with.
pub struct Tls {
    files: Files,
    current: RwLock<Loaded>,
    /// Of the files' content that was last tried.
    fingerprint: Mutex<u64>,
    challenges: Challenges,
}

/// What authorities are shown that look whether a name is ours, by name.
type Challenges = Arc<RwLock<BTreeMap<String, Arc<CertifiedKey>>>>;

/// Shows a certificate to an authority for as long as it lives.
pub struct Challenge {
    name: String,
    challenges: Challenges,
}

impl Drop for Challenge {
    fn drop(&mut self) {
        self.challenges.write().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

/// Chooses the certificate: the server's own, or that of a challenge for an authority that asks in its protocol.
#[derive(Debug)]
struct Choice {
    own: Arc<CertifiedKey>,
    challenges: Challenges,
}

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut wanted = hello.alpn().into_iter().flatten();
        if wanted.next() != Some(ACME) || wanted.next().is_some() {
            return Some(Arc::clone(&self.own));
        }
        let challenges = self.challenges.read().unwrap_or_else(PoisonError::into_inner);
        challenges.get(&hello.server_name()?.to_ascii_lowercase()).cloned()
    }
}

/// What the files made.
#[derive(Clone)]
struct Loaded {
    config: Arc<ServerConfig>,
    not_after: Duration,
}

impl Tls {
    /// Loads the files.
    pub fn open(files: Files) -> Result<Arc<Self>, TlsError> {
        let challenges = Challenges::default();
        let (fingerprint, config) = load(&files, &challenges)?;
        let (current, fingerprint) = (RwLock::new(config?), Mutex::new(fingerprint));
        Ok(Arc::new(Self { files, current, fingerprint, challenges }))
    }

    /// Loads the files again, if their content is another. What was there stays in use when the new cannot be.
    /// True when something new is in use.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let (fingerprint, config) = load(&self.files, &self.challenges)?;
        let mut last = self.fingerprint.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == fingerprint {
            return Ok(false);
        }
        *last = fingerprint;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = config?;
        Ok(true)
    }

    /// Looks at the files so often, and loads them when they have changed. Never ends.
    pub async fn watch(self: Arc<Self>, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        loop {
            ticks.tick().await;
            match self.reload() {
                Ok(true) => {
                    tracing::info!(certificate = %self.files.certificate.display(), "TLS certificate reloaded")
                }
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(%error, "TLS certificate not reloaded; the one before stays in use")
                }
            }
        }
    }

    /// Shows this certificate, DER encoded with its PKCS #8 key, to an authority that asks for this name by TLS-ALPN-01
    /// (RFC 8737), until what is answered is dropped.
    pub fn challenge(&self, name: &str, certificate: Vec<u8>, key: Vec<u8>) -> Result<Challenge, TlsError> {
        let key = PrivateKeyDer::Pkcs8(key.into());
        // That the two fit is not looked at: the library does not read a certificate with an authority's own extension.
        let key = ring::default_provider().key_provider.load_private_key(key);
        let shown = key.map(|key| CertifiedKey::new(vec![certificate.into()], key));
        let refused = |error: rustls::Error| TlsError::Refused {
            certificate: format!("(challenge for {name})").into(),
            reason: error.to_string(),
        };
        let (shown, name) = (shown.map_err(refused)?, name.to_ascii_lowercase());
        let challenges = Arc::clone(&self.challenges);
        challenges.write().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), Arc::new(shown));
        Ok(Challenge { name, challenges })
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current().config)
    }

    /// Speaks TLS with a client, for a server that knows only plain sockets: what is inside comes out of the socket that is
    /// answered, which blocks. Must be called inside the Tokio runtime, which then carries the bytes.
    pub async fn terminate(&self, stream: TcpStream, patience: Duration) -> io::Result<UnixStream> {
        let handshake = tokio::time::timeout(patience, self.acceptor().accept(stream));
        let outside = handshake.await.map_err(|_| io::ErrorKind::TimedOut)??;
        let (inside, plain) = UnixStream::pair()?;
        inside.set_nonblocking(true)?;
        tokio::spawn(carry(outside, tokio::net::UnixStream::from_std(inside)?));
        Ok(plain)
    }

    /// When the certificate in use expires: time since 1970.
    pub fn not_after(&self) -> Duration {
        self.current().not_after
    }

    fn current(&self) -> Loaded {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Carries bytes both ways until both ends are done; once one is, the other has a moment left.
async fn carry(outside: TlsStream<TcpStream>, inside: tokio::net::UnixStream) {
    let (mut from_client, mut to_client) = tokio::io::split(outside);
    let (mut from_server, mut to_server) = inside.into_split();
    // A direction that fails has ended.
    let inwards = async {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
        let _ = to_server.shutdown().await;
    };
    let outwards = async {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
        let _ = to_client.shutdown().await;
    };
    tokio::pin!(inwards, outwards);
    let _ = tokio::select! {
        () = &mut inwards => tokio::time::timeout(LINGER, outwards).await,
        () = &mut outwards => tokio::time::timeout(LINGER, inwards).await,
    };
}

/// A fingerprint of the files' content, and what they make. A file that cannot be read has no fingerprint, so it is tried
/// again.
fn load(files: &Files, challenges: &Challenges) -> Result<(u64, Result<Loaded, TlsError>), TlsError> {
    let read =
        |path: &Path| std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source });
    let (certificate, key) = (read(&files.certificate)?, read(&files.key)?);
    let authorities = files.client_authorities.as_deref().map(read).transpose()?;
    let mut hasher = DefaultHasher::new();
    for content in [&certificate, &key].into_iter().chain(&authorities) {
        hasher.write_usize(content.len());
        hasher.write(content);
    }
    Ok((hasher.finish(), build(files, &certificate, &key, authorities.as_deref(), challenges)))
}

fn build(
    files: &Files,
    certificate: &[u8],
    key: &[u8],
    authorities: Option<&[u8]>,
    challenges: &Challenges,
) -> Result<Loaded, TlsError> {
    let refused = |reason: String| TlsError::Refused { certificate: files.certificate.clone(), reason };
    let chain = certificates(&files.certificate, certificate)?;
    let leaf = Certificate::from_der(&chain[0]).map_err(|error| refused(error.to_string()))?;
    let not_after = leaf.tbs_certificate().validity().not_after.to_unix_duration();
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| TlsError::Content { path: files.key.clone(), wanted: "private key" })?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&version::TLS13])
        .map_err(|error| refused(error.to_string()))?;
    let builder = match (authorities, &files.client_authorities) {
        (Some(content), Some(path)) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(path, content)? {
                roots.add(authority).map_err(|error| refused(format!("{}: {error}", path.display())))?;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| refused(format!("{}: {error}", path.display())))?;
            builder.with_client_cert_verifier(verifier)
        }
        _ => builder.with_no_client_auth(),
    };
    let own = CertifiedKey::from_der(chain, key, &provider).map_err(|error| refused(error.to_string()))?;
    let choice = Choice { own: Arc::new(own), challenges: Arc::clone(challenges) };
    let mut config = builder.with_cert_resolver(Arc::new(choice));
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(Loaded { config: Arc::new(config), not_after })
}

fn certificates(path: &Path, content: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wanted = || TlsError::Content { path: path.to_owned(), wanted: "certificate" };
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(content).collect::<Result<_, _>>().map_err(|_| wanted())?;
    if chain.is_empty() { Err(wanted()) } else { Ok(chain) }
}
