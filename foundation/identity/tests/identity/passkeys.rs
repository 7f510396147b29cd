//! Passkeys at the doors and in the state: what they are enough for, and what is refused.

use axum::http::{Method, StatusCode};
use decalog_identity::command::*;
use decalog_identity::engine::totp;
use decalog_identity::event::What;
use decalog_identity::value::{Bytes, PasskeyUse, SECOND};
use serde_json::{Value, json};

use crate::authenticator::{Authenticator, PRESENT, VERIFIED};
use crate::desk::{Answer, Place, Visitor};
use crate::doors::Scene;
use crate::guarantees::Office;
use crate::life::{device, hash, set};

const ORIGIN: &str = "https://id.example";
const SIGN_IN: &str = "/oauth/device";

impl Scene {
    fn with_host() -> Scene {
        Scene::at(Place::known_as(ORIGIN))
    }

    fn call(&self, token: &str, method: Method, path: &str, body: Value) -> Answer {
        self.place.api(&self.desk, method, path, token, &body)
    }

    fn options(&self, token: &str, proof: Value) -> Answer {
        self.call(token, Method::POST, "/v1/me/passkeys/options", proof)
    }

    /// Adds a passkey by the routes for programs; answers it and the answer.
    pub(crate) fn add(&self, token: &str) -> (Authenticator, Answer) {
        let options = self.options(token, json!({ "password": self.password }));
        assert_eq!(options.status, StatusCode::OK, "{}", options.text);
        let mut authenticator = Authenticator::new(ORIGIN);
        let credential = authenticator.create(&options.json());
        let added = self.call(token, Method::POST, "/v1/me/passkeys", named("a passkey", credential));
        assert_eq!(added.status, StatusCode::CREATED, "{}", added.text);
        (authenticator, added)
    }

    fn page(&self, visitor: &mut Visitor) -> Answer {
        visitor.get(&self.place, &self.desk, SIGN_IN)
    }

    /// Sends what an authenticator said, from a page.
    fn show(&self, visitor: &mut Visitor, page: &Answer, shown: &Value) -> StatusCode {
        let (csrf, shown) = (page.field("csrf"), shown.to_string());
        let sent = [("action", "passkey"), ("csrf", &*csrf), ("passkey", &*shown)];
        visitor.post(&self.place, &self.desk, SIGN_IN, &sent).status
    }

    fn by_password(&self, visitor: &mut Visitor, code: &str) -> Answer {
        let page = self.page(visitor);
        let csrf = page.field("csrf");
        let sent = [
            ("action", "sign-in"),
            ("csrf", &*csrf),
            ("username", &*self.name),
            ("password", &*self.password),
            ("otp", code),
        ];
        visitor.post(&self.place, &self.desk, SIGN_IN, &sent)
    }

    /// A visit to the sign-in page that ends with this passkey.
    fn sign_in_with(&self, authenticator: &Authenticator) -> StatusCode {
        let mut visitor = Visitor::default();
        let page = self.page(&mut visitor);
        let shown = authenticator.get(&offered(&page));
        self.show(&mut visitor, &page, &shown)
    }

    fn events(&self, token: &str, kind: &str) -> Vec<Value> {
        let found = self.get(&format!("/v1/admin/audit?limit=1000&event={kind}"), token).json();
        found["events"].as_array().expect("events").clone()
    }
}

fn named(label: &str, credential: Value) -> Value {
    json!({ "label": label, "credential": credential })
}

/// The options that the page's button carries.
pub(crate) fn offered(page: &Answer) -> Value {
    let text =
        page.text.split_once("data-options=\"").unwrap_or_else(|| panic!("no button: {}", page.text)).1;
    let text = text.split('"').next().expect("an end").replace("&quot;", "\"").replace("&amp;", "&");
    serde_json::from_str(&text).expect("options")
}

