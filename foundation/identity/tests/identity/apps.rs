//! Apps at the doors, as the clients of the Mastodon API use them: they register themselves, sign people in and up, and ask
//! for themselves.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use decalog_gateway::access::{Credential, Principal, Scope};
use decalog_identity::api::app::{
    AppRefused, Issued, NewApp, NewPerson, OUT_OF_BAND, Registered, SignUpRefused,
};
use decalog_identity::api::service::Apps;
use decalog_identity::value::{SECOND, read_scopes};
use serde_json::{Value, json};

use crate::desk::{Answer, Place, Visitor};
use crate::doors::{Scene, borrowed, fields, own, scene};
use crate::life::{device, set};

const DAY: i64 = 86_400 * SECOND;

pub(crate) fn settings() -> Apps {
    Apps {
        scopes: read_scopes(
            "read read:statuses write write:accounts follow profile admin:read identity identity:admin",
        ),
        default: read_scopes("read"),
        aliases: [("follow".to_owned(), read_scopes("read:blocks write:blocks"))].into(),
        registration: Some("/apps"),
    }
}

fn new_app(scopes: &str) -> NewApp {
    NewApp {
        name: "A phone".to_owned(),
        redirect_uris: set(&[OUT_OF_BAND, "phone://back"]),
        scopes: read_scopes(scopes),
        website: Some("https://phone.example".to_owned()),
    }
}

fn eve(app: &Registered) -> NewPerson {
    NewPerson {
        client_id: app.client_id.clone(),
        name: "Eve".to_owned(),
        email: "Eve@Example.org".to_owned(),
        password: "eight ch".to_owned(),
        scopes: read_scopes(""),
        device: device(),
    }
}

impl Scene {
    fn app(&self, scopes: &str) -> Registered {
        self.place.wait(self.desk.identity.register_app(new_app(scopes))).expect("an app")
    }

    fn refused(&self, asked: NewApp) -> AppRefused {
        self.place.wait(self.desk.identity.register_app(asked)).expect_err("no app")
    }

    fn sign_up(&self, person: NewPerson) -> Result<Issued, SignUpRefused> {
        self.place.wait(self.desk.identity.sign_up(person))
    }

    fn who(&self, token: &str) -> Option<Arc<Principal>> {
        self.desk.authenticator.authenticate(Credential::Bearer(token)).ok()
    }

    /// Asks the token endpoint, with the app's secret.
    fn token(&self, app: &Registered, more: &[(&str, &str)]) -> Answer {
        let mut sent = vec![("client_id", &*app.client_id), ("client_secret", &*app.client_secret)];
        sent.extend(more);
        self.place.post(&self.desk, "/oauth/token", &sent)
    }

    fn with_password(&self, app: &Registered, name: &str, password: &str, scope: &str) -> Answer {
        let sent = [("grant_type", "password"), ("username", name), ("password", password), ("scope", scope)];
        self.token(app, &sent)
    }

    fn for_itself(&self, app: &Registered, scope: &str) -> Answer {
        let body = json!({
            "client_id": app.client_id, "client_secret": app.client_secret, "grant_type": "client_credentials",
            "redirect_uri": OUT_OF_BAND, "scope": scope,
        });
        self.place.api(&self.desk, Method::POST, "/oauth/token", "", &body)
    }

    /// The code that a person copies, for an app that asks so.
    fn copied(&self, app: &Registered, visitor: &mut Visitor, more: &str) -> String {
        let oob = form_urlencoded::byte_serialize(OUT_OF_BAND.as_bytes()).collect::<String>();
        let link = format!(
            "/oauth/authorize/?response_type=code&client_id={}&redirect_uri={oob}{more}",
            app.client_id
        );
        let page = visitor.get(&self.place, &self.desk, &link);
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let consent = if page.text.contains("name=\"password\"") {
            self.sign_in(visitor, &link.replacen("/authorize/?", "/authorize?", 1))
        } else {
            page
        };
        let mut sent = fields(&consent);
        sent.push(own(("action", "approve")));
        let shown = visitor.post(&self.place, &self.desk, "/oauth/authorize", &borrowed(&sent));
        let code = shown.text.split_once("<code id=\"code\">").expect("a code").1;
        code.split('<').next().expect("its end").to_owned()
    }

