//! The text of posts: names, tags and addresses in it, its length, and the HTML that clients are shown.
//!
//! What is shown is made here from plain text, so nothing of a stranger's markup gets through; whom a name belongs to is
//! for the caller to say.

use std::fmt::Write as _;

/// What an address counts in a post's length, however long it is.
const URL_LENGTH: usize = 23;
/// Characters of an address that are shown.
const URL_SHOWN: usize = 30;

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Plain words.
    Plain(&'a str),
    /// `@name` or `@name@domain`.
    Mention {
        /// The name, as it was written.
        name: &'a str,
        /// The domain, if there is one.
        domain: Option<&'a str>,
    },
    /// `#tag`, without the sign.
    Tag(&'a str),
    /// An address with `http` or `https`.
    Url(&'a str),
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Cuts a text into its parts, in order; together they are the text.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut plain, mut at) = (0, 0);
    let mut before: Option<char> = None;
    while let Some(letter) = text[at..].chars().next() {
        let rest = &text[at..];
        let found = match letter {
            'h' | 'H' if !before.is_some_and(is_word) => url(rest),
            '@' if !before.is_some_and(|before| is_word(before) || matches!(before, '/' | '@' | '.')) => {
                mention(rest)
            }
            '#' if !before
                .is_some_and(|before| is_word(before) || matches!(before, '/' | ')' | '&' | '#')) =>
            {
                tag(rest)
            }
            _ => None,
        };
        match found {
            Some((length, piece)) => {
                if plain < at {
                    pieces.push(Piece::Plain(&text[plain..at]));
                }
                pieces.push(piece);
                before = text[at..at + length].chars().next_back();
                at += length;
                plain = at;
            }
            None => {
                before = Some(letter);
                at += letter.len_utf8();
            }
        }
    }
    if plain < text.len() {
        pieces.push(Piece::Plain(&text[plain..]));
    }
    pieces
}

fn url(text: &str) -> Option<(usize, Piece<'_>)> {
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))?;
    let ends = |letter: char| {
        letter.is_whitespace() || letter.is_control() || matches!(letter, '<' | '>' | '"' | '`')
    };
    let mut end = text.find(ends).unwrap_or(text.len());
    let (opened, mut closed) = text[..end].chars().fold((0_usize, 0_usize), |(opened, closed), letter| {
        (opened + usize::from(letter == '('), closed + usize::from(letter == ')'))
    });
    // What ends a sentence is not part of the address, nor is a bracket that was opened before it.
    while let Some(last) = text[..end].chars().next_back() {
        let trailing = match last {
            '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '…' | '*' => true,
            ')' if closed > opened => {
                closed -= 1;
                true
            }
            _ => false,
        };
        if !trailing {
            break;
        }
        end -= last.len_utf8();
    }
    let host = text.get(scheme.len()..end)?.chars().next()?;
    host.is_alphanumeric().then(|| (end, Piece::Url(&text[..end])))
}

/// The longest start of a text that can be a name: letters, digits and `_`, with `.` and `-` inside.
fn name_length(text: &str) -> usize {
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let length = text.bytes().take_while(|byte| inside(byte)).count();
    text[..length].trim_end_matches(['.', '-']).len()
}

fn mention(text: &str) -> Option<(usize, Piece<'_>)> {
    let rest = &text[1..];
    let length = name_length(rest);
    let starts = rest.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_');
    if !starts || rest[length..].starts_with(is_word) {
        return None;
    }
    let name = &rest[..length];
    let domain = rest[length..].strip_prefix('@').and_then(|host| {
        let plain = name_length(host);
        let port = host[plain..].strip_prefix(':').map_or(0, |port| {
            let digits = port.bytes().take_while(u8::is_ascii_digit).count();
            if digits > 0 { digits + 1 } else { 0 }
        });
        (plain > 0).then(|| &host[..plain + port])
    });
    let whole = 1 + length + domain.map_or(0, |domain| domain.len() + 1);
    Some((whole, Piece::Mention { name, domain }))
}

fn tag(text: &str) -> Option<(usize, Piece<'_>)> {
    let rest = &text[1..];
    let inside =
        |letter: char| is_word(letter) || matches!(letter, '·' | '・' | '\u{200c}') || is_mark(letter);
    let length = rest.find(|letter| !inside(letter)).unwrap_or(rest.len());
    let name = rest[..length].trim_end_matches(['·', '・', '\u{200c}']);
    let says = name.chars().any(|letter| is_word(letter) && !letter.is_numeric() && letter != '_');
    says.then(|| (1 + name.len(), Piece::Tag(name)))
}

/// Marks that combine with the letter before them.
fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{903}' | '\u{93a}'..='\u{94f}' | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}' | '\u{3099}' | '\u{309a}')
}

/// A tag in the form in which tags are the same.
pub fn normalize_tag(name: &str) -> String {
    name.to_lowercase()
}

