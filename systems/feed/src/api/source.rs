//! Where the posts of a timeline come from, and pages of it: what is wanted of it is looked for from page to page, and a
//! page says how far was looked.

use std::collections::BTreeMap;

use super::error::Error;
use super::page::Part;
use super::service::Service;
use crate::state::{Feed, Window};
use crate::value::{AccountId, Entry};

/// Entries that one read looks at, so that no read holds up a partition for long.
const AT_ONCE: usize = 1_024;
/// How often is looked on, when much of what is found is not wanted.
const ROUNDS: usize = 8;

/// Listings whose posts make a timeline.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    /// What is public.
    pub(crate) public: bool,
    /// What is public and has one of these tags.
    pub(crate) tags: Vec<String>,
    /// What these wrote.
    pub(crate) authors: Vec<AccountId>,
}

impl Service {
    /// All entries within a window, in its order.
    async fn entries(&self, source: &Source, window: Window) -> Result<Vec<Entry>, Error> {
        let mut found = Vec::new();
        if source.public || !source.tags.is_empty() {
            let (public, tags) = (source.public, source.tags.clone());
            let read = self.read_all(move |feed: &Feed| {
                let all = public.then(|| feed.public(window)).into_iter().flatten();
                all.chain(tags.iter().flat_map(|tag| feed.tagged(tag, window))).collect::<Vec<_>>()
            });
            found.extend(read.await?.into_iter().flatten());
        }
        let mut parts: BTreeMap<usize, Vec<AccountId>> = BTreeMap::new();
        for author in &source.authors {
            parts.entry(self.place(author.bucket())).or_default().push(*author);
        }
        let some = (AT_ONCE / window.most.max(1)).max(1);
        while !parts.is_empty() {
            let next: Vec<(usize, Vec<AccountId>)> = parts
                .iter_mut()
                .map(|(place, authors)| (*place, authors.split_off(authors.len().saturating_sub(some))))
                .collect();
            parts.retain(|_, authors| !authors.is_empty());
            let read = move |feed: &Feed, authors: Vec<AccountId>| {
                authors.into_iter().flat_map(|author| feed.written(author, window)).collect::<Vec<_>>()
            };
            found.extend(self.read_each(next, read).await?.into_iter().flatten());
            found = window.merge(found, |entry: &Entry| entry.post.0);
        }
        Ok(window.merge(found, |entry| entry.post.0))
    }

    /// So many posts that are wanted, looked for a few pages on.
    pub(crate) async fn seek(
        &self,
        source: &Source,
        window: Window,
        want: impl Fn(&Entry) -> bool,
    ) -> Result<Part, Error> {
        let mut left = window;
        let mut part = Part::default();
        for _ in 0..ROUNDS {
            let entries = self.entries(source, left).await?;
            let ended = entries.len() < left.most;
            part.end = entries.last().map(|entry| entry.post.0).filter(|_| !ended);
            part.posts.extend(entries.into_iter().filter(&want).map(|entry| entry.post));
            if part.posts.len() > window.most {
                part.posts.truncate(window.most);
                part.end = part.posts.last().map(|post| post.0);
            }
            match part.end {
                Some(end) if part.posts.len() < window.most => left = left.after(end),
                _ => break,
            }
        }
        Ok(part)
    }
}
