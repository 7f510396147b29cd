//! Secrets: what is kept of one, and comparisons that take as long whatever they compare.

use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq;

use crate::value::Hash;

/// All that is kept of a secret of 256 random bits: nobody guesses it, so no slow hash is needed.
pub fn hash(secret: &[u8]) -> Hash {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, secret).as_ref());
    Hash(bytes)
}

/// Whether two byte strings are the same, in a time that depends on their lengths only.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha_256_and_only_the_same_is_the_same() {
        // FIPS 180-4's example "abc".
        assert_eq!(hash(b"abc").0[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert!(same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abd") && !same(b"abc", b"ab") && !same(b"", b"a"));
    }
}