#[test]
fn a_passkey_is_added_with_a_proof_and_signs_in_alone() {
    let scene = Scene::with_host();
    let token = scene.admin();
    assert_eq!(scene.options(&token, json!({})).status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(scene.options(&token, json!({ "password": "wrong" })).status, StatusCode::FORBIDDEN);
    let options = scene.options(&token, json!({ "password": scene.password })).json();
    assert_eq!(options["rp"]["id"], "id.example");
    assert_eq!(options["attestation"], "none");
    let (mut authenticator, added) = scene.add(&token);
    assert_eq!(added.json()["recovery_codes"].as_array().map(Vec::len), Some(10), "{}", added.text);
    let list = scene.get("/v1/me/passkeys", &token).json();
    assert_eq!(list["passkeys"][0]["label"], "a passkey");
    assert_eq!(list["passkeys"][0]["id"], added.json()["id"]);
    assert_eq!(scene.get("/v1/me", &token).json()["passkeys"], 1);
    assert_eq!(scene.sign_in_with(&authenticator), StatusCode::SEE_OTHER);
    authenticator.flags = PRESENT;
    assert_eq!(
        scene.sign_in_with(&authenticator),
        StatusCode::UNAUTHORIZED,
        "alone it must verify who is there"
    );
    authenticator.flags = VERIFIED;
    assert_eq!(scene.sign_in_with(&authenticator), StatusCode::UNAUTHORIZED, "nobody was there");
    let used = scene.events(&token, "passkey-used");
    assert_eq!(used.iter().map(|used| &used["purpose"]).collect::<Vec<_>>(), ["both-factors"]);
    let list = scene.get("/v1/me/passkeys", &token).json();
    assert_eq!(list["passkeys"][0]["used"], 1_700_000_000);
}

#[test]
fn with_a_passkey_the_password_needs_it_or_a_code() {
    let scene = Scene::with_host();
    let token = scene.admin();
    let (mut authenticator, added) = scene.add(&token);
    let mut visitor = Visitor::default();
    let page = scene.by_password(&mut visitor, "");
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    let options = offered(&page);
    assert_eq!(options["allowCredentials"].as_array().map(Vec::len), Some(1));
    authenticator.flags = PRESENT;
    let shown = authenticator.get(&options);
    let mut other = Visitor::default();
    let others_page = scene.page(&mut other);
    assert_eq!(scene.show(&mut other, &others_page, &shown), StatusCode::UNAUTHORIZED, "another browser");
    assert_eq!(scene.show(&mut visitor, &page, &shown), StatusCode::SEE_OTHER);
    let codes = added.json()["recovery_codes"].clone();
    let code = |number: usize| codes[number].as_str().expect("a code").to_owned();
    assert_eq!(scene.by_password(&mut Visitor::default(), &code(0)).status, StatusCode::SEE_OTHER);
    assert_eq!(scene.by_password(&mut Visitor::default(), &code(0)).status, StatusCode::UNAUTHORIZED);
    assert_eq!(scene.by_password(&mut Visitor::default(), "123456").status, StatusCode::UNAUTHORIZED);
    let used = scene.events(&token, "passkey-used");
    assert_eq!(used.iter().map(|used| &used["purpose"]).collect::<Vec<_>>(), ["second-factor"]);
    // With an authenticator app beside it either one does, and its recovery codes are the ones that count.
    let enrolled = scene.call(&token, Method::POST, "/v1/me/totp", json!({ "password": scene.password }));
    let secret = decode_base32(&enrolled.text_of("secret"));
    let step = 1_700_000_000 / totp::STEP;
    let now = totp::code(&secret, step, totp::DIGITS);
    let confirmed = scene.call(&token, Method::PUT, "/v1/me/totp", json!({ "code": now }));
    assert_eq!(confirmed.status, StatusCode::OK, "{}", confirmed.text);
    let next = totp::code(&secret, step + 1, totp::DIGITS);
    assert_eq!(scene.by_password(&mut Visitor::default(), &next).status, StatusCode::SEE_OTHER);
    assert_eq!(scene.by_password(&mut Visitor::default(), &code(1)).status, StatusCode::UNAUTHORIZED);
    let mut visitor = Visitor::default();
    let page = scene.by_password(&mut visitor, "");
    let shown = authenticator.get(&offered(&page));
    assert_eq!(scene.show(&mut visitor, &page, &shown), StatusCode::SEE_OTHER);
}

pub(crate) fn decode_base32(text: &str) -> Vec<u8> {
    let value = |letter| "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(letter).expect("base 32");
    let bits: String = text.chars().map(|letter| format!("{:05b}", value(letter))).collect();
    let byte =
        |bits: &[u8]| u8::from_str_radix(std::str::from_utf8(bits).expect("digits"), 2).expect("a byte");
    bits.as_bytes().chunks_exact(8).map(byte).collect()
}

#[test]
pub(crate) fn what_was_signed_once_signs_nobody_in_again() {
    let scene = Scene::with_host();
    let token = scene.admin();
    let (authenticator, _) = scene.add(&token);
    let mut visitor = Visitor::default();
    let page = scene.page(&mut visitor);
    let shown = authenticator.get(&offered(&page));
    assert_eq!(scene.show(&mut visitor, &page, &shown), StatusCode::SEE_OTHER);
    let failed = scene.desk.identity.failed_logons();
    assert_eq!(scene.show(&mut visitor, &page, &shown), StatusCode::UNAUTHORIZED);
    assert_eq!(scene.desk.identity.failed_logons(), (failed.0, failed.1 + 1), "it counts as a failure");
    assert_eq!(scene.sign_in_with(&authenticator), StatusCode::SEE_OTHER, "something new to sign does");
}

#[test]
fn a_challenge_counts_for_five_minutes_in_its_browser_for_what_it_is() {
    let scene = Scene::with_host();
    let token = scene.admin();
    let (authenticator, _) = scene.add(&token);
    let mut visitor = Visitor::default();
    let page = scene.page(&mut visitor);
    let options = offered(&page);
    let shown = authenticator.get(&options);
    let mut other = Visitor::default();
    let others_page = scene.page(&mut other);
    assert_eq!(scene.show(&mut other, &others_page, &shown), StatusCode::UNAUTHORIZED, "another browser");
    let proof = json!({ "passkey": shown });
    assert_eq!(scene.options(&token, proof).status, StatusCode::FORBIDDEN, "a logon confirms no change");
    scene.place.clock.advance(300 * SECOND);
    let records = scene.desk.identity.records().expect("a running partition");
    let late = scene.show(&mut visitor, &page, &authenticator.get(&options));
    assert_eq!(late, StatusCode::UNAUTHORIZED, "five minutes are over");
    assert_eq!(scene.desk.identity.records().expect("a running partition"), records, "and nobody failed");
    let page = scene.page(&mut visitor);
    let shown = authenticator.get(&offered(&page));
    scene.place.clock.advance(299 * SECOND);
    assert_eq!(scene.show(&mut visitor, &page, &shown), StatusCode::SEE_OTHER);
    let Scene { place, desk, name, password } = scene;
    let mut visitor = Visitor::default();
    let page = visitor.get(&place, &desk, SIGN_IN);
    desk.identity.stop();
    drop(desk);
    let desk = place.start();
    let scene = Scene { place, desk, name, password };
    let shown = authenticator.get(&offered(&page));
    assert_eq!(scene.show(&mut visitor, &page, &shown), StatusCode::UNAUTHORIZED, "from before a restart");
    assert_eq!(scene.sign_in_with(&authenticator), StatusCode::SEE_OTHER, "the passkey is still there");
}

#[test]
fn other_origins_and_keys_fail_and_failures_lock() {
    let scene = Scene::with_host();
    let token = scene.admin();
    let (mut authenticator, _) = scene.add(&token);
    authenticator.origin = "https://id.example.evil.example".to_owned();
    assert_eq!(scene.sign_in_with(&authenticator), StatusCode::UNAUTHORIZED);
    authenticator.origin = ORIGIN.to_owned();
    let mut thief = Authenticator::new(ORIGIN);
    let _ = thief.create(&scene.options(&token, json!({ "password": scene.password })).json());
    let records = scene.desk.identity.records().expect("a running partition");
    assert_eq!(scene.sign_in_with(&thief), StatusCode::UNAUTHORIZED, "a credential that nobody has");
    assert_eq!(scene.desk.identity.records().expect("a running partition"), records, "leaves no record");
    thief.credential.clone_from(&authenticator.credential);
    for _ in 0..4 {
        assert_eq!(scene.sign_in_with(&thief), StatusCode::UNAUTHORIZED, "another key");
    }
    assert_eq!(scene.sign_in_with(&authenticator), StatusCode::TOO_MANY_REQUESTS, "even the right one waits");
    scene.place.clock.advance(31 * SECOND);
    assert_eq!(scene.sign_in_with(&authenticator), StatusCode::SEE_OTHER);
    assert_eq!(scene.desk.identity.failed_logons(), (1, 5));
}

#[test]
fn a_copy_is_refused_at_the_door_and_told_of() {
    let scene = Scene::with_host();
    let token = scene.admin();
    let (mut authenticator, _) = scene.add(&token);
    authenticator.counter = 7;
    assert_eq!(scene.sign_in_with(&authenticator), StatusCode::SEE_OTHER);
    assert_eq!(scene.sign_in_with(&authenticator), StatusCode::UNAUTHORIZED, "7 again");
    authenticator.counter = 8;
    assert_eq!(scene.sign_in_with(&authenticator), StatusCode::SEE_OTHER);
    let told = scene.events(&token, "passkey-cloned");
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["known"], &told[0]["shown"]), (&json!(7), &json!(7)));
}

