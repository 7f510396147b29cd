//! Links to outside providers in the state: whose they are, what they are enough for, and what never makes one.

use decalog_identity::command::*;
use decalog_identity::event::What;
use decalog_identity::value::{Bytes, Hash, SECOND};

use crate::guarantees::Office;
use crate::life::{Dice, device, hash, set};

pub(crate) const THERE: &str = "https://there.example";

impl Dice<'_> {
    pub(crate) fn providers(&mut self) -> Command {
        let account = self.account();
        let own: Vec<u64> = self.state.links_of(account).map(|(id, _)| id).collect();
        let link = if own.is_empty() || self.often(0.1) { 7 } else { self.one_of(&own) };
        let issuer = self.one_of(&[THERE, THERE, "https://elsewhere.example"]).to_owned();
        let subject = if self.often(0.02) { String::new() } else { self.random.u32(0..30).to_string() };
        match self.random.u32(0..12) {
            0..3 => LinkProvider { account, issuer, subject }.into(),
            3 => UnlinkProvider { account, link }.into(),
            4 | 5 => {
                let name = self.one_of(&["eve", "fay", "gus", "Not a name"]).to_owned();
                OpenWithProvider { name, roles: self.roles(), issuer, subject }.into()
            }
            _ => LogOnWithProvider {
                account,
                link,
                beside: self.beside(account),
                secret: self.maybe_hash(),
                device: device(),
                expires: self.expires(),
            }
            .into(),
        }
    }

    fn beside(&mut self, account: u64) -> SecondFactor {
        let passkey = self.passkey(account);
        match self.random.u32(0..6) {
            0 => SecondFactor::LeftToProvider,
            1 => {
                SecondFactor::Passkey { passkey, counter: self.counter(passkey), backed_up: self.often(0.5) }
            }
            2 | 3 => SecondFactor::Shown(Factor::None),
            _ => SecondFactor::Shown(self.factor(account)),
        }
    }
}

impl Office {
    fn link(&mut self, account: u64, subject: &str) -> Reply {
        self.ask(LinkProvider { account, issuer: THERE.to_owned(), subject: subject.to_owned() })
    }

    fn linked(&mut self, subject: &str) -> u64 {
        let made = self.link(self.ada, subject);
        let Reply::Made(link) = made else { panic!("{made:?}") };
        link
    }

    fn enter(&mut self, link: u64, beside: SecondFactor) -> Reply {
        self.ask(LogOnWithProvider {
            account: self.ada,
            link,
            beside,
            secret: None,
            device: device(),
            expires: self.now + SECOND,
        })
    }

    fn open_by(&mut self, name: &str, subject: &str) -> Reply {
        self.ask(OpenWithProvider {
            name: name.to_owned(),
            roles: set(&["trader"]),
            issuer: THERE.to_owned(),
            subject: subject.to_owned(),
        })
    }
}

const ALONE: SecondFactor = SecondFactor::Shown(Factor::None);

#[test]
fn a_link_lets_its_account_in_and_is_told_of() {
    let mut office = Office::open();
    let link = office.linked("s1");
    assert!(matches!(office.enter(link, ALONE), Reply::Made(_)));
    assert_eq!(office.directory.link(link).and_then(|link| link.used), Some(office.now));
    let names: Vec<&str> = office.told.iter().map(|event| event.what.name()).collect();
    assert!(names.ends_with(&["provider-linked", "provider-used", "session-started"]), "{names:?}");
    let account = office.ada;
    assert_eq!(office.ask(NoteFailures { account, count: 5 }), Reply::Done);
    assert_eq!(office.enter(link, ALONE), Reply::Refused(Refusal::Locked));
    assert_eq!(office.ask(SetDisabled { account, disabled: true }), Reply::Done);
    assert_eq!(office.enter(link, ALONE), Reply::Refused(Refusal::Disabled));
    assert_eq!(office.ask(SetDisabled { account, disabled: false }), Reply::Done);
    assert_eq!(office.ask(UnlinkProvider { account, link }), Reply::Done);
    assert_eq!(office.enter(link, ALONE), Reply::Refused(Refusal::UnknownLink));
    assert!(
        office.told.iter().any(|event| matches!(&event.what, What::ProviderUnlinked(it) if it.link == link))
    );
    office.directory.check().expect("nothing is left over");
}

#[test]
pub(crate) fn a_second_factor_is_asked_for_after_a_providers_word() {
    let mut office = Office::open();
    let (account, link) = (office.ada, office.linked("s1"));
    let (secret, recovery) = (Bytes(vec![1; 20]), [hash(3)].into());
    assert_eq!(office.ask(EnrolTotp { account, secret }), Reply::Done);
    assert_eq!(office.ask(ConfirmTotp { account, step: 7, recovery }), Reply::Done);
    assert_eq!(office.enter(link, ALONE), Reply::Refused(Refusal::SecondFactorNeeded));
    let code = |step| SecondFactor::Shown(Factor::Totp(step));
    assert_eq!(office.enter(link, code(7)), Reply::Refused(Refusal::CodeReplayed));
    assert!(matches!(office.enter(link, code(8)), Reply::Made(_)));
    assert_eq!(office.enter(link, code(8)), Reply::Refused(Refusal::CodeReplayed), "once");
    let recovery = |code: Hash| SecondFactor::Shown(Factor::Recovery(code));
    assert!(matches!(office.enter(link, recovery(hash(3))), Reply::Made(_)));
    assert_eq!(office.enter(link, recovery(hash(3))), Reply::Refused(Refusal::UnknownRecoveryCode));
    assert!(
        matches!(office.enter(link, SecondFactor::LeftToProvider), Reply::Made(_)),
        "the operator's choice"
    );
}

