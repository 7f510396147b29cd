//! The running feed: its partitions, the timelines in memory, and what every handler goes through.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use decalog_blob::Blobs;
use decalog_gateway::access::{Principal, Scope};
use decalog_identity::api::service::Identity;
use decalog_outbound::{Calling, OutboundError};
use decalog_runtime::bucket::{bucket_of, partition_of};
use decalog_runtime::{Health, Origin, Partition, ReadError, Status, SubmitError, SubscriptionError};
use futures_util::future::try_join_all;
use tempfile::{NamedTempFile, TempDir};

use super::entity::rendered::Shelf;
use super::error::Error;
use super::forgetting::{Files, follow_erasures, forget_by_age};
use super::push::Push;
use super::rank::{Acquainted, Looks, Models, Surveyed, keep_training};
use super::suggestions::Popular;
use super::trends::Counted;
use crate::command::{Command, OpenAccount, Refusal, Reply};
use crate::keys::Keys;
use crate::media::{Addresses, Limits, Programs, Workshop};
use crate::projection::emojis::Emojis;
use crate::projection::homes::Homes;
use crate::projection::standings::Standings;
use crate::running::{self, Core, Running};
use crate::state::Feed;
use crate::value::{AccountId, Ranker};

/// What handlers share.
pub type Shared = Arc<Service>;

/// What a token needs to be somebody where nobody need be.
const READ: Scope = Scope("read:statuses");
/// How long an answer waits for another partition to hear of what was done.
const SETTLE: Duration = Duration::from_millis(500);
const SETTLE_STEP: Duration = Duration::from_millis(1);

/// Everything the feed is started with.
pub struct Plan {
    /// What its partitions are started with.
    pub core: Core,
    /// Where uploads lie while they are looked at.
    pub uploads: PathBuf,
    /// Where the edge's own keys lie.
    pub keys: PathBuf,
    /// The file that says what is not pushed yet.
    pub pushes: PathBuf,
    /// How push services are called.
    pub calling: Calling,
    /// Where files lie. Whatever else lies there is taken for something that nobody refers to.
    pub blobs: Blobs,
    /// How often what nobody refers to is looked for.
    pub collect_every: Duration,
    /// Who knows the accounts.
    pub identity: Arc<Identity>,
    /// Within what time files forget what is erased.
    pub erase_within: Duration,
    /// What can be chosen.
    pub settings: Settings,
}

/// What can be chosen.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address that clients know the server by, without a slash at its end.
    pub base: String,
    /// How many partitions; never changed later.
    pub partitions: u16,
    /// What the server is called.
    pub title: String,
    /// What it says about itself.
    pub description: String,
    /// Whom to write to.
    pub contact: String,
    /// The rules that people agree to.
    pub rules: Vec<String>,
    /// Strangers may open accounts.
    pub open_accounts: bool,
    /// Characters in a post.
    pub max_characters: usize,
    /// How timelines are ranked for who wants that.
    pub ranking: RankingSettings,
}

/// What can be chosen of ranking.
#[derive(Clone, Debug, Default)]
pub struct RankingSettings {
    /// How often is trained, if at all.
    pub train_every: Option<Duration>,
    /// Impressions without which nothing is learned.
    pub train_rows: usize,
    /// An experiment that runs.
    pub experiment: Option<Experiment>,
}

/// An experiment: accounts are divided evenly among its arms.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// Its name, at most 64 characters. Another name divides anew.
    pub name: String,
    /// What orders in each arm.
    pub arms: Vec<Ranker>,
}

