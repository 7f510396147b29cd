//! The running directory: its partition, the pictures fed by its events, and what everything at the edge goes through.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use decalog_gateway::access::{Authenticator, Logons};
use decalog_log::{Log, PartitionId};
use decalog_runtime::bucket::bucket_of;
use decalog_runtime::clock::Clock;
use decalog_runtime::erasure::{ErasureError, Erasures};
use decalog_runtime::store::Store;
use decalog_runtime::{
    Address, Applied, Config, Health, Meter, Observer, OnFatal, Origin, Partition, ReadError, Setup,
    StartError, Status, SubmitError, SubscriptionError, System,
};
use decalog_seal::KeyRing;
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, watch};

use super::authenticator::Doorkeeper;
use super::challenge::Challenges;
use super::direct::Direct;
use super::failures::Failures;
use super::keys::Keys;
use super::logon::Passwords;
use super::provider::{Fetch, Provider, Providers};
use super::random;
use super::recorder::{Recorder, Recording};
use crate::command::{Command, NoteFailures, OpenAccount, Refusal, Reply, SetClient, SetRole};
use crate::engine::webauthn::RelyingParty;
use crate::event::{Event, What};
use crate::password;
use crate::projection::audit::Audit;
use crate::projection::principals::{Aliases, Principals};
use crate::projection::trail::{Files, Trail};
use crate::state::Directory;
use crate::value::{CONTENT, Client, GrantType, Profile, SECOND, Scopes};

/// The directory's number among the systems: the high half of its partition's id.
pub const SYSTEM: u16 = 2;
/// The right to administer accounts, clients and keys, and to read the audit trail.
pub const ADMIN: &str = "identity:admin";
/// The right to change one's own account, its sessions and its second factor.
pub const SELF: &str = "identity:self";
/// The client that comes with the server: a command line that signs in by device code.
pub const OWN_CLIENT: &str = "decalog";
/// Erasures that who listens may be behind; whoever is further behind asks for all.
const ERASED: usize = 64;
/// How often failures and keys are looked after.
const ROUND: Duration = Duration::from_secs(5);

/// Everything the directory is started with.
pub struct Plan {
    /// The log that holds its partition.
    pub log: Arc<dyn Log>,
    /// Where snapshots lie.
    pub store: Arc<dyn Store>,
    /// Where the event journal lies.
    pub journal: PathBuf,
    /// The keys that seal the event journal, when there are any.
    pub seal: Option<Arc<KeyRing>>,
    /// Where the private signing keys lie.
    pub keys: PathBuf,
    /// Where the audit trail lies.
    pub audit: PathBuf,
    /// What was erased, whatever a backup says.
    pub erasures: Arc<Erasures>,
    /// How the partition behaves.
    pub runtime: Config,
    /// Who is told what the partition applies.
    pub meter: Arc<dyn Meter>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Who is told when the process must stop.
    pub fatal: OnFatal,
    /// Who asks outside providers.
    pub fetch: Arc<dyn Fetch>,
    /// What can be chosen.
    pub settings: Settings,
}

/// What can be chosen. Times are nanoseconds.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The issuer: the address that clients know the server by, without a slash at its end. Passkeys are bound to its
    /// host name; where that is an address, or `http` and not `localhost`, browsers have none.
    pub issuer: String,
    /// Whom access tokens are for.
    pub audience: String,
    /// Every right there is, of all systems.
    pub rights: Scopes,
    /// The rights of the role `user`.
    pub user_rights: Scopes,
    /// How long an access token lives.
    pub access_lifetime: i64,
    /// How long a refresh token lives, if it is not used.
    pub refresh_lifetime: i64,
    /// How long a person stays logged on.
    pub logon_lifetime: i64,
    /// How long a key signs.
    pub key_period: i64,
    /// Whether strangers may register clients (RFC 7591).
    pub open_registration: bool,
    /// Whether strangers may open accounts, through an app ([`Identity::sign_up`]).
    pub open_accounts: bool,
    /// What apps may have that register themselves.
    pub apps: Apps,
    /// Password checks at the same time.
    pub password_checks: usize,
    /// Password checks that may wait.
    pub password_queue: usize,
    /// Days for which the audit trail is kept.
    pub audit_days: u32,
    /// Accounts that are opened when nobody has their names.
    pub accounts: Vec<OpenAccount>,
    /// Outside providers through which people sign in.
    pub providers: Vec<Provider>,
}

