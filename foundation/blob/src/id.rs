//! Names: a blob's is the SHA-256 of its bytes, an upload's is random.

use std::fmt;
use std::str::FromStr;

use object_store::path::Path;
use ring::rand::{SecureRandom as _, SystemRandom};

/// A blob's name: the SHA-256 of its bytes, shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId([u8; 32]);

impl BlobId {
    /// The name of the blob with this SHA-256.
    pub fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The SHA-256.
    pub fn digest(&self) -> &[u8; 32] {
        &self.0
    }

    /// The name of the blob with these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut digest = [0; 32];
        digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
        Self(digest)
    }

    /// Where the manifests of its uploads lie.
    pub(crate) fn folder(&self) -> Path {
        let text = self.to_string();
        Path::from(format!("blobs/{}/{text}", &text[..2]))
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobId({self})")
    }
}

/// A text that is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a blob's name has 64 hexadecimal digits")]
pub struct NoBlobId;

impl FromStr for BlobId {
    type Err = NoBlobId;

    fn from_str(text: &str) -> Result<Self, NoBlobId> {
        digits(text).map(Self).ok_or(NoBlobId)
    }
}

fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    // Only the form that `Display` writes: a name has one spelling.
    let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 2 * N || !text.bytes().all(plain) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

/// One upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UploadId([u8; 16]);

impl UploadId {
    pub(crate) fn random() -> Option<Self> {
        let mut bytes = [0; 16];
        SystemRandom::new().fill(&mut bytes).ok()?;
        Some(Self(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    pub(crate) fn data(&self) -> Path {
        Path::from(format!("data/{self}"))
    }

    pub(crate) fn manifest(&self, id: BlobId) -> Path {
        Path::from(format!("{}/{self}", id.folder()))
    }

    /// The upload whose data lies here.
    pub(crate) fn of_data(path: &Path) -> Option<Self> {
        digits(path.as_ref().strip_prefix("data/")?).map(Self)
    }

    /// The blob and the upload whose manifest lies here.
    pub(crate) fn of_manifest(path: &Path) -> Option<(BlobId, Self)> {
        let mut parts = path.as_ref().strip_prefix("blobs/")?.split('/').skip(1);
        let (id, upload) = (parts.next()?.parse().ok()?, digits(parts.next()?).map(Self)?);
        Some((id, upload))
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
