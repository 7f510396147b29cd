//! The token endpoint: a client shows who it is and what it has, and gets tokens.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::form::{Form, From, Sent};
use super::tokens::{RefreshToken, Terms};
use super::{Refused, Shared, refuse};
use crate::api::logon::{Shown, Wish};
use crate::api::service::Identity;
use crate::command::{Command, GrantApp, GrantClient, Granted, RedeemCode, RedeemDeviceCode, Refresh, Reply};
use crate::engine::{pkce, secret};
use crate::value::{Client, Device, GrantType, Hash, within};

/// The grant type of RFC 8628.
pub(super) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A client, and whether it has shown its secret.
pub(super) struct Asking {
    pub(super) client: Client,
    pub(super) proven: bool,
}

fn invalid_client() -> Refused {
    Refused {
        status: StatusCode::UNAUTHORIZED,
        ..refuse("invalid_client", "no such client, or not its secret")
    }
}

/// `client_secret_basic`: both parts are form-encoded (RFC 6749, 2.3.1).
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (id, password) = text.split_once(':')?;
    let plain = |part: &str| {
        let pair = format!("x={}", part.replace('&', "%26"));
        form_urlencoded::parse(pair.as_bytes()).next().map(|(_, text)| text.into_owned())
    };
    Some((plain(id)?, plain(password)?))
}

impl Identity {
    /// The client that asks. One with a secret must show it; one without cannot.
    pub(super) async fn asking(&self, headers: &HeaderMap, form: &Form) -> Result<Asking, Refused> {
        let (id, shown) = match basic(headers) {
            Some(_) if form.get("client_secret").is_some() => {
                return Err(refuse("invalid_request", "the client shows its secret twice"));
            }
            Some((id, shown)) => (id, Some(shown)),
            None => {
                let id = form.get("client_id").ok_or_else(invalid_client)?;
                (id.to_owned(), form.get("client_secret").map(str::to_owned))
            }
        };
        let client = self.read(move |state| state.client(&id).cloned()).await?.ok_or_else(invalid_client)?;
        match (client.secret, shown.filter(|shown| !shown.is_empty())) {
            (None, None) => Ok(Asking { client, proven: false }),
            (Some(kept), Some(shown)) if secret::same(&kept.0, &secret::hash(shown.as_bytes()).0) => {
                Ok(Asking { client, proven: true })
            }
            _ => Err(invalid_client()),
        }
    }
}

pub(super) async fn token(
    State(identity): State<Shared>,
    From(device): From,
    headers: HeaderMap,
    Sent(form): Sent,
) -> Result<Response, Refused> {
    let Asking { client, .. } = identity.asking(&headers, &form).await?;
    match form.need("grant_type")? {
        "authorization_code" => by_code(&identity, client, device, &form).await,
        "refresh_token" => by_refresh(&identity, client, &form).await,
        "client_credentials" => for_itself(&identity, client, device, &form).await,
        DEVICE_CODE => by_device_code(&identity, client, device, &form).await,
        "password" => by_password(&identity, client, device, &form).await,
        _ => Err(refuse("unsupported_grant_type", "the server's description lists the grant types")),
    }
}

fn granted(reply: Reply) -> Result<Granted, Refused> {
    match reply {
        Reply::Granted(granted) => Ok(granted),
        _ => Err(refuse("invalid_grant", "nothing was granted")),
    }
}

async fn by_code(
    identity: &Identity,
    client: Client,
    device: Device,
    form: &Form,
) -> Result<Response, Refused> {
    let challenge = match form.get("code_verifier") {
        None => None,
        Some(verifier) => {
            let challenge = pkce::challenge_of(verifier);
            Some(challenge.ok_or_else(|| refuse("invalid_request", "code_verifier is none (RFC 7636)"))?)
        }
    };
    let code = secret::hash(form.need("code")?.as_bytes());
    // What nobody was given is refused here: strangers must not fill the log.
    if !identity.read(move |state| state.code(&code).is_some()).await? {
        return Err(refuse("invalid_grant", "unknown-code"));
    }
    let terms = identity.terms(&client);
    let redeem = RedeemCode {
        code,
        client: client.id.clone(),
        redirect_uri: match form.get("redirect_uri") {
            Some(uri) => uri.to_owned(),
            // OAuth 2.1 leaves it out; then it must be the only one there is.
            None => client.redirect_uris.iter().next().cloned().unwrap_or_default(),
        },
        challenge,
        secret: terms.secret(),
        refresh: terms.refresh(),
        device,
        expires: identity.now() + terms.grant,
    };
    let granted = granted(identity.ask(0, &client.id, redeem).await?)?;
    identity.issue(&client.id, &granted, &terms)
}

