//! What the tests over sockets share: a server with a few routes, and a client that writes bytes as they stand.
//!
//! All runs on one thread, the test's own: that is where a guarantee can be taken out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::Method;
use decalog_gateway::access::Access;
use decalog_gateway::client::Client;
use decalog_gateway::front::{Door, Front};
use decalog_gateway::gate::{ClientCertificate, Gate};
use decalog_gateway::route::Routes;
use decalog_gateway::server::{Listener, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// Longer than anything that works takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough to be told from nothing.
pub(crate) const SOON: Duration = Duration::from_millis(100);

pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await.expect("a test that ends in time") })
}

pub(crate) struct Desk {
    pub(crate) address: SocketAddr,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) served: JoinHandle<()>,
    /// Told when `/wait` is entered, and what it waits for.
    pub(crate) entered: Arc<Notify>,
    pub(crate) go: Arc<Notify>,
}

impl Desk {
    pub(crate) async fn open(settings: Settings) -> Self {
        let (entered, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (told, waits) = (Arc::clone(&entered), Arc::clone(&go));
        let wait = async move || {
            told.notify_one();
            waits.notified().await;
            "done"
        };
        let client = async |request: Request| {
            let client: &Client = request.extensions().get().unwrap();
            let certificate = request.extensions().get::<ClientCertificate>().map_or(0, |held| held.0.len());
            format!("{} {} {certificate}", client.address, client.secure)
        };
        let routes = Routes::<()>::new()
            .route(Method::GET, "/", Access::Public, async || "hello")
            .route(Method::GET, "/client", Access::Public, client)
            .route(Method::POST, "/length", Access::Public, async |body: Bytes| body.len().to_string())
            .route(Method::GET, "/large", Access::Public, async || vec![0; 64 << 20])
            .route(Method::GET, "/wait", Access::Public, wait);
        let door =
            Front::new(Gate::closed(), decalog_gateway::front::Settings::default()).with(routes).open();
        Self::serve(settings, door, entered, go).await
    }

    async fn serve(settings: Settings, door: Door, entered: Arc<Notify>, go: Arc<Notify>) -> Self {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), settings).await.unwrap();
        let address = listener.address().unwrap();
        let (stop, stopped) = watch::channel(false);
        let served = tokio::spawn(listener.serve(door, stopped));
        Self { address, stop, served, entered, go }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// All that comes back for these bytes until the server closes. Empty when it closes at once.
    pub(crate) async fn say(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        // Either call may fail when the server has closed already: then there is no answer.
        let _ = stream.write_all(bytes).await;
        rest(&mut stream).await
    }

    pub(crate) async fn get(&self, path: &str) -> String {
        self.say(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await
    }
}

/// What still comes.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of an answer; 0 when there is none.
pub(crate) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// Reads one answer of a connection that stays open; it ends with these bytes.
pub(crate) async fn until(stream: &mut (impl tokio::io::AsyncRead + Unpin), end: &str) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(end.as_bytes()) {
        answer.push(stream.read_u8().await.expect("more of the answer"));
    }
    String::from_utf8(answer).unwrap()
}
