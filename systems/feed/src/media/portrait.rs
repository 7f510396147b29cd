//! Avatars and headers: cropped to one shape, and still or moving as they came.

use std::path::Path;

use super::child::Bench;
use super::format::{Class, Format};
use super::refused::Refused;
use super::scratch::Scratch;
use super::still::{self, Quality, Wanted};
use super::workshop::{Made, Workshop};
use super::{gif, gifv, moving};

/// The shape that a portrait is cropped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A square of 400 by 400.
    Avatar,
    /// 1500 by 500.
    Header,
    /// A square of 128 by 128.
    Emoji,
}

/// The files of an avatar or header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portrait {
    /// The picture, moving if it is an animated GIF.
    pub original: Made,
    /// The first frame of an animated one as PNG; of any other the original serves for both.
    pub static_: Option<Made>,
}

impl Shape {
    /// Width and height.
    pub fn size(self) -> (u32, u32) {
        match self {
            Self::Avatar => (400, 400),
            Self::Header => (1500, 500),
            Self::Emoji => (128, 128),
        }
    }
}

impl Workshop {
    /// Makes an avatar or header of a picture, into `out`: `original` with its extension, and `static.png` of an
    /// animation. The middle is kept when it is cropped; small pictures are scaled up, since clients expect the shape.
    pub async fn portrait(
        &self,
        input: &Path,
        format: Format,
        out: &Path,
        shape: Shape,
    ) -> Result<Portrait, Refused> {
        if format.class() != Class::Image {
            return Err(Refused::Unsupported("a video or audio file where a picture is wanted"));
        }
        let _turn = self.turn().await?;
        let input = self.judge(input, format, self.limits().portrait_bytes).await?.path;
        let scratch = Scratch::create(out)?;
        let bench = self.bench(&scratch);
        if format == Format::Gif {
            let bytes = tokio::fs::read(&input)
                .await
                .map_err(|error| Refused::failed("reading an upload", &error))?;
            let gif = gif::read(&bytes)?;
            if gif.frames > 1 {
                gifv::judge(&gif, &bench)?;
                return animated(&bench, &scratch, &input, (gif.width, gif.height), shape).await;
            }
        }
        let source = still::open(&bench, &scratch, format, &input, "portrait").await?;
        let target = still::target(source.format);
        let name = format!("original.{}", target.extension());
        let wanted =
            Wanted { place: scratch.file(&name), size: shape.size(), crop: true, quality: Quality::Kept };
        still::make(&bench, &source, &[wanted], false).await?;
        let original = Made::publish(&scratch, &[(&name, target)])?.remove(0);
        Ok(Portrait { original, static_: None })
    }
}

/// Makes an animation of the shape, with a palette for each frame, and its first frame.
async fn animated(
    bench: &Bench<'_>,
    scratch: &Scratch,
    input: &Path,
    (width, height): (u32, u32),
    shape: Shape,
) -> Result<Portrait, Refused> {
    let (to_width, to_height) = shape.size();
    let side = |this: u32, other: u32, by: u32, to: u32| (other * by / to).clamp(1, this);
    let cut = (side(width, height, to_width, to_height), side(height, width, to_height, to_width));
    let shaped = format!("crop={}:{}:exact=1,scale={to_width}:{to_height}:flags=bicubic", cut.0, cut.1);
    let palette = "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1:dither=bayer";
    let mut arguments = moving::opening(bench);
    arguments.input(Format::Gif, bench.limits.video_pixels, input);
    arguments.words("-map 0:v:0 -map_metadata -1 -fflags +bitexact -vf").one(format!("{shaped},{palette}"));
    arguments.words("-fps_mode passthrough -f gif").file(&scratch.file("original.gif"));
    arguments.words("-map 0:v:0 -frames:v 1 -map_metadata -1 -vf").one(format!("{shaped},format=rgba"));
    arguments.words("-c:v png -pred mixed -f image2pipe").file(&scratch.file("static.png"));
    bench.run(&bench.programs.ffmpeg, arguments, bench.limits.video_time, 0).await?;
    still::exists(&scratch.file("original.gif")).await?;
    still::exists(&scratch.file("static.png")).await?;
    let mut made = Made::publish(scratch, &[("original.gif", Format::Gif), ("static.png", Format::Png)])?;
    let static_ = made.pop();
    Ok(Portrait { original: made.remove(0), static_ })
}
