//! Who may what at this moment: what a token or API key is checked against, without asking the state.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use decalog_gateway::access::{Principal, Scopes as Held};

use crate::event::{Event, What};
use crate::state::Directory;
use crate::value::{Client, Hash, Roles, Scopes, holds, narrowed};

/// A session or an API key, as whoever shows it is seen.
#[derive(Clone, Debug)]
pub struct Live {
    /// Who that is.
    pub principal: Arc<Principal>,
    /// When it ends.
    pub expires: i64,
    /// What it was given; none for all that the account may.
    given: Option<Scopes>,
}

/// A key whose signatures count.
#[derive(Clone, Debug)]
pub struct Trusted {
    /// The Ed25519 public key.
    pub public: Vec<u8>,
    /// From when on it signs.
    pub signs_from: i64,
    /// Until when its signatures count.
    pub trusted_until: i64,
}

#[derive(Debug, Default)]
struct Person {
    name: Arc<str>,
    /// Shared by all who may the same.
    scopes: Arc<Scopes>,
    disabled: bool,
    sessions: BTreeSet<u64>,
    keys: BTreeSet<Hash>,
}

/// An app, as others are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its id, a number.
    pub id: u64,
    /// What people are shown.
    pub name: String,
    /// Where to read about it.
    pub website: Option<String>,
    /// Where codes may be sent.
    pub redirect_uris: BTreeSet<String>,
    /// The most it can be granted.
    pub scopes: Scopes,
}

/// Scopes that mean others too: whoever holds one of these names holds what it stands for.
pub type Aliases = BTreeMap<String, Scopes>;

/// The picture; changed by events only.
#[derive(Debug, Default)]
pub struct Picture {
    people: HashMap<u64, Person>,
    sessions: HashMap<u64, Live>,
    keys: HashMap<Hash, Live>,
    key_hashes: HashMap<u64, Hash>,
    trusted: HashMap<String, Trusted>,
    /// Tokens that count as long as their sessions.
    bearers: HashMap<Hash, u64>,
    bearer_hashes: HashMap<u64, Hash>,
    apps: HashMap<String, Arc<App>>,
    aliases: Aliases,
    /// What people may: each once.
    scopes: BTreeSet<Arc<Scopes>>,
}

/// The picture behind its lock. Nothing on the apply thread takes it.
#[derive(Debug, Default)]
pub struct Principals {
    picture: RwLock<Picture>,
    changes: AtomicU64,
}

impl Principals {
    /// The picture of a state, in which these names mean more.
    pub fn of(state: &Directory, aliases: Aliases) -> Principals {
        let mut picture = Picture { aliases, ..Picture::default() };
        for (id, app) in state.apps() {
            if let Some(Client { name, redirect_uris, scopes, .. }) = state.client(id).cloned() {
                let app = App { id: app.id, name, website: app.website.clone(), redirect_uris, scopes };
                picture.apps.insert(id.to_owned(), Arc::new(app));
            }
        }
        let mut scopes: BTreeMap<&Roles, Arc<Scopes>> = BTreeMap::new();
        for (id, account) in state.accounts() {
            let of_these = || picture.shared(&state.scopes_in(&account.roles));
            let person = Person {
                name: account.name.as_str().into(),
                scopes: Arc::clone(scopes.entry(&account.roles).or_insert_with(of_these)),
                disabled: account.disabled,
                ..Person::default()
            };
            picture.people.insert(id, person);
        }
        for (id, session) in state.sessions() {
            let client = session.client.as_deref();
            picture.start(session.account, id, client, session.scopes.clone(), session.expires);
            if let Some(hash) = state.bearer(session) {
                picture.issue(id, hash);
            }
        }
        for (id, key) in state.api_keys() {
            picture.add_key(key.account, id, key.hash, key.scopes.clone(), key.expires);
        }
        for (kid, key) in state.signing_keys() {
            picture.trust(kid, &key.public.0, key.signs_from, key.trusted_until);
        }
        Principals { picture: RwLock::new(picture), changes: AtomicU64::new(0) }
    }

