//! Finding the pieces of a text: mentions, hashtags, links and custom emoji, left to right, none over
//! another.
//!
//! One pass, linear in the text whatever it holds: an attempt that fails has read no character that a later
//! attempt of its kind reads again. Where a link ends is for `url`, what a tag may hold for `tag`.

use std::ops::Range;

use super::{tag, url};
use crate::engine::chars;

/// A piece of a text that means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Where it stands, in bytes of the text, its sign (`@`, `#`, `:`) included.
    pub range: Range<usize>,
    /// What it is.
    pub kind: Kind<'a>,
}

/// What a piece of a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// `@name` or `@name@domain`, as written: case is not folded (Mastodon `Account::MENTION_RE`).
    Mention {
        /// The account's name: ASCII letters, digits, underscores, and dots and hyphens inside.
        name: &'a str,
        /// The domain, for an account named with one; it may be this server's own.
        domain: Option<&'a str>,
    },
    /// `#name`, without the sign and as written: see [`super::normalize_tag`] (Mastodon `Tag::HASHTAG_RE`).
    Tag(&'a str),
    /// A link, as written.
    Url(&'a str),
    /// `:name:`, without the colons (Mastodon `CustomEmoji::SCAN_RE`).
    Emoji(&'a str),
}

/// The pieces of a text in their order, apart from each other. Of two that overlap, the one that begins first
/// counts.
#[must_use]
pub fn scan(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.as_bytes().get(at) {
        let found = match byte {
            b'h' | b'H' => url_at(text, at),
            b'@' => mention_at(text, at),
            b'#' => tag_at(text, at, 1),
            // The first byte of `＃` and its neighbours; never a byte inside a character.
            0xEF if text[at..].starts_with('＃') => tag_at(text, at, '＃'.len_utf8()),
            b':' => emoji_at(text, at),
            _ => None,
        };
        at = found.as_ref().map_or(at + 1, |piece| piece.range.end);
        pieces.extend(found);
    }
    pieces
}

/// The character before a position.
fn before(text: &str, at: usize) -> Option<char> {
    text[..at].chars().next_back()
}

fn url_at(text: &str, at: usize) -> Option<Piece<'_>> {
    let end = url::url_end(text, at)?;
    Some(Piece { range: at..end, kind: Kind::Url(&text[at..end]) })
}

/// A mention: not after a word character, `/` or `=`, and not before what makes it a part of something else
/// (twitter-text `end_mention_match`: another `@`, an accented Latin letter, `://`).
fn mention_at(text: &str, at: usize) -> Option<Piece<'_>> {
    if before(text, at).is_some_and(|c| matches!(c, '=' | '/') || chars::is_word(c)) {
        return None;
    }
    let name_end = dotted_end(text, at + 1, |c| c == '_' || c.is_ascii_alphanumeric())?;
    let domain_end = match text[name_end..].strip_prefix('@') {
        Some(_) => dotted_end(text, name_end + 1, chars::is_word),
        None => None,
    };
    let end = domain_end.unwrap_or(name_end);
    let rest = &text[end..];
    if rest.starts_with("://") || rest.starts_with(|c| matches!(c, '@' | '＠') || is_latin_accented(c)) {
        return None;
    }
    let domain = domain_end.map(|end| &text[name_end + 1..end]);
    Some(Piece { range: at..end, kind: Kind::Mention { name: &text[at + 1..name_end], domain } })
}

/// The end of a run of words joined by dots and hyphens: `w+([.-]+w+)*`.
fn dotted_end(text: &str, start: usize, is_part: impl Fn(char) -> bool) -> Option<usize> {
    let mut end = None;
    for (offset, c) in text[start..].char_indices() {
        if is_part(c) {
            end = Some(start + offset + c.len_utf8());
        } else if end.is_none() || !matches!(c, '.' | '-') {
            break;
        }
    }
    end
}

/// Latin letters beyond ASCII and the accents that follow a letter (twitter-text `latin_accent_chars`).
fn is_latin_accented(c: char) -> bool {
    matches!(c, '\u{C0}'..='\u{24F}' | '\u{253}'..='\u{28B}' | '\u{2BB}' | '\u{300}'..='\u{36F}' | '\u{1E00}'..='\u{1EFF}')
        && !matches!(c, '×' | '÷')
}

/// A hashtag: not after a letter, a digit, `_`, `/`, `)` or `=`. The scheme of a link that follows at once is
/// not the tag's.
fn tag_at(text: &str, at: usize, sign: usize) -> Option<Piece<'_>> {
    if before(text, at).is_some_and(|c| matches!(c, '=' | '/' | ')' | '_') || chars::is_alphanumeric(c)) {
        return None;
    }
    let rest = &text[at + sign..];
    let mut name = &rest[..tag::name_length(rest)?];
    if rest[name.len()..].starts_with("://") {
        let cut = name.strip_suffix("https").or_else(|| name.strip_suffix("http"));
        name = cut.filter(|cut| !cut.is_empty()).unwrap_or(name);
        if !tag::is_valid_tag(name) {
            return None;
        }
    }
    Some(Piece { range: at..at + sign + name.len(), kind: Kind::Tag(name) })
}

