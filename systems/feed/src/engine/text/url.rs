//! Where a link in running text ends: the punctuation that closes the sentence is not the link's, a balanced
//! parenthesis is.
//!
//! The shape is twitter-text's `valid_url` with Mastodon's changes to it
//! (`config/initializers/twitter_regex.rb`), for the schemes http and https. What is done with a link is for
//! the callers.

use crate::engine::chars;

/// The end, in bytes, of the link that begins at `at`; nothing when none begins there.
pub(super) fn url_end(text: &str, at: usize) -> Option<usize> {
    let rest = &text.as_bytes()[at..];
    let begins = |scheme: &str| {
        rest.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme.as_bytes()))
    };
    let scheme = ["https://", "http://"].into_iter().find(|scheme| begins(scheme))?.len();
    if text[..at].chars().next_back().is_some_and(forbids_link) {
        return None;
    }
    let host = host_end(text, at + scheme)?;
    let path = path_end(text, port_end(text, host));
    Some(query_end(text, path))
}

/// Whether no link may follow the character (twitter-text `valid_url_preceding_chars`).
fn forbids_link(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '@' | '＠' | '$' | '#' | '＃' | '\u{FFFE}' | '\u{FEFF}' | '\u{FFFF}')
}

/// The end of the host: labels parted by dots, the last of them a possible top-level domain.
///
/// Mastodon knows the list of top-level domains; here any two letters or more will do, as will a punycode
/// label. A host of one label or of numbers is none.
fn host_end(text: &str, start: usize) -> Option<usize> {
    let mut best = None;
    let mut label_at = start;
    loop {
        let rest = &text[label_at..];
        let length = rest.find(|c| !is_host_char(c)).unwrap_or(rest.len());
        let label = &rest[..length];
        if label_at > start
            && let Some(length) = top_level_length(label, rest[length..].chars().next())
        {
            best = Some(label_at + length);
        }
        let dotted = rest[length..].starts_with('.');
        let edge = |c: Option<char>| c.is_none_or(|c| c == '-' || c == '_');
        if !dotted || edge(label.chars().next()) || edge(label.chars().next_back()) {
            return best;
        }
        label_at += length + 1;
    }
}

/// Whether the character may stand in a host's label, internationalized names included (RFC 5890, loosely).
fn is_host_char(c: char) -> bool {
    c == '-' || chars::is_word(c) || chars::is_symbol(c)
}

/// How much of a label is a top-level domain: a punycode label, ASCII letters up to a letter of another
/// script (text that goes on without a space), or letters all beyond ASCII. `next` is the character after the
/// label: `@` makes it a user's name.
fn top_level_length(label: &str, next: Option<char>) -> Option<usize> {
    if next == Some('@') {
        return None;
    }
    let punycode = label.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("xn--"));
    if punycode && label.len() > 4 && label.is_ascii() && !label.ends_with(['-', '_']) {
        return Some(label.len());
    }
    let letters = label.bytes().take_while(u8::is_ascii_alphabetic).count();
    let foreign = || label.chars().count() >= 2 && label.chars().all(|c| !c.is_ascii() && chars::is_word(c));
    match label.as_bytes().get(letters) {
        None => (letters >= 2).then_some(letters),
        Some(byte) if !byte.is_ascii() && letters >= 2 => Some(letters),
        Some(_) => (letters == 0 && foreign()).then_some(label.len()),
    }
}

/// Skips `:` and digits.
fn port_end(text: &str, at: usize) -> usize {
    let digits =
        text[at..].strip_prefix(':').map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    if digits == 0 { at } else { at + 1 + digits }
}

/// Whether a link stops before the character wherever it stands.
fn ends_link(c: char) -> bool {
    c.is_whitespace() || matches!(c, '<' | '>') || chars::is_invisible_control(c)
}

/// Whether the character may stand inside a link but not at its end. The CJK full stops and marks are added
/// to Mastodon's set.
fn is_closing(c: char) -> bool {
    "!*\"'「」;:=,.$%[]~&|@。、！？，）』】".contains(c)
}

/// The end of the path (with its fragment) that begins with the `/` at `at`, or `at` itself.
fn path_end(text: &str, at: usize) -> usize {
    if !text[at..].starts_with('/') {
        return at;
    }
    let mut end = at + 1;
    let mut here = end;
    while let Some(c) = text[here..].chars().next() {
        here = match c {
            '(' => match parenthesis_end(text, here) {
                Some(close) => close,
                None => break,
            },
            ')' | '?' => break,
            c if ends_link(c) => break,
            c => here + c.len_utf8(),
        };
        if !is_closing(c) {
            end = here;
        }
    }
    end
}

