//! TLS: what is offered, exchanged while running, and asked of clients.

use std::path::Path;
use std::sync::Arc;

use decalog_gateway::server::Settings;
use decalog_gateway::tls::{Files, Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion, RootCertStore};

use crate::desk::{Desk, run, until};
use crate::server::h2_get;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for `door`, and its key.
fn leaf(authority: &Authority) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    (CertificateParams::new(["door".to_owned()]).unwrap().signed_by(&key, authority).unwrap(), key)
}

/// Writes a new certificate of this authority; gives it.
fn renew(folder: &Path, authority: &Authority) -> CertificateDer<'static> {
    let (certificate, key) = leaf(authority);
    std::fs::write(folder.join("door.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("door.key"), key.serialize_pem()).unwrap();
    certificate.der().clone()
}

fn files(folder: &Path) -> Files {
    Files { certificate: folder.join("door.pem"), key: folder.join("door.key"), client_authorities: None }
}

async fn connect(
    desk: &Desk,
    authority: &Authority,
    protocol: &str,
    own: Option<(rcgen::Certificate, KeyPair)>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match own {
        Some((certificate, key)) => {
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = desk.connect().await;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("door").unwrap(), stream).await
}

async fn ask(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(b"GET /client HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    until(stream, "\r\n\r\n").await;
    let mut answer = until(stream, " true ").await;
    answer.push_str(&until(stream, "0").await);
    answer
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

#[test]
fn both_versions_of_http_are_served_by_tls_1_3() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority();
    renew(folder.path(), &authority);
    run(async {
        let tls = Some(Tls::open(files(folder.path())).unwrap());
        let desk = Desk::open(Settings { tls, ..Settings::default() }).await;
        let mut stream = connect(&desk, &authority, "http/1.1", None).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        assert_eq!(ask(&mut stream).await, "127.0.0.1 true 0");
        let stream = connect(&desk, &authority, "h2", None).await.unwrap();
        assert_eq!(h2_get(stream, "/client").await, "127.0.0.1 true 0");
        assert!(connect(&desk, &authority, "spdy/1", None).await.is_err());
        // A client that speaks plain HTTP gets no answer in HTTP.
        assert!(!desk.get("/").await.starts_with("HTTP"));
    });
}

#[test]
fn an_authority_that_asks_in_its_protocol_is_shown_the_challenge_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority();
    let own = renew(folder.path(), &authority);
    run(async {
        let tls = Tls::open(files(folder.path())).unwrap();
        let desk = Desk::open(Settings { tls: Some(Arc::clone(&tls)), ..Settings::default() }).await;
        assert!(connect(&desk, &authority, "acme-tls/1", None).await.is_err());
        let (certificate, key) = leaf(&authority);
        let challenge = |name| tls.challenge(name, certificate.der().to_vec(), key.serialize_der()).unwrap();
        let elsewhere = challenge("window");
        assert!(connect(&desk, &authority, "acme-tls/1", None).await.is_err());
        let here = challenge("DOOR");
        let mut looked = connect(&desk, &authority, "acme-tls/1", None).await.unwrap();
        assert_eq!(shown(&looked), *certificate.der());
        // No request is taken on such a connection: it ends.
        let _ = looked.write_all(b"GET /client HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut rest = Vec::new();
        let _ = looked.read_to_end(&mut rest).await;
        assert!(rest.is_empty());
        assert_eq!(shown(&connect(&desk, &authority, "http/1.1", None).await.unwrap()), own);
        drop((elsewhere, here));
        assert!(connect(&desk, &authority, "acme-tls/1", None).await.is_err());
    });
}

#[test]
fn a_new_certificate_is_taken_while_open_connections_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority();
    let first = renew(folder.path(), &authority);
    run(async {
        let tls = Tls::open(files(folder.path())).unwrap();
        let desk = Desk::open(Settings { tls: Some(Arc::clone(&tls)), ..Settings::default() }).await;
        let mut before = connect(&desk, &authority, "http/1.1", None).await.unwrap();
        assert_eq!(shown(&before), first);
        assert!(!tls.reload().unwrap());
        let second = renew(folder.path(), &authority);
        let watch = tokio::spawn(Arc::clone(&tls).watch(std::time::Duration::from_millis(5)));
        while shown(&connect(&desk, &authority, "http/1.1", None).await.unwrap()) != second {}
        watch.abort();
        assert_eq!(ask(&mut before).await, "127.0.0.1 true 0");
        // What cannot be used is refused, and what was there stays.
        for (file, content) in
            [("door.key", "nonsense".to_owned()), ("door.key", KeyPair::generate().unwrap().serialize_pem())]
        {
            std::fs::write(folder.path().join(file), content).unwrap();
            assert!(tls.reload().is_err());
            assert_eq!(shown(&connect(&desk, &authority, "http/1.1", None).await.unwrap()), second);
        }
        std::fs::remove_file(folder.path().join("door.pem")).unwrap();
        assert!(tls.reload().unwrap_err().to_string().contains("door.pem"));
    });
}

#[test]
fn a_client_certificate_reaches_the_handler_if_its_authority_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, clients, strangers) = (authority(), authority(), authority());
    renew(folder.path(), &authority);
    let listed = folder.path().join("clients.pem");
    std::fs::write(&listed, clients.pem()).unwrap();
    run(async {
        let tls = Tls::open(Files { client_authorities: Some(listed), ..files(folder.path()) }).unwrap();
        let desk = Desk::open(Settings { tls: Some(tls), ..Settings::default() }).await;
        let own = leaf(&clients);
        let length = own.0.der().len();
        let stream = connect(&desk, &authority, "h2", Some(own)).await.unwrap();
        assert_eq!(h2_get(stream, "/client").await, format!("127.0.0.1 true {length}"));
        let mut without = connect(&desk, &authority, "http/1.1", None).await.unwrap();
        assert_eq!(ask(&mut without).await, "127.0.0.1 true 0");
        // In TLS 1.3 the client learns of the refusal with its first read.
        let refused = connect(&desk, &authority, "http/1.1", Some(leaf(&strangers))).await;
        if let Ok(mut stream) = refused {
            let _ = stream.write_all(b"GET /client HTTP/1.1\r\nhost: x\r\n\r\n").await;
            let mut answer = Vec::new();
            assert!(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await.is_err());
            assert!(answer.is_empty());
        }
    });
}
