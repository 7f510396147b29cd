//! The HTML of a post, of an account's note and of its profile fields.
//!
//! The text is the author's, the markup is ours: every character of the text goes through [`escape`]'s rule,
//! so that only the tags written here appear. The shape is Mastodon's (`app/lib/text_formatter.rb`,
//! `app/helpers/formatting_helper.rb`), whose clients read the classes. HTML that came from other servers is
//! not handled here.

use super::scan::{Kind, Piece, scan};

/// How many characters of a link are shown before it is cut (Mastodon `TextFormatter.shortened_link`).
const SHOWN_LENGTH: usize = 30;

/// The account a mention leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The address of the account's page.
    pub href: String,
    /// What stands after the `@`: the account's name, with its domain where two mentioned accounts share a
    /// name and in profile fields.
    pub name: String,
}

/// Finds the account of a mention by name and, where one was written, domain, both as written. An account
/// that is not found stays plain text.
pub type Mentions<'a> = dyn Fn(&str, Option<&str>) -> Option<Link> + 'a;

/// Gives the address of a hashtag's page, from the name as written without its sign.
pub type TagUrl<'a> = dyn Fn(&str) -> String + 'a;

/// Which part of a profile a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bio {
    /// The account's note: paragraphs, as a post.
    Note,
    /// The value of a profile field: no paragraphs, a line break is a space, and links say `rel="me"`, so
    /// that their pages can confirm the account.
    Field,
}

/// The HTML of a post: paragraphs at blank lines, `<br />` at other line breaks, mentions, hashtags and links
/// as anchors. A blank text gives the empty string.
#[must_use]
pub fn to_html(text: &str, mentions: &Mentions<'_>, tag_url: &TagUrl<'_>) -> String {
    render(text, mentions, tag_url, None)
}

/// The HTML of a part of a profile (Mastodon `account_bio_format`, `account_field_value_format`).
#[must_use]
pub fn bio_to_html(text: &str, part: Bio, mentions: &Mentions<'_>, tag_url: &TagUrl<'_>) -> String {
    render(text, mentions, tag_url, Some(part))
}

/// Writes `text` so that HTML shows it as it is, in content and in a quoted attribute: `&`, `<`, `>`, `"` and
/// `'` as references. Controls that HTML forbids (WHATWG HTML 13.2.3.5) are left out; tab and line breaks
/// stay.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    escape_into(&mut out, text);
    out
}

fn escape_into(out: &mut String, text: &str) {
    for c in text.chars() {
        escape_char(out, c);
    }
}

fn escape_char(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        c if is_forbidden(c) => {}
        c => out.push(c),
    }
}

/// Whether HTML forbids the character: a control but tab, line feed and carriage return.
fn is_forbidden(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r')
}

fn render(text: &str, mentions: &Mentions<'_>, tag_url: &TagUrl<'_>, part: Option<Bio>) -> String {
    if text.trim().is_empty() {
        return String::new();
    }
    let field = part == Some(Bio::Field);
    let mut writer =
        Writer { out: String::with_capacity(text.len() * 2), paragraphs: !field, open: false, breaks: 0 };
    let mut at = 0;
    for piece in scan(text) {
        let Some(html) = markup(&piece, mentions, tag_url, field) else { continue };
        writer.text(&text[at..piece.range.start]);
        writer.markup(&html);
        at = piece.range.end;
    }
    writer.text(&text[at..]);
    writer.finish()
}

/// The markup of a piece; nothing for what stays text.
fn markup(piece: &Piece<'_>, mentions: &Mentions<'_>, tag_url: &TagUrl<'_>, me: bool) -> Option<String> {
    match piece.kind {
        Kind::Mention { name, domain } => mentions(name, domain).map(|link| mention_anchor(&link)),
        Kind::Tag(name) => Some(tag_anchor(name, &tag_url(name))),
        Kind::Url(url) => Some(url_anchor(url, me)),
        Kind::Emoji(_) => None,
    }
}

fn mention_anchor(link: &Link) -> String {
    let (href, name) = (escape(&link.href), escape(&link.name));
    format!(
        "<span class=\"h-card\" translate=\"no\"><a href=\"{href}\" class=\"u-url mention\">@<span>{name}</span></a></span>"
    )
}

fn tag_anchor(name: &str, href: &str) -> String {
    let (href, name) = (escape(href), escape(name));
    format!("<a href=\"{href}\" class=\"mention hashtag\" rel=\"tag\">#<span>{name}</span></a>")
}

/// A link whose scheme and tail are there for copying but not seen.
fn url_anchor(url: &str, me: bool) -> String {
    let (prefix, rest) = url.split_at(hidden_length(url));
    let cut = rest.char_indices().nth(SHOWN_LENGTH).map_or(rest.len(), |(at, _)| at);
    let (shown, tail) = rest.split_at(cut);
    let rel = if me { "nofollow noopener me" } else { "nofollow noopener" };
    let class = if tail.is_empty() { "" } else { "ellipsis" };
    let (href, prefix, shown, tail) = (escape(url), escape(prefix), escape(shown), escape(tail));
    format!(
        "<a href=\"{href}\" target=\"_blank\" rel=\"{rel}\" translate=\"no\"><span class=\"invisible\">{prefix}</span>\
         <span class=\"{class}\">{shown}</span><span class=\"invisible\">{tail}</span></a>"
    )
}

/// How much of a link is not shown: the scheme, and `www.`.
fn hidden_length(url: &str) -> usize {
    let scheme = url.find("://").map_or(0, |at| at + 3);
    let www = url.get(scheme..scheme + 4).is_some_and(|head| head.eq_ignore_ascii_case("www."));
    if www { scheme + 4 } else { scheme }
}

