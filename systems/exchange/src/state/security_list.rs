//! SecurityListRequest (x): what may be traded.

use decalog_fix::session::Header;

use super::report::way_back;
use super::{Turn, Unit};
use crate::command::{Instrument, SecurityListRequest};
use crate::event::{Message, SecurityList};

/// How many instruments one message lists.
const FRAGMENT: usize = 100;
/// SecurityListRequestType (559): the one of Symbol (55).
const ONE_SYMBOL: u32 = 0;
/// SecurityListRequestType (559): all.
const ALL: u32 = 4;

impl Unit {
    /// Lists what was asked for, in as many messages as it takes.
    pub(super) fn security_list(
        &mut self,
        turn: &mut Turn<'_>,
        session: u32,
        header: &Header,
        request: &SecurityListRequest,
    ) {
        let (result, instruments): (u8, Vec<Instrument>) = match request.kind {
            ONE_SYMBOL => match self.instruments.find(request.symbol) {
                Some(index) => (0, vec![self.instruments.get(index).spec.clone()]),
                None => (2, Vec::new()),
            },
            ALL if self.instruments.iter().len() == 0 => (2, Vec::new()),
            ALL => (0, self.instruments.iter().map(|listing| listing.spec.clone()).collect()),
            _ => (1, Vec::new()),
        };
        let total = u32::try_from(instruments.len()).expect("at most 4096 instruments");
        let fragments = instruments.len().div_ceil(FRAGMENT).max(1);
        for number in 0..fragments {
            let part = instruments.iter().skip(number * FRAGMENT).take(FRAGMENT).cloned().collect();
            let list = SecurityList {
                request_id: request.request_id,
                response_id: self.next_exec_id(),
                result,
                total,
                last_fragment: number + 1 == fragments,
                instruments: part,
            };
            self.sessions.send(turn, session, way_back(header).as_deref(), Message::SecurityList(list));
        }
    }
}
