//! The directory: who wants to be found, by what they posted last and by when they came.

use super::account::Account;
use super::listing::Listing;
use super::rows::Rows;
use super::{Feed, Turn, Window};
use crate::value::AccountId;

/// There is one directory.
const OWNER: u64 = 0;
/// Who has posted stands above all who have not. Ids have 63 bits.
const POSTED: u64 = 1 << 63;

/// In which order the directory is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryOrder {
    /// Who posted last comes first.
    Active,
    /// Who came last comes first.
    New,
}

fn activity(account: &Account) -> u64 {
    account.last_post.map_or(account.id.0, |post| post.0 | POSTED)
}

impl Turn<'_> {
    /// Puts an account where it belongs.
    pub(super) fn list_in_directory(&mut self, account: &Account) {
        let (id, standing) = (account.id.0, self.rows.standing(account.id));
        let wants = account.discoverable == Some(true) && !standing.limited && !standing.suspended;
        for (listing, place) in [(Listing::Active, activity(account)), (Listing::Newcomers, id)] {
            let before = self.rows.place(listing, OWNER, id);
            if before == wants.then_some(place) {
                continue;
            }
            self.rows.unlist(listing, OWNER, id);
            if wants {
                self.rows.list_at(listing, OWNER, id, place);
            }
        }
    }
}

impl Rows {
    /// Takes an account out.
    pub(super) fn leave_directory(&mut self, account: AccountId) {
        for listing in [Listing::Active, Listing::Newcomers] {
            self.unlist(listing, OWNER, account.0);
        }
    }
}

impl Feed {
    /// The first ones of this partition, each with its place.
    pub fn directory(&self, order: DirectoryOrder, most: usize) -> Vec<(u64, AccountId)> {
        let listing = match order {
            DirectoryOrder::Active => Listing::Active,
            DirectoryOrder::New => Listing::Newcomers,
        };
        let rows = self.rows.listing(listing, OWNER, Window::newest(most));
        rows.into_iter().map(|(place, account)| (place, AccountId(account))).collect()
    }
}
