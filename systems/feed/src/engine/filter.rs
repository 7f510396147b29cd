//! Keyword filters: whether a reader's keywords occur in a post (Mastodon filters v2).
//!
//! Keywords and texts are folded once and compared many times. Which contexts a filter holds for, when it
//! expires and whether it warns or hides are for the caller, as is turning HTML into plain text.

use super::chars;

/// A keyword, made ready for matching. An empty one matches nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyword {
    text: String,
    whole_word: bool,
    /// The case-folded text.
    folded: String,
    /// Whether an end of the keyword is a word character and must stand at a word's boundary.
    bound: [bool; 2],
    /// For a bound keyword, the length of the longest proper prefix that ends at each byte (Knuth, Morris and
    /// Pratt 1977): all places are tried in linear time, overlapping ones too.
    borders: Vec<usize>,
}

impl Keyword {
    /// Makes a keyword ready. Case never counts. With `whole_word`, an end of it that is a word character
    /// must not touch another in the text (Mastodon `CustomFilterKeyword#to_regex`: `\b` at that end).
    #[must_use]
    pub fn new(text: &str, whole_word: bool) -> Self {
        let folded = fold(text);
        let ends = [folded.chars().next(), folded.chars().next_back()];
        let bound = ends.map(|end| whole_word && end.is_some_and(chars::is_word));
        let borders = if bound == [false, false] { Vec::new() } else { borders(folded.as_bytes()) };
        Self { text: text.to_owned(), whole_word, folded, bound, borders }
    }

    /// The keyword as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it was made to match whole words.
    #[must_use]
    pub fn whole_word(&self) -> bool {
        self.whole_word
    }

    /// Whether the keyword occurs in one of the texts.
    #[must_use]
    pub fn matches(&self, texts: &Folded) -> bool {
        !self.folded.is_empty() && texts.0.iter().any(|text| self.occurs(text))
    }

    fn occurs(&self, text: &str) -> bool {
        // The library's search is the faster one, and mostly the answer is no.
        text.contains(&self.folded) && (self.bound == [false, false] || self.occurs_apart(text))
    }

    /// Whether one of the keyword's places in the text has the boundaries it needs.
    fn occurs_apart(&self, text: &str) -> bool {
        let keyword = self.folded.as_bytes();
        let mut matched = 0;
        for (at, byte) in text.bytes().enumerate() {
            while matched > 0 && keyword[matched] != byte {
                matched = self.borders[matched - 1];
            }
            matched += usize::from(keyword[matched] == byte);
            if matched == keyword.len() {
                // A place found byte by byte lies on characters' boundaries: the keyword begins with a
                // character.
                let end = at + 1;
                let touched = [text[..end - matched].chars().next_back(), text[end..].chars().next()];
                if touched.iter().zip(self.bound).all(|(c, bound)| !bound || !c.is_some_and(chars::is_word)) {
                    return true;
                }
                matched = self.borders[matched - 1];
            }
        }
        false
    }
}

/// The texts of a post, folded for any number of keywords.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folded(Vec<String>);

impl Folded {
    /// Folds a post's texts: its content warning, its text, its poll's options, its media's descriptions
    /// (Mastodon `Status#searchable_text`). No keyword matches across two of them.
    #[must_use]
    pub fn new(texts: &[&str]) -> Self {
        Self(texts.iter().map(|text| fold(text)).collect())
    }
}

/// The positions of the keywords that occur in one of the texts, in order.
#[must_use]
pub fn matches(keywords: &[Keyword], texts: &[&str]) -> Vec<usize> {
    let folded = Folded::new(texts);
    keywords
        .iter()
        .enumerate()
        .filter(|(_, keyword)| keyword.matches(&folded))
        .map(|(index, _)| index)
        .collect()
}

fn fold(text: &str) -> String {
    if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        text.chars().flat_map(chars::fold_case).collect()
    }
}

