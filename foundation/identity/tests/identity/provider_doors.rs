//! Sign-in through an outside provider, at the doors: what each answer of a provider is enough for. The provider here is made
//! up, and says whatever a test wants; real ones stand in acceptance/test_provider.py.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use decalog_identity::api::provider::{Accounts, Beside, Fetch, Fetched, Fetching, Provider, Secret};
use decalog_identity::engine::{pkce, totp};
use decalog_identity::value::SECOND;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use crate::authenticator::PRESENT;
use crate::desk::{Answer, Place, Visitor};
use crate::doors::Scene;
use crate::passkeys::offered;

const THERE: &str = "https://there.example";
const START: &str = "/oauth/providers/there/start?back=/oauth/device";
const BACK: &str = "/oauth/providers/there/callback";

/// A provider that answers as it is told.
pub(crate) struct There {
    key: Ed25519KeyPair,
    said: Mutex<Said>,
}

#[derive(Default)]
struct Said {
    /// Code → what its ID token says, and the PKCE challenge that belongs to it.
    codes: BTreeMap<String, (Value, String)>,
    kid: String,
    down: bool,
    asked: BTreeMap<String, u32>,
}

impl There {
    fn new() -> Arc<There> {
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
        Arc::new(There { key, said: Mutex::new(Said { kid: "k1".to_owned(), ..Said::default() }) })
    }

    fn said(&self) -> std::sync::MutexGuard<'_, Said> {
        self.said.lock().expect("nobody panicked")
    }

    fn token(&self, claims: &Value, kid: &str) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({ "alg": "EdDSA", "kid": kid, "typ": "JWT" });
        let signed = format!("{}.{}", encode(&header), encode(claims));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes())))
    }

    fn answer(&self, url: &str, fields: &BTreeMap<&str, &str>) -> (u16, Value) {
        let mut said = self.said();
        *said.asked.entry(url.to_owned()).or_default() += 1;
        match url.strip_prefix(THERE).unwrap_or_default() {
            "/.well-known/openid-configuration" => (
                200,
                json!({
                    "issuer": THERE,
                    "authorization_endpoint": format!("{THERE}/authorize"),
                    "token_endpoint": format!("{THERE}/token"),
                    "jwks_uri": format!("{THERE}/keys"),
                    "authorization_response_iss_parameter_supported": true,
                }),
            ),
            "/keys" => {
                let x = URL_SAFE_NO_PAD.encode(self.key.public_key().as_ref());
                (200, json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": said.kid, "x": x }] }))
            }
            "/token" => {
                let Some((claims, challenge)) = fields.get("code").and_then(|code| said.codes.remove(*code))
                else {
                    return (400, json!({ "error": "invalid_grant" }));
                };
                let shown = fields.get("code_verifier").and_then(|verifier| pkce::challenge_of(verifier));
                if shown.is_none() || shown != pkce::read_challenge(&challenge) {
                    return (400, json!({ "error": "invalid_grant" }));
                }
                (200, json!({ "id_token": self.token(&claims, &said.kid), "access_token": "a" }))
            }
            _ => (404, Value::Null),
        }
    }
}

impl Fetch for There {
    fn get<'a>(&'a self, url: &'a str, _: Option<&'a str>) -> Fetching<'a> {
        self.post_form(url, &[], None)
    }

    fn post_form<'a>(
        &'a self,
        url: &'a str,
        fields: &'a [(&'a str, &'a str)],
        _: Option<&'a str>,
    ) -> Fetching<'a> {
        Box::pin(async move {
            if self.said().down {
                return Err("connection refused".to_owned());
            }
            let (status, body) = self.answer(url, &fields.iter().copied().collect());
            Ok(Fetched { status, body: body.to_string().into_bytes() })
        })
    }
}

/// A server that knows a provider, and the provider.
struct Stage {
    scene: Scene,
    there: Arc<There>,
}

