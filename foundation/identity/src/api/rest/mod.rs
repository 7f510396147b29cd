//! The accounts' own routes: what people see and change of themselves (`me.rs`, `passkeys.rs`), and what administrators do
//! (`admin.rs`).

mod admin;
mod me;
mod openapi;
mod passkeys;
mod providers;

pub use openapi::description;

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use decalog_gateway::access::{Access, Scope};
use decalog_gateway::problem::{self, Problem, ProblemType};
use decalog_gateway::route::Routes;
use serde::Serialize;

use super::erasure::NotErased;
use super::logon::{Busy, NoLogon};
use super::service::{ADMIN, Identity, SELF, Trouble, seconds};
use crate::command::Refusal;
use crate::state::{ApiKey, Session};

/// 404: no account, session or key has this id.
pub static UNKNOWN: ProblemType =
    ProblemType::new("unknown-identity", "No such account, session or key", StatusCode::NOT_FOUND);
/// 409: the directory is not in the state that this asks for.
pub static CONFLICT: ProblemType =
    ProblemType::new("identity-conflict", "Not possible now", StatusCode::CONFLICT);
/// 422: the directory refuses what was sent.
pub static REFUSED: ProblemType =
    ProblemType::new("identity-refused", "Refused by the directory", StatusCode::UNPROCESSABLE_ENTITY);
/// 403: the password is not the account's.
pub static WRONG_PASSWORD: ProblemType =
    ProblemType::new("wrong-password", "The password is wrong", StatusCode::FORBIDDEN);
/// 403: the passkey is none of the account, or its answer not right.
pub static WRONG_PASSKEY: ProblemType =
    ProblemType::new("wrong-passkey", "The passkey is not accepted", StatusCode::FORBIDDEN);
/// 429: too many passwords were wrong.
pub static TOO_MANY_FAILURES: ProblemType =
    ProblemType::new("too-many-failures", "Too many failed attempts", StatusCode::TOO_MANY_REQUESTS);
/// Every type that these routes answer with.
pub static PROBLEMS: &[&ProblemType] =
    &[&UNKNOWN, &CONFLICT, &REFUSED, &WRONG_PASSWORD, &WRONG_PASSKEY, &TOO_MANY_FAILURES];

/// The routes.
pub fn routes() -> Routes<Arc<Identity>> {
    let (own, admin) = (Access::Scope(Scope(SELF)), Access::Scope(Scope(ADMIN)));
    Routes::new()
        .route(Method::GET, "/v1/me", Access::Signed, me::show)
        .route(Method::DELETE, "/v1/me/account", own, me::erase)
        .route(Method::GET, "/v1/me/sessions", own, me::sessions)
        .route(Method::DELETE, "/v1/me/sessions", own, me::end_others)
        .route(Method::DELETE, "/v1/me/sessions/{session}", own, me::end)
        .route(Method::PUT, "/v1/me/password", own, me::password)
        .route(Method::POST, "/v1/me/totp", own, me::enrol)
        .route(Method::PUT, "/v1/me/totp", own, me::confirm)
        .route(Method::DELETE, "/v1/me/totp", own, me::remove_totp)
        .route(Method::POST, "/v1/me/recovery-codes", own, me::recovery_codes)
        .route(Method::GET, "/v1/me/passkeys", own, passkeys::list)
        .route(Method::POST, "/v1/me/passkeys/challenge", own, passkeys::challenge)
        .route(Method::POST, "/v1/me/passkeys/options", own, passkeys::options)
        .route(Method::POST, "/v1/me/passkeys", own, passkeys::add)
        .route(Method::PATCH, "/v1/me/passkeys/{passkey}", own, passkeys::rename)
        .route(Method::DELETE, "/v1/me/passkeys/{passkey}", own, passkeys::remove)
        .route(Method::GET, "/v1/me/providers", own, providers::list)
        .route(Method::DELETE, "/v1/me/providers/{link}", own, providers::unlink)
        .route(Method::GET, "/v1/admin/accounts", admin, admin::accounts)
        .route(Method::POST, "/v1/admin/accounts", admin, admin::open)
        .route(Method::PATCH, "/v1/admin/accounts/{account}", admin, admin::change)
        .route(Method::DELETE, "/v1/admin/accounts/{account}", admin, admin::erase)
        .route(Method::POST, "/v1/admin/service-accounts", admin, admin::open_service)
        .route(Method::GET, "/v1/admin/api-keys", admin, admin::keys)
        .route(Method::POST, "/v1/admin/api-keys", admin, admin::create_key)
        .route(Method::DELETE, "/v1/admin/api-keys/{key}", admin, admin::revoke_key)
        .route(Method::POST, "/v1/admin/clients", admin, admin::set_client)
        .route(Method::DELETE, "/v1/admin/clients/{client}", admin, admin::remove_client)
        .route(Method::GET, "/v1/admin/audit", admin, admin::audit)
}

