//! Reading a query: clauses apart at white space, each with an optional sign, an optional operator, and a
//! word or a phrase.
//!
//! What a clause means for a post is for `document`.

use super::tokens::each_token;
use super::{Clause, Property, Scope, Sender, Term, day};

/// How many clauses of a query count; the rest is not read.
pub const MAX_CLAUSES: usize = 32;

/// How many tokens of a word or a phrase count.
pub const MAX_TOKENS: usize = 32;

/// The clauses of a query. Those that ask for nothing, as a word of punctuation alone, are left out.
pub(super) fn clauses(text: &str) -> Vec<Clause> {
    let mut clauses = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() && clauses.len() < MAX_CLAUSES {
        let (negated, signed) = match rest.as_bytes()[0] {
            b'-' => (true, &rest[1..]),
            b'+' => (false, &rest[1..]),
            _ => (false, rest),
        };
        let (term, after) = term(signed);
        clauses.extend(term.map(|term| Clause { negated, term }));
        rest = after.trim_start();
    }
    clauses
}

/// Reads one term and gives what follows it.
fn term(text: &str) -> (Option<Term>, &str) {
    if let Some((phrase, after)) = phrase(text) {
        return (words(phrase), after);
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, after) = text.split_at(end);
    let Some((name, value)) = word.split_once(':').filter(|(name, _)| is_operator(name)) else {
        return (words(word), after);
    };
    let quoted = phrase(&text[name.len() + 1..]);
    let (value, after) = quoted.unwrap_or((value, after));
    let operator = operator(name, value.trim());
    (operator.or_else(|| words(&format!("{name} {value}"))), after)
}

/// A phrase in quotation marks at the beginning of the text, and what follows it. Without the second mark it
/// is none.
fn phrase(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('"')?.split_once('"')
}

fn words(text: &str) -> Option<Term> {
    let mut words = Vec::new();
    each_token(text, |token| {
        words.push(token);
        words.len() < MAX_TOKENS
    });
    (!words.is_empty()).then_some(Term::Words(words))
}

/// The operators' names (Mastodon `SearchQueryTransformer::PrefixClause`). Case does not count: keyboards
/// capitalize.
fn is_operator(name: &str) -> bool {
    ["from", "has", "is", "language", "before", "after", "during", "in"]
        .iter()
        .any(|operator| name.eq_ignore_ascii_case(operator))
}

/// What an operator asks, or nothing when its value is none of the operator's: then it is words, where
/// Mastodon reports an error or finds nothing.
fn operator(name: &str, value: &str) -> Option<Term> {
    match name.to_ascii_lowercase().as_str() {
        "from" => sender(value).map(Term::From),
        "has" | "is" => property(value).map(Term::Has),
        "language" => language(value).map(Term::Language),
        "before" => day::day_of(value).map(Term::Before),
        "after" => day::day_of(value).map(Term::After),
        "during" => day::day_of(value).map(Term::During),
        "in" => scope(value).map(Term::In),
        _ => None,
    }
}

fn sender(value: &str) -> Option<Sender> {
    if value.eq_ignore_ascii_case("me") {
        return Some(Sender::Me);
    }
    let account = value.strip_prefix('@').unwrap_or(value);
    let (name, domain) =
        account.split_once('@').map_or((account, None), |(name, domain)| (name, Some(domain)));
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    let is_domain = domain.is_none_or(|domain| !domain.is_empty() && !domain.contains('@'));
    let domain = domain.map(str::to_lowercase);
    (is_name && is_domain).then(|| Sender::Account { name: name.to_ascii_lowercase(), domain })
}

fn property(value: &str) -> Option<Property> {
    Some(match value.to_ascii_lowercase().as_str() {
        "media" => Property::Media,
        "poll" => Property::Poll,
        "link" => Property::Link,
        "embed" => Property::Embed,
        "image" => Property::Image,
        "video" => Property::Video,
        "audio" => Property::Audio,
        "reply" => Property::Reply,
        "sensitive" => Property::Sensitive,
        "bot" => Property::Bot,
        _ => return None,
    })
}

/// A language code, its parts joined by `-`.
fn language(value: &str) -> Option<String> {
    let code = value.to_ascii_lowercase().replace('_', "-");
    let first = code.split('-').next().unwrap_or("");
    let is_code = (2..=3).contains(&first.len())
        && code.len() <= 16
        && first.bytes().all(|byte| byte.is_ascii_lowercase())
        && code.bytes().all(|byte| byte == b'-' || byte.is_ascii_alphanumeric());
    is_code.then_some(code)
}

fn scope(value: &str) -> Option<Scope> {
    Some(match value.to_ascii_lowercase().as_str() {
        "all" => Scope::All,
        "library" => Scope::Library,
        "public" => Scope::Public,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Query;
    use super::*;

    /// The clauses in a short notation.
    fn parsed(text: &str) -> String {
        let show = |clause: &Clause| {
            let sign = if clause.negated { "-" } else { "" };
            let term = match &clause.term {
                Term::Words(words) => words.join("+"),
                Term::From(Sender::Me) => "from(me)".to_owned(),
                Term::From(Sender::Account { name, domain }) => {
                    format!("from({name}@{})", domain.as_deref().unwrap_or(""))
                }
                term => format!("{term:?}"),
            };
            format!("{sign}{term}")
        };
        Query::parse(text).clauses().iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn queries() {
        for (text, clauses) in [
            ("", ""),
            ("  hello   World ", "hello world"),
            ("\"hello world\" -spam +ham", "hello+world -spam ham"),
            ("-\"a b\"c", "-a+b c"),
            ("\"unclosed phrase", "unclosed phrase"),
            ("foo-bar #tag", "foo+bar tag"),
            ("- + \"\" ...", ""),
            (
                "from:me From:bob from:@A@B.example from:a@b",
                "from(me) from(bob@) from(a@b.example) from(a@b)",
            ),
            ("from:@ from:a@b@c from:", "from from+a+b+c from"),
            ("has:media -is:reply has:POLL is:bot", "Has(Media) -Has(Reply) Has(Poll) Has(Bot)"),
            ("has:unicorn", "has+unicorn"),
            (
                "language:EN language:zh_TW language:english",
                "Language(\"en\") Language(\"zh-tw\") language+english",
            ),
            ("before:2024-01-02 after:1970-01-01 during:1970-01-02", "Before(19724) After(0) During(1)"),
            ("before:yesterday before:2023-02-29", "before+yesterday before+2023+02+29"),
            ("in:library in:all in:public in:here", "In(Library) In(All) In(Public) in+here"),
            ("from:\"bob\" before:\"2024-01-02\"x", "from(bob@) Before(19724) x"),
            ("foo:bar https://a.b", "foo+bar https+a+b"),
            ("東京", "東+京"),
        ] {
            assert_eq!(parsed(text), clauses, "{text}");
        }
    }

    #[test]
    fn a_query_is_bounded() {
        let many = Query::parse(&"a ".repeat(100_000));
        assert_eq!(many.clauses().len(), MAX_CLAUSES);
        let long = Query::parse(&"a-".repeat(100_000));
        assert_eq!(long.words().map(<[String]>::len).collect::<Vec<_>>(), [MAX_TOKENS]);
        for hostile in ["\"", "\"\"", "-", ":", "from:", "from:\"", "- ", "\" "] {
            let _ = Query::parse(&hostile.repeat(50_000));
        }
    }
}
