//! The way to a provider and back: the authorization request, and what comes of its answer (OpenID Connect Core, 3.1.2 and
//! 3.1.3; PKCE; RFC 9207).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use serde::Deserialize;

use super::discovery::{Metadata, Proof, body};
use super::{Accounts, BEGIN, COME_BACK, Known, Providers};
use crate::api::challenge::{NoChallenge, Purpose};
use crate::engine::id_token::{self, Claims, Expected, Fault};
use crate::engine::secret;
use crate::sabotage::{self, Sabotage};
use crate::value::SECOND;

/// What somebody is sent to a provider for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// To sign in.
    SignIn,
    /// To be linked to this account, whose owner asks.
    Link { account: u64 },
}

impl Task {
    fn purpose(self, place: u32) -> Purpose {
        match self {
            Task::SignIn => Purpose::ComeBack { provider: place },
            Task::Link { account } => Purpose::Link { account, provider: place },
        }
    }
}

/// What the browser brings back (RFC 6749, 4.1.2).
pub(crate) struct CameBack<'a> {
    pub(crate) state: Option<&'a str>,
    pub(crate) code: Option<&'a str>,
    pub(crate) error: Option<&'a str>,
    /// Who answers (RFC 9207).
    pub(crate) issuer: Option<&'a str>,
}

/// Who came back, and what for.
pub(crate) struct Arrived {
    pub(crate) task: Task,
    pub(crate) claims: Claims,
}

/// Why nobody is recognised. The words are for people.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotRecognised {
    #[error("it did not begin in this browser, or not for what you are doing now")]
    Foreign,
    #[error("it took longer than five minutes")]
    Ended,
    #[error("this answer was used before")]
    Used,
    #[error("too many people sign in this way just now")]
    Busy,
    #[error("the answer is another provider's")]
    Issuer,
    #[error("the provider said no ({0})")]
    Denied(String),
    #[error("the provider cannot be reached now ({0})")]
    Unreachable(String),
    #[error("the provider does not take its own answer back ({0})")]
    Code(String),
    #[error("the provider answers what cannot be understood ({0})")]
    Answer(&'static str),
    #[error("what the provider says of you is not believed: {0}")]
    Token(#[from] Fault),
    #[error("only people with certain e-mail addresses come in this way")]
    Domain,
}

impl NotRecognised {
    /// A name for it, for counting.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            NotRecognised::Foreign => "foreign-state",
            NotRecognised::Ended => "ended-state",
            NotRecognised::Used => "used-state",
            NotRecognised::Busy => "busy",
            NotRecognised::Issuer => "other-issuer",
            NotRecognised::Denied(_) => "denied",
            NotRecognised::Unreachable(_) => "unreachable",
            NotRecognised::Code(_) => "code-refused",
            NotRecognised::Answer(_) => "bad-answer",
            NotRecognised::Token(Fault::Form) => "token-form",
            NotRecognised::Token(Fault::Algorithm) => "token-algorithm",
            NotRecognised::Token(Fault::Key) => "token-key",
            NotRecognised::Token(Fault::Signature) => "token-signature",
            NotRecognised::Token(Fault::Issuer) => "token-issuer",
            NotRecognised::Token(Fault::Audience) => "token-audience",
            NotRecognised::Token(Fault::Expired) => "token-expired",
            NotRecognised::Token(Fault::Moment) => "token-moment",
            NotRecognised::Token(Fault::Nonce) => "token-nonce",
            NotRecognised::Token(Fault::Subject) => "token-subject",
            NotRecognised::Domain => "email-domain",
        }
    }
}

impl From<NoChallenge> for NotRecognised {
    fn from(why: NoChallenge) -> Self {
        match why {
            NoChallenge::Foreign => NotRecognised::Foreign,
            NoChallenge::Ended => NotRecognised::Ended,
            NoChallenge::Used => NotRecognised::Used,
            NoChallenge::Full => NotRecognised::Busy,
        }
    }
}

/// What the token endpoint gives (RFC 6749, 5.1; OpenID Connect Core, 3.1.3.3).
#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    #[serde(default)]
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// What only the browser that was sent away can show again.
fn holder(holder: &str) -> &str {
    if sabotage::lacks(Sabotage::ProviderBrowser) { "" } else { holder }
}

/// A provider's own word, short and in letters that any log and page bears.
fn shorten(word: &str) -> String {
    word.chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || "_-. ".contains(*letter))
        .take(60)
        .collect()
}

