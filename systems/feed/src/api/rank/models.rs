//! The models in use, and which of them orders what somebody sees.

use std::sync::{Arc, Mutex, PoisonError};

use crate::api::error::Error;
use crate::api::service::Service;
use crate::command::LogExposure;
use crate::engine::rank::{Bundle, assign};
use crate::state::MODEL_BUCKET;
use crate::value::{AccountId, Ranker, SECOND};

/// How long is believed that no other models were shipped.
const KEPT: i64 = SECOND;

/// Models with their number; those that were chosen have 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct InUse {
    pub(crate) number: u64,
    pub(crate) bundle: Arc<Bundle>,
}

/// The models that were read last, and until when they are believed.
#[derive(Debug, Default)]
pub(crate) struct Models(Mutex<(i64, InUse)>);

/// What orders for somebody.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) ranker: Ranker,
    pub(crate) models: InUse,
}

impl Service {
    /// The models that were shipped last, or those that were chosen.
    pub(crate) async fn models(&self) -> Result<InUse, Error> {
        let now = self.now();
        let (until, kept) = self.models.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if until > now {
            return Ok(kept);
        }
        let known = kept.number;
        let newer = self.read(MODEL_BUCKET, move |feed| feed.shipped().filter(|it| it.number != known));
        let models = match newer.await? {
            None => kept,
            Some(shipped) => match Bundle::from_bytes(&shipped.bundle.0) {
                Ok(bundle) => InUse { number: shipped.number, bundle: Arc::new(bundle) },
                Err(error) => {
                    tracing::error!(%error, number = shipped.number, "the models that were shipped cannot be read");
                    kept
                }
            },
        };
        *self.models.0.lock().unwrap_or_else(PoisonError::into_inner) = (now + KEPT, models.clone());
        Ok(models)
    }

    /// The next time models are asked for, they are read.
    pub(crate) fn forget_models(&self) {
        self.models.0.lock().unwrap_or_else(PoisonError::into_inner).0 = 0;
    }

    /// The arm of the experiment that somebody takes part in, which counts when they are exposed to it.
    async fn arm(&self, me: AccountId, exposed: bool) -> Result<Option<Ranker>, Error> {
        let Some(experiment) = &self.settings.ranking.experiment else { return Ok(None) };
        let name = experiment.name.clone();
        let known = self.read(me.bucket(), move |feed| feed.exposure(me, &name)).await?;
        // Who takes part stays in their arm, also when the arms are set otherwise.
        if let Some(ranker) = known.and_then(|known| Ranker::parse(&known.arm)) {
            return Ok(Some(ranker));
        }
        let Some(ranker) = experiment.arms.get(assign(&experiment.name, me, experiment.arms.len())) else {
            return Ok(None);
        };
        if !exposed {
            return Ok(Some(*ranker));
        }
        let exposure =
            LogExposure { account: me, experiment: experiment.name.clone(), arm: ranker.name().to_owned() };
        self.ask(me, me.bucket(), exposure).await?;
        Ok(Some(*ranker))
    }

    /// What orders for somebody; when they are shown what it orders, they are exposed to it.
    pub(crate) async fn chosen(&self, me: AccountId, exposed: bool) -> Result<Chosen, Error> {
        let models = self.models().await?;
        let usual = if models.number > 0 { Ranker::Trained } else { Ranker::Default };
        let ranker = match self.arm(me, exposed).await? {
            // Nothing was trained yet.
            Some(Ranker::Trained) if models.number == 0 => Ranker::Default,
            arm => arm.unwrap_or(usual),
        };
        let trained = ranker == Ranker::Trained;
        let models = if trained || models.number == 0 { models } else { InUse::default() };
        Ok(Chosen { ranker, models })
    }
}
