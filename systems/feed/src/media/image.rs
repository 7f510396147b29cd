//! Attachments that are pictures: the picture itself, its preview and its BlurHash, by one child process.

use std::path::Path;

use super::child::Bench;
use super::format::Format;
use super::meta::Meta;
use super::picture::fit_pixels;
use super::refused::Refused;
use super::scratch::Scratch;
use super::still::{self, Quality, Wanted};
use super::workshop::{Finished, Kind};

/// Makes a picture's files.
pub(crate) async fn make(
    bench: &Bench<'_>,
    scratch: &Scratch,
    format: Format,
    input: &Path,
) -> Result<Finished, Refused> {
    let source = still::open(bench, scratch, format, input, "upload").await?;
    let seen = source.picture.seen();
    let kept = fit_pixels(seen, bench.limits.kept_pixels);
    let small = fit_pixels(seen, bench.limits.preview_pixels);
    let target = still::target(source.format);
    let wanted = |stem, size, quality| Wanted {
        place: scratch.file(&Finished::name(stem, target)),
        size,
        crop: false,
        quality,
    };
    let both = [wanted("original", kept, Quality::Kept), wanted("small", small, Quality::Preview)];
    let blurhash = still::make(bench, &source, &both, true).await?;
    let meta = Meta::picture(kept, small);
    Ok(Finished { kind: Kind::Image, original: target, small: Some(target), meta, blurhash })
}
