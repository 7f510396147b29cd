//! A timeline in memory: the ids of its newest posts.

use super::Found;
use crate::state::Window;
use crate::value::PostId;

/// Posts kept of each timeline.
pub const KEPT: usize = 400;
/// Posts up to which it grows before the oldest are cut away, so that making room is rare.
const MOST: usize = KEPT + KEPT / 4;
/// Ids for which a timeline gets room at first.
const FIRST: usize = 16;

/// The newest posts of a timeline, rising.
#[derive(Debug, Default)]
pub(super) struct Ring {
    posts: Vec<u64>,
    /// Everything newer than the first of them is here, or has been.
    pub(super) complete: bool,
    /// There may be older posts than those that are here.
    cut: bool,
    /// Somebody listens to it.
    pub(super) live: bool,
    /// It was read since whoever makes room came by.
    pub(super) read: bool,
    /// Posts that came since it was read.
    pub(super) unread: u32,
}

impl Ring {
    /// An empty one, which counts as read.
    pub(super) fn new(live: bool) -> Ring {
        Ring { live, read: true, ..Ring::default() }
    }

    /// Says whether it was new.
    pub(super) fn put(&mut self, post: u64) -> bool {
        let place = match self.posts.last() {
            Some(last) if *last >= post => match self.posts.binary_search(&post) {
                Ok(_) => return false,
                Err(place) => place,
            },
            _ => self.posts.len(),
        };
        if place == 0 && self.cut {
            // Between it and the others may be posts that are not here.
            return false;
        }
        if self.posts.len() == MOST {
            self.posts.drain(..MOST - KEPT);
            self.cut = true;
            return self.put(post);
        }
        if self.posts.len() == self.posts.capacity() {
            // By halves and never beyond: a full one wastes nothing.
            let more = (self.posts.len() / 2).max(FIRST).min(MOST - self.posts.len());
            self.posts.reserve_exact(more);
        }
        self.posts.insert(place, post);
        self.unread += 1;
        true
    }

    /// What its posts take of memory.
    pub(super) fn bytes(&self) -> usize {
        self.posts.capacity() * size_of::<u64>()
    }

    /// Puts in what was before it was begun; now nothing is missing between, and older ones may be.
    pub(super) fn fill(&mut self, posts: &[PostId], older: bool) {
        self.posts.extend(posts.iter().map(|post| post.0));
        self.posts.sort_unstable();
        self.posts.dedup();
        let over = self.posts.len().saturating_sub(KEPT);
        self.posts.drain(..over);
        self.cut = older || over > 0;
        self.posts.shrink_to_fit();
        self.complete = true;
    }

    pub(super) fn has(&self, post: u64) -> bool {
        self.posts.binary_search(&post).is_ok()
    }

    /// Takes a post out; says whether it was there.
    pub(super) fn remove(&mut self, post: u64) -> bool {
        let place = self.posts.binary_search(&post);
        place.is_ok_and(|place| self.posts.remove(place) == post)
    }

    /// The part that is asked for.
    pub(super) fn window(&self, window: Window) -> Found {
        let from = window.above.map_or(0, |above| self.posts.partition_point(|post| *post <= above));
        let to =
            window.below.map_or(self.posts.len(), |below| self.posts.partition_point(|post| *post < below));
        let part = self.posts.get(from..to).unwrap_or_default();
        let short = part.len() < window.most
            && window.above.is_none_or(|above| self.posts.first().is_none_or(|first| above < *first));
        if self.cut && (short || window.rising && from == 0) {
            return Found::Older;
        }
        let ids = |post: &u64| PostId(*post);
        let posts = if window.rising {
            part.iter().take(window.most).map(ids).collect()
        } else {
            part.iter().rev().take(window.most).map(ids).collect()
        };
        Found::Posts(posts)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_the_newest_of_what_was_put(posts in prop::collection::vec(0_u64..2_000, 0..3_000)) {
            let (mut ring, mut obvious) = (Ring::default(), BTreeSet::new());
            for post in posts {
                ring.put(post);
                obvious.insert(post);
                let newest: Vec<u64> = obvious.iter().rev().take(KEPT).copied().collect();
                prop_assert!(ring.posts.iter().rev().take(KEPT).eq(&newest));
                prop_assert!(ring.posts.is_sorted() && ring.posts.len() <= MOST && ring.posts.capacity() <= MOST);
            }
        }
    }
}
