//! The page on which a person links their account to outside providers, and ends such links. Programs use
//! `/v1/me/providers` for the second; the first needs a browser.
//!
//! A change is confirmed first, as with passkeys. Nothing else makes a link: that a provider knows the account's name or
//! e-mail address does not.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::form::{Form, From, Query};
use super::owner::{NotConfirmed, Owner};
use super::page::{Browser, escape, passkey_button};
use super::{Shared, failed};
use crate::api::challenge::Purpose;
use crate::api::provider::{Known, Task};
use crate::api::service::{Identity, Trouble};
use crate::command::{Refusal, UnlinkProvider};
use crate::engine::id_token::Claims;

pub(super) const PATH: &str = "/oauth/providers";

pub(super) async fn ask(
    State(identity): State<Shared>,
    headers: HeaderMap,
    Query(form): Query,
) -> Result<Response, Response> {
    let (browser, owner) = identity.owner_asks(&headers, &form, PATH).await?;
    identity.providers_page(&browser, &owner, StatusCode::OK, "").await
}

pub(super) async fn answer(
    State(identity): State<Shared>,
    From(device): From,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Response> {
    let (browser, owner) = identity.owner_answers(&headers, &form, device, PATH).await?;
    let action = form.get("action").unwrap_or_default();
    match action.split_once(' ').unwrap_or((action, "")) {
        ("link", name) => {
            let Some(provider) = identity.providers.named(name) else {
                let said = "There is no such provider.";
                return identity.providers_page(&browser, &owner, StatusCode::NOT_FOUND, said).await;
            };
            identity.confirm_link(&browser, &owner, &form).await?;
            let task = Task::Link { account: owner.account };
            Ok(identity.send_away(&browser, provider, task, PATH).await)
        }
        ("unlink", link) => {
            identity.confirm_link(&browser, &owner, &form).await?;
            let unlink = UnlinkProvider { account: owner.account, link: link.parse().unwrap_or(0) };
            let (status, said) = match identity.ask(owner.account, &owner.name, unlink).await {
                Ok(_) => (StatusCode::OK, "The link counts no more."),
                Err(Trouble::Refused(Refusal::LastCredential)) => (
                    StatusCode::CONFLICT,
                    "Without it you could not sign in any more: add a passkey or another link first.",
                ),
                Err(Trouble::Refused(_)) => (StatusCode::NOT_FOUND, "There is no such link."),
                Err(trouble) => return Err(failed(trouble)),
            };
            identity.providers_page(&browser, &owner, status, said).await
        }
        _ => identity.providers_page(&browser, &owner, StatusCode::OK, "").await,
    }
}

impl Identity {
    /// Whether it is the owner who asks now; otherwise the page again.
    async fn confirm_link(&self, browser: &Browser, owner: &Owner, form: &Form) -> Result<(), Response> {
        let (status, said) = match self.confirm_owner(browser, owner, form).await {
            Ok(()) => return Ok(()),
            Err(NotConfirmed::Said(status, said)) => (status, said),
            Err(NotConfirmed::Trouble(trouble)) => return Err(failed(trouble)),
        };
        let again = self.providers_page(browser, owner, status, &said).await;
        Err(again.unwrap_or_else(|failure| failure))
    }

    /// Links whoever came back, and says what came of it.
    pub(super) async fn linked_page(
        &self,
        browser: &Browser,
        owner: &Owner,
        provider: &Known,
        claims: &Claims,
    ) -> Response {
        let label = &provider.settings.label;
        let (outcome, status, said) = match self.link(provider, claims, owner.account, &owner.name).await {
            Ok(_) => ("linked", StatusCode::OK, format!("You can sign in with {label} from now on.")),
            Err(Trouble::Refused(Refusal::LinkTaken)) => {
                let said = format!("Whoever you are at {label} signs in to an account here already.");
                ("link-taken", StatusCode::CONFLICT, said)
            }
            Err(Trouble::Refused(refusal)) => {
                ("link-refused", StatusCode::CONFLICT, format!("Nothing was linked: {}.", refusal.name()))
            }
            Err(trouble) => return failed(trouble),
        };
        provider.count(outcome);
        self.providers_page(browser, owner, status, &said).await.unwrap_or_else(|failure| failure)
    }

    async fn providers_page(
        &self,
        browser: &Browser,
        owner: &Owner,
        status: StatusCode,
        said: &str,
    ) -> Result<Response, Response> {
        let account = owner.account;
        let list = self.read(move |state| {
            let links = state.links_of(account);
            links.map(|(id, link)| (id, link.issuer.clone())).collect::<Vec<_>>()
        });
        let mut inner = format!("<p role=\"alert\">{}</p>", escape(said));
        for (id, issuer) in &list.await.map_err(failed)? {
            let known = self.providers.all().find(|known| known.settings.issuer == *issuer);
            let label = known.map_or(issuer, |known| &known.settings.label);
            let _ = write!(
                inner,
                "<p>{} <button name=\"action\" value=\"unlink {id}\">End this link</button></p>",
                escape(label)
            );
        }
        inner.push_str(
            "<p><label>Your password <input name=\"password\" type=\"password\" autocomplete=\"current-password\">\
             </label></p>",
        );
        let confirm = Purpose::Confirm { account };
        for known in self.providers.all() {
            let (name, label) = (&known.settings.name, &known.settings.label);
            let _ = write!(
                inner,
                "<p><button name=\"action\" value=\"link {name}\">Link {}</button></p>",
                escape(label)
            );
            let options = self.options_of(account, confirm, browser.holder()).await;
            if let Some(options) = options.map_err(failed)? {
                let text = format!("Link {label}, confirmed by a passkey");
                inner.push_str(&passkey_button("get", &format!("link {name}"), &text, &options));
            }
        }
        let title = format!("Other ways to sign in to {}", owner.name);
        Ok(browser.form_page(status, &title, PATH, &Form::default(), &inner))
    }
}