/// The tags of a text: normalised and as they were written, each once, in order.
pub fn tags(text: &str) -> Vec<(String, String)> {
    let mut tags: Vec<(String, String)> = Vec::new();
    for piece in pieces(text) {
        if let Piece::Tag(name) = piece {
            let tag = normalize_tag(name);
            if !tags.iter().any(|(known, _)| *known == tag) {
                tags.push((tag, name.to_owned()));
            }
        }
    }
    tags
}

/// Whether something can be a tag.
pub fn is_tag(name: &str) -> bool {
    matches!(pieces(&format!("#{name}")).as_slice(), [Piece::Tag(whole)] if *whole == name)
}

/// The length of a post: characters, an address as 23, a name elsewhere without its domain.
pub fn length(text: &str) -> usize {
    let one = |piece: Piece<'_>| match piece {
        Piece::Plain(plain) => characters(plain),
        Piece::Mention { name, .. } => 1 + characters(name),
        Piece::Tag(name) => 1 + characters(name),
        Piece::Url(_) => URL_LENGTH,
    };
    pieces(text).into_iter().map(one).sum()
}

/// Characters as people count them, nearly: marks and joiners count with what they change.
fn characters(text: &str) -> usize {
    let mut joined = false;
    let one = |letter: &char| {
        let changes = is_mark(*letter)
            || matches!(letter, '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\r');
        let counts = !changes && !joined;
        joined = *letter == '\u{200d}';
        counts
    };
    text.chars().filter(one).count()
}

/// A text as part of HTML.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            control if control.is_control() && !matches!(control, '\n' | '\t') => {}
            other => escaped.push(other),
        }
    }
    escaped
}

/// Whom a name belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Their page.
    pub href: String,
    /// Their name.
    pub name: String,
}

/// Says whom a name, with a domain or without, belongs to.
pub type Named<'a> = dyn Fn(&str, Option<&str>) -> Option<Link> + 'a;

/// A text as HTML: paragraphs where a line is empty, `<br />` where a line ends, links for names, tags and addresses.
pub fn to_html(text: &str, named: &Named<'_>, tag_url: &dyn Fn(&str) -> String) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let paragraphs = text.trim_matches('\n').split("\n\n").map(|paragraph| paragraph.trim_matches('\n'));
    let paragraphs = paragraphs.filter(|paragraph| !paragraph.is_empty());
    paragraphs.fold(String::new(), |mut html, paragraph| {
        html.push_str("<p>");
        html.push_str(&line_to_html(paragraph, named, tag_url).replace('\n', "<br />"));
        html.push_str("</p>");
        html
    })
}

/// The same without paragraphs and line ends.
pub fn line_to_html(text: &str, named: &Named<'_>, tag_url: &dyn Fn(&str) -> String) -> String {
    let mut html = String::with_capacity(text.len() * 2);
    for piece in pieces(text) {
        // Writing to a string cannot fail.
        let _ = match piece {
            Piece::Plain(plain) => write!(html, "{}", escape(plain)),
            Piece::Mention { name, domain } => match named(name, domain) {
                Some(link) => write!(
                    html,
                    "<span class=\"h-card\" translate=\"no\"><a href=\"{}\" class=\"u-url mention\">@<span>{}</span></a></span>",
                    escape(&link.href),
                    escape(&link.name)
                ),
                None => {
                    let domain = domain.map(|domain| format!("@{domain}")).unwrap_or_default();
                    write!(html, "@{}{}", escape(name), escape(&domain))
                }
            },
            Piece::Tag(name) => write!(
                html,
                "<a href=\"{}\" class=\"mention hashtag\" rel=\"tag\">#<span>{}</span></a>",
                escape(&tag_url(&normalize_tag(name))),
                escape(name)
            ),
            Piece::Url(url) => write_url(&mut html, url),
        };
    }
    html
}

