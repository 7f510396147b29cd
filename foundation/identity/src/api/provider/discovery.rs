//! What a provider says of itself (OpenID Connect Discovery 1.0, 4) and the keys that it publishes: fetched when needed,
//! kept for an hour, and for a day where it cannot be reached again.

use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::Mutex;

use super::exchange::NotRecognised;
use super::{Fetch, Fetched, Provider};
use crate::engine::jwk::Keys;
use crate::value::SECOND;

/// How long something is taken as it is.
const FRESH: i64 = 3_600 * SECOND;
/// How long it still serves where no newer one can be had.
const USABLE: i64 = 86_400 * SECOND;
/// The time between two attempts after one that failed.
const RETRY: i64 = 5 * SECOND;
/// The time between two looks for a key that is not there: whoever shows tokens must not make us ask each time.
const LOOK_AGAIN: i64 = 60 * SECOND;
/// The longest description or key set, in bytes.
const LONGEST: usize = 256 * 1024;
/// The longest address in a description.
const LONGEST_ADDRESS: usize = 2_000;

/// How the token endpoint wants to be shown the client's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// `client_secret_basic`
    Basic,
    /// `client_secret_post`
    Post,
}

/// What is used of a provider's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    pub(super) userinfo_endpoint: Option<String>,
    jwks_uri: String,
    pub(super) proof: Proof,
    /// Each answer says who gives it (RFC 9207).
    pub(super) says_issuer: bool,
}

#[derive(Deserialize)]
struct Written {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Reads a description; the error says what is wrong with it.
    pub(super) fn read(bytes: &[u8], issuer: &str) -> Result<Metadata, &'static str> {
        let written: Written =
            serde_json::from_slice(bytes).map_err(|_| "its description is not of the form")?;
        if written.issuer != issuer {
            return Err("its description is another issuer's");
        }
        // Over TLS, as the issuer is; an http issuer is one of a test or of the same machine.
        let is_address = |address: &str| {
            let rest = address
                .strip_prefix("https://")
                .or_else(|| address.strip_prefix("http://").filter(|_| issuer.starts_with("http://")));
            rest.is_some_and(|rest| !rest.is_empty())
                && address.len() <= LONGEST_ADDRESS
                && address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
        };
        let addresses = [&written.authorization_endpoint, &written.token_endpoint, &written.jwks_uri];
        if !addresses.into_iter().chain(&written.userinfo_endpoint).all(|address| is_address(address)) {
            return Err("its description names an address that is none, or not https");
        }
        let posts = written
            .token_endpoint_auth_methods_supported
            .is_some_and(|ways| !has(&ways, "client_secret_basic") && has(&ways, "client_secret_post"));
        Ok(Metadata {
            authorization_endpoint: written.authorization_endpoint,
            token_endpoint: written.token_endpoint,
            userinfo_endpoint: written.userinfo_endpoint,
            jwks_uri: written.jwks_uri,
            proof: if posts { Proof::Post } else { Proof::Basic },
            says_issuer: written.authorization_response_iss_parameter_supported,
        })
    }
}

fn has(ways: &[String], way: &str) -> bool {
    ways.iter().any(|one| one == way)
}

/// Something that was fetched, and when.
struct Slot<T> {
    held: Option<(Arc<T>, i64)>,
    failed: Option<i64>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Slot { held: None, failed: None }
    }
}

/// What is kept of one provider. Whoever needs something that is being fetched waits for it.
#[derive(Default)]
pub(super) struct Cache {
    metadata: Mutex<Slot<Metadata>>,
    keys: Mutex<Slot<Keys>>,
}

impl<T> Slot<T> {
    /// What is held, when it is no older than this.
    fn no_older(&self, age: i64, now: i64) -> Option<Arc<T>> {
        self.held.as_ref().filter(|(_, at)| now - at < age).map(|(it, _)| Arc::clone(it))
    }

    /// Asks anew, unless that failed just now; what is held serves where nothing comes.
    async fn renew(
        &mut self,
        fetch: &dyn Fetch,
        url: &str,
        now: i64,
        read: impl FnOnce(&[u8]) -> Result<T, &'static str>,
    ) -> Result<Arc<T>, NotRecognised> {
        let fetched = if self.failed.is_some_and(|at| now - at < RETRY) {
            Err(NotRecognised::Unreachable("it was not reached a moment ago".to_owned()))
        } else {
            // Until it is known to have gone well, it has not: whoever waited too long and left leaves word.
            self.failed = Some(now);
            body(fetch.get(url, None).await).and_then(|body| read(&body).map_err(NotRecognised::Answer))
        };
        match fetched {
            Ok(it) => {
                let it = Arc::new(it);
                (self.held, self.failed) = (Some((Arc::clone(&it), now)), None);
                Ok(it)
            }
            Err(why) => self.no_older(USABLE, now).ok_or(why),
        }
    }
}

/// The body of an answer that went well.
pub(super) fn body(fetched: Result<Fetched, String>) -> Result<Vec<u8>, NotRecognised> {
    match fetched {
        Ok(answer) if answer.status != 200 => {
            Err(NotRecognised::Unreachable(format!("it answered with status {}", answer.status)))
        }
        Ok(answer) if answer.body.len() > LONGEST => Err(NotRecognised::Answer("it answered too much")),
        Ok(answer) => Ok(answer.body),
        Err(why) => Err(NotRecognised::Unreachable(why)),
    }
}

impl Cache {
    pub(super) async fn metadata(
        &self,
        fetch: &dyn Fetch,
        provider: &Provider,
        now: i64,
    ) -> Result<Arc<Metadata>, NotRecognised> {
        let mut slot = self.metadata.lock().await;
        if let Some(metadata) = slot.no_older(FRESH, now) {
            return Ok(metadata);
        }
        let issuer = &provider.issuer;
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        slot.renew(fetch, &url, now, |body| Metadata::read(body, issuer)).await
    }

    pub(super) async fn keys(
        &self,
        fetch: &dyn Fetch,
        metadata: &Metadata,
        now: i64,
    ) -> Result<Arc<Keys>, NotRecognised> {
        let mut slot = self.keys.lock().await;
        match slot.no_older(FRESH, now) {
            Some(keys) => Ok(keys),
            None => slot.renew(fetch, &metadata.jwks_uri, now, read_keys).await,
        }
    }

    /// The keys once more, when they were not looked at just now: a token names one that is not among them.
    pub(super) async fn newer_keys(
        &self,
        fetch: &dyn Fetch,
        metadata: &Metadata,
        now: i64,
    ) -> Result<Option<Arc<Keys>>, NotRecognised> {
        let mut slot = self.keys.lock().await;
        if slot.no_older(LOOK_AGAIN, now).is_some() {
            return Ok(None);
        }
        slot.renew(fetch, &metadata.jwks_uri, now, read_keys).await.map(Some)
    }
}

fn read_keys(bytes: &[u8]) -> Result<Keys, &'static str> {
    Keys::read(bytes).ok_or("what it publishes is no set of keys")
}
