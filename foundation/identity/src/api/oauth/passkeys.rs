//! The page on which a person adds passkeys to their account, and takes them away. Programs use `/v1/me/passkeys`.
//!
//! A change is confirmed first, by the password or by a passkey that is there already.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::form::{Form, From, Query};
use super::owner::{NotConfirmed, Owner};
use super::page::{Browser, escape, hidden, passkey_button};
use super::{Shared, failed};
use crate::api::challenge::Purpose;
use crate::api::passkey::NotAdded;
use crate::api::service::{Identity, Trouble};
use crate::command::RemovePasskey;

pub(super) const PATH: &str = "/oauth/passkeys";

pub(super) async fn ask(
    State(identity): State<Shared>,
    headers: HeaderMap,
    Query(form): Query,
) -> Result<Response, Response> {
    let (browser, owner) = identity.owner_asks(&headers, &form, PATH).await?;
    identity.passkeys_page(&browser, &owner, StatusCode::OK, "").await
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
        ("add", _) => {
            identity.confirm_on_page(&browser, &owner, &form).await?;
            identity.creation_page(&browser, &owner, &form).await
        }
        ("create", _) => identity.create_on_page(&browser, &owner, &form).await,
        ("remove", passkey) => {
            identity.confirm_on_page(&browser, &owner, &form).await?;
            let passkey = passkey.parse().unwrap_or(0);
            let remove = RemovePasskey { account: owner.account, passkey };
            let said = match identity.ask(owner.account, &owner.name, remove).await {
                Ok(_) => "The passkey counts no more.",
                Err(Trouble::Refused(_)) => "There is no such passkey.",
                Err(trouble) => return Err(failed(trouble)),
            };
            identity.passkeys_page(&browser, &owner, StatusCode::OK, said).await
        }
        _ => identity.passkeys_page(&browser, &owner, StatusCode::OK, "").await,
    }
}

impl Identity {
    /// Whether it is the owner who asks now; otherwise the page again.
    async fn confirm_on_page(&self, browser: &Browser, owner: &Owner, form: &Form) -> Result<(), Response> {
        let (status, said) = match self.confirm_owner(browser, owner, form).await {
            Ok(()) => return Ok(()),
            Err(NotConfirmed::Said(status, said)) => (status, said),
            Err(NotConfirmed::Trouble(trouble)) => return Err(failed(trouble)),
        };
        let again = self.passkeys_page(browser, owner, status, &said).await;
        Err(again.unwrap_or_else(|failure| failure))
    }

    async fn passkeys_page(
        &self,
        browser: &Browser,
        owner: &Owner,
        status: StatusCode,
        said: &str,
    ) -> Result<Response, Response> {
        let account = owner.account;
        let list = self.read(move |state| {
            let passkeys = state.passkeys_of(account);
            passkeys.map(|(id, passkey)| (id, passkey.label.clone())).collect::<Vec<_>>()
        });
        let mut inner = format!("<p role=\"alert\">{}</p>", escape(said));
        let list = list.await.map_err(failed)?;
        for (id, label) in &list {
            let label = escape(label);
            let _ =
                write!(inner, "<p>{label} <button name=\"action\" value=\"remove {id}\">Remove</button></p>");
        }
        if self.party.is_none() {
            let why = escape(&NotAdded::Unavailable.to_string());
            let _ = write!(inner, "<p>No passkey can be added: {why}.</p>");
        }
        inner.push_str(
            "<p><label>Name for a new passkey <input name=\"label\" maxlength=\"100\"></label></p>\
             <p><label>Your password <input name=\"password\" type=\"password\" autocomplete=\"current-password\">\
             </label></p>",
        );
        if self.party.is_some() {
            inner.push_str("<p><button name=\"action\" value=\"add\">Add a passkey</button></p>");
        }
        let confirm = self.options_of(account, Purpose::Confirm { account }, browser.holder()).await;
        if let Some(options) = confirm.map_err(failed)? {
            let text = "Add a passkey, confirmed by one that is there";
            inner.push_str(&passkey_button("get", "add", text, &options));
        }
        let title = format!("Passkeys of {}", owner.name);
        Ok(browser.form_page(status, &title, PATH, &Form::default(), &inner))
    }

    async fn creation_page(
        &self,
        browser: &Browser,
        owner: &Owner,
        form: &Form,
    ) -> Result<Response, Response> {
        let options = self.creation_options(owner.account, &owner.name, browser.holder()).await;
        let options = match options {
            Ok(options) => options,
            Err(NotAdded::Trouble(trouble)) => return Err(failed(trouble)),
            Err(why) => {
                let said = why.to_string();
                return self.passkeys_page(browser, owner, StatusCode::CONFLICT, &said).await;
            }
        };
        let inner = format!(
            "<p role=\"alert\"></p>{}{}<noscript><p>This needs JavaScript.</p></noscript>",
            hidden("label", form.get("label").unwrap_or("A passkey")),
            passkey_button("create", "create", "Make the passkey", &options)
        );
        Ok(browser.form_page(StatusCode::OK, "Add a passkey", PATH, &Form::default(), &inner))
    }

    async fn create_on_page(
        &self,
        browser: &Browser,
        owner: &Owner,
        form: &Form,
    ) -> Result<Response, Response> {
        let label = form.get("label").unwrap_or("A passkey");
        let shown = form.get("passkey").and_then(|text| serde_json::from_str(text).ok());
        let Some(shown) = shown else {
            return self.passkeys_page(browser, owner, StatusCode::BAD_REQUEST, "That is no passkey.").await;
        };
        let Owner { account, name, .. } = owner;
        match self.add_passkey(*account, name, browser.holder(), label, &shown).await {
            Ok(added) => {
                let said = match added.codes {
                    None => "The passkey was added.".to_owned(),
                    Some(codes) => format!(
                        "The passkey was added. From now on the password alone is not enough. Keep these recovery codes, \
                         each of which counts once: {}",
                        codes.join(" ")
                    ),
                };
                self.passkeys_page(browser, owner, StatusCode::OK, &said).await
            }
            Err(NotAdded::Trouble(Trouble::Refused(refusal))) => {
                let said = format!("The passkey was not added: {}.", refusal.name());
                self.passkeys_page(browser, owner, StatusCode::CONFLICT, &said).await
            }
            Err(NotAdded::Trouble(trouble)) => Err(failed(trouble)),
            Err(why) => {
                let said = format!("The passkey was not added: {why}.");
                self.passkeys_page(browser, owner, StatusCode::BAD_REQUEST, &said).await
            }
        }
    }
}
