//! The open FIX connections of a unit: how the apply thread finds the socket for an event.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use decalog_fix::session::ConnectionId;
use decalog_gateway::access::Admission;

use super::outbound::{Cut, Outbound};
use super::peer::Peer;

/// A connection that has asked to log on.
pub(crate) struct Connection {
    /// Its number.
    pub(crate) id: ConnectionId,
    /// Whose it is.
    pub(crate) peer: Arc<Peer>,
    /// Where messages for it go.
    pub(crate) outbound: Arc<Outbound>,
    /// Who logged on, if credentials were asked for.
    pub(crate) admission: Option<Box<dyn Admission>>,
}

impl Connection {
    /// Whether whoever logged on may still trade.
    pub(crate) fn may_trade(&self) -> bool {
        self.admission.as_ref().is_none_or(|admission| admission.is_live())
    }
}

/// The connections of one unit. Entries are put in by readers before the Logon is submitted and taken out when the
/// connection is gone; the apply thread only looks.
#[derive(Default)]
pub(crate) struct Connections {
    open: Mutex<BTreeMap<ConnectionId, Arc<Connection>>>,
}

impl Connections {
    pub(crate) fn insert(&self, connection: Arc<Connection>) {
        self.lock().insert(connection.id, connection);
    }

    pub(crate) fn remove(&self, id: ConnectionId) {
        self.lock().remove(&id);
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<Arc<Connection>> {
        self.lock().get(&id).cloned()
    }

    /// Ends every connection at once: the unit stops.
    pub(crate) fn cut_all(&self) {
        for connection in self.lock().values() {
            connection.outbound.cut(Cut::Stopped);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, Arc<Connection>>> {
        // A map of handles is whole after any panic.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
