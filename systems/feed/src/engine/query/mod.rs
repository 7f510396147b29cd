//! Search queries: free words, quoted phrases and operators, parsed to clauses and matched against posts
//! (Mastodon `SearchQueryParser`, `SearchQueryTransformer`; docs.joinmastodon.org, "Search operators").
//!
//! A query never fails to parse: what is no operator is a word. Which posts a reader may find at all, and
//! finding candidates by an index over [`tokens`], are for the caller.

mod day;
mod document;
mod parse;
mod tokens;

pub use day::{date_of, day_of};
pub use document::{Document, Properties};
pub use parse::{MAX_CLAUSES, MAX_TOKENS};
pub use tokens::tokens;

/// A parsed query: a post must satisfy every clause. One without clauses finds nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    clauses: Vec<Clause>,
}

/// One condition of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Whether a `-` stood before it: the post must not satisfy the term.
    pub negated: bool,
    /// The condition itself.
    pub term: Term,
}

/// What a clause asks of a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// A word or a quoted phrase: its tokens, one after another, as [`tokens`] makes them. Never empty.
    Words(Vec<String>),
    /// `from:`: the author.
    From(Sender),
    /// `has:` and `is:`: a property, either operator taking any of them, as in Mastodon.
    Has(Property),
    /// `language:`: an ISO 639 code, with a region perhaps, in lower case.
    Language(String),
    /// `before:`: posted on a day before this one, in days since 1970-01-01.
    Before(i64),
    /// `after:`: posted on a day after this one.
    After(i64),
    /// `during:`: posted on this day.
    During(i64),
    /// `in:`: the posts searched.
    In(Scope),
}

/// The author a query names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// `from:me`: the reader.
    Me,
    /// `from:name`, `from:@name@domain`; without a domain, an account of this server. Compared without case.
    Account {
        /// The account's name.
        name: String,
        /// Its domain.
        domain: Option<String>,
    },
}

/// A property of a post or of its author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// Any attachment.
    Media,
    /// A poll.
    Poll,
    /// A link with a preview.
    Link,
    /// A link whose preview is playable (a video or a rich embed).
    Embed,
    /// An attached image.
    Image,
    /// An attached video or looped animation.
    Video,
    /// An attached sound.
    Audio,
    /// A reply to another post.
    Reply,
    /// Marked as sensitive.
    Sensitive,
    /// The author says to be automated. An addition to Mastodon's.
    Bot,
}

/// Which posts are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those of both others.
    All,
    /// Those the reader wrote or interacted with.
    Library,
    /// Public ones whose authors let them be searched.
    Public,
}

impl Query {
    /// Parses what a reader typed. Of a long query, the first [`MAX_CLAUSES`] clauses count, and of a long
    /// phrase the first [`MAX_TOKENS`] tokens.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self { clauses: parse::clauses(text) }
    }

    /// The clauses in the order they were typed.
    #[must_use]
    pub fn clauses(&self) -> &[Clause] {
        &self.clauses
    }

    /// The token sequences a post must hold: what an index is asked for.
    pub fn words(&self) -> impl Iterator<Item = &[String]> {
        self.clauses.iter().filter_map(|clause| match &clause.term {
            Term::Words(words) if !clause.negated => Some(words.as_slice()),
            _ => None,
        })
    }

    /// Whether the post satisfies every clause.
    #[must_use]
    pub fn matches(&self, document: &Document<'_>) -> bool {
        document.satisfies(&self.clauses)
    }
}
