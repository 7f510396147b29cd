//! Random lives under the harness: few names, few secrets, so that they meet.

use std::collections::BTreeSet;

use decalog_identity::command::*;
use decalog_identity::state::Directory;
use decalog_identity::value::{Bytes, Client, Device, GrantType, Hash, Profile, SECOND, Scopes};
use decalog_runtime::harness::{Outcome, Scenario, Step};
use decalog_runtime::{Origin, StateMachine};

/// A hash out of few.
pub(crate) fn hash(number: u8) -> Hash {
    Hash([number; 32])
}

pub(crate) fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub(crate) fn device() -> Device {
    Device { agent: "a browser".to_owned(), address: "192.0.2.1".to_owned() }
}

pub(crate) const PASSWORD: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA";

/// Makes up what people, clients and operators do.
#[derive(Default)]
pub(crate) struct Lives {
    /// How late it is in the present history.
    now: i64,
    /// They have passkeys. Lives without are as they were released (`golden.rs`).
    passkeys: bool,
    /// Outside providers send them, too.
    pub(crate) providers: bool,
    /// They are erased, too.
    pub(crate) erasures: bool,
    /// Apps register themselves, people sign up through them, and days go by.
    pub(crate) apps: bool,
}

impl Lives {
    pub(crate) fn with_passkeys() -> Lives {
        Lives { passkeys: true, ..Lives::default() }
    }

    pub(crate) fn with_providers() -> Lives {
        Lives { providers: true, ..Lives::with_passkeys() }
    }

    pub(crate) fn with_apps() -> Lives {
        Lives { apps: true, ..Lives::with_erasures() }
    }

    pub(crate) fn with_erasures() -> Lives {
        Lives { erasures: true, ..Lives::with_providers() }
    }
}

pub(crate) struct Dice<'a> {
    pub(crate) random: &'a mut fastrand::Rng,
    pub(crate) state: &'a Directory,
    now: i64,
}

