//! `/v1/admin`: accounts, API keys, clients and the audit trail, for whoever holds `identity:admin`.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use decalog_gateway::access::Principal;
use decalog_gateway::problem::{Problem, UNAVAILABLE};
use serde::Deserialize;
use serde_json::{Value, json};

use super::me::check_password;
use super::{KeyView, REFUSED, UNKNOWN, busy, not_erased, problem};
use crate::api::oauth::grant_type;
use crate::api::random;
use crate::api::service::{Identity, seconds};
use crate::command::{
    AssignRoles, CreateApiKey, OpenAccount, RemoveClient, Reply, RevokeApiKey, SetClient, SetDisabled,
    SetPassword,
};
use crate::engine::secret;
use crate::projection::audit::Filter;
use crate::value::{Client, Profile, SECOND, Scopes};

type Who = Extension<Arc<Principal>>;
type Shared = State<Arc<Identity>>;

fn number(text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| UNKNOWN.because("an id is a number"))
}

pub(super) async fn accounts(State(identity): Shared) -> Result<Json<Value>, Problem> {
    let list = identity.read(|state| {
        let one = |(id, account): (u64, &crate::state::Account)| {
            json!({
                "id": id.to_string(),
                "name": account.name,
                "roles": account.roles,
                "service": account.service,
                "disabled": account.disabled,
                "failures": account.failures,
                "locked_until": seconds(account.locked_until),
                "totp": account.totp.as_ref().is_some_and(|totp| totp.active),
                "opened": seconds(account.opened),
                "email": account.email,
            })
        };
        state.accounts().map(one).collect::<Vec<_>>()
    });
    Ok(Json(json!({ "accounts": list.await.map_err(problem)? })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAccount {
    name: String,
    password: String,
    #[serde(default)]
    roles: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewServiceAccount {
    name: String,
    #[serde(default)]
    roles: BTreeSet<String>,
}

async fn make(identity: &Identity, by: u64, open: OpenAccount) -> Result<(StatusCode, Json<Value>), Problem> {
    let name = open.name.clone();
    let reply = identity.ask(by, &name, open).await.map_err(problem)?;
    let Reply::Made(id) = reply else { return Err(REFUSED.because("nothing was opened")) };
    Ok((StatusCode::CREATED, Json(json!({ "id": id.to_string(), "name": name }))))
}

pub(super) async fn open(
    State(identity): Shared,
    Extension(who): Who,
    Json(asked): Json<NewAccount>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    check_password(&asked.password)?;
    let password = Some(identity.passwords.hash(asked.password).await.map_err(busy)?);
    let open = OpenAccount { name: asked.name, password, roles: asked.roles, service: false };
    make(&identity, who.account, open).await
}

pub(super) async fn open_service(
    State(identity): Shared,
    Extension(who): Who,
    Json(asked): Json<NewServiceAccount>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let open = OpenAccount { name: asked.name, password: None, roles: asked.roles, service: true };
    make(&identity, who.account, open).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    roles: Option<BTreeSet<String>>,
    disabled: Option<bool>,
    password: Option<String>,
}

pub(super) async fn change(
    State(identity): Shared,
    Extension(who): Who,
    Path(account): Path<String>,
    Json(asked): Json<Change>,
) -> Result<StatusCode, Problem> {
    let (account, key) = (number(&account)?, account);
    if let Some(password) = asked.password {
        check_password(&password)?;
        let password = identity.passwords.hash(password).await.map_err(busy)?;
        let set = SetPassword { account, password, keep: None };
        identity.ask(who.account, &key, set).await.map_err(problem)?;
    }
    if let Some(roles) = asked.roles {
        identity.ask(who.account, &key, AssignRoles { account, roles }).await.map_err(problem)?;
    }
    if let Some(disabled) = asked.disabled {
        identity.ask(who.account, &key, SetDisabled { account, disabled }).await.map_err(problem)?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets an account. It cannot be undone.
pub(super) async fn erase(
    State(identity): Shared,
    Extension(who): Who,
    Path(account): Path<String>,
) -> Result<StatusCode, Problem> {
    identity.erase(who.account, number(&account)?).await.map_err(not_erased)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn keys(State(identity): Shared) -> Result<Json<Value>, Problem> {
    let list =
        identity.read(|state| state.api_keys().map(|(id, key)| KeyView::of(id, key)).collect::<Vec<_>>());
    Ok(Json(json!({ "api_keys": list.await.map_err(problem)? })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    account: String,
    label: String,
    scopes: Scopes,
    /// Seconds; none for a key that lives until it is revoked.
    lifetime: Option<u32>,
}

pub(super) async fn create_key(
    State(identity): Shared,
    Extension(who): Who,
    Json(asked): Json<NewKey>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (text, _) = random::secret();
    // The prefix lets scanners of leaked secrets find it.
    let text = format!("decalog_{text}");
    let create = CreateApiKey {
        account: number(&asked.account)?,
        hash: secret::hash(text.as_bytes()),
        label: asked.label,
        scopes: asked.scopes,
        expires: asked.lifetime.map(|lifetime| identity.now() + i64::from(lifetime) * SECOND),
    };
    let reply = identity.ask(who.account, &asked.account, create).await.map_err(problem)?;
    let Reply::Made(id) = reply else { return Err(REFUSED.because("nothing was made")) };
    Ok((StatusCode::CREATED, Json(json!({ "id": id.to_string(), "key": text }))))
}

pub(super) async fn revoke_key(
    State(identity): Shared,
    Extension(who): Who,
    Path(key): Path<String>,
) -> Result<StatusCode, Problem> {
    let revoke = RevokeApiKey { account: None, key: number(&key)? };
    identity.ask(who.account, &key, revoke).await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewClient {
    id: String,
    name: String,
    #[serde(default)]
    redirect_uris: BTreeSet<String>,
    #[serde(default)]
    scopes: Scopes,
    grant_types: Vec<String>,
    /// It has a secret, which is shown once.
    #[serde(default)]
    confidential: bool,
    /// The account it acts as with `client_credentials`.
    account: Option<String>,
    #[serde(default)]
    without_pkce: bool,
    #[serde(default)]
    out_of_band: bool,
    #[serde(default)]
    until_revoked: bool,
}

pub(super) async fn set_client(
    State(identity): Shared,
    Extension(who): Who,
    Json(asked): Json<NewClient>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let grants = asked.grant_types.iter().map(|name| grant_type(name)).collect::<Option<_>>();
    let fresh = asked.confidential.then(random::secret);
    let client = Client {
        id: asked.id.clone(),
        name: asked.name,
        secret: fresh.as_ref().map(|(_, hash)| *hash),
        redirect_uris: asked.redirect_uris,
        scopes: asked.scopes,
        grants: grants.ok_or_else(|| REFUSED.because("an unknown grant type"))?,
        profile: Profile {
            without_pkce: asked.without_pkce,
            out_of_band: asked.out_of_band,
            until_revoked: asked.until_revoked,
        },
        account: asked.account.as_deref().map(number).transpose()?,
    };
    identity.ask(who.account, &asked.id, SetClient { client, new: true }).await.map_err(problem)?;
    let mut answer = json!({ "client_id": asked.id });
    if let Some((text, _)) = fresh {
        answer["client_secret"] = text.into();
    }
    Ok((StatusCode::CREATED, Json(answer)))
}

pub(super) async fn remove_client(
    State(identity): Shared,
    Extension(who): Who,
    Path(client): Path<String>,
) -> Result<StatusCode, Problem> {
    identity.ask(who.account, &client.clone(), RemoveClient { client }).await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    account: Option<u64>,
    event: Option<String>,
    /// Seconds since 1970.
    since: Option<i64>,
    /// Seconds since 1970.
    until: Option<i64>,
    after: Option<u64>,
    limit: Option<usize>,
}

pub(super) async fn audit(
    State(identity): Shared,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Problem> {
    let filter = Filter {
        account: wanted.account,
        event: wanted.event,
        since: wanted.since.map(|since| since.saturating_mul(SECOND)),
        until: wanted.until.map(|until| until.saturating_mul(SECOND)),
        after: wanted.after,
        limit: wanted.limit.unwrap_or(100).min(10_000),
    };
    let (unknown, known) = identity.failed_logons();
    let audit = Arc::clone(&identity.audit);
    let found = tokio::task::spawn_blocking(move || audit.find(&filter)).await;
    let found = match found {
        Ok(found) => found.map_err(|error| UNAVAILABLE.because(error.to_string()))?,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    };
    Ok(Json(json!({
        "events": found,
        "failed_logons": { "unknown_names": unknown, "accounts": known },
    })))
}
