//! Which notifications are kept apart, and what is decided about the accounts that they are from.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::entity::moment;
use super::entity::status::Place;
use super::error::Error;
use super::lists::item_id;
use super::page::{Answer, Links, Page};
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::command::{AnswerNotificationRequests, SetPolicy};
use crate::state::{Held, Policy, Window};
use crate::value::{AccountId, ItemId, PostId, Treatment};

/// Requests that are counted, at most.
const COUNTED: usize = 100;

impl Service {
    async fn policy_and_summary(&self, me: AccountId) -> Result<(Policy, Value), Error> {
        let read = self.read(me.bucket(), move |feed| {
            (feed.policy(me), feed.notification_requests(me, Window::newest(COUNTED)))
        });
        let (policy, requests) = read.await?;
        let requests: Vec<_> = requests.iter().filter(|(_, from, _)| !self.is_suspended(*from)).collect();
        let mentions: u64 = requests.iter().map(|(.., held)| held.mentions).sum();
        let summary =
            json!({ "pending_requests_count": requests.len(), "pending_notifications_count": mentions });
        Ok((policy, summary))
    }

    async fn requests_json(
        &self,
        me: AccountId,
        requests: &[(ItemId, AccountId, Held)],
    ) -> Result<Vec<Value>, Error> {
        let from: Vec<AccountId> = requests.iter().map(|(_, from, _)| *from).collect();
        let accounts = self.accounts(&from).await?;
        let posts: Vec<PostId> =
            requests.iter().filter_map(|(.., held)| held.last).map(|it| it.post).collect();
        let shown = self.statuses(Some(me), &posts, Place::Notifications).await?;
        let one = |(id, from, held): &(ItemId, AccountId, Held)| {
            let account = accounts.iter().find(|account| account.id == *from)?;
            let last = held.last.map(|post| post.post.to_string());
            Some(json!({
                "id": id.to_string(),
                "created_at": moment(held.created),
                "updated_at": moment(held.updated),
                "notifications_count": held.mentions.to_string(),
                "account": self.account_json(account),
                "last_status": shown.iter().find(|status| last.as_deref() == status["id"].as_str()),
            }))
        };
        Ok(requests.iter().filter_map(one).collect())
    }

    async fn answer_requests(
        &self,
        account: AccountId,
        requests: Vec<ItemId>,
        accept: bool,
    ) -> Result<Json<Value>, Error> {
        let answer = AnswerNotificationRequests { account, requests, accept };
        self.ask(account, account.bucket(), answer).await?;
        Ok(Json(json!({})))
    }
}

fn v2(policy: Policy, summary: &Value) -> Json<Value> {
    Json(json!({
        "for_not_following": policy.not_following.name(),
        "for_not_followers": policy.not_followers.name(),
        "for_new_accounts": policy.new_accounts.name(),
        "for_private_mentions": policy.private_mentions.name(),
        "for_limited_accounts": policy.limited_accounts.name(),
        "summary": summary,
    }))
}

/// The older form knows only two ways: whatever is not told is filtered.
fn v1(policy: Policy, summary: &Value) -> Json<Value> {
    let filters = |treatment: Treatment| treatment != Treatment::Accept;
    Json(json!({
        "filter_not_following": filters(policy.not_following),
        "filter_not_followers": filters(policy.not_followers),
        "filter_new_accounts": filters(policy.new_accounts),
        "filter_private_mentions": filters(policy.private_mentions),
        "summary": summary,
    }))
}

pub(super) async fn policy(State(service): State<Shared>, me: Me) -> Result<Json<Value>, Error> {
    let (policy, summary) = service.policy_and_summary(me.id).await?;
    Ok(v2(policy, &summary))
}

pub(super) async fn policy_v1(State(service): State<Shared>, me: Me) -> Result<Json<Value>, Error> {
    let (policy, summary) = service.policy_and_summary(me.id).await?;
    Ok(v1(policy, &summary))
}

pub(super) async fn set_policy(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let read = |name: &str| match params.words(name) {
        None => Ok(None),
        Some(given) => Treatment::parse(&given)
            .map(Some)
            .ok_or_else(|| Error::unprocessable(format!("'{given}' is not a valid {name}"))),
    };
    let set = SetPolicy {
        account: me.id,
        not_following: read("for_not_following")?,
        not_followers: read("for_not_followers")?,
        new_accounts: read("for_new_accounts")?,
        private_mentions: read("for_private_mentions")?,
        limited_accounts: read("for_limited_accounts")?,
    };
    service.ask(me.id, me.id.bucket(), set).await?;
    policy(State(service), me).await
}

pub(super) async fn set_policy_v1(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let read =
        |name: &str| params.flag(name).map(|on| if on { Treatment::Filter } else { Treatment::Accept });
    let set = SetPolicy {
        account: me.id,
        not_following: read("filter_not_following"),
        not_followers: read("filter_not_followers"),
        new_accounts: read("filter_new_accounts"),
        private_mentions: read("filter_private_mentions"),
        limited_accounts: None,
    };
    service.ask(me.id, me.id.bucket(), set).await?;
    policy_v1(State(service), me).await
}

pub(super) async fn requests(
    State(service): State<Shared>,
    uri: Uri,
    me: Me,
    params: Params,
) -> Result<Response, Error> {
    let page = Page::read(&params, 40, 80);
    let (account, window) = (me.id, page.window);
    let found =
        service.read(account.bucket(), move |feed| feed.notification_requests(account, window)).await?;
    let found = page.shown(found);
    let links = Links::of(found.iter().map(|(id, ..)| id.0), window);
    let items = service.requests_json(account, &found).await?;
    Ok(Answer { base: &service.settings.base, uri: &uri, items, links }.into_response())
}

pub(super) async fn request(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let (account, id) = (me.id, item_id(&id)?);
    let window = Window::only(id.0);
    let found =
        service.read(account.bucket(), move |feed| feed.notification_requests(account, window)).await?;
    let mut shown = service.requests_json(account, &found).await?;
    Ok(Json(shown.pop().ok_or_else(Error::not_found)?))
}

pub(super) async fn accept(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let id = item_id(&id)?;
    service.answer_requests(me.id, vec![id], true).await
}

pub(super) async fn dismiss(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let id = item_id(&id)?;
    service.answer_requests(me.id, vec![id], false).await
}

/// Of several, those that there are.
async fn several(service: &Service, me: Me, params: &Params, accept: bool) -> Result<Json<Value>, Error> {
    match service.answer_requests(me.id, params.items("id"), accept).await {
        Err(error) if error.is_not_found() => Ok(Json(json!({}))),
        answered => answered,
    }
}

pub(super) async fn accept_several(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    several(&service, me, &params, true).await
}

pub(super) async fn dismiss_several(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    several(&service, me, &params, false).await
}

/// Accepting takes them in at once: nothing is ever on its way.
pub(super) async fn merged(_me: Me) -> Json<Value> {
    Json(json!({ "merged": true }))
}
