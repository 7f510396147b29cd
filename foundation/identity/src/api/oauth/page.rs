//! The pages for people: what they are made of, consent, and what went wrong. Plain HTML; a page where a passkey can be
//! used has one script (`passkey.js`), and works without it but for that.
//!
//! A form counts only with a value that belongs to a cookie of the same browser, so that no other site can send it, and
//! no page may be framed. Everything shown is escaped; a script runs only with the page's own random nonce.

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::form::{Form, cookie};
use crate::api::random;
use crate::api::service::{Identity, Trouble};
use crate::engine::secret;

pub(super) const SESSION: &str = "decalog_session";
const FORM: &str = "decalog_form";
/// How a passkey's button begins: a page that has one gets the script. Nothing that is shown has a `<` of its own.
const PASSKEY_BUTTON: &str = "<button type=\"button\" hidden data-passkey=";
/// Where the script of pages with passkeys is.
pub(super) const SCRIPT: &str = "/oauth/passkey.js";
/// Fields of our own, which are not passed on from form to form.
pub(super) const OWN: [&str; 7] = ["csrf", "action", "username", "password", "otp", "user_code", "passkey"];

/// Fields that ask for a sign-in though there was one: done once, they are not passed on.
pub(super) const ANEW: [&str; 2] = ["prompt", "force_login"];

/// A browser: who is logged on in it, and what its forms carry.
pub(super) struct Browser {
    pub(super) session: Option<u64>,
    pub(super) name: String,
    form: String,
    fresh: bool,
    secure: bool,
}

/// Text that is safe between tags and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
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

    /// What only this browser can show again.
    pub(super) fn holder(&self) -> &str {
        &self.form
    }

    pub(super) fn cookie(&self, name: &str, value: &str) -> HeaderValue {
        self.cookie_for(name, value, "")
    }

    /// The same with another attribute.
    pub(super) fn cookie_for(&self, name: &str, value: &str, attribute: &str) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/oauth; HttpOnly; SameSite=Lax{secure}{attribute}");
        HeaderValue::try_from(text).expect("names and base64 are header values")
    }

    /// The cookie by which this browser is known, where it has none yet.
    pub(super) fn fresh_cookie(&self) -> Option<HeaderValue> {
        self.fresh.then(|| self.cookie(FORM, &self.form))
    }

    /// A page with a form that carries on what came with the request.
    pub(super) fn form_page(
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
        if let Some(cookie) = self.fresh_cookie() {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
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

/// A button that `passkey.js` shows where the browser knows passkeys: it makes one or has one used (`create`, `get`),
/// and sends the form with what came of it.
pub(super) fn passkey_button(ceremony: &str, action: &str, text: &str, options: &Value) -> String {
    format!(
        "<p>{PASSKEY_BUTTON}\"{ceremony}\" data-action=\"{action}\" data-options=\"{}\">{}\
         </button></p>",
        escape(&options.to_string()),
        escape(text)
    )
}

/// The script of those buttons.
pub(super) async fn script() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, include_str!("passkey.js"))
}

/// A hidden field.
pub(super) fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value))
}

/// A link to elsewhere.
pub(super) fn link(address: &str, text: &str) -> String {
    format!("<a href=\"{}\">{}</a>", escape(address), escape(text))
}

/// A page of words that leads on.
pub(super) fn words_and_link(
    status: StatusCode,
    title: &str,
    text: &str,
    address: &str,
    on: &str,
) -> Response {
    let body = format!(
        "<h1>{}</h1><p role=\"alert\">{}</p><p>{}</p>",
        escape(title),
        escape(text),
        link(address, on)
    );
    page(status, title, &body)
}

/// Why a form is not taken that was not filled in on a page of ours.
pub(super) fn not_from_here() -> Response {
    words(StatusCode::FORBIDDEN, "Not from here", "this form was not sent from our page: go back")
}

/// A page that shows a code, which people copy and programs find.
pub(super) fn code_page(code: &str) -> Response {
    let title = "Copy this into the program";
    page(StatusCode::OK, title, &format!("<h1>{title}</h1><p><code id=\"code\">{}</code></p>", escape(code)))
}

/// A page of words only.
pub(super) fn words(status: StatusCode, title: &str, text: &str) -> Response {
    page(status, title, &format!("<h1>{}</h1><p>{}</p>", escape(title), escape(text)))
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let (mut script, mut allowed) = (String::new(), String::new());
    if body.contains(PASSKEY_BUTTON) {
        let nonce = random::secret().0;
        script = format!("<script src=\"{SCRIPT}\" nonce=\"{nonce}\" defer></script>");
        allowed = format!("; script-src 'nonce-{nonce}'");
    }
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{}</title>{script}</head>\
         <body>{body}</body></html>",
        escape(title)
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let policy = format!("default-src 'none'{allowed}; base-uri 'none'; frame-ancestors 'none'");
    (status, headers, [(header::CONTENT_SECURITY_POLICY, policy)], html).into_response()
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