fn provider() -> Provider {
    Provider {
        name: "there".to_owned(),
        label: "There & Co".to_owned(),
        issuer: THERE.to_owned(),
        client_id: "us".to_owned(),
        client_secret: Some(Secret::new("a secret of ours")),
        scopes: vec!["openid".to_owned()],
        accounts: Accounts::Linked,
        email_domains: [].into(),
        second_factor: Beside::Ask,
    }
}

impl Stage {
    fn with(provider: Provider) -> Stage {
        let there = There::new();
        let mut place = Place::known_as("https://id.example");
        place.providers = vec![provider];
        place.fetch = there.clone();
        Stage { scene: Scene::at(place), there }
    }

    fn open() -> Stage {
        Stage::with(Provider { accounts: Accounts::Open, ..provider() })
    }

    fn get(&self, visitor: &mut Visitor, path: &str) -> Answer {
        visitor.get(&self.scene.place, &self.scene.desk, path)
    }

    fn post(&self, visitor: &mut Visitor, path: &str, fields: &[(&str, &str)]) -> Answer {
        visitor.post(&self.scene.place, &self.scene.desk, path, fields)
    }

    /// The provider says yes to what a browser was sent with: the way back. `more` changes what its ID token says.
    fn says(&self, sent: &Answer, subject: &str, more: Value) -> String {
        let now = 1_700_000_000_i64;
        let mut claims = json!({
            "iss": THERE, "sub": subject, "aud": "us", "iat": now, "exp": now + 300, "nonce": sent.sent("nonce"),
        });
        for (name, value) in more.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        let mut said = self.there.said();
        let code = format!("code{}{subject}", said.codes.len());
        let challenge = sent.sent("code_challenge").unwrap_or_else(|| panic!("not sent away: {}", sent.text));
        said.codes.insert(code.clone(), (claims, challenge));
        let state = sent.sent("state").expect("a state");
        let mut query = form_urlencoded::Serializer::new(format!("{BACK}?"));
        query.extend_pairs([("state", &*state), ("code", &*code), ("iss", THERE)]);
        query.finish()
    }

    /// There and back.
    fn visit(&self, visitor: &mut Visitor, subject: &str, more: Value) -> Answer {
        let sent = self.get(visitor, START);
        let back = self.says(&sent, subject, more);
        self.get(visitor, &back)
    }

    fn signed_in(&self, visitor: &mut Visitor) -> bool {
        self.get(visitor, "/oauth/device").text.contains("Code on the device")
    }

    fn count(&self, outcome: &str) -> u64 {
        let all = self.scene.desk.identity.provider_sign_ins();
        all.iter().find(|(_, name, _)| *name == outcome).map_or(0, |(.., count)| *count)
    }

    /// The first account's owner signs in by password and links their account.
    fn link(&self, visitor: &mut Visitor, subject: &str) -> Answer {
        let page = self.get(visitor, "/oauth/providers");
        let csrf = page.field("csrf");
        let (name, password) = (&*self.scene.name, &*self.scene.password);
        let sign_in = [("action", "sign-in"), ("csrf", &*csrf), ("username", name), ("password", password)];
        assert_eq!(self.post(visitor, "/oauth/providers", &sign_in).status, StatusCode::SEE_OTHER);
        let sent = self.ask_to_link(visitor, &[("password", password)]);
        let back = self.says(&sent, subject, json!({}));
        self.get(visitor, &back)
    }

    fn ask_to_link(&self, visitor: &mut Visitor, proof: &[(&str, &str)]) -> Answer {
        let csrf = self.get(visitor, "/oauth/providers").field("csrf");
        let fields = [&[("action", "link there"), ("csrf", &*csrf)], proof].concat();
        self.post(visitor, "/oauth/providers", &fields)
    }
}