/// For each byte, the length of the longest proper prefix of the pattern that ends there.
fn borders(pattern: &[u8]) -> Vec<usize> {
    let mut borders = Vec::with_capacity(pattern.len());
    let mut length = 0;
    for (at, &byte) in pattern.iter().enumerate() {
        while length > 0 && pattern[length] != byte {
            length = borders[length - 1];
        }
        length += usize::from(at > 0 && pattern[length] == byte);
        borders.push(length);
    }
    borders
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(keyword: &str, whole_word: bool, text: &str) -> bool {
        matches(&[Keyword::new(keyword, whole_word)], &[text]) == [0]
    }

    #[test]
    fn whole_words() {
        for (keyword, text, whole, part) in [
            ("cat", "the Cat sat", true, true),
            ("cat", "concatenate", false, true),
            ("cat", "cats, cat", true, true),
            ("cat", "cat_", false, true),
            ("cat", "#cat!", true, true),
            ("#cat", "x#cat", true, true),
            ("#cat", "#cats", false, true),
            ("cat!", "cat!s", true, true),
            ("c++", "I know C++14", true, true),
            ("two words", "TWO WORDS here", true, true),
            ("two words", "two  words", false, false),
            ("été", "L'ÉTÉ", true, true),
            ("ét", "été", false, true),
            ("ΣΑΣ", "σας", true, true),
            ("日本", "日本語", false, true),
            ("aa", "aaa aa", true, true),
            ("aa", "aaaa", false, true),
            ("a.a", "ba.a.a", true, true),
            ("", "anything", false, false),
            ("❤", "I❤you", true, true),
        ] {
            assert_eq!(found(keyword, true, text), whole, "{keyword} in {text}, whole");
            assert_eq!(found(keyword, false, text), part, "{keyword} in {text}, part");
        }
    }

    #[test]
    fn several_keywords_over_several_texts() {
        let keywords = ["cat", "dog", "a b"].map(|text| Keyword::new(text, true));
        assert_eq!(matches(&keywords, &["a", "b dog", "CAT"]), [0, 1]);
        assert_eq!(matches(&keywords, &[]), [0_usize; 0]);
    }

    #[test]
    fn hostile_keywords_take_linear_time() {
        let text = "a".repeat(100_000);
        assert!(!found(&"a".repeat(50_000), true, &text));
        assert!(!found(&format!("{}b", "a".repeat(50_000)), true, &text));
    }

    /// Every place, character by character.
    fn model(keyword: &str, whole_word: bool, text: &str) -> bool {
        let [keyword, text] =
            [keyword, text].map(|text| text.chars().flat_map(chars::fold_case).collect::<Vec<_>>());
        let word = |c: Option<&char>| c.is_some_and(|&c| chars::is_word(c));
        !keyword.is_empty()
            && (0..text.len()).any(|at| {
                let end = at + keyword.len();
                let free = |inside: Option<&char>, outside: Option<&char>| {
                    !whole_word || !word(inside) || !word(outside)
                };
                text.get(at..end) == Some(&keyword)
                    && free(keyword.first(), at.checked_sub(1).and_then(|before| text.get(before)))
                    && free(keyword.last(), text.get(end))
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

        #[test]
        fn agrees_with_the_model(
            keyword in "[aAbé_ .#Σςİ本]{0,4}",
            text in "[aAbé_ .#Σςİ本]{0,16}",
            whole in any::<bool>(),
        ) {
            prop_assert_eq!(found(&keyword, whole, &text), model(&keyword, whole, &text));
        }

        /// Of few characters, so that a keyword's places overlap.
        #[test]
        fn overlapping_places_agree_with_the_model(keyword in "[ab.]{1,5}", text in "[ab.]{0,12}") {
            prop_assert_eq!(found(&keyword, true, &text), model(&keyword, true, &text));
        }

        #[test]
        fn any_text_is_in_itself(text in "\\PC{1,20}", whole in any::<bool>()) {
            prop_assert!(found(&text, whole, &text));
        }
    }
}
