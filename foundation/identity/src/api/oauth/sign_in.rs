//! A person signs in on a page: by name and password, with a second factor where there is one, or by a passkey alone.

use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::Refused;
use super::form::Form;
use super::page::{Browser, SESSION, escape, passkey_button};
use super::provider;
use crate::api::challenge::Purpose;
use crate::api::logon::{NoLogon, Shown, Wish};
use crate::api::random;
use crate::api::service::{Identity, seconds};
use crate::value::Device;

impl Identity {
    /// A person signs in on a page: the cookie that goes on, or the page again.
    pub(super) async fn sign_in(
        &self,
        browser: &Browser,
        form: &Form,
        device: Device,
        action: &str,
    ) -> Result<HeaderValue, Response> {
        let (text, hash) = random::secret();
        let wish = Wish { secret: Some(hash), lifetime: self.settings.logon_lifetime, ..Wish::default() };
        let by_passkey = form.get("action") == Some("passkey");
        let logged_on = if by_passkey {
            match form.get("passkey").map(serde_json::from_str) {
                Some(Ok(shown)) => self.log_on_with_passkey(&shown, browser.holder(), device, wish).await,
                _ => Err(NoLogon::Wrong),
            }
        } else {
            let shown = Shown {
                name: form.get("username").unwrap_or_default().to_owned(),
                password: form.get("password").unwrap_or_default().to_owned(),
                code: form.get("otp").map(str::to_owned),
                device,
            };
            self.log_on(shown, wish).await
        };
        let why = match logged_on {
            Ok(_) => return Ok(browser.cookie(SESSION, &text)),
            Err(why) => why,
        };
        let (status, words) = match why {
            NoLogon::Wrong if by_passkey => {
                (StatusCode::UNAUTHORIZED, "This passkey is not accepted.".to_owned())
            }
            NoLogon::Wrong => (StatusCode::UNAUTHORIZED, "Name, password or code is wrong.".to_owned()),
            NoLogon::Ended => (StatusCode::UNAUTHORIZED, "That took too long. Try again.".to_owned()),
            NoLogon::SecondFactorNeeded { account, generation } => {
                return Err(self.second_factor(browser, form, action, account, generation).await);
            }
            NoLogon::Later(until) => {
                let wait = seconds(until - self.now()).max(1);
                (StatusCode::TOO_MANY_REQUESTS, format!("Too many attempts. Try again in {wait} s."))
            }
            NoLogon::Busy => {
                (StatusCode::SERVICE_UNAVAILABLE, "Too many people sign in just now.".to_owned())
            }
            NoLogon::Trouble(trouble) => return Err(Refused::from(trouble).into_response()),
        };
        Err(self.sign_in_page(browser, status, action, form, &words))
    }

    /// The password was right: the page again, with what else there is.
    async fn second_factor(
        &self,
        browser: &Browser,
        form: &Form,
        action: &str,
        account: u64,
        generation: u32,
    ) -> Response {
        let purpose = Purpose::SecondFactor { account, generation };
        let button = match self.options_of(account, purpose, browser.holder()).await {
            Ok(options) => options.map(|options| ("Use your passkey as well", options)),
            Err(trouble) => return Refused::from(trouble).into_response(),
        };
        let words = match &button {
            Some(_) => "Use your passkey as well, or enter name, password and a code.",
            None => "Enter the code of your authenticator app too.",
        };
        let page = Page { status: StatusCode::UNAUTHORIZED, action, carry: form, words, button };
        sign_in_form(browser, page, "")
    }

    /// The page that asks who is there.
    pub(super) fn sign_in_page(
        &self,
        browser: &Browser,
        status: StatusCode,
        action: &str,
        carry: &Form,
        words: &str,
    ) -> Response {
        let options = self.logon_options(browser.holder());
        let button = options.map(|options| ("Sign in with a passkey", options));
        let others = provider::buttons(self, &provider::back_to(action, carry));
        sign_in_form(browser, Page { status, action, carry, words, button }, &others)
    }
}

/// What a sign-in page says.
struct Page<'a> {
    status: StatusCode,
    action: &'a str,
    carry: &'a Form,
    words: &'a str,
    button: Option<(&'a str, Value)>,
}

/// The page; `others` is what leads to other ways in.
fn sign_in_form(browser: &Browser, page: Page<'_>, others: &str) -> Response {
    let Page { status, action, carry, words, button } = page;
    let name = escape(carry.get("username").unwrap_or_default());
    let button = button.map(|(text, options)| passkey_button("get", "passkey", text, &options));
    let inner = format!(
        "<p role=\"alert\">{}</p>{}{others}\
         <p><label>Name <input name=\"username\" value=\"{name}\" autocomplete=\"username\" required></label></p>\
         <p><label>Password <input name=\"password\" type=\"password\" autocomplete=\"current-password\" required>\
         </label></p>\
         <p><label>Code, if you use one <input name=\"otp\" autocomplete=\"one-time-code\"></label></p>\
         <p><button name=\"action\" value=\"sign-in\">Sign in</button></p>",
        escape(words),
        button.unwrap_or_default()
    );
    browser.form_page(status, "Sign in", action, carry, &inner)
}
