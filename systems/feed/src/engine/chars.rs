//! Character classes and folding shared by the engines: what Mastodon's regular expressions mean by a word
//! character, and when two spellings are the same.
//!
//! Ruby's classes are Unicode properties (Onigmo, doc/RE): `[[:alpha:]]` is Alphabetic, `[[:word:]]` is
//! Letter, Mark, Decimal_Number or Connector_Punctuation. What a tag, a mention or a keyword is made of is
//! for the callers.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// Whether the character is one of `[[:word:]]`. Variation selectors, though marks, are not: they end an
/// emoji, not a word.
pub(super) fn is_word(c: char) -> bool {
    if c.is_ascii() {
        return c == '_' || c.is_ascii_alphanumeric();
    }
    c.is_alphabetic() || is_digit(c) || is_mark(c) || is_connector(c)
}

/// Whether the character is one of `[[:alnum:]]`: Alphabetic or a decimal digit.
pub(super) fn is_alphanumeric(c: char) -> bool {
    c.is_alphabetic() || is_digit(c)
}

/// Whether the character is a combining mark (general category M), variation selectors aside.
pub(super) fn is_mark(c: char) -> bool {
    let selector = matches!(c, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}');
    !c.is_ascii() && !selector && is_combining_mark(c)
}

/// Whether the character is an accent or another mark of the Latin, Greek and Cyrillic scripts (block
/// U+0300).
pub(super) fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}')
}

/// Decimal digits. The standard library knows "numeric", which adds fractions, superscripts and circled
/// numbers: those in common use are left out here.
fn is_digit(c: char) -> bool {
    let other = matches!(c, '\u{B2}' | '\u{B3}' | '\u{B9}' | '\u{BC}'..='\u{BE}' | '\u{2070}'..='\u{2BFF}' | '\u{3192}'..='\u{33FF}');
    c.is_numeric() && !other
}

/// Connector punctuation beyond ASCII (general category Pc).
fn is_connector(c: char) -> bool {
    matches!(
        c,
        '\u{203F}' | '\u{2040}' | '\u{2054}' | '\u{FE33}' | '\u{FE34}' | '\u{FE4D}'..='\u{FE4F}' | '\u{FF3F}'
    )
}

/// Whether the character is a pictograph or another symbol that stands for itself in a host name or a search:
/// arrows to miscellaneous symbols, and the emoji planes.
pub(super) fn is_symbol(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FAFF}')
}

/// Whether the character has no picture and no business in a link: controls, and the marks that turn the
/// direction of what follows (UAX #9, explicit formatting characters).
pub(super) fn is_invisible_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// The case-folded form of one character: lower case, of the upper case where that is one character, so that
/// `ς` and `σ`, `ſ` and `s` agree (Unicode CaseFolding.txt, status C, as Ruby's `/i` does). A dotless `ı`
/// keeps to itself.
pub(super) fn fold_case(c: char) -> impl Iterator<Item = char> {
    let mut upper = c.to_uppercase();
    let base = match (upper.next(), upper.next()) {
        (Some(one), None) if c != 'ı' => one,
        _ => c,
    };
    base.to_lowercase()
}

/// Replaces a lower-case Latin letter of U+00C0 to U+017F by its ASCII letter, as Mastodon's `ASCIIFolding`
/// does; any other character comes back as it is. `æ`, `œ`, `ß` and `þ` have no single letter and stay.
pub(super) fn fold_ascii(c: char) -> char {
    match c {
        'ð' | 'đ' => 'd',
        'ħ' => 'h',
        'ı' => 'i',
        'ĸ' => 'k',
        'ł' => 'l',
        'ŋ' => 'n',
        'ø' => 'o',
        'ŧ' => 't',
        '\u{C0}'..='\u{17F}' => {
            let mut base = c;
            let mut first = true;
            decompose_canonical(c, |part| {
                if std::mem::take(&mut first) {
                    base = part;
                }
            });
            if base.is_ascii_lowercase() { base } else { c }
        }
        _ => c,
    }
}

/// The characters of a text in Unicode normalization form KC (UAX #15): full width letters become plain,
/// ligatures come apart.
pub(super) fn nfkc(text: &str) -> impl Iterator<Item = char> {
    text.nfkc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_characters_are_ruby_s() {
        for c in ['a', 'Z', '0', '_', 'é', '本', 'タ', 'ー', '٣', '\u{94D}', '\u{E48}', '\u{FF3F}', 'Ⅷ']
        {
            assert!(is_word(c), "{c:?}");
        }
        for c in
            ['-', '.', '·', '・', '\u{200C}', '½', '²', '\u{FE0F}', '①', '㉑', '❤', '😀', ' ', '\u{A0}', '。']
        {
            assert!(!is_word(c), "{c:?}");
        }
    }

    #[test]
    fn folding_joins_the_spellings_of_a_letter() {
        let fold = |text: &str| text.chars().flat_map(fold_case).collect::<String>();
        assert_eq!(fold("ΣΑΣ"), fold("σας"));
        assert_eq!(fold("STRASSE"), "strasse");
        assert_eq!(fold("K"), "k", "the Kelvin sign");
        assert_eq!(fold("Iı"), "iı");
        let ascii = |text: &str| text.chars().map(fold_ascii).collect::<String>();
        assert_eq!(ascii("ðéłøñžßæ"), "delonzßæ");
        assert_eq!(ascii("日本"), "日本");
    }
}