impl Dice<'_> {
    pub(crate) fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.random.usize(0..all.len())].clone()
    }

    pub(crate) fn often(&mut self, share: f64) -> bool {
        self.random.f64() < share
    }

    pub(crate) fn hash(&mut self) -> Hash {
        hash(self.random.u8(0..12))
    }

    pub(crate) fn maybe_hash(&mut self) -> Option<Hash> {
        self.often(0.7).then(|| self.hash())
    }

    pub(crate) fn account(&mut self) -> u64 {
        let all: Vec<u64> = self.state.accounts().map(|(id, _)| id).collect();
        if all.is_empty() || self.often(0.05) { 7 } else { self.one_of(&all) }
    }

    fn session(&mut self) -> u64 {
        let all: Vec<u64> = self.state.sessions().map(|(id, _)| id).collect();
        if all.is_empty() || self.often(0.05) { 7 } else { self.one_of(&all) }
    }

    fn own_session(&mut self) -> u64 {
        let own = self.state.sessions().filter(|(_, session)| session.client.is_none());
        let own: Vec<u64> = own.map(|(id, _)| id).collect();
        if own.is_empty() || self.often(0.1) { self.session() } else { self.one_of(&own) }
    }

    fn client(&mut self) -> String {
        self.one_of(&["app", "app", "app", "robot", "nobody"]).to_owned()
    }

    pub(crate) fn roles(&mut self) -> BTreeSet<String> {
        set(self.one_of(&[&["admin"][..], &["trader"], &["admin", "trader"], &[], &["trader", "ghost"]]))
    }

    pub(crate) fn scopes(&mut self) -> Scopes {
        set(self.one_of(&[&["openid"][..], &["a:read"], &["openid", "a:read", "a:write"], &["b:read"]]))
    }

    pub(crate) fn expires(&mut self) -> i64 {
        self.now + self.random.i64(-3..120) * SECOND
    }

    pub(crate) fn password(&mut self) -> String {
        if self.often(0.95) { PASSWORD.to_owned() } else { "secret".to_owned() }
    }

    fn codes(&mut self) -> BTreeSet<Hash> {
        let count = if self.often(0.1) { 21 } else { 4 };
        (0..count).map(hash).collect()
    }

    fn registration(&mut self) -> Client {
        let id = self.one_of(&["app", "robot", "Not a name"]);
        let robot = id == "robot";
        let grants = if robot {
            [GrantType::ClientCredentials].into()
        } else {
            let mut all = BTreeSet::from([GrantType::AuthorizationCode, GrantType::RefreshToken]);
            if self.often(0.9) {
                all.extend([GrantType::DeviceCode, GrantType::Password]);
            }
            all
        };
        Client {
            id: id.to_owned(),
            name: "An app".to_owned(),
            secret: robot.then_some(hash(1)),
            redirect_uris: set(&["https://app.example/back"]),
            scopes: set(&["openid", "a:read", "a:write"]),
            grants,
            profile: Profile { without_pkce: self.often(0.3), ..Profile::default() },
            account: robot.then(|| self.account()),
        }
    }

    pub(crate) fn factor(&mut self, account: u64) -> Factor {
        let last =
            self.state.account(account).and_then(|it| it.totp.as_ref()).map_or(0, |totp| totp.last_step);
        match self.random.u32(0..4) {
            0 => Factor::Recovery(self.hash()),
            1 => Factor::None,
            _ => Factor::Totp(last + self.random.u64(0..3)),
        }
    }

    fn people(&mut self) -> Command {
        let account = self.account();
        match self.random.u32(0..18) {
            0 => SetRole {
                role: self.one_of(&["admin", "trader", "Not a name"]).to_owned(),
                scopes: set(self.one_of(&[&["a:read"][..], &["a:read", "a:write", "b:read"]])),
            }
            .into(),
            1 => OpenAccount {
                name: self.one_of(&["ada", "bob", "cyd", "dan", "Not a name"]).to_owned(),
                password: self.often(0.9).then(|| self.password()),
                roles: self.roles(),
                service: self.often(0.2),
            }
            .into(),
            2 => AssignRoles { account, roles: self.roles() }.into(),
            3 => SetPassword { account, password: self.password(), keep: Some(self.session()) }.into(),
            4 => SetDisabled { account, disabled: self.often(0.2) }.into(),
            5 => NoteFailures { account, count: self.random.u32(0..4) }.into(),
            6..11 => self.log_on(account),
            11 => EndSession { account: self.often(0.5).then_some(account), session: self.session() }.into(),
            12 => EndOtherSessions { account, keep: Some(self.session()) }.into(),
            13 => EnrolTotp { account, secret: Bytes(vec![1; self.random.usize(15..24)]) }.into(),
            14 => ConfirmTotp { account, step: self.random.u64(0..9), recovery: self.codes() }.into(),
            15 => RemoveTotp { account }.into(),
            16 => SetRecoveryCodes { account, recovery: self.codes() }.into(),
            _ if self.often(0.5) => CreateApiKey {
                account,
                hash: self.hash(),
                label: "a key".to_owned(),
                scopes: self.scopes(),
                expires: self.often(0.5).then(|| self.expires()),
            }
            .into(),
            _ => {
                let key = self.state.api_keys().map(|(id, _)| id).next().unwrap_or(7);
                RevokeApiKey { account: self.often(0.3).then_some(account), key }.into()
            }
        }
    }

    fn log_on(&mut self, account: u64) -> Command {
        let generation = self.state.account(account).map_or(0, |account| account.generation);
        let client = self.often(0.3).then(|| self.client());
        LogOn {
            account,
            generation: if self.often(0.95) { generation } else { generation + 1 },
            factor: self.factor(account),
            scopes: client.is_some().then(|| self.scopes()),
            refresh: client.is_some().then(|| self.hash()),
            client,
            secret: self.maybe_hash(),
            device: device(),
            expires: self.expires(),
        }
        .into()
    }

    pub(crate) fn passkey(&mut self, account: u64) -> u64 {
        let own: Vec<u64> = self.state.passkeys_of(account).map(|(id, _)| id).collect();
        if own.is_empty() || self.often(0.1) { 7 } else { self.one_of(&own) }
    }

    /// A counter that mostly goes on.
    pub(crate) fn counter(&mut self, passkey: u64) -> u32 {
        let known = self.state.passkeys().find(|(id, _)| *id == passkey).map_or(0, |(_, it)| it.counter);
        known + self.random.u32(0..3)
    }

    fn passkeys(&mut self) -> Command {
        let account = self.account();
        let passkey = self.passkey(account);
        let label = "x".repeat(if self.often(0.9) { 9 } else { 101 });
        match self.random.u32(0..12) {
            0..4 => AddPasskey {
                account,
                credential: Bytes(vec![self.random.u8(0..40); 16]),
                public_key: Bytes(vec![1; 77]),
                counter: self.random.u32(0..2),
                backup_eligible: self.often(0.5),
                backed_up: false,
                transports: set(self.one_of(&[&["usb", "nfc"][..], &["internal"], &["not one"]])),
                label,
                recovery: self.codes(),
            }
            .into(),
            4 => RenamePasskey { account, passkey, label }.into(),
            5 if self.often(0.3) => RemovePasskey { account, passkey }.into(),
            5 | 6 => {
                UsePasskey { account, passkey, counter: self.counter(passkey), backed_up: self.often(0.5) }
                    .into()
            }
            _ => {
                let generation = self.state.account(account).map_or(0, |account| account.generation);
                LogOnWithPasskey {
                    account,
                    passkey,
                    counter: self.counter(passkey),
                    backed_up: self.often(0.5),
                    user_verified: self.often(0.7),
                    generation: self.often(0.5).then_some(generation),
                    secret: self.maybe_hash(),
                    device: device(),
                    expires: self.expires(),
                }
                .into()
            }
        }
    }

    fn clients(&mut self) -> Command {
        match self.random.u32(0..20) {
            0..3 => SetClient { client: self.registration(), new: self.often(0.5) }.into(),
            3 if self.often(0.2) => RemoveClient { client: self.client() }.into(),
            3..6 => IssueCode {
                code: self.hash(),
                client: self.client(),
                session: self.own_session(),
                redirect_uri: if self.often(0.9) { "https://app.example/back" } else { "https://evil" }
                    .to_owned(),
                scopes: self.scopes(),
                challenge: self.often(0.8).then(|| hash(1)),
                nonce: None,
                expires: self.expires(),
            }
            .into(),
            6..10 => RedeemCode {
                code: self.hash(),
                client: self.client(),
                redirect_uri: if self.often(0.9) { "https://app.example/back" } else { "https://evil" }
                    .to_owned(),
                challenge: self.often(0.8).then(|| hash(1)),
                secret: self.maybe_hash(),
                refresh: Some(hash(self.random.u8(0..2))),
                device: device(),
                expires: self.expires(),
            }
            .into(),
            10..13 => self.refresh(),
            13 | 14 => IssueDeviceCode {
                code: self.hash(),
                user_code: self.one_of(&["BCDF", "GHJK", "a b"]).to_owned(),
                client: self.client(),
                scopes: self.scopes(),
                expires: self.expires(),
            }
            .into(),
            15 | 16 => DecideDevice {
                user_code: self.one_of(&["BCDF", "GHJK"]).to_owned(),
                session: self.own_session(),
                approve: self.often(0.6),
            }
            .into(),
            17 | 18 => self.redeem_device(),
            _ => self.keys(),
        }
    }

    fn refresh(&mut self) -> Command {
        let granted = self.state.sessions().filter(|(_, session)| session.refresh.is_some());
        let granted: Vec<_> = granted.filter_map(|(_, session)| session.secret).collect();
        Refresh {
            secret: if granted.is_empty() || self.often(0.2) { self.hash() } else { self.one_of(&granted) },
            refresh: hash(self.random.u8(0..2)),
            next: hash(self.random.u8(0..2)),
            client: self.client(),
            expires: self.expires(),
        }
        .into()
    }

    fn redeem_device(&mut self) -> Command {
        RedeemDeviceCode {
            code: self.hash(),
            client: self.client(),
            secret: self.maybe_hash(),
            refresh: None,
            device: device(),
            expires: self.expires(),
        }
        .into()
    }

    fn keys(&mut self) -> Command {
        let kid = self.one_of(&["k1", "k2", "k3"]).to_owned();
        match self.random.u32(0..4) {
            0 => RevokeSigningKey { kid }.into(),
            1 => AddSigningKey {
                kid,
                public: Bytes(vec![7; 32]),
                signs_from: self.now,
                trusted_until: self.expires(),
            }
            .into(),
            _ => GrantClient {
                client: self.one_of(&["robot", "app"]).to_owned(),
                scopes: self.scopes(),
                device: device(),
                expires: self.expires(),
            }
            .into(),
        }
    }
}

