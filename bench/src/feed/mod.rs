//! The feed's claims: what its fan-out reaches beside Redis, what a timeline holds, and what people notice of both.

mod app;
mod celebrity;
mod entries;
mod fan_out;
mod graph;
mod live;
pub(crate) mod million;
mod redis;
mod setting;

use crate::Plan;
use crate::report::Claim;

/// Measures them.
pub(crate) fn measure(plan: &Plan) -> anyhow::Result<Vec<Claim>> {
    let mut claims = vec![entries::measure(plan)?];
    claims.extend(fan_out::measure(plan)?);
    claims.push(celebrity::measure(plan)?);
    claims.extend(live::measure(plan)?);
    Ok(claims)
}
