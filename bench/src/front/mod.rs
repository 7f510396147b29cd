//! The front's claims: what the gateway's layers cost over a bare axum route, TLS beside nginx, many idle WebSockets, and
//! what password checks and token checks cost. The load comes from `wrk` (Debian) where a request is a request, so that the
//! client is nobody's here.

mod directory;
mod flood;
mod layers;
mod peers;
mod setting;
mod sign_in;
mod sockets;
mod tls;
mod tokens;
mod wrk;

use crate::Plan;
use crate::report::Claim;

/// Measures all of them.
pub(crate) fn measure(plan: &Plan) -> anyhow::Result<Vec<Claim>> {
    let mut claims = layers::measure(plan)?;
    claims.extend(tls::measure(plan)?);
    claims.extend(sockets::measure(plan)?);
    claims.extend(tokens::measure(plan)?);
    claims.extend(flood::measure(plan)?);
    Ok(claims)
}
