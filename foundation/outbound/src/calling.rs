//! What all clients of a process share: where calls may go, how they are made, and who is told of them.

use std::fmt;
use std::sync::Arc;

use crate::client::Client;
use crate::error::OutboundError;
use crate::guard::Guard;
use crate::policy::Policy;
use crate::watch::Watch;

/// Makes clients, one for each purpose.
#[derive(Clone)]
pub struct Calling {
    /// Where calls may go.
    pub guard: Guard,
    /// How they are made.
    pub policy: Policy,
    /// Who is told of them.
    pub watch: Arc<dyn Watch>,
}

impl Calling {
    /// A client for one purpose, whose name is a metric's label.
    pub fn client(self, name: &'static str) -> Result<Client, OutboundError> {
        Ok(Client::new(name, self.guard, self.policy)?.watched(self.watch))
    }
}

impl fmt::Debug for Calling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calling")
            .field("guard", &self.guard)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
