//! What nobody may get past: each of these tests fails when its guarantee is taken out (`controls.rs`).

use decalog_identity::command::*;
use decalog_identity::event::{Event, What};
use decalog_identity::state::Directory;
use decalog_identity::value::{Client, GrantType, Profile, SECOND};
use decalog_runtime::{Outbox, Stamp, StateMachine, Timestamp};

use crate::life::{PASSWORD, device, hash, set};

/// A directory with a person and a client, and a clock.
pub(crate) struct Office {
    pub(crate) directory: Directory,
    pub(crate) now: i64,
    pub(crate) told: Vec<Event>,
    pub(crate) ada: u64,
}

impl Office {
    pub(crate) fn open() -> Office {
        let now = 1_700_000_000 * SECOND;
        let mut office = Office { directory: Directory::default(), now, told: Vec::new(), ada: 0 };
        office.ask(SetRole { role: "trader".to_owned(), scopes: set(&["a:read"]) });
        let (name, password) = ("ada".to_owned(), Some(PASSWORD.to_owned()));
        let opened = office.ask(OpenAccount { name, password, roles: set(&["trader"]), service: false });
        let Reply::Made(ada) = opened else { panic!("{opened:?}") };
        office.ada = ada;
        let client = Client {
            id: "app".to_owned(),
            name: "An app".to_owned(),
            secret: None,
            redirect_uris: set(&["https://app.example/back"]),
            scopes: set(&["openid", "a:read", "a:write"]),
            grants: [GrantType::AuthorizationCode, GrantType::RefreshToken].into(),
            profile: Profile::default(),
            account: None,
        };
        assert_eq!(office.ask(SetClient { client, new: true }), Reply::Done);
        office
    }

    pub(crate) fn ask(&mut self, command: impl Into<Command>) -> Reply {
        let stamp = Stamp { time: Timestamp(self.now), principal: 1, ..Stamp::default() };
        let mut out = Outbox::new();
        while let Some(due) = self.directory.deadline().filter(|due| due.0 <= self.now) {
            self.directory.expire(&Stamp { time: due, ..stamp }, &mut out);
        }
        let reply = self.directory.apply(&stamp, command.into(), &mut out);
        self.told.extend(out.take_events());
        reply
    }

    pub(crate) fn log_on(&mut self) -> Reply {
        let generation = self.directory.account(self.ada).map_or(0, |account| account.generation);
        self.ask(LogOn {
            account: self.ada,
            generation,
            factor: Factor::None,
            client: None,
            scopes: None,
            secret: None,
            refresh: None,
            device: device(),
            expires: self.now + 3_600 * SECOND,
        })
    }

    fn code(&mut self, session: u64) {
        let issued = self.ask(IssueCode {
            code: hash(1),
            client: "app".to_owned(),
            session,
            redirect_uri: "https://app.example/back".to_owned(),
            scopes: set(&["openid", "a:read", "a:write"]),
            challenge: Some(hash(2)),
            nonce: Some("n".to_owned()),
            expires: self.now + 60 * SECOND,
        });
        assert_eq!(issued, Reply::Done);
    }

    fn redeem(&mut self, challenge: u8) -> Reply {
        self.ask(RedeemCode {
            code: hash(1),
            client: "app".to_owned(),
            redirect_uri: "https://app.example/back".to_owned(),
            challenge: Some(hash(challenge)),
            secret: Some(hash(10)),
            refresh: Some(hash(11)),
            device: device(),
            expires: self.now + 3_600 * SECOND,
        })
    }

    fn refresh(&mut self, token: u8, next: u8) -> Reply {
        let (secret, refresh, next) = (hash(10), hash(token), hash(next));
        let expires = self.now + 7_200 * SECOND;
        self.ask(Refresh { secret, refresh, next, client: "app".to_owned(), expires })
    }

    /// A person who logged on and gave the app a grant.
    fn granted() -> (Office, Granted) {
        let mut office = Office::open();
        let Reply::Made(session) = office.log_on() else { panic!("no session") };
        office.code(session);
        let Reply::Granted(granted) = office.redeem(2) else { panic!("no grant") };
        (office, granted)
    }
}