/// Text in `Authorization: Basic` (RFC 6749, 2.3.1: encoded as in a form first).
fn form_encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

impl Known {
    fn redirect_uri(&self, own: &str) -> String {
        format!("{own}/oauth/providers/{}/callback", self.settings.name)
    }
}

impl Providers {
    /// What belongs to a `state` and only this process can tell from it.
    fn derived(&self, what: &str, state: &[u8]) -> String {
        let tag = hmac::sign(&self.key, &[what.as_bytes(), b":", state].concat());
        URL_SAFE_NO_PAD.encode(tag.as_ref())
    }

    fn nonce(&self, state: &[u8]) -> String {
        self.derived("nonce", state)
    }

    fn verifier(&self, state: &[u8]) -> String {
        self.derived("verifier", state)
    }

    /// Where to send a browser; `own` is our issuer. Answers the address and the `state` in it.
    pub(crate) async fn begin(
        &self,
        provider: &Known,
        task: Task,
        browser: &str,
        own: &str,
        now: i64,
    ) -> Result<(String, String), NotRecognised> {
        let _place = provider.calls.try_acquire().map_err(|_| NotRecognised::Busy)?;
        let metadata = provider.cache.metadata(&*self.fetch, &provider.settings, now);
        let metadata = tokio::time::timeout(BEGIN, metadata).await;
        let metadata = metadata.unwrap_or_else(|_| Err(late()))?;
        let state = self.states.give(task.purpose(provider.place), holder(browser), now);
        let text = URL_SAFE_NO_PAD.encode(&state);
        let challenge = secret::hash(self.verifier(&state).as_bytes());
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("response_type", "code"),
            ("client_id", &*provider.settings.client_id),
            ("redirect_uri", &*provider.redirect_uri(own)),
            ("scope", &*provider.settings.scopes.join(" ")),
            ("state", &*text),
            ("nonce", &*self.nonce(&state)),
            ("code_challenge", &*URL_SAFE_NO_PAD.encode(challenge.0)),
            ("code_challenge_method", "S256"),
        ]);
        let endpoint = &metadata.authorization_endpoint;
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        Ok((format!("{endpoint}{joint}{}", query.finish()), text))
    }

    /// Whether a `state` was given out to this browser, for which of these tasks; it counts no more after that.
    fn take(
        &self,
        provider: &Known,
        state: &[u8],
        tasks: &[Task],
        browser: &str,
        now: i64,
    ) -> Result<Task, NotRecognised> {
        let checked = tasks.iter().map(|task| {
            (*task, self.states.check(state, task.purpose(provider.place), holder(browser), now))
        });
        let mut known = checked.filter(|(_, counts)| *counts != Err(NoChallenge::Foreign));
        let (task, counts) = known.next().ok_or(NotRecognised::Foreign)?;
        counts?;
        self.states.take(state, now)?;
        Ok(task)
    }

    /// Finds out who comes back. `tasks` are those that this browser may have been sent away for.
    pub(crate) async fn come_back(
        &self,
        provider: &Known,
        back: &CameBack<'_>,
        tasks: &[Task],
        browser: &str,
        own: &str,
        now: i64,
    ) -> Result<Arrived, NotRecognised> {
        let state = URL_SAFE_NO_PAD.decode(back.state.unwrap_or_default()).unwrap_or_default();
        let task = self.take(provider, &state, tasks, browser, now)?;
        let _place = provider.calls.try_acquire().map_err(|_| NotRecognised::Busy)?;
        let recognised = self.recognise(provider, back, &state, own, now);
        let recognised = tokio::time::timeout(COME_BACK, recognised).await;
        let claims = recognised.unwrap_or_else(|_| Err(late()))?;
        Ok(Arrived { task, claims })
    }

    async fn recognise(
        &self,
        provider: &Known,
        back: &CameBack<'_>,
        state: &[u8],
        own: &str,
        now: i64,
    ) -> Result<Claims, NotRecognised> {
        let settings = &provider.settings;
        let metadata = provider.cache.metadata(&*self.fetch, settings, now).await?;
        let is_theirs = match back.issuer {
            Some(issuer) => issuer == settings.issuer,
            None => !metadata.says_issuer,
        };
        if !is_theirs {
            return Err(NotRecognised::Issuer);
        }
        if let Some(error) = back.error {
            return Err(NotRecognised::Denied(shorten(error)));
        }
        let code = back.code.ok_or(NotRecognised::Answer("it sent no code"))?;
        let tokens = self.redeem(provider, &metadata, code, &self.verifier(state), own).await?;
        let nonce = self.nonce(state);
        let expected = Expected {
            issuer: &settings.issuer,
            client_id: &settings.client_id,
            nonce: &nonce,
            now: now.div_euclid(SECOND),
        };
        let claims = self.believe(provider, &metadata, &tokens.id_token, &expected, now).await?;
        let claims = self.complete(provider, &metadata, &tokens, claims).await;
        if settings.email_domains.is_empty() || is_of(&claims, &settings.email_domains) {
            Ok(claims)
        } else {
            Err(NotRecognised::Domain)
        }
    }

    /// Exchanges the code for tokens.
    async fn redeem(
        &self,
        provider: &Known,
        metadata: &Metadata,
        code: &str,
        verifier: &str,
        own: &str,
    ) -> Result<Tokens, NotRecognised> {
        let settings = &provider.settings;
        let redirect_uri = provider.redirect_uri(own);
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", verifier),
        ];
        let mut authorization = None;
        match (&settings.client_secret, metadata.proof) {
            (Some(secret), Proof::Basic) => {
                let (id, secret) = (form_encoded(&settings.client_id), form_encoded(secret.reveal()));
                authorization = Some(format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))));
            }
            (Some(secret), Proof::Post) => {
                fields.extend([("client_id", &*settings.client_id), ("client_secret", secret.reveal())]);
            }
            (None, _) => fields.push(("client_id", &*settings.client_id)),
        }
        let answer = self.fetch.post_form(&metadata.token_endpoint, &fields, authorization.as_deref()).await;
        if let Ok(refused) = &answer
            && (400..500).contains(&refused.status)
        {
            let said = serde_json::from_slice(&refused.body).map(|refused: Refused| shorten(&refused.error));
            return Err(NotRecognised::Code(said.unwrap_or_else(|_| format!("status {}", refused.status))));
        }
        serde_json::from_slice(&body(answer)?).map_err(|_| NotRecognised::Answer("it gave no ID token"))
    }

    /// Reads an ID token; one signed with a key that is not known makes us look for it once.
    async fn believe(
        &self,
        provider: &Known,
        metadata: &Arc<Metadata>,
        token: &str,
        expected: &Expected<'_>,
        now: i64,
    ) -> Result<Claims, NotRecognised> {
        let (cache, fetch) = (&provider.cache, &*self.fetch);
        let keys = cache.keys(fetch, metadata, now).await?;
        match id_token::verify(token, &keys, expected) {
            Err(Fault::Key) => match cache.newer_keys(fetch, metadata, now).await? {
                Some(keys) => Ok(id_token::verify(token, &keys, expected)?),
                None => Err(Fault::Key.into()),
            },
            verified => Ok(verified?),
        }
    }

    /// Asks the UserInfo endpoint where the ID token leaves out what is needed (Core, 5.4). What it does not say is not known.
    async fn complete(
        &self,
        provider: &Known,
        metadata: &Metadata,
        tokens: &Tokens,
        claims: Claims,
    ) -> Claims {
        let settings = &provider.settings;
        let is_missing = claims.verified_email.is_none()
            && (!settings.email_domains.is_empty()
                || (settings.accounts == Accounts::Open && claims.preferred_username.is_none()));
        let (Some(url), Some(token), true) = (&metadata.userinfo_endpoint, &tokens.access_token, is_missing)
        else {
            return claims;
        };
        let authorization = format!("Bearer {token}");
        let answer = self.fetch.get(url, Some(&authorization)).await;
        let more = body(answer).ok().and_then(|body| id_token::read_userinfo(&body, &claims.subject));
        let more = more.unwrap_or_default();
        Claims {
            subject: claims.subject,
            preferred_username: claims.preferred_username.or(more.preferred_username),
            verified_email: more.verified_email,
        }
    }
}

fn late() -> NotRecognised {
    NotRecognised::Unreachable("it took too long".to_owned())
}

/// Whether the checked e-mail address is of one of these domains, exactly.
fn is_of(claims: &Claims, domains: &std::collections::BTreeSet<String>) -> bool {
    let domain =
        claims.verified_email.as_ref().and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain);
    domain.is_some_and(|domain| domains.contains(&domain.to_ascii_lowercase()))
}