    /// Looks at the picture.
    pub fn look(&self) -> RwLockReadGuard<'_, Picture> {
        self.picture.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event in.
    pub fn apply(&self, event: &Event) {
        self.picture.write().unwrap_or_else(PoisonError::into_inner).apply(event);
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// How often the picture has changed: whoever looked at this number before knows whether to look again.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }
}

impl Picture {
    /// A session.
    pub fn session(&self, id: u64) -> Option<&Live> {
        self.sessions.get(&id)
    }

    /// An API key.
    pub fn key(&self, hash: &Hash) -> Option<&Live> {
        self.keys.get(hash).filter(|live| !self.is_out(live.principal.account))
    }

    /// The session that a token belongs to which counts as long as it lives.
    pub fn bearer(&self, hash: &Hash) -> Option<&Live> {
        self.session(*self.bearers.get(hash)?)
    }

    /// The app that is this client.
    pub fn app(&self, client: &str) -> Option<&Arc<App>> {
        self.apps.get(client)
    }

    /// Every trusted key, by name.
    pub fn trusted(&self) -> impl Iterator<Item = (&str, &Trusted)> {
        self.trusted.iter().map(|(kid, key)| (kid.as_str(), key))
    }

    /// The trusted key with this name.
    pub fn trusts(&self, kid: &str) -> Option<&Trusted> {
        self.trusted.get(kid)
    }

    /// The accounts that hold a right and are let in, in order.
    pub fn holders(&self, right: &str) -> Vec<u64> {
        let may = |person: &Person| !person.disabled && holds(&person.scopes, right);
        let mut found: Vec<u64> =
            self.people.iter().filter(|(_, person)| may(person)).map(|(id, _)| *id).collect();
        found.sort_unstable();
        found
    }

    /// The set that is kept of these scopes.
    fn shared(&mut self, scopes: &Scopes) -> Arc<Scopes> {
        if let Some(kept) = self.scopes.get(scopes) {
            return Arc::clone(kept);
        }
        let kept = Arc::new(scopes.clone());
        self.scopes.insert(Arc::clone(&kept));
        kept
    }

    fn is_out(&self, account: u64) -> bool {
        self.people.get(&account).is_none_or(|person| person.disabled)
    }

    fn apply(&mut self, event: &Event) {
        let account = event.account;
        match &event.what {
            What::AccountOpened(it) => {
                let (name, scopes) = (it.name.as_str().into(), self.shared(&it.scopes));
                let person = Person { name, scopes, ..Person::default() };
                self.people.insert(account, person);
            }
            What::RolesAssigned(it) => self.assign(account, &it.scopes),
            What::DisabledSet(it) => {
                if let Some(person) = self.people.get_mut(&account) {
                    person.disabled = it.disabled;
                }
            }
            What::SessionStarted(it) => {
                self.start(account, it.session, it.client.as_deref(), it.scopes.clone(), it.expires);
            }
            What::SessionRefreshed(it) => {
                if let Some(live) = self.sessions.get_mut(&it.session) {
                    live.expires = it.expires;
                }
            }
            What::BearerIssued(it) => self.issue(it.session, it.hash),
            What::AppRegistered(it) => {
                let app = App {
                    id: it.app,
                    name: it.name.clone(),
                    website: it.website.clone(),
                    redirect_uris: it.redirect_uris.clone(),
                    scopes: it.scopes.clone(),
                };
                self.apps.insert(it.client.clone(), Arc::new(app));
            }
            What::ClientRemoved(it) => drop(self.apps.remove(&it.client)),
            What::SessionEnded(it) => {
                self.sessions.remove(&it.session);
                if let Some(hash) = self.bearer_hashes.remove(&it.session) {
                    self.bearers.remove(&hash);
                }
                if let Some(person) = self.people.get_mut(&account) {
                    person.sessions.remove(&it.session);
                }
            }
            // Its sessions and keys have ended before.
            What::AccountErased(_) => drop(self.people.remove(&account)),
            What::ApiKeyCreated(it) => self.add_key(account, it.key, it.hash, it.scopes.clone(), it.expires),
            What::ApiKeyEnded(it) => {
                if let Some(hash) = self.key_hashes.remove(&it.key) {
                    self.keys.remove(&hash);
                    if let Some(person) = self.people.get_mut(&account) {
                        person.keys.remove(&hash);
                    }
                }
            }
            What::SigningKeyAdded(it) => self.trust(&it.kid, &it.public.0, it.signs_from, it.trusted_until),
            What::SigningKeyEnded(it) => drop(self.trusted.remove(&it.kid)),
            _ => {}
        }
    }

