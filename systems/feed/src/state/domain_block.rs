//! Domains that an account wants to see nothing of. The server does not federate: they are kept for the day it does, and for
//! apps that show them.

use super::rows::{Rows, Window, family, key, text_key};
use super::{Turn, refused};
use crate::command::{BlockDomain, Refusal, Reply};
use crate::value::AccountId;

/// Domains that one account may block.
const DOMAINS: usize = 2_000;

impl Rows {
    /// The domains that an account blocks, each with its place.
    pub(super) fn blocked_domains(&self, account: AccountId, window: Window) -> Vec<(u64, String)> {
        let rows: Vec<(Vec<u8>, u64)> = self.all(&key(family::BLOCKED_DOMAIN, [account.0]));
        let name =
            |key: &[u8]| String::from_utf8_lossy(key.split_last().map_or(key, |(_, name)| name)).into_owned();
        let within = rows.into_iter().filter(|(_, place)| window.holds(*place));
        window.merge(within.map(|(key, place)| (place, name(&key))), |(place, _)| *place)
    }
}

impl Turn<'_> {
    pub(super) fn block_domain(&mut self, it: BlockDomain) -> Reply {
        let BlockDomain { account, domain, on } = it;
        if !self.rows.has_account(account) {
            return refused(Refusal::NotFound);
        }
        let key = text_key(family::BLOCKED_DOMAIN, Some(account.0), &domain, None);
        match (on, self.rows.has(&key)) {
            (true, false) => {
                if self.rows.blocked_domains(account, Window::newest(DOMAINS)).len() == DOMAINS {
                    return refused(Refusal::TooMany);
                }
                let place = self.next_id_of(account);
                self.rows.put(&key, &place);
            }
            (false, true) => self.rows.remove(&key),
            _ => {}
        }
        Reply::Done
    }
}
