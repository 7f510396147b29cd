//! How outside OpenID Connect providers are asked: by the guarded client for calls to other servers.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, header};
use decalog_identity::api::provider::{Fetch, Fetched, Fetching};
use decalog_identity::api::service::Identity;
use decalog_outbound::{Answer, Client, OutboundError, Policy};
use decalog_telemetry::traces::Calling;
use decalog_telemetry::{Metrics, outcomes};

use crate::failure::Failure;

/// The largest answer of a provider: its keys, at most.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Asks providers.
struct Outside(Client);

/// Who asks providers, as all other servers are called.
pub(crate) fn fetch(calling: &Calling) -> Result<Arc<dyn Fetch>, Failure> {
    let policy = Policy { max_answer_bytes: MAX_ANSWER_BYTES, ..calling.policy.clone() };
    let client = Client::new("sign-in", calling.guard.clone(), policy)?;
    Ok(Arc::new(Outside(client.watched(Arc::clone(&calling.watch)))))
}

/// Shows how sign-ins through providers end.
pub(crate) fn show(metrics: &Metrics, identity: &Arc<Identity>) {
    let identity = Arc::clone(identity);
    outcomes::show(
        metrics,
        outcomes::Counter {
            name: "provider_sign_ins",
            help: "Sign-ins through outside providers, by how they ended",
            label: "provider",
        },
        move || identity.provider_sign_ins(),
    );
}

fn headers(authorization: Option<&str>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(text) = authorization {
        let mut value = HeaderValue::from_str(text).map_err(|_| "the credential is no header".to_owned())?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(headers)
}

fn fetched(answer: Result<Answer, OutboundError>) -> Result<Fetched, String> {
    let answer = answer.map_err(|error| error.to_string())?;
    Ok(Fetched { status: answer.status.as_u16(), body: answer.body.into() })
}

impl Fetch for Outside {
    fn get<'a>(&'a self, url: &'a str, authorization: Option<&'a str>) -> Fetching<'a> {
        Box::pin(async move { fetched(self.0.get_with(url, headers(authorization)?).await) })
    }

    fn post_form<'a>(
        &'a self,
        url: &'a str,
        fields: &'a [(&'a str, &'a str)],
        authorization: Option<&'a str>,
    ) -> Fetching<'a> {
        Box::pin(async move { fetched(self.0.post_form(url, fields, headers(authorization)?).await) })
    }
}
