//! Still pictures: one decoding, several encodings, nothing kept of the file but its pixels and colour profile.

use std::path::{Path, PathBuf};

use tokio::fs;

use super::blurhash::blurhash;
use super::child::{Arguments, Bench};
use super::format::Format;
use super::picture::{self, Picture, Pixels};
use super::refused::Refused;
use super::scratch::Scratch;
use super::{heic, webp};

/// Width of the raw picture that a BlurHash is made of, and the most height it may have.
const BLUR_WIDTH: u32 = 32;
const BLUR_HEIGHT: u32 = 64;

/// A picture that has been judged by its header and may be decoded.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) format: Format,
    pub(crate) path: PathBuf,
    pub(crate) picture: Picture,
}

/// A picture that shall be made of another.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) place: PathBuf,
    /// Width and height as seen.
    pub(crate) size: (u32, u32),
    /// Whether what does not fit the proportion is cut off, instead of squeezed.
    pub(crate) crop: bool,
    /// Quality for where there is loss.
    pub(crate) quality: Quality,
}

/// How much may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quality {
    /// The picture itself.
    Kept,
    /// A preview of it.
    Preview,
}

/// The type that a picture is encoded as again.
pub(crate) fn target(format: Format) -> Format {
    match format {
        Format::Png | Format::Gif => Format::Png,
        Format::WebP => Format::WebP,
        _ => Format::Jpeg,
    }
}

/// Reads a picture's header and refuses what is too large or cannot be decoded. Files that ffmpeg cannot read as they are
/// (HEIC, animated WebP) are rewritten into the scratch folder.
pub(crate) async fn open(
    bench: &Bench<'_>,
    scratch: &Scratch,
    format: Format,
    path: &Path,
    name: &str,
) -> Result<Source, Refused> {
    let bytes = fs::read(path).await.map_err(|error| Refused::failed("reading an upload", &error))?;
    let picture = picture::read(format, &bytes)?.within(bench.limits.image_pixels)?;
    if format == Format::Heic {
        return heic::open(bench, scratch, path, name).await;
    }
    let first = if format == Format::WebP { webp::first_frame(&bytes)? } else { None };
    let Some(frame) = first else { return Ok(Source { format, path: path.to_owned(), picture }) };
    let picture = webp::read(&frame)?.within(bench.limits.image_pixels)?;
    let path = scratch.file(&format!("{name}-frame.webp"));
    fs::write(&path, &frame).await.map_err(|error| Refused::failed("writing a frame", &error))?;
    Ok(Source { format, path, picture })
}

/// Makes the pictures, and a BlurHash of what the first of them shows if it is asked for.
pub(crate) async fn make(
    bench: &Bench<'_>,
    source: &Source,
    wanted: &[Wanted],
    blur: bool,
) -> Result<Option<String>, Refused> {
    let mut arguments = Bench::ffmpeg_arguments();
    arguments.one("-threads").one(bench.limits.threads.to_string()).one("-noautorotate");
    arguments.input(source.format, bench.limits.image_pixels, &source.path);
    for one in wanted {
        output(&mut arguments);
        encoding(&mut arguments, &source.picture, target(source.format), one);
        arguments.file(&one.place);
    }
    let size = blur_size(source.picture.seen());
    if blur {
        output(&mut arguments);
        arguments.one("-vf").one(filters(&source.picture, size, false, "rgb24"));
        arguments.words("-f rawvideo pipe:1");
    }
    let keep = usize::try_from(BLUR_WIDTH * BLUR_HEIGHT * 3).unwrap_or_default();
    let raw = bench.run(&bench.programs.ffmpeg, arguments, bench.limits.image_time, keep).await?;
    for one in wanted {
        exists(&one.place).await?;
    }
    Ok(if blur { blurhash(size.0, size.1, &raw) } else { None })
}

/// Refuses the upload if ffmpeg was content but made nothing: then there was nothing to decode.
pub(crate) async fn exists(place: &Path) -> Result<(), Refused> {
    match fs::metadata(place).await {
        Ok(made) if made.len() > 0 => Ok(()),
        _ => Err(Refused::broken("there is nothing in it that can be shown")),
    }
}

/// The size of the raw picture for a BlurHash.
pub(crate) fn blur_size((width, height): (u32, u32)) -> (u32, u32) {
    let exact = (u64::from(height) * u64::from(BLUR_WIDTH)).div_ceil(u64::from(width.max(1)));
    (BLUR_WIDTH, u32::try_from(exact).unwrap_or(BLUR_HEIGHT).clamp(1, BLUR_HEIGHT))
}

