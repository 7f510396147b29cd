//! What came of an experiment: for each arm how many take part, and what they did since with what they were shown.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use crate::api::error::Error;
use crate::api::service::{Service, Shared};
use crate::engine::rank::ACTIONS;
use crate::state::Feed;

/// Accounts that one read looks at.
const AT_ONCE: usize = 16;
/// Impressions that are looked at of each.
const LOOKED_AT: usize = 1_000;

/// The sums of an arm.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    accounts: u64,
    impressions: u64,
    acted: [u64; ACTIONS.len()],
    dwelt: u64,
}

type Arms = BTreeMap<String, Sums>;

fn add(feed: &Feed, name: &str, from: Option<Vec<u8>>, mut arms: Arms) -> (Arms, Option<Vec<u8>>) {
    let (exposed, next) = feed.exposures(name, from, AT_ONCE);
    for (account, exposure) in exposed {
        let sums = arms.entry(exposure.arm).or_default();
        sums.accounts += 1;
        let answered = feed.answered_lately(account);
        for shown in feed.impressions(account, LOOKED_AT).iter().filter(|shown| shown.at >= exposure.at) {
            let it = feed.outcome(account, shown, &answered);
            sums.impressions += 1;
            sums.dwelt += u64::from(shown.dwelt);
            sums.acted.iter_mut().zip(it.acted()).for_each(|(sum, acted)| *sum += u64::from(acted));
        }
    }
    (arms, next)
}

impl Service {
    async fn results(&self, name: &str) -> Result<Arms, Error> {
        let mut arms = Arms::new();
        for place in 0..self.places() {
            let mut from = None;
            loop {
                let (name, so_far, here) = (name.to_owned(), std::mem::take(&mut arms), from.take());
                let read = self.read_place(place, move |feed| add(feed, &name, here, so_far));
                (arms, from) = read.await?;
                if from.is_none() {
                    break;
                }
            }
        }
        Ok(arms)
    }
}

pub(crate) async fn results(
    State(service): State<Shared>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Error> {
    let arms = service.results(&name).await?;
    let current = service.settings.ranking.experiment.as_ref().filter(|it| it.name == name);
    if arms.is_empty() && current.is_none() {
        return Err(Error::not_found());
    }
    let one = |(arm, sums): (&String, &Sums)| {
        let [favourites, reblogs, replies, dwells, mutes, reports] = sums.acted;
        json!({
            "arm": arm,
            "accounts": sums.accounts,
            "impressions": sums.impressions,
            "favourites": favourites,
            "reblogs": reblogs,
            "replies": replies,
            "dwells": dwells,
            "mutes": mutes,
            "reports": reports,
            "dwell_milliseconds": sums.dwelt,
        })
    };
    Ok(Json(json!({
        "name": name,
        "running": current.is_some(),
        "arms": arms.iter().map(one).collect::<Vec<_>>(),
    })))
}
