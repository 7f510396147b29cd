//! Properties of the text engine that hold whatever the text is: well-formed HTML of the allowed tags, ranges
//! in order, linear time.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// Texts made of what the scanner looks for, more than of anything else.
fn hostile() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "#",
        "＃",
        "@",
        "http://",
        "https://",
        "HTTP://",
        ":",
        "::",
        "a",
        "B",
        "1",
        "_",
        "-",
        ".",
        "/",
        "(",
        ")",
        "?",
        "=",
        "&",
        "<",
        ">",
        "\"",
        "'",
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        " ",
        "\u{A0}",
        "\u{3000}",
        "·",
        "・",
        "\u{200C}",
        "\u{200D}",
        "\u{202E}",
        "\0",
        "é",
        "e\u{301}",
        "日本",
        "。",
        "👨‍👩‍👧",
        "example.com",
        "a.b",
        "xn--a",
        "&lt;",
        "<b>",
        "</p>",
        "<script>",
        "-->",
        "]]>",
        "\u{FEFF}",
        "www.",
        "İ",
        "ß",
        "ﬃ",
        "각",
        "ᄀ",
        "ᅡ",
    ]);
    prop_oneof![prop::collection::vec(parts, 0..40).prop_map(|parts| parts.concat()), any::<String>()]
}

/// Every mention but one name is an account, shown as it was written.
fn resolve(name: &str, domain: Option<&str>) -> Option<Link> {
    if name == "a" {
        return None;
    }
    let written = domain.map_or(name.to_owned(), |domain| format!("{name}@{domain}"));
    Some(Link { href: format!("https://x/\"><i>{written}"), name: written })
}

fn tag_page(tag: &str) -> String {
    format!("https://x/tags/{tag}?\"'<>&")
}

/// Reads the HTML as strictly as it is written and gives back its text, a newline for each break. Fails on
/// any tag or attribute that the engine does not write, on wrong nesting and on a bare `<`, `>`, `"` or `&`.
fn read(html: &str) -> Result<String, String> {
    let mut text = String::new();
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(c) = rest.chars().next() {
        if c != '<' {
            let (c, length) = if c == '&' { reference(rest)? } else { (c, c.len_utf8()) };
            if length == 1 && matches!(c, '>' | '"' | '\'') {
                return Err(format!("a bare {c}"));
            }
            text.push(c);
            rest = &rest[length..];
            continue;
        }
        let end = rest.find('>').ok_or("an open tag")?;
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes nothing"));
            }
            text.push_str(if name == "p" { "\n" } else { "" });
        } else if tag == "br /" {
            text.push('\n');
        } else {
            open.push(opening(tag)?);
            if open[1..].contains(&"p") {
                return Err("a paragraph inside".to_owned());
            }
        }
    }
    if open.is_empty() { Ok(text) } else { Err(format!("left open: {open:?}")) }
}

/// The character of a reference and the reference's length.
fn reference(text: &str) -> Result<(char, usize), String> {
    [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&#39;", '\'')]
        .into_iter()
        .find(|(written, _)| text.starts_with(written))
        .map(|(written, c)| (c, written.len()))
        .ok_or_else(|| "a bare &".to_owned())
}

/// Checks an opening tag and gives its name. An attribute's value reaches to its quote.
fn opening(tag: &str) -> Result<&str, String> {
    let (name, mut attributes) = tag.split_at(tag.find(' ').unwrap_or(tag.len()));
    while !attributes.is_empty() {
        let (key, rest) = attributes[1..].split_once("=\"").ok_or("an attribute without value")?;
        let (value, rest) = rest.split_once('"').ok_or("an open value")?;
        let allowed = match (name, key) {
            ("span", "class") => matches!(value, "h-card" | "invisible" | "ellipsis" | ""),
            ("span" | "a", "translate") => value == "no",
            ("a", "class") => matches!(value, "u-url mention" | "mention hashtag"),
            ("a", "rel") => matches!(value, "tag" | "nofollow noopener" | "nofollow noopener me"),
            ("a", "target") => value == "_blank",
            ("a", "href") => value.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("http")),
            _ => false,
        };
        if !allowed || !(rest.is_empty() || rest.starts_with(' ')) {
            return Err(format!("<{name} {key}={value:?}>"));
        }
        attributes = rest;
    }
    if matches!(name, "p" | "a" | "span") { Ok(name) } else { Err(format!("<{name}>")) }
}

