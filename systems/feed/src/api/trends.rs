//! Trends: tags and posts that more people use and answer than before.
//!
//! They are counted from the public listings of the last days, at most once in a while, and kept for who asks meanwhile.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use decalog_runtime::bucket::Id;

use super::entity::status::Place;
use super::error::Error;
use super::params::Params;
use super::service::{Me, Service, Shared};
use crate::engine::trend::{Account, Policy, Usage, post_score, rank};
use crate::state::Window;
use crate::value::{Entry, PostId, SECOND};

/// How long an answer is kept.
const KEPT: i64 = 300 * SECOND;
/// How far back is looked, and how many posts of each partition at most.
const DAYS: i64 = 2;
const POSTS: usize = 2_000;
/// Posts that one read looks into.
const AT_ONCE: usize = 64;
/// Trends that are kept of each kind.
const TRENDS: usize = 40;
const DAY: i64 = 86_400 * SECOND;

/// What trended when it was counted last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trends {
    at: i64,
    tags: Vec<(String, Usage)>,
    posts: Vec<PostId>,
}

/// The trends that are kept.
#[derive(Debug, Default)]
pub(crate) struct Counted(Mutex<Trends>);

/// What counts of a post and its author.
struct Facts {
    entry: Entry,
    created: i64,
    liked: u64,
    came: i64,
    followers: u64,
}

fn seconds(nanos: i64) -> u64 {
    u64::try_from(nanos.div_euclid(SECOND)).unwrap_or(0)
}

impl Service {
    async fn trends(&self) -> Result<Trends, Error> {
        let now = self.now();
        let kept = self.counted.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if kept.at + KEPT > now && kept.at > 0 {
            return Ok(kept);
        }
        let counted = self.count(now).await?;
        *self.counted.0.lock().unwrap_or_else(PoisonError::into_inner) = counted.clone();
        Ok(counted)
    }

    /// What counts of these posts, a few at a time so that no read holds up a partition for long.
    async fn facts(&self, place: usize, entries: Vec<Entry>) -> Result<Vec<Facts>, Error> {
        let read = self.read_place(place, move |feed| {
            let one = |entry: Entry| {
                let (post, author) = (feed.post(entry.post)?, feed.account(entry.author)?);
                let (liked, created) = (post.favourites + post.reblogs, post.created);
                Some(Facts { entry, created, liked, came: author.created, followers: author.followers })
            };
            entries.into_iter().filter_map(one).collect()
        });
        read.await
    }

    async fn count(&self, now: i64) -> Result<Trends, Error> {
        // An id begins with its moment: what is older lies below.
        let oldest = now - DAYS * DAY;
        let recent = move |feed: &crate::state::Feed| {
            let entries = feed.public(Window::newest(POSTS)).into_iter();
            entries.filter(|entry| Id(entry.post.0).time().0 >= oldest).collect::<Vec<_>>()
        };
        let mut tags: BTreeMap<String, Usage> = BTreeMap::new();
        let mut posts = Vec::new();
        let mut all = Vec::new();
        for place in 0..self.places() {
            let entries = self.read_place(place, recent).await?;
            for some in entries.chunks(AT_ONCE) {
                all.extend(self.facts(place, some.to_vec()).await?);
            }
        }
        all.sort_by_key(|facts| facts.entry.post);
        for Facts { entry, created, liked, came, followers } in all {
            let account = Account {
                id: entry.author.0,
                age_days: u32::try_from((now - came).max(0) / DAY).unwrap_or(u32::MAX),
                followers: u32::try_from(followers).unwrap_or(u32::MAX),
                limited: false,
            };
            for tag in entry.tags {
                tags.entry(tag).or_default().record(&Policy::TAGS, &account, seconds(created));
            }
            if Policy::POSTS.admits(&account) {
                let liked = u32::try_from(liked).unwrap_or(u32::MAX);
                posts.push((entry.post, post_score(&Policy::POSTS, liked, seconds(created), seconds(now))));
            }
        }
        let scores = tags.iter().map(|(tag, usage)| (tag.clone(), usage.score(&Policy::TAGS, seconds(now))));
        let best = rank(scores.filter(|(_, score)| *score >= Policy::TAGS.floor), TRENDS);
        let best = best.into_iter().filter_map(|(tag, _)| tags.remove_entry(&tag)).collect();
        let posts = rank(posts.into_iter().filter(|(_, score)| *score >= Policy::POSTS.floor), TRENDS);
        Ok(Trends { at: now, tags: best, posts: posts.into_iter().map(|(post, _)| post).collect() })
    }
}

/// `limit` and `offset`.
fn part(params: &Params, usual: usize) -> (usize, usize) {
    let number = |name| params.number(name).and_then(|number| usize::try_from(number).ok());
    (number("offset").unwrap_or(0), number("limit").unwrap_or(usual).min(TRENDS))
}

pub(super) async fn tags(State(service): State<Shared>, params: Params) -> Result<Json<Value>, Error> {
    let (offset, limit) = part(&params, 10);
    let now = seconds(service.now());
    let one = |(tag, usage): &(String, Usage)| {
        let mut json = service.tag_json(tag, tag, None);
        let days = usage.history(now).map(|day| {
            json!({ "day": day.day.to_string(), "uses": day.uses.to_string(), "accounts": day.accounts.to_string() })
        });
        json["history"] = days.collect();
        json
    };
    Ok(Json(service.trends().await?.tags.iter().skip(offset).take(limit).map(one).collect()))
}

pub(super) async fn statuses(
    State(service): State<Shared>,
    me: Option<Me>,
    params: Params,
) -> Result<Json<Value>, Error> {
    let (offset, limit) = part(&params, 20);
    let posts: Vec<PostId> = service.trends().await?.posts.into_iter().skip(offset).take(limit).collect();
    Ok(Json(service.statuses(me.map(|me| me.id), &posts, Place::Public).await?.into()))
}
