//! What clients do with tokens and themselves: revoke (RFC 7009), introspect (RFC 7662), register (RFC 7591).

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use decalog_gateway::access::{Authenticator, Credential};
use serde::Deserialize;
use serde_json::{Value, json};

use super::form::{Form, Sent};
use super::token::{Asking, DEVICE_CODE};
use super::tokens::RefreshToken;
use super::{Refused, Shared, refuse};
use crate::api::random;
use crate::api::service::{Identity, Trouble, seconds};
use crate::command::{EndSession, SetClient};
use crate::value::{CONTENT, Client, GrantType, Profile, Scopes, holds};

/// What a token is.
struct Known {
    account: u64,
    session: u64,
    name: String,
    client: Option<String>,
    scope: String,
    expires: i64,
    kind: &'static str,
}

impl Identity {
    /// A token that counts now: an access token, or the newest refresh token of a grant.
    async fn look_up(&self, token: &str) -> Result<Option<Known>, Refused> {
        if let Some(shown) = RefreshToken::read(token) {
            let found = self.read(move |state| {
                let (id, session) = state.session_by_secret(&shown.secret)?;
                let newest = session.refresh == Some(shown.refresh) && session.client.is_some();
                newest.then(|| Known {
                    account: session.account,
                    session: id,
                    name: state.account(session.account).map_or_else(String::new, |it| it.name.clone()),
                    client: session.client.clone(),
                    scope: session.scopes.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" "),
                    expires: session.expires,
                    kind: "refresh_token",
                })
            });
            return Ok(found.await?);
        }
        let Ok(who) = self.doorkeeper.authenticate(Credential::Bearer(token)) else { return Ok(None) };
        let expires = self.principals.look().session(who.session).map_or(0, |live| live.expires);
        Ok(Some(Known {
            account: who.account,
            session: who.session,
            name: who.name.to_string(),
            client: who.client.as_deref().map(str::to_owned),
            scope: who.scopes.to_string(),
            expires: self.doorkeeper.expires(token).unwrap_or(expires),
            kind: "access_token",
        }))
    }
}

/// Ends the grant that a token belongs to. A token that is none is no failure (RFC 7009, 2.2). The answer says nothing,
/// as an object, which programs exist that want.
pub(super) async fn revoke(
    State(identity): State<Shared>,
    headers: HeaderMap,
    Sent(form): Sent,
) -> Result<Json<Value>, Refused> {
    let Asking { client, .. } = identity.asking(&headers, &form).await?;
    let Some(known) = identity.look_up(form.need("token")?).await? else { return Ok(Json(json!({}))) };
    if known.client.as_deref() != Some(&client.id) {
        return Err(refuse("invalid_grant", "the token belongs to another client"));
    }
    let end = EndSession { account: Some(known.account), session: known.session };
    match identity.ask(known.account, &client.id, end).await {
        // Somebody was quicker: it has ended.
        Ok(_) | Err(Trouble::Refused(_)) => Ok(Json(json!({}))),
        Err(trouble) => Err(trouble.into()),
    }
}

/// Says what a token is, to a client with a secret.
pub(super) async fn introspect(
    State(identity): State<Shared>,
    headers: HeaderMap,
    form: Form,
) -> Result<Json<Value>, Refused> {
    let Asking { proven, .. } = identity.asking(&headers, &form).await?;
    if !proven {
        let status = StatusCode::UNAUTHORIZED;
        return Err(Refused { status, ..refuse("invalid_client", "only clients with a secret may ask") });
    }
    let Some(known) = identity.look_up(form.need("token")?).await? else {
        return Ok(Json(json!({ "active": false })));
    };
    Ok(Json(json!({
        "active": true,
        "iss": identity.settings.issuer,
        // An app's own token is about the app (RFC 9068, 2.2).
        "sub": if known.account == 0 { known.client.clone() } else { Some(known.account.to_string()) },
        "username": known.name,
        "client_id": known.client,
        "scope": known.scope,
        "exp": seconds(known.expires),
        "token_type": if known.kind == "access_token" { "Bearer" } else { known.kind },
    })))
}

/// What a stranger may say of a client.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Registration {
    client_name: Option<String>,
    redirect_uris: BTreeSet<String>,
    grant_types: Option<Vec<String>>,
    token_endpoint_auth_method: Option<String>,
    scope: Option<String>,
}

/// The name of a grant type.
pub(crate) fn grant_type(name: &str) -> Option<GrantType> {
    match name {
        "authorization_code" => Some(GrantType::AuthorizationCode),
        "refresh_token" => Some(GrantType::RefreshToken),
        "client_credentials" => Some(GrantType::ClientCredentials),
        "password" => Some(GrantType::Password),
        DEVICE_CODE => Some(GrantType::DeviceCode),
        _ => None,
    }
}