#[test]
fn who_linked_their_account_signs_in_and_who_did_not_does_not() {
    let stage = Stage::with(provider());
    let mut visitor = Visitor::default();
    let page = self::Stage::get(&stage, &mut visitor, "/oauth/device");
    assert!(page.text.contains("Sign in with There &amp; Co"), "{}", page.text);
    let mut stranger = Visitor::default();
    let more = json!({ "preferred_username": stage.scene.name, "email": "admin@there.example", "email_verified": true });
    let refused = stage.visit(&mut stranger, "s1", more);
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "a name and an address are no link: {}", refused.text);
    assert!(refused.text.contains("no account here is linked"), "{}", refused.text);
    assert!(!stage.signed_in(&mut stranger));
    let linked = stage.link(&mut visitor, "s1");
    assert!(linked.text.contains("You can sign in with There &amp; Co"), "{}", linked.text);
    let mut other = Visitor::default();
    let entered = stage.visit(&mut other, "s1", json!({}));
    assert_eq!(
        (entered.status, entered.location()),
        (StatusCode::SEE_OTHER, "/oauth/device"),
        "{}",
        entered.text
    );
    assert!(stage.signed_in(&mut other));
    let mut third = Visitor::default();
    assert_eq!(stage.visit(&mut third, "s2", json!({})).status, StatusCode::FORBIDDEN);
    assert_eq!((stage.count("linked"), stage.count("signed-in"), stage.count("unknown")), (1, 1, 2));
    assert_eq!(stage.there.said().asked[&format!("{THERE}/keys")], 1, "keys are kept");
    let token = stage.scene.admin();
    let list = stage.scene.get("/v1/me/providers", &token).json();
    assert_eq!(list["providers"], json!([{ "name": "there", "label": "There & Co" }]));
    let link = &list["links"][0];
    assert_eq!(
        (&link["provider"], &link["subject"], &link["used"]),
        (&json!("there"), &json!("s1"), &json!(1_700_000_000))
    );
    let path = format!("/v1/me/providers/{}", link["id"].as_str().expect("an id"));
    let unlink =
        |proof: Value| stage.scene.place.api(&stage.scene.desk, Method::DELETE, &path, &token, &proof);
    assert_eq!(unlink(json!({ "password": "wrong" })).status, StatusCode::FORBIDDEN);
    assert_eq!(unlink(json!({ "password": stage.scene.password })).status, StatusCode::NO_CONTENT);
    assert_eq!(unlink(json!({ "password": stage.scene.password })).status, StatusCode::NOT_FOUND);
    assert_eq!(stage.visit(&mut Visitor::default(), "s1", json!({})).status, StatusCode::FORBIDDEN);
}

#[test]
fn a_link_needs_a_proof_and_its_own_session() {
    let stage = Stage::with(provider());
    let mut visitor = Visitor::default();
    assert_eq!(stage.link(&mut visitor, "s1").status, StatusCode::OK);
    assert_eq!(stage.ask_to_link(&mut visitor, &[]).status, StatusCode::FORBIDDEN);
    assert_eq!(stage.ask_to_link(&mut visitor, &[("password", "wrong")]).status, StatusCode::FORBIDDEN);
    assert_eq!(stage.ask_to_link(&mut visitor, &[("passkey", "{}")]).status, StatusCode::FORBIDDEN);
    // Who comes back to sign in is not linked, however signed in the browser is.
    let again = stage.visit(&mut visitor, "s2", json!({}));
    assert_eq!(again.status, StatusCode::FORBIDDEN);
    // And a link that was begun belongs to the account that began it.
    let password = stage.scene.password.clone();
    let sent = stage.ask_to_link(&mut visitor, &[("password", &*password)]);
    let back = stage.says(&sent, "s3", json!({}));
    visitor.cookies.remove("decalog_session");
    let refused = stage.get(&mut visitor, &back);
    assert_eq!(
        (refused.status, stage.count("foreign-state")),
        (StatusCode::BAD_REQUEST, 1),
        "{}",
        refused.text
    );
    let taken = stage.link(&mut visitor, "s1");
    assert_eq!(taken.status, StatusCode::CONFLICT, "{}", taken.text);
}