/// Why the feed does not start.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The partitions do not.
    #[error(transparent)]
    Partitions(#[from] running::Failure),
    /// There is no folder for uploads.
    #[error("the uploads in {}: {source}", .path.display())]
    Uploads {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A key of the edge cannot be read or made.
    #[error("the keys in {}: {source}", .path.display())]
    Keys {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// What is not pushed yet cannot be read.
    #[error("what waits to be pushed: {}: {source}", .path.display())]
    Pushes {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// There is no client for calls.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// The events could not be followed.
    #[error("what is pushed cannot be followed: {0}")]
    Follow(#[from] SubscriptionError),
    /// What identity has erased could not be erased here.
    #[error("erased accounts cannot be forgotten: {0}")]
    Erase(#[from] SubmitError),
    /// Nor could be read whether it is.
    #[error("the partitions cannot be read: {0}")]
    Read(#[from] ReadError),
}

/// A running feed.
pub struct Service {
    pub(crate) settings: Settings,
    pub(crate) identity: Arc<Identity>,
    pub(crate) homes: Arc<Homes>,
    pub(crate) standings: Arc<Standings>,
    pub(crate) emojis: Arc<Emojis>,
    pub(crate) popular: Popular,
    pub(crate) blobs: Blobs,
    pub(crate) workshop: Workshop,
    pub(crate) counted: Counted,
    pub(crate) push: Push,
    pub(crate) addresses: Addresses,
    pub(crate) surveyed: Surveyed,
    pub(crate) acquainted: Acquainted,
    pub(crate) looks: Looks,
    pub(crate) shelf: Shelf,
    pub(crate) models: Models,
    partitions: Vec<Partition<Feed>>,
    running: Running,
    /// Accounts that are known to be known.
    known: Mutex<HashSet<u64>>,
    uploads: PathBuf,
}

impl Service {
    /// Recovers the partitions. Blocks until that is done; must be called inside a Tokio runtime, which then follows the
    /// events.
    pub fn start(plan: Plan) -> Result<Shared, Failure> {
        let settings = plan.settings;
        let failed = |source| Failure::Uploads { path: plan.uploads.clone(), source };
        // What a process left that was killed is of no use to anybody.
        if plan.uploads.exists() {
            std::fs::remove_dir_all(&plan.uploads).map_err(failed)?;
        }
        std::fs::create_dir_all(&plan.uploads).map_err(failed)?;
        let keys_failed = |source| Failure::Keys { path: plan.keys.clone(), source };
        let keys = Keys::open(&plan.keys, plan.core.seal.clone()).map_err(keys_failed)?;
        let push = Push::new(&keys, &settings, plan.calling.client("push")?).map_err(keys_failed)?;
        let addresses = Addresses::new(&keys.random("media", 32).map_err(keys_failed)?);
        let files = Files { mark: plan.core.tables.with_extension("tidied"), every: plan.erase_within / 4 };
        let running = Running::start(plan.core, settings.partitions)?;
        let train_every = settings.ranking.train_every;
        let erasures = plan.identity.hear_erasures();
        let service = Arc::new(Service {
            settings,
            identity: plan.identity,
            homes: Arc::clone(&running.homes),
            standings: Arc::clone(&running.standings),
            emojis: Arc::clone(&running.emojis),
            popular: Popular::default(),
            blobs: plan.blobs,
            workshop: Workshop::new(Limits::default(), Programs::default()),
            counted: Counted::default(),
            surveyed: Surveyed::default(),
            acquainted: Acquainted::default(),
            looks: Looks::default(),
            shelf: Shelf::default(),
            models: Models::default(),
            push,
            addresses,
            partitions: running.partitions.clone(),
            running,
            known: Mutex::default(),
            uploads: plan.uploads,
        });
        service.erase_again(&service.identity.erased())?;
        follow_erasures(&service, erasures);
        forget_by_age(&service, files);
        super::push::deliver::start(&service, plan.pushes)?;
        super::collection::start(&service, plan.collect_every);
        tokio::spawn(super::media::resume(Arc::downgrade(&service)));
        if let Some(every) = train_every {
            tokio::spawn(keep_training(Arc::downgrade(&service), every));
        }
        Ok(service)
    }

    /// What is wrong with a partition, if anything.
    pub fn trouble(&self) -> Option<String> {
        self.partitions.iter().find_map(|partition| match partition.status().health {
            Health::Running => None,
            health => Some(format!("partition {}: {health}", partition.id().0 & 0xffff)),
        })
    }

    /// Where the partitions stand.
    pub fn standing(&self) -> Vec<Status> {
        self.partitions.iter().map(Partition::status).collect()
    }

    /// Answers what was taken, syncs, and stops.
    pub fn stop(&self) {
        self.running.stop();
    }

    /// Rewrites the files of the tables without what is in no row any more. Blocks.
    pub(crate) fn rewrite_tables(&self) -> std::io::Result<()> {
        let partitions: Vec<_> = self.partitions.iter().map(Partition::id).collect();
        self.running.database.forget(&partitions)
    }

    /// In the order of their buckets.
    pub(crate) fn partitions(&self) -> &[Partition<Feed>] {
        &self.partitions
    }

    pub(crate) fn partition(&self, bucket: u16) -> &Partition<Feed> {
        &self.partitions[partition_of(bucket, self.partitions.len())]
    }

    /// The place of the partition that owns a bucket, to bring together what is asked of the same.
    pub(crate) fn place(&self, bucket: u16) -> usize {
        partition_of(bucket, self.partitions.len())
    }

    /// How many partitions there are.
    pub(crate) fn places(&self) -> usize {
        self.partitions.len()
    }

    /// Reads the partition that owns a bucket.
    pub(crate) async fn read<R: Send + 'static>(
        &self,
        bucket: u16,
        read: impl FnOnce(&Feed) -> R + Send + 'static,
    ) -> Result<R, Error> {
        Ok(self.partition(bucket).read(read).await?.value)
    }

    /// Reads the partition at a place.
    pub(crate) async fn read_place<R: Send + 'static>(
        &self,
        place: usize,
        read: impl FnOnce(&Feed) -> R + Send + 'static,
    ) -> Result<R, Error> {
        Ok(self.partitions[place].read(read).await?.value)
    }

    /// Reads every partition, all at once.
    pub(crate) async fn read_all<R: Send + 'static>(
        &self,
        read: impl Fn(&Feed) -> R + Clone + Send + 'static,
    ) -> Result<Vec<R>, Error> {
        try_join_all((0..self.places()).map(|place| self.read_place(place, read.clone()))).await
    }

    /// Reads partitions by their places, each for what is asked of it, all at once.
    pub(crate) async fn read_each<T: Send + 'static, R: Send + 'static>(
        &self,
        asked: impl IntoIterator<Item = (usize, T)>,
        read: impl Fn(&Feed, T) -> R + Clone + Send + 'static,
    ) -> Result<Vec<R>, Error> {
        let each = asked.into_iter().map(|(place, asked)| {
            let read = read.clone();
            self.read_place(place, move |feed| read(feed, asked))
        });
        try_join_all(each).await
    }

    /// Logs a command of somebody in the partition that owns a bucket.
    pub(crate) async fn ask(
        &self,
        by: AccountId,
        bucket: u16,
        command: impl Into<Command>,
    ) -> Result<Reply, Error> {
        self.ask_once(by, bucket, command, None).await
    }

    /// The same; what has this number of the same account is done once.
    pub(crate) async fn ask_once(
        &self,
        by: AccountId,
        bucket: u16,
        command: impl Into<Command>,
        number: Option<u64>,
    ) -> Result<Reply, Error> {
        let (client, sequence) = number.map_or((0, 0), |number| (by.0, number));
        let origin = Origin { bucket, principal: by.0, client, sequence, ..Origin::default() };
        match self.partition(bucket).submit(origin, &command.into()).await?.reply {
            Reply::Refused(why) => Err(why.into()),
            reply => Ok(reply),
        }
    }

    /// Waits until another partition has heard of what was done; at most a moment, as it will in any case.
    pub(crate) async fn settle(
        &self,
        bucket: u16,
        heard: impl Fn(&Feed) -> bool + Clone + Send + 'static,
    ) -> Result<(), Error> {
        let until = tokio::time::Instant::now() + SETTLE;
        while !self.read(bucket, heard.clone()).await? && tokio::time::Instant::now() < until {
            tokio::time::sleep(SETTLE_STEP).await;
        }
        Ok(())
    }

    /// Makes sure that the partitions know an account of identity.
    pub(crate) async fn know(&self, account: AccountId, name: &str) -> Result<(), Error> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known().contains(&account.0) {
            return Ok(());
        }
        if self.read(account.bucket(), move |feed| feed.account(account)).await?.is_none() {
            let moderators = self.identity.holders(super::admin::MODERATES).into_iter().map(AccountId);
            let moderators = moderators.filter(|moderator| *moderator != account).collect();
            let open = OpenAccount { account, name: name.to_owned(), moderators };
            self.ask(account, account.bucket(), open).await?;
        }
        known().insert(account.0);
        Ok(())
    }

    /// An account is known no more.
    pub(crate) fn forget_known(&self, account: AccountId) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&account.0);
    }

    /// Somebody who has shown who they are, unless they may do nothing here.
    pub(crate) async fn enter(&self, principal: Arc<Principal>) -> Result<Me, Error> {
        let id = AccountId(principal.account);
        if self.is_suspended(id) {
            return Err(Refusal::Suspended.into());
        }
        self.know(id, &principal.name).await?;
        Ok(Me { id, principal })
    }

    /// The account of a name, which may carry this server's own domain.
    pub(crate) async fn named(&self, name: &str) -> Result<crate::state::Account, Error> {
        let name = name.trim_start_matches('@');
        let (name, domain) = name.split_once('@').map_or((name, None), |(name, domain)| (name, Some(domain)));
        if domain.is_some_and(|domain| !domain.eq_ignore_ascii_case(self.domain())) {
            return Err(Error::not_found());
        }
        let name = name.to_lowercase();
        let bucket = bucket_of(name.as_bytes());
        self.read(bucket, move |feed| feed.account_named(&name)).await?.ok_or_else(Error::not_found)
    }

    /// Whether moderators have suspended an account: then nobody sees it.
    pub(crate) fn is_suspended(&self, account: AccountId) -> bool {
        self.standings.of(account).suspended
    }

    /// Whether an account is shown where everybody looks: moderators have neither limited nor suspended it.
    pub(crate) fn is_shown_to_all(&self, account: AccountId) -> bool {
        let standing = self.standings.of(account);
        !standing.limited && !standing.suspended
    }

    /// Host and port of the server's address.
    pub(crate) fn domain(&self) -> &str {
        self.settings.base.split_once("://").map_or(self.settings.base.as_str(), |(_, rest)| rest)
    }

    /// A file for an upload.
    pub(crate) fn upload(&self) -> Result<NamedTempFile, Error> {
        NamedTempFile::new_in(&self.uploads).map_err(no_room)
    }

    /// A folder for what is made of an upload.
    pub(crate) fn folder(&self) -> Result<TempDir, Error> {
        TempDir::new_in(&self.uploads).map_err(no_room)
    }

    /// Nanoseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
    }
}

/// An upload cannot be kept.
pub(crate) fn no_room(error: std::io::Error) -> Error {
    tracing::warn!(%error, "an upload cannot be kept");
    Error::later("The server cannot keep this file now")
}

/// Who asks: an account that the feed knows.
#[derive(Clone, Debug)]
pub(crate) struct Me {
    /// The account.
    pub(crate) id: AccountId,
    /// Who that is to identity.
    pub(crate) principal: Arc<Principal>,
}

async fn me(parts: &Parts, service: &Shared) -> Result<Option<Me>, Error> {
    let Some(principal) = parts.extensions.get::<Arc<Principal>>() else { return Ok(None) };
    if principal.account == 0 {
        return Ok(None);
    }
    service.enter(Arc::clone(principal)).await.map(Some)
}

impl FromRequestParts<Shared> for Me {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, service: &Shared) -> Result<Me, Error> {
        me(parts, service).await?.ok_or_else(Error::nobody)
    }
}

impl OptionalFromRequestParts<Shared> for Me {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, service: &Shared) -> Result<Option<Me>, Error> {
        // What everybody may ask is asked as nobody by a token that may not read.
        let me = me(parts, service).await?;
        Ok(me.filter(|me| me.principal.scopes.holds(READ)))
    }
}
