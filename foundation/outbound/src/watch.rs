//! Who watches the calls: this crate says what becomes of them, and knows no metric.

use std::time::Duration;

use crate::resilience::Position;

/// A further attempt at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// After one that failed.
    Retry,
    /// Beside one that takes long.
    Hedge,
}

/// Is told of every call. A client's name is the program's own, and so are the names of outcomes: both may be labels.
pub trait Watch: Send + Sync + 'static {
    /// A call has ended: `answered` (whatever the status below 500), `failed` (500 and above), or the name of its error
    /// ([`OutboundError::name`](crate::OutboundError::name)).
    fn called(&self, client: &'static str, outcome: &'static str, took: Duration);

    /// A further attempt was to be made, and the budget allowed it or not.
    fn further(&self, client: &'static str, kind: Kind, allowed: bool);

    /// The circuit of one of the client's peers changed its position; it had none before, or has none any more.
    fn circuit(&self, client: &'static str, from: Option<Position>, to: Option<Position>);
}

/// Nobody watches.
impl Watch for () {
    fn called(&self, _client: &'static str, _outcome: &'static str, _took: Duration) {}

    fn further(&self, _client: &'static str, _kind: Kind, _allowed: bool) {}

    fn circuit(&self, _client: &'static str, _from: Option<Position>, _to: Option<Position>) {}
}
