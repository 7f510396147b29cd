//! Accounts as moderators see them, and the measures that they take. Who is a moderator, identity says: whoever holds the
//! rights that the routes ask for. Whether somebody is let in at all is identity's, too.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use decalog_identity::api::people::Person;
use serde_json::{Value, json};

use super::accounts::account_id;
use super::entity::moment;
use super::error::Error;
use super::lists::item_id;
use super::page::{Answer, Links, Page};
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::command::{ChangeReport, Moderate};
use crate::state::{Account, Window};
use crate::value::{AccountId, Standing};

/// The right that makes a moderator: no other moderator takes measures about its holder.
pub(crate) const MODERATES: &str = "admin:write:accounts";
/// Accounts that one read looks at, and how often is looked on.
const AT_ONCE: usize = 200;
const ROUNDS: usize = 50;

/// Which accounts are asked for.
#[derive(Clone, Debug, Default)]
struct Wanted {
    /// None are: those of other servers, those that wait.
    none: bool,
    active: bool,
    disabled: bool,
    limited: bool,
    suspended: bool,
    sensitive: bool,
    staff: bool,
    username: Option<String>,
    display_name: Option<String>,
    email: Option<String>,
}

impl Wanted {
    fn words(self, service: &Service, params: &Params) -> Wanted {
        let lower = |name| params.words(name).map(|text| text.to_lowercase());
        let elsewhere = params.words("by_domain").is_some_and(|domain| domain != service.domain());
        Wanted {
            // Addresses that somebody came from are not kept here, and nobody is invited.
            none: self.none
                || elsewhere
                || params.words("ip").is_some()
                || params.words("invited_by").is_some(),
            username: lower("username"),
            display_name: lower("display_name"),
            email: lower("email"),
            ..self
        }
    }

    fn v1(service: &Service, params: &Params) -> Wanted {
        let wanted = Wanted {
            none: params.is("remote") && !params.is("local") || params.is("pending"),
            active: params.is("active"),
            disabled: params.is("disabled"),
            limited: params.is("silenced"),
            suspended: params.is("suspended"),
            sensitive: params.is("sensitized"),
            staff: params.is("staff"),
            ..Wanted::default()
        };
        wanted.words(service, params)
    }

    fn v2(service: &Service, params: &Params) -> Wanted {
        let status = params.words("status");
        let is = |name: &str| status.as_deref() == Some(name);
        let wanted = Wanted {
            none: params.words("origin").as_deref() == Some("remote") || is("pending"),
            active: is("active"),
            disabled: is("disabled"),
            limited: is("silenced"),
            suspended: is("suspended"),
            staff: params.words("permissions").as_deref() == Some("staff") || params.has("role_ids"),
            ..Wanted::default()
        };
        wanted.words(service, params)
    }

    fn wants(&self, account: &Account, person: Option<&Person>, standing: Standing) -> bool {
        let disabled = person.is_none_or(|person| person.disabled);
        let has = |text: &str, part: &Option<String>| {
            part.as_ref().is_none_or(|part| text.to_lowercase().contains(part.as_str()))
        };
        let email = person.and_then(|person| person.email.as_deref());
        !self.none
            && (!self.active || !disabled && !standing.suspended)
            && (!self.disabled || disabled)
            && (!self.limited || standing.limited)
            && (!self.suspended || standing.suspended)
            && (!self.sensitive || standing.sensitive)
            && (!self.staff || person.is_some_and(|person| person.may(MODERATES)))
            && has(&account.name, &self.username)
            && has(&account.display_name, &self.display_name)
            && self.email.as_ref().is_none_or(|wanted| email == Some(wanted.as_str()))
    }
}

impl Service {
    fn admin_account_json(&self, account: &Account, person: Option<&Person>) -> Value {
        let standing = self.standings.of(account.id);
        let moderates = person.is_some_and(|person| person.may(MODERATES));
        json!({
            "id": account.id.to_string(),
            "username": account.name,
            "domain": null,
            "created_at": moment(account.created),
            "email": person.and_then(|person| person.email.as_deref()).unwrap_or_default(),
            "ip": null,
            "ips": [],
            "role": super::entity::account::role_json(moderates),
            "confirmed": person.is_some(),
            "approved": person.is_some(),
            "disabled": person.is_none_or(|person| person.disabled),
            "silenced": standing.limited,
            "suspended": standing.suspended,
            "sensitized": standing.sensitive,
            "locale": account.defaults.language,
            "invite_request": null,
            "account": self.account_json(account),
        })
    }

    /// Those of these accounts that there are, suspended ones included.
    pub(crate) async fn admin_accounts_json(&self, ids: &[AccountId]) -> Result<Vec<Value>, Error> {
        let people = self.identity.people(ids.iter().map(|id| id.0).collect()).await?;
        let accounts = self.all_accounts(ids).await?;
        let one = |account: &Account| self.admin_account_json(account, people.get(&account.id.0));
        Ok(accounts.iter().map(one).collect())
    }

    async fn admin_account(&self, id: AccountId) -> Result<Json<Value>, Error> {
        let mut found = self.admin_accounts_json(&[id]).await?;
        Ok(Json(found.pop().ok_or_else(Error::not_found)?))
    }