#[test]
fn a_passkey_confirms_like_the_password_and_is_its_owners_alone() {
    let scene = Scene::with_host();
    let token = scene.admin();
    let nothing = scene.call(&token, Method::POST, "/v1/me/passkeys/challenge", Value::Null);
    assert_eq!(nothing.status, StatusCode::CONFLICT, "there is none yet");
    let (authenticator, added) = scene.add(&token);
    let proof = || {
        let options = scene.call(&token, Method::POST, "/v1/me/passkeys/challenge", Value::Null).json();
        json!({ "passkey": authenticator.get(&options) })
    };
    let options = scene.options(&token, proof()).json();
    assert_eq!(options["excludeCredentials"].as_array().map(Vec::len), Some(1));
    let again = named("twice", Authenticator::new("https://evil.example").create(&options));
    let refused = scene.call(&token, Method::POST, "/v1/me/passkeys", again);
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "another origin: {}", refused.text);
    let mut second = Authenticator::new(ORIGIN);
    let credential = second.create(&options);
    let path = format!("/v1/me/passkeys/{}", added.text_of("id"));
    let made = scene.call(&token, Method::POST, "/v1/me/passkeys", named("another", credential.clone()));
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!(made.json()["recovery_codes"], Value::Null, "those of the first one count on");
    let replayed = scene.call(&token, Method::POST, "/v1/me/passkeys", named("another", credential));
    assert_eq!(replayed.status, StatusCode::UNPROCESSABLE_ENTITY, "once: {}", replayed.text);
    let mut taken = Authenticator::new(ORIGIN);
    taken.credential.clone_from(&second.credential);
    let taken = taken.create(&scene.options(&token, proof()).json());
    let taken = scene.call(&token, Method::POST, "/v1/me/passkeys", named("a third", taken));
    assert_eq!(taken.status, StatusCode::CONFLICT, "{}", taken.text);
    let renamed = scene.call(&token, Method::PATCH, &path, json!({ "label": "the old one" }));
    assert_eq!(renamed.status, StatusCode::NO_CONTENT);
    assert_eq!(scene.get("/v1/me/passkeys", &token).json()["passkeys"][0]["label"], "the old one");
    let unproven = scene.call(&token, Method::DELETE, &path, json!({}));
    assert_eq!(unproven.status, StatusCode::UNPROCESSABLE_ENTITY);
    let missing = scene.call(&token, Method::DELETE, "/v1/me/passkeys/7", proof());
    assert_eq!(missing.status, StatusCode::NOT_FOUND, "{}", missing.text);
    assert_eq!(scene.call(&token, Method::DELETE, &path, proof()).status, StatusCode::NO_CONTENT);
    assert_eq!(scene.sign_in_with(&authenticator), StatusCode::UNAUTHORIZED);
    assert_eq!(scene.sign_in_with(&second), StatusCode::SEE_OTHER);
    let purposes = scene.events(&token, "passkey-used");
    assert!(purposes.iter().any(|used| used["purpose"] == "confirmation"), "{purposes:?}");
}

