//! TLS with keep-alive: the product's public route beside nginx, which serves the same bytes itself, one core each.

use super::peers;
use super::setting::{self, Setting};
use super::wrk::{self, Load};
use crate::Plan;
use crate::cores::Cores;
use crate::report::{Claim, Target, per_second};
use crate::sample::{Rounds, median};
use crate::server::Decalog;

const CONNECTIONS: u32 = 64;

/// Measures it.
pub(crate) fn measure(plan: &Plan) -> anyhow::Result<Vec<Claim>> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let files = plan.scratch()?;
    let (certificate, key) = (files.path().join("server.pem"), files.path().join("server.key"));
    let (certificate, key) = (std::path::absolute(certificate)?, std::path::absolute(key)?);
    std::fs::write(&certificate, made.cert.pem())?;
    std::fs::write(&key, made.signing_key.serialize_pem())?;
    let cores = Cores::divide()?;
    cores.for_server()?;
    let tls = format!("certificate = \"{}\"\nkey = \"{}\"", certificate.display(), key.display());
    let setting = Setting { tls, ..Setting::default() };
    let front = setting::start(&Decalog::find()?, plan.scratch()?, &setting)?;
    let nginx = peers::nginx(plan.scratch()?, &certificate, &key)?;
    cores.for_client()?;
    let rate = |address| {
        let url = format!("https://{address}/v1/instruments");
        let load = Load { url, connections: CONNECTIONS, span: plan.span, headers: Vec::new() };
        anyhow::Ok(wrk::run(&load)?.per_second)
    };
    let rounds = Rounds::interleave(plan.rounds, || rate(front.server.address), || rate(nginx.address))?;
    let (ours, theirs) = (median(&rounds.subject), median(&rounds.control));
    let claim = Claim::ratio("front", "TLS, small JSON: rate / nginx", rounds, Target::AtLeast(0.8));
    let beside = format!(
        "decalog {}, nginx {}, {CONNECTIONS} connections, one core each",
        per_second(ours),
        per_second(theirs)
    );
    Ok(vec![claim.beside(beside)])
}
