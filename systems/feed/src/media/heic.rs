//! HEIC: ffmpeg 5.1 cannot put its tiles together, so libheif's converter makes a JPEG of it first, upright.

use std::path::Path;

use tokio::fs;

use super::child::{Arguments, Bench};
use super::exif::Orientation;
use super::format::Format;
use super::picture::{self, Picture};
use super::refused::Refused;
use super::scratch::Scratch;
use super::still::Source;

/// The JPEG that was made of a HEIC picture; a refusal by name if the converter is not installed.
pub(crate) async fn open(
    bench: &Bench<'_>,
    scratch: &Scratch,
    path: &Path,
    name: &str,
) -> Result<Source, Refused> {
    let converter = &bench.programs.heif_convert;
    if !fs::try_exists(converter).await.unwrap_or(false) {
        return Err(Refused::Unsupported("a HEIC picture"));
    }
    // Its own arguments know no `--`, so the names must not begin with a dash: they are absolute.
    let path = fs::canonicalize(path).await.map_err(|error| Refused::failed("finding an upload", &error))?;
    let plain = scratch.file(&format!("{name}-plain.jpg"));
    let mut arguments = Arguments::default();
    arguments.words("-q 95").one(&path).one(&plain);
    bench.run(converter, arguments, bench.limits.image_time, 0).await?;
    // Of several pictures in one file each is numbered.
    let numbered = scratch.file(&format!("{name}-plain-1.jpg"));
    let made = if fs::try_exists(&plain).await.unwrap_or(false) { plain } else { numbered };
    let bytes = fs::read(&made).await.map_err(|_| Refused::broken("there is no picture in it"))?;
    let picture = picture::read(Format::Jpeg, &bytes)?.within(bench.limits.image_pixels)?;
    // The pixels are upright by now; the EXIF block that was copied may still tell how they were.
    let picture = Picture { orientation: Orientation::default(), ..picture };
    Ok(Source { format: Format::Jpeg, path: made, picture })
}