    fn live(
        &mut self,
        account: u64,
        session: u64,
        client: Option<&str>,
        given: Option<Scopes>,
        expires: i64,
    ) -> Live {
        // An app of no account has what it was given.
        let nobody = Person { name: client.unwrap_or_default().into(), ..Person::default() };
        let (person, scopes) = match (account, &given) {
            (0, given) => (&nobody, given.clone().unwrap_or_default()),
            (_, given) => {
                let person = &*self.people.entry(account).or_default();
                (
                    person,
                    given
                        .as_ref()
                        .map_or_else(|| (*person.scopes).clone(), |it| narrowed(it, &person.scopes)),
                )
            }
        };
        let (name, client) = (person.name.clone(), client.map(Into::into));
        let principal = Principal { account, name, scopes: widened(scopes, &self.aliases), client, session };
        Live { principal: Arc::new(principal), expires, given }
    }

    fn issue(&mut self, session: u64, hash: Hash) {
        self.bearers.insert(hash, session);
        self.bearer_hashes.insert(session, hash);
    }

    fn start(&mut self, account: u64, id: u64, client: Option<&str>, given: Option<Scopes>, expires: i64) {
        let live = self.live(account, id, client, given, expires);
        if account != 0 {
            self.people.entry(account).or_default().sessions.insert(id);
        }
        self.sessions.insert(id, live);
    }

    fn add_key(&mut self, account: u64, id: u64, hash: Hash, given: Scopes, expires: Option<i64>) {
        let live = self.live(account, id, None, Some(given), expires.unwrap_or(i64::MAX));
        self.people.entry(account).or_default().keys.insert(hash);
        self.key_hashes.insert(id, hash);
        self.keys.insert(hash, live);
    }

    fn trust(&mut self, kid: &str, public: &[u8], signs_from: i64, trusted_until: i64) {
        self.trusted.insert(kid.to_owned(), Trusted { public: public.to_vec(), signs_from, trusted_until });
    }

    /// An account has other rights: whatever acts for it has, too.
    fn assign(&mut self, account: u64, scopes: &Scopes) {
        let shared = self.shared(scopes);
        let Some(person) = self.people.get_mut(&account) else { return };
        person.scopes = shared;
        let (sessions, keys) = (person.sessions.clone(), person.keys.clone());
        let aliases = &self.aliases;
        let again = |live: &mut Live| {
            let held = live.given.as_ref().map_or_else(|| scopes.clone(), |given| narrowed(given, scopes));
            let scopes = widened(held, aliases);
            live.principal = Arc::new(Principal { scopes, ..Principal::clone(&live.principal) });
        };
        sessions.iter().for_each(|id| {
            self.sessions.get_mut(id).into_iter().for_each(again);
        });
        keys.iter().for_each(|hash| {
            self.keys.get_mut(hash).into_iter().for_each(again);
        });
    }
}

/// These scopes, and what those of them stand for that are aliases.
fn widened(scopes: Scopes, aliases: &Aliases) -> Held {
    let more = scopes.iter().filter_map(|scope| aliases.get(scope)).flatten();
    Held::new(scopes.iter().chain(more).map(String::as_str))
}
