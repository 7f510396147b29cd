//! The authorization endpoint: a person signs in, sees what a client asks for, and says yes or no.
//!
//! Until client and redirect are known to belong together nothing is sent anywhere: the person sees a page. After that,
//! refusals go to the client.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::form::{Form, From, Query};
use super::page::{code_page, not_from_here, see_other, words};
use super::provider::back_to;
use super::{Refused, Shared, refuse};
use crate::api::app::OUT_OF_BAND;
use crate::api::random;
use crate::api::service::{Identity, Trouble};
use crate::command::IssueCode;
use crate::engine::pkce;
use crate::value::{Client, GrantType, Hash, SECOND, Scopes, within};

/// How long a code can be redeemed.
const CODE_LIFETIME: i64 = 60 * SECOND;
/// How long one that a person has to copy (RFC 6749, 4.1.2, asks for no more).
const SHOWN_CODE_LIFETIME: i64 = 600 * SECOND;
pub(super) const PATH: &str = "/oauth/authorize";

/// What a client asks for, checked.
struct Wanted {
    client: Client,
    redirect_uri: String,
    scopes: Scopes,
    challenge: Option<Hash>,
    state: Option<String>,
    nonce: Option<String>,
}

fn no_page(text: &str) -> Response {
    words(StatusCode::BAD_REQUEST, "This link does not work", text)
}

impl Identity {
    /// Reads a request. The error is a page as long as the redirect is not the client's, then a redirect.
    async fn wanted(&self, form: &Form) -> Result<Wanted, Response> {
        let id = form.get("client_id").unwrap_or_default().to_owned();
        let client = self.read(move |state| state.client(&id).cloned()).await;
        let client = client.map_err(|trouble| Refused::from(trouble).into_response())?;
        let client = client.ok_or_else(|| no_page("client_id is unknown"))?;
        let redirect_uri = match form.get("redirect_uri") {
            Some(uri) if client.redirect_uris.contains(uri) => uri.to_owned(),
            None if client.redirect_uris.len() == 1 => {
                client.redirect_uris.iter().next().cloned().unwrap_or_default()
            }
            _ => return Err(no_page("redirect_uri is not one that the client registered")),
        };
        if redirect_uri == OUT_OF_BAND && !client.profile.out_of_band {
            return Err(no_page("this client may not use the out-of-band redirect"));
        }
        let state = form.get("state").map(str::to_owned);
        let refused = |why: Refused| {
            self.back(
                &redirect_uri,
                state.as_deref(),
                &[("error", why.error), ("error_description", &why.description)],
            )
        };
        if !client.grants.contains(&GrantType::AuthorizationCode) {
            return Err(refused(refuse("unauthorized_client", "the client may not use codes")));
        }
        if form.get("response_type") != Some("code") {
            return Err(refused(refuse("unsupported_response_type", "response_type must be code")));
        }
        let scopes = form.scopes().map_err(refused)?;
        // Apps may leave it to what they registered.
        let all = scopes.is_empty() && self.app(&client.id).is_some();
        let scopes = if all { client.scopes.clone() } else { scopes };
        if !within(&scopes, &client.scopes) {
            return Err(refused(refuse("invalid_scope", "more than the client may be granted")));
        }
        let challenge = match (form.get("code_challenge"), form.get("code_challenge_method")) {
            (None, None) if client.profile.without_pkce => None,
            (Some(text), Some("S256")) => match pkce::read_challenge(text) {
                Some(challenge) => Some(challenge),
                None => return Err(refused(refuse("invalid_request", "code_challenge is none"))),
            },
            _ => return Err(refused(refuse("invalid_request", "PKCE with S256 is needed"))),
        };
        let nonce = form.get("nonce").map(str::to_owned);
        if nonce.as_ref().is_some_and(|nonce| nonce.len() > 500) {
            return Err(refused(refuse("invalid_request", "nonce is too long")));
        }
        Ok(Wanted { client, redirect_uri, scopes, challenge, state, nonce })
    }

    /// Back to the client, with the issuer so that answers of two servers are not mixed up (RFC 9207).
    fn back(&self, redirect_uri: &str, state: Option<&str>, answer: &[(&str, &str)]) -> Response {
        if redirect_uri == OUT_OF_BAND {
            let text = answer.first().map(|(_, value)| *value).unwrap_or_default();
            return code_page(text);
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(answer);
        if let Some(state) = state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", &self.settings.issuer);
        let joint = if redirect_uri.contains('?') { '&' } else { '?' };
        see_other(&format!("{redirect_uri}{joint}{}", query.finish()), None)
    }
}

pub(super) async fn ask(
    State(identity): State<Shared>,
    headers: HeaderMap,
    Query(form): Query,
) -> Result<Response, Response> {
    let wanted = identity.wanted(&form).await?;
    let browser =
        identity.browser(&headers).await.map_err(|trouble| Refused::from(trouble).into_response())?;
    let anew = form.get("prompt") == Some("login")
        || form.get("force_login").is_some_and(|force| force.eq_ignore_ascii_case("true") || force == "1");
    if browser.session.is_none() || anew {
        return Ok(identity.sign_in_page(&browser, StatusCode::OK, PATH, &form, ""));
    }
    let scopes: Vec<&str> = wanted.scopes.iter().map(String::as_str).collect();
    Ok(browser.consent_page(PATH, &form, &wanted.client.name, &scopes, ""))
}

pub(super) async fn answer(
    State(identity): State<Shared>,
    From(device): From,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Response> {
    let wanted = identity.wanted(&form).await?;
    let browser =
        identity.browser(&headers).await.map_err(|trouble| Refused::from(trouble).into_response())?;
    if !browser.sent(&form) {
        return Err(not_from_here());
    }
    match (form.get("action"), browser.session) {
        (Some("sign-in" | "passkey"), _) => {
            let cookie = identity.sign_in(&browser, &form, device, PATH).await?;
            Ok(see_other(&back_to(PATH, &form), Some(cookie)))
        }
        (Some("approve"), Some(session)) => consent(&identity, wanted, session).await,
        (Some("deny"), _) => {
            let (uri, state) = (&wanted.redirect_uri, wanted.state.as_deref());
            Ok(identity.back(
                uri,
                state,
                &[("error", "access_denied"), ("error_description", "the person said no")],
            ))
        }
        _ => Ok(identity.sign_in_page(&browser, StatusCode::OK, PATH, &form, "Sign in first.")),
    }
}

async fn consent(identity: &Identity, wanted: Wanted, session: u64) -> Result<Response, Response> {
    let (text, code) = random::secret();
    let is_shown = wanted.redirect_uri == OUT_OF_BAND;
    let issue = IssueCode {
        code,
        client: wanted.client.id.clone(),
        session,
        redirect_uri: wanted.redirect_uri.clone(),
        scopes: wanted.scopes,
        challenge: wanted.challenge,
        nonce: wanted.nonce,
        expires: identity.now() + if is_shown { SHOWN_CODE_LIFETIME } else { CODE_LIFETIME },
    };
    let by = identity.principals.look().session(session).map_or(0, |live| live.principal.account);
    let state = wanted.state.as_deref();
    match identity.ask(by, &wanted.client.id, issue).await {
        Ok(_) => Ok(identity.back(&wanted.redirect_uri, state, &[("code", &text)])),
        Err(Trouble::Refused(refusal)) => {
            let answer = [("error", "server_error"), ("error_description", refusal.name())];
            Ok(identity.back(&wanted.redirect_uri, state, &answer))
        }
        Err(trouble) => Err(Refused::from(trouble).into_response()),
    }
}