fn write_url(html: &mut String, url: &str) -> std::fmt::Result {
    let scheme = url.find("://").map_or(0, |at| at + 3);
    let scheme = if url[scheme..].starts_with("www.") { scheme + 4 } else { scheme };
    let cut = url[scheme..].char_indices().nth(URL_SHOWN).map_or(url.len(), |(at, _)| scheme + at);
    let class = if cut < url.len() { "ellipsis" } else { "" };
    write!(
        html,
        "<a href=\"{}\" target=\"_blank\" rel=\"nofollow noopener\" translate=\"no\"><span class=\"invisible\">{}</span><span \
         class=\"{class}\">{}</span><span class=\"invisible\">{}</span></a>",
        escape(url),
        escape(&url[..scheme]),
        escape(&url[scheme..cut]),
        escape(&url[cut..])
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str) -> Vec<String> {
        let one = |piece: Piece<'_>| match piece {
            Piece::Plain(_) => None,
            Piece::Mention { name, domain: None } => Some(format!("@{name}")),
            Piece::Mention { name, domain: Some(domain) } => Some(format!("@{name}@{domain}")),
            Piece::Tag(name) => Some(format!("#{name}")),
            Piece::Url(url) => Some(url.to_owned()),
        };
        pieces(text).into_iter().filter_map(one).collect()
    }

    #[test]
    fn names_tags_and_addresses_are_found_where_people_mean_them() {
        for (text, expected) in [
            ("hello @bob, and @eve@example.org!", vec!["@bob", "@eve@example.org"]),
            ("@bob.", vec!["@bob"]),
            ("a@b.com is no name", vec![]),
            ("@eve@localhost:3000 x", vec!["@eve@localhost:3000"]),
            ("#foo #1 #1a foo#bar ##x #_", vec!["#foo", "#1a"]),
            ("#日本語です。 #naïve", vec!["#日本語です", "#naïve"]),
            ("https://example.com/#hash?", vec!["https://example.com/#hash"]),
            ("(https://en.wikipedia.org/wiki/Foo_(bar))", vec!["https://en.wikipedia.org/wiki/Foo_(bar)"]),
            ("https://example.com/@bob http:// xhttps://a.b", vec!["https://example.com/@bob"]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn the_length_counts_as_people_do() {
        for (text, expected) in [
            ("", 0),
            ("abc", 3),
            ("https://example.com/a/very/long/address/that/nobody/types", 23),
            ("@bob@example.org hi", 7),
            ("e\u{301}", 1),
            ("👩\u{200d}👩\u{200d}👧", 1),
        ] {
            assert_eq!(length(text), expected, "{text}");
        }
    }

    fn html(text: &str) -> String {
        let named = |name: &str, _: Option<&str>| {
            (name == "bob").then(|| Link { href: "https://x/@bob".to_owned(), name: "bob".to_owned() })
        };
        to_html(text, &named, &|tag| format!("https://x/tags/{tag}"))
    }

    #[test]
    fn html_is_made_of_the_text() {
        assert_eq!(html("a <b>\nc\n\nd & e"), "<p>a &lt;b&gt;<br />c</p><p>d &amp; e</p>");
        assert_eq!(html("@nobody"), "<p>@nobody</p>");
        assert_eq!(
            html("@bob #Foo"),
            "<p><span class=\"h-card\" translate=\"no\"><a href=\"https://x/@bob\" class=\"u-url mention\">@<span>bob</span></a></span> \
             <a href=\"https://x/tags/foo\" class=\"mention hashtag\" rel=\"tag\">#<span>Foo</span></a></p>"
        );
        assert_eq!((html("").as_str(), html("\n\n\n").as_str()), ("", ""));
    }

    /// Takes tags out of HTML, if each is one that is written here, with quoted attributes; and says what is left.
    fn stripped(html: &str) -> Option<String> {
        let (mut text, mut rest, mut open) = (String::new(), html, Vec::new());
        while let Some(at) = rest.find('<') {
            text.push_str(&rest[..at]);
            let end = at + rest[at..].find('>')?;
            let tag = &rest[at + 1..end];
            match tag {
                "br /" => text.push('\n'),
                "/p" | "/a" | "/span" => {
                    if open.pop()? != &tag[1..] {
                        return None;
                    }
                }
                _ => {
                    let name = tag.split(' ').next()?;
                    if !["p", "a", "span"].contains(&name) || tag.matches('"').count() % 2 != 0 {
                        return None;
                    }
                    open.push(name);
                }
            }
            rest = &rest[end + 1..];
        }
        text.push_str(rest);
        (open.is_empty() && !text.contains(['"', '\''])).then_some(text)
    }

    proptest! {
        #[test]
        fn whatever_is_written_nothing_but_our_own_markup_is_shown(text in "[\\PC\\n<>&\"'@#:/.()a-h]{0,80}") {
            let shown = stripped(&html(&text));
            prop_assert!(shown.is_some(), "{}", html(&text));
            let plain = shown.unwrap().replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&");
            let letters = |text: &str| text.chars().filter(|letter| !letter.is_whitespace() && !letter.is_control()).collect::<String>();
            if !text.contains("@bob@") {
                prop_assert_eq!(letters(&plain), letters(&text));
            }
        }

        #[test]
        fn the_parts_are_the_text(text in "\\PC{0,60}|[ha-z@#:/.\\-_()ß日]{0,80}") {
            let whole: String = pieces(&text).into_iter().map(|piece| match piece {
                Piece::Plain(plain) => plain.to_owned(),
                Piece::Mention { name, domain } => format!("@{name}{}", domain.map(|it| format!("@{it}")).unwrap_or_default()),
                Piece::Tag(name) => format!("#{name}"),
                Piece::Url(url) => url.to_owned(),
            }).collect();
            prop_assert_eq!(whole, text);
        }
    }
}
