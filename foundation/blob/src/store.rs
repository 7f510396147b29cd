//! The stores that servers use: a folder of this machine, and S3 or what speaks its protocol.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use decalog_outbound::{Calling, Client, OutboundError};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::local::LocalFileSystem;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

use crate::BlobError;
use crate::read::PIECE_BYTES;

/// What a piece of a blob, a manifest or a page of a list may have; the rest is for what a service says beside.
const ANSWER_BYTES: usize = PIECE_BYTES + (1 << 20);

/// A store in a folder, which is made when missing. What is stored is on the device before a put returns.
pub fn folder(path: &Path) -> Result<Arc<dyn ObjectStore>, BlobError> {
    std::fs::create_dir_all(path).map_err(|error| BlobError::Source(error.into()))?;
    Ok(Arc::new(LocalFileSystem::new_with_prefix(path)?.with_fsync(true)))
}

/// Where a bucket is.
#[derive(Clone)]
pub struct S3 {
    /// The bucket.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// The address of a service other than Amazon's; `http://` only when it is named so here.
    pub endpoint: Option<String>,
    /// The name of the access key.
    pub access_key: String,
    /// The access key. Not shown.
    pub secret: String,
    /// How it is called; the host of `endpoint` is added to where calls may go. An attempt's time must do for a part of an
    /// upload; the bound on answers is not looked at.
    pub calling: Calling,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("S3");
        out.field("bucket", &self.bucket).field("region", &self.region).field("endpoint", &self.endpoint);
        out.field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// A bucket of S3. Its requests are calls of `decalog-outbound`: retries, hedged reads and the breaker are there, and nowhere
/// else. A service that `endpoint` names may be in a private network.
pub fn s3(at: &S3) -> Result<Arc<dyn ObjectStore>, BlobError> {
    let failed = |error: OutboundError| BlobError::Source(error.into());
    let mut calling = at.calling.clone();
    if let Some(endpoint) = &at.endpoint {
        calling.guard = calling.guard.naming(endpoint).map_err(failed)?;
    }
    calling.policy.max_answer_bytes = ANSWER_BYTES;
    let client = calling.client("blob").map_err(failed)?;
    let once = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&at.bucket)
        .with_region(&at.region)
        .with_access_key_id(&at.access_key)
        .with_secret_access_key(&at.secret)
        .with_http_connector(Calls(client))
        .with_retry(once);
    if let Some(endpoint) = &at.endpoint {
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    Ok(Arc::new(builder.build()?))
}

/// Makes the store's requests.
#[derive(Clone, Debug)]
struct Calls(Client);

impl HttpConnector for Calls {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Calls {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        // A part in one piece is taken as it is, without a copy.
        let body = body.collect().await?.to_bytes();
        let answer = self.0.send(Request::from_parts(parts, body)).await;
        let answer = answer.map_err(|error| HttpError::new(kind(&error), error))?;
        let mut response = Response::new(answer.body.into());
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

fn kind(error: &OutboundError) -> HttpErrorKind {
    match error {
        OutboundError::TimedOut { .. } | OutboundError::NoTime { .. } => HttpErrorKind::Timeout,
        OutboundError::Broken { .. } => HttpErrorKind::Interrupted,
        error if error.is_unsent() => HttpErrorKind::Connect,
        _ => HttpErrorKind::Unknown,
    }
}