    fn redeem_copied(&self, app: &Registered, code: &str) -> Answer {
        self.token(
            app,
            &[("grant_type", "authorization_code"), ("code", code), ("redirect_uri", OUT_OF_BAND)],
        )
    }
}

#[test]
fn an_app_registers_with_what_apps_may_have() {
    let scene = scene();
    let app = scene.app("read write follow");
    let known = scene.desk.identity.app(&app.client_id).expect("it is known");
    assert_eq!(known, app.app);
    assert_eq!((&*known.name, known.website.as_deref()), ("A phone", Some("https://phone.example")));
    assert_eq!((known.scopes.clone(), known.redirect_uris.len()), (read_scopes("read write follow"), 2));
    assert_eq!(scene.app("").app.scopes, read_scopes("read"), "the default");
    assert!(scene.desk.identity.app("decalog").is_none(), "a client that is no app");
    for scope in ["a:read", "identity", "identity:admin", "read:lists", "openid", "x y"] {
        assert!(matches!(scene.refused(new_app(scope)), AppRefused::Scope(_)), "{scope}");
    }
    let fine = || new_app("read");
    for uris in [&[][..], &["javascript:alert(1)"], &[OUT_OF_BAND, "http://a.example/"]] {
        let refused = scene.refused(NewApp { redirect_uris: set(uris), ..fine() });
        assert!(matches!(refused, AppRefused::Redirect), "{uris:?}");
    }
    assert!(matches!(scene.refused(NewApp { name: " ".to_owned(), ..fine() }), AppRefused::Name));
    assert!(matches!(scene.refused(NewApp { name: "x".repeat(201), ..fine() }), AppRefused::Name));
    let website = Some("javascript:x".to_owned());
    assert!(matches!(scene.refused(NewApp { website, ..fine() }), AppRefused::Website));
    let audit = scene.get("/v1/admin/audit?event=app-registered", &scene.admin()).json();
    assert_eq!(audit["events"].as_array().map(Vec::len), Some(2), "refusals leave no record: {audit}");
}

#[test]
fn a_person_copies_a_code_and_the_token_counts_until_it_is_revoked() {
    let scene = scene();
    let app = scene.app("read write follow");
    let mut visitor = Visitor::default();
    let code =
        scene.copied(&app, &mut visitor, "&scope=read+write+follow&force_login=False&state=None&lang=None");
    scene.place.clock.advance(300 * SECOND);
    let other = scene.app("read");
    assert_eq!(scene.redeem_copied(&other, &code).text_of("error"), "invalid_grant");
    let given = scene.redeem_copied(&app, &code);
    assert_eq!(
        (given.text_of("token_type"), given.text_of("scope")),
        ("Bearer".into(), "follow read write".into())
    );
    assert_eq!(given.json()["created_at"], 1_700_000_300);
    for member in ["expires_in", "refresh_token", "id_token"] {
        assert!(given.json().get(member).is_none(), "{member}");
    }
    let token = given.text_of("access_token");
    let who = scene.who(&token).expect("somebody");
    assert_eq!((&*who.name, who.client.as_deref()), ("admin", Some(&*app.client_id)));
    for (scope, has) in
        [("read:lists", true), ("read:blocks", true), ("admin:read", false), ("identity:self", false)]
    {
        assert_eq!(who.scopes.holds(Scope(scope)), has, "{scope}");
    }
    assert_eq!(scene.get("/v1/me", &token).text_of("name"), "admin");
    for path in ["/v1/me/sessions", "/v1/admin/accounts"] {
        assert_eq!(scene.get(path, &token).status, StatusCode::FORBIDDEN, "{path}");
    }
    let shown = Visitor { cookies: [("decalog_session".to_owned(), token.clone())].into() };
    let page = { shown }.get(&scene.place, &scene.desk, "/oauth/passkeys");
    assert!(page.text.contains("name=\"password\""), "a token is no cookie: {}", page.text);
    let revoke = |app: &Registered| {
        let sent =
            [("client_id", &*app.client_id), ("client_secret", &*app.client_secret), ("token", &*token)];
        scene.place.post(&scene.desk, "/oauth/revoke", &sent)
    };
    assert_eq!(revoke(&other).status, StatusCode::BAD_REQUEST, "another app's");
    assert!(scene.who(&token).is_some());
    assert_eq!((revoke(&app).text, revoke(&app).status), ("{}".to_owned(), StatusCode::OK));
    assert_eq!(scene.get("/v1/me", &token).status, StatusCode::UNAUTHORIZED);
}