/// What apps may have that register themselves ([`Identity::register_app`]): the words of the protocol that they speak.
#[derive(Clone, Debug, Default)]
pub struct Apps {
    /// The scopes that one may register. None of [`ADMIN`]'s kind is taken, whatever stands here.
    pub scopes: Scopes,
    /// Those of one that names none.
    pub default: Scopes,
    /// Names that mean other scopes, too, for every principal that holds one.
    pub aliases: Aliases,
    /// The path at which they register, when they may.
    pub registration: Option<&'static str>,
}

/// Why something is not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Trouble {
    /// The state says no.
    #[error("refused: {}", .0.name())]
    Refused(Refusal),
    /// The log cannot take it now.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The state cannot be read now.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why the directory does not start.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The runtime refused.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The events could not be followed.
    #[error("the audit trail cannot be read: {0}")]
    Follow(#[from] SubscriptionError),
    /// The state does not take what it needs.
    #[error("the directory cannot be set up: {0}")]
    Setup(#[from] Trouble),
    /// The audit trail cannot be read or written.
    #[error("the audit trail cannot be written: {0}")]
    Audit(std::io::Error),
    /// What was erased could not be erased again.
    #[error(transparent)]
    Erasure(#[from] ErasureError),
    /// The signing keys cannot be read or written.
    #[error("the signing keys in {}: {source}", .path.display())]
    Keys {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The first account, made because there was none; its password is shown once.
#[derive(Clone, Debug)]
pub struct First {
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: String,
}

/// A running directory.
pub struct Identity {
    pub(crate) settings: Settings,
    pub(crate) partition: Partition<Directory>,
    pub(crate) principals: Arc<Principals>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) keys: Keys,
    pub(crate) failures: Failures,
    pub(crate) passwords: Passwords,
    /// What passkeys are bound to; none when the issuer is of a kind that has none.
    pub(crate) party: Option<RelyingParty>,
    pub(crate) challenges: Challenges,
    pub(crate) providers: Providers,
    pub(crate) erasures: Arc<Erasures>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) doorkeeper: Arc<Doorkeeper>,
    erased: broadcast::Sender<u64>,
    reached: watch::Receiver<u64>,
    running: std::sync::Mutex<Option<(System<Directory>, Recording)>>,
}

/// What the apply thread passes on.
enum News {
    Events(u64, i64, Vec<Event>),
    Reached(u64),
}

struct Herald(mpsc::UnboundedSender<News>);

impl Observer<Directory> for Herald {
    fn applied(&mut self, record: &Applied<'_, Directory>) {
        if !record.events.is_empty() {
            // Who listens may have stopped: then nobody reads the pictures either.
            let _ =
                self.0.send(News::Events(record.stamp.offset, record.stamp.time.0, record.events.to_vec()));
        }
    }

    fn batch_end(&mut self, applied: u64) {
        let _ = self.0.send(News::Reached(applied));
    }
}

impl Identity {
    /// Recovers the directory and makes what it needs: roles, keys, and a first account when there is none. Blocks until
    /// that is done; must be called inside a Tokio runtime, which then follows the events.
    pub fn start(plan: Plan) -> Result<(Arc<Identity>, Option<First>), Failure> {
        let (herald, news) = mpsc::unbounded_channel();
        let setup = Setup {
            config: plan.runtime,
            journal: Some(plan.journal),
            seal: plan.seal.clone(),
            observer: Box::new(move |_: PartitionId| Some(Box::new(Herald(herald.clone())))),
            fatal: plan.fatal,
            meter: plan.meter,
            clock: plan.clock.clone(),
            ..Setup::new(plan.log, plan.store, |_| Directory::default())
        };
        let system = System::start(setup, SYSTEM, 1)?;
        let partition = system.partition(0).clone();
        // Before anybody asks, and before the configuration opens accounts.
        plan.erasures.repeat(&partition)?;
        let files = Files::new(plan.audit, plan.seal);
        let trail = Trail::open(files.clone(), plan.settings.audit_days).map_err(Failure::Audit)?;
        let mut recorder = Recorder::open(&partition, trail, plan.erasures.clone())?;
        recorder.catch_up()?;
        let aliases = plan.settings.apps.aliases.clone();
        let seen =
            partition.read_blocking(0, |state| Principals::of(state, aliases)).map_err(Trouble::from)?;
        let (principals, from) = (Arc::new(seen.value), seen.seen);
        let audit = Arc::new(Audit::new(files, Address::of_record(from)));
        let recording = recorder.spawn(Handle::current()).map_err(Failure::Audit)?;
        let (reach, reached) = watch::channel(from);
        let erased = broadcast::channel(ERASED).0;
        tokio::spawn(follow(news, from, principals.clone(), audit.clone(), erased.clone(), reach));
        let keys =
            Keys::open(&plan.keys).map_err(|source| Failure::Keys { path: plan.keys.clone(), source })?;
        let settings = plan.settings;
        let doorkeeper = Doorkeeper::new(
            principals.clone(),
            plan.clock.clone(),
            settings.issuer.clone(),
            settings.audience.clone(),
        );
        let identity = Arc::new(Identity {
            passwords: Passwords::new(settings.password_checks, settings.password_queue),
            party: RelyingParty::of(&settings.issuer),
            challenges: Challenges::new(),
            providers: Providers::new(&settings.providers, plan.fetch),
            settings,
            partition,
            principals,
            audit,
            keys,
            failures: Failures::default(),
            erasures: plan.erasures,
            clock: plan.clock,
            doorkeeper: Arc::new(doorkeeper),
            erased,
            reached,
            running: std::sync::Mutex::new(Some((system, recording))),
        });
        identity.install()?;
        identity.look_after_keys().map_err(|source| Failure::Keys { path: plan.keys, source })?;
        let first = identity.first_account()?;
        identity.open_declared()?;
        tokio::spawn(rounds(Arc::downgrade(&identity)));
        Ok((identity, first))
    }

    /// Whom the gateway asks.
    pub fn authenticator(&self) -> Arc<dyn Authenticator> {
        self.doorkeeper.clone()
    }

    /// Who lets people in over protocols that have no tokens. Must be called inside the Tokio runtime.
    pub fn logons(self: &Arc<Self>) -> Arc<dyn Logons> {
        Arc::new(Direct::new(Arc::clone(self)))
    }

    /// The accounts that were erased, as far as the ledger knows: all of before the start.
    pub fn erased(&self) -> Vec<u64> {
        self.erasures.of::<Directory>().into_iter().map(|(account, _)| account).collect()
    }

    /// Hears of each account that is erased from now on.
    pub fn hear_erasures(&self) -> broadcast::Receiver<u64> {
        self.erased.subscribe()
    }

    /// What is wrong with the partition, if anything.
    pub fn trouble(&self) -> Option<String> {
        match self.partition.status().health {
            Health::Running => None,
            health => Some(health.to_string()),
        }
    }

    /// Asks, whenever called, where the partition stands.
    pub fn standing(&self) -> impl Fn() -> Vec<Status> + Send + Sync + 'static {
        let partition = self.partition.clone();
        move || vec![partition.status()]
    }

    /// Whether a session of an account lives: it was not ended, and has not run out.
    pub fn session_lives(&self, account: u64, session: u64) -> bool {
        let picture = self.principals.look();
        let live = picture.session(session).filter(|live| live.principal.account == account);
        live.is_some_and(|live| live.expires > self.now())
    }

    /// Failed logons since the start: with names that nobody has, and with accounts.
    pub fn failed_logons(&self) -> (u64, u64) {
        self.failures.totals()
    }

    /// How sign-ins through outside providers ended since the start: provider, outcome, how many.
    pub fn provider_sign_ins(&self) -> Vec<(String, &'static str, u64)> {
        self.providers.outcomes()
    }

    /// Answers what was taken, syncs, and stops.
    pub fn stop(&self) {
        let running = self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some((system, recording)) = running {
            system.shutdown();
            drop(recording);
        }
    }

    /// Records applied so far, refusals included. Asks the partition's thread: what was answered is counted.
    pub fn records(&self) -> Result<u64, ReadError> {
        self.partition.read_blocking(0, |_| ()).map(|read| read.seen)
    }

    /// Nanoseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.clock.utc().0
    }

    /// Logs a command for somebody and waits until the pictures show what it did.
    pub(crate) async fn ask(
        &self,
        by: u64,
        key: &str,
        command: impl Into<Command>,
    ) -> Result<Reply, Trouble> {
        let origin = Origin { bucket: bucket_of(key.as_bytes()), principal: by, ..Origin::default() };
        let answer = self.partition.submit(origin, &command.into()).await?;
        let seen = answer.seen();
        // The other end lives as long as the partition does.
        let _ = self.reached.clone().wait_for(|reached| *reached >= seen).await;
        match answer.reply {
            Reply::Refused(refusal) => Err(Trouble::Refused(refusal)),
            reply => Ok(reply),
        }
    }

    /// Reads the state.
    pub(crate) async fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Directory) -> R + Send + 'static,
    ) -> Result<R, Trouble> {
        Ok(self.partition.read(read).await?.value)
    }

    fn tell(&self, key: &str, command: impl Into<Command>) -> Result<Reply, Trouble> {
        let answer =
            self.partition.submit_blocking(Origin::system(bucket_of(key.as_bytes())), &command.into())?;
        match answer.reply {
            Reply::Refused(refusal) => Err(Trouble::Refused(refusal)),
            reply => Ok(reply),
        }
    }

    /// Brings the roles and the server's own client to what the settings say.
    fn install(&self) -> Result<(), Trouble> {
        let rights = &self.settings.rights;
        for (role, scopes) in [("admin", rights), ("user", &self.settings.user_rights)] {
            let wanted = scopes.clone();
            let same = self.partition.read_blocking(0, move |state| {
                state.roles().any(|(name, scopes)| name == role && *scopes == wanted)
            });
            if !same?.value {
                self.tell(role, SetRole { role: role.to_owned(), scopes: scopes.clone() })?;
            }
        }
        let mut scopes = rights.clone();
        scopes.extend(CONTENT.map(str::to_owned));
        let client = Client {
            id: OWN_CLIENT.to_owned(),
            name: "Decalog command line".to_owned(),
            secret: None,
            redirect_uris: BTreeSet::new(),
            scopes,
            grants: [GrantType::DeviceCode, GrantType::RefreshToken].into(),
            profile: Profile::default(),
            account: None,
        };
        let wanted = client.clone();
        let same = self.partition.read_blocking(0, move |state| state.client(OWN_CLIENT) == Some(&wanted));
        if !same?.value {
            self.tell(OWN_CLIENT, SetClient { client, new: false })?;
        }
        Ok(())
    }

    fn first_account(&self) -> Result<Option<First>, Trouble> {
        if self.partition.read_blocking(0, |state| state.accounts().next().is_some())?.value {
            return Ok(None);
        }
        let first = First { name: "admin".to_owned(), password: random::readable(4, 5) };
        let hash = password::hash_password(&first.password, &random::bytes());
        let (name, password) = (first.name.clone(), Some(hash));
        let roles = ["admin".to_owned()].into();
        self.tell("admin", OpenAccount { name, password, roles, service: false })?;
        Ok(Some(first))
    }

    /// Opens the accounts of the settings whose names nobody has; one that there is stays as it is.
    fn open_declared(&self) -> Result<(), Trouble> {
        for account in &self.settings.accounts {
            let name = account.name.clone();
            let known = self.partition.read_blocking(0, move |state| state.account_named(&name).is_some());
            if !known?.value {
                self.tell(&account.name, account.clone())?;
            }
        }
        Ok(())
    }

    /// Makes the next signing key when it is time, and forgets those that are trusted no more.
    fn look_after_keys(&self) -> std::io::Result<()> {
        let (now, period) = (self.now(), self.settings.key_period);
        let newest = self.partition.read_blocking(0, |state| {
            let keys = state.signing_keys();
            keys.map(|(kid, key)| (key.signs_from, kid.to_owned())).max()
        });
        let newest =
            newest.map_err(std::io::Error::other)?.value.filter(|(_, kid)| self.keys.get(kid).is_some());
        let signs_from = match newest {
            Some((from, _)) if from + period / 2 > now => return Ok(()),
            Some((from, _)) => now.max(from + period),
            None => now,
        };
        let key = self.keys.make(signs_from, signs_from + 2 * period + self.settings.refresh_lifetime)?;
        let kid = key.kid.clone();
        self.tell(&kid, key).map_err(std::io::Error::other)?;
        let trusted = self.partition.read_blocking(0, |state| -> BTreeSet<String> {
            state.signing_keys().map(|(kid, _)| kid.to_owned()).collect()
        });
        let trusted = trusted.map_err(std::io::Error::other)?.value;
        self.keys.keep(|kid| trusted.contains(kid));
        Ok(())
    }

    async fn record_failures(&self, account: u64, count: u32) {
        let noted = self.ask(0, &account.to_string(), NoteFailures { account, count }).await;
        if let Err(error) = noted {
            tracing::warn!(account, count, %error, "failed logons cannot be recorded");
        }
    }

    /// A logon to this account failed.
    pub(crate) async fn note_failure(&self, account: u64) {
        if let Some(count) = self.failures.note(account, self.now()) {
            self.record_failures(account, count).await;
        }
    }
}

