//! A post as a search sees it, and whether it satisfies a query's clauses.
//!
//! Gathering these facts about a post, and withholding posts the reader must not see, are for the caller.

use super::tokens::tokens;
use super::{Clause, Property, Scope, Sender, Term};

/// What a search may ask about a post and one reader of it.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// Its texts as one: content warning, text, poll options, media descriptions, apart by line breaks.
    pub text: &'a str,
    /// The author's name.
    pub name: &'a str,
    /// The author's domain, this server's own for an account of it.
    pub domain: &'a str,
    /// Whether the author's account is of this server.
    pub local: bool,
    /// Whether the reader wrote it.
    pub own: bool,
    /// Whether the reader wrote it or interacted with it.
    pub library: bool,
    /// Whether it is public and its author lets it be searched.
    pub public: bool,
    /// What it has and is.
    pub properties: Properties,
    /// Its language, as an ISO 639 code.
    pub language: Option<&'a str>,
    /// The day it was posted, in days since 1970-01-01 of the reader's calendar.
    pub day: i64,
}

/// A set of properties.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Properties(u16);

impl Properties {
    /// The set with one more property.
    #[must_use]
    pub fn with(self, property: Property) -> Self {
        Self(self.0 | bit(property))
    }

    /// Whether the property is in the set.
    #[must_use]
    pub fn contains(self, property: Property) -> bool {
        self.0 & bit(property) != 0
    }
}

impl FromIterator<Property> for Properties {
    fn from_iter<I: IntoIterator<Item = Property>>(properties: I) -> Self {
        properties.into_iter().fold(Self::default(), Self::with)
    }
}

fn bit(property: Property) -> u16 {
    1 << match property {
        Property::Media => 0,
        Property::Poll => 1,
        Property::Link => 2,
        Property::Embed => 3,
        Property::Image => 4,
        Property::Video => 5,
        Property::Audio => 6,
        Property::Reply => 7,
        Property::Sensitive => 8,
        Property::Bot => 9,
    }
}

impl Document<'_> {
    /// Whether the post satisfies all of the clauses, of which there must be one. The text is looked at last.
    pub(super) fn satisfies(&self, clauses: &[Clause]) -> bool {
        let (words, facts): (Vec<_>, Vec<_>) =
            clauses.iter().partition(|clause| matches!(clause.term, Term::Words(_)));
        if clauses.is_empty() || !facts.iter().all(|clause| self.is(&clause.term) != clause.negated) {
            return false;
        }
        let text = if words.is_empty() { Vec::new() } else { tokens(self.text) };
        words.iter().all(|clause| match &clause.term {
            Term::Words(phrase) => {
                text.windows(phrase.len().max(1)).any(|window| window == phrase) != clause.negated
            }
            _ => true,
        })
    }

    fn is(&self, term: &Term) -> bool {
        match term {
            Term::Words(_) => true,
            Term::From(Sender::Me) => self.own,
            Term::From(Sender::Account { name, domain }) => {
                let place =
                    domain.as_ref().map_or(self.local, |domain| self.domain.to_lowercase() == *domain);
                place && self.name.eq_ignore_ascii_case(name)
            }
            Term::Has(property) => self.properties.contains(*property),
            Term::Language(code) => self.language.is_some_and(|language| speaks(language, code)),
            Term::Before(day) => self.day < *day,
            Term::After(day) => self.day > *day,
            Term::During(day) => self.day == *day,
            Term::In(Scope::All) => self.library || self.public,
            Term::In(Scope::Library) => self.library,
            Term::In(Scope::Public) => self.public,
        }
    }
}

/// Whether a post's language is the one asked for, or the one that code is a regional form of (Mastodon
/// `language_code_from_term`).
fn speaks(language: &str, code: &str) -> bool {
    let language = language.to_ascii_lowercase().replace('_', "-");
    language == code || code.split('-').next() == Some(&language)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Query;
    use super::*;

    fn post(text: &str) -> Document<'_> {
        Document {
            text,
            name: "Bob",
            domain: "here.example",
            local: true,
            own: false,
            library: true,
            public: false,
            properties: [Property::Media, Property::Image, Property::Reply].into_iter().collect(),
            language: Some("en"),
            day: 19_724,
        }
    }

    #[test]
    fn clauses_and_facts() {
        let text = "The quick brown fox jumps.\n東京タワーへ行く #Rust 🦀 café";
        for (query, found) in [
            ("quick", true),
            ("QUICK fox", true),
            ("fox quick", true),
            ("\"quick fox\"", false),
            ("\"Quick Brown\" -slow", true),
            ("quick -fox", false),
            ("-slow", true),
            ("qui", false),
            ("タワー", true),
            ("京東", false),
            ("#rust", true),
            ("🦀", true),
            ("cafe", true),
            ("quick-brown", true),
            ("", false),
            ("...", false),
            ("from:bob", true),
            ("from:@BOB@Here.Example", true),
            ("from:bob@there.example", false),
            ("from:me", false),
            ("-from:me", true),
            ("has:image is:reply -has:poll", true),
            ("is:bot", false),
            ("language:en", true),
            ("language:en-GB", true),
            ("language:de", false),
            ("before:2024-01-02", false),
            ("before:2024-01-03", true),
            ("after:2024-01-01", true),
            ("after:2024-01-02", false),
            ("during:2024-01-02 fox", true),
            ("in:library", true),
            ("in:public", false),
            ("in:all", true),
        ] {
            assert_eq!(Query::parse(query).matches(&post(text)), found, "{query}");
        }
        let remote = Document { local: false, domain: "there.example", language: None, ..post(text) };
        assert!(!Query::parse("from:bob").matches(&remote));
        assert!(Query::parse("from:bob@there.example").matches(&remote));
        assert!(!Query::parse("language:en").matches(&remote));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

        /// The slow way: the tokens of both as sentences, the phrase looked for between spaces.
        #[test]
        fn words_agree_with_the_model(
            text in "[aAbé 本タ_.🦀-]{0,24}",
            words in prop::collection::vec(("-?", "[aAbé本タ_.]{1,3}"), 1..4),
        ) {
            let sentence = format!(" {} ", tokens(&text).join(" "));
            let typed: Vec<_> = words.iter().map(|(sign, word)| format!("{sign}{word}")).collect();
            let wanted: Vec<_> = words.iter().filter(|(_, word)| !tokens(word).is_empty()).collect();
            let model = !wanted.is_empty() && wanted.iter().all(|(sign, word)| {
                sentence.contains(&format!(" {} ", tokens(word).join(" "))) != (sign == "-")
            });
            prop_assert_eq!(Query::parse(&typed.join(" ")).matches(&post(&text)), model);
        }

        #[test]
        fn any_query_meets_any_text(query in any::<String>(), text in any::<String>()) {
            let parsed = Query::parse(&query);
            let _ = parsed.matches(&post(&text));
            prop_assert!(parsed.words().all(|words| !words.is_empty() && words.len() <= super::super::MAX_TOKENS));
        }
    }
}