#[test]
fn an_app_that_names_no_scope_gets_its_own_and_a_sign_in_can_be_forced() {
    let scene = scene();
    let app = scene.app("read:statuses");
    let mut visitor = Visitor::default();
    let code = scene.copied(&app, &mut visitor, "");
    assert_eq!(scene.redeem_copied(&app, &code).text_of("scope"), "read:statuses");
    let link = format!(
        "/oauth/authorize?response_type=code&client_id={}&redirect_uri=phone%3A%2F%2Fback&state=s",
        app.client_id
    );
    let asks = |page: Answer| page.text.contains("name=\"password\"");
    let mut get = |more: &str| visitor.get(&scene.place, &scene.desk, &format!("{link}{more}"));
    assert!(!asks(get("")) && !asks(get("&force_login=False")));
    assert!(asks(get("&force_login=true")) && asks(get("&force_login=True")) && asks(get("&prompt=login")));
    let too_much = get("&scope=read");
    assert_eq!(too_much.sent("error").as_deref(), Some("invalid_scope"), "{}", too_much.text);
    assert!(too_much.location().starts_with("phone://back?"));
    let consent = scene.sign_in(&mut visitor, &format!("{link}&force_login=true"));
    let mut sent = fields(&consent);
    sent.push(own(("action", "approve")));
    let sent = visitor.post(&scene.place, &scene.desk, "/oauth/authorize", &borrowed(&sent));
    assert!(sent.sent("code").is_some(), "once: {}", sent.text);
}

#[test]
fn a_token_until_revoked_outlives_keys_and_restarts_and_a_signed_one_does_not() {
    let mut scene = scene();
    let app = scene.app("read write");
    let given = scene.with_password(&app, "admin", &scene.password, "read");
    let (kept, own, signed) = (
        given.text_of("access_token"),
        scene.for_itself(&app, "read").text_of("access_token"),
        scene.admin(),
    );
    for _ in 0..8 {
        scene.place.clock.advance(7 * DAY);
        scene.restart();
    }
    assert_eq!(scene.get("/v1/me", &kept).text_of("name"), "admin");
    assert!(scene.who(&own).is_some_and(|who| !who.has_account()));
    assert!(scene.who(&signed).is_none());
    assert!(scene.desk.identity.app(&app.client_id).is_some(), "somebody has signed in through it");
}

#[test]
fn a_token_has_no_more_than_was_asked_for_registered_and_held() {
    let scene = scene();
    let all = scene.app("read write follow admin:read");
    let little = scene.app("read:statuses");
    let name = scene.name.clone();
    let get = |app: &Registered, scope: &str| scene.with_password(app, &name, &scene.password, scope);
    assert_eq!(get(&all, "read:lists").text_of("scope"), "read:lists");
    assert_eq!(get(&all, "admin:read:accounts read").text_of("scope"), "admin:read:accounts read");
    for (app, scope) in
        [(&little, "read"), (&little, "write"), (&all, "identity:self"), (&all, "identity"), (&all, "a:read")]
    {
        assert_eq!(get(app, scope).text_of("error"), "invalid_scope", "{scope}");
        assert_eq!(scene.for_itself(app, scope).text_of("error"), "invalid_scope", "{scope}");
    }
    let person =
        scene.sign_up(NewPerson { scopes: read_scopes("read admin:read"), ..eve(&all) }).expect("eve");
    assert_eq!(person.scopes, read_scopes("read"), "she is no administrator");
    let refused = scene.sign_up(NewPerson {
        name: "fay".into(),
        email: "f@a.example".into(),
        scopes: read_scopes("push"),
        ..eve(&all)
    });
    assert!(matches!(refused, Err(SignUpRefused::Scopes)));
    let narrow = scene.who(&get(&all, "read:lists").text_of("access_token")).expect("somebody");
    assert!(!narrow.scopes.holds(Scope("read:statuses")) && !narrow.scopes.holds(Scope("read")));
}