#[test]
pub(crate) fn who_fails_too_often_waits() {
    let mut office = Office::open();
    let account = office.ada;
    assert_eq!(office.ask(NoteFailures { account, count: 5 }), Reply::Done);
    assert_eq!(office.log_on(), Reply::Refused(Refusal::Locked));
    office.now += 29 * SECOND;
    assert_eq!(office.log_on(), Reply::Refused(Refusal::Locked));
    office.now += 2 * SECOND;
    assert!(matches!(office.log_on(), Reply::Made(_)));
    assert_eq!(office.directory.account(account).map(|account| account.failures), Some(0));
}

#[test]
pub(crate) fn a_code_needs_its_verifier() {
    let mut office = Office::open();
    let Reply::Made(session) = office.log_on() else { panic!("no session") };
    office.code(session);
    assert_eq!(office.redeem(3), Reply::Refused(Refusal::ChallengeMismatch));
    let Reply::Granted(granted) = office.redeem(2) else { panic!("no grant") };
    assert_eq!(granted.scopes, set(&["openid", "a:read"]), "a right that ada lacks is not given");
    assert_eq!(granted.nonce.as_deref(), Some("n"));
}

#[test]
pub(crate) fn a_refresh_token_that_comes_twice_ends_the_grant() {
    let (mut office, granted) = Office::granted();
    assert!(matches!(office.refresh(11, 12), Reply::Granted(_)));
    assert_eq!(office.refresh(11, 13), Reply::Refused(Refusal::TokenReused));
    assert!(office.directory.session(granted.session).is_none());
    assert_eq!(office.refresh(12, 13), Reply::Refused(Refusal::UnknownToken), "the thief's successor too");
    let reuse =
        |event: &Event| matches!(&event.what, What::ReuseDetected(it) if it.session == granted.session);
    assert!(office.told.iter().any(reuse), "it is in the audit trail");
}

#[test]
fn a_code_that_comes_twice_takes_back_what_it_gave() {
    let (mut office, granted) = Office::granted();
    assert_eq!(office.redeem(2), Reply::Refused(Refusal::CodeReused));
    assert!(office.directory.session(granted.session).is_none());
    office.now += 60 * SECOND;
    assert_eq!(office.redeem(2), Reply::Refused(Refusal::UnknownCode), "it has ended");
}

#[test]
fn a_new_password_ends_the_other_sessions() {
    let (mut office, granted) = Office::granted();
    let Reply::Made(mine) = office.log_on() else { panic!("no session") };
    let (account, password) = (office.ada, PASSWORD.to_owned());
    assert_eq!(office.ask(SetPassword { account, password, keep: Some(mine) }), Reply::Done);
    assert!(office.directory.session(granted.session).is_none());
    let left: Vec<u64> = office.directory.sessions_of(account).map(|(id, _)| id).collect();
    assert_eq!(left, [mine]);
}

#[test]
fn nobody_consents_on_a_clients_session_and_the_oldest_session_makes_room() {
    let (mut office, granted) = Office::granted();
    let refused = office.ask(IssueCode {
        code: hash(5),
        client: "app".to_owned(),
        session: granted.session,
        redirect_uri: "https://app.example/back".to_owned(),
        scopes: set(&["a:read"]),
        challenge: Some(hash(2)),
        nonce: None,
        expires: office.now + SECOND,
    });
    assert_eq!(refused, Reply::Refused(Refusal::UnknownSession));
    for _ in 0..250 {
        assert!(matches!(office.log_on(), Reply::Made(_)));
    }
    assert_eq!(office.directory.sessions_of(office.ada).count(), 200);
    office.directory.check().unwrap();
}

#[test]
fn refusals_keep_their_codes() {
    let codes: Vec<u16> = Refusal::ALL.iter().map(|refusal| refusal.code()).collect();
    assert_eq!(codes, (1..=32).chain(60..=62).chain([80, 100]).collect::<Vec<u16>>());
    for refusal in Refusal::ALL {
        assert_eq!(Refusal::try_from(refusal.code()), Ok(*refusal));
    }
    assert!(Refusal::try_from(0).is_err());
}
