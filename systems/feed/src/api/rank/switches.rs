//! How somebody wants things ordered, and what they tell of how long they stayed with posts.

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::Order;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::service::{Me, Service, Shared};
use crate::command::{LogDwell, SetRanking};
use crate::engine::rank::ACTIONS;
use crate::value::{AccountId, IMPRESSIONS, PostId};

impl Service {
    async fn ranking_json(&self, me: AccountId) -> Result<Value, Error> {
        let ranking = self.read(me.bucket(), move |feed| feed.ranking(me)).await?;
        let chosen = self.chosen(me, false).await?;
        let weights = ACTIONS.iter().zip(chosen.models.bundle.weights());
        let weights: Map<String, Value> = weights
            .map(|(action, weight)| (action.name().to_owned(), (f64::from(*weight) / 1_000.0).into()))
            .collect();
        Ok(json!({
            "home": Order::name(ranking.home),
            "notifications": Order::name(ranking.notifications),
            "show_seen": ranking.show_seen,
            "ranker": chosen.ranker.name(),
            "model": chosen.models.number,
            "weights": weights,
            "experiment": self.settings.ranking.experiment.as_ref().map(|it| &it.name),
        }))
    }
}

pub(crate) async fn show(State(service): State<Shared>, me: Me) -> Result<Json<Value>, Error> {
    service.ranking_json(me.id).await.map(Json)
}

pub(crate) async fn change(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let order = |name: &str| match params.words(name).as_deref() {
        None => Ok(None),
        Some("for_you") => Ok(Some(true)),
        Some("chronological") => Ok(Some(false)),
        Some(_) => Err(Error::invalid(format!("{name} must be for_you or chronological"))),
    };
    let change = SetRanking {
        account: me.id,
        home: order("home")?,
        notifications: order("notifications")?,
        show_seen: params.flag("show_seen"),
        forget: false,
    };
    service.ask(me.id, me.id.bucket(), change).await?;
    service.ranking_json(me.id).await.map(Json)
}

/// Forgets what was shown, and which experiments somebody took part in.
pub(crate) async fn forget(State(service): State<Shared>, me: Me) -> Result<Json<Value>, Error> {
    let account = me.id;
    let forget = SetRanking { account, home: None, notifications: None, show_seen: None, forget: true };
    service.ask(account, account.bucket(), forget).await?;
    service.looks.forget(account);
    Ok(Json(json!({})))
}

pub(crate) async fn dwell(
    State(service): State<Shared>,
    me: Me,
    params: Params,
) -> Result<Json<Value>, Error> {
    let told = params.objects("dwell").ok_or_else(|| Error::invalid("dwell must be a list"))?;
    if told.len() > IMPRESSIONS {
        return Err(Error::invalid(format!("dwell must have at most {IMPRESSIONS} entries")));
    }
    let mut dwelt = Vec::with_capacity(told.len());
    for one in told {
        let post = one.post("id").ok_or_else(|| Error::invalid("dwell: id is no id"))?;
        let time = one.number("milliseconds").and_then(|time| u32::try_from(time).ok());
        let time = time.ok_or_else(|| Error::invalid("dwell: milliseconds is no number from 0 on"))?;
        dwelt.push((original(&service, me.id, post).await?, time));
    }
    let account = me.id;
    service.ask(account, account.bucket(), LogDwell { account, dwelt }).await?;
    Ok(Json(json!({})))
}

/// The post itself, when a reblog of it is named.
async fn original(service: &Service, me: AccountId, post: PostId) -> Result<PostId, Error> {
    let shown = service.read(post.bucket(), move |feed| feed.show(post, Some(me))).await?;
    Ok(shown.and_then(|shown| shown.post.reblog_of).map_or(post, |of| of.post))
}
