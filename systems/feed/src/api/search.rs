//! Search: accounts by name, tags by their beginning, and what an address of this server names.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::error::Error;
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::engine::text;
use crate::value::PostId;

impl Service {
    async fn find_tags(&self, query: &str, limit: usize) -> Result<Vec<Value>, Error> {
        let start = text::normalize_tag(query.trim().trim_start_matches('#'));
        if start.is_empty() || start.contains(char::is_whitespace) {
            return Ok(Vec::new());
        }
        let found = self.read_all(move |feed| feed.tags_from(&start, limit)).await?;
        let mut tags: Vec<_> = found.into_iter().flatten().collect();
        tags.sort_by(|(one, _), (other, _)| one.cmp(other));
        tags.dedup_by(|(one, _), (other, _)| one == other);
        tags.truncate(limit);
        Ok(tags.iter().map(|(tag, row)| self.tag_json(tag, &row.name, None)).collect())
    }

    /// What an address of this server names.
    fn own_address<'a>(&self, query: &'a str) -> Option<(&'a str, Option<PostId>)> {
        let path = query.strip_prefix(&self.settings.base)?.trim_end_matches('/');
        let (name, post) = match path.strip_prefix("/@") {
            Some(rest) => rest.split_once('/').map_or((rest, None), |(name, post)| (name, Some(post))),
            None => {
                let rest = path.strip_prefix("/users/")?;
                rest.split_once("/statuses/").map_or((rest, None), |(name, post)| (name, Some(post)))
            }
        };
        Some((name, post.and_then(PostId::parse)))
    }
}

pub(super) async fn search(
    State(service): State<Shared>,
    me: Option<Me>,
    params: Params,
) -> Result<Json<Value>, Error> {
    let query = params.words("q").unwrap_or_default();
    let query = query.trim();
    let kind = params.words("type");
    let wants = |name: &str| kind.as_deref().is_none_or(|kind| kind == name);
    let limit = params.number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(20).min(40);
    let viewer = me.map(|me| me.id);
    let (mut accounts, mut statuses, mut hashtags) = (Vec::new(), Vec::new(), Vec::new());
    if let Some((name, post)) = service.own_address(query) {
        match post {
            Some(post) if wants("statuses") => statuses.extend(service.status(viewer, post).await.ok()),
            None if wants("accounts") => {
                accounts.extend(service.named(name).await.ok().map(|account| service.account_json(&account)));
            }
            _ => {}
        }
    } else {
        if wants("accounts") && !query.starts_with('#') {
            let found = service.find_accounts(query, limit).await?;
            accounts = found.iter().map(|account| service.account_json(account)).collect();
        }
        if wants("hashtags") && !query.starts_with('@') {
            hashtags = service.find_tags(query, limit).await?;
        }
    }
    Ok(Json(json!({ "accounts": accounts, "statuses": statuses, "hashtags": hashtags })))
}
