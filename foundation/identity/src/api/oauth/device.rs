//! The device grant (RFC 8628): a device shows a code, and a person types it in on a page where they are signed in.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::form::{Form, From, Query};
use super::page::{hidden, not_from_here, see_other, words};
use super::token::Asking;
use super::{Refused, Shared, failed, refuse};
use crate::api::random;
use crate::api::service::Trouble;
use crate::command::{DecideDevice, IssueDeviceCode};
use crate::value::{GrantType, SECOND, within};

pub(super) const PATH: &str = "/oauth/device";
/// How long a person has to type the code.
const LIFETIME: i64 = 600 * SECOND;
/// Seconds between two questions of a device.
const INTERVAL: u32 = 2;

pub(super) async fn authorize(
    State(identity): State<Shared>,
    headers: HeaderMap,
    form: Form,
) -> Result<Json<Value>, Refused> {
    let Asking { client, .. } = identity.asking(&headers, &form).await?;
    let asked = form.scopes()?;
    let scopes = if asked.is_empty() { client.scopes.clone() } else { asked };
    let id = client.id.clone();
    let allowed = client.grants.contains(&GrantType::DeviceCode) && within(&scopes, &client.scopes);
    if !allowed {
        return Err(refuse(
            "unauthorized_client",
            "the client may not use device codes, or not with these scopes",
        ));
    }
    if !identity.read(move |state| state.has_room_for_a_device(&id)).await? {
        return Err(Refused::later(60));
    }
    let (text, code) = random::secret();
    // Eight letters of five bits: one of the thousand codes at a time is not guessed in ten minutes.
    let user_code = random::readable(2, 4).to_ascii_uppercase();
    let expires = identity.now() + LIFETIME;
    let issue =
        IssueDeviceCode { code, user_code: user_code.clone(), client: client.id.clone(), scopes, expires };
    identity.ask(0, &client.id, issue).await?;
    let page = format!("{}{PATH}", identity.settings.issuer);
    Ok(Json(json!({
        "device_code": text,
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": LIFETIME / SECOND,
        "interval": INTERVAL,
    })))
}

pub(super) async fn ask(
    State(identity): State<Shared>,
    headers: HeaderMap,
    Query(form): Query,
) -> Result<Response, Response> {
    let browser =
        identity.browser(&headers).await.map_err(|trouble| Refused::from(trouble).into_response())?;
    if browser.session.is_none() {
        return Ok(identity.sign_in_page(&browser, StatusCode::OK, PATH, &form, ""));
    }
    Ok(browser.user_code_page(PATH, "", form.get("user_code").unwrap_or_default()))
}

pub(super) async fn answer(
    State(identity): State<Shared>,
    From(device): From,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Response> {
    let browser = identity.browser(&headers).await.map_err(failed)?;
    if !browser.sent(&form) {
        return Err(not_from_here());
    }
    let code = form.get("user_code").unwrap_or_default().trim().to_ascii_uppercase();
    match (form.get("action"), browser.session) {
        (Some("sign-in" | "passkey"), _) => {
            let cookie = identity.sign_in(&browser, &form, device, PATH).await?;
            Ok(see_other(PATH, Some(cookie)))
        }
        (Some("find"), Some(_)) => {
            let typed = code.clone();
            let found = identity.read(move |state| {
                let code = state.device_code_for(&typed).filter(|code| code.decided.is_none())?;
                let name = state.client(&code.client)?.name.clone();
                Some((name, code.scopes.clone()))
            });
            let Some((client, scopes)) = found.await.map_err(failed)? else {
                return Ok(browser.user_code_page(PATH, "No device shows this code.", &code));
            };
            let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
            let carry = Form::default();
            Ok(browser.consent_page(PATH, &carry, &client, &scopes, &hidden("user_code", &code)))
        }
        (Some(action @ ("approve" | "deny")), Some(session)) => {
            let approve = action == "approve";
            let by = identity.principals.look().session(session).map_or(0, |live| live.principal.account);
            let decide = DecideDevice { user_code: code, session, approve };
            match identity.ask(by, "device", decide).await {
                Ok(_) => Ok(words(StatusCode::OK, "Done", "You can go back to the device.")),
                Err(Trouble::Refused(_)) => {
                    Ok(browser.user_code_page(PATH, "No device shows this code.", ""))
                }
                Err(trouble) => Err(failed(trouble)),
            }
        }
        _ => Ok(identity.sign_in_page(&browser, StatusCode::OK, PATH, &form, "Sign in first.")),
    }
}