#[test]
fn an_apps_own_token_is_nobodys() {
    let scene = scene();
    let app = scene.app("read write");
    let given = scene.for_itself(&app, "read write:accounts");
    assert_eq!((given.status, given.text_of("scope")), (StatusCode::OK, "read write:accounts".to_owned()));
    let token = given.text_of("access_token");
    let who = scene.who(&token).expect("an app");
    assert!(!who.has_account() && who.client.as_deref() == Some(&*app.client_id));
    assert!(who.scopes.holds(Scope("write:accounts")) && !who.scopes.holds(Scope("write")));
    let mut tried = 0;
    for declared in decalog_identity::api::rest::routes().table() {
        let path = declared.path.replace(['{', '}'], "");
        let answer = scene.place.api(&scene.desk, declared.method.clone(), &path, &token, &json!({}));
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.text.contains("account-required"), "{path}: {}", answer.text);
        tried += 1;
    }
    assert!(tried > 20);
    assert_eq!(scene.get("/oauth/userinfo", &token).status, StatusCode::FORBIDDEN);
    let wrong = Registered { client_secret: "x".to_owned(), ..app.clone() };
    assert_eq!(scene.for_itself(&wrong, "read").status, StatusCode::UNAUTHORIZED);
    let sent = [("client_id", &*app.client_id), ("client_secret", &*app.client_secret), ("token", &*token)];
    let known = scene.place.post(&scene.desk, "/oauth/introspect", &sent).json();
    assert_eq!(
        (&known["active"], &known["scope"], &known["sub"]),
        (&json!(true), &json!("read write:accounts"), &json!(app.client_id))
    );
    let body = json!({ "client_id": app.client_id, "client_secret": app.client_secret, "token": token });
    let revoked = scene.place.api(&scene.desk, Method::POST, "/oauth/revoke", "", &body);
    assert_eq!((revoked.status, scene.who(&token)), (StatusCode::OK, None));
}

#[test]
fn an_app_that_nobody_uses_is_gone_after_a_day() {
    let mut scene = scene();
    let app = scene.app("read");
    let token = scene.for_itself(&app, "read").text_of("access_token");
    scene.restart();
    assert!(scene.who(&token).is_some() && scene.desk.identity.app(&app.client_id).is_some());
    scene.place.clock.advance(DAY);
    scene.app("read");
    assert!(scene.who(&token).is_none() && scene.desk.identity.app(&app.client_id).is_none());
    assert_eq!(scene.for_itself(&app, "read").status, StatusCode::UNAUTHORIZED);
    assert!(matches!(scene.sign_up(eve(&app)), Err(SignUpRefused::UnknownApp)));
}

