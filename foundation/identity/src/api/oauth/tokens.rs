//! Tokens are made here: the access token that says what a grant may do, the ID token that says who gave it, and the
//! refresh token, two secrets in one: the family's, which stays, and its own, which counts once.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{Refused, refuse};
use crate::api::random;
use crate::api::service::{Identity, seconds};
use crate::command::Granted;
use crate::engine::jws::{self, Claims, Use};
use crate::engine::secret;
use crate::value::{Client, GrantType, Hash, SECOND};

/// How long a token lives that lives until it is revoked: a hundred years.
pub(super) const FOR_EVER: i64 = 100 * 365 * 86_400 * SECOND;

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

/// How long the access token and the grant live, and whether there is a refresh token.
pub(super) struct Terms {
    pub(super) access: i64,
    pub(super) grant: i64,
    pub(super) refresh: Option<RefreshToken>,
}

impl Identity {
    /// What a client gets with a grant on somebody's behalf.
    pub(super) fn terms(&self, client: &Client) -> Terms {
        let settings = &self.settings;
        if client.profile.until_revoked {
            Terms { access: FOR_EVER, grant: FOR_EVER, refresh: None }
        } else if client.grants.contains(&GrantType::RefreshToken) {
            let refresh = Some(RefreshToken::first());
            Terms { access: settings.access_lifetime, grant: settings.refresh_lifetime, refresh }
        } else {
            Terms { access: settings.access_lifetime, grant: settings.access_lifetime, refresh: None }
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
    pub(super) fn issue(
        &self,
        client: &str,
        granted: &Granted,
        lifetime: i64,
        refresh: Option<&RefreshToken>,
    ) -> Result<Response, Refused> {
        let scope = granted.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let access = Claims {
            client_id: Some(client.to_owned()),
            scope: Some(scope.clone()),
            jti: Some(random::secret().0),
            ..self.claims(granted, &self.settings.audience, lifetime)
        };
        let access = self.signed(Use::Access, &access)?;
        let mut body = json!({
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": lifetime / SECOND,
            "scope": scope,
        });
        if let Some(refresh) = refresh {
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
