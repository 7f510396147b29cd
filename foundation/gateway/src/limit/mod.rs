//! Rate limits: how much one address and one account may ask for, by class of route.
//!
//! Answers say what is left in `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10); a refusal says
//! when to come back.

mod table;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::problem::{self, Problem};

pub use table::{Decision, Rate, Table};

/// What is left of each policy.
pub const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// The policies that were applied.
pub const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// A class of routes that share a limit (`sign-in`). Lower-case letters and dashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class(pub &'static str);

/// The class of routes that name none.
pub const ORDINARY: Class = Class("ordinary");

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Address(IpAddr),
    Account(u64),
}

/// The limits of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// For each client address; none: not limited.
    pub address: Option<Rate>,
    /// For each account; none: not limited.
    pub account: Option<Rate>,
}

/// Counts requests, in bounded memory.
pub struct Limits {
    table: Table,
    begin: Instant,
    classes: BTreeMap<Class, Rates>,
}

/// What was decided about one request, to be told in its answer.
#[derive(Default)]
pub(crate) struct Told(Vec<(String, Rate, Decision)>);

impl Limits {
    /// Limits by class; a class that is not listed has those of [`ORDINARY`]. `keys` bounds the memory: 16 bytes each.
    pub fn new(keys: usize, classes: impl IntoIterator<Item = (Class, Rates)>) -> Self {
        Self { table: Table::new(keys), begin: Instant::now(), classes: classes.into_iter().collect() }
    }

    fn rates(&self, class: Class) -> (Class, Rates) {
        match self.classes.get(&class) {
            Some(rates) => (class, *rates),
            None => (ORDINARY, self.classes.get(&ORDINARY).copied().unwrap_or_default()),
        }
    }

    /// One request from this address.
    pub(crate) fn address(&self, class: Class, address: IpAddr, told: &mut Told) -> Result<(), Problem> {
        let (class, rates) = self.rates(class);
        self.take(class, "address", Subject::Address(address), rates.address, told)
    }

    /// One request of this account.
    pub(crate) fn account(&self, class: Class, account: u64, told: &mut Told) -> Result<(), Problem> {
        let (class, rates) = self.rates(class);
        self.take(class, "account", Subject::Account(account), rates.account, told)
    }

    fn take(
        &self,
        class: Class,
        who: &str,
        subject: Subject,
        rate: Option<Rate>,
        told: &mut Told,
    ) -> Result<(), Problem> {
        let Some(rate) = rate else { return Ok(()) };
        let now = u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let decision = self.table.take((class, subject), rate, now);
        told.0.push((format!("{}-{who}", class.0), rate, decision));
        match decision.refused {
            None => Ok(()),
            Some(wait) => {
                let (quota, window) = (rate.quota, rate.window.as_secs());
                let detail =
                    format!("{quota} requests in {window} s are allowed to one {who}: come back later");
                Err(problem::RATE_LIMITED.because(detail).retry_after(wait))
            }
        }
    }
}

impl Told {
    /// Writes the headers, if there is anything to say.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let (mut policies, mut left) = (String::new(), String::new());
        for (name, rate, decision) in &self.0 {
            let separator = if policies.is_empty() { "" } else { ", " };
            let (quota, window) = (rate.quota, rate.window.as_secs());
            // Writing into a string does not fail.
            let _ = write!(policies, "{separator}\"{name}\";q={quota};w={window}");
            let _ =
                write!(left, "{separator}\"{name}\";r={};t={}", decision.remaining, ceil(decision.full_in));
        }
        if let (Ok(policies), Ok(left), false) =
            (HeaderValue::try_from(policies), HeaderValue::try_from(left), self.0.is_empty())
        {
            headers.insert(RATELIMIT_POLICY, policies);
            headers.insert(RATELIMIT, left);
        }
    }
}

fn ceil(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