/// A custom emoji: two letters, digits or underscores at least, between colons that touch no letter, digit or
/// colon.
fn emoji_at(text: &str, at: usize) -> Option<Piece<'_>> {
    let touches = |c: char| c == ':' || chars::is_alphanumeric(c);
    if before(text, at).is_some_and(touches) {
        return None;
    }
    let rest = &text[at + 1..];
    let length = rest.bytes().take_while(|&byte| byte == b'_' || byte.is_ascii_alphanumeric()).count();
    let after = rest[length..].strip_prefix(':')?;
    if length < 2 || after.starts_with(touches) {
        return None;
    }
    Some(Piece { range: at..at + length + 2, kind: Kind::Emoji(&rest[..length]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces as text, each in its kind's bracket.
    fn pieces(text: &str) -> String {
        let show = |piece: Piece<'_>| match piece.kind {
            Kind::Mention { name, domain: None } => format!("@{name}"),
            Kind::Mention { name, domain: Some(domain) } => format!("@{name}@{domain}"),
            Kind::Tag(name) => format!("#{name}"),
            Kind::Url(url) => url.to_owned(),
            Kind::Emoji(name) => format!(":{name}:"),
        };
        scan(text).into_iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn mentions() {
        for (text, found) in [
            ("@bob, hi", "@bob"),
            ("hi @bob.", "@bob"),
            ("(@bob@example.com)", "@bob@example.com"),
            ("@alice@example.com.", "@alice@example.com"),
            ("@bob.smith-x_", "@bob.smith-x_"),
            ("@Bob@Example.COM", "@Bob@Example.COM"),
            ("@bob@例え.jp", "@bob@例え.jp"),
            ("a@b.com", ""),
            ("mailto:a@b.com", ""),
            ("@a@b@c", ""),
            ("@bob@", ""),
            ("@bobé", ""),
            ("@bobさん", "@bob"),
            ("@http://a.com", ""),
            ("https://example.com/@bob", "https://example.com/@bob"),
            ("/@bob", ""),
            ("@", ""),
            ("@@bob", "@bob"),
            ("❤️@bob", "@bob"),
            ("@-bob", ""),
            (".@bob", "@bob"),
            ("@alice @bob", "@alice @bob"),
            ("@alice,@bob", "@alice @bob"),
        ] {
            assert_eq!(pieces(text), found, "{text}");
        }
    }

    #[test]
    fn hashtags() {
        for (text, found) in [
            ("#foo", "#foo"),
            ("#1", ""),
            ("#1a", "#1a"),
            ("foo#bar", ""),
            ("#日本語", "#日本語"),
            ("今日は#日本語", ""),
            ("今日は #日本語。", "#日本語"),
            ("this is ＃ｆｏｏ", "#ｆｏｏ"),
            ("test\u{A0}#foo", "#foo"),
            ("(#foo)", "#foo"),
            ("x)#foo", ""),
            ("/#foo", ""),
            ("=#foo", ""),
            ("##foo", "#foo"),
            ("❤️#foo", "#foo"),
            ("1️⃣#foo", "#foo"),
            ("#foo#bar", "#foo"),
            ("#one·two·", "#one·two"),
            ("#foo-bar", "#foo"),
            ("#foo's", "#foo"),
            ("#日本https://example.com", "#日本 https://example.com"),
            ("#1https://example.com", ""),
            (
                "https://en.wikipedia.org/wiki/Google_LLC_v._Oracle_America,_Inc.#Decision",
                "https://en.wikipedia.org/wiki/Google_LLC_v._Oracle_America,_Inc.#Decision",
            ),
        ] {
            assert_eq!(pieces(text), found, "{text}");
        }
    }

    #[test]
    fn links_and_emoji() {
        for (text, found) in [
            ("https://example.com/#hash", "https://example.com/#hash"),
            ("(https://en.wikipedia.org/wiki/Foo_(bar))", "https://en.wikipedia.org/wiki/Foo_(bar)"),
            (":blobcat: x", ":blobcat:"),
            (":a:", ""),
            ("x:blobcat:", ""),
            (":blobcat:x", ""),
            (":aa::bb:", ""),
            (":aa: :bb:", ":aa: :bb:"),
            ("\n:aa:\n", ":aa:"),
            ("12:30:45", ""),
            ("\u{200D}:aa:\u{200B}", ":aa:"),
        ] {
            assert_eq!(pieces(text), found, "{text}");
        }
    }
}