/// What every output of one picture has: the first frame of the first stream, without metadata.
fn output(arguments: &mut Arguments) {
    arguments.words("-map 0:v:0 -frames:v 1 -map_metadata -1 -fflags +bitexact -flags +bitexact");
}

/// The filters that scale and turn a picture and give its pixels a form.
fn filters(picture: &Picture, seen: (u32, u32), crop: bool, pixels: &str) -> String {
    let mut chain = Vec::new();
    // Turning comes last, when there are fewer pixels: so far everything is as stored.
    let (width, height) = picture.orientation.turn(seen);
    if crop {
        let side = |this: u32, other: u32, by: u32, to: u32| {
            let exact = u64::from(other) * u64::from(by) / u64::from(to.max(1));
            u32::try_from(exact).unwrap_or(this).clamp(1, this)
        };
        let cut_width = side(picture.width, picture.height, width, height);
        let cut_height = side(picture.height, picture.width, height, width);
        chain.push(format!("crop={cut_width}:{cut_height}:exact=1"));
    }
    if pixels == "pal8" {
        return "null".to_owned();
    }
    let range = if pixels == "yuvj420p" { ":out_range=full:out_color_matrix=bt601" } else { "" };
    let halved = |to: u32, from: u32| u64::from(to) * 2 <= u64::from(from);
    // Averages over areas do not flicker when much is lost; bicubic is sharper when little is, and has a limit to the rest.
    let kind =
        if halved(width, picture.width) || halved(height, picture.height) { "area" } else { "bicubic" };
    chain.push(format!("scale={width}:{height}:flags={kind}+accurate_rnd+full_chroma_int{range}"));
    chain.extend(picture.orientation.filter().map(str::to_owned));
    chain.push(format!("format={pixels}"));
    chain.join(",")
}

/// Filters and encoder for one wanted picture.
fn encoding(arguments: &mut Arguments, picture: &Picture, target: Format, wanted: &Wanted) {
    let preview = wanted.quality == Quality::Preview;
    let untouched = !wanted.crop && picture.seen() == wanted.size && picture.orientation.filter().is_none();
    let (pixels, encoder) = match (target, picture.pixels) {
        (Format::Png, Pixels::Palette) if untouched => ("pal8", "-c:v png -pred none"),
        (Format::Png, Pixels::Grey) => ("gray", "-c:v png -pred mixed"),
        (Format::Png, Pixels::Opaque) => ("rgb24", "-c:v png -pred mixed"),
        (Format::Png, _) => ("rgba", "-c:v png -pred mixed"),
        (Format::WebP, _) if picture.lossless && !preview => {
            ("bgra", "-c:v libwebp -lossless 1 -compression_level 3")
        }
        (Format::WebP, Pixels::Alpha) => ("yuva420p", "-c:v libwebp -quality 88"),
        (Format::WebP, _) => ("yuv420p", "-c:v libwebp -quality 88"),
        (_, _) if preview => ("yuvj420p", "-c:v mjpeg -q:v 3 -huffman optimal"),
        (_, _) => ("yuvj420p", "-c:v mjpeg -q:v 2 -huffman optimal"),
    };
    arguments.one("-vf").one(filters(picture, wanted.size, wanted.crop, pixels)).words(encoder);
    arguments.words("-f image2pipe");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::exif::Orientation;

    #[test]
    fn a_turned_picture_is_scaled_as_stored() {
        let picture =
            Picture { orientation: Orientation::of(6), ..Picture::plain(4000, 3000, Pixels::Opaque) };
        let chain = filters(&picture, (416, 554), false, "rgb24");
        assert!(chain.starts_with("scale=554:416:flags=area"), "{chain}");
        assert!(chain.ends_with("transpose=clock,format=rgb24"), "{chain}");
        assert!(filters(&picture, (400, 400), true, "rgb24").starts_with("crop=3000:3000"));
        let header = filters(&picture, (1500, 500), true, "rgb24");
        assert!(header.starts_with("crop=1000:3000:exact=1,scale=500:1500"), "{header}");
    }

    #[test]
    fn the_blur_is_made_of_few_pixels_whatever_the_shape() {
        assert_eq!(blur_size((640, 360)), (32, 18));
        assert_eq!(blur_size((1, 60_000)), (32, 64));
        assert_eq!(blur_size((60_000, 1)), (32, 1));
    }
}
