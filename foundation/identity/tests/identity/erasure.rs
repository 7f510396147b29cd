//! Erasures: nothing of an account is left, its name is free, and the last administrator stays.

use decalog_identity::command::*;
use decalog_identity::event::What;
use decalog_identity::value::{Bytes, Client, GrantType, Profile, SECOND};
use decalog_runtime::StateMachine;

use crate::guarantees::Office;
use crate::life::{Dice, device, hash, set};

impl Dice<'_> {
    pub(crate) fn erasure(&mut self) -> Command {
        let unless_last_with = self.often(0.8).then(|| "a:write".to_owned());
        EraseAccount { account: self.account(), unless_last_with }.into()
    }
}

/// Gives Ada one of everything that an account can have.
fn furnish(office: &mut Office) {
    let account = office.ada;
    let robot = Client {
        id: "robot".to_owned(),
        name: "ada's robot".to_owned(),
        secret: Some(hash(8)),
        redirect_uris: set(&[]),
        scopes: set(&["a:read"]),
        grants: [GrantType::ClientCredentials].into(),
        profile: Profile::default(),
        account: Some(account),
    };
    let Reply::Made(session) = office.log_on() else { panic!("no session") };
    let expires = office.now + 100 * SECOND;
    let commands: Vec<Command> = vec![
        SetClient { client: robot, new: true }.into(),
        GrantClient { client: "robot".to_owned(), scopes: set(&["a:read"]), device: device(), expires }
            .into(),
        CreateApiKey {
            account,
            hash: hash(3),
            label: "ada's key".to_owned(),
            scopes: set(&["a:read"]),
            expires: Some(expires),
        }
        .into(),
        AddPasskey {
            account,
            credential: Bytes(vec![9; 16]),
            public_key: Bytes(vec![1; 77]),
            counter: 0,
            backup_eligible: false,
            backed_up: false,
            transports: set(&[]),
            label: "ada's passkey".to_owned(),
            recovery: [hash(1)].into(),
        }
        .into(),
        LinkProvider { account, issuer: "https://there.example".to_owned(), subject: "ada-there".to_owned() }
            .into(),
        EnrolTotp { account, secret: Bytes(vec![1; 20]) }.into(),
        IssueCode {
            code: hash(4),
            client: "app".to_owned(),
            session,
            redirect_uri: "https://app.example/back".to_owned(),
            scopes: set(&["openid"]),
            challenge: Some(hash(1)),
            nonce: None,
            expires,
        }
        .into(),
    ];
    for command in commands {
        let name = command.name();
        let reply = office.ask(command);
        assert!(!matches!(reply, Reply::Refused(_)), "{name}: {reply:?}");
    }
}

fn erase(office: &mut Office, unless_last_with: Option<&str>) -> Reply {
    let (account, right) = (office.ada, unless_last_with.map(str::to_owned));
    office.ask(EraseAccount { account, unless_last_with: right })
}

#[test]
fn nothing_of_an_account_is_left_and_its_name_is_free() {
    let mut office = Office::open();
    let (ada, before) = (office.ada, office.directory.digest());
    furnish(&mut office);
    office.directory.check().unwrap();
    assert_eq!(erase(&mut office, Some("a:write")), Reply::Done, "she has no such right");
    office.directory.check().unwrap();
    let mut snapshot = Vec::new();
    office.directory.snapshot(&mut snapshot).unwrap();
    for word in ["ada", "a browser", "192.0.2.1"] {
        assert!(!snapshot.windows(word.len()).any(|window| window == word.as_bytes()), "{word} is left");
    }
    assert!(!snapshot.windows(8).any(|window| window == ada.to_be_bytes()), "her id is left");
    assert_ne!(office.directory.digest(), before);
    let last = office.told.last().map(|event| (event.account, event.what.clone()));
    assert!(matches!(last, Some((id, What::AccountErased(_))) if id == ada), "{last:?}");
    assert_eq!(erase(&mut office, None), Reply::Refused(Refusal::UnknownAccount));
    let again =
        OpenAccount { name: "ada".to_owned(), password: None, roles: set(&["trader"]), service: false };
    let Reply::Made(other) = office.ask(again) else { panic!("the name is not free") };
    assert_ne!(other, ada);
}

#[test]
fn the_last_administrator_stays_unless_the_ledger_asks() {
    let mut office = Office::open();
    let refused = Reply::Refused(Refusal::LastAdministrator);
    assert_eq!(erase(&mut office, Some("a:read")), refused);
    let another = |name: &str, service| OpenAccount {
        name: name.to_owned(),
        password: None,
        roles: set(&["trader"]),
        service,
    };
    // A program is nobody, and neither is who is shut out.
    office.ask(another("robot", true));
    assert_eq!(erase(&mut office, Some("a:read")), refused);
    let Reply::Made(bob) = office.ask(another("bob", false)) else { panic!("no bob") };
    office.ask(SetDisabled { account: bob, disabled: true });
    assert_eq!(erase(&mut office, Some("a:read")), refused);
    office.ask(SetDisabled { account: bob, disabled: false });
    assert_eq!(erase(&mut office, Some("a:read")), Reply::Done);
    office.ada = bob;
    assert_eq!(erase(&mut office, None), Reply::Done);
}