/// Joins text and markup, and turns line breaks into paragraphs.
struct Writer {
    out: String,
    paragraphs: bool,
    /// Whether anything has been written.
    open: bool,
    /// Line breaks since then: they count only when something follows.
    breaks: usize,
}

impl Writer {
    /// Line breaks are `\n`, `\r` and `\r\n`. The pieces that part a text hold none, so none is cut in two.
    fn text(&mut self, text: &str) {
        let mut last = '\0';
        for c in text.chars() {
            match c {
                '\n' if last == '\r' => {}
                '\n' | '\r' => self.breaks += 1,
                c if is_forbidden(c) => {}
                c => {
                    self.begin();
                    escape_char(&mut self.out, c);
                }
            }
            last = c;
        }
    }

    fn markup(&mut self, html: &str) {
        self.begin();
        self.out.push_str(html);
    }

    /// Writes what the line breaks so far mean.
    fn begin(&mut self) {
        let mark = match (self.paragraphs, self.open, std::mem::take(&mut self.breaks)) {
            (true, false, _) => "<p>",
            (false, false, _) | (_, true, 0) => "",
            (false, true, _) => " ",
            (true, true, 1) => "<br />",
            (true, true, _) => "</p><p>",
        };
        self.open = true;
        self.out.push_str(mark);
    }

    fn finish(mut self) -> String {
        if self.paragraphs && self.open {
            self.out.push_str("</p>");
        }
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(name: &str, domain: Option<&str>) -> Option<Link> {
        (name != "nobody").then(|| Link {
            href: format!("https://{}/@{name}", domain.unwrap_or("here.example")),
            name: name.to_owned(),
        })
    }

    fn html(text: &str) -> String {
        to_html(text, &resolve, &|tag| format!("https://here.example/tags/{}", tag.to_lowercase()))
    }

    #[test]
    fn paragraphs_and_line_breaks() {
        for (text, expected) in [
            ("", ""),
            (" \n\t", ""),
            ("text", "<p>text</p>"),
            ("line\nfeed", "<p>line<br />feed</p>"),
            ("a\r\nb\rc", "<p>a<br />b<br />c</p>"),
            ("a\n\nb\n\n\n\nc", "<p>a</p><p>b</p><p>c</p>"),
            ("\n\na\n", "<p>a</p>"),
            (
                "a\n\n#b",
                "<p>a</p><p><a href=\"https://here.example/tags/b\" class=\"mention hashtag\" rel=\"tag\">#<span>b</span></a></p>",
            ),
            ("a\0\u{7}b", "<p>ab</p>"),
            (":cat:", "<p>:cat:</p>"),
        ] {
            assert_eq!(html(text), expected, "{text:?}");
        }
    }

    #[test]
    fn anchors() {
        assert_eq!(
            html("@alice"),
            "<p><span class=\"h-card\" translate=\"no\"><a href=\"https://here.example/@alice\" class=\"u-url mention\">@<span>alice</span></a></span></p>"
        );
        assert_eq!(html("@nobody@x.org & co"), "<p>@nobody@x.org &amp; co</p>");
        assert_eq!(
            html("#Tag"),
            "<p><a href=\"https://here.example/tags/tag\" class=\"mention hashtag\" rel=\"tag\">#<span>Tag</span></a></p>"
        );
        assert_eq!(
            html("https://www.example.com/a?b=1&c=2"),
            "<p><a href=\"https://www.example.com/a?b=1&amp;c=2\" target=\"_blank\" rel=\"nofollow noopener\" translate=\"no\">\
             <span class=\"invisible\">https://www.</span><span class=\"\">example.com/a?b=1&amp;c=2</span><span class=\"invisible\"></span></a></p>"
        );
        assert_eq!(
            html("http://example.com/0123456789012345678901234"),
            "<p><a href=\"http://example.com/0123456789012345678901234\" target=\"_blank\" rel=\"nofollow noopener\" translate=\"no\">\
             <span class=\"invisible\">http://</span><span class=\"ellipsis\">example.com/012345678901234567</span><span class=\"invisible\">8901234</span></a></p>"
        );
    }

    /// Cases of Mastodon's `spec/lib/text_formatter_spec.rb`.
    #[test]
    fn markup_in_the_text_stays_text() {
        assert_eq!(
            html("<script>alert(\"Hello\")</script>"),
            "<p>&lt;script&gt;alert(&quot;Hello&quot;)&lt;/script&gt;</p>"
        );
        assert_eq!(
            html("<img src=\"javascript:alert('XSS');\">"),
            "<p>&lt;img src=&quot;javascript:alert(&#39;XSS&#39;);&quot;&gt;</p>"
        );
        assert!(
            html("http://example.com/b\"onclick=x").contains("href=\"http://example.com/b&quot;onclick=x\"")
        );
    }

    #[test]
    fn profiles() {
        let tag = |tag: &str| format!("/tags/{tag}");
        let field = bio_to_html("https://a.example/\nme", Bio::Field, &resolve, &tag);
        assert_eq!(
            field,
            "<a href=\"https://a.example/\" target=\"_blank\" rel=\"nofollow noopener me\" translate=\"no\">\
             <span class=\"invisible\">https://</span><span class=\"\">a.example/</span><span class=\"invisible\"></span></a> me"
        );
        assert_eq!(bio_to_html("a\n\nb", Bio::Note, &resolve, &tag), "<p>a</p><p>b</p>");
        assert_eq!(bio_to_html("\u{7}", Bio::Field, &resolve, &tag), "");
    }
}