#[test]
fn a_changed_password_ends_what_was_begun_with_the_old_one() {
    let scene = Scene::with_host();
    let token = scene.admin();
    let (authenticator, _) = scene.add(&token);
    let mut visitor = Visitor::default();
    let page = scene.by_password(&mut visitor, "");
    let shown = authenticator.get(&offered(&page));
    let change = json!({ "current": scene.password, "new": "another long password" });
    assert_eq!(scene.call(&token, Method::PUT, "/v1/me/password", change).status, StatusCode::NO_CONTENT);
    assert_eq!(scene.show(&mut visitor, &page, &shown), StatusCode::UNAUTHORIZED);
}

#[test]
fn without_a_host_name_there_are_no_passkeys_and_no_script() {
    let scene = Scene::at(Place::known_as("http://127.0.0.1:8080"));
    let token = scene.admin();
    let page = scene.page(&mut Visitor::default());
    assert!(!page.text.contains("script") && !page.text.contains("passkey"), "{}", page.text);
    let policy = page.headers["content-security-policy"].to_str().expect("text");
    assert!(!policy.contains("script-src"), "{policy}");
    let refused = scene.options(&token, json!({ "password": scene.password }));
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text.contains("identity.issuer"), "{}", refused.text);
}

#[test]
fn a_page_runs_our_script_and_no_other() {
    let scene = Scene::with_host();
    let page = scene.page(&mut Visitor::default());
    let policy = page.headers["content-security-policy"].to_str().expect("text").to_owned();
    let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).expect("a nonce");
    assert!(
        page.text.contains(&format!("<script src=\"/oauth/passkey.js\" nonce=\"{nonce}\" defer>")),
        "{}",
        page.text
    );
    assert_eq!(page.text.matches("<script").count(), 1);
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    let other = scene.page(&mut Visitor::default());
    assert!(
        !other.headers["content-security-policy"].to_str().expect("text").contains(nonce),
        "new each time"
    );
    let script = scene.get("/oauth/passkey.js", "");
    assert_eq!(script.headers["content-type"], "text/javascript; charset=utf-8");
    assert!(script.text.contains("navigator.credentials.get"));
}

