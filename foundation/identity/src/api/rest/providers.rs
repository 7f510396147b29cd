//! `/v1/me/providers`: the outside providers that there are, and an account's links to them. A link is made on a page
//! (`/oauth/providers`), since a provider has to be visited with a browser.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use decalog_gateway::access::Principal;
use decalog_gateway::problem::Problem;
use serde_json::{Value, json};

use super::passkeys::Proof;
use super::{UNKNOWN, problem};
use crate::api::provider::Known;
use crate::api::service::{Identity, seconds};
use crate::command::UnlinkProvider;

type Who = Extension<Arc<Principal>>;
type Shared = State<Arc<Identity>>;

pub(super) async fn list(State(identity): Shared, Extension(who): Who) -> Result<Json<Value>, Problem> {
    let account = who.account;
    let links = identity.read(move |state| {
        let links = state.links_of(account);
        links.map(|(id, link)| (id, link.clone())).collect::<Vec<_>>()
    });
    let name_of = |issuer: &str| {
        let known = identity.providers.all().find(|known| known.settings.issuer == issuer);
        known.map(|known| known.settings.name.clone())
    };
    let links = links.await.map_err(problem)?.into_iter().map(|(id, link)| {
        json!({
            "id": id.to_string(),
            "provider": name_of(&link.issuer),
            "issuer": link.issuer,
            "subject": link.subject,
            "linked": seconds(link.linked),
            "used": link.used.map(seconds),
        })
    });
    let links: Vec<Value> = links.collect();
    let one = |known: &Known| json!({ "name": known.settings.name, "label": known.settings.label });
    let providers: Vec<Value> = identity.providers.all().map(one).collect();
    Ok(Json(json!({ "providers": providers, "links": links })))
}

pub(super) async fn unlink(
    State(identity): Shared,
    Extension(who): Who,
    Path(link): Path<String>,
    Json(proof): Json<Proof>,
) -> Result<StatusCode, Problem> {
    let link = link.parse().map_err(|_| UNKNOWN.because("a link's id is a number"))?;
    proof.check(&identity, &who).await?;
    let unlink = UnlinkProvider { account: who.account, link };
    identity.ask(who.account, &who.name, unlink).await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}
