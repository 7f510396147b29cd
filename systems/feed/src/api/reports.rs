//! Reports: made by anybody who is signed in, seen to by moderators.

use std::collections::HashMap;

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
use crate::command::{ChangeReport, FileReport, Reply};
use crate::state::{Report, Window};
use crate::value::{AccountId, ItemId, PostId, ReportCategory};

/// The right whose holders are told of reports, and see to them.
pub(crate) const SEES_TO: &str = "admin:write:reports";
/// The longest comment, in characters.
const COMMENT: usize = 1_000;
/// Posts of one report.
const POSTS: usize = 100;
/// Reports that one read looks at, and how often is looked on.
const AT_ONCE: usize = 200;
const ROUNDS: usize = 20;

/// The category and rules that are asked for: rules make it a violation.
fn category(service: &Service, params: &Params) -> Result<(Option<ReportCategory>, Option<Vec<u32>>), Error> {
    let rules = params.list("rule_ids").filter(|ids| !ids.is_empty());
    let count = service.settings.rules.len();
    let number = |id: &String| id.parse::<u32>().ok().filter(|id| (1..=count).contains(&(*id as usize)));
    let rules = match rules {
        None => None,
        Some(ids) => Some(
            ids.iter()
                .map(number)
                .collect::<Option<Vec<u32>>>()
                .ok_or_else(|| Error::invalid("Rule ids does not reference valid rules"))?,
        ),
    };
    let category = match params.words("category") {
        None => None,
        Some(name) => Some(
            ReportCategory::parse(&name)
                .ok_or_else(|| Error::unprocessable(format!("'{name}' is not a valid category")))?,
        ),
    };
    match (category, &rules) {
        (_, Some(_)) => Ok((Some(ReportCategory::Violation), rules)),
        (Some(ReportCategory::Violation), None) => {
            Err(Error::invalid("Rule ids does not reference valid rules"))
        }
        (category, None) => Ok((category, None)),
    }
}

/// What of a report everybody sees who sees it.
fn said(report: &Report) -> Value {
    json!({
        "id": report.id.to_string(),
        "action_taken": report.resolved.is_some(),
        "action_taken_at": report.resolved.map(|(at, _)| moment(at)),
        "category": report.category.name(),
        "comment": report.comment,
        "forwarded": false,
        "created_at": moment(report.created),
    })
}

impl Service {
    /// A report as whoever made it sees it.
    pub(crate) async fn report_json(&self, report: &Report) -> Result<Value, Error> {
        let target = self.account(report.target).await?;
        let mut json = said(report);
        json["status_ids"] = report.posts.iter().map(ToString::to_string).collect();
        json["rule_ids"] = match &report.rules[..] {
            [] => Value::Null,
            rules => rules.iter().map(ToString::to_string).collect(),
        };
        json["target_account"] = self.account_json(&target);
        Ok(json)
    }

    /// Those of these reports that there are, as whoever made them sees them.
    pub(crate) async fn reports_json(
        &self,
        ids: impl Iterator<Item = ItemId>,
    ) -> Result<HashMap<ItemId, Value>, Error> {
        let mut found = HashMap::new();
        for id in ids {
            if let Ok(report) = self.report(id).await {
                found.insert(id, self.report_json(&report).await?);
            }
        }
        Ok(found)
    }

    pub(crate) async fn report(&self, id: ItemId) -> Result<Report, Error> {
        self.read(id.bucket(), move |feed| feed.report(id)).await?.ok_or_else(Error::not_found)
    }

    /// A report as moderators see it.
    async fn admin_report_json(&self, report: &Report) -> Result<Value, Error> {
        let resolver = report.resolved.map(|(_, by)| by);
        let ids = [Some(report.account), Some(report.target), report.assigned, resolver];
        let people = self.admin_accounts_json(&ids.into_iter().flatten().collect::<Vec<_>>()).await?;
        let one = |id: Option<AccountId>| {
            let id = id?.to_string();
            people.iter().find(|person| person["id"] == id)
        };
        // As their author sees them: a moderator need not be one who may.
        let statuses = self.statuses(Some(report.target), &report.posts, Place::Thread).await?;
        let rules = report.rules.iter().filter_map(|rule| self.rule_json((*rule as usize).checked_sub(1)?));
        let mut json = said(report);
        json["updated_at"] = moment(report.updated).into();
        json["statuses"] = statuses.into();
        json["rules"] = rules.collect();
        let accounts = [
            ("account", Some(report.account)),
            ("target_account", Some(report.target)),
            ("assigned_account", report.assigned),
            ("action_taken_by_account", resolver),
        ];
        for (name, account) in accounts {
            json[name] = one(account).cloned().unwrap_or_default();
        }
        Ok(json)
    }

