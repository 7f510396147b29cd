//! The doors, from outside: sign in, consent, tokens, what is refused, and what nobody may get past.

use axum::http::{Method, StatusCode};
use decalog_gateway::access::{Credential, Denied};
use decalog_identity::value::SECOND;
use serde_json::{Value, json};

use crate::desk::{Answer, Desk, ISSUER, Place, Visitor};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const BACK: &str = "http://127.0.0.1:9/back";

/// A place whose first account is known.
pub(crate) struct Scene {
    pub(crate) place: Place,
    pub(crate) desk: Desk,
    pub(crate) name: String,
    pub(crate) password: String,
}

pub(crate) fn scene() -> Scene {
    Scene::at(Place::new())
}

impl Scene {
    pub(crate) fn at(place: Place) -> Scene {
        let desk = place.start();
        let first = desk.first.clone().expect("the first start makes an account");
        Scene { place, desk, name: first.name, password: first.password }
    }

    /// Stops in order and starts again.
    pub(crate) fn restart(&mut self) {
        self.desk.identity.stop();
        self.desk = self.place.start();
    }

    fn register(&self, more: Value) -> Answer {
        let mut body = json!({
            "client_name": "<b>An app</b>", "redirect_uris": [BACK], "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"], "scope": "openid profile a:read identity:admin",
        });
        for (name, value) in more.as_object().expect("an object") {
            body[name] = value.clone();
        }
        self.place.api(&self.desk, Method::POST, "/oauth/register", "", &body)
    }

    fn link(&self, client: &str) -> String {
        let mut query = form_urlencoded::Serializer::new("/oauth/authorize?".to_owned());
        query.extend_pairs([
            ("client_id", client),
            ("redirect_uri", BACK),
            ("response_type", "code"),
            ("scope", "openid profile a:read"),
            ("state", "s\"<>"),
            ("nonce", "n"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        query.finish()
    }

    /// Signs in on a page and answers the next one.
    pub(crate) fn sign_in(&self, visitor: &mut Visitor, link: &str) -> Answer {
        let page = visitor.get(&self.place, &self.desk, link);
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let mut fields = fields(&page);
        fields
            .extend([("action", "sign-in"), ("username", &self.name), ("password", &self.password)].map(own));
        let path = link.split('?').next().expect("a path");
        let sent = visitor.post(&self.place, &self.desk, path, &borrowed(&fields));
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
        visitor.get(&self.place, &self.desk, sent.location())
    }

    fn code(&self, client: &str) -> String {
        let mut visitor = Visitor::default();
        let consent = self.sign_in(&mut visitor, &self.link(client));
        assert!(consent.text.contains("&lt;b&gt;An app"), "names are escaped: {}", consent.text);
        let mut fields = fields(&consent);
        fields.push(own(("action", "approve")));
        let sent = visitor.post(&self.place, &self.desk, "/oauth/authorize", &borrowed(&fields));
        assert!(sent.location().starts_with(&format!("{BACK}?")), "{}", sent.text);
        assert_eq!(
            (sent.sent("state").as_deref(), sent.sent("iss").as_deref()),
            (Some("s\"<>"), Some(ISSUER))
        );
        sent.sent("code").expect("a code")
    }

    fn redeem(&self, client: &str, code: &str, verifier: &str) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", client),
            ("redirect_uri", BACK),
            ("code_verifier", verifier),
        ];
        self.place.post(&self.desk, "/oauth/token", &fields)
    }

    fn refresh(&self, client: &str, token: &str) -> Answer {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", client)];
        self.place.post(&self.desk, "/oauth/token", &fields)
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Answer {
        self.place.api(&self.desk, Method::GET, path, token, &Value::Null)
    }

    /// A token with all of the administrator's rights, by the device grant.
    pub(crate) fn admin(&self) -> String {
        let place = &self.place;
        let asked = place.post(&self.desk, "/oauth/device_authorization", &[("client_id", "decalog")]);
        let (device_code, user_code) = (asked.text_of("device_code"), asked.text_of("user_code"));
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", "decalog"),
            ("device_code", &device_code),
        ];
        let pending = place.post(&self.desk, "/oauth/token", &fields);
        assert_eq!(pending.text_of("error"), "authorization_pending");
        let mut visitor = Visitor::default();
        let page = self.sign_in(&mut visitor, "/oauth/device");
        let find =
            [("action", "find"), ("csrf", &*page.field("csrf")), ("user_code", &user_code.to_lowercase())];
        let consent = visitor.post(place, &self.desk, "/oauth/device", &find);
        assert!(consent.text.contains("identity:admin"), "{}", consent.text);
        let approve = [("action", "approve"), ("csrf", &*consent.field("csrf")), ("user_code", &user_code)];
        assert_eq!(visitor.post(place, &self.desk, "/oauth/device", &approve).status, StatusCode::OK);
        let given = place.post(&self.desk, "/oauth/token", &fields);
        assert_eq!(place.post(&self.desk, "/oauth/token", &fields).text_of("error"), "expired_token");
        given.text_of("access_token")
    }
}

