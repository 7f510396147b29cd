//! Notifications in ranked order.

use crate::api::error::Error;
use crate::api::service::Service;
use crate::engine::rank::closeness;
use crate::state::{Notification, Window};
use crate::value::AccountId;

/// Notifications that are ordered: the newest.
pub(crate) const ORDERED: usize = 200;

impl Service {
    /// The part of these that comes after the window's end, the closest first.
    pub(crate) async fn closest(
        &self,
        me: AccountId,
        told: Vec<(u64, Notification)>,
        window: Window,
    ) -> Result<Vec<(u64, Notification)>, Error> {
        let liked = self.liked(me).await?;
        let affinity = |from: AccountId| {
            u32::try_from(liked.iter().filter(|mark| mark.post.author == from).count()).unwrap_or(u32::MAX)
        };
        let from: Vec<AccountId> = told.iter().map(|(_, told)| told.from).collect();
        let relations = self.read(me.bucket(), move |feed| {
            from.into_iter().map(|from| feed.relation(me, from)).collect::<Vec<_>>()
        });
        let (relations, now) = (relations.await?, self.now());
        let closeness = |((_, told), relation): (&(u64, Notification), _)| {
            closeness(told, relation, affinity(told.from), now)
        };
        let near: Vec<f64> = told.iter().zip(&relations).map(closeness).collect();
        let mut order: Vec<usize> = (0..told.len()).collect();
        order.sort_by(|one, other| {
            near[*other].total_cmp(&near[*one]).then(told[*other].0.cmp(&told[*one].0))
        });
        let after = window.below.and_then(|below| order.iter().position(|place| told[*place].0 == below));
        let rest = order.into_iter().skip(after.map_or(0, |place| place + 1));
        Ok(rest.take(window.most).map(|place| told[place].clone()).collect())
    }
}