/// The end of the parenthesis that opens at `open`, with something in it and at most one other inside, as far
/// as Mastodon's expression looks too. It never reads past a third `(`, so no part of a text is read here
/// more than thrice.
fn parenthesis_end(text: &str, open: usize) -> Option<usize> {
    let mut outer = false;
    let mut inner = None;
    for (at, c) in text[open + 1..].char_indices() {
        match (c, inner) {
            ('(', None) => inner = Some((true, false)),
            ('(', Some(_)) => return None,
            (')', Some((true, filled))) => {
                if !filled {
                    return None;
                }
                (outer, inner) = (true, Some((false, true)));
            }
            (')', _) => return outer.then_some(open + 1 + at + 1),
            (c, _) if c == '?' || ends_link(c) => return None,
            (_, Some((true, _))) => inner = Some((true, true)),
            _ => outer = true,
        }
    }
    None
}

/// The end of the query that begins with the `?` at `at`, or `at` itself. A parenthesis opened in the query
/// may close in it, which Mastodon does not count; one opened before ends it.
fn query_end(text: &str, at: usize) -> usize {
    let Some(query) = text[at..].strip_prefix('?') else { return at };
    let mut end = at;
    let mut depth = 0_usize;
    for (offset, c) in query.char_indices() {
        let closing = match c {
            '(' => {
                depth += 1;
                true
            }
            ')' if depth == 0 => break,
            ')' => {
                depth -= 1;
                false
            }
            '"' | '\\' | '`' | '{' | '}' => break,
            c if ends_link(c) => break,
            '&' | '=' => false,
            c => matches!(c, '?' | '+' | '^') || is_closing(c),
        };
        if !closing {
            end = at + 1 + offset + c.len_utf8();
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first link in the text, looked for at every position.
    fn first(text: &str) -> Option<&str> {
        text.char_indices().find_map(|(at, _)| url_end(text, at).map(|end| &text[at..end]))
    }

    /// Cases of Mastodon's `spec/lib/text_formatter_spec.rb`.
    #[test]
    fn links_end_where_mastodon_ends_them() {
        for (text, link) in [
            ("http://google.com", "http://google.com"),
            ("https://nic.みんな/", "https://nic.みんな/"),
            ("http://mansion.com/post/1/arizona. ", "http://mansion.com/post/1/arizona"),
            ("(http://google.com/)", "http://google.com/"),
            ("http://www.google.com!", "http://www.google.com"),
            ("http://www.google.com'", "http://www.google.com"),
            ("http://www.google.com>", "http://www.google.com"),
            ("https://r.com/s?utf8=✓&q=autolink", "https://r.com/s?utf8=✓&q=autolink"),
            ("https://r.com/s?utf8=%E2%9C%93", "https://r.com/s?utf8=%E2%9C%93"),
            (
                "https://en.wikipedia.org/wiki/Diaspora_(software)",
                "https://en.wikipedia.org/wiki/Diaspora_(software)",
            ),
            ("(https://en.wikipedia.org/wiki/Foo_(bar))", "https://en.wikipedia.org/wiki/Foo_(bar)"),
            ("\"https://example.com/\"", "https://example.com/"),
            ("<https://example.com/>", "https://example.com/"),
            ("https://ja.wikipedia.org/wiki/日本", "https://ja.wikipedia.org/wiki/日本"),
            ("https://example.com/　abc123", "https://example.com/"),
            ("「[https://example.org/」", "https://example.org/"),
            ("http://example.com/b<del>b</del>", "http://example.com/b"),
            ("https://example.com/#hash", "https://example.com/#hash"),
            (
                "https://medium.com/@alice/some-article#.abcdef123",
                "https://medium.com/@alice/some-article#.abcdef123",
            ),
            (
                "https://en.wikipedia.org/wiki/G_(song)?foo=#Lawsuit",
                "https://en.wikipedia.org/wiki/G_(song)?foo=#Lawsuit",
            ),
            ("HTTPS://Example.COM:8080/A", "HTTPS://Example.COM:8080/A"),
            ("見てhttps://example.comのページ", "https://example.com"),
            ("http://xn--fsq.xn--0zwm56d/", "http://xn--fsq.xn--0zwm56d/"),
            ("http://i❤.ws/x", "http://i❤.ws/x"),
            ("https://a.com/?q=(b)&c=d)", "https://a.com/?q=(b)&c=d"),
            ("https://a.com/?q=(b).", "https://a.com/?q=(b)"),
            ("(https://a.com/?q=1)b", "https://a.com/?q=1"),
            ("https://a.com/x?", "https://a.com/x"),
            ("https://a.com/x_(a(b)c)d", "https://a.com/x_(a(b)c)d"),
            ("https://a.com/x_(a(b(c)))", "https://a.com/x_"),
            ("https://a.com/x_()", "https://a.com/x_"),
            ("https://a.com/x\u{202E}gpj", "https://a.com/x"),
            ("https://a.com: see", "https://a.com"),
        ] {
            assert_eq!(first(text), Some(link), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_link_is_none() {
        for text in [
            "http://",
            "https://.com",
            "http://www\\.google\\.com",
            "xhttp://a.com",
            "@http://a.com",
            "ftp://a.com",
            "http://localhost/",
            "http://127.0.0.1/",
            "http://user.name@example",
            "http://a.c",
            "http:/a.com",
            "http://-a.com",
            "example.com",
        ] {
            assert_eq!(first(text), None, "{text}");
        }
    }
}
