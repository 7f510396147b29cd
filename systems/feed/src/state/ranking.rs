//! What an account was shown in ranked order, how it wants things ordered, the experiments it takes part in; and, in the
//! first bucket's partition, the models that order.

use decalog_runtime::tables::end_of;
use serde::{Deserialize, Serialize};

use super::rows::{Rows, Window, family, key, last_number, text_key};
use super::{Feed, Turn, refused};
use crate::command::{LogDwell, LogExposure, LogImpressions, Refusal, Reply, SetModel, SetRanking};
use crate::engine::rank::{ACTIONS, Bundle};
use crate::sabotage::{self, Sabotage};
use crate::value::{AccountId, Bytes, IMPRESSIONS, Impression, PostId};

/// Impressions kept of each account, and how many more there may be until the oldest are forgotten.
const KEPT: u32 = 1_000;
const SLACK: u32 = 100;
/// What staying with a post counts at most, in milliseconds.
const LONGEST_DWELL: u32 = 600_000;
/// Experiments that one account takes part in.
const EXPERIMENTS: usize = 32;
/// Characters of a name of an experiment or an arm.
const LONGEST_NAME: usize = 64;
/// The bucket whose partition holds the models.
pub const MODEL_BUCKET: u16 = 0;

/// How an account wants things ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranking {
    /// The home timeline is ranked unless asked for otherwise.
    #[serde(default)]
    pub home: bool,
    /// So are notifications.
    #[serde(default)]
    pub notifications: bool,
    /// What was shown is shown again.
    #[serde(default)]
    pub show_seen: bool,
    /// Impressions that are kept.
    #[serde(default)]
    kept: u32,
}

/// An account takes part in an experiment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exposure {
    /// The name of the arm.
    pub arm: String,
    /// Since when.
    pub at: i64,
}

/// The models that order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipped {
    /// Their number.
    pub number: u64,
    /// As [`SetModel::bundle`].
    pub bundle: Bytes,
}

fn ranking_key(account: AccountId) -> Vec<u8> {
    key(family::RANKING, [account.0])
}

fn impression_key(account: AccountId, post: PostId) -> Vec<u8> {
    key(family::IMPRESSION, [account.0, post.0])
}

/// The rows of a family from a key on, at most so many, and the key to go on from when there may be more.
type Part<T> = (Vec<T>, Option<Vec<u8>>);

impl Rows {
    fn ranking(&self, account: AccountId) -> Ranking {
        self.get(&ranking_key(account)).unwrap_or_default()
    }

    fn shipped(&self) -> Option<Shipped> {
        self.get(&[family::RANKING])
    }

    /// Removes one impression of an account.
    pub(super) fn forget_impression(&mut self, account: AccountId, row: &[u8]) {
        self.remove(row);
        let mut ranking = self.ranking(account);
        ranking.kept = ranking.kept.saturating_sub(1);
        self.put(&ranking_key(account), &ranking);
    }

    fn part(&self, family: u8, from: Option<Vec<u8>>, most: usize) -> Part<(Vec<u8>, Vec<u8>)> {
        let from = from.unwrap_or_else(|| vec![family]);
        let rows = self.tables.range(&from, &end_of(&[family]), decalog_runtime::tables::Order::Rising, most);
        let next = rows.last().filter(|_| rows.len() == most).map(|(key, _)| [&key[..], &[0]].concat());
        (rows, next)
    }
}

