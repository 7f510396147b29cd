//! The text of a post: what in it is a mention, a hashtag, a link or an emoji, how long it counts, and its
//! HTML.
//!
//! [`scan`] finds the pieces and everything else stands on it, so a link that counts 23 is a link in the HTML
//! too. Who a mention is and where a tag's page lies are for the caller, who answers through closures.

mod count;
mod html;
mod scan;
mod tag;
mod url;

#[cfg(test)]
mod properties;

pub use count::{URL_LENGTH, count};
pub use html::{Bio, Link, Mentions, TagUrl, bio_to_html, escape, to_html};
pub use scan::{Kind, Piece, scan};
pub use tag::{is_valid_tag, normalize_tag};
