//! The ranked home timeline. Who opens it takes a look: an order of posts, of which pages are shown; what was shown is not
//! in the next look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::Uri;
use axum::response::{IntoResponse, Response};

use super::models::Chosen;
use crate::api::entity::status::Place;
use crate::api::error::Error;
use crate::api::page::{Answer, Links};
use crate::api::service::Service;
use crate::command::LogImpressions;
use crate::engine::rank::{
    Age, Blocked, Chronological, Diverse, Filter, Following, Friends, Muted, Own, Popular, Ranked,
    Recommendable, Score, Seen, Similar, Source, Stages, Tags,
};
use crate::state::Window;
use crate::value::{AccountId, Impression, PostId, Ranker, SECOND};

/// Posts of one look.
const LOOK: usize = 120;
/// Looks that are kept, and for how long.
const LOOKS: usize = 1_000;
const KEPT: i64 = 1_800 * SECOND;

/// All sources.
const SOURCES: [&dyn Source; 5] = [&Following, &Friends, &Tags, &Popular, &Similar];
/// All filters but the one that leaves out what was shown.
pub(super) const FILTERS: [&dyn Filter; 5] = [&Muted, &Blocked, &Age::WEEK, &Own, &Recommendable];

/// A post of a look.
#[derive(Clone, Debug)]
struct Seat {
    shown: PostId,
    impression: Impression,
}

/// The looks that are kept.
#[derive(Debug, Default)]
pub(crate) struct Looks(Mutex<HashMap<AccountId, Look>>);

/// The order of a look.
type Seats = Arc<Vec<Seat>>;
/// When it was made, and the order.
type Look = (i64, Seats);

impl Looks {
    /// Somebody's look, and where it goes on after a post; nothing when that is in none.
    fn after(&self, account: AccountId, post: PostId, now: i64) -> Option<(Seats, usize)> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, seats) = kept.get(&account).filter(|(at, _)| at + KEPT > now)?;
        let place = seats.iter().position(|seat| seat.shown == post)?;
        Some((Arc::clone(seats), place + 1))
    }

    fn keep(&self, account: AccountId, now: i64, seats: Seats) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= LOOKS && !kept.contains_key(&account) {
            kept.retain(|_, (at, _)| *at + KEPT > now);
            let oldest = kept.iter().min_by_key(|(_, (at, _))| *at).map(|(account, _)| *account);
            if let Some(oldest) = oldest.filter(|_| kept.len() >= LOOKS) {
                kept.remove(&oldest);
            }
        }
        kept.insert(account, (now, seats));
    }

    /// Nothing is left of somebody's look.
    pub(crate) fn forget(&self, account: AccountId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&account);
    }
}

/// The stages by which somebody's posts are ordered.
pub(super) fn staged<'a, R>(
    chosen: &'a Chosen,
    filters: &'a [&'a dyn Filter],
    then: impl FnOnce(&Stages<'_>) -> R,
) -> R {
    let plain = Diverse { decay: 1.0, boost: 1.0, ..Diverse::default() };
    let diverse = Diverse::default();
    let newest = chosen.ranker == Ranker::Chronological;
    let sources: &[&dyn Source] = &SOURCES;
    let stages = Stages {
        sources: if newest { &sources[..1] } else { sources },
        filters,
        score: if newest { &Chronological as &dyn Score } else { &*chosen.models.bundle },
        select: if newest { &plain } else { &diverse },
    };
    then(&stages)
}

/// A number in whole parts of so many.
#[expect(clippy::cast_possible_truncation, reason = "scores and factors are small; what is not saturates")]
fn parts(value: f32, of: f64) -> i64 {
    (f64::from(value) * of).round() as i64
}

/// As it is logged.
pub(super) fn impression(ranked: &Ranked, chosen: &Chosen) -> Impression {
    let small = |value: i64| u32::try_from(value).unwrap_or(0);
    Impression {
        post: ranked.facts.original,
        at: 0,
        times: 0,
        dwelt: 0,
        origins: ranked.facts.origins.0,
        place: 0,
        ranker: chosen.ranker,
        model: chosen.models.number,
        features: ranked.row.0.clone(),
        chances: ranked.scored.chances.iter().map(|chance| small(parts(*chance, 1e6))).collect(),
        weights: chosen.models.bundle.weights().to_vec(),
        adjustments: ranked
            .adjustments
            .iter()
            .map(|(what, by)| (*what as u8, small(parts(*by, 1e3))))
            .collect(),
        score: parts(ranked.score, 1e3),
    }
}

impl Service {
    /// Takes a look.
    async fn look(&self, me: AccountId) -> Result<Vec<Seat>, Error> {
        let landscape = self.landscape().await?;
        let (view, show_seen) = self.view(me, &landscape).await?;
        let chosen = self.chosen(me, true).await?;
        let filters: Vec<&dyn Filter> =
            FILTERS.into_iter().chain((!show_seen).then_some(&Seen as &dyn Filter)).collect();
        let proposed = staged(&chosen, &filters, |stages| stages.propose(&view));
        let gathered = self.gathered(me, proposed.keys().copied()).await?;
        let ranked = staged(&chosen, &filters, |stages| stages.rank(&view, &proposed, &gathered, LOOK));
        let seat = |(place, ranked): (usize, &Ranked)| Seat {
            shown: ranked.facts.shown.post,
            impression: Impression {
                place: u16::try_from(place).unwrap_or(u16::MAX),
                ..impression(ranked, &chosen)
            },
        };
        Ok(ranked.iter().enumerate().map(seat).collect())
    }

    /// A page of somebody's ranked home timeline.
    pub(crate) async fn ranked_home(
        &self,
        me: AccountId,
        window: Window,
        uri: &Uri,
    ) -> Result<Response, Error> {
        let now = self.now();
        let rest = window.below.and_then(|below| self.looks.after(me, PostId(below), now));
        let (seats, first) = match rest {
            Some(rest) => rest,
            None => {
                let seats = Arc::new(self.look(me).await?);
                self.looks.keep(me, now, Arc::clone(&seats));
                (seats, 0)
            }
        };
        let page = &seats[first..seats.len().min(first + window.most)];
        let ids: Vec<PostId> = page.iter().map(|seat| seat.shown).collect();
        let shown = self.rendered_at(Some(me), &ids, Place::Home).await?;
        let seen = page.iter().zip(&shown).filter(|(_, shown)| shown.is_some());
        let seen: Vec<Impression> = seen.map(|(seat, _)| seat.impression.clone()).collect();
        if !seen.is_empty() {
            // Who reads is answered, also when nothing can be written.
            if let Err(error) = self.ask(me, me.bucket(), LogImpressions { account: me, shown: seen }).await {
                tracing::warn!(?error, "impressions are not logged");
            }
        }
        let next = ids.last().map(|post| post.0).filter(|_| seats.len() > first + page.len());
        Ok(Answer {
            base: &self.settings.base,
            uri,
            items: shown.into_iter().flatten().collect(),
            links: Links { next, back: None },
        }
        .into_response())
    }
}
