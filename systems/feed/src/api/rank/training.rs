//! Training, beside the partitions: reads what was shown and what became of it, learns, and ships the models as a command.

use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::api::error::Error;
use crate::api::service::{Me, Service, Shared};
use crate::command::SetModel;
use crate::engine::rank::{Chosen, Example, Learned, Row, train as learn};
use crate::state::{Feed, MODEL_BUCKET};
use crate::value::{AccountId, Bytes};

/// Impressions that one read looks at, and that are learned from at most.
const AT_ONCE: usize = 256;
const MOST: usize = 200_000;

/// What came of training.
struct Trained {
    examples: usize,
    /// The number of the models that were shipped, if any were better.
    shipped: Option<u64>,
    learned: Vec<Learned>,
}

fn examples(feed: &Feed, from: Option<Vec<u8>>) -> (Vec<Example>, Option<Vec<u8>>) {
    let (rows, next) = feed.all_impressions(from, AT_ONCE);
    let mut answered = (AccountId(0), Vec::new());
    let mut found = Vec::with_capacity(rows.len());
    for (account, shown) in rows {
        if answered.0 != account {
            answered = (account, feed.answered_lately(account));
        }
        let it = feed.outcome(account, &shown, &answered.1);
        found.push(Example { at: shown.at, row: Row(shown.features), acted: it.acted() });
    }
    (found, next)
}

impl Service {
    async fn examples(&self) -> Result<Vec<Example>, Error> {
        let mut all = Vec::new();
        for place in 0..self.places() {
            let mut from = None;
            loop {
                let here = from.take();
                let (some, next) = self.read_place(place, move |feed| examples(feed, here)).await?;
                all.extend(some);
                from = next;
                if from.is_none() || all.len() >= MOST * (place + 1) / self.places() {
                    break;
                }
            }
        }
        Ok(all)
    }

    /// Learns from all that is logged, when that is enough, and ships what is better than what is in use.
    async fn train(&self, by: AccountId) -> Result<Trained, Error> {
        let mut examples = self.examples().await?;
        let count = examples.len();
        if count < self.settings.ranking.train_rows {
            return Ok(Trained { examples: count, shipped: None, learned: Vec::new() });
        }
        self.forget_models();
        let current = self.models().await?;
        let bundle = Arc::clone(&current.bundle);
        let trained = tokio::task::spawn_blocking(move || learn(&mut examples, &bundle)).await;
        let (bundle, learned) = trained.map_err(|error| {
            tracing::error!(%error, "training failed");
            Error::later("The models cannot be trained now")
        })?;
        if learned.iter().all(|learned| learned.chosen == Chosen::Kept) {
            return Ok(Trained { examples: count, shipped: None, learned });
        }
        let number = current.number + 1;
        self.ask(by, MODEL_BUCKET, SetModel { number, bundle: Bytes(bundle.to_bytes()) }).await?;
        self.forget_models();
        Ok(Trained { examples: count, shipped: Some(number), learned })
    }
}

/// Trains once in a while, until the feed is gone.
pub(crate) async fn keep_training(service: Weak<Service>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(service) = service.upgrade() else { return };
        match service.train(AccountId(0)).await {
            Ok(it) => tracing::info!(examples = it.examples, shipped = it.shipped, "ranking was trained"),
            Err(error) => tracing::warn!(?error, "ranking is not trained"),
        }
    }
}

/// Trains now.
pub(crate) async fn train(State(service): State<Shared>, me: Me) -> Result<Json<Value>, Error> {
    let trained = service.train(me.id).await?;
    let one = |it: &Learned| {
        json!({
            "action": it.action.name(),
            "chosen": it.chosen.name(),
            "came": it.came,
            "log_loss_before": it.before,
            "log_loss_after": it.after,
            "auc": it.auc,
        })
    };
    Ok(Json(json!({
        "examples": trained.examples,
        "needed": service.settings.ranking.train_rows,
        "model": trained.shipped,
        "actions": trained.learned.iter().map(one).collect::<Vec<_>>(),
    })))
}
