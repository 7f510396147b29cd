//! Sign-in through outside OpenID Connect providers, as their client (OpenID Connect Core, 3.1): where a browser is sent,
//! and who comes back. What is checked of an ID token stands in [`crate::engine::id_token`].
//!
//! Of a browser that was sent away nothing is kept: the `state` parameter is a challenge that says until when it counts, for
//! what, and in which browser (`challenge.rs`); nonce and PKCE verifier are made of it under a key of this process. What is
//! remembered is each `state` that came back, until it would have ended. A restart ends them all.

mod discovery;
mod exchange;
mod logon;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::hmac;
use tokio::sync::Semaphore;

use super::challenge::Challenges;
use super::random;
use discovery::Cache;

pub(crate) use exchange::{CameBack, NotRecognised, Task};
pub(crate) use logon::{NotIn, Ticket};

/// Calls to one provider at the same time: one that is slow must not take the places of other sign-ins.
const MOST_CALLS: usize = 16;

/// What a provider answered.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer that is under way; the error says why none comes.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Fetched, String>> + Send + 'a>>;

/// Who makes HTTP requests. Bodies are bounded, and requests end in time, or the maker sees to it.
pub trait Fetch: Send + Sync + 'static {
    /// GET, with this `Authorization`.
    fn get<'a>(&'a self, url: &'a str, authorization: Option<&'a str>) -> Fetching<'a>;

    /// POST of a form.
    fn post_form<'a>(
        &'a self,
        url: &'a str,
        fields: &'a [(&'a str, &'a str)],
        authorization: Option<&'a str>,
    ) -> Fetching<'a>;
}

/// Nobody is asked: for a directory without outside providers.
impl Fetch for () {
    fn get<'a>(&'a self, url: &'a str, _: Option<&'a str>) -> Fetching<'a> {
        Box::pin(async move { Err(format!("nobody asks {url}")) })
    }

    fn post_form<'a>(
        &'a self,
        url: &'a str,
        _: &'a [(&'a str, &'a str)],
        authorization: Option<&'a str>,
    ) -> Fetching<'a> {
        self.get(url, authorization)
    }
}

/// A text that no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whom a provider lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accounts {
    /// People who linked their account.
    Linked,
    /// And strangers, who get an account of the role `user`.
    Open,
}

/// What an account with a second factor needs beside a provider's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Its second factor.
    Ask,
    /// Nothing: the provider is trusted to have asked.
    Trusted,
}

/// A provider, as the configuration says it.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its name in addresses: 1 to 32 lower-case letters, digits and `-`.
    pub name: String,
    /// What people read.
    pub label: String,
    /// Its issuer, compared exactly: also where its description is found.
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// The proof of it; none for a public client.
    pub client_secret: Option<Secret>,
    /// What is asked for; `openid` is among it.
    pub scopes: Vec<String>,
    /// Whom it lets in.
    pub accounts: Accounts,
    /// The domains of which a checked e-mail address must be, in lower case; none for no such rule.
    pub email_domains: BTreeSet<String>,
    /// What is asked for beside its word.
    pub second_factor: Beside,
}

/// A provider and what is known of it.
pub(crate) struct Known {
    pub(crate) settings: Provider,
    /// Its place in the configuration.
    place: u32,
    cache: Cache,
    calls: Semaphore,
    outcomes: Mutex<BTreeMap<&'static str, u64>>,
}

impl Known {
    /// Counts how a sign-in ended.
    pub(crate) fn count(&self, outcome: &'static str) {
        *self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).entry(outcome).or_default() += 1;
    }
}

/// All providers.
pub(crate) struct Providers {
    all: Vec<Known>,
    /// Of those who are sent away; apart from the passkeys', so that neither fills the other's memory.
    states: Challenges,
    /// Of what belongs to a `state` and must not be guessed.
    key: hmac::Key,
    fetch: Arc<dyn Fetch>,
}

impl Providers {
    pub(crate) fn new(settings: &[Provider], fetch: Arc<dyn Fetch>) -> Providers {
        let known = |(place, provider): (u32, &Provider)| Known {
            settings: provider.clone(),
            place,
            cache: Cache::default(),
            calls: Semaphore::new(MOST_CALLS),
            outcomes: Mutex::default(),
        };
        Providers {
            all: (0..).zip(settings).map(known).collect(),
            states: Challenges::new(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &random::bytes::<32>()),
            fetch,
        }
    }

    /// All of them, in the configuration's order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Known> {
        self.all.iter()
    }

    /// The one of this name.
    pub(crate) fn named(&self, name: &str) -> Option<&Known> {
        self.all.iter().find(|known| known.settings.name == name)
    }

    /// How sign-ins ended since the start: provider, outcome, how many.
    pub(crate) fn outcomes(&self) -> Vec<(String, &'static str, u64)> {
        let of = |known: &Known| {
            let outcomes = known.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            let one =
                |(outcome, count): (&&'static str, &u64)| (known.settings.name.clone(), *outcome, *count);
            outcomes.iter().map(one).collect::<Vec<_>>()
        };
        self.all.iter().flat_map(of).collect()
    }
}

/// How long a browser may be kept waiting for a provider's description, and for all that follows when it comes back. An
/// answer of ours must have begun in ten seconds, unless set.
const BEGIN: Duration = Duration::from_secs(4);
const COME_BACK: Duration = Duration::from_secs(8);
