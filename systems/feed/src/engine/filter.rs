//! Filters: whether a word stands in a text, as Mastodon's filters v2 say it.

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Whether one of these texts has this word, whatever its case. A whole word begins and ends where words do, on those of
/// its ends that are part of a word themselves.
pub fn matches(word: &str, whole: bool, texts: &[&str]) -> bool {
    let word = word.to_lowercase();
    if word.is_empty() {
        return false;
    }
    texts.iter().any(|text| {
        let text = text.to_lowercase();
        text.match_indices(&word).any(|(start, _)| {
            let (before, after) = (&text[..start], &text[start + word.len()..]);
            let parts = |outside: Option<char>, inside: Option<char>| {
                !(outside.is_some_and(is_word) && inside.is_some_and(is_word))
            };
            !whole
                || parts(before.chars().next_back(), word.chars().next())
                    && parts(after.chars().next(), word.chars().next_back())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_end_where_words_end() {
        for (word, whole, text, expected) in [
            ("cat", true, "A Cat!", true),
            ("cat", true, "concatenate", false),
            ("cat", false, "concatenate", true),
            ("#cat", true, "see #cat", true),
            ("#cat", true, "see #cats", false),
            ("!", true, "wow!", true),
            ("", false, "x", false),
            ("ß", true, "ß", true),
            ("日本", true, "日本語", false),
            ("日本", false, "日本語", true),
        ] {
            assert_eq!(matches(word, whole, &[text]), expected, "{word:?} {whole} {text:?}");
        }
    }
}
