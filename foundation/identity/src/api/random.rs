//! Random secrets from the operating system.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};

use crate::engine::secret;
use crate::value::Hash;

/// So many random bytes.
///
/// # Panics
/// When the system has none to give: nothing is safe then.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system's random source works");
    bytes
}

/// A secret of 256 bits for somebody to keep, and what is kept of it here.
pub(crate) fn secret() -> (String, Hash) {
    let text = URL_SAFE_NO_PAD.encode(bytes::<32>());
    let hash = secret::hash(text.as_bytes());
    (text, hash)
}

/// A password or code for people: groups of letters and digits that are not mistaken for each other, 5 bits each.
pub(crate) fn readable(groups: usize, each: usize) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut text = String::new();
    for group in 0..groups {
        if group > 0 {
            text.push('-');
        }
        text.extend(bytes::<16>().iter().take(each).map(|byte| char::from(LETTERS[usize::from(byte & 31)])));
    }
    text
}