#[test]
pub(crate) fn an_answer_counts_in_the_browser_that_asked() {
    let stage = Stage::open();
    let mut mallory = Visitor::default();
    let sent = stage.get(&mut mallory, START);
    let back = stage.says(&sent, "mallory", json!({}));
    // Mallory does not follow the way back but has somebody else do it: they would be in Mallory's account.
    let mut ada = Visitor::default();
    stage.get(&mut ada, "/oauth/device");
    let refused = stage.get(&mut ada, &back);
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    assert!(!stage.signed_in(&mut ada));
    assert_eq!(stage.count("foreign-state"), 1);
    assert_eq!(stage.get(&mut mallory, &back).status, StatusCode::SEE_OTHER, "in its own browser it counts");
    let replayed = stage.get(&mut mallory, &back);
    assert_eq!((replayed.status, stage.count("used-state")), (StatusCode::BAD_REQUEST, 1), "once");
}

#[test]
fn a_code_that_was_given_to_another_browser_is_refused() {
    let stage = Stage::open();
    let mut ada = Visitor::default();
    let sent = stage.get(&mut ada, START);
    let stolen = stage.says(&sent, "ada", json!({}));
    let code = stolen.split("code=").nth(1).and_then(|rest| rest.split('&').next()).expect("a code");
    let mut mallory = Visitor::default();
    let state = stage.get(&mut mallory, START).sent("state").expect("a state");
    let injected = stage.get(&mut mallory, &format!("{BACK}?state={state}&code={code}&iss={THERE}"));
    assert_eq!(
        (injected.status, stage.count("code-refused")),
        (StatusCode::BAD_REQUEST, 1),
        "{}",
        injected.text
    );
    assert!(!stage.signed_in(&mut mallory));
}

#[test]
fn what_a_provider_must_not_say_is_refused_and_counted() {
    let stage = Stage::open();
    for (more, outcome) in [
        (json!({ "nonce": "another" }), "token-nonce"),
        (json!({ "aud": "them" }), "token-audience"),
        (json!({ "iss": "https://elsewhere.example" }), "token-issuer"),
        (json!({ "exp": 1_699_999_000 }), "token-expired"),
        (json!({ "iat": 1_699_990_000 }), "token-moment"),
        (json!({ "sub": "" }), "token-subject"),
    ] {
        let mut visitor = Visitor::default();
        let refused = stage.visit(&mut visitor, "s1", more);
        assert_eq!(
            (refused.status, stage.count(outcome)),
            (StatusCode::BAD_REQUEST, 1),
            "{outcome}: {}",
            refused.text
        );
        assert!(refused.text.contains("Sign in otherwise") && !stage.signed_in(&mut visitor), "{outcome}");
    }
    let mut visitor = Visitor::default();
    let sent = stage.get(&mut visitor, START);
    let back =
        stage.says(&sent, "s1", json!({})).replace("iss=https%3A%2F%2Fthere", "iss=https%3A%2F%2Felsewhere");
    assert_eq!(stage.get(&mut visitor, &back).status, StatusCode::BAD_REQUEST);
    let sent = stage.get(&mut visitor, START);
    let back = stage.says(&sent, "s1", json!({}));
    let unsaid = back.split("&iss=").next().expect("the rest");
    assert_eq!(
        (stage.get(&mut visitor, unsaid).status, stage.count("other-issuer")),
        (StatusCode::BAD_REQUEST, 2)
    );
    let state = stage.get(&mut visitor, START).sent("state").expect("a state");
    let denied =
        stage.get(&mut visitor, &format!("{BACK}?state={state}&error=access_denied%3Cb%3E&iss={THERE}"));
    assert_eq!((denied.status, stage.count("denied")), (StatusCode::FORBIDDEN, 1));
    assert!(denied.text.contains("access_deniedb") && !denied.text.contains("<b>"), "{}", denied.text);
    for back in
        [BACK.to_owned(), format!("{BACK}?state=AAAA&code=1"), format!("{BACK}?state=%C3%A4%C3%B6&code=1")]
    {
        assert_eq!(stage.get(&mut visitor, &back).status, StatusCode::BAD_REQUEST, "{back}");
    }
    for start in
        ["https://evil.example", "//evil.example", "/oauth/device%5Cevil", "/v1/me", "/oauth/device/../x"]
    {
        let start = format!("/oauth/providers/there/start?back={start}");
        assert_eq!(stage.get(&mut visitor, &start).status, StatusCode::BAD_REQUEST, "{start}");
    }
    assert_eq!(stage.get(&mut visitor, "/oauth/providers/nobody/start").status, StatusCode::NOT_FOUND);
}