#[test]
fn a_person_adds_and_removes_passkeys_on_a_page() {
    let scene = Scene::with_host();
    let mut visitor = Visitor::default();
    const PAGE: &str = "/oauth/passkeys";
    let page = visitor.get(&scene.place, &scene.desk, PAGE);
    let post = |visitor: &mut Visitor, page: &Answer, fields: &[(&str, &str)]| {
        let csrf = page.field("csrf");
        let sent = [&[("csrf", &*csrf)], fields].concat();
        visitor.post(&scene.place, &scene.desk, PAGE, &sent)
    };
    let (name, password) = (&*scene.name, &*scene.password);
    let signed_in =
        post(&mut visitor, &page, &[("action", "sign-in"), ("username", name), ("password", password)]);
    assert_eq!(signed_in.location(), PAGE);
    let page = visitor.get(&scene.place, &scene.desk, PAGE);
    let wrong = post(&mut visitor, &page, &[("action", "add"), ("password", "wrong")]);
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    let add = [("action", "add"), ("label", "<my> key"), ("password", password)];
    let making = post(&mut visitor, &page, &add);
    assert_eq!(making.status, StatusCode::OK, "{}", making.text);
    let mut authenticator = Authenticator::new(ORIGIN);
    let shown = authenticator.create(&offered(&making)).to_string();
    let label = making.field("label").replace("&lt;", "<").replace("&gt;", ">");
    let create = [("action", "create"), ("label", &*label), ("passkey", &*shown)];
    let made = post(&mut visitor, &making, &create);
    assert!(made.text.contains("recovery codes") && made.text.contains("&lt;my&gt; key"), "{}", made.text);
    assert_eq!(post(&mut visitor, &making, &create).status, StatusCode::BAD_REQUEST, "once");
    assert_eq!(scene.sign_in_with(&authenticator), StatusCode::SEE_OTHER);
    // A second one, confirmed by the first.
    let shown = authenticator.get(&offered(&made)).to_string();
    let making = post(&mut visitor, &made, &[("action", "add"), ("passkey", &*shown)]);
    let mut second = Authenticator::new(ORIGIN);
    let shown = second.create(&offered(&making)).to_string();
    let made = post(&mut visitor, &making, &[("action", "create"), ("passkey", &*shown)]);
    assert!(
        made.text.contains("The passkey was added") && !made.text.contains("recovery codes"),
        "{}",
        made.text
    );
    let id =
        made.text.split("value=\"remove ").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
    let remove = format!("remove {id}");
    let unproven = post(&mut visitor, &made, &[("action", &*remove)]);
    assert_eq!(unproven.status, StatusCode::FORBIDDEN);
    let removed = post(&mut visitor, &made, &[("action", &*remove), ("password", password)]);
    assert!(
        removed.text.contains("counts no more") && !removed.text.contains("&lt;my&gt;"),
        "{}",
        removed.text
    );
    let stranger = Visitor::default().post(&scene.place, &scene.desk, PAGE, &[("action", "add")]);
    assert_eq!(stranger.status, StatusCode::FORBIDDEN);
}

