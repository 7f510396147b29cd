//! `/v1/me/passkeys`: an account's passkeys, by whoever is signed in to it; and the proof that the owner asks now.
//!
//! To add one: ask for options with a proof, give them to the browser, send back what it made. A proof is the password or
//! a passkey that is there already; its challenge is asked for first. All belongs to one session.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use decalog_gateway::access::Principal;
use decalog_gateway::problem::{Problem, UNAVAILABLE};
use serde::Deserialize;
use serde_json::{Value, json};

use super::me::confirm_password;
use super::{CONFLICT, REFUSED, UNKNOWN, WRONG_PASSKEY, no_password, problem};
use crate::api::challenge::Purpose;
use crate::api::credential::{Created, Got, Shown};
use crate::api::logon::NoLogon;
use crate::api::passkey::NotAdded;
use crate::api::service::{Identity, seconds};
use crate::command::{RemovePasskey, RenamePasskey};

type Who = Extension<Arc<Principal>>;
type Shared = State<Arc<Identity>>;

/// That the owner asks now: one of the two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Proof {
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    passkey: Option<Shown<Got>>,
}

impl Proof {
    /// Whether it is right; failures count.
    pub(super) async fn check(&self, identity: &Identity, who: &Principal) -> Result<(), Problem> {
        match (&self.password, &self.passkey) {
            (Some(password), None) => confirm_password(identity, who, password).await,
            (None, Some(shown)) => {
                match identity.confirm_with_passkey(who.account, &holder(who), shown).await {
                    Ok(()) => Ok(()),
                    Err(NoLogon::Ended) => {
                        Err(WRONG_PASSKEY.because("the challenge has ended: ask for another"))
                    }
                    Err(NoLogon::Wrong | NoLogon::SecondFactorNeeded { .. }) => {
                        Err(WRONG_PASSKEY.because("a passkey of this account is needed"))
                    }
                    Err(why) => Err(no_password(identity, why)),
                }
            }
            _ => Err(REFUSED.because("send the password, or a passkey: one of the two")),
        }
    }
}

/// Challenges belong to the session that asked.
fn holder(who: &Principal) -> String {
    who.session.to_string()
}

fn not_added(why: NotAdded) -> Problem {
    match why {
        NotAdded::Unavailable => CONFLICT.because(why.to_string()),
        NotAdded::Challenge | NotAdded::Fault(_) => REFUSED.because(why.to_string()),
        NotAdded::Busy => UNAVAILABLE.because(why.to_string()),
        NotAdded::Trouble(trouble) => problem(trouble),
    }
}

pub(super) async fn list(State(identity): Shared, Extension(who): Who) -> Result<Json<Value>, Problem> {
    let account = who.account;
    let list = identity.read(move |state| {
        let passkeys = state.passkeys_of(account);
        let one = |(id, passkey): (u64, &crate::state::Passkey)| {
            json!({
                "id": id.to_string(),
                "label": passkey.label,
                "added": seconds(passkey.added),
                "used": passkey.used.map(seconds),
                "transports": passkey.transports,
                "backed_up": passkey.backed_up,
            })
        };
        passkeys.map(one).collect::<Vec<_>>()
    });
    Ok(Json(json!({ "passkeys": list.await.map_err(problem)? })))
}

/// A challenge with which a passkey that is there proves that the owner asks.
pub(super) async fn challenge(State(identity): Shared, Extension(who): Who) -> Result<Json<Value>, Problem> {
    let confirm = Purpose::Confirm { account: who.account };
    let options = identity.options_of(who.account, confirm, &holder(&who)).await.map_err(problem)?;
    options.map(Json).ok_or_else(|| CONFLICT.because("the account has no passkey that can be used here"))
}

pub(super) async fn options(
    State(identity): Shared,
    Extension(who): Who,
    Json(proof): Json<Proof>,
) -> Result<Json<Value>, Problem> {
    if identity.party.is_none() {
        return Err(not_added(NotAdded::Unavailable));
    }
    proof.check(&identity, &who).await?;
    let options = identity.creation_options(who.account, &who.name, &holder(&who)).await;
    options.map(Json).map_err(not_added)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    label: String,
    credential: Shown<Created>,
}

pub(super) async fn add(
    State(identity): Shared,
    Extension(who): Who,
    Json(new): Json<New>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let holder = holder(&who);
    let added = identity.add_passkey(who.account, &who.name, &holder, &new.label, &new.credential);
    let added = added.await.map_err(not_added)?;
    let body = json!({ "id": added.id.to_string(), "recovery_codes": added.codes });
    Ok((StatusCode::CREATED, Json(body)))
}

fn id(text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| UNKNOWN.because("a passkey's id is a number"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Name {
    label: String,
}

pub(super) async fn rename(
    State(identity): Shared,
    Extension(who): Who,
    Path(passkey): Path<String>,
    Json(name): Json<Name>,
) -> Result<StatusCode, Problem> {
    let rename = RenamePasskey { account: who.account, passkey: id(&passkey)?, label: name.label };
    identity.ask(who.account, &who.name, rename).await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove(
    State(identity): Shared,
    Extension(who): Who,
    Path(passkey): Path<String>,
    Json(proof): Json<Proof>,
) -> Result<StatusCode, Problem> {
    let passkey = id(&passkey)?;
    proof.check(&identity, &who).await?;
    let remove = RemovePasskey { account: who.account, passkey };
    identity.ask(who.account, &who.name, remove).await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}