#[test]
fn an_answer_comes_within_five_minutes() {
    let stage = Stage::open();
    let mut visitor = Visitor::default();
    let sent = stage.get(&mut visitor, START);
    let back = stage.says(&sent, "s1", json!({}));
    stage.scene.place.clock.advance(300 * SECOND);
    let late = stage.get(&mut visitor, &back);
    assert_eq!((late.status, stage.count("ended-state")), (StatusCode::BAD_REQUEST, 1), "{}", late.text);
}

#[test]
fn strangers_get_an_account_of_their_own_where_they_are_welcome() {
    let stage = Stage::with(Provider {
        accounts: Accounts::Open,
        email_domains: ["example.org".to_owned()].into(),
        ..provider()
    });
    let who = |email: &str| json!({ "preferred_username": "Admin", "email": email, "email_verified": true });
    for email in ["a@evil.example", "a@example.org.evil.example", "a@sub.example.org", "example.org"] {
        let refused = stage.visit(&mut Visitor::default(), "s1", who(email));
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{email}: {}", refused.text);
    }
    let mut unverified = who("a@example.org");
    unverified["email_verified"] = false.into();
    assert_eq!(stage.visit(&mut Visitor::default(), "s1", unverified).status, StatusCode::FORBIDDEN);
    assert_eq!(stage.count("email-domain"), 5);
    let mut visitor = Visitor::default();
    assert_eq!(stage.visit(&mut visitor, "s1", who("a@Example.org")).status, StatusCode::SEE_OTHER);
    let page = stage.get(&mut visitor, "/oauth/providers");
    assert!(page.text.contains("sign in to admin-2"), "the name was taken: {}", page.text);
    let mut again = Visitor::default();
    assert_eq!(stage.visit(&mut again, "s1", who("a@example.org")).status, StatusCode::SEE_OTHER);
    assert_eq!((stage.count("opened"), stage.count("signed-in")), (1, 1), "the same account");
    let token = stage.scene.admin();
    let accounts = stage.scene.get("/v1/admin/accounts", &token).json();
    let opened = accounts["accounts"].as_array().expect("a list").iter().find(|one| one["name"] == "admin-2");
    assert_eq!(opened.expect("the account")["roles"], json!(["user"]), "no administrator");
    // Having signed in just now is the proof of who has neither password nor passkey, for five minutes.
    let link =
        page.text.split("value=\"unlink ").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
    let unlink = |visitor: &mut Visitor| {
        let csrf = stage.get(visitor, "/oauth/providers").field("csrf");
        let fields = [("action", &*format!("unlink {link}")), ("csrf", &*csrf)];
        stage.post(visitor, "/oauth/providers", &fields)
    };
    let last = unlink(&mut visitor);
    assert_eq!(last.status, StatusCode::CONFLICT, "{}", last.text);
    stage.scene.place.clock.advance(301 * SECOND);
    let late = unlink(&mut visitor);
    assert!(
        late.status == StatusCode::FORBIDDEN && late.text.contains("more than five minutes"),
        "{}",
        late.text
    );
}

fn totp_of(stage: &Stage, token: &str) -> Vec<u8> {
    let call =
        |method, body: Value| stage.scene.place.api(&stage.scene.desk, method, "/v1/me/totp", token, &body);
    let enrolled = call(Method::POST, json!({ "password": stage.scene.password }));
    let secret = crate::passkeys::decode_base32(&enrolled.text_of("secret"));
    let code = totp::code(&secret, 1_700_000_000 / totp::STEP, totp::DIGITS);
    assert_eq!(call(Method::PUT, json!({ "code": code })).status, StatusCode::OK);
    secret
}

