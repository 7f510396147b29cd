//! The peers of a client, each with layers of its own: what one does wrong is not held against another.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::policy::Policy;
use crate::resilience::{Peer, Resilient};
use crate::transport::Transport;
use crate::watch::Watch;

/// Peers that are remembered: whoever chooses URLs must not fill the memory.
const MOST: usize = 256;

/// All peers of a client.
pub(crate) struct Peers {
    client: &'static str,
    policy: Arc<Policy>,
    watch: Arc<dyn Watch>,
    transport: Transport,
    known: Mutex<HashMap<String, Resilient>>,
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peers").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Peers {
    pub(crate) fn new(
        client: &'static str,
        policy: Arc<Policy>,
        watch: Arc<dyn Watch>,
        transport: Transport,
    ) -> Self {
        Self { client, policy, watch, transport, known: Mutex::default() }
    }

    /// What asks the peer with this origin.
    pub(crate) fn at(&self, origin: &str) -> Resilient {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = known.get(origin) {
            return peer.clone();
        }
        if known.len() >= MOST {
            // One that is forgotten begins anew, as a stranger does.
            let any = known.keys().next().cloned();
            any.and_then(|any| known.remove(&any));
        }
        let peer = Peer::new(self.client, origin, Arc::clone(&self.policy), Arc::clone(&self.watch));
        let peer = peer.around(self.transport.clone());
        known.insert(origin.to_owned(), peer.clone());
        peer
    }
}