pub(crate) fn own((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

pub(crate) fn borrowed(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// The hidden fields of a page, unescaped.
pub(crate) fn fields(page: &Answer) -> Vec<(String, String)> {
    let plain = |text: &str| {
        text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    };
    let inputs = page.text.split("<input type=\"hidden\" name=\"").skip(1);
    let read = |rest: &str| {
        let (name, rest) = rest.split_once("\" value=\"")?;
        Some((plain(name), plain(rest.split('"').next()?)))
    };
    inputs.filter_map(read).collect()
}

#[test]
fn a_person_gives_an_app_a_grant_and_a_stolen_refresh_token_ends_it() {
    let scene = scene();
    let client = scene.register(json!({})).text_of("client_id");
    let given = scene.redeem(&client, &scene.code(&client), VERIFIER);
    assert_eq!(given.status, StatusCode::OK, "{}", given.text);
    assert_eq!(given.text_of("scope"), "a:read openid profile", "administering is not for strangers' apps");
    let (access, refresh) = (given.text_of("access_token"), given.text_of("refresh_token"));
    assert_eq!(given.text_of("id_token").split('.').count(), 3);
    assert_eq!(scene.get("/v1/me", &access).text_of("name"), "admin");
    assert_eq!(scene.get("/oauth/userinfo", &access).text_of("preferred_username"), "admin");
    let forbidden = scene.get("/v1/admin/accounts", &access);
    assert_eq!(forbidden.status, StatusCode::FORBIDDEN);
    let second = scene.refresh(&client, &refresh);
    let newest = second.text_of("access_token");
    assert_eq!(scene.get("/v1/me", &newest).status, StatusCode::OK);
    assert_eq!(scene.refresh(&client, &refresh).text_of("error"), "invalid_grant");
    assert_eq!(
        scene.get("/v1/me", &newest).status,
        StatusCode::UNAUTHORIZED,
        "at once, though it has not expired"
    );
    assert_eq!(scene.refresh(&client, &second.text_of("refresh_token")).text_of("error"), "invalid_grant");
    let audit = scene.get("/v1/admin/audit?event=reuse-detected", &scene.admin()).json();
    assert_eq!(audit["events"].as_array().map(Vec::len), Some(1), "{audit}");
}

#[test]
fn a_code_counts_once_with_its_verifier_for_a_minute() {
    let scene = scene();
    let client = scene.register(json!({})).text_of("client_id");
    let code = scene.code(&client);
    let other = "a".repeat(43);
    assert_eq!(scene.redeem(&client, &code, &other).text_of("error"), "invalid_grant");
    let access = scene.redeem(&client, &code, VERIFIER).text_of("access_token");
    assert_eq!(scene.redeem(&client, &code, VERIFIER).text_of("error"), "invalid_grant");
    assert_eq!(
        scene.get("/v1/me", &access).status,
        StatusCode::UNAUTHORIZED,
        "a code that comes twice takes it back"
    );
    let late = scene.code(&client);
    scene.place.clock.advance(61 * SECOND);
    assert_eq!(scene.redeem(&client, &late, VERIFIER).text_of("error"), "invalid_grant");
}

#[test]
fn nothing_is_sent_to_an_address_that_is_not_the_clients() {
    let scene = scene();
    let client = scene.register(json!({})).text_of("client_id");
    let good = scene.link(&client);
    let mut visitor = Visitor::default();
    for wrong in [
        "http://127.0.0.1:9/back/",
        "http://127.0.0.1:9/back%2F..",
        "https://evil.example/",
        "http://127.0.0.1:9/bac",
    ] {
        let mut query = form_urlencoded::Serializer::new("/oauth/authorize?".to_owned());
        query.extend_pairs([("client_id", &*client), ("redirect_uri", wrong), ("response_type", "code")]);
        let answer = visitor.get(&scene.place, &scene.desk, &query.finish());
        assert_eq!((answer.status, answer.location()), (StatusCode::BAD_REQUEST, ""), "{wrong}");
    }
    for (part, with, error) in [
        ("response_type=code", "response_type=token", "unsupported_response_type"),
        ("code_challenge_method=S256", "code_challenge_method=plain", "invalid_request"),
        ("scope=openid", "scope=identity%3Aadmin", "invalid_scope"),
    ] {
        let answer = visitor.get(&scene.place, &scene.desk, &good.replace(part, with));
        assert_eq!(answer.sent("error").as_deref(), Some(error), "{}", answer.text);
    }
    let twice = visitor.get(&scene.place, &scene.desk, &format!("{good}&client_id=x"));
    assert_eq!(twice.status, StatusCode::BAD_REQUEST);
}

#[test]
fn a_form_of_another_site_does_nothing() {
    let scene = scene();
    let client = scene.register(json!({})).text_of("client_id");
    let mut visitor = Visitor::default();
    let consent = scene.sign_in(&mut visitor, &scene.link(&client));
    let mut sent: Vec<_> = fields(&consent).into_iter().filter(|(name, _)| name != "csrf").collect();
    sent.push(own(("action", "approve")));
    let without = visitor.post(&scene.place, &scene.desk, "/oauth/authorize", &borrowed(&sent));
    assert_eq!((without.status, without.location()), (StatusCode::FORBIDDEN, ""));
    sent.push(("csrf".to_owned(), "x".repeat(43)));
    let wrong = visitor.post(&scene.place, &scene.desk, "/oauth/authorize", &borrowed(&sent));
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    for name in ["x-frame-options", "content-security-policy"] {
        assert!(consent.headers.contains_key(name), "{name}");
    }
}

#[test]
fn wrong_passwords_lock_and_strangers_names_leave_no_record() {
    let scene = scene();
    let try_once = |name: &str, password: &str| {
        let mut visitor = Visitor::default();
        let page = visitor.get(&scene.place, &scene.desk, "/oauth/device");
        let sent = [
            ("action", "sign-in"),
            ("csrf", &*page.field("csrf")),
            ("username", name),
            ("password", password),
        ];
        visitor.post(&scene.place, &scene.desk, "/oauth/device", &sent).status
    };
    let token = scene.admin();
    let events = || scene.get("/v1/admin/audit?limit=1000", &token).json()["events"].as_array().map(Vec::len);
    let before = events();
    let records = scene.desk.identity.records().unwrap();
    for _ in 0..5 {
        assert_eq!(try_once("nobody", "x"), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(try_once("nobody", "x"), StatusCode::TOO_MANY_REQUESTS, "as a name that somebody has");
    assert_eq!(scene.desk.identity.records().unwrap(), records);
    assert_eq!(events(), before, "a name that nobody has is in a counter only");
    for _ in 0..5 {
        assert_eq!(try_once("admin", "wrong"), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(events(), before.map(|events| events + 1), "one record a minute");
    assert_eq!(try_once("admin", &scene.password), StatusCode::TOO_MANY_REQUESTS, "even the right one waits");
    scene.place.clock.advance(31 * SECOND);
    assert_eq!(try_once("admin", &scene.password), StatusCode::SEE_OTHER);
    assert_eq!(scene.desk.identity.failed_logons(), (5, 5));
}

#[test]
fn what_strangers_make_up_leaves_no_record() {
    let scene = scene();
    let client = scene.register(json!({})).text_of("client_id");
    let records = scene.desk.identity.records().unwrap();
    let made_up = "x".repeat(43);
    assert_eq!(scene.redeem(&client, &made_up, VERIFIER).text_of("error"), "invalid_grant");
    assert_eq!(scene.refresh(&client, &format!("{made_up}.{made_up}")).text_of("error"), "invalid_grant");
    assert_eq!(scene.refresh(&client, "x").text_of("error"), "invalid_grant");
    let post = |path: &str, fields: &[(&str, &str)]| scene.place.post(&scene.desk, path, fields);
    assert_eq!(post("/oauth/revoke", &[("client_id", &client), ("token", &made_up)]).status, StatusCode::OK);
    let device = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", &*client),
        ("device_code", "x"),
    ];
    assert_eq!(post("/oauth/token", &device).text_of("error"), "expired_token");
    assert_eq!(
        post("/oauth/device_authorization", &[("client_id", &client)]).text_of("error"),
        "unauthorized_client"
    );
    assert_eq!(
        post("/oauth/token", &[("grant_type", "client_credentials"), ("client_id", "x")]).status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(scene.desk.identity.records().unwrap(), records);
}

#[test]
fn every_route_refuses_who_shows_nothing_or_too_little() {
    use decalog_gateway::access::Access;
    let scene = scene();
    let client = scene.register(json!({})).text_of("client_id");
    let token = scene.redeem(&client, &scene.code(&client), VERIFIER).text_of("access_token");
    let mut tried = 0;
    for declared in decalog_identity::api::rest::routes().table() {
        let path = declared
            .path
            .replace("{account}", "1")
            .replace("{session}", "1")
            .replace("{key}", "1")
            .replace("{passkey}", "1")
            .replace("{client}", "x");
        let call = |token: &str| {
            scene.place.api(&scene.desk, declared.method.clone(), &path, token, &json!({})).status
        };
        assert_eq!(call(""), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(call("decalog_x"), StatusCode::UNAUTHORIZED, "{path}");
        if let Access::Scope(_) = declared.access {
            assert_eq!(call(&token), StatusCode::FORBIDDEN, "an app has no say here: {path}");
            tried += 1;
        }
    }
    assert_eq!(tried, 28);
}

#[test]
fn a_second_factor_is_asked_for_and_its_code_counts_once() {
    use decalog_identity::engine::totp;
    let scene = scene();
    let token = scene.admin();
    let call = |method, path: &str, body: Value| scene.place.api(&scene.desk, method, path, &token, &body);
    assert_eq!(
        call(Method::POST, "/v1/me/totp", json!({ "password": "wrong" })).status,
        StatusCode::FORBIDDEN
    );
    let enrolled = call(Method::POST, "/v1/me/totp", json!({ "password": scene.password })).text_of("secret");
    let mut bits = String::new();
    for letter in enrolled.chars() {
        let value = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(letter).expect("base 32");
        bits.push_str(&format!("{value:05b}"));
    }
    let chunks = bits.as_bytes().chunks_exact(8).map(|byte| std::str::from_utf8(byte).expect("digits"));
    let secret: Vec<u8> = chunks.map(|byte| u8::from_str_radix(byte, 2).expect("eight bits")).collect();
    let code_at = |step: u64| totp::code(&secret, step, totp::DIGITS);
    let step = 1_700_000_000 / totp::STEP;
    let confirmed = call(Method::PUT, "/v1/me/totp", json!({ "code": code_at(step) }));
    let recovery = confirmed.json()["recovery_codes"][0].as_str().expect("codes").to_owned();
    let try_once = |code: &str| {
        let mut visitor = Visitor::default();
        let page = visitor.get(&scene.place, &scene.desk, "/oauth/device");
        let sent = [
            ("action", "sign-in"),
            ("csrf", &*page.field("csrf")),
            ("username", &scene.name),
            ("password", &scene.password),
            ("otp", code),
        ];
        visitor.post(&scene.place, &scene.desk, "/oauth/device", &sent).status
    };
    assert_eq!(try_once(""), StatusCode::UNAUTHORIZED);
    assert_eq!(try_once(&code_at(step)), StatusCode::UNAUTHORIZED, "it was used to confirm");
    assert_eq!(try_once(&code_at(step + 1)), StatusCode::SEE_OTHER);
    assert_eq!(try_once(&code_at(step + 1)), StatusCode::UNAUTHORIZED, "it was used");
    assert_eq!(try_once(&recovery), StatusCode::SEE_OTHER);
    assert_eq!(try_once(&recovery), StatusCode::UNAUTHORIZED, "it was used");
}

#[test]
fn the_next_key_is_published_before_it_signs() {
    const DAY: i64 = 86_400 * SECOND;
    let Scene { place, desk, name, password } = scene();
    let kids = |place: &Place, desk: &Desk| -> Vec<String> {
        let keys = place.api(desk, Method::GET, "/oauth/jwks", "", &Value::Null).json();
        let keys = keys["keys"].as_array().expect("keys").iter();
        keys.map(|key| key["kid"].as_str().expect("a name").to_owned()).collect()
    };
    let first = kids(&place, &desk);
    assert_eq!(first.len(), 1);
    let restart = |desk: Desk, place: &Place, wait: i64| {
        desk.identity.stop();
        drop(desk);
        place.clock.advance(wait);
        place.start()
    };
    let desk = restart(desk, &place, 4 * DAY);
    // What a start makes is published a moment after it.
    let both = (0..100_000).map(|_| kids(&place, &desk)).find(|kids| kids.len() > 1).expect("a second key");
    assert_eq!((both.len(), &both[0]), (2, &first[0]));
    let signed_by = |scene: &Scene| {
        let header = scene.admin().split('.').next().expect("a header").to_owned();
        use base64::Engine;
        let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).expect("base64");
        let header: Value = serde_json::from_slice(&header).expect("JSON");
        header["kid"].as_str().expect("a name").to_owned()
    };
    let scene = Scene { place, desk, name, password };
    assert_eq!(signed_by(&scene), first[0], "it is known and does not sign yet");
    let Scene { place, desk, name, password } = scene;
    let desk = restart(desk, &place, 4 * DAY);
    let scene = Scene { place, desk, name, password };
    assert_eq!(signed_by(&scene), both[1]);
}

#[test]
fn an_api_key_is_shown_once_ends_and_can_be_revoked() {
    let scene = scene();
    let token = scene.admin();
    let (place, desk) = (&scene.place, &scene.desk);
    let call = |method, path: &str, body: Value| place.api(desk, method, path, &token, &body);
    let robot =
        call(Method::POST, "/v1/admin/service-accounts", json!({ "name": "robot", "roles": ["user"] }));
    let robot = robot.text_of("id");
    let too_much = json!({ "account": robot, "label": "x", "scopes": ["a:write"] });
    assert_eq!(call(Method::POST, "/v1/admin/api-keys", too_much).status, StatusCode::UNPROCESSABLE_ENTITY);
    let wanted = json!({ "account": robot, "label": "x", "scopes": ["a:read"], "lifetime": 60 });
    let (one, two) = (
        call(Method::POST, "/v1/admin/api-keys", wanted.clone()),
        call(Method::POST, "/v1/admin/api-keys", wanted),
    );
    let (key, other) = (one.text_of("key"), two.text_of("key"));
    assert_eq!(scene.get("/v1/me", &key).text_of("name"), "robot");
    assert!(!call(Method::GET, "/v1/admin/api-keys", Value::Null).text.contains(&key));
    let path = format!("/v1/admin/api-keys/{}", one.text_of("id"));
    assert_eq!(call(Method::DELETE, &path, Value::Null).status, StatusCode::NO_CONTENT);
    assert_eq!(desk.authenticator.authenticate(Credential::ApiKey(&key)).map(|_| ()), Err(Denied::Unknown));
    assert!(desk.authenticator.authenticate(Credential::ApiKey(&other)).is_ok());
    place.clock.advance(60 * SECOND);
    assert!(desk.authenticator.authenticate(Credential::ApiKey(&other)).is_err());
}

#[test]
fn after_a_restart_tokens_still_count_and_no_second_admin_is_made() {
    let Scene { place, desk, name, password } = scene();
    let scene = Scene { place, desk, name, password };
    let token = scene.admin();
    scene.desk.identity.stop();
    let Scene { place, desk, name, password } = scene;
    drop(desk);
    let desk = place.start();
    assert!(desk.first.is_none());
    let scene = Scene { place, desk, name, password };
    assert_eq!(scene.get("/v1/me", &token).text_of("name"), "admin");
    let audit = scene.get("/v1/admin/audit?event=account-opened", &token).json();
    assert_eq!(audit["events"].as_array().map(Vec::len), Some(1), "the trail is remembered: {audit}");
    for entry in std::fs::read_dir(scene.place.keys()).expect("the keys' folder") {
        use std::os::unix::fs::PermissionsExt;
        let mode = entry.and_then(|entry| entry.metadata()).expect("a key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let bent = format!("{}x", &token[..token.len() - 1]);
    assert_eq!(scene.get("/v1/me", &bent).status, StatusCode::UNAUTHORIZED);
    scene.place.clock.advance(601 * SECOND);
    let expired = scene.desk.authenticator.authenticate(Credential::Bearer(&token)).map(|_| ());
    assert_eq!(expired, Err(Denied::Expired));
}