impl Office {
    fn add_passkey(&mut self, account: u64, credential: u8) -> Reply {
        self.ask(AddPasskey {
            account,
            credential: Bytes(vec![credential; 16]),
            public_key: Bytes(vec![1; 77]),
            counter: 5,
            backup_eligible: false,
            backed_up: false,
            transports: set(&["usb"]),
            label: "a passkey".to_owned(),
            recovery: [hash(credential)].into(),
        })
    }

    fn log_on_by(&mut self, passkey: u64, counter: u32, user_verified: bool) -> Reply {
        self.ask(LogOnWithPasskey {
            account: self.ada,
            passkey,
            counter,
            backed_up: false,
            user_verified,
            generation: None,
            secret: None,
            device: device(),
            expires: self.now + SECOND,
        })
    }
}

#[test]
pub(crate) fn a_counter_that_goes_backwards_is_a_copy() {
    let mut office = Office::open();
    let Reply::Made(passkey) = office.add_passkey(office.ada, 1) else { panic!("no passkey") };
    assert!(matches!(office.log_on_by(passkey, 6, true), Reply::Made(_)));
    for counter in [6, 5, 0] {
        assert_eq!(office.log_on_by(passkey, counter, true), Reply::Refused(Refusal::PasskeyCloned));
        let cloned =
            |what: &What| matches!(what, What::PasskeyCloned(it) if it.shown == counter && it.known == 6);
        assert!(office.told.iter().any(|event| cloned(&event.what)), "it is in the audit trail");
    }
    let (account, backed_up) = (office.ada, false);
    let used = office.ask(UsePasskey { account, passkey, counter: 6, backed_up });
    assert_eq!(used, Reply::Refused(Refusal::PasskeyCloned), "nor does a copy confirm anything");
    assert!(matches!(office.log_on_by(passkey, 7, true), Reply::Made(_)));
}

