//! Who is signed in on a page about their own account, and the proof that it is they who ask now: a session alone, which
//! may be a browser left open or a stolen cookie, changes nothing that could lock the owner out.

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::failed;
use super::form::Form;
use super::page::{Browser, not_from_here, see_other};
use crate::api::logon::NoLogon;
use crate::api::service::{Identity, Trouble, seconds};
use crate::value::{Device, SECOND};

/// How long a sign-in counts as a proof where there is no password and no passkey to ask for.
const RECENT: i64 = 300 * SECOND;

/// Who is signed in.
pub(super) struct Owner {
    pub(super) account: u64,
    pub(super) name: String,
    session: u64,
}

/// Why the owner is not known to ask.
pub(super) enum NotConfirmed {
    /// What the page says.
    Said(StatusCode, String),
    Trouble(Trouble),
}

impl Identity {
    pub(super) fn owner(&self, browser: &Browser) -> Option<Owner> {
        let session = browser.session?;
        let principal = self.principals.look().session(session)?.principal.clone();
        Some(Owner { account: principal.account, name: principal.name.to_string(), session })
    }

    /// Whose page this is; whoever is not signed in gets the page to do that.
    pub(super) async fn owner_asks(
        &self,
        headers: &HeaderMap,
        form: &Form,
        path: &str,
    ) -> Result<(Browser, Owner), Response> {
        let browser = self.browser(headers).await.map_err(failed)?;
        match self.owner(&browser) {
            Some(owner) => Ok((browser, owner)),
            None => Err(self.sign_in_page(&browser, StatusCode::OK, path, form, "")),
        }
    }

    /// Who sends the form of such a page; a sign-in is done here, and leads back to it.
    pub(super) async fn owner_answers(
        &self,
        headers: &HeaderMap,
        form: &Form,
        device: Device,
        path: &'static str,
    ) -> Result<(Browser, Owner), Response> {
        let browser = self.browser(headers).await.map_err(failed)?;
        if !browser.sent(form) {
            return Err(not_from_here());
        }
        if matches!(form.get("action"), Some("sign-in" | "passkey")) {
            let cookie = self.sign_in(&browser, form, device, path).await?;
            return Err(see_other(path, Some(cookie)));
        }
        match self.owner(&browser) {
            Some(owner) => Ok((browser, owner)),
            None => Err(self.sign_in_page(&browser, StatusCode::OK, path, form, "Sign in first.")),
        }
    }

    /// Whether it is the owner who asks now, by what the form shows.
    pub(super) async fn confirm_owner(
        &self,
        browser: &Browser,
        owner: &Owner,
        form: &Form,
    ) -> Result<(), NotConfirmed> {
        let shown = form.get("passkey").map(serde_json::from_str);
        let confirmed = match (shown, form.get("password")) {
            (Some(Ok(shown)), _) => self.confirm_with_passkey(owner.account, browser.holder(), &shown).await,
            (None, Some(password)) => match self.is_password(&owner.name, password.to_owned()).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(NoLogon::Wrong),
                Err(why) => Err(why),
            },
            (None, None) => return self.confirm_by_sign_in(owner).await,
            (Some(Err(_)), _) => Err(NoLogon::Wrong),
        };
        let (status, said) = match confirmed {
            Ok(()) => return Ok(()),
            Err(NoLogon::Later(until)) => {
                let wait = seconds(until - self.now()).max(1);
                (StatusCode::TOO_MANY_REQUESTS, format!("Too many attempts. Try again in {wait} s."))
            }
            Err(NoLogon::Ended) => (StatusCode::FORBIDDEN, "That took too long. Try again.".to_owned()),
            Err(NoLogon::Busy) => (StatusCode::SERVICE_UNAVAILABLE, "Too much to do just now.".to_owned()),
            Err(NoLogon::Trouble(trouble)) => return Err(NotConfirmed::Trouble(trouble)),
            Err(NoLogon::Wrong | NoLogon::SecondFactorNeeded { .. }) => {
                (StatusCode::FORBIDDEN, "The password is wrong, or the passkey not accepted.".to_owned())
            }
        };
        Err(NotConfirmed::Said(status, said))
    }

    /// An account that only outside providers open has nothing to show here: to have signed in just now is its proof.
    async fn confirm_by_sign_in(&self, owner: &Owner) -> Result<(), NotConfirmed> {
        let (account, session, since) = (owner.account, owner.session, self.now() - RECENT);
        let (has_none, is_recent) = self
            .read(move |state| {
                let has_password = state.account(account).is_none_or(|it| it.password.is_some());
                let has_passkey = state.passkeys_of(account).next().is_some();
                let is_recent = state.session(session).is_some_and(|it| it.authenticated > since);
                (!has_password && !has_passkey, is_recent)
            })
            .await
            .map_err(NotConfirmed::Trouble)?;
        let said = match (has_none, is_recent) {
            (true, true) => return Ok(()),
            (true, false) => "You signed in more than five minutes ago: do it again first.",
            (false, _) => "Your password is needed, or a passkey.",
        };
        Err(NotConfirmed::Said(StatusCode::FORBIDDEN, said.to_owned()))
    }
}