#[test]
fn the_second_factor_is_asked_for_on_a_page_of_its_own() {
    let stage = Stage::with(provider());
    stage.link(&mut Visitor::default(), "s1");
    let token = stage.scene.admin();
    let secret = totp_of(&stage, &token);
    let mut visitor = Visitor::default();
    let page = stage.visit(&mut visitor, "s1", json!({}));
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(page.text.contains("Second factor") && !stage.signed_in(&mut visitor));
    let carried: Vec<(String, String)> =
        ["csrf", "back", "account", "link", "ticket"].map(|name| (name.to_owned(), page.field(name))).into();
    let send = |visitor: &mut Visitor, more: &[(&str, &str)]| {
        let mut fields: BTreeMap<&str, &str> =
            carried.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fields.extend(more.iter().copied());
        stage.post(visitor, BACK, &fields.into_iter().collect::<Vec<_>>())
    };
    let code = totp::code(&secret, 1_700_000_000 / totp::STEP + 1, totp::DIGITS);
    let nothing = send(&mut visitor, &[]);
    assert!(nothing.status == StatusCode::OK && !stage.signed_in(&mut visitor), "{}", nothing.text);
    assert_eq!(send(&mut visitor, &[("otp", "000000")]).status, StatusCode::UNAUTHORIZED);
    let mut other = Visitor::default();
    let others = stage.get(&mut other, "/oauth/device").field("csrf");
    let refused = send(&mut other, &[("otp", &code), ("csrf", &others)]);
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "another browser");
    assert!(!refused.text.contains("ticket"), "and nothing to go on with: {}", refused.text);
    let account = carried[2].1.parse::<u64>().expect("an id") + 1;
    let bent = send(&mut visitor, &[("otp", &code), ("account", &account.to_string())]);
    assert!(bent.status == StatusCode::UNAUTHORIZED && !bent.text.contains("ticket"), "{}", bent.text);
    let entered = send(&mut visitor, &[("otp", &code)]);
    assert_eq!(
        (entered.status, entered.location()),
        (StatusCode::SEE_OTHER, "/oauth/device"),
        "{}",
        entered.text
    );
    assert!(stage.signed_in(&mut visitor));
    stage.scene.place.clock.advance(300 * SECOND);
    let late = send(&mut Visitor { cookies: visitor.cookies.clone() }, &[("otp", &code)]);
    assert_eq!(late.status, StatusCode::UNAUTHORIZED, "five minutes are over");
    let failures = stage.scene.desk.identity.failed_logons();
    assert_eq!(failures, (0, 1), "a wrong code is a failed logon");
}

