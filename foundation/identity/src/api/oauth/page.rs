//! The pages for people: sign in, consent, and what went wrong. Plain HTML without a script.
//!
//! A form counts only with a value that belongs to a cookie of the same browser, so that no other site can send it, and
//! no page may be framed. Everything shown is escaped.

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Refused;
use super::form::{Form, cookie};
use crate::api::logon::{NoLogon, Shown, Wish};
use crate::api::random;
use crate::api::service::{Identity, Trouble, seconds};
use crate::engine::secret;
use crate::value::Device;

const SESSION: &str = "decalog_session";
const FORM: &str = "decalog_form";
/// Fields of our own, which are not passed on from form to form.
const OWN: [&str; 6] = ["csrf", "action", "username", "password", "otp", "user_code"];

/// A browser: who is logged on in it, and what its forms carry.
pub(super) struct Browser {
    pub(super) session: Option<u64>,
    pub(super) name: String,
    form: String,
    fresh: bool,
    secure: bool,
}

/// Text that is safe between tags and in quoted attributes.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

impl Identity {
    /// The browser that a request comes from.
    pub(super) async fn browser(&self, headers: &HeaderMap) -> Result<Browser, Trouble> {
        let hash = cookie(headers, SESSION).map(|shown| secret::hash(shown.as_bytes()));
        let found = match hash {
            None => None,
            Some(hash) => {
                let now = self.now();
                self.read(move |state| {
                    let (id, session) = state.session_by_secret(&hash)?;
                    let live = session.client.is_none() && session.expires > now;
                    live.then(|| {
                        (id, state.account(session.account).map_or_else(String::new, |it| it.name.clone()))
                    })
                })
                .await?
            }
        };
        let known = cookie(headers, FORM).filter(|form| form.len() == 43).map(str::to_owned);
        Ok(Browser {
            fresh: known.is_none(),
            form: known.unwrap_or_else(|| random::secret().0),
            session: found.as_ref().map(|(id, _)| *id),
            name: found.map(|(_, name)| name).unwrap_or_default(),
            secure: self.settings.issuer.starts_with("https:"),
        })
    }

    /// A person signs in on a page: the cookie that goes on, or the page again.
    pub(super) async fn sign_in(
        &self,
        browser: &Browser,
        form: &Form,
        device: Device,
        action: &str,
    ) -> Result<HeaderValue, Response> {
        let (text, hash) = random::secret();
        let shown = Shown {
            name: form.get("username").unwrap_or_default().to_owned(),
            password: form.get("password").unwrap_or_default().to_owned(),
            code: form.get("otp").map(str::to_owned),
            device,
        };
        let wish = Wish { secret: Some(hash), lifetime: self.settings.logon_lifetime, ..Wish::default() };
        let why = match self.log_on(shown, wish).await {
            Ok(_) => return Ok(browser.cookie(SESSION, &text)),
            Err(why) => why,
        };
        let (status, words) = match why {
            NoLogon::Wrong => (StatusCode::UNAUTHORIZED, "Name, password or code is wrong.".to_owned()),
            NoLogon::CodeNeeded => {
                (StatusCode::UNAUTHORIZED, "Enter the code of your authenticator app too.".to_owned())
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
        Err(browser.sign_in_page(status, action, form, &words))
    }
}

impl Browser {
    fn csrf(&self) -> String {
        URL_SAFE_NO_PAD.encode(secret::hash(format!("form:{}", self.form).as_bytes()).0)
    }

    /// Whether a form was filled in on a page of ours in this browser.
    pub(super) fn sent(&self, form: &Form) -> bool {
        let shown = form.get("csrf").unwrap_or_default();
        !self.fresh && secret::same(shown.as_bytes(), self.csrf().as_bytes())
    }

    fn cookie(&self, name: &str, value: &str) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/oauth; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::try_from(text).expect("names and base64 are header values")
    }

    /// A page with a form that carries on what came with the request.
    fn form_page(
        &self,
        status: StatusCode,
        title: &str,
        action: &str,
        carry: &Form,
        inner: &str,
    ) -> Response {
        let mut hidden = String::new();
        for (name, value) in carry.pairs().filter(|(name, _)| !OWN.contains(name)) {
            let (name, value) = (escape(name), escape(value));
            let _ = write!(hidden, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
        }
        let body = format!(
            "<h1>{}</h1><form method=\"post\" action=\"{action}\">{hidden}\
             <input type=\"hidden\" name=\"csrf\" value=\"{}\">{inner}</form>",
            escape(title),
            self.csrf()
        );
        let mut response = page(status, title, &body);
        if self.fresh {
            response.headers_mut().append(header::SET_COOKIE, self.cookie(FORM, &self.form));
        }
        response
    }

    pub(super) fn sign_in_page(
        &self,
        status: StatusCode,
        action: &str,
        carry: &Form,
        words: &str,
    ) -> Response {
        let name = escape(carry.get("username").unwrap_or_default());
        let inner = format!(
            "<p role=\"alert\">{}</p>\
             <p><label>Name <input name=\"username\" value=\"{name}\" autocomplete=\"username\" required></label></p>\
             <p><label>Password <input name=\"password\" type=\"password\" autocomplete=\"current-password\" required>\
             </label></p>\
             <p><label>Code, if you use one <input name=\"otp\" autocomplete=\"one-time-code\"></label></p>\
             <p><button name=\"action\" value=\"sign-in\">Sign in</button></p>",
            escape(words)
        );
        self.form_page(status, "Sign in", action, carry, &inner)
    }

    pub(super) fn consent_page(
        &self,
        action: &str,
        carry: &Form,
        client: &str,
        scopes: &[&str],
        extra: &str,
    ) -> Response {
        let mut list = String::new();
        for scope in scopes {
            let _ = write!(list, "<li>{}</li>", escape(scope));
        }
        let inner = format!(
            "<p><strong>{}</strong> asks to act for <strong>{}</strong>:</p><ul>{list}</ul>{extra}\
             <p><button name=\"action\" value=\"approve\">Allow</button> \
             <button name=\"action\" value=\"deny\">Deny</button></p>",
            escape(client),
            escape(&self.name)
        );
        self.form_page(StatusCode::OK, "Allow access", action, carry, &inner)
    }

    /// A page that asks for the code a device shows.
    pub(super) fn user_code_page(&self, action: &str, words: &str, code: &str) -> Response {
        let inner = format!(
            "<p role=\"alert\">{}</p><p><label>Code on the device <input name=\"user_code\" value=\"{}\" required>\
             </label></p><p><button name=\"action\" value=\"find\">Go on</button></p>",
            escape(words),
            escape(code)
        );
        self.form_page(StatusCode::OK, "Connect a device", action, &Form::default(), &inner)
    }
}

/// A hidden field.
pub(super) fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value))
}

/// A page of words only.
pub(super) fn words(status: StatusCode, title: &str, text: &str) -> Response {
    page(status, title, &format!("<h1>{}</h1><p>{}</p>", escape(title), escape(text)))
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{}</title></head><body>{body}</body></html>",
        escape(title)
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (status, headers, html).into_response()
}

/// Goes on elsewhere, with GET.
pub(super) fn see_other(to: &str, set_cookie: Option<HeaderValue>) -> Response {
    let Ok(location) = HeaderValue::try_from(to) else {
        return words(StatusCode::BAD_REQUEST, "Not possible", "the address is none");
    };
    let headers =
        [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    let mut response = (StatusCode::SEE_OTHER, headers).into_response();
    if let Some(cookie) = set_cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
