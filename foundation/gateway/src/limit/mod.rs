//! Rate limits: how much one address and one account may ask for, by class of route.
//!
//! Answers say what is left in `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10); a refusal says
//! when to come back.

mod table;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;

use crate::problem::{self, Problem};
use crate::route::Manner;

pub use table::{Decision, Rate, Table};

/// What is left of each policy.
pub const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// The policies that were applied.
pub const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Enough for what most answers say in `RateLimit`.
const LEFT_BYTES: usize = 80;

/// A class of routes that share a limit (`sign-in`). Lower-case letters and dashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class(pub &'static str);

/// The class of routes that name none.
pub const ORDINARY: Class = Class("ordinary");

/// Who is counted, by which class of routes: the place of its policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Address(usize, IpAddr),
    Account(usize, u64),
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
    classes: BTreeMap<Class, Arc<Policies>>,
    ordinary: Arc<Policies>,
}

/// A class's limits, and how answers name them.
struct Policies {
    place: usize,
    address: Option<Policy>,
    account: Option<Policy>,
    /// `RateLimit-Policy` when both were applied.
    both: HeaderValue,
}

/// One limit.
struct Policy {
    rate: Rate,
    who: &'static str,
    /// How it is named in `RateLimit`.
    name: String,
    /// `RateLimit-Policy` when it alone was applied.
    alone: HeaderValue,
}

/// What is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Requests that are allowed in its window.
    pub quota: u32,
    /// Requests that would be let in now.
    pub remaining: u32,
    /// Until all of the quota is there again.
    pub full_in: Duration,
}

/// What was decided about one request, to be told in its answer.
#[derive(Default)]
pub(crate) struct Told {
    policies: Option<Arc<Policies>>,
    address: Option<Decision>,
    account: Option<Decision>,
}

impl Limits {
    /// Limits by class; a class that is not listed has those of [`ORDINARY`]. `keys` bounds the memory: 16 bytes each.
    pub fn new(keys: usize, classes: impl IntoIterator<Item = (Class, Rates)>) -> Self {
        let policies = |(place, (class, rates))| (class, Arc::new(Policies::new(place, class, rates)));
        let classes: BTreeMap<_, _> = classes.into_iter().enumerate().map(policies).collect();
        let none = || Arc::new(Policies::new(usize::MAX, ORDINARY, Rates::default()));
        let ordinary = classes.get(&ORDINARY).map_or_else(none, Arc::clone);
        Self { table: Table::new(keys), begin: Instant::now(), classes, ordinary }
    }

    fn policies(&self, class: Class) -> Arc<Policies> {
        Arc::clone(self.classes.get(&class).unwrap_or(&self.ordinary))
    }

    /// One request from this address.
    pub(crate) fn address(
        &self,
        class: Class,
        address: IpAddr,
        now: Instant,
        told: &mut Told,
    ) -> Result<(), Problem> {
        let policies = told.policies.get_or_insert_with(|| self.policies(class));
        let Some(policy) = &policies.address else { return Ok(()) };
        let decision = self.take(Subject::Address(policies.place, address), policy, now);
        policy.outcome(*told.address.insert(decision))
    }

    /// One request of this account.
    pub(crate) fn account(
        &self,
        class: Class,
        account: u64,
        now: Instant,
        told: &mut Told,
    ) -> Result<(), Problem> {
        let policies = told.policies.get_or_insert_with(|| self.policies(class));
        let Some(policy) = &policies.account else { return Ok(()) };
        let decision = self.take(Subject::Account(policies.place, account), policy, now);
        policy.outcome(*told.account.insert(decision))
    }

    fn take(&self, subject: Subject, policy: &Policy, now: Instant) -> Decision {
        let now = u64::try_from((now - self.begin).as_nanos()).unwrap_or(u64::MAX);
        self.table.take(subject, policy.rate, now)
    }
}

impl Policies {
    fn new(place: usize, class: Class, rates: Rates) -> Self {
        let policy = |who, rate: Option<Rate>| {
            let rate = rate?;
            let name = format!("\"{}-{who}\"", class.0);
            let alone = header(format!("{name};q={};w={}", rate.quota, rate.window.as_secs()));
            Some(Policy { rate, who, name, alone })
        };
        let (address, account) = (policy("address", rates.address), policy("account", rates.account));
        let told = [&address, &account].into_iter().flatten();
        let told: Vec<_> = told.filter_map(|policy| policy.alone.to_str().ok()).collect();
        let both = header(told.join(", "));
        Self { place, address, account, both }
    }
}

fn header(value: String) -> HeaderValue {
    HeaderValue::try_from(value).expect("classes have lower-case letters and dashes")
}

impl Policy {
    fn outcome(&self, decision: Decision) -> Result<(), Problem> {
        let Some(wait) = decision.refused else { return Ok(()) };
        let (quota, window, who) = (self.rate.quota, self.rate.window.as_secs(), self.who);
        let detail = format!("{quota} requests in {window} s are allowed to one {who}: come back later");
        Err(problem::RATE_LIMITED.because(detail).retry_after(wait))
    }

    /// Says what is left of it.
    fn write(&self, decision: Decision, out: &mut String) {
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push_str(&self.name);
        out.push_str(";r=");
        out.push_str(itoa::Buffer::new().format(decision.remaining));
        out.push_str(";t=");
        out.push_str(itoa::Buffer::new().format(ceil(decision.full_in)));
    }
}

impl Told {
    /// Writes into the answer's headers what there is to say.
    pub(crate) fn tell(&self, manner: Manner, mut response: Response) -> Response {
        self.write(response.headers_mut());
        if let Some(left) = self.nearest() {
            (manner.limited)(left, response.headers_mut());
        }
        response
    }

    fn sides(&self) -> impl Iterator<Item = (&Policy, Decision)> {
        let policies = self.policies.iter();
        let sides = policies.flat_map(|it| [(&it.address, self.address), (&it.account, self.account)]);
        sides.filter_map(|(policy, decision)| Some((policy.as_ref()?, decision?)))
    }

    /// The limit that comes first.
    fn nearest(&self) -> Option<Left> {
        let left = self.sides().map(|(policy, decision)| Left {
            quota: policy.rate.quota,
            remaining: decision.remaining,
            full_in: decision.full_in,
        });
        left.min_by_key(|left| left.remaining)
    }

    fn write(&self, headers: &mut HeaderMap) {
        let Some(policies) = &self.policies else { return };
        let mut left = String::with_capacity(LEFT_BYTES);
        let mut policy = None;
        for (side, decision) in self.sides() {
            side.write(decision, &mut left);
            policy = Some(if policy.is_none() { &side.alone } else { &policies.both });
        }
        if let (Some(policy), Ok(left)) = (policy, HeaderValue::try_from(left)) {
            headers.insert(RATELIMIT_POLICY, policy.clone());
            headers.insert(RATELIMIT, left);
        }
    }
}

fn ceil(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