#[test]
fn alone_it_is_enough_only_when_the_user_was_verified() {
    let mut office = Office::open();
    let Reply::Made(passkey) = office.add_passkey(office.ada, 1) else { panic!("no passkey") };
    assert_eq!(office.log_on_by(passkey, 6, false), Reply::Refused(Refusal::SecondFactorNeeded));
    assert!(matches!(office.log_on_by(passkey, 6, true), Reply::Made(_)));
    let used = |what: &What| matches!(what, What::PasskeyUsed(it) if it.purpose == PasskeyUse::BothFactors);
    assert!(office.told.iter().any(|event| used(&event.what)));
    let account = office.ada;
    assert_eq!(office.ask(NoteFailures { account, count: 5 }), Reply::Done);
    assert_eq!(office.log_on_by(passkey, 7, true), Reply::Refused(Refusal::Locked));
    assert_eq!(office.ask(SetDisabled { account, disabled: true }), Reply::Done);
    assert_eq!(office.log_on_by(passkey, 7, true), Reply::Refused(Refusal::Disabled));
}

#[test]
fn recovery_codes_come_with_the_first_second_factor_and_go_with_the_last() {
    let mut office = Office::open();
    let account = office.ada;
    let codes = |office: &Office| office.directory.account(account).map(|it| it.recovery.clone());
    assert!(matches!(office.log_on(), Reply::Made(_)));
    let Reply::Made(one) = office.add_passkey(account, 1) else { panic!("no passkey") };
    assert_eq!(codes(&office), Some([hash(1)].into()));
    assert_eq!(office.log_on(), Reply::Refused(Refusal::SecondFactorNeeded));
    let Reply::Made(two) = office.add_passkey(account, 2) else { panic!("no passkey") };
    assert_eq!(codes(&office), Some([hash(1)].into()), "those that were shown count on");
    let (recovery, secret) = ([hash(3)].into(), Bytes(vec![1; 20]));
    assert_eq!(office.ask(SetRecoveryCodes { account, recovery }), Reply::Done);
    assert_eq!(office.ask(EnrolTotp { account, secret }), Reply::Done);
    assert_eq!(office.ask(RemoveTotp { account }), Reply::Done);
    assert_eq!(codes(&office), Some([hash(3)].into()), "a passkey is left");
    assert_eq!(office.ask(RemovePasskey { account, passkey: one }), Reply::Done);
    assert_eq!(codes(&office), Some([hash(3)].into()), "one is left");
    assert_eq!(office.ask(RemovePasskey { account, passkey: two }), Reply::Done);
    assert_eq!(codes(&office), Some([].into()));
    assert!(matches!(office.log_on(), Reply::Made(_)));
    office.directory.check().expect("nothing is left over");
}

#[test]
fn a_credential_belongs_to_one_account_and_an_account_has_at_most_twenty() {
    let mut office = Office::open();
    let open = OpenAccount { name: "bob".to_owned(), password: None, roles: set(&[]), service: false };
    let Reply::Made(bob) = office.ask(open) else { panic!("no account") };
    let open = OpenAccount { name: "robot".to_owned(), password: None, roles: set(&[]), service: true };
    let Reply::Made(robot) = office.ask(open) else { panic!("no account") };
    for credential in 0..20 {
        assert!(matches!(office.add_passkey(office.ada, credential), Reply::Made(_)));
    }
    assert_eq!(office.add_passkey(office.ada, 20), Reply::Refused(Refusal::TooMany));
    assert_eq!(office.add_passkey(bob, 0), Reply::Refused(Refusal::PasskeyTaken));
    assert_eq!(office.add_passkey(robot, 21), Reply::Refused(Refusal::Invalid), "nobody logs on to it");
    let Reply::Made(bobs) = office.add_passkey(bob, 22) else { panic!("no passkey") };
    assert_eq!(office.log_on_by(bobs, 6, true), Reply::Refused(Refusal::UnknownPasskey));
    let (account, label) = (office.ada, "mine now".to_owned());
    assert_eq!(
        office.ask(RenamePasskey { account, passkey: bobs, label }),
        Reply::Refused(Refusal::UnknownPasskey)
    );
    assert_eq!(office.ask(RemovePasskey { account, passkey: bobs }), Reply::Refused(Refusal::UnknownPasskey));
    office.directory.check().expect("nothing is left over");
}
