//! An S3 server of the test's own, as far as blobs ask one: it can be killed and started again, and does wrong as it is told.

use std::collections::{BTreeMap, VecDeque};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri, header};
use futures_util::{StreamExt as _, stream};
use tokio::runtime::Runtime;

/// What goes wrong with a request for data.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// It is answered with this status.
    Status(u16),
    /// It is never answered.
    Hang,
    /// The answer has a flipped bit.
    Flip,
    /// The connection ends in the middle of the answer.
    Cut,
}

/// What the server holds; it outlives the server.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    objects: Mutex<BTreeMap<String, Bytes>>,
    /// One for each request for data that comes, then none.
    troubles: Mutex<VecDeque<Trouble>>,
    asked: Mutex<Vec<String>>,
}

impl Bucket {
    pub(crate) fn next(&self, troubles: &[Trouble]) {
        *self.troubles.lock().unwrap() = troubles.iter().copied().collect();
        self.asked.lock().unwrap().clear();
    }

    /// How many requests of this method for data have come since [`Bucket::next`].
    pub(crate) fn asked(&self, method: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|one| *one == method).count()
    }
}

/// The server, on a runtime of its own: when it is dropped, so is every connection, as in a crash.
pub(crate) struct Player {
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Player {
    pub(crate) fn start() -> Self {
        Self::again(Arc::default(), ([127, 0, 0, 1], 0).into())
    }

    pub(crate) fn again(bucket: Arc<Bucket>, address: SocketAddr) -> Self {
        // The port may be held for a moment by what was killed.
        let listener = loop {
            match TcpListener::bind(address) {
                Ok(listener) => break listener,
                Err(_) => std::thread::yield_now(),
            }
        };
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let router =
            Router::new().fallback(serve).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&bucket));
        runtime.spawn(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
        Self { bucket, address, runtime: Some(runtime) }
    }

    /// Ends it as a crash does; what it held is left.
    pub(crate) fn kill(mut self) -> (Arc<Bucket>, SocketAddr) {
        self.runtime.take().unwrap().shutdown_background();
        (Arc::clone(&self.bucket), self.address)
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn answer(status: StatusCode) -> axum::http::response::Builder {
    let dated = Response::builder().status(status).header(header::ETAG, "\"tag\"");
    dated.header(header::LAST_MODIFIED, "Thu, 01 Jan 2026 00:00:00 GMT")
}

async fn serve(
    State(bucket): State<Arc<Bucket>>,
    method: Method,
    uri: Uri,
    query: Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let key = uri.path().strip_prefix("/blobs").unwrap_or_default().trim_start_matches('/').to_owned();
    let mut trouble = Trouble::None;
    if key.starts_with("data/") {
        bucket.asked.lock().unwrap().push(method.to_string());
        trouble = bucket.troubles.lock().unwrap().pop_front().unwrap_or(Trouble::None);
    }
    match trouble {
        Trouble::Hang => std::future::pending().await,
        Trouble::Status(status) => {
            return answer(StatusCode::from_u16(status).unwrap()).body(Body::empty()).unwrap();
        }
        Trouble::None | Trouble::Flip | Trouble::Cut => {}
    }
    match method {
        Method::PUT => {
            bucket.objects.lock().unwrap().insert(key, body);
            answer(StatusCode::OK).body(Body::empty()).unwrap()
        }
        _ if query.contains_key("list-type") => list(&bucket, &query["prefix"]),
        _ => match bucket.objects.lock().unwrap().get(&key) {
            None => answer(StatusCode::NOT_FOUND).body(Body::empty()).unwrap(),
            Some(object) if method == Method::HEAD => answer(StatusCode::OK)
                .header(header::CONTENT_LENGTH, object.len())
                .body(Body::empty())
                .unwrap(),
            Some(object) => part(object, &headers, trouble),
        },
    }
}

fn list(bucket: &Bucket, prefix: &str) -> Response<Body> {
    let objects = bucket.objects.lock().unwrap();
    let mut page = "<ListBucketResult><IsTruncated>false</IsTruncated>".to_owned();
    for (key, object) in objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
        page += &format!(
            "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>{}</Size></Contents>",
            object.len()
        );
    }
    answer(StatusCode::OK).body((page + "</ListBucketResult>").into()).unwrap()
}

fn part(object: &Bytes, headers: &HeaderMap, trouble: Trouble) -> Response<Body> {
    let asked = headers
        .get(header::RANGE)
        .and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'));
    let (status, from, to) = match asked {
        None => (StatusCode::OK, 0, object.len()),
        Some((from, last)) => {
            let last: usize = last.parse().unwrap();
            (StatusCode::PARTIAL_CONTENT, from.parse().unwrap(), object.len().min(last + 1))
        }
    };
    let mut bytes = object[from..to].to_vec();
    let answer = answer(status)
        .header(header::CONTENT_RANGE, format!("bytes {from}-{}/{}", to - 1, object.len()))
        .header(header::CONTENT_LENGTH, bytes.len());
    match trouble {
        Trouble::Flip => {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 4;
        }
        Trouble::Cut => {
            bytes.truncate(bytes.len() / 2);
            let broken = stream::once(async { Err(std::io::Error::other("cut")) });
            let pieces = stream::once(async { Ok::<_, std::io::Error>(Bytes::from(bytes)) });
            return answer.body(Body::from_stream(pieces.chain(broken))).unwrap();
        }
        _ => {}
    }
    answer.body(bytes.into()).unwrap()
}