fn invalid(description: &'static str) -> Refused {
    refuse("invalid_client_metadata", description)
}

/// Registers a client for a stranger: never with rights of its own, and never for administering.
pub(super) async fn register(
    State(identity): State<Shared>,
    body: Result<Json<Registration>, axum::extract::rejection::JsonRejection>,
) -> Result<Response, Refused> {
    if !identity.settings.open_registration {
        let status = StatusCode::FORBIDDEN;
        return Err(Refused { status, ..refuse("access_denied", "registration is not open here") });
    }
    let Json(asked) = body.map_err(|_| invalid("send a JSON object (RFC 7591, section 2)"))?;
    if !asked.redirect_uris.iter().all(|uri| is_redirect(uri)) {
        return Err(refuse("invalid_redirect_uri", "use https, or http to this machine, without a fragment"));
    }
    let names = asked.grant_types.unwrap_or_else(|| vec!["authorization_code".to_owned()]);
    let open = |grant: &GrantType| !matches!(grant, GrantType::ClientCredentials | GrantType::Password);
    let grants: Option<BTreeSet<GrantType>> =
        names.iter().map(|name| grant_type(name).filter(open)).collect();
    let grants = grants.ok_or_else(|| invalid("a grant type that strangers may not use"))?;
    let mut most: Scopes = identity.settings.rights.clone();
    most.extend(CONTENT.map(str::to_owned));
    most.retain(|scope| !scope.starts_with("identity:") && !scope.starts_with("admin:"));
    let scopes: Scopes = match &asked.scope {
        Some(scope) => scope.split(' ').map(str::to_owned).filter(|scope| holds(&most, scope)).collect(),
        None => ["openid", "profile"].map(str::to_owned).into(),
    };
    let method = asked.token_endpoint_auth_method.unwrap_or_else(|| "client_secret_basic".to_owned());
    let secret = match method.as_str() {
        "none" => None,
        "client_secret_basic" | "client_secret_post" => Some(random::secret()),
        _ => return Err(invalid("token_endpoint_auth_method is not supported")),
    };
    let client = Client {
        id: random::readable(1, 16),
        name: asked.client_name.unwrap_or_else(|| "A program without a name".to_owned()),
        secret: secret.as_ref().map(|(_, hash)| *hash),
        redirect_uris: asked.redirect_uris,
        scopes,
        grants,
        profile: Profile::default(),
        account: None,
    };
    let mut answer = json!({
        "client_id": client.id,
        "client_id_issued_at": seconds(identity.now()),
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "grant_types": names,
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
        "scope": client.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
    });
    if let Some((text, _)) = secret {
        answer["client_secret"] = text.into();
        answer["client_secret_expires_at"] = 0.into();
    }
    if !identity.read(|state| state.has_room_for_a_client()).await? {
        return Err(Refused::later(60));
    }
    let id = client.id.clone();
    match identity.ask(0, &id, SetClient { client, new: true }).await {
        Ok(_) => Ok((StatusCode::CREATED, Json(answer)).into_response()),
        Err(Trouble::Refused(crate::command::Refusal::Invalid)) => {
            Err(invalid("too long, too many, or incomplete"))
        }
        Err(trouble) => Err(trouble.into()),
    }
}

/// A redirect that a stranger may register: https, or plain http to the same machine (RFC 8252, 7.3).
pub(crate) fn is_redirect(uri: &str) -> bool {
    let rest = uri.strip_prefix("https://");
    let local = uri.strip_prefix("http://").filter(|rest| {
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        matches!(name, "127.0.0.1" | "[::1]" | "localhost")
    });
    let clean =
        uri.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'<' | b'>' | b'\\'));
    clean
        && rest
            .or(local)
            .is_some_and(|rest| !rest.is_empty() && !rest.split('/').next().unwrap_or_default().contains('@'))
}

#[cfg(test)]
mod tests {
    use super::is_redirect;

    #[test]
    fn redirects_are_https_or_of_this_machine() {
        for good in
            ["https://a.example/back?x=1", "http://127.0.0.1:8/x", "http://localhost/", "http://[::1]:9/"]
        {
            assert!(is_redirect(good), "{good}");
        }
        for wrong in [
            "http://a.example/",
            "javascript:alert(1)",
            "https://",
            "https://a.example/#x",
            "https://b@a.example/",
            "http://localhost.evil.example/",
            "http://127.0.0.1@evil.example/",
            "https://a.example/ x",
            "",
        ] {
            assert!(!is_redirect(wrong), "{wrong}");
        }
    }
}
