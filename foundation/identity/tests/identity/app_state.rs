//! Apps in the state: what they may have, how many strangers can make, and what is left of them.

use decalog_identity::command::*;
use decalog_identity::value::{Client, GrantType, Profile, SECOND, read_scopes};
use decalog_runtime::StateMachine;

use crate::guarantees::Office;
use crate::life::{Dice, PASSWORD, device, hash, set};

const DAY: i64 = 86_400 * SECOND;

fn client(id: &str, scopes: &str) -> Client {
    Client {
        id: id.to_owned(),
        name: "A phone".to_owned(),
        secret: Some(hash(9)),
        redirect_uris: set(&["phone://back"]),
        scopes: read_scopes(scopes),
        grants: [GrantType::AuthorizationCode, GrantType::ClientCredentials, GrantType::Password].into(),
        profile: Profile { without_pkce: true, out_of_band: true, until_revoked: true },
        account: None,
    }
}

impl Dice<'_> {
    pub(crate) fn apps(&mut self) -> Command {
        let id = self.one_of(&["phone", "phone", "tablet", "app", "robot", "Not a name"]).to_owned();
        let scopes = self.scopes();
        let account = self.account();
        match self.random.u32(0..10) {
            0 | 1 => {
                let website =
                    self.often(0.5).then(|| self.one_of(&["https://a.example", "not one"]).to_owned());
                RegisterApp { client: client(&id, "openid a b:read"), website }.into()
            }
            2 if self.often(0.3) => RemoveClient { client: "phone".to_owned() }.into(),
            2..5 => {
                let (secret, expires) = (self.hash(), self.expires());
                GrantApp { client: id, scopes, secret, device: device(), expires }.into()
            }
            5..7 => LogOn {
                account,
                generation: self.state.account(account).map_or(0, |account| account.generation),
                factor: self.factor(account),
                client: Some(id),
                scopes: Some(scopes),
                secret: self.maybe_hash(),
                refresh: None,
                device: device(),
                expires: self.expires(),
            }
            .into(),
            _ => SignUp {
                client: id,
                name: self.one_of(&["hal", "ivy", "joe", "Not a name"]).to_owned(),
                email: self.one_of(&["h@a.example", "i@a.example", "j@a.example", "not one"]).to_owned(),
                password: self.password(),
                roles: self.roles(),
                scopes,
                secret: self.hash(),
                device: device(),
                expires: self.expires(),
            }
            .into(),
        }
    }
}

fn register(office: &mut Office, id: &str, scopes: &str) -> Reply {
    office.ask(RegisterApp { client: client(id, scopes), website: None })
}

fn grant(office: &mut Office, id: &str, scopes: &str, secret: u8) -> Reply {
    let (scopes, expires) = (read_scopes(scopes), office.now + 9 * DAY);
    office.ask(GrantApp { client: id.to_owned(), scopes, secret: hash(secret), device: device(), expires })
}

fn sign_up(office: &mut Office, name: &str, email: &str, scopes: &str, secret: u8) -> Reply {
    office.ask(SignUp {
        client: "phone".to_owned(),
        name: name.to_owned(),
        email: email.to_owned(),
        password: PASSWORD.to_owned(),
        roles: set(&["trader"]),
        scopes: read_scopes(scopes),
        secret: hash(secret),
        device: device(),
        expires: office.now + 9 * DAY,
    })
}

#[test]
fn an_app_acts_as_no_account_and_gets_no_more_than_it_registered() {
    let mut office = Office::open();
    let of_ada = Client { account: Some(office.ada), ..client("phone", "read") };
    assert_eq!(office.ask(RegisterApp { client: of_ada, website: None }), Reply::Refused(Refusal::Invalid));
    let public = Client { secret: None, ..client("phone", "read") };
    assert_eq!(office.ask(RegisterApp { client: public, website: None }), Reply::Refused(Refusal::Invalid));
    assert!(matches!(register(&mut office, "phone", "read"), Reply::Made(_)));
    assert_eq!(register(&mut office, "phone", "read write"), Reply::Refused(Refusal::NameTaken));
    assert_eq!(register(&mut office, "app", "read"), Reply::Refused(Refusal::NameTaken), "somebody's client");
    let other =
        SetClient { client: Client { account: Some(office.ada), ..client("phone", "a") }, new: false };
    assert_eq!(office.ask(other), Reply::Refused(Refusal::NameTaken), "no client is put in its place");
    for more in ["write", "read write", "admin:read"] {
        assert_eq!(grant(&mut office, "phone", more, 20), Reply::Refused(Refusal::ScopeExceeded), "{more}");
    }
    let Reply::Granted(granted) = grant(&mut office, "phone", "read:lists", 20) else { panic!("no grant") };
    assert_eq!((granted.account, granted.scopes), (0, read_scopes("read:lists")));
    assert_eq!(grant(&mut office, "app", "a:read", 21), Reply::Refused(Refusal::GrantNotAllowed));
    office.directory.check().unwrap();
}

