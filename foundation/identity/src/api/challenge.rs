//! Challenges: what an authenticator is to sign, or an outside provider to send back, once, within five minutes.
//!
//! A challenge is random, and says until when it counts, under a key of this process (HMAC-SHA-256) together with what it
//! is for and who holds it. So nothing is kept of one that was only given out: strangers who ask for many fill no memory
//! and push nobody else's out. What is remembered is each that a right signature used up, until it would have ended. None
//! is in the log, and a restart ends them all.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use ring::hmac;

use super::random;
use crate::sabotage::{self, Sabotage};
use crate::value::SECOND;

/// How long a challenge counts, in nanoseconds (Level 3, 15.1, recommends five minutes).
pub(crate) const LIFETIME: i64 = 300 * SECOND;
/// Used challenges that are remembered at the same time; then nothing is taken until some have ended.
const MOST_USED: usize = 100_000;
const NONCE: usize = 16;
const MAC: usize = 32;

/// What a challenge is for. One is never taken for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To log on with nothing else.
    LogOn,
    /// To log on after this account's password was shown: which password that was.
    SecondFactor { account: u64, generation: u32 },
    /// To confirm a change of this account.
    Confirm { account: u64 },
    /// To add a passkey to this account, which was confirmed.
    Add { account: u64 },
    /// To come back from an outside provider and sign in: its place in the configuration.
    ComeBack { provider: u32 },
    /// The same, to link whoever comes back to this account, whose owner was confirmed.
    Link { account: u64, provider: u32 },
    /// To show a second factor after a provider's word: whose account that opens, and by which link.
    AfterProvider { account: u64, link: u64 },
    /// To go on with that: carried by the page which asks for it.
    Ticket { account: u64, link: u64 },
}

impl Purpose {
    /// Whether nothing but the passkey speaks for the person: then the authenticator must have checked who is there.
    pub(crate) fn is_alone(self) -> bool {
        !matches!(self, Purpose::SecondFactor { .. } | Purpose::AfterProvider { .. })
    }

    fn bytes(self) -> [u8; 17] {
        let (kind, account, detail) = match self {
            Purpose::LogOn => (0, 0, 0),
            Purpose::SecondFactor { account, generation } => (1, account, generation.into()),
            Purpose::Confirm { account } => (2, account, 0),
            Purpose::Add { account } => (3, account, 0),
            Purpose::ComeBack { provider } => (4, 0, provider.into()),
            Purpose::Link { account, provider } => (5, account, provider.into()),
            Purpose::AfterProvider { account, link } => (6, account, link),
            Purpose::Ticket { account, link } => (7, account, link),
        };
        let mut bytes = [kind; 17];
        bytes[1..9].copy_from_slice(&u64::to_be_bytes(account));
        bytes[9..].copy_from_slice(&u64::to_be_bytes(detail));
        bytes
    }
}

/// Why a challenge does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoChallenge {
    /// Not given out by this process, for something else, or to somebody else.
    Foreign,
    /// It was, and has ended.
    Ended,
    /// It was used.
    Used,
    /// Too many were used just now.
    Full,
}

/// Gives challenges out and takes them back.
pub(crate) struct Challenges {
    key: hmac::Key,
    /// Those that were used: when they would have ended, and their random part.
    used: Mutex<BTreeSet<(i64, [u8; NONCE])>>,
}

impl Challenges {
    pub(crate) fn new() -> Challenges {
        Challenges { key: hmac::Key::new(hmac::HMAC_SHA256, &random::bytes::<32>()), used: Mutex::default() }
    }

    /// A new challenge: random bytes, until when it counts, and the proof that it is ours. `holder` is what only whoever
    /// asked can show again: the value of a cookie, or a session.
    pub(crate) fn give(&self, purpose: Purpose, holder: &str, now: i64) -> Vec<u8> {
        let mut challenge = random::bytes::<NONCE>().to_vec();
        challenge.extend_from_slice(&(now + LIFETIME).to_be_bytes());
        let mac = hmac::sign(&self.key, &signed(&challenge, purpose, holder));
        challenge.extend_from_slice(mac.as_ref());
        challenge
    }

    /// Whether this challenge was given out for this, to this holder, and still counts.
    pub(crate) fn check(
        &self,
        challenge: &[u8],
        purpose: Purpose,
        holder: &str,
        now: i64,
    ) -> Result<(), NoChallenge> {
        let (ends, _) = parts(challenge).ok_or(NoChallenge::Foreign)?;
        let (said, mac) = challenge.split_at(challenge.len() - MAC);
        let is_ours = hmac::verify(&self.key, &signed(said, purpose, holder), mac);
        is_ours.map_err(|_| NoChallenge::Foreign)?;
        if ends > now { Ok(()) } else { Err(NoChallenge::Ended) }
    }