    /// Reports within a window that are wanted.
    async fn reports(&self, window: Window, want: impl Fn(&Report) -> bool) -> Result<Vec<Report>, Error> {
        let (mut left, mut found) = (Window { most: AT_ONCE, ..window }, Vec::new());
        for _ in 0..ROUNDS {
            let parts = self.read_all(move |feed| feed.reports(left)).await?;
            let some = left.merge(parts.into_iter().flatten(), |report| report.id.0);
            let end = some.last().map(|report| report.id.0).filter(|_| some.len() == AT_ONCE);
            found.extend(some.into_iter().filter(&want));
            match end {
                Some(end) if found.len() < window.most => left = left.after(end),
                _ => break,
            }
        }
        found.truncate(window.most);
        Ok(found)
    }

    async fn change_report(&self, me: &Me, id: &str, change: ChangeReport) -> Result<Json<Value>, Error> {
        let report = item_id(id)?;
        self.ask(me.id, report.bucket(), ChangeReport { report, by: me.id, ..change }).await?;
        Ok(Json(self.admin_report_json(&self.report(report).await?).await?))
    }
}

pub(super) async fn create(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let target = params.accounts("account_id").first().copied().ok_or_else(Error::not_found)?;
    service.account(target).await?;
    let comment = params.text("comment").unwrap_or_default();
    if comment.chars().count() > COMMENT {
        return Err(Error::invalid(format!("Comment is too long (maximum is {COMMENT} characters)")));
    }
    let (category, rules) = category(&service, &params)?;
    let ids = params.list("status_ids").unwrap_or_default();
    let moderators = service.identity.holders(SEES_TO).into_iter().map(AccountId);
    let report = FileReport {
        account: me.id,
        target,
        posts: ids.iter().filter_map(|id| PostId::parse(id)).take(POSTS).collect(),
        comment,
        category: category.unwrap_or_default(),
        rules: rules.unwrap_or_default(),
        moderators: moderators.filter(|moderator| *moderator != me.id).collect(),
    };
    let Reply::Made(id) = service.ask(me.id, target.bucket(), report).await? else {
        return Err(Error::not_found());
    };
    Ok(Json(service.report_json(&service.report(id).await?).await?))
}

pub(super) async fn index(
    State(service): State<Shared>,
    uri: Uri,
    params: Params,
) -> Result<Response, Error> {
    let page = Page::read(&params, 100, 200);
    let (by, about) = (params.accounts("account_id"), params.accounts("target_account_id"));
    // Those that wait, unless others are asked for.
    let (resolved, open) = (params.is("resolved"), params.is("unresolved"));
    let want = |report: &Report| {
        let state = if report.resolved.is_some() { resolved } else { open || !resolved };
        state
            && by.first().is_none_or(|by| *by == report.account)
            && about.first().is_none_or(|about| *about == report.target)
    };
    let found = page.shown(service.reports(page.window, want).await?);
    let mut items = Vec::new();
    for report in &found {
        items.push(service.admin_report_json(report).await?);
    }
    let links = Links::of(found.iter().map(|report| report.id.0), page.window);
    Ok(Answer { base: &service.settings.base, uri: &uri, items, links }.into_response())
}

pub(super) async fn show(
    State(service): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let report = service.report(item_id(&id)?).await?;
    Ok(Json(service.admin_report_json(&report).await?))
}

pub(super) async fn update(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let (category, rules) = category(&service, &params)?;
    // What is no violation breaks no rule.
    let rules = rules.or_else(|| category.map(|_| Vec::new()));
    service.change_report(&me, &id, ChangeReport { category, rules, ..ChangeReport::default() }).await
}

pub(super) async fn assign(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let change = ChangeReport { assign: Some(me.id), ..ChangeReport::default() };
    service.change_report(&me, &id, change).await
}

pub(super) async fn unassign(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    service
        .change_report(&me, &id, ChangeReport { assign: Some(AccountId(0)), ..ChangeReport::default() })
        .await
}

pub(super) async fn resolve(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    service.change_report(&me, &id, ChangeReport { resolve: Some(true), ..ChangeReport::default() }).await
}

pub(super) async fn reopen(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    service.change_report(&me, &id, ChangeReport { resolve: Some(false), ..ChangeReport::default() }).await
}