/// Looks after failures and keys until the directory is gone.
async fn rounds(identity: std::sync::Weak<Identity>) {
    let mut round = tokio::time::interval(ROUND);
    loop {
        round.tick().await;
        let Some(identity) = identity.upgrade() else { return };
        for (account, count) in identity.failures.due(identity.now()) {
            identity.record_failures(account, count).await;
        }
        let keys = tokio::task::spawn_blocking(move || identity.look_after_keys()).await;
        if let Ok(Err(error)) = keys {
            tracing::warn!(%error, "the signing keys cannot be looked after");
        }
    }
}

/// Keeps the pictures up to date until the partition stops.
async fn follow(
    mut news: mpsc::UnboundedReceiver<News>,
    from: u64,
    principals: Arc<Principals>,
    audit: Arc<Audit>,
    erased: broadcast::Sender<u64>,
    reach: watch::Sender<u64>,
) {
    while let Some(news) = news.recv().await {
        match news {
            News::Events(offset, time, events) if offset >= from => {
                for (index, event) in (0_u32..).zip(events) {
                    principals.apply(&event);
                    if matches!(event.what, What::AccountErased(_)) {
                        // Nobody may listen.
                        let _ = erased.send(event.account);
                    }
                    audit.add(Address { offset, index }, time, &event);
                }
            }
            News::Events(..) => {}
            News::Reached(applied) => {
                reach.send_if_modified(|reached| {
                    let moved = applied > *reached;
                    *reached = applied.max(*reached);
                    moved
                });
            }
        }
    }
}

/// In seconds since 1970.
pub(crate) fn seconds(nanos: i64) -> i64 {
    nanos.div_euclid(SECOND)
}
