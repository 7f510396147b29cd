//! Hashtag names: where one ends, whether it is one, and the form under which two spellings are the same tag.
//!
//! Where in a text a hashtag may begin is for [`super::scan`]; how often it is used, for the trends.

use crate::engine::chars;

/// The characters that join the words of a tag: underscore, middle dot, katakana middle dot, zero width
/// non-joiner (Mastodon `Tag::HASHTAG_SEPARATORS`).
fn is_separator(c: char) -> bool {
    matches!(c, '_' | '\u{B7}' | '\u{30FB}' | '\u{200C}')
}

/// How many bytes of `text`, from its beginning, are a tag's name; nothing when it does not begin with one.
///
/// Mastodon `Tag::HASHTAG_NAME_PAT` reads: a word character, then word characters and separators with a
/// letter or a separator among them, then a word character; failing that, word characters of which one is a
/// letter. So digits alone are no tag, and a separator ends none (the underscore, which is a word character
/// too, may).
pub(super) fn name_length(text: &str) -> Option<usize> {
    let mut joined = None;
    let mut inner = false;
    for (index, (at, c)) in text.char_indices().enumerate() {
        if !chars::is_word(c) && (index == 0 || !is_separator(c)) {
            break;
        }
        if inner && chars::is_word(c) {
            joined = Some(at + c.len_utf8());
        }
        inner |= index > 0 && (c.is_alphabetic() || is_separator(c));
    }
    joined.or_else(|| {
        let end = text.find(|c| !chars::is_word(c)).unwrap_or(text.len());
        text[..end].contains(char::is_alphabetic).then_some(end)
    })
}

/// Whether the whole of `name` (without its `#`) is a hashtag's name (Mastodon `Tag::HASHTAG_NAME_RE`).
#[must_use]
pub fn is_valid_tag(name: &str) -> bool {
    name_length(name) == Some(name.len()) && !name.is_empty()
}

/// The form in which tags are compared and kept: Unicode form KC, lower case, Latin accents dropped, and
/// every character out of it that a tag cannot hold (Mastodon `HashtagNormalizer`). May be empty. Normalizing
/// twice changes nothing.
///
/// Marks that Mastodon drops although their scripts need them, as the Devanagari virama, are kept.
#[must_use]
pub fn normalize_tag(tag: &str) -> String {
    let folded: String = chars::nfkc(tag)
        .filter(|&c| is_kept(c))
        .flat_map(char::to_lowercase)
        .filter(|&c| is_kept(c))
        .map(chars::fold_ascii)
        .collect();
    // Letters that stood apart may now combine.
    if folded.is_ascii() { folded } else { chars::nfkc(&folded).map(chars::fold_ascii).collect() }
}

/// What a normalized tag may hold: letters, digits, separators, and marks but the Latin accents, which
/// folding drops.
fn is_kept(c: char) -> bool {
    chars::is_alphanumeric(c) || is_separator(c) || (chars::is_mark(c) && !chars::is_accent(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases of Mastodon's `spec/models/tag_spec.rb`, and the edges of the pattern.
    #[test]
    fn names_follow_the_pattern() {
        for name in [
            "a",
            "foo",
            "1a",
            "3d",
            "l33ts35k",
            "world2016",
            "_test",
            "test_",
            "one_two_three",
            "one·two·three",
            "ぼっち・ざ・ろっく",
            "نرم\u{200C}افزار",
            "日本語",
            "ａｅｓｔｈｅｔｉｃ",
            "rubyOnRails",
            "1_2",
            "___",
            "हिन्दी",
            "ไม่",
        ] {
            assert!(is_valid_tag(name), "{name}");
        }
        for name in
            ["", "1", "0123456", "_1", "_", "1_", "·a", "a·", "#a", "hello world", "a-b", ".abc", "a❤"]
        {
            assert!(!is_valid_tag(name), "{name}");
        }
    }

    #[test]
    fn a_name_ends_before_what_it_cannot_hold() {
        assert_eq!(name_length("one·two·three· x"), Some("one·two·three".len()));
        assert_eq!(name_length("foo-bar"), Some(3));
        assert_eq!(name_length("a·"), Some(1));
        assert_eq!(name_length("ab··c!"), Some("ab··c".len()));
        assert_eq!(name_length("1·"), None);
        assert_eq!(name_length(" a"), None);
    }

    #[test]
    fn spellings_of_a_tag_meet() {
        for (tag, normal) in [
            ("#hello_world", "hello_world"),
            ("hello world", "helloworld"),
            (".abcdef123", "abcdef123"),
            ("HelloWorld", "helloworld"),
            ("Hello❤\u{FE0F}World", "helloworld"),
            ("ＡＢＣａｂｃ", "abcabc"),
            ("Crème_Brûlée", "creme_brulee"),
            ("CRE\u{300}ME", "creme"),
            ("Łódź", "lodz"),
            ("İstanbul", "istanbul"),
            ("Straße", "straße"),
            ("ﾊﾝｶｸ", "ハンカク"),
            ("हिन्दी", "हिन्दी"),
            ("ไม่", "ไม่"),
            ("", ""),
            ("!?", ""),
        ] {
            assert_eq!(normalize_tag(tag), normal, "{tag}");
        }
    }
}
