//! The stores that servers use: a folder of this machine, and S3 or what speaks its protocol.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

use crate::BlobError;

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
    /// How long one request may take.
    pub timeout: Duration,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("S3");
        out.field("bucket", &self.bucket).field("region", &self.region).field("endpoint", &self.endpoint);
        out.field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// A bucket of S3. Failed requests are tried three times more, within 30 seconds.
pub fn s3(at: &S3) -> Result<Arc<dyn ObjectStore>, BlobError> {
    // The HTTP client has no cryptography of its own; that somebody chose it before is as good.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let retry =
        RetryConfig { max_retries: 3, retry_timeout: Duration::from_secs(30), ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&at.bucket)
        .with_region(&at.region)
        .with_access_key_id(&at.access_key)
        .with_secret_access_key(&at.secret)
        .with_client_options(ClientOptions::new().with_timeout(at.timeout))
        .with_retry(retry);
    if let Some(endpoint) = &at.endpoint {
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    Ok(Arc::new(builder.build()?))
}