impl Scenario for Lives {
    type Machine = Directory;
    const COMMANDS: &'static [&'static str] = Command::NAMES;
    const REFUSALS: &'static [&'static str] = Refusal::NAMES;

    fn machine(&self) -> Directory {
        Directory::default()
    }

    fn step(&mut self, random: &mut fastrand::Rng, state: &Directory) -> Step<Command> {
        if state.digest() == Directory::default().digest() {
            self.now = self.start().0;
        }
        let mut wait_nanos = random.i64(0..SECOND);
        if self.apps && random.u32(0..400) == 0 {
            wait_nanos += 90_000 * SECOND;
        }
        self.now += wait_nanos;
        let now = self.now;
        let mut dice = Dice { random, state, now };
        let command = if self.apps && dice.often(0.12) {
            dice.apps()
        } else if self.erasures && dice.often(0.02) {
            dice.erasure()
        } else if self.providers && dice.often(0.2) {
            dice.providers()
        } else if self.passkeys && dice.often(0.2) {
            dice.passkeys()
        } else if dice.often(0.5) {
            dice.people()
        } else {
            dice.clients()
        };
        let origin = Origin { bucket: dice.random.u16(0..1024), principal: 1, ..Origin::default() };
        Step { origin, wait_nanos, command }
    }

    fn name(command: &Command) -> &'static str {
        command.name()
    }

    fn outcome(reply: &Reply) -> Outcome {
        match reply {
            Reply::Refused(refusal) => Outcome::Refused(refusal.name()),
            Reply::Done | Reply::Made(_) | Reply::Granted(_) => Outcome::Accepted,
        }
    }

    fn invariant(state: &Directory) -> Result<(), String> {
        state.check()
    }
}
