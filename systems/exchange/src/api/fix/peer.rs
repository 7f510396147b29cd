//! Who may log on: the sessions of the configuration, found by CompIDs at the first message of a connection.

use std::collections::BTreeMap;
use std::sync::Arc;

use decalog_fix::guard::Identity;

use crate::command::SessionSetup;
use crate::value::SessionId;

/// A FIX counterparty of a unit.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Its unit, as an index into the gateway's.
    pub(crate) unit: usize,
    /// Its session's number in the unit.
    pub(crate) session: SessionId,
    /// The two CompIDs.
    pub(crate) identity: Identity,
    /// The account that must log on, if the session asks for credentials.
    pub(crate) username: Option<String>,
}

/// All counterparties.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    by_identity: BTreeMap<Identity, Arc<Peer>>,
}

impl Peers {
    /// Adds the sessions of a unit.
    pub(crate) fn add(&mut self, unit: usize, sessions: &[SessionSetup]) {
        for setup in sessions {
            let identity = Identity { ours: setup.our_comp_id.clone(), theirs: setup.their_comp_id.clone() };
            let username = setup.username.clone();
            let peer = Peer { unit, session: setup.id, identity: identity.clone(), username };
            self.by_identity.insert(identity, Arc::new(peer));
        }
    }

    /// Whose CompIDs these are: `sender` and `target` as they stand in an inbound message.
    pub(crate) fn find(&self, sender: &str, target: &str) -> Option<&Arc<Peer>> {
        self.by_identity.get(&Identity { ours: target.to_owned(), theirs: sender.to_owned() })
    }
}
