//! Tokens: the words of a text as searches see them, so that query, index and match agree on what a word is.

use crate::engine::chars;

/// The tokens of a text in order: runs of word characters, case-folded, full width letters made plain and
/// Latin accents dropped (as Mastodon's analyzers do with `lowercase`, `asciifolding` and `cjk_width`); words
/// are not stemmed.
///
/// A character of a script written without spaces is a token of its own, as is a pictograph: a sequence of
/// such tokens finds a word inside a sentence.
#[must_use]
pub fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    each_token(text, |token| {
        tokens.push(token);
        true
    });
    tokens
}

/// Hands out the tokens one by one until `take` says no.
pub(super) fn each_token(text: &str, mut take: impl FnMut(String) -> bool) {
    let mut token = String::new();
    for c in chars::nfkc(text) {
        let alone = is_unspaced(c) || chars::is_symbol(c);
        if !token.is_empty() && (alone || !chars::is_word(c) || c == '_') && !take(std::mem::take(&mut token))
        {
            return;
        }
        if alone {
            if !take(c.to_string()) {
                return;
            }
        } else if chars::is_word(c) && c != '_' {
            token.extend(chars::fold_case(c).map(chars::fold_ascii).filter(|&c| !chars::is_accent(c)));
        }
    }
    if !token.is_empty() {
        take(token);
    }
}

/// Whether the character belongs to a script that puts no spaces between words: Han, kana, Thai, Lao,
/// Myanmar, Khmer.
fn is_unspaced(c: char) -> bool {
    let scripts = [
        '\u{E01}'..='\u{EFF}',
        '\u{1000}'..='\u{109F}',
        '\u{1780}'..='\u{17FF}',
        '\u{3005}'..='\u{3007}',
        '\u{3041}'..='\u{30FF}',
        '\u{31F0}'..='\u{31FF}',
        '\u{3400}'..='\u{4DBF}',
        '\u{4E00}'..='\u{9FFF}',
        '\u{F900}'..='\u{FAFF}',
        '\u{20000}'..='\u{323AF}',
    ];
    c >= '\u{E01}' && scripts.iter().any(|script| script.contains(&c)) && chars::is_word(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_characters() {
        for (text, found) in [
            ("Hello, World!", "hello world"),
            ("don't foo-bar snake_case", "don t foo bar snake case"),
            ("#Tag @bob :cat:", "tag bob cat"),
            ("Crème BRU\u{302}LÉE ＡＢＣ", "creme brulee abc"),
            ("東京タワー is", "東 京 タ ワ ー is"),
            ("한국어 공부", "한국어 공부"),
            ("I ❤️ 🦀rust", "i ❤ 🦀 rust"),
            ("Łódź Straße ﬁne", "lodz straße fine"),
            (" \n…—", ""),
            ("\u{301}\u{301}", ""),
            ("https://a.b/c?d=1", "https a b c d 1"),
        ] {
            assert_eq!(tokens(text).join(" "), found, "{text}");
        }
    }
}
