//! Sign-in through an outside provider, as a browser sees it: the way there, the way back, and the second factor.
//!
//! Where it goes on afterwards is one of our own pages; it waits in a cookie of its own, since the `state` that travels has
//! no room for it. Whatever goes wrong is said on a page from which one can sign in otherwise, and counted.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::form::{Form, From, Query, cookie};
use super::page::{
    ANEW, Browser, OWN, SESSION, escape, hidden, link, not_from_here, passkey_button, see_other, words,
    words_and_link,
};
use super::{Shared, authorize, device, failed, passkeys, providers};
use crate::api::logon::{NoLogon, Wish};
use crate::api::provider::{CameBack, Known, NotIn, NotRecognised, Task, Ticket};
use crate::api::random;
use crate::api::service::{Identity, seconds};
use crate::value::Device;

/// Begins the names of the cookies that say where to go on; the rest is the beginning of the `state`.
const BACK: &str = "decalog_back_";
/// Letters of the `state` in such a name.
const NAMED_BY: usize = 16;
/// The longest address to go on to.
const LONGEST_BACK: usize = 2_500;

/// Where a page goes on after a sign-in: itself, with what it carries.
pub(super) fn back_to(path: &str, carry: &Form) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(carry.pairs().filter(|(name, _)| !ANEW.contains(name) && !OWN.contains(name)));
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// The same when it comes from outside: only a page of our own.
fn is_own_page(back: &str) -> bool {
    let path = back.split('?').next().unwrap_or_default();
    let own = [authorize::PATH, device::PATH, passkeys::PATH, providers::PATH];
    back.len() <= LONGEST_BACK && own.contains(&path) && back.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The links that a sign-in page offers.
pub(super) fn buttons(identity: &Identity, back: &str) -> String {
    let one = |provider: &Known| {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("back", back).finish();
        let address = format!("{}/{}/start?{query}", providers::PATH, provider.settings.name);
        format!("<p>{}</p>", link(&address, &format!("Sign in with {}", provider.settings.label)))
    };
    identity.providers.all().map(one).collect()
}

fn no_provider() -> Response {
    words(StatusCode::NOT_FOUND, "No such provider", "nobody signs in here through a provider of this name")
}

/// The cookie that says where to go on, or that ends it.
fn back_cookie(browser: &Browser, state: &str, back: &str) -> HeaderValue {
    let name = format!("{BACK}{}", state.get(..NAMED_BY).unwrap_or_default());
    let age = if back.is_empty() { 0 } else { 300 };
    browser.cookie_for(&name, &URL_SAFE_NO_PAD.encode(back), &format!("; Max-Age={age}"))
}

fn read_back(headers: &HeaderMap, state: &str) -> Option<String> {
    let name = format!("{BACK}{}", state.get(..NAMED_BY)?);
    let back = URL_SAFE_NO_PAD.decode(cookie(headers, &name)?).ok()?;
    String::from_utf8(back).ok().filter(|back| is_own_page(back))
}

pub(super) async fn start(
    State(identity): State<Shared>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    Query(form): Query,
) -> Result<Response, Response> {
    let provider = identity.providers.named(&provider).ok_or_else(no_provider)?;
    let back = form.get("back").unwrap_or(providers::PATH);
    if !is_own_page(back) {
        let text = "it does not say which of our pages to go on to";
        return Err(words(StatusCode::BAD_REQUEST, "This link does not work", text));
    }
    let browser = identity.browser(&headers).await.map_err(failed)?;
    Ok(identity.send_away(&browser, provider, Task::SignIn, back).await)
}

pub(super) async fn come_back(
    State(identity): State<Shared>,
    Path(provider): Path<String>,
    From(device): From,
    headers: HeaderMap,
    Query(form): Query,
) -> Result<Response, Response> {
    let provider = identity.providers.named(&provider).ok_or_else(no_provider)?;
    let browser = identity.browser(&headers).await.map_err(failed)?;
    let state = form.get("state").unwrap_or_default();
    let back = read_back(&headers, state).unwrap_or_else(|| providers::PATH.to_owned());
    let mut response = identity.take_back(&browser, provider, &form, device, &back).await;
    if read_back(&headers, state).is_some() {
        response.headers_mut().append(header::SET_COOKIE, back_cookie(&browser, state, ""));
    }
    Ok(response)
}

/// The second factor, after the provider's word.
pub(super) async fn complete(
    State(identity): State<Shared>,
    Path(provider): Path<String>,
    From(device): From,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Response> {
    let provider = identity.providers.named(&provider).ok_or_else(no_provider)?;
    let browser = identity.browser(&headers).await.map_err(failed)?;
    if !browser.sent(&form) {
        return Err(not_from_here());
    }
    let back = form.get("back").filter(|back| is_own_page(back)).unwrap_or(providers::PATH);
    let number = |name| form.get(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    let (holder, carried) = (browser.holder(), form.get("ticket").unwrap_or_default());
    let ticket = match identity.read_ticket(number("account"), number("link"), carried, holder) {
        Ok(ticket) => ticket,
        Err(_) => return Ok(too_late(provider, back)),
    };
    let (text, hash) = random::secret();
    let wish = Wish { secret: Some(hash), lifetime: identity.settings.logon_lifetime, ..Wish::default() };
    let done = match form.get("passkey").map(serde_json::from_str) {
        Some(Ok(shown)) => identity.complete_with_passkey(ticket, &shown, holder, device, wish).await,
        Some(Err(_)) => Err(NotIn::Logon(NoLogon::Wrong)),
        None => identity.complete_with_code(ticket, form.get("otp"), device, wish).await,
    };
    match done {
        Ok(()) => {
            provider.count("signed-in");
            Ok(see_other(back, Some(browser.cookie(SESSION, &text))))
        }
        Err(why) => Ok(identity.not_in(&browser, provider, back, why, Some((ticket, carried))).await),
    }
}

/// What a page carried counts no more, or never did.
fn too_late(provider: &Known, back: &str) -> Response {
    provider.count("second-factor-ended");
    let text = "That took too long, or was not asked for in this browser. Begin again.";
    other_ways(provider, StatusCode::UNAUTHORIZED, back, text)
}

impl Identity {
    /// Sends a browser to a provider.
    pub(super) async fn send_away(
        &self,
        browser: &Browser,
        provider: &Known,
        task: Task,
        back: &str,
    ) -> Response {
        let begun = self.providers.begin(provider, task, browser.holder(), &self.settings.issuer, self.now());
        match begun.await {
            Ok((address, state)) => {
                let mut response = see_other(&address, None);
                let cookies = response.headers_mut();
                cookies.append(header::SET_COOKIE, back_cookie(browser, &state, back));
                if let Some(form) = browser.fresh_cookie() {
                    cookies.append(header::SET_COOKIE, form);
                }
                response
            }
            Err(why) => not_recognised(provider, back, &why),
        }
    }

    async fn take_back(
        &self,
        browser: &Browser,
        provider: &Known,
        form: &Form,
        device: Device,
        back: &str,
    ) -> Response {
        let owner = self.owner(browser);
        let tasks: Vec<Task> =
            owner.iter().map(|owner| Task::Link { account: owner.account }).chain([Task::SignIn]).collect();
        let came = CameBack {
            state: form.get("state"),
            code: form.get("code"),
            error: form.get("error"),
            issuer: form.get("iss"),
        };
        let (holder, own) = (browser.holder(), &self.settings.issuer);
        let arrived = match self.providers.come_back(provider, &came, &tasks, holder, own, self.now()).await {
            Ok(arrived) => arrived,
            Err(why) => return not_recognised(provider, back, &why),
        };
        match (arrived.task, owner) {
            (Task::Link { .. }, Some(owner)) => {
                self.linked_page(browser, &owner, provider, &arrived.claims).await
            }
            _ => {
                let (text, hash) = random::secret();
                let lifetime = self.settings.logon_lifetime;
                let wish = Wish { secret: Some(hash), lifetime, ..Wish::default() };
                match self.log_on_with_provider(provider, &arrived.claims, device, wish).await {
                    Ok(opened) => {
                        provider.count(if opened { "opened" } else { "signed-in" });
                        see_other(back, Some(browser.cookie(SESSION, &text)))
                    }
                    Err(why) => self.not_in(browser, provider, back, why, None).await,
                }
            }
        }
    }

    /// Why somebody whom a provider knows is not signed in: a page, and with a second factor the way on. `again` is what was
    /// shown on that way already.
    async fn not_in(
        &self,
        browser: &Browser,
        provider: &Known,
        back: &str,
        why: NotIn,
        again: Option<(Ticket, &str)>,
    ) -> Response {
        let why = match why {
            NotIn::Unknown => {
                provider.count("unknown");
                let text = format!(
                    "{} knows you, but no account here is linked to you there. Sign in with your password or a passkey, and \
                     link it on the page of your account. An e-mail address alone links nothing.",
                    provider.settings.label
                );
                return other_ways(provider, StatusCode::FORBIDDEN, back, &text);
            }
            NotIn::SecondFactorNeeded(ticket) => {
                let words = if again.is_some() { "A code is needed." } else { "One step more." };
                if again.is_none() {
                    provider.count("second-factor");
                }
                let carried = match again {
                    Some((_, carried)) => carried.to_owned(),
                    None => self.carry_ticket(ticket, browser.holder()),
                };
                let asked = Asked { status: StatusCode::OK, words, back, ticket, carried: &carried };
                return self.factor_page(browser, provider, asked).await;
            }
            NotIn::Logon(why) => why,
        };
        match (why, again) {
            (NoLogon::Trouble(trouble), _) => failed(trouble),
            (NoLogon::Later(until), _) => {
                provider.count("locked");
                let wait = seconds(until - self.now()).max(1);
                let text = format!("Too many attempts. Try again in {wait} s.");
                other_ways(provider, StatusCode::TOO_MANY_REQUESTS, back, &text)
            }
            (NoLogon::Wrong, Some((ticket, carried))) => {
                provider.count("second-factor-wrong");
                let words = "The code is wrong, or the passkey not accepted.";
                let asked = Asked { status: StatusCode::UNAUTHORIZED, words, back, ticket, carried };
                self.factor_page(browser, provider, asked).await
            }
            (NoLogon::Ended, _) => too_late(provider, back),
            (NoLogon::Busy, _) => {
                let text = "Too many people sign in just now.";
                other_ways(provider, StatusCode::SERVICE_UNAVAILABLE, back, text)
            }
            (NoLogon::Wrong | NoLogon::SecondFactorNeeded { .. }, _) => {
                provider.count("refused");
                let text = "This account cannot be used just now: it may be shut out. Ask an administrator.";
                other_ways(provider, StatusCode::FORBIDDEN, back, text)
            }
        }
    }

    /// The page that asks for what else the account needs.
    async fn factor_page(&self, browser: &Browser, provider: &Known, asked: Asked<'_>) -> Response {
        let Asked { status, words, back, ticket, carried } = asked;
        let options = self.options_of(ticket.account(), ticket.purpose(), browser.holder()).await;
        let button = match options {
            Ok(options) => {
                options.map(|options| passkey_button("get", "passkey", "Use your passkey", &options))
            }
            Err(trouble) => return failed(trouble),
        };
        let fields = [
            hidden("back", back),
            hidden("account", &ticket.account().to_string()),
            hidden("link", &ticket.link().to_string()),
            hidden("ticket", carried),
        ];
        let inner = format!(
            "<p role=\"alert\">{}</p><p>{} says who you are. This account asks for its second factor, too.</p>{}{}\
             <p><label>Code of your authenticator app, or a recovery code \
             <input name=\"otp\" autocomplete=\"one-time-code\"></label></p>\
             <p><button name=\"action\" value=\"complete\">Sign in</button></p>",
            escape(words),
            escape(&provider.settings.label),
            fields.concat(),
            button.unwrap_or_default()
        );
        let action = format!("{}/{}/callback", providers::PATH, provider.settings.name);
        browser.form_page(status, "Second factor", &action, &Form::default(), &inner)
    }
}

/// What the page about the second factor says and carries.
struct Asked<'a> {
    status: StatusCode,
    words: &'a str,
    back: &'a str,
    ticket: Ticket,
    carried: &'a str,
}

/// A page that says why not, and leads back to the page that knows other ways.
fn other_ways(provider: &Known, status: StatusCode, back: &str, text: &str) -> Response {
    let title = format!("Not signed in with {}", provider.settings.label);
    words_and_link(status, &title, text, back, "Sign in otherwise")
}

/// A page that says why nobody is recognised; counted.
fn not_recognised(provider: &Known, back: &str, why: &NotRecognised) -> Response {
    provider.count(why.name());
    tracing::info!(provider = provider.settings.name, outcome = why.name(), %why, "a sign-in through a provider ends");
    let status = match why {
        NotRecognised::Busy | NotRecognised::Unreachable(_) => StatusCode::SERVICE_UNAVAILABLE,
        NotRecognised::Denied(_) | NotRecognised::Domain => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    };
    other_ways(provider, status, back, &format!("It did not work: {why}. Try again, or sign in otherwise."))
}