#[test]
fn a_passkey_is_the_second_factor_after_a_providers_word_and_of_that_word_only() {
    let stage = Stage::with(provider());
    stage.link(&mut Visitor::default(), "s1");
    let token = stage.scene.admin();
    let (mut authenticator, _) = stage.scene.add(&token);
    authenticator.flags = PRESENT;
    let mut visitor = Visitor::default();
    let page = stage.visit(&mut visitor, "s1", json!({}));
    let options = offered(&page);
    assert_eq!(options["allowCredentials"].as_array().map(Vec::len), Some(1), "{}", page.text);
    let shown = authenticator.get(&options).to_string();
    let names = ["csrf", "back", "account", "link", "ticket"];
    let fields: Vec<(&str, String)> = names.into_iter().map(|name| (name, page.field(name))).collect();
    let with = |more: &[(&'static str, &str)]| -> Vec<(&str, String)> {
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let kept = fields.iter().filter(|(name, _)| !more.clone().any(|(other, _)| other == *name)).cloned();
        kept.chain(more.clone()).collect()
    };
    let send = |visitor: &mut Visitor, fields: Vec<(&str, String)>| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        stage.post(visitor, BACK, &fields)
    };
    // What was signed for this page is no sign-in elsewhere, and no page goes on without a provider's word.
    let csrf = page.field("csrf");
    let alone = [("action", "passkey"), ("csrf", &*csrf), ("passkey", &*shown)];
    assert_eq!(stage.post(&mut visitor, "/oauth/device", &alone).status, StatusCode::UNAUTHORIZED);
    let challenge = options["challenge"].as_str().expect("a challenge").to_owned();
    for ticket in ["", "AAAA", &*challenge] {
        let refused = send(&mut visitor, with(&[("ticket", ticket), ("passkey", &shown)]));
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{ticket}");
        assert!(!refused.text.contains("data-options"), "no challenge without a word: {}", refused.text);
    }
    for bad in ["{}", "[]", "x"] {
        assert_eq!(send(&mut visitor, with(&[("passkey", bad)])).status, StatusCode::UNAUTHORIZED, "{bad}");
    }
    let entered = send(&mut visitor, with(&[("passkey", &shown)]));
    assert_eq!(
        (entered.status, entered.location()),
        (StatusCode::SEE_OTHER, "/oauth/device"),
        "{}",
        entered.text
    );
    assert!(stage.signed_in(&mut visitor));
    let again = send(&mut visitor, with(&[("passkey", &shown)]));
    assert_eq!(again.status, StatusCode::UNAUTHORIZED, "signed once, shown twice");
}

#[test]
fn an_operator_may_leave_the_second_factor_to_a_provider() {
    let stage = Stage::with(Provider { second_factor: Beside::Trusted, ..provider() });
    stage.link(&mut Visitor::default(), "s1");
    let token = stage.scene.admin();
    totp_of(&stage, &token);
    let mut visitor = Visitor::default();
    assert_eq!(stage.visit(&mut visitor, "s1", json!({})).status, StatusCode::SEE_OTHER);
    assert!(stage.signed_in(&mut visitor));
}

#[test]
fn a_provider_that_is_gone_is_said_to_be_and_a_key_that_is_new_is_found() {
    let stage = Stage::open();
    stage.there.said().down = true;
    let mut visitor = Visitor::default();
    let gone = stage.get(&mut visitor, START);
    assert_eq!(gone.status, StatusCode::SERVICE_UNAVAILABLE, "{}", gone.text);
    assert!(gone.text.contains("cannot be reached") && gone.text.contains("/oauth/device"), "{}", gone.text);
    stage.there.said().down = false;
    assert_eq!(
        stage.get(&mut visitor, START).status,
        StatusCode::SERVICE_UNAVAILABLE,
        "not asked at once again"
    );
    stage.scene.place.clock.advance(5 * SECOND);
    assert_eq!(stage.visit(&mut visitor, "s1", json!({})).status, StatusCode::SEE_OTHER);
    // A new key: known keys serve an hour, and one that is not among them is looked for once a minute.
    stage.there.said().kid = "k2".to_owned();
    let keys = || stage.there.said().asked[&format!("{THERE}/keys")];
    assert_eq!(keys(), 1);
    let early = stage.visit(&mut Visitor::default(), "s1", json!({}));
    assert_eq!((early.status, stage.count("token-key"), keys()), (StatusCode::BAD_REQUEST, 1, 1));
    stage.scene.place.clock.advance(60 * SECOND);
    assert_eq!(stage.visit(&mut Visitor::default(), "s1", json!({})).status, StatusCode::SEE_OTHER);
    assert_eq!(keys(), 2);
    // Its description serves on for a day where it cannot be had again.
    stage.scene.place.clock.advance(3_600 * SECOND);
    stage.there.said().down = true;
    assert_eq!(stage.get(&mut Visitor::default(), START).status, StatusCode::SEE_OTHER);
    stage.scene.place.clock.advance(86_400 * SECOND);
    assert_eq!(stage.get(&mut Visitor::default(), START).status, StatusCode::SERVICE_UNAVAILABLE);
}