impl Turn<'_> {
    pub(super) fn log_impressions(&mut self, it: LogImpressions) -> Reply {
        let LogImpressions { account, shown } = it;
        if shown.len() > IMPRESSIONS {
            return refused(Refusal::TooMany);
        }
        if !self.rows.has_account(account) {
            return refused(Refusal::NotFound);
        }
        let mut ranking = self.rows.ranking(account);
        for mut new in shown {
            let key = impression_key(account, new.post.post);
            match self.rows.get::<Impression>(&key) {
                // What it looked like the first time is what was acted upon.
                Some(old) => new = Impression { times: old.times.saturating_add(1), ..old },
                None => {
                    ranking.kept += 1;
                    (new.at, new.times, new.dwelt) = (self.now(), 1, 0);
                }
            }
            self.rows.put(&key, &new);
        }
        if ranking.kept > KEPT + SLACK {
            let over = Window { rising: true, ..Window::newest((ranking.kept - KEPT) as usize) };
            for (key, _) in self.rows.raw_page(&key(family::IMPRESSION, [account.0]), over) {
                self.rows.remove(&key);
                ranking.kept -= 1;
            }
        }
        self.rows.put(&ranking_key(account), &ranking);
        Reply::Done
    }

    pub(super) fn log_dwell(&mut self, it: LogDwell) -> Reply {
        if it.dwelt.len() > IMPRESSIONS {
            return refused(Refusal::TooMany);
        }
        for (post, milliseconds) in it.dwelt {
            let key = impression_key(it.account, post);
            // What was not shown was not stayed with.
            if let Some(mut row) = self.rows.get::<Impression>(&key) {
                row.dwelt = row.dwelt.saturating_add(milliseconds).min(LONGEST_DWELL);
                self.rows.put(&key, &row);
            }
        }
        Reply::Done
    }

    pub(super) fn set_model(&mut self, it: SetModel) -> Reply {
        let SetModel { number, bundle } = it;
        if Bundle::from_bytes(&bundle.0).is_err() && !sabotage::lacks(Sabotage::ModelCheck) {
            return refused(Refusal::BadModel);
        }
        if self.rows.shipped().is_some_and(|shipped| shipped.number >= number) {
            return refused(Refusal::OldModel);
        }
        self.rows.put(&[family::RANKING], &Shipped { number, bundle });
        Reply::Done
    }

    pub(super) fn set_ranking(&mut self, it: SetRanking) -> Reply {
        if !self.rows.has_account(it.account) {
            return refused(Refusal::NotFound);
        }
        let mut ranking = self.rows.ranking(it.account);
        ranking.home = it.home.unwrap_or(ranking.home);
        ranking.notifications = it.notifications.unwrap_or(ranking.notifications);
        ranking.show_seen = it.show_seen.unwrap_or(ranking.show_seen);
        if it.forget {
            self.forget_shown(it.account);
            ranking.kept = 0;
        }
        if ranking == Ranking::default() {
            self.rows.remove(&ranking_key(it.account));
        } else {
            self.rows.put(&ranking_key(it.account), &ranking);
        }
        Reply::Done
    }

    /// Forgets what an account was shown, and which experiments it took part in: at most a few more than are kept.
    pub(super) fn forget_shown(&mut self, account: AccountId) {
        if sabotage::lacks(Sabotage::ForgetShown) {
            return;
        }
        for family in [family::IMPRESSION, family::EXPOSURE] {
            let rows = self.rows.tables.scan(&key(family, [account.0]));
            rows.iter().for_each(|(key, _)| self.rows.remove(key));
        }
    }

    pub(super) fn log_exposure(&mut self, it: LogExposure) -> Reply {
        let LogExposure { account, experiment, arm } = it;
        if !self.rows.has_account(account) {
            return refused(Refusal::NotFound);
        }
        let key = text_key(family::EXPOSURE, Some(account.0), &experiment, None);
        if self.rows.has(&key) {
            return Reply::Done;
        }
        let others = self.rows.tables.scan(&super::rows::key(family::EXPOSURE, [account.0])).len();
        if others >= EXPERIMENTS || experiment.len() > LONGEST_NAME || arm.len() > LONGEST_NAME {
            return refused(Refusal::TooMany);
        }
        let at = self.now();
        self.rows.put(&key, &Exposure { arm, at });
        Reply::Done
    }
}

impl Feed {
    /// How an account wants things ordered.
    pub fn ranking(&self, account: AccountId) -> Ranking {
        self.rows.ranking(account)
    }

    /// What an account was shown of a post.
    pub fn impression(&self, account: AccountId, post: PostId) -> Option<Impression> {
        self.rows.get(&impression_key(account, post))
    }

    /// How often an account was shown a post.
    pub fn times_shown(&self, account: AccountId, post: PostId) -> Option<u32> {
        // Of a long row this alone.
        #[derive(Deserialize)]
        struct Times {
            #[serde(rename = "n")]
            times: u32,
        }
        self.rows.get(&impression_key(account, post)).map(|Times { times }| times)
    }