    async fn find_admin_accounts(&self, wanted: &Wanted, window: Window) -> Result<Vec<(u64, Value)>, Error> {
        let (mut left, mut found) = (Window { most: AT_ONCE, ..window }, Vec::new());
        for _ in 0..ROUNDS {
            let parts = self.read_all(move |feed| feed.accounts_within(left)).await?;
            let some = left.merge(parts.into_iter().flatten(), |account: &Account| account.id.0);
            let people = self.identity.people(some.iter().map(|account| account.id.0).collect()).await?;
            for account in &some {
                let (person, standing) = (people.get(&account.id.0), self.standings.of(account.id));
                if wanted.wants(account, person, standing) {
                    found.push((account.id.0, self.admin_account_json(account, person)));
                }
            }
            match some.last().filter(|_| some.len() == AT_ONCE && found.len() < window.most) {
                Some(last) => left = left.after(last.id.0),
                None => break,
            }
        }
        found.truncate(window.most);
        Ok(found)
    }

    async fn index_admin_accounts(
        &self,
        uri: &Uri,
        params: &Params,
        wanted: &Wanted,
    ) -> Result<Response, Error> {
        let page = Page::read(params, 100, 200);
        let found = page.shown(self.find_admin_accounts(wanted, page.window).await?);
        let links = Links::of(found.iter().map(|(id, _)| *id), page.window);
        let items = found.into_iter().map(|(_, json)| json).collect();
        Ok(Answer { base: &self.settings.base, uri, items, links }.into_response())
    }

    /// The account of a path, about which this moderator may take measures.
    async fn subject(&self, me: &Me, id: &str) -> Result<AccountId, Error> {
        let account = self.account(account_id(id)?).await?.id;
        let people = self.identity.people(vec![account.0]).await?;
        if account == me.id || people.get(&account.0).is_some_and(|person| person.may(MODERATES)) {
            return Err(Error::forbidden("This action is not allowed"));
        }
        Ok(account)
    }

    async fn set_standing(
        &self,
        me: &Me,
        account: AccountId,
        change: impl FnOnce(&mut Standing),
        resolve: bool,
    ) -> Result<(), Error> {
        let mut standing = self.read(account.bucket(), move |feed| feed.standing(account)).await?;
        change(&mut standing);
        self.ask(me.id, account.bucket(), Moderate { account, standing, by: me.id, resolve }).await?;
        // Seen with the next request, wherever that is read.
        self.standings.set(account, standing);
        Ok(())
    }
}

pub(super) async fn index_v1(
    State(service): State<Shared>,
    uri: Uri,
    params: Params,
) -> Result<Response, Error> {
    service.index_admin_accounts(&uri, &params, &Wanted::v1(&service, &params)).await
}

pub(super) async fn index_v2(
    State(service): State<Shared>,
    uri: Uri,
    params: Params,
) -> Result<Response, Error> {
    service.index_admin_accounts(&uri, &params, &Wanted::v2(&service, &params)).await
}

pub(super) async fn show(
    State(service): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    service.admin_account(account_id(&id)?).await
}

/// Nobody waits for approval: whoever signs up is let in.
pub(super) async fn answer(
    State(service): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    service.account(account_id(&id)?).await?;
    Err(Error::forbidden("This action is not allowed"))
}

pub(super) async fn act(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let account = service.subject(&me, &id).await?;
    let report = match params.words("report_id") {
        None => None,
        Some(id) => Some(service.report(item_id(&id)?).await?.id),
    };
    let change: fn(&mut Standing) = match params.words("type").as_deref() {
        Some("none") => {
            // A warning is about one report; others may say more.
            if let Some(report) = report {
                let change =
                    ChangeReport { report, by: me.id, resolve: Some(true), ..ChangeReport::default() };
                service.ask(me.id, report.bucket(), change).await?;
            }
            return Ok(Json(json!({})));
        }
        Some("sensitive") => |standing| standing.sensitive = true,
        Some("silence") => |standing| standing.limited = true,
        Some("suspend") => |standing| standing.suspended = true,
        Some("disable") => {
            service.identity.set_disabled(me.id.0, account.0, true).await?;
            |_| {}
        }
        _ => return Err(Error::invalid("Type is not included in the list")),
    };
    service.set_standing(&me, account, change, true).await?;
    Ok(Json(json!({})))
}

async fn undo(
    service: &Service,
    id: &str,
    me: Me,
    change: impl FnOnce(&mut Standing),
) -> Result<Json<Value>, Error> {
    let account = service.subject(&me, id).await?;
    service.set_standing(&me, account, change, false).await?;
    service.admin_account(account).await
}

pub(super) async fn unsensitive(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    undo(&service, &id, me, |standing| standing.sensitive = false).await
}

pub(super) async fn unsilence(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    undo(&service, &id, me, |standing| standing.limited = false).await
}

pub(super) async fn unsuspend(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    undo(&service, &id, me, |standing| standing.suspended = false).await
}

pub(super) async fn enable(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let account = service.subject(&me, &id).await?;
    service.identity.set_disabled(me.id.0, account.0, false).await?;
    service.admin_account(account).await
}
