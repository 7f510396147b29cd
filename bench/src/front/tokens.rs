//! What it costs to check a token: for the first time, when its signature is verified, and every other time.

use std::time::Instant;

use decalog_gateway::access::{Authenticator, Credential};
use decalog_identity::api::service::SELF;

use super::directory::Directory;
use crate::Plan;
use crate::report::{Claim, Target, Unit};
use crate::sample::{Latencies, micros};

/// Tokens that are seen for the first time in each round.
const TOKENS: usize = 200;
/// How often each is checked again.
const AGAIN: u32 = 1_000;

/// Measures both.
pub(crate) fn measure(plan: &Plan) -> anyhow::Result<Vec<Claim>> {
    let directory = Directory::start(plan)?;
    let (program, authenticator) = (directory.program()?, directory.authenticator());
    let (mut fresh, mut again) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let tokens = (0..TOKENS).map(|_| program.token(SELF)).collect::<anyhow::Result<Vec<_>>>()?;
        fresh.push(once(&*authenticator, &tokens)?);
        again.push(repeatedly(&*authenticator, &tokens)?);
    }
    let figure =
        |name, rounds, most| Claim::figure("front", name, Unit::Microseconds, rounds, Target::AtMost(most));
    Ok(vec![
        figure("a token's first check: p50", fresh, 100.0),
        figure("every other check of it: mean", again, 2.0),
    ])
}

/// The median of first checks, in microseconds.
fn once(authenticator: &dyn Authenticator, tokens: &[String]) -> anyhow::Result<f64> {
    let mut latencies = Latencies::with_capacity(tokens.len());
    for token in tokens {
        let begin = Instant::now();
        let known = authenticator.authenticate(Credential::Bearer(token));
        latencies.record(begin.elapsed());
        anyhow::ensure!(known.is_ok(), "a token was refused: {:?}", known.err());
    }
    Ok(micros(latencies.p50()))
}

/// What one of many further checks takes, in microseconds.
fn repeatedly(authenticator: &dyn Authenticator, tokens: &[String]) -> anyhow::Result<f64> {
    let begin = Instant::now();
    for _ in 0..AGAIN {
        for token in tokens {
            let known = std::hint::black_box(authenticator.authenticate(Credential::Bearer(token)));
            anyhow::ensure!(known.is_ok(), "a token was refused: {:?}", known.err());
        }
    }
    let checks = f64::from(AGAIN) * f64::from(u32::try_from(tokens.len())?);
    Ok(micros(begin.elapsed()) / checks)
}
