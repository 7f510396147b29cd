//! How long a post counts against its limit.
//!
//! The limit itself is configuration, and refusing a post is for the command that makes it.

use unicode_segmentation::UnicodeSegmentation as _;

use super::scan::{Kind, scan};

/// What a link counts, whatever its length (Mastodon `StatusLengthValidator::URL_PLACEHOLDER_CHARS`; the
/// instance's `characters_reserved_per_url`).
pub const URL_LENGTH: usize = 23;

/// The length of a post in grapheme clusters (UAX #29, extended): the content warning and the text together,
/// each link as [`URL_LENGTH`], each mention without its domain (Mastodon `StatusLengthValidator`).
#[must_use]
pub fn count(text: &str, spoiler: &str) -> usize {
    let mut countable = String::with_capacity(spoiler.len() + text.len());
    countable.push_str(spoiler);
    if !text.trim().is_empty() {
        let mut at = 0;
        for piece in scan(text) {
            match piece.kind {
                Kind::Url(_) => {
                    countable.push_str(&text[at..piece.range.start]);
                    countable.extend(std::iter::repeat_n('x', URL_LENGTH));
                }
                Kind::Mention { name, domain: Some(_) } => {
                    countable.push_str(&text[at..piece.range.start]);
                    countable.push('@');
                    countable.push_str(name);
                }
                Kind::Mention { .. } | Kind::Tag(_) | Kind::Emoji(_) => continue,
            }
            at = piece.range.end;
        }
        countable.push_str(&text[at..]);
    }
    countable.graphemes(true).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first two are cases of Mastodon's `spec/validators/status_length_validator_spec.rb`.
    #[test]
    fn lengths() {
        let b = "b".repeat(30);
        for (text, spoiler, length) in [
            (format!("{} http://{b}.com/example", "a".repeat(476)), "", 500),
            (format!("{} @alice@{b}.com", "a".repeat(475)), "", 482),
            (format!("http://{b}.com/example"), "", 23),
            ("http://a.co".to_owned(), "", 23),
            ("a".repeat(251), "warning", 258),
            ("👨‍👩‍👧‍👦".to_owned(), "", 1),
            ("🇫🇷🇩🇪".to_owned(), "", 2),
            ("e\u{301}é".to_owned(), "", 2),
            ("日本語".to_owned(), "", 3),
            ("a\r\nb".to_owned(), "", 3),
            (String::new(), "", 0),
            ("  \n".to_owned(), "", 0),
            ("#tag @bob :cat:".to_owned(), "", 15),
            ("a@b.example".to_owned(), "", 11),
        ] {
            assert_eq!(count(&text, spoiler), length, "{text}");
        }
    }
}