    /// What an account was shown, by post, the newest first.
    pub fn impressions(&self, account: AccountId, most: usize) -> Vec<Impression> {
        let rows = self.rows.page(&key(family::IMPRESSION, [account.0]), Window::newest(most));
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// What accounts were shown, from a key on, and the key to go on from.
    pub fn all_impressions(&self, from: Option<Vec<u8>>, most: usize) -> Part<(AccountId, Impression)> {
        let (rows, next) = self.rows.part(family::IMPRESSION, from, most);
        let owner = |key: &[u8]| key.get(1..9).map_or(0, last_number);
        let rows = rows.into_iter().filter_map(|(key, value)| {
            Some((AccountId(owner(&key)), decalog_runtime::unpack(0, 0, &value).ok()?))
        });
        (rows.collect(), next)
    }

    /// The arm of an experiment in which an account takes part.
    pub fn exposure(&self, account: AccountId, experiment: &str) -> Option<Exposure> {
        self.rows.get(&text_key(family::EXPOSURE, Some(account.0), experiment, None))
    }

    /// Who takes part in an experiment, from a key on, and the key to go on from.
    pub fn exposures(
        &self,
        experiment: &str,
        from: Option<Vec<u8>>,
        most: usize,
    ) -> Part<(AccountId, Exposure)> {
        let (rows, next) = self.rows.part(family::EXPOSURE, from, most);
        let of = |key: &[u8]| {
            let name = key.get(9..key.len().checked_sub(1)?)?;
            (name == experiment.as_bytes()).then(|| AccountId(last_number(&key[1..9])))
        };
        let rows = rows
            .into_iter()
            .filter_map(|(key, value)| Some((of(&key)?, decalog_runtime::unpack(0, 0, &value).ok()?)));
        (rows.collect(), next)
    }

    /// The models that order; in the partition of [`MODEL_BUCKET`].
    pub fn shipped(&self) -> Option<Shipped> {
        self.rows.shipped()
    }

    /// What became of a post that an account was shown.
    pub fn outcome(&self, account: AccountId, shown: &Impression, replied: &[(PostId, i64)]) -> Outcome {
        use super::Listing::{Favourites, Reblogs, Reported};
        use decalog_runtime::bucket::Id;
        let since = |place: u64| Id(place).time().0 + 1_000_000 >= shown.at;
        let placed = |listing| self.rows.place(listing, account.0, shown.post.post.0).is_some_and(since);
        let relation = self.rows.relation(account, shown.post.author);
        Outcome {
            favourite: placed(Favourites),
            reblog: placed(Reblogs),
            reply: replied.iter().any(|(post, at)| *post == shown.post.post && *at >= shown.at),
            dwell: shown.dwelt >= DWELT,
            mute: relation.muting.is_some() || relation.blocking,
            report: placed(Reported),
        }
    }

    /// The posts that an account has answered lately, each with when.
    pub fn answered_lately(&self, account: AccountId) -> Vec<(PostId, i64)> {
        let written = self.written(account, Window::newest(ANSWERS)).into_iter();
        let answers = written.filter(|entry| entry.reply_to.is_some());
        let posts = answers.filter_map(|entry| self.rows.post(entry.post));
        posts.filter_map(|post| Some((post.reply_to?.post, post.created))).collect()
    }
}

/// Milliseconds from which somebody stayed with a post.
const DWELT: u32 = 5_000;
/// Posts among which answers are looked for.
const ANSWERS: usize = 200;

/// What became of a post that was shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Liked since.
    pub favourite: bool,
    /// Reblogged since.
    pub reblog: bool,
    /// Answered since.
    pub reply: bool,
    /// Stayed with.
    pub dwell: bool,
    /// Its author is muted or blocked.
    pub mute: bool,
    /// Reported since.
    pub report: bool,
}

impl Outcome {
    /// Which actions followed, in the order of [`crate::engine::rank::ACTIONS`].
    pub fn acted(self) -> [bool; ACTIONS.len()] {
        let Outcome { favourite, reblog, reply, dwell, mute, report } = self;
        [favourite, reblog, reply, dwell, mute, report]
    }
}
