//! Thumbnails that are uploaded beside an attachment: they take the place of the preview that would be made.

use std::path::Path;

use super::child::Bench;
use super::format::{Class, Format};
use super::picture::fit_pixels;
use super::refused::Refused;
use super::scratch::Scratch;
use super::still::{self, Quality, Wanted};

/// A preview that was made.
#[derive(Debug)]
pub(crate) struct Preview {
    pub(crate) format: Format,
    pub(crate) size: (u32, u32),
    pub(crate) blurhash: Option<String>,
}

/// Makes a preview of a thumbnail, as a file of that name: scaled down to a preview's pixels if it has more, never up.
pub(crate) async fn make(
    bench: &Bench<'_>,
    scratch: &Scratch,
    format: Format,
    path: &Path,
    name: &str,
) -> Result<Preview, Refused> {
    if format.class() != Class::Image {
        return Err(Refused::Unsupported("a video or audio file where a picture is wanted"));
    }
    let source = still::open(bench, scratch, format, path, name).await?;
    let size = fit_pixels(source.picture.seen(), bench.limits.preview_pixels);
    let target = still::target(source.format);
    let wanted = Wanted { place: scratch.file(name), size, crop: false, quality: Quality::Preview };
    let blurhash = still::make(bench, &source, &[wanted], true).await?;
    Ok(Preview { format: target, size, blurhash })
}
