//! Addresses of files: each carries a code by a key that only the server has, so that nobody makes one up.
//!
//! The address of what everybody may see holds for ever. That of what is for some (media of followers-only and direct
//! posts, and of what is not posted yet) ends after a day or so: who is shown the post again is shown another one. A file
//! that two posts have, one for everybody and one for some, has an address of each kind; cutting the end off the second
//! does not give the first.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::{self, HMAC_SHA256};

use crate::sabotage::{self, Sabotage};

/// The shortest time that an address with an end holds, in seconds.
const HOLDS: i64 = 86_400;
/// Ends lie this far apart, so that the same post has the same address for a while and a client need not load its files
/// again each time.
const STEP: i64 = 6 * 3_600;

/// Makes addresses, and tells its own from others.
#[derive(Debug)]
pub struct Addresses(hmac::Key);

impl Addresses {
    /// The addresses of this key.
    pub fn new(key: &[u8]) -> Addresses {
        Addresses(hmac::Key::new(HMAC_SHA256, key))
    }

    /// The path, below `/media/`, of a file that everybody may see.
    pub fn open(&self, name: &str) -> String {
        format!("{}/{name}", self.code(&said(name, None)))
    }

    /// The path of a file that is for some. The time is seconds since 1970.
    pub fn ending(&self, name: &str, now: i64) -> String {
        let until = (now + HOLDS).div_euclid(STEP) * STEP + STEP;
        format!("{}/{name}?until={until}", self.code(&said(name, Some(until))))
    }

    fn code(&self, said: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, said.as_bytes()))
    }

    /// Whether an address is one of these and has not ended; says for how many seconds more it holds, if it ends. The codes
    /// are compared in a time that does not depend on them.
    pub fn check(&self, code: &str, name: &str, until: Option<i64>, now: i64) -> Option<Holds> {
        let code = URL_SAFE_NO_PAD.decode(code).unwrap_or_default();
        let right = hmac::verify(&self.0, said(name, until).as_bytes(), &code).is_ok();
        if !right && !sabotage::lacks(Sabotage::MediaCode) {
            return None;
        }
        match until {
            None => Some(Holds::ForEver),
            Some(until) if until > now || sabotage::lacks(Sabotage::MediaEnd) => {
                Some(Holds::For(until - now))
            }
            Some(_) => None,
        }
    }
}

/// What a code is of. A name has no space in it, so no two differ in another place than they seem to.
fn said(name: &str, until: Option<i64>) -> String {
    match until {
        None => format!("media open {name}"),
        Some(until) => format!("media until {until} {name}"),
    }
}

/// For how long an address holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It does not end.
    ForEver,
    /// So many seconds.
    For(i64),
}
