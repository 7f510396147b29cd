//! What is shown in ranked order, and what orders it.

use decalog_feed::command::*;
use decalog_feed::engine::rank::Bundle;
use decalog_feed::state::MODEL_BUCKET;
use decalog_feed::value::*;

use super::Dice;

impl Dice<'_> {
    /// What is shown in ranked order, and what orders it.
    pub(super) fn rank(&mut self, account: AccountId) -> (Command, u16) {
        let post = self.post();
        let command: Command = match self.random.u32(0..10) {
            0..4 => {
                let shown = (0..self.random.usize(1..4)).map(|_| impression(self.post())).collect();
                LogImpressions { account, shown }.into()
            }
            4 => LogDwell { account, dwelt: vec![(post.post, self.random.u32(0..9_000))] }.into(),
            5..7 => return (self.model(), MODEL_BUCKET),
            7..9 => {
                let (home, forget) = (Some(self.random.bool()), self.often(0.2));
                SetRanking { account, home, notifications: None, show_seen: Some(false), forget }.into()
            }
            _ => {
                let arm = self.one_of(&["default", "trained"]).to_owned();
                LogExposure { account, experiment: "ranking".to_owned(), arm }.into()
            }
        };
        (command, account.bucket())
    }

    fn model(&mut self) -> Command {
        let shipped = self.sight.at(MODEL_BUCKET).shipped().map_or(0, |shipped| shipped.number);
        let mut bundle = Bundle::default().to_bytes();
        if self.often(0.2) {
            bundle.truncate(bundle.len() / 2);
        }
        SetModel { number: shipped + self.random.u64(0..3), bundle: Bytes(bundle) }.into()
    }
}

/// A post that was shown.
pub(crate) fn impression(post: PostRef) -> Impression {
    Impression {
        post,
        at: 0,
        times: 0,
        dwelt: 0,
        origins: 1,
        place: 3,
        ranker: Ranker::Default,
        model: 0,
        features: vec![1_500, -2],
        chances: vec![500_000],
        weights: vec![1_000],
        adjustments: vec![(1, 1_250)],
        score: 7,
    }
}
