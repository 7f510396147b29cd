//! Why somebody sees a post where they do.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Map, Value, json};

use super::home::{FILTERS, impression, staged};
use crate::api::entity::moment;
use crate::api::error::Error;
use crate::api::service::{Me, Service, Shared};
use crate::engine::rank::{
    ACTIONS, Adjustment, FEATURES, Filter, Hydrate as _, Origins, Ranked, Seen, features,
};
use crate::value::{AccountId, Impression, PostId};

fn explained(shown: &Impression, left_out_by: &[&str]) -> Value {
    let was = shown.times > 0;
    let thousandths = |value: i64| value as f64 / 1_000.0;
    let features = FEATURES.iter().zip(&shown.features);
    let features: Map<String, Value> =
        features.map(|(name, value)| ((*name).to_owned(), thousandths((*value).into()).into())).collect();
    let predictions = ACTIONS.iter().zip(shown.chances.iter().zip(&shown.weights)).map(|(action, (chance, weight))| {
        let (chance, weight) = (f64::from(*chance) / 1e6, thousandths((*weight).into()));
        json!({ "action": action.name(), "chance": chance, "weight": weight, "contribution": chance * weight })
    });
    let adjustments = shown.adjustments.iter().filter_map(|(what, by)| {
        Some(json!({ "name": Adjustment::parse(*what)?.name(), "factor": thousandths((*by).into()) }))
    });
    json!({
        "id": shown.post.post.to_string(),
        "shown_at": was.then(|| moment(shown.at)),
        "times_shown": shown.times,
        "position": was.then_some(shown.place),
        "sources": Origins(shown.origins).all().map(|origin| origin.name()).collect::<Vec<_>>(),
        "ranker": shown.ranker.name(),
        "model": shown.model,
        "features": features,
        "predictions": predictions.collect::<Vec<_>>(),
        "adjustments": adjustments.collect::<Vec<_>>(),
        "score": thousandths(shown.score),
        "left_out_by": left_out_by,
    })
}

impl Service {
    /// What would be of a post that was not shown yet.
    async fn would_be(&self, me: AccountId, post: PostId) -> Result<Value, Error> {
        let landscape = self.landscape().await?;
        let ((view, _), chosen) = (self.view(me, &landscape).await?, self.chosen(me, false).await?);
        let gathered = self.gathered(me, [post].into_iter()).await?;
        let proposed = staged(&chosen, &[], |stages| stages.propose(&view));
        let origins = proposed.get(&post).copied().unwrap_or_default();
        let friends = view.friends.iter().find(|(one, _)| *one == post).map_or(0, |(_, count)| *count);
        let facts = gathered.hydrate(post, origins, friends).ok_or_else(Error::not_found)?;
        let filters = FILTERS.into_iter().chain([&Seen as &dyn Filter]);
        let against: Vec<&str> =
            filters.filter(|filter| !filter.keeps(&facts, &view)).map(|filter| filter.name()).collect();
        let row = features(&facts, &view);
        let ranked = staged(&chosen, &[], |stages| {
            let scored = stages.score.score(&row, &facts);
            let ranked = Ranked { score: scored.score, facts, row, scored, adjustments: Vec::new() };
            stages.select.select(vec![ranked], view.now, 1).pop()
        });
        let ranked = ranked.ok_or_else(Error::not_found)?;
        Ok(explained(&impression(&ranked, &chosen), &against))
    }
}

pub(crate) async fn explanation(
    State(service): State<Shared>,
    Path(id): Path<String>,
    me: Me,
) -> Result<Json<Value>, Error> {
    let post = PostId::parse(&id).ok_or_else(Error::not_found)?;
    let account = me.id;
    // What may no longer be seen is not explained either.
    let gathered = service.gathered(account, [post].into_iter()).await?;
    let original = gathered.original(post).ok_or_else(Error::not_found)?;
    let facts = gathered.hydrate(post, Origins::default(), 0).filter(|facts| !facts.blocked);
    facts.ok_or_else(Error::not_found)?;
    let logged = service.read(account.bucket(), move |feed| feed.impression(account, original.post)).await?;
    match logged {
        Some(shown) => Ok(Json(explained(&shown, &[]))),
        None => service.would_be(account, post).await.map(Json),
    }
}