/// What is left of a text when white space and controls do not count and all number signs are one.
fn bare(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && !c.is_control())
        .map(|c| if c == '＃' { '#' } else { c })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, ..ProptestConfig::default() })]

    #[test]
    fn html_is_well_formed_and_says_the_text(text in hostile()) {
        let pages = [
            to_html(&text, &resolve, &tag_page),
            bio_to_html(&text, Bio::Note, &resolve, &tag_page),
            bio_to_html(&text, Bio::Field, &resolve, &tag_page),
        ];
        for html in pages {
            let said = read(&html).map_err(|error| TestCaseError::fail(format!("{error} in {html}")))?;
            prop_assert_eq!(bare(&said), bare(&text), "{}", html);
            prop_assert!(!html.contains("<p></p>"));
        }
        prop_assert_eq!(read(&escape(&text)).map(|said| bare(&said)), Ok(bare(&text)));
    }

    #[test]
    fn paragraphs_are_those_of_the_text(text in hostile()) {
        let html = to_html(&text, &resolve, &tag_page);
        // The slow way: split at blank lines, then at line breaks.
        let plain = text.replace("\r\n", "\n").replace('\r', "\n");
        let plain: String = plain.chars().filter(|&c| matches!(c, '\n' | '\t') || !c.is_control()).collect();
        let lines = |block: &str| block.split('\n').filter(|line| !line.is_empty()).count();
        let blocks: Vec<usize> = plain.split("\n\n").map(lines).filter(|&lines| lines > 0).collect();
        let breaks: usize = blocks.iter().map(|lines| lines - 1).sum();
        if text.trim().is_empty() {
            prop_assert_eq!(html, "");
        } else {
            prop_assert_eq!(html.matches("<p>").count(), blocks.len(), "{}", html);
            prop_assert_eq!(html.matches("<br />").count(), breaks, "{}", html);
        }
    }

    #[test]
    fn pieces_are_in_order_and_apart(text in hostile()) {
        let mut end = 0;
        for piece in scan(&text) {
            prop_assert!(piece.range.start >= end && piece.range.end > piece.range.start);
            end = piece.range.end;
            let written = text.get(piece.range).expect("on character boundaries");
            match piece.kind {
                Kind::Url(url) => prop_assert_eq!(url, written),
                Kind::Tag(name) => {
                    prop_assert!(written.ends_with(name) && is_valid_tag(name));
                    prop_assert!(!normalize_tag(name).is_empty());
                }
                Kind::Emoji(name) => prop_assert_eq!(format!(":{name}:"), written),
                Kind::Mention { name, domain } => {
                    let mut whole = format!("@{name}");
                    domain.map(|domain| write!(whole, "@{domain}"));
                    prop_assert_eq!(whole, written);
                    prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)));
                }
            }
        }
    }

    #[test]
    fn a_count_is_at_most_that_of_its_parts(text in hostile(), spoiler in hostile()) {
        let whole = count(&text, &spoiler);
        prop_assert!(whole <= count(&text, "") + count("", &spoiler) + 1);
        prop_assert!(whole >= count("", &spoiler).saturating_sub(1));
        let links = scan(&text).iter().filter(|piece| matches!(piece.kind, Kind::Url(_))).count();
        prop_assert!(count(&text, "") >= links);
        prop_assert!(count(&text, "") <= text.chars().count() + links * URL_LENGTH);
    }

    #[test]
    fn normalizing_a_tag_twice_changes_nothing(tag in hostile()) {
        let once = normalize_tag(&tag);
        prop_assert_eq!(normalize_tag(&once), once);
    }
}

/// What a hostile text of this length takes is a few milliseconds; were any scan quadratic, it would be
/// minutes. Counted in work the test can see, the output, and by ending at all.
#[test]
fn hostile_texts_end() {
    let patterns = [
        "#",
        "＃",
        "@",
        "http://",
        "https://a.b",
        "http://a.bc/(",
        "http://a.bc/((",
        "http://a.bc/?(",
        "(http://a.bc/x(",
        "@a@",
        "@a@b.",
        "@a-",
        "#a·",
        "#1",
        "·",
        ":aa",
        ":",
        "::",
        ":aa: ",
        "h",
        "\n",
        "\r",
        "\n\n#a",
        "e\u{301}",
        "\u{301}",
        "🇫",
        "👨\u{200D}",
        "\u{200D}",
        "a.",
        "http://a.b-",
        "xn--",
        "ᄀ",
        "각",
        "क\u{94D}",
        "<",
        "&",
    ];
    for pattern in patterns {
        for head in ["", "http://a.bc/", "http://a.bc/(", "http://a.bc/?", "http://", "#", "@a@", ":", "a"] {
            let text = format!("{head}{}", pattern.repeat(20_000 / pattern.len()));
            let html = to_html(&text, &resolve, &tag_page);
            assert!(html.len() < 100 * text.len());
            assert!(count(&text, &text) <= 40 * text.len());
            assert!(normalize_tag(&text).len() <= 20 * text.len());
            assert!(!is_valid_tag(&format!("{text} ")));
        }
    }
}