    /// Takes a challenge that was checked and signed: it counts no more.
    pub(crate) fn take(&self, challenge: &[u8], now: i64) -> Result<(), NoChallenge> {
        let one = parts(challenge).ok_or(NoChallenge::Foreign)?;
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        while used.first().is_some_and(|(ends, _)| *ends <= now) {
            used.pop_first();
        }
        if used.len() >= MOST_USED {
            return Err(NoChallenge::Full);
        }
        if used.insert(one) || sabotage::lacks(Sabotage::PasskeyReplay) {
            Ok(())
        } else {
            Err(NoChallenge::Used)
        }
    }
}

/// When a challenge ends, and its random part.
fn parts(challenge: &[u8]) -> Option<(i64, [u8; NONCE])> {
    let (nonce, rest) = challenge.split_first_chunk::<NONCE>()?;
    let (ends, mac) = rest.split_first_chunk::<8>()?;
    (mac.len() == MAC).then(|| (i64::from_be_bytes(*ends), *nonce))
}

/// Each part has one length but the last: no two of them come to the same bytes.
fn signed(challenge: &[u8], purpose: Purpose, holder: &str) -> Vec<u8> {
    [challenge, &purpose.bytes(), holder.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000 * SECOND;

    #[test]
    fn one_counts_for_what_and_whom_it_was_given_until_it_is_used_or_ends() {
        let challenges = Challenges::new();
        let confirm = Purpose::Confirm { account: 7 };
        let challenge = challenges.give(confirm, "me", NOW);
        assert_ne!(challenge, challenges.give(confirm, "me", NOW));
        let check =
            |challenge: &[u8], purpose, holder, now| challenges.check(challenge, purpose, holder, now);
        assert_eq!(check(&challenge, confirm, "me", NOW + LIFETIME - 1), Ok(()));
        assert_eq!(check(&challenge, confirm, "me", NOW + LIFETIME), Err(NoChallenge::Ended));
        for purpose in [
            Purpose::LogOn,
            Purpose::Add { account: 7 },
            Purpose::Confirm { account: 8 },
            Purpose::SecondFactor { account: 7, generation: 0 },
            Purpose::Link { account: 7, provider: 0 },
            Purpose::AfterProvider { account: 7, link: 0 },
            Purpose::Ticket { account: 7, link: 0 },
        ] {
            assert_eq!(check(&challenge, purpose, "me", NOW), Err(NoChallenge::Foreign), "{purpose:?}");
        }
        assert_eq!(check(&challenge, confirm, "you", NOW), Err(NoChallenge::Foreign));
        assert_eq!(Challenges::new().check(&challenge, confirm, "me", NOW), Err(NoChallenge::Foreign));
        for byte in 0..challenge.len() {
            let mut bent = challenge.clone();
            bent[byte] ^= 1;
            assert_eq!(check(&bent, confirm, "me", NOW), Err(NoChallenge::Foreign), "byte {byte}");
        }
        assert_eq!(check(&challenge[1..], confirm, "me", NOW), Err(NoChallenge::Foreign));
        assert_eq!(challenges.take(&challenge, NOW), Ok(()));
        assert_eq!(challenges.take(&challenge, NOW + LIFETIME - 1), Err(NoChallenge::Used));
    }

    #[test]
    fn what_was_given_out_takes_no_room_and_what_was_used_a_bounded_one() {
        let challenges = Challenges::new();
        let used = || challenges.used.lock().unwrap_or_else(PoisonError::into_inner).len();
        for _ in 0..1_000 {
            challenges.give(Purpose::LogOn, "a stranger", NOW);
        }
        assert_eq!(used(), 0);
        for _ in 0..MOST_USED {
            assert_eq!(challenges.take(&challenges.give(Purpose::LogOn, "me", NOW), NOW), Ok(()));
        }
        let more = challenges.give(Purpose::LogOn, "me", NOW + 1);
        assert_eq!(challenges.take(&more, NOW + 1), Err(NoChallenge::Full));
        assert_eq!(challenges.take(&more, NOW + LIFETIME), Ok(()), "the others have ended");
        assert_eq!(used(), 1);
    }
}
