//! Tokens are made here: the access token that says what a grant may do, the ID token that says who gave it, and the
//! refresh token, two secrets in one: the family's, which stays, and its own, which counts once. An access token that lives
//! until it is revoked is a secret, too, of which the session keeps the hash: no signing key's end ends it.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{Refused, refuse};
use crate::api::app::FOR_EVER;
use crate::api::random;
use crate::api::service::{Identity, seconds};
use crate::command::Granted;
use crate::engine::jws::{self, Claims, Use};
use crate::engine::secret;
use crate::value::{Client, GrantType, Hash, SECOND};

/// The secrets of a refresh token, and what is kept of them.
#[derive(Clone, Debug)]
pub(super) struct RefreshToken {
    pub(super) text: String,
    pub(super) secret: Hash,
    pub(super) refresh: Hash,
}

impl RefreshToken {
    pub(super) fn first() -> RefreshToken {
        let (family, secret) = random::secret();
        let (own, refresh) = random::secret();
        RefreshToken { text: format!("{family}.{own}"), secret, refresh }
    }

    /// The next one of the same family.
    pub(super) fn next(&self) -> RefreshToken {
        let family = self.text.split('.').next().unwrap_or_default();
        let (own, refresh) = random::secret();
        RefreshToken { text: format!("{family}.{own}"), secret: self.secret, refresh }
    }

    pub(super) fn read(text: &str) -> Option<RefreshToken> {
        let (family, own) = text.split_once('.')?;
        let is_secret = |text: &str| text.len() == 43;
        (is_secret(family) && is_secret(own)).then(|| RefreshToken {
            text: text.to_owned(),
            secret: secret::hash(family.as_bytes()),
            refresh: secret::hash(own.as_bytes()),
        })
    }
}

/// What a client gets: for how long, and what the session keeps of it.
pub(super) struct Terms {
    /// How long the grant lives.
    pub(super) grant: i64,
    token: Token,
}

enum Token {
    /// A signed token that lives so long.
    Signed(i64),
    /// The same, and what the next one is got with.
    Refreshed(i64, RefreshToken),
    /// A secret that counts as long as the session.
    Kept(String, Hash),
}

impl Terms {
    /// A signed token for so long, and nothing else.
    pub(super) fn signed(lifetime: i64) -> Terms {
        Terms { grant: lifetime, token: Token::Signed(lifetime) }
    }

    /// A signed token for so long, and a refresh token.
    pub(super) fn refreshed(lifetime: i64, grant: i64, refresh: RefreshToken) -> Terms {
        Terms { grant, token: Token::Refreshed(lifetime, refresh) }
    }

    /// A token that lives until it is revoked.
    pub(super) fn until_revoked() -> Terms {
        let (text, hash) = random::secret();
        Terms { grant: FOR_EVER, token: Token::Kept(text, hash) }
    }

    /// The hash of what continues the session: the refresh token's family, or the token.
    pub(super) fn secret(&self) -> Option<Hash> {
        match &self.token {
            Token::Signed(_) => None,
            Token::Refreshed(_, refresh) => Some(refresh.secret),
            Token::Kept(_, hash) => Some(*hash),
        }
    }

    /// The hash of the refresh token's own secret.
    pub(super) fn refresh(&self) -> Option<Hash> {
        match &self.token {
            Token::Refreshed(_, refresh) => Some(refresh.refresh),
            Token::Signed(_) | Token::Kept(..) => None,
        }
    }
}

impl Identity {
    /// What a client gets with a grant on somebody's behalf.
    pub(super) fn terms(&self, client: &Client) -> Terms {
        let settings = &self.settings;
        if client.profile.until_revoked {
            Terms::until_revoked()
        } else if client.grants.contains(&GrantType::RefreshToken) {
            Terms::refreshed(settings.access_lifetime, settings.refresh_lifetime, RefreshToken::first())
        } else {
            Terms::signed(settings.access_lifetime)
        }
    }

    fn signed(&self, purpose: Use, claims: &Claims) -> Result<String, Refused> {
        let now = self.now();
        let picture = self.principals.look();
        let signs = picture.trusted().filter(|(_, key)| key.signs_from <= now && key.trusted_until > now);
        let held = signs.filter_map(|(kid, key)| Some((key.signs_from, kid, self.keys.get(kid)?)));
        match held.max_by_key(|(from, ..)| *from) {
            Some((_, kid, key)) => Ok(jws::sign(&key, kid, purpose, claims)),
            None => Err(Refused {
                status: StatusCode::SERVICE_UNAVAILABLE,
                ..refuse("temporarily_unavailable", "no signing key")
            }),
        }
    }

    fn claims(&self, granted: &Granted, audience: &str, lifetime: i64) -> Claims {
        let now = seconds(self.now());
        Claims {
            iss: self.settings.issuer.clone(),
            sub: granted.account.to_string(),
            aud: audience.to_owned(),
            exp: now + lifetime / SECOND,
            nbf: now,
            iat: now,
            sid: granted.session.to_string(),
            ..Claims::default()
        }
    }

    /// The answer of the token endpoint.
    pub(super) fn issue(&self, client: &str, granted: &Granted, terms: &Terms) -> Result<Response, Refused> {
        let scope = granted.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let mut body = json!({ "token_type": "Bearer", "scope": scope, "created_at": seconds(self.now()) });
        match &terms.token {
            Token::Kept(text, _) => body["access_token"] = text.clone().into(),
            Token::Signed(lifetime) | Token::Refreshed(lifetime, _) => {
                let access = Claims {
                    client_id: Some(client.to_owned()),
                    scope: Some(scope),
                    jti: Some(random::secret().0),
                    ..self.claims(granted, &self.settings.audience, *lifetime)
                };
                body["access_token"] = self.signed(Use::Access, &access)?.into();
                body["expires_in"] = (lifetime / SECOND).into();
            }
        }
        if let Token::Refreshed(_, refresh) = &terms.token {
            body["refresh_token"] = refresh.text.clone().into();
        }
        if granted.scopes.contains("openid") {
            let name =
                self.principals.look().session(granted.session).map(|live| live.principal.name.to_string());
            let id = Claims {
                nonce: granted.nonce.clone(),
                auth_time: Some(seconds(granted.authenticated)),
                preferred_username: name.filter(|_| granted.scopes.contains("profile")),
                ..self.claims(granted, client, self.settings.access_lifetime)
            };
            body["id_token"] = self.signed(Use::Id, &id)?.into();
        }
        let headers = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
        Ok((headers, axum::Json(body)).into_response())
    }
}
