//! Whom to follow: friends of friends first, then accounts that are popular. How both are counted, and what keeps anybody
//! from pushing somebody, says [`crate::engine::suggest`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::extract::{Path, State};
use decalog_runtime::bucket::Id;
use serde_json::{Value, json};

use super::accounts::account_id;
use super::error::Error;
use super::params::Params;
use super::service::{Me, Service, Shared};
use super::trends::seconds;
use crate::command::DismissSuggestion;
use crate::engine::suggest::{Follow, in_common, popularity};
use crate::engine::trend::{Score, rank};
use crate::state::{Account, Feed, Listing, Relation, Window};
use crate::value::{AccountId, SECOND};

/// Friends that are asked, and how many each may name.
const FRIENDS: usize = 200;
const NAMED: usize = 500;
/// How long what is popular is kept.
const KEPT: i64 = 300 * SECOND;
/// Posts of each partition whose authors may be popular, and followers of each that are looked at.
const POSTS: usize = 2_000;
const FOLLOWERS: usize = 2_000;
/// Accounts whose followers one read looks at.
const AT_ONCE: usize = 8;
/// Popular accounts that are kept, and suggestions that are looked into for one reader.
const POPULAR: usize = 200;
const LOOKED_AT: usize = 400;

/// What was popular when it was counted last.
#[derive(Debug, Default)]
pub(crate) struct Popular(Mutex<(i64, Vec<AccountId>)>);

/// Somebody to follow, and why.
struct Suggestion {
    account: Account,
    sources: Vec<&'static str>,
}

impl Service {
    /// Whom the accounts that somebody follows follow, most of them first.
    async fn friends_of_friends(&self, me: AccountId) -> Result<Vec<AccountId>, Error> {
        let friends = self
            .read(me.bucket(), move |feed| feed.listing(Listing::Following, me.0, Window::newest(FRIENDS)));
        let mut parts: BTreeMap<usize, Vec<AccountId>> = BTreeMap::new();
        for (_, friend) in friends.await? {
            let friend = AccountId(friend);
            if self.is_shown_to_all(friend) {
                parts.entry(self.place(friend.bucket())).or_default().push(friend);
            }
        }
        let mut named: Vec<Vec<u64>> = Vec::new();
        for (place, friends) in parts {
            for some in friends.chunks(AT_ONCE) {
                let some = some.to_vec();
                let read = self.read_place(place, move |feed| {
                    // Who hides whom they follow is not asked.
                    let open = |one: &AccountId| feed.account(*one).is_some_and(|row| !row.hide_collections);
                    let names =
                        |one: AccountId| feed.listing(Listing::Following, one.0, Window::newest(NAMED));
                    let all = some.into_iter().filter(open).map(names);
                    all.map(|rows| rows.into_iter().map(|(_, other)| other).collect()).collect::<Vec<_>>()
                });
                named.extend(read.await?);
            }
        }
        let counted = in_common(named.iter().map(Vec::as_slice)).into_iter();
        // What one friend alone likes is no friend of friends.
        Ok(counted.filter(|(_, count)| *count > 1).map(|(id, _)| AccountId(id)).collect())
    }

    /// Accounts that many have begun to follow lately.
    async fn popular(&self) -> Result<Vec<AccountId>, Error> {
        let now = self.now();
        let kept = self.popular.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if kept.0 > 0 && kept.0 + KEPT > now {
            return Ok(kept.1);
        }
        let mut scores: Vec<(AccountId, Score)> = Vec::new();
        for place in 0..self.places() {
            let authors = self.read_place(place, |feed: &Feed| {
                let entries = feed.public(Window::newest(POSTS)).into_iter();
                entries.map(|entry| entry.author).collect::<BTreeSet<_>>()
            });
            let authors: Vec<AccountId> = authors.await?.into_iter().collect();
            for some in authors.chunks(AT_ONCE) {
                let some = some.to_vec();
                let read = self.read_place(place, move |feed| {
                    let followers = |one: AccountId| {
                        (one, feed.listing(Listing::Followers, one.0, Window::newest(FOLLOWERS)))
                    };
                    some.into_iter().map(followers).collect::<Vec<_>>()
                });
                let one = |(account, followers): (AccountId, Vec<(u64, u64)>)| {
                    let follows = followers.into_iter().map(|(place, follower)| Follow {
                        came: seconds(Id(follower).time().0),
                        began: seconds(Id(place).time().0),
                        limited: !self.is_shown_to_all(AccountId(follower)),
                    });
                    (account, popularity(follows, seconds(now)))
                };
                scores.extend(read.await?.into_iter().map(one));
            }
        }
        let best: Vec<AccountId> = rank(scores, POPULAR).into_iter().map(|(account, _)| account).collect();
        *self.popular.0.lock().unwrap_or_else(PoisonError::into_inner) = (now, best.clone());
        Ok(best)
    }

    async fn suggestions(&self, me: AccountId, limit: usize) -> Result<Vec<Suggestion>, Error> {
        let (friends, popular) = (self.friends_of_friends(me).await?, self.popular().await?);
        let mut order: Vec<AccountId> = Vec::new();
        for id in friends.iter().chain(&popular) {
            if !order.contains(id) && order.len() < LOOKED_AT {
                order.push(*id);
            }
        }
        let asked = order.clone();
        let free = self.read(me.bucket(), move |feed| {
            let free = |id: &AccountId| {
                feed.relation(me, *id)
                    == Relation {
                        note: String::new(),
                        followed_by: feed.relation(me, *id).followed_by,
                        ..Relation::default()
                    }
                    && feed.place(Listing::NotSuggested, me.0, id.0).is_none()
            };
            asked.into_iter().filter(free).collect::<BTreeSet<_>>()
        });
        let free = free.await?;
        order.retain(|id| *id != me && free.contains(id) && self.is_shown_to_all(*id));
        let accounts = self.accounts(&order).await?.into_iter();
        let found =
            accounts.filter(|account| account.discoverable == Some(true)).take(limit).map(|account| {
                let all = [("friends_of_friends", &friends), ("most_followed", &popular)];
                let sources = all.into_iter().filter(|(_, those)| those.contains(&account.id));
                Suggestion { sources: sources.map(|(name, _)| name).collect(), account }
            });
        Ok(found.collect())
    }
}

fn limit(params: &Params) -> usize {
    params.number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(40).min(80)
}

pub(super) async fn v1(State(service): State<Shared>, me: Me, params: Params) -> Result<Json<Value>, Error> {
    let found = service.suggestions(me.id, limit(&params)).await?;
    Ok(Json(found.iter().map(|it| service.account_json(&it.account)).collect()))
}

pub(super) async fn v2(State(service): State<Shared>, me: Me, params: Params) -> Result<Json<Value>, Error> {
    let found = service.suggestions(me.id, limit(&params)).await?;
    let one = |it: &Suggestion| {
        // The older name of the first reason.
        let source =
            if it.sources.first() == Some(&"friends_of_friends") { "past_interactions" } else { "global" };
        json!({ "source": source, "sources": it.sources, "account": service.account_json(&it.account) })
    };
    Ok(Json(found.iter().map(one).collect()))
}

pub(super) async fn dismiss(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let (account, target) = (me.id, account_id(&id)?);
    service.ask(account, account.bucket(), DismissSuggestion { account, target }).await?;
    Ok(Json(json!({})))
}
