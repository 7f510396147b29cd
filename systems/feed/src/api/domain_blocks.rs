//! Domains that one wants to see nothing of: kept and listed. Nothing comes from other servers, so they hide nobody.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::Error;
use super::page::{Answer, Links, Page};
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::command::BlockDomain;

/// The domain that is asked for: labels of letters, digits and hyphens (RFC 1035, 2.3.1, RFC 5890 for others).
fn domain(params: &Params) -> Result<String, Error> {
    let given = params.words("domain").ok_or_else(|| Error::invalid("Domain can't be blank"))?;
    let domain = given.trim().trim_end_matches(['/', '.']).to_lowercase();
    let label = |label: &str| {
        let ends = |one: Option<char>| one.is_some_and(char::is_alphanumeric);
        (1..=63).contains(&label.len())
            && label.chars().all(|one| one.is_alphanumeric() || one == '-')
            && ends(label.chars().next())
            && ends(label.chars().next_back())
    };
    let is_domain = domain.len() <= 253 && domain.contains('.') && domain.split('.').all(label);
    is_domain.then_some(domain).ok_or_else(|| Error::invalid("Domain is not a valid domain name"))
}

async fn set(service: &Service, me: Me, params: &Params, on: bool) -> Result<Json<Value>, Error> {
    let block = BlockDomain { account: me.id, domain: domain(params)?, on };
    service.ask(me.id, me.id.bucket(), block).await?;
    Ok(Json(json!({})))
}

pub(super) async fn index(
    State(service): State<Shared>,
    uri: Uri,
    me: Me,
    params: Params,
) -> Result<Response, Error> {
    let page = Page::read(&params, 100, 200);
    let (account, window) = (me.id, page.window);
    let found = service.read(account.bucket(), move |feed| feed.blocked_domains(account, window)).await?;
    let found = page.shown(found);
    let links = Links::of(found.iter().map(|(place, _)| *place), window);
    let items = found.into_iter().map(|(_, domain)| Value::from(domain)).collect();
    Ok(Answer { base: &service.settings.base, uri: &uri, items, links }.into_response())
}

/// What a block would end: nobody of another domain follows or is followed.
pub(super) async fn preview(_me: Me, params: Params) -> Result<Json<Value>, Error> {
    domain(&params)?;
    Ok(Json(json!({ "following_count": 0, "followers_count": 0 })))
}

pub(super) async fn block(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    set(&service, me, &params, true).await
}

pub(super) async fn unblock(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    set(&service, me, &params, false).await
}
