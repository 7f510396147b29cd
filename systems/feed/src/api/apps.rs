//! Programs that register themselves, and people who sign up through them.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use decalog_gateway::access::Principal;
use decalog_gateway::client::Client as Peer;
use decalog_identity::api::app::{App, AppRefused, NewApp, NewPerson, OUT_OF_BAND, SignUpRefused};
use decalog_identity::api::oauth::device_of;
use serde_json::{Value, json};

use super::error::Error;
use super::params::Params;
use super::service::Shared;
use crate::value::AccountId;

fn app_json(app: &App) -> Value {
    let redirects: Vec<&String> = app.redirect_uris.iter().collect();
    json!({
        "name": app.name,
        "website": app.website,
        "scopes": app.scopes,
        "redirect_uris": redirects,
        "redirect_uri": redirects.iter().map(|uri| uri.as_str()).collect::<Vec<_>>().join("\n"),
    })
}

pub(super) async fn register(State(service): State<Shared>, params: Params) -> Result<Json<Value>, Error> {
    let redirects = params.list("redirect_uris").unwrap_or_else(|| vec![OUT_OF_BAND.to_owned()]);
    let redirect_uris: BTreeSet<String> =
        redirects.iter().flat_map(|uris| uris.split_whitespace()).map(str::to_owned).collect();
    let scopes = params.list("scopes").unwrap_or_default();
    let asked = NewApp {
        name: params.text("client_name").unwrap_or_default(),
        redirect_uris,
        scopes: scopes.iter().flat_map(|scopes| scopes.split_whitespace()).map(str::to_owned).collect(),
        website: params.words("website"),
    };
    let made = service.identity.register_app(asked).await.map_err(|why| match why {
        AppRefused::Trouble(_) | AppRefused::Full => Error::later(why.to_string()),
        _ => Error::invalid(why),
    })?;
    let mut json = app_json(&made.app);
    json["id"] = made.client_id.clone().into();
    json["client_id"] = made.client_id.into();
    json["client_secret"] = made.client_secret.into();
    json["client_secret_expires_at"] = 0.into();
    json["vapid_key"] = service.push.vapid.public().into();
    Ok(Json(json))
}

pub(super) async fn verify(
    State(service): State<Shared>,
    Extension(principal): Extension<Arc<Principal>>,
) -> Result<Json<Value>, Error> {
    let client = principal.client.as_deref().ok_or_else(Error::nobody)?;
    let app = service.identity.app(client).ok_or_else(Error::nobody)?;
    let mut json = app_json(&app);
    json["id"] = client.into();
    json["vapid_key"] = service.push.vapid.public().into();
    Ok(Json(json))
}

pub(super) async fn sign_up(
    State(service): State<Shared>,
    Extension(principal): Extension<Arc<Principal>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    params: Params,
) -> Result<Json<Value>, Error> {
    let client = principal.client.as_deref().ok_or_else(Error::nobody)?;
    if !params.is("agreement") {
        return Err(Error::invalid("Service agreement must be accepted"));
    }
    let person = NewPerson {
        client_id: client.to_owned(),
        name: params.text("username").unwrap_or_default(),
        email: params.text("email").unwrap_or_default(),
        password: params.text("password").unwrap_or_default(),
        scopes: principal.scopes.iter().map(str::to_owned).collect(),
        device: device_of(&headers, peer.as_deref()),
    };
    let name = person.name.trim().to_lowercase();
    let issued = service.identity.sign_up(person).await.map_err(|why| match why {
        SignUpRefused::Closed => Error::new(StatusCode::FORBIDDEN, why.to_string()),
        SignUpRefused::Busy | SignUpRefused::Trouble(_) => Error::later(why.to_string()),
        _ => Error::invalid(why),
    })?;
    service.know(AccountId(issued.account), &name).await?;
    Ok(Json(json!({
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "scope": issued.scopes.into_iter().collect::<Vec<_>>().join(" "),
        "created_at": issued.created_at,
    })))
}
