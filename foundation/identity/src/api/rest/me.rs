//! `/v1/me`: an account, its sessions, its password and its second factor, by whoever is signed in to it.
//!
//! What could lock the owner out asks for the password again, or for a passkey: a stolen token is not enough.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use decalog_gateway::access::Principal;
use decalog_gateway::problem::Problem;
use serde::Deserialize;
use serde_json::{Value, json};

use super::passkeys::Proof;
use super::{SessionView, UNKNOWN, WRONG_PASSWORD, busy, no_password, not_erased, problem};
use crate::api::passkey::new_codes;
use crate::api::random;
use crate::api::service::Identity;
use crate::command::{
    ConfirmTotp, EndOtherSessions, EndSession, EnrolTotp, Refusal, RemoveTotp, SetPassword, SetRecoveryCodes,
};
use crate::engine::{base32, totp};
use crate::value::{Bytes, SECOND};

type Who = Extension<Arc<Principal>>;
type Shared = State<Arc<Identity>>;

/// The shortest password (NIST SP 800-63B, 5.1.1.2, asks for eight).
pub(super) const SHORTEST: usize = 10;

pub(super) async fn show(State(identity): Shared, Extension(who): Who) -> Result<Json<Value>, Problem> {
    let id = who.account;
    let found = identity.read(move |state| {
        let account = state.account(id)?;
        Some((
            account.roles.clone(),
            account.email.clone(),
            account.totp.as_ref().is_some_and(|totp| totp.active),
            account.recovery.len(),
            state.passkeys_of(id).count(),
        ))
    });
    let (roles, email, has_totp, codes, passkeys) =
        found.await.map_err(problem)?.ok_or_else(|| UNKNOWN.because("it is gone"))?;
    Ok(Json(json!({
        "id": who.account.to_string(),
        "name": *who.name,
        "email": email,
        "roles": roles,
        "scopes": who.scopes.iter().collect::<Vec<_>>(),
        "client": who.client.as_deref(),
        "session": who.session.to_string(),
        "totp": has_totp,
        "passkeys": passkeys,
        "recovery_codes": codes,
    })))
}

pub(super) async fn sessions(State(identity): Shared, Extension(who): Who) -> Result<Json<Value>, Problem> {
    let (account, current) = (who.account, who.session);
    let list = identity.read(move |state| {
        let sessions = state.sessions_of(account);
        sessions.map(|(id, session)| SessionView::of(id, session, current)).collect::<Vec<_>>()
    });
    Ok(Json(json!({ "sessions": list.await.map_err(problem)? })))
}

pub(super) async fn end(
    State(identity): Shared,
    Extension(who): Who,
    Path(session): Path<String>,
) -> Result<StatusCode, Problem> {
    let session = session.parse().map_err(|_| UNKNOWN.because("a session's id is a number"))?;
    let end = EndSession { account: Some(who.account), session };
    identity.ask(who.account, &who.name, end).await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn end_others(State(identity): Shared, Extension(who): Who) -> Result<StatusCode, Problem> {
    let end = EndOtherSessions { account: who.account, keep: Some(who.session) };
    identity.ask(who.account, &who.name, end).await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn confirm_password(
    identity: &Identity,
    who: &Principal,
    password: &str,
) -> Result<(), Problem> {
    match identity.is_password(&who.name, password.to_owned()).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(WRONG_PASSWORD.because("the present password is needed")),
        Err(why) => Err(no_password(identity, why)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    current: String,
    new: String,
}

pub(super) async fn password(
    State(identity): Shared,
    Extension(who): Who,
    Json(asked): Json<NewPassword>,
) -> Result<StatusCode, Problem> {
    check_password(&asked.new)?;
    confirm_password(&identity, &who, &asked.current).await?;
    let password = identity.passwords.hash(asked.new).await.map_err(busy)?;
    let set = SetPassword { account: who.account, password, keep: Some(who.session) };
    identity.ask(who.account, &who.name, set).await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn check_password(password: &str) -> Result<(), Problem> {
    let letters = password.chars().count();
    if (SHORTEST..=1_000).contains(&letters) {
        Ok(())
    } else {
        Err(super::REFUSED.because(format!("a password has {SHORTEST} to 1000 characters")))
    }
}

pub(super) async fn enrol(
    State(identity): Shared,
    Extension(who): Who,
    Json(proof): Json<Proof>,
) -> Result<Json<Value>, Problem> {
    proof.check(&identity, &who).await?;
    let fresh = random::bytes::<20>();
    let enrol = EnrolTotp { account: who.account, secret: Bytes(fresh.to_vec()) };
    identity.ask(who.account, &who.name, enrol).await.map_err(problem)?;
    let text = base32::encode(&fresh);
    let uri = format!("otpauth://totp/Decalog:{}?secret={text}&issuer=Decalog", who.name);
    Ok(Json(json!({ "secret": text, "uri": uri })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Code {
    code: String,
}

pub(super) async fn confirm(
    State(identity): Shared,
    Extension(who): Who,
    Json(asked): Json<Code>,
) -> Result<Json<Value>, Problem> {
    let account = who.account;
    let kept = identity.read(move |state| {
        let totp = state.account(account)?.totp.as_ref()?;
        (!totp.active).then(|| totp.secret.clone())
    });
    let kept = kept.await.map_err(problem)?;
    let kept = kept.ok_or_else(|| problem(crate::api::service::Trouble::Refused(Refusal::NoTotp)))?;
    let now = u64::try_from(identity.now() / SECOND).unwrap_or(0);
    let step = totp::step_of(&kept.0, &asked.code, now);
    let step = step.ok_or_else(|| super::REFUSED.because("the code is not the app's: check the clock"))?;
    let (codes, recovery) = new_codes();
    let confirm = ConfirmTotp { account, step, recovery };
    identity.ask(account, &who.name, confirm).await.map_err(problem)?;
    Ok(Json(json!({ "recovery_codes": codes })))
}

pub(super) async fn remove_totp(
    State(identity): Shared,
    Extension(who): Who,
    Json(proof): Json<Proof>,
) -> Result<StatusCode, Problem> {
    proof.check(&identity, &who).await?;
    identity.ask(who.account, &who.name, RemoveTotp { account: who.account }).await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets the account. It cannot be undone.
pub(super) async fn erase(
    State(identity): Shared,
    Extension(who): Who,
    Json(proof): Json<Proof>,
) -> Result<StatusCode, Problem> {
    proof.check(&identity, &who).await?;
    identity.erase(who.account, who.account).await.map_err(not_erased)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn recovery_codes(
    State(identity): Shared,
    Extension(who): Who,
    Json(proof): Json<Proof>,
) -> Result<Json<Value>, Problem> {
    proof.check(&identity, &who).await?;
    let (codes, recovery) = new_codes();
    let set = SetRecoveryCodes { account: who.account, recovery };
    identity.ask(who.account, &who.name, set).await.map_err(problem)?;
    Ok(Json(json!({ "recovery_codes": codes })))
}