fn problem(trouble: Trouble) -> Problem {
    let refusal = match trouble {
        Trouble::Refused(refusal) => refusal,
        Trouble::Submit(error) => return problem::UNAVAILABLE.because(error.to_string()),
        Trouble::Read(error) => return problem::UNAVAILABLE.because(error.to_string()),
    };
    let kind = match refusal {
        Refusal::UnknownAccount
        | Refusal::UnknownSession
        | Refusal::UnknownKey
        | Refusal::UnknownClient
        | Refusal::UnknownPasskey
        | Refusal::UnknownLink => &UNKNOWN,
        Refusal::NameTaken
        | Refusal::TotpExists
        | Refusal::NoTotp
        | Refusal::TooMany
        | Refusal::LastAdministrator
        | Refusal::PasskeyTaken
        | Refusal::LinkTaken
        | Refusal::LastCredential => &CONFLICT,
        _ => &REFUSED,
    };
    kind.because(format!("{} (refusal {})", refusal.name(), refusal.code()))
}

fn not_erased(why: NotErased) -> Problem {
    match why {
        NotErased::Declared => CONFLICT.because(why.to_string()),
        NotErased::Ledger(_) => problem::UNAVAILABLE.because(why.to_string()),
        NotErased::Trouble(trouble) => problem(trouble),
    }
}

fn busy(_: Busy) -> Problem {
    problem::UNAVAILABLE
        .because("too many passwords are checked just now")
        .retry_after(std::time::Duration::from_secs(1))
}

fn no_password(identity: &Identity, why: NoLogon) -> Problem {
    match why {
        NoLogon::Later(until) => {
            let wait = seconds(until - identity.now()).max(1);
            let wait = std::time::Duration::from_secs(wait.unsigned_abs());
            TOO_MANY_FAILURES.because("wait before the next attempt").retry_after(wait)
        }
        NoLogon::Busy => busy(Busy),
        NoLogon::Trouble(trouble) => problem(trouble),
        NoLogon::Wrong | NoLogon::Ended | NoLogon::SecondFactorNeeded { .. } => {
            WRONG_PASSWORD.because("the present password is needed")
        }
    }
}

/// A session, as its owner sees it. Ids are texts: they are too large for the numbers of JavaScript.
#[derive(Serialize)]
struct SessionView {
    id: String,
    client: Option<String>,
    agent: String,
    address: String,
    started: i64,
    expires: i64,
    current: bool,
}

impl SessionView {
    fn of(id: u64, session: &Session, current: u64) -> SessionView {
        SessionView {
            id: id.to_string(),
            client: session.client.clone(),
            agent: session.device.agent.clone(),
            address: session.device.address.clone(),
            started: seconds(session.started),
            expires: seconds(session.expires),
            current: id == current,
        }
    }
}

/// An API key without its secret, which nobody has any more.
#[derive(Serialize)]
struct KeyView {
    id: String,
    account: String,
    label: String,
    scopes: Vec<String>,
    created: i64,
    expires: Option<i64>,
}

impl KeyView {
    fn of(id: u64, key: &ApiKey) -> KeyView {
        KeyView {
            id: id.to_string(),
            account: key.account.to_string(),
            label: key.label.clone(),
            scopes: key.scopes.iter().cloned().collect(),
            created: seconds(key.created),
            expires: key.expires.map(seconds),
        }
    }
}