#[test]
fn somebody_signs_up_and_signs_in_by_name_or_address() {
    let scene = scene();
    let app = scene.app("read write");
    let issued = scene.sign_up(eve(&app)).expect("an account");
    let who = scene.who(&issued.access_token).expect("somebody");
    assert_eq!(
        (who.account, &*who.name, who.client.as_deref()),
        (issued.account, "eve", Some(&*app.client_id))
    );
    assert_eq!((issued.scopes, issued.created_at), (read_scopes("read write"), 1_700_000_000));
    let me = scene.get("/v1/me", &issued.access_token).json();
    assert_eq!((&me["roles"], &me["email"]), (&json!(["user"]), &json!("eve@example.org")));
    for name in ["eve", "EVE", "eve@example.org", " Eve@EXAMPLE.org"] {
        let given = scene.with_password(&app, name, "eight ch", "read");
        assert_eq!((given.status, given.text_of("scope")), (StatusCode::OK, "read".to_owned()), "{name}");
    }
    let wrong = scene.with_password(&app, "eve@example.org", "nine char", "read");
    assert_eq!((wrong.status, wrong.text_of("error")), (StatusCode::BAD_REQUEST, "invalid_grant".to_owned()));
    for name in ["eve", "eve@example.org", "eve", "eve@example.org"] {
        assert_eq!(scene.with_password(&app, name, "wrong", "read").status, StatusCode::BAD_REQUEST);
    }
    for name in ["eve", "eve@example.org"] {
        let locked = scene.with_password(&app, name, "eight ch", "read");
        assert_eq!(locked.status, StatusCode::TOO_MANY_REQUESTS, "five failures under both names");
    }
    scene.place.clock.advance(31 * SECOND);
    assert_eq!(scene.with_password(&app, "eve@example.org", "eight ch", "read").status, StatusCode::OK);
}

#[test]
fn who_cannot_sign_up_is_told_why_and_leaves_no_record() {
    let scene = scene();
    let app = scene.app("read");
    scene.sign_up(eve(&app)).expect("an account");
    let records = scene.desk.identity.records().unwrap();
    let fay = || NewPerson { name: "fay".to_owned(), email: "fay@a.example".to_owned(), ..eve(&app) };
    let why = |person: NewPerson| scene.sign_up(person).expect_err("nobody");
    for name in ["", "admin", "Root", "a.b", "a b", "é", "a@b.example", &"x".repeat(31)] {
        assert!(matches!(why(NewPerson { name: name.to_owned(), ..fay() }), SignUpRefused::Name), "{name}");
    }
    for email in ["", "fay", "fay@a", "f ay@a.example"] {
        assert!(
            matches!(why(NewPerson { email: email.to_owned(), ..fay() }), SignUpRefused::Email),
            "{email}"
        );
    }
    assert!(matches!(why(NewPerson { name: "EVE".to_owned(), ..fay() }), SignUpRefused::NameTaken));
    let email = "EVE@example.org".to_owned();
    assert!(matches!(why(NewPerson { email, ..fay() }), SignUpRefused::EmailTaken));
    let with = |password: String| why(NewPerson { password, ..fay() });
    assert!(matches!(with("seven c".to_owned()), SignUpRefused::PasswordTooShort));
    assert!(matches!(with("x".repeat(1_001)), SignUpRefused::PasswordTooLong));
    let client_id = "decalog".to_owned();
    assert!(matches!(why(NewPerson { client_id, ..fay() }), SignUpRefused::UnknownApp));
    assert_eq!(scene.desk.identity.records().unwrap(), records);
    scene.sign_up(fay()).expect("nothing else is wrong with her");
}

#[test]
fn nobody_signs_up_where_that_is_not_open() {
    let mut place = Place::new();
    place.open_accounts = false;
    let scene = Scene::at(place);
    let app = scene.app("read");
    assert!(matches!(scene.sign_up(eve(&app)), Err(SignUpRefused::Closed)));
}

#[test]
fn the_description_lists_the_scopes_of_apps_and_their_grants() {
    let scene = scene();
    let told = scene.get("/.well-known/oauth-authorization-server", "").json();
    let has = |member: &str, name: &str| {
        told[member].as_array().is_some_and(|all| all.contains(&Value::from(name)))
    };
    for scope in ["openid", "read", "read:statuses", "write:accounts", "follow", "a:read"] {
        assert!(has("scopes_supported", scope), "{scope}");
    }
    assert!(has("grant_types_supported", "password") && has("grant_types_supported", "client_credentials"));
}
