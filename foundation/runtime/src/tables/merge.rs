//! What the backing holds and what it does not hold yet, in one order, read no further than it is asked for.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::io;
use std::iter::Peekable;
use std::ops::Bound;

use super::{Backing, Changes, Entries, Order};

type Change<'a> = (&'a Vec<u8>, &'a Option<Vec<u8>>);
type Bounding<'a> = Cow<'a, [u8]>;
type Layer<'a> = Peekable<Box<dyn Iterator<Item = Change<'a>> + 'a>>;

impl Order {
    /// How one key stands to another in this order.
    fn compare(self, one: &[u8], other: &[u8]) -> Ordering {
        match self {
            Order::Rising => one.cmp(other),
            Order::Falling => other.cmp(one),
        }
    }
}

/// Entries whose keys are at least `from` and below `to`.
pub(super) struct Merge<'a> {
    backing: &'a dyn Backing,
    /// What of the backing is not read yet; nothing when all is.
    unread: Option<(Bounding<'a>, Bounding<'a>)>,
    read: VecDeque<(Vec<u8>, Vec<u8>)>,
    /// How much was read at once.
    chunk: usize,
    /// What is not in the backing yet, the newest first.
    layers: Vec<Layer<'a>>,
    order: Order,
}

impl<'a> Merge<'a> {
    /// Over the backing and these changes, the newest first. The bounds must not be crossed.
    pub(super) fn new(
        backing: &'a dyn Backing,
        changes: impl Iterator<Item = &'a Changes>,
        (from, to): (&'a [u8], &'a [u8]),
        order: Order,
    ) -> Merge<'a> {
        let within = |changes: &'a Changes| {
            let within = changes.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
            let layer: Box<dyn Iterator<Item = Change<'a>>> = match order {
                Order::Rising => Box::new(within),
                Order::Falling => Box::new(within.rev()),
            };
            layer.peekable()
        };
        let mut layers: Vec<Layer<'a>> = changes.map(within).collect();
        layers.retain_mut(|layer| layer.peek().is_some());
        let unread = Some((Cow::Borrowed(from), Cow::Borrowed(to)));
        Merge { backing, unread, read: VecDeque::new(), chunk: 0, layers, order }
    }

    /// The first entries, at most so many.
    pub(super) fn take(mut self, most: usize) -> io::Result<Entries> {
        let mut entries = Entries::new();
        while entries.len() < most {
            if self.read.is_empty() {
                self.read_on(most - entries.len())?;
            }
            if self.layers.is_empty() {
                let wanted = self.read.len().min(most - entries.len());
                entries.extend(self.read.drain(..wanted));
                if self.unread.is_none() {
                    break;
                }
                continue;
            }
            let Some((key, change)) = self.changed() else { continue };
            let kept = self.read.front().map(|(kept, _)| self.order.compare(kept, key));
            match kept {
                Some(Ordering::Less) => entries.extend(self.read.pop_front()),
                hidden => {
                    if hidden == Some(Ordering::Equal) {
                        self.read.pop_front();
                    }
                    entries.extend(change.as_ref().map(|value| (key.clone(), value.clone())));
                    self.pass(key);
                }
            }
        }
        Ok(entries)
    }

    /// Reads some more of the backing, where anything is left: at first as much as is wanted, and always twice as much as
    /// before, as what was read may be hidden by changes.
    fn read_on(&mut self, wanted: usize) -> io::Result<()> {
        let Some((from, to)) = self.unread.take() else { return Ok(()) };
        let most = wanted.max(self.chunk.saturating_mul(2));
        self.chunk = most;
        self.read = self.backing.range(&from, &to, self.order, most)?.into();
        if let Some((last, _)) = self.read.back().filter(|_| self.read.len() == most) {
            self.unread = Some(match self.order {
                Order::Rising => (Cow::Owned([last, &[0][..]].concat()), to),
                Order::Falling => (from, Cow::Owned(last.clone())),
            })
            .filter(|(from, to)| from < to);
        }
        Ok(())
    }

    /// The first change in any layer; of several of one key the newest.
    fn changed(&mut self) -> Option<Change<'a>> {
        let order = self.order;
        let firsts = self.layers.iter_mut().filter_map(|layer| layer.peek().copied());
        firsts.min_by(|(one, _), (other, _)| order.compare(one, other))
    }

    /// All that is said of a key is seen.
    fn pass(&mut self, key: &[u8]) {
        for layer in &mut self.layers {
            layer.next_if(|(first, _)| first.as_slice() == key);
        }
        self.layers.retain_mut(|layer| layer.peek().is_some());
    }
}
