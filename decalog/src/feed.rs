//! The feed: what the configuration says of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use decalog_blob::{Blobs, S3, folder, s3};
use decalog_feed::api::service::{Experiment, Plan, RankingSettings, Service, Settings};
use decalog_feed::projection::homes::Limits;
use decalog_feed::running::Core;
use decalog_feed::value::Ranker;
use decalog_identity::api::service::Identity;
use decalog_log::Log;
use decalog_outbound::Calling;
use decalog_runtime::store::FolderStore;
use decalog_runtime::{Meter, OnFatal};
use decalog_seal::KeyRing;

use crate::config::{Arm, Config, Ranking};
use crate::failure::Failure;

/// How timelines are ranked.
fn ranking(it: &Ranking) -> RankingSettings {
    let arm = |arm: &Arm| match arm {
        Arm::Default => Ranker::Default,
        Arm::Trained => Ranker::Trained,
        Arm::Chronological => Ranker::Chronological,
    };
    let hours = u64::from(it.train_hours.get());
    let experiment = Experiment { name: it.experiment.clone(), arms: it.arms.iter().map(arm).collect() };
    RankingSettings {
        train_every: (hours > 0).then(|| Duration::from_secs(hours * 3_600)),
        train_rows: it.train_impressions.get() as usize,
        experiment: (!it.experiment.is_empty()).then_some(experiment),
    }
}

/// The largest answer of a push service.
const PUSH_ANSWER_BYTES: usize = 64 * 1024;

/// What the feed stands on.
pub(crate) struct Ground {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) keys: Option<Arc<KeyRing>>,
    pub(crate) meter: Arc<dyn Meter>,
    pub(crate) fatal: OnFatal,
    pub(crate) identity: Arc<Identity>,
    pub(crate) calling: Calling,
}

/// Starts the feed. Must be called inside the Tokio runtime.
pub(crate) fn start(config: &Config, http: SocketAddr, ground: Ground) -> Result<Arc<Service>, Failure> {
    let Ground { log, keys, meter, fatal, identity, mut calling } = ground;
    let (data, it) = (&config.server.data, &config.feed);
    let blobs = blobs(config, keys.clone(), calling.clone())?;
    // Nobody reads what push services say beside the status.
    calling.policy.max_answer_bytes = PUSH_ANSWER_BYTES;
    let plan = Plan {
        core: Core {
            log,
            store: Arc::new(FolderStore::new(data.join("snapshots")).with_keys(keys.clone())),
            journal: data.join("events"),
            tables: data.join("feed/tables"),
            cache_bytes: u64::from(it.cache_mebibytes.get()) << 20,
            homes: Limits {
                bytes: (it.timelines_mebibytes.get() as usize) << 20,
                unread: it.timelines_unread.get(),
            },
            seal: keys,
            config: decalog_runtime::Config {
                snapshot_every: u64::from(config.server.snapshot_every_records.get()),
                erase_within: Some(config.server.erasure_window.length()),
                ..decalog_runtime::Config::default()
            },
            meter,
            fatal,
        },
        uploads: data.join("feed/uploads"),
        keys: data.join("feed/keys"),
        pushes: data.join("feed/pushes.json"),
        calling,
        blobs,
        collect_every: config.blobs.collect_every.length(),
        erase_within: config.server.erasure_window.length(),
        identity,
        settings: Settings {
            base: crate::identity::issuer(config, http),
            partitions: u16::try_from(it.partitions.get()).expect("at most 1024"),
            title: it.title.clone(),
            description: it.description.clone(),
            contact: it.contact.clone(),
            rules: it.rules.clone(),
            open_accounts: config.identity.open_accounts,
            max_characters: it.max_characters.get() as usize,
            ranking: ranking(&it.ranking),
        },
    };
    Ok(Service::start(plan)?)
}

/// Where the feed's files lie: in the data directory, or in a bucket.
fn blobs(config: &Config, seal: Option<Arc<KeyRing>>, calling: Calling) -> Result<Blobs, Failure> {
    let it = &config.blobs;
    let store = if it.bucket.is_empty() {
        folder(&config.server.data.join("blobs"))?
    } else {
        let given = (it.secret.reveal(), &*it.secret_file, it.secret_environment.as_str());
        let secret = crate::identity::secret(given);
        let secret = secret.map_err(|(place, reason)| Failure::BlobSecret { place, reason })?;
        s3(&S3 {
            bucket: it.bucket.clone(),
            region: it.region.clone(),
            endpoint: Some(it.endpoint.clone()).filter(|endpoint| !endpoint.is_empty()),
            access_key: it.access_key.clone(),
            secret: secret.unwrap_or_default(),
            calling,
        })?
    };
    let options =
        decalog_blob::Options { seal, grace: it.grace.length(), ..decalog_blob::Options::default() };
    Ok(Blobs::within(store, "feed", options))
}
