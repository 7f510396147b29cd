//! Listings: what belongs to an owner in the order in which it came, found by its place and by its subject.

use super::Turn;
use super::rows::{Rows, Window, family, key};

/// What is listed. The numbers stand in keys: none is ever used for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Whom an account follows.
    Following = 1,
    /// Who follows an account.
    Followers = 2,
    /// Who asks to follow an account.
    Requests = 3,
    /// Whom an account blocks.
    Blocks = 4,
    /// Whom an account mutes.
    Mutes = 5,
    /// Whom an account shows on its profile.
    Endorsed = 6,
    /// The posts that an account likes.
    Favourites = 7,
    /// The posts that an account keeps.
    Bookmarks = 8,
    /// The posts that an account reblogs; the place is the reblog.
    Reblogs = 9,
    /// The posts that an account shows first.
    Pins = 10,
    /// The threads that an account hears no more of.
    MutedThreads = 11,
    /// Who wants to be found, by what they did last: its id.
    Active = 12,
    /// Who wants to be found, by when they came: their id.
    Newcomers = 13,
    /// Who likes a post.
    FavouritedBy = 20,
    /// Who reblogs a post; the place is the reblog.
    RebloggedBy = 21,
    /// The posts that answer a post; the place and the subject are the answer.
    Replies = 22,
    /// The posts that quote a post; the place and the subject are the quoting post.
    Quotes = 26,
    /// Who is in a list.
    Members = 30,
    /// Whose notifications for an account are kept apart; the place is the request.
    NotificationRequests = 40,
    /// Whose notifications an account has taken in, whatever its policy says.
    NotificationPermits = 41,
    /// What was reported about an account and nobody has seen to; the place and the subject are the report.
    OpenReports = 42,
    /// The announcements that an account has read.
    ReadAnnouncements = 43,
    /// Who is suggested to an account no more.
    NotSuggested = 44,
    /// The posts that an account has reported.
    Reported = 45,
}

fn place_key(listing: Listing, owner: u64, subject: u64) -> Vec<u8> {
    key(family::PLACE, [listing as u64, owner, subject])
}

pub(super) fn prefix(listing: Listing, owner: u64) -> Vec<u8> {
    key(family::LISTING, [listing as u64, owner])
}

impl Rows {
    /// The place of a subject.
    pub(super) fn place(&self, listing: Listing, owner: u64, subject: u64) -> Option<u64> {
        self.get(&place_key(listing, owner, subject))
    }

    /// Places and subjects.
    pub(super) fn listing(&self, listing: Listing, owner: u64, window: Window) -> Vec<(u64, u64)> {
        self.page(&prefix(listing, owner), window)
    }

    /// Lists a subject at this place, unless it is listed; says whether it was new.
    pub(super) fn list_at(&mut self, listing: Listing, owner: u64, subject: u64, place: u64) -> bool {
        let by_subject = place_key(listing, owner, subject);
        if self.has(&by_subject) {
            return false;
        }
        self.put(&by_subject, &place);
        self.put(&key(family::LISTING, [listing as u64, owner, place]), &subject);
        true
    }

    /// Lists a subject no more; the place that it had.
    pub(super) fn unlist(&mut self, listing: Listing, owner: u64, subject: u64) -> Option<u64> {
        let by_subject = place_key(listing, owner, subject);
        let place: u64 = self.get(&by_subject)?;
        self.remove(&by_subject);
        self.remove(&key(family::LISTING, [listing as u64, owner, place]));
        Some(place)
    }
}

impl Turn<'_> {
    /// Lists a subject last, or no more; says whether that changed anything.
    pub(super) fn set_listed_in(&mut self, listing: Listing, owner: u64, subject: u64, on: bool) -> bool {
        match (on, self.rows.place(listing, owner, subject)) {
            (true, None) => {
                let place = self.next_id();
                self.rows.list_at(listing, owner, subject, place)
            }
            (false, Some(_)) => self.rows.unlist(listing, owner, subject).is_some(),
            _ => false,
        }
    }
}
