//! Animated GIFs: a silent video that plays by itself, at a tenth of the bytes.

use std::path::Path;

use super::child::Bench;
use super::format::Format;
use super::gif::Gif;
use super::meta::Meta;
use super::moving::{self, Frames};
use super::picture::{Picture, Pixels, fit_box};
use super::probe::probe;
use super::refused::Refused;
use super::scratch::Scratch;
use super::still::exists;
use super::workshop::{Finished, Kind};

/// Refuses an animation that is too large or too long.
pub(crate) fn judge(gif: &Gif, bench: &Bench<'_>) -> Result<(), Refused> {
    let limit = bench.limits.animation_frames;
    Picture::plain(gif.width, gif.height, Pixels::Alpha).within(bench.limits.video_pixels)?;
    // One frame a second is the slowest that is encoded.
    if gif.frames > limit || gif.centiseconds / 100 > limit {
        return Err(Refused::TooManyFrames { limit });
    }
    Ok(())
}

/// Makes an animation's files.
pub(crate) async fn make(
    bench: &Bench<'_>,
    scratch: &Scratch,
    gif: &Gif,
    input: &Path,
) -> Result<Finished, Refused> {
    judge(gif, bench)?;
    let size = (gif.width, gif.height);
    let small = fit_box(size, bench.limits.preview_box);
    let mut arguments = moving::opening(bench);
    arguments.input(Format::Gif, bench.limits.video_pixels, input);
    let (frames, step) = gif.frame_rate(bench.limits.animation_frames);
    moving::h264(&mut arguments, bench, size, &format!("fps={frames}/{step},"));
    arguments.one("-an");
    moving::mp4(&mut arguments, &scratch.file("original.mp4"));
    let blurhash =
        moving::run(bench, scratch, arguments, Some(Frames { stream: "0:v:0".to_owned(), size, small }))
            .await?;
    for name in ["original.mp4", "small.png"] {
        exists(&scratch.file(name)).await?;
    }
    let facts = probe(bench, Format::Mp4, bench.limits.video_pixels, &scratch.file("original.mp4")).await?;
    let meta = Meta::streams(&facts, Some(small));
    Ok(Finished { kind: Kind::Gifv, original: Format::Mp4, small: Some(Format::Png), meta, blurhash })
}