async fn by_refresh(identity: &Identity, client: Client, form: &Form) -> Result<Response, Refused> {
    let shown = RefreshToken::read(form.need("refresh_token")?);
    let shown = shown.ok_or_else(|| refuse("invalid_grant", "no refresh token of this server"))?;
    let family = shown.secret;
    if !identity.read(move |state| state.session_by_secret(&family).is_some()).await? {
        return Err(refuse("invalid_grant", "unknown-token"));
    }
    let next = shown.next();
    let settings = &identity.settings;
    let terms = Terms::refreshed(settings.access_lifetime, settings.refresh_lifetime, next.clone());
    let refresh = Refresh {
        secret: shown.secret,
        refresh: shown.refresh,
        next: next.refresh,
        client: client.id.clone(),
        expires: identity.now() + terms.grant,
    };
    let granted = granted(identity.ask(0, &client.id, refresh).await?)?;
    identity.issue(&client.id, &granted, &terms)
}

async fn for_itself(
    identity: &Identity,
    client: Client,
    device: Device,
    form: &Form,
) -> Result<Response, Refused> {
    let asked = form.scopes()?;
    let scopes = if asked.is_empty() { client.scopes.clone() } else { asked };
    // Whoever asks has a client: what is refused must not fill the log either.
    if !within(&scopes, &client.scopes) {
        return Err(refuse("invalid_scope", "more than the client may be granted"));
    }
    let id = client.id.clone();
    let (terms, grant): (_, Command) = if identity.app(&id).is_some() {
        let terms = Terms::until_revoked();
        let (secret, expires) = (terms.secret().unwrap_or(Hash([0; 32])), identity.now() + terms.grant);
        (terms, GrantApp { client: id, scopes, secret, device, expires }.into())
    } else {
        let terms = Terms::signed(identity.settings.access_lifetime);
        let expires = identity.now() + terms.grant;
        (terms, GrantClient { client: id, scopes, device, expires }.into())
    };
    let granted = granted(identity.ask(client.account.unwrap_or(0), &client.id, grant).await?)?;
    identity.issue(&client.id, &granted, &terms)
}

async fn by_device_code(
    identity: &Identity,
    client: Client,
    device: Device,
    form: &Form,
) -> Result<Response, Refused> {
    let code = secret::hash(form.need("device_code")?.as_bytes());
    // Devices ask again and again: what is not decided yet is answered from the state, without a record.
    let decided =
        identity.read(move |state| state.device_code(&code).map(|code| code.decided.is_some())).await?;
    match decided {
        None => return Err(refuse("expired_token", "no such device code, or it has expired")),
        Some(false) => return Err(refuse("authorization_pending", "nobody has decided yet")),
        Some(true) => {}
    }
    let terms = identity.terms(&client);
    let redeem = RedeemDeviceCode {
        code,
        client: client.id.clone(),
        secret: terms.secret(),
        refresh: terms.refresh(),
        device,
        expires: identity.now() + terms.grant,
    };
    let granted = granted(identity.ask(0, &client.id, redeem).await?)?;
    identity.issue(&client.id, &granted, &terms)
}

async fn by_password(
    identity: &Identity,
    client: Client,
    device: Device,
    form: &Form,
) -> Result<Response, Refused> {
    if !client.grants.contains(&GrantType::Password) {
        return Err(refuse("unauthorized_client", "this client may not use the password grant"));
    }
    let asked = form.scopes()?;
    let scopes = if asked.is_empty() { client.scopes.clone() } else { asked };
    if !within(&scopes, &client.scopes) {
        return Err(refuse("invalid_scope", "more than the client may be granted"));
    }
    let terms = identity.terms(&client);
    let wish = Wish {
        client: Some(client.id.clone()),
        scopes: Some(scopes),
        secret: terms.secret(),
        refresh: terms.refresh(),
        lifetime: terms.grant,
    };
    let shown = Shown {
        name: form.need("username")?.to_owned(),
        password: form.need("password")?.to_owned(),
        code: form.get("otp").map(str::to_owned),
        device,
    };
    let logged_on = identity.log_on(shown, wish).await.map_err(|why| identity.no_logon(why))?;
    let (account, session) = logged_on;
    let kept =
        identity.read(move |state| state.session(session).and_then(|session| session.scopes.clone())).await?;
    let scopes = kept.unwrap_or_default();
    let granted = Granted { account, session, scopes, nonce: None, authenticated: identity.now() };
    identity.issue(&client.id, &granted, &terms)
}
