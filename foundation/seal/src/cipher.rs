//! The cipher, and how a key for one use is derived: all that this crate asks of `ring`.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use crate::SealError;
use crate::sabotage::{Sabotage, lacks};

/// The bytes of a key, and of a master key.
pub(crate) const KEY_BYTES: usize = 32;
/// The bytes of a tag.
pub(crate) const TAG_BYTES: usize = 16;

/// Key bytes; zeroed when dropped.
pub(crate) type KeyBytes = Zeroizing<[u8; KEY_BYTES]>;

/// Sixteen or more bytes that nobody can foresee.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], SealError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| SealError::Random)?;
    Ok(bytes)
}

/// A key for one use, with which every nonce is used once.
pub(crate) struct Cipher(LessSafeKey);

impl Cipher {
    /// Derives it (HKDF-SHA256, RFC 5869) from a key, the salt drawn for this use, and what it is for.
    pub(crate) fn derive(key: &KeyBytes, salt: &[u8], purpose: &str) -> Self {
        let extracted = Salt::new(HKDF_SHA256, salt).extract(&key[..]);
        let info = [purpose.as_bytes()];
        let expanded = extracted.expand(&info, &AES_256_GCM).expect("a key is shorter than HKDF's limit");
        Self(LessSafeKey::new(UnboundKey::from(expanded)))
    }

    /// Encrypts in place and gives the tag.
    pub(crate) fn seal(&self, nonce: [u8; NONCE_LEN], place: &[u8], bytes: &mut [u8]) -> [u8; TAG_BYTES] {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(bound(place)), bytes);
        let tag = tag.expect("what is sealed is shorter than the cipher's 64 GiB");
        let mut out = [0; TAG_BYTES];
        out.copy_from_slice(tag.as_ref());
        out
    }

    /// Decrypts in place what ends with its tag; `None` when the tag does not fit, and the bytes are of no use then.
    pub(crate) fn open<'b>(
        &self,
        nonce: [u8; NONCE_LEN],
        place: &[u8],
        sealed: &'b mut [u8],
    ) -> Option<&'b mut [u8]> {
        let length = sealed.len().checked_sub(TAG_BYTES)?;
        if lacks(Sabotage::TagCheck) {
            // In counter mode encrypting once more decrypts; the tag is not looked at.
            self.seal(nonce, place, &mut sealed[..length]);
            return Some(&mut sealed[..length]);
        }
        self.0.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(bound(place)), sealed).ok()
    }
}

fn bound(place: &[u8]) -> &[u8] {
    if lacks(Sabotage::Place) { &[] } else { place }
}

/// A nonce that counts.
pub(crate) fn counted(counter: u64) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - 8..].copy_from_slice(&counter.to_be_bytes());
    nonce
}
