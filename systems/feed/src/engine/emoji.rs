//! Emoji: the shortcodes of custom ones in a text (`:blobcat:`), and whether a text is one emoji of Unicode.

use std::collections::BTreeSet;

use unicode_segmentation::UnicodeSegmentation as _;

/// The longest shortcode, in bytes.
const LONGEST: usize = 64;

/// Whether this can name a custom emoji: two or more letters, digits and `_`.
pub fn is_shortcode(text: &str) -> bool {
    (2..=LONGEST).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What stands between colons that touch no letter, digit or other colon.
pub fn shortcodes(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let outside = |other: Option<char>| other.is_none_or(|other| !other.is_alphanumeric() && other != ':');
    let colons: Vec<usize> = text.match_indices(':').map(|(at, _)| at).collect();
    for pair in colons.windows(2) {
        let (open, close) = (pair[0], pair[1]);
        let code = &text[open + 1..close];
        let free = outside(text[..open].chars().next_back()) && outside(text[close + 1..].chars().next());
        if free && is_shortcode(code) {
            found.insert(code);
        }
    }
    found
}

/// Whether a text is one emoji, as far as the blocks of Unicode tell.
pub fn is_emoji(text: &str) -> bool {
    let mut clusters = text.graphemes(true);
    let (Some(one), None) = (clusters.next(), clusters.next()) else { return false };
    let keycap = || {
        one.starts_with(|first: char| first.is_ascii_digit() || "#*".contains(first))
            && one.ends_with('\u{20e3}')
    };
    one.chars().next().is_some_and(is_pictographic) || keycap()
}

fn is_pictographic(one: char) -> bool {
    matches!(u32::from(one),
        0xa9 | 0xae | 0x203c | 0x2049 | 0x2122 | 0x2139 | 0x2194..=0x21aa | 0x231a..=0x23ff | 0x24c2
        | 0x25aa..=0x25fe | 0x2600..=0x27bf | 0x2934..=0x2935 | 0x2b05..=0x2b55 | 0x3030 | 0x303d | 0x3297 | 0x3299
        | 0x1f000..=0x1faff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortcodes_stand_alone() {
        let found = |text| shortcodes(text).into_iter().collect::<Vec<_>>();
        assert_eq!(found("hello :blobcat: and :a_1:"), ["a_1", "blobcat"]);
        assert_eq!(found(":one:, :two:"), ["one", "two"]);
        for none in ["at 10:30:15", "x:blob:", ":blob:x", "::blob::", ":a:", ":no no:", "http://x:80:"] {
            assert!(found(none).is_empty(), "{none}: {:?}", found(none));
        }
    }

    #[test]
    fn one_emoji_is_one() {
        for emoji in ["🤔", "❤️", "👨‍👩‍👧", "🇫🇷", "1️⃣", "©️", "👍🏽"] {
            assert!(is_emoji(emoji), "{emoji}");
        }
        for other in ["", "a", "🤔🤔", "1", "é", ":blob:", "日"] {
            assert!(!is_emoji(other), "{other}");
        }
    }
}