#[test]
fn a_passkey_counts_beside_a_providers_word_and_only_the_accounts_own() {
    let mut office = Office::open();
    let (account, link) = (office.ada, office.linked("s1"));
    let add = |account, credential| AddPasskey {
        account,
        credential: Bytes(vec![credential; 16]),
        public_key: Bytes(vec![1; 77]),
        counter: 5,
        backup_eligible: false,
        backed_up: false,
        transports: set(&["usb"]),
        label: "a passkey".to_owned(),
        recovery: [hash(credential)].into(),
    };
    let Reply::Made(passkey) = office.ask(add(account, 1)) else { panic!("no passkey") };
    let Reply::Made(bob) = office.open_by("bob", "s2") else { panic!("no account") };
    let Reply::Made(bobs) = office.ask(add(bob, 2)) else { panic!("no passkey") };
    let by = |passkey, counter| SecondFactor::Passkey { passkey, counter, backed_up: false };
    assert_eq!(office.enter(link, ALONE), Reply::Refused(Refusal::SecondFactorNeeded));
    assert_eq!(office.enter(link, by(bobs, 6)), Reply::Refused(Refusal::UnknownPasskey));
    assert!(matches!(office.enter(link, by(passkey, 6)), Reply::Made(_)));
    assert_eq!(office.enter(link, by(passkey, 6)), Reply::Refused(Refusal::PasskeyCloned));
}

#[test]
fn whoever_it_is_at_a_provider_belongs_to_one_account() {
    let mut office = Office::open();
    office.linked("s1");
    assert_eq!(office.link(office.ada, "s1"), Reply::Refused(Refusal::LinkTaken));
    assert_eq!(office.open_by("bob", "s1"), Reply::Refused(Refusal::LinkTaken));
    assert!(office.directory.account_named("bob").is_none(), "nothing is opened by halves");
    assert_eq!(
        office.open_by("ada", "s2"),
        Reply::Refused(Refusal::NameTaken),
        "a name is no claim to an account"
    );
    assert!(office.directory.link_of_subject(THERE, "s2").is_none());
    let Reply::Made(bob) = office.open_by("bob", "s2") else { panic!("no account") };
    assert!(office.directory.account(bob).is_some_and(|bob| bob.password.is_none() && !bob.service));
    let (bobs, _) = office.directory.links_of(bob).next().expect("its link");
    assert_eq!(office.enter(bobs, ALONE), Reply::Refused(Refusal::UnknownLink), "ada's it is not");
    let elsewhere = LinkProvider {
        account: office.ada,
        issuer: "https://elsewhere.example".to_owned(),
        subject: "s2".to_owned(),
    };
    assert!(matches!(office.ask(elsewhere), Reply::Made(_)), "another provider's s2 is somebody else");
    for (issuer, subject) in [("", "s"), (THERE, ""), (THERE, &"s".repeat(256)), (&"i".repeat(501), "s")] {
        let link = LinkProvider { account: bob, issuer: issuer.to_owned(), subject: subject.to_owned() };
        assert_eq!(office.ask(link), Reply::Refused(Refusal::Invalid));
    }
    for number in 3..21 {
        office.linked(&format!("s{number}"));
    }
    assert_eq!(office.link(office.ada, "s21"), Reply::Refused(Refusal::TooMany));
    let open = OpenAccount { name: "robot".to_owned(), password: None, roles: set(&[]), service: true };
    let Reply::Made(robot) = office.ask(open) else { panic!("no account") };
    assert_eq!(office.link(robot, "s22"), Reply::Refused(Refusal::Invalid), "nobody logs on to it");
    office.directory.check().expect("nothing is left over");
}

#[test]
fn the_last_way_in_is_not_taken_away() {
    let mut office = Office::open();
    let Reply::Made(bob) = office.open_by("bob", "s1") else { panic!("no account") };
    let (first, _) = office.directory.links_of(bob).next().expect("its link");
    let unlink = |link| UnlinkProvider { account: bob, link };
    assert_eq!(office.ask(unlink(first)), Reply::Refused(Refusal::LastCredential));
    let Reply::Made(second) = office.link(bob, "s2") else { panic!("no link") };
    assert_eq!(office.ask(unlink(first)), Reply::Done);
    assert_eq!(office.ask(unlink(first)), Reply::Refused(Refusal::UnknownLink));
    assert_eq!(office.ask(unlink(second)), Reply::Refused(Refusal::LastCredential));
    let password = crate::life::PASSWORD.to_owned();
    assert_eq!(office.ask(SetPassword { account: bob, password, keep: None }), Reply::Done);
    assert_eq!(office.ask(unlink(second)), Reply::Done);
    let (account, mallory) = (bob, office.ada);
    let Reply::Made(third) = office.link(account, "s3") else { panic!("no link") };
    let taken = office.ask(UnlinkProvider { account: mallory, link: third });
    assert_eq!(taken, Reply::Refused(Refusal::UnknownLink), "another's link");
}