#[test]
fn what_somebody_gives_is_no_more_than_asked_registered_or_held() {
    let mut office = Office::open();
    office.ask(SetRole { role: "trader".to_owned(), scopes: read_scopes("read:statuses read:lists write") });
    register(&mut office, "phone", "read write:lists admin:read");
    let refused = Reply::Refused(Refusal::ScopeExceeded);
    assert_eq!(sign_up(&mut office, "eve", "eve@a.example", "write", 20), refused);
    let all = "read write:lists admin:read";
    let Reply::Granted(granted) = sign_up(&mut office, "eve", "eve@a.example", all, 20) else {
        panic!("no grant")
    };
    assert_eq!(granted.scopes, read_scopes("read:lists read:statuses write:lists"));
    let key = CreateApiKey {
        account: granted.account,
        hash: hash(30),
        label: "more".to_owned(),
        scopes: read_scopes("read"),
        expires: None,
    };
    assert_eq!(office.ask(key), refused);
}

#[test]
fn an_app_has_ten_tokens_of_its_own_and_the_oldest_makes_room() {
    let mut office = Office::open();
    register(&mut office, "phone", "read");
    register(&mut office, "tablet", "read");
    grant(&mut office, "tablet", "read", 20);
    for secret in 30..42 {
        assert!(matches!(grant(&mut office, "phone", "read", secret), Reply::Granted(_)));
    }
    assert!(office.directory.session_by_secret(&hash(20)).is_some(), "another app's stays");
    let left = (30..42).filter(|secret| office.directory.session_by_secret(&hash(*secret)).is_some());
    assert_eq!(left.collect::<Vec<u8>>(), (32..42).collect::<Vec<u8>>());
    office.directory.check().unwrap();
}

#[test]
fn an_app_that_nobody_uses_ends_and_one_that_somebody_used_stays() {
    let mut office = Office::open();
    register(&mut office, "phone", "read");
    register(&mut office, "tablet", "read");
    grant(&mut office, "tablet", "read", 20);
    sign_up(&mut office, "eve", "eve@a.example", "read", 21);
    office.now += DAY;
    office.log_on();
    assert!(office.directory.app("tablet").is_none() && office.directory.client("tablet").is_none());
    assert!(office.directory.session_by_secret(&hash(20)).is_none(), "its own token has ended with it");
    assert!(office.directory.app("phone").is_some_and(|app| app.used));
    assert!(office.directory.session_by_secret(&hash(21)).is_some());
    office.directory.check().unwrap();
}

#[test]
fn strangers_apps_make_room_for_each_other_and_for_nothing_else() {
    let mut office = Office::open();
    register(&mut office, "phone", "read");
    sign_up(&mut office, "eve", "eve@a.example", "read", 21);
    for number in 0..5_001 {
        assert!(matches!(register(&mut office, &format!("flood-{number}"), "read"), Reply::Made(_)));
        office.now += 1;
    }
    assert!(office.directory.app("flood-0").is_none(), "the oldest made room");
    assert!(office.directory.app("flood-1").is_some() && office.directory.app("phone").is_some());
    assert_eq!(office.directory.apps().count(), 5_001);
    assert!(office.directory.has_room_for_a_client() && office.directory.has_room_for_an_app());
    office.directory.check().unwrap();
}

#[test]
fn an_address_is_one_accounts_and_goes_with_it() {
    let mut office = Office::open();
    register(&mut office, "phone", "read");
    let before = office.directory.digest();
    let Reply::Granted(eve) = sign_up(&mut office, "eve", "eve@a.example", "read", 20) else {
        panic!("no eve")
    };
    let taken = Reply::Refused(Refusal::EmailTaken);
    assert_eq!(sign_up(&mut office, "mallory", "eve@a.example", "read", 21), taken);
    let named = |name: &str| OpenAccount {
        name: name.to_owned(),
        password: None,
        roles: set(&["trader"]),
        service: false,
    };
    assert_eq!(
        office.ask(named("eve@a.example")),
        Reply::Refused(Refusal::NameTaken),
        "nobody poses as the owner"
    );
    assert!(matches!(office.ask(named("bob@a.example")), Reply::Made(_)));
    assert_eq!(sign_up(&mut office, "mallory", "bob@a.example", "read", 21), taken, "nor as who is named so");
    assert_eq!(office.directory.account_called("eve@a.example").map(|(id, _)| id), Some(eve.account));
    let erase = EraseAccount { account: eve.account, unless_last_with: None };
    assert_eq!(office.ask(erase), Reply::Done);
    let mut snapshot = Vec::new();
    office.directory.snapshot(&mut snapshot).unwrap();
    assert!(!snapshot.windows(13).any(|window| window == b"eve@a.example"), "the address is left");
    assert!(matches!(sign_up(&mut office, "eve", "eve@a.example", "read", 22), Reply::Granted(_)));
    office.directory.check().unwrap();
    assert_ne!(office.directory.digest(), before);
}
