//! Video and audio: MP4 with H.264 and AAC, or MP3, whatever comes in. What already is that is copied, not encoded.

use std::path::Path;

use tokio::fs;

use super::blurhash::blurhash;
use super::box_walk;
use super::child::{Arguments, Bench};
use super::format::Format;
use super::meta::Meta;
use super::picture::{ENDS_EARLY, Picture, Pixels, fit_box};
use super::probe::{Facts, Stream, probe};
use super::refused::Refused;
use super::scratch::Scratch;
use super::still::{blur_size, exists};
use super::workshop::{Finished, Kind};

/// The stills that are taken of a moving picture, or the cover of a song.
#[derive(Debug)]
pub(crate) struct Frames {
    /// The stream they are taken of, as ffmpeg's `-map` names it.
    pub(crate) stream: String,
    /// Width and height as seen.
    pub(crate) size: (u32, u32),
    /// Width and height of the preview.
    pub(crate) small: (u32, u32),
}

/// Makes the files of a container: a video if it has one, or else audio.
pub(crate) async fn make(
    bench: &Bench<'_>,
    scratch: &Scratch,
    format: Format,
    input: &Path,
    head: &[u8],
    stills: bool,
) -> Result<Finished, Refused> {
    whole(format, input, head).await?;
    let facts = probe(bench, format, bench.limits.video_pixels.max(bench.limits.image_pixels), input).await?;
    match (facts.video(), facts.audio()) {
        (Some(stream), _) => video(bench, scratch, format, input, (&facts, stream), stills).await,
        (None, Some(stream)) => audio(bench, scratch, format, input, (&facts, stream), stills).await,
        (None, None) => Err(Refused::broken("there is neither picture nor sound in it")),
    }
}

/// Refuses a container that ends before its own header says: ffmpeg would take what is there.
async fn whole(format: Format, input: &Path, head: &[u8]) -> Result<(), Refused> {
    let failed = |error: std::io::Error| Refused::failed("reading an upload", &error);
    let whole = match format {
        Format::WebM => box_walk::is_whole_webm(head, fs::metadata(input).await.map_err(failed)?.len()),
        Format::Mp4 | Format::Mov | Format::M4a => {
            let input = input.to_owned();
            let walk = move || box_walk::is_whole(&mut std::fs::File::open(input)?);
            let walked = tokio::task::spawn_blocking(walk).await;
            walked.map_err(|error| Refused::Failed { log: error.to_string() })?.map_err(failed)?
        }
        _ => true,
    };
    if whole { Ok(()) } else { Err(Refused::broken(ENDS_EARLY)) }
}

/// Makes a video's files.
async fn video(
    bench: &Bench<'_>,
    scratch: &Scratch,
    format: Format,
    input: &Path,
    (facts, stream): (&Facts, &Stream),
    stills: bool,
) -> Result<Finished, Refused> {
    let limits = bench.limits;
    let size = stream.seen();
    Picture::plain(size.0, size.1, Pixels::Opaque).within(limits.video_pixels)?;
    if let Some((_, frames, seconds)) = stream.frame_rate()
        && frames > u64::from(limits.video_frame_rate) * seconds
    {
        let rate = u32::try_from(frames.div_ceil(seconds)).unwrap_or(u32::MAX);
        return Err(Refused::FrameRate { rate, limit: limits.video_frame_rate });
    }
    let small = fit_box(size, limits.preview_box);
    let original = scratch.file("original.mp4");
    let mut arguments = opening(bench);
    arguments.input(format, limits.video_pixels, input);
    let map = format!("0:{}", stream.index);
    arguments.one("-map").one(map.as_str());
    let planar = matches!(stream.pix_fmt.as_deref(), Some("yuv420p" | "yuvj420p"));
    if stream.codec_name == "h264" && planar {
        arguments.words("-c:v copy");
    } else {
        h264(&mut arguments, bench, size, "");
    }
    if let Some(audio) = facts.audio() {
        arguments.one("-map").one(format!("0:{}", audio.index));
        let kept = audio.codec_name == "aac" && matches!(format, Format::Mp4 | Format::Mov | Format::M4a);
        arguments.words(if kept { "-c:a copy" } else { "-c:a aac -b:a 128k -ac 2" });
    }
    mp4(&mut arguments, &original);
    let frames = stills.then_some(Frames { stream: map, size, small });
    let blurhash = run(bench, scratch, arguments, frames).await?;
    exists(&original).await?;
    if stills {
        exists(&scratch.file("small.png")).await?;
    }
    let made = probe(bench, Format::Mp4, limits.video_pixels, &original).await?;
    if made.video().is_none() {
        return Err(Refused::broken("no picture of the video can be decoded"));
    }
    let meta = Meta::streams(&made, stills.then_some(small));
    Ok(Finished {
        kind: Kind::Video,
        original: Format::Mp4,
        small: stills.then_some(Format::Png),
        meta,
        blurhash,
    })
}

/// Makes an audio file's files; a cover that cannot be decoded is left out.
async fn audio(
    bench: &Bench<'_>,
    scratch: &Scratch,
    format: Format,
    input: &Path,
    (facts, stream): (&Facts, &Stream),
    stills: bool,
) -> Result<Finished, Refused> {
    let limits = bench.limits;
    let original = scratch.file("original.mp3");
    let arguments = || {
        let mut arguments = opening(bench);
        arguments.input(format, limits.image_pixels, input);
        arguments.one("-map").one(format!("0:{}", stream.index));
        arguments.words(if stream.codec_name == "mp3" {
            "-c:a copy"
        } else {
            "-c:a libmp3lame -q:a 2 -ac 2"
        });
        bare(&mut arguments).words("-id3v2_version 0 -f mp3").file(&original);
        arguments
    };
    let cover = facts.cover().filter(|_| stills).map(|cover| {
        let size = cover.seen();
        Frames { stream: format!("0:{}", cover.index), size, small: fit_box(size, limits.preview_box) }
    });
    let cover = cover.filter(|cover| cover.size.0 > 0 && cover.size.1 > 0);
    let mut small = cover.as_ref().map(|cover| cover.small);
    let mut blurhash = match run(bench, scratch, arguments(), cover).await {
        Err(Refused::Broken { .. }) if small.is_some() => {
            small = None;
            run(bench, scratch, arguments(), None).await?
        }
        other => other?,
    };
    if small.is_some() && exists(&scratch.file("small.png")).await.is_err() {
        (small, blurhash) = (None, None);
    }
    exists(&original).await?;
    let made = probe(bench, Format::Mp3, limits.image_pixels, &original).await?;
    let meta = Meta::streams(&made, small);
    Ok(Finished {
        kind: Kind::Audio,
        original: Format::Mp3,
        small: small.map(|_| Format::Png),
        meta,
        blurhash,
    })
}

/// The first arguments of a run of ffmpeg on a moving picture or audio.
pub(crate) fn opening(bench: &Bench<'_>) -> Arguments {
    let mut arguments = Bench::ffmpeg_arguments();
    arguments.words("-filter_threads 1 -threads").one(bench.limits.threads.to_string());
    arguments
}

/// H.264 that every client plays, at an even size; other filters may come first, with a comma.
pub(crate) fn h264(arguments: &mut Arguments, bench: &Bench<'_>, (width, height): (u32, u32), first: &str) {
    let even = |side: u32| (side & !1).max(2);
    let scale = format!("{first}scale={}:{},format=yuv420p", even(width), even(height));
    arguments.one("-vf").one(scale).words("-c:v libx264 -preset veryfast -crf 23 -threads");
    arguments.one(bench.limits.threads.to_string());
}

/// Takes everything away that is not picture or sound: tags, places, chapters, subtitles, data.
fn bare(arguments: &mut Arguments) -> &mut Arguments {
    arguments.words(
        "-map_metadata -1 -map_metadata:s -1 -map_chapters -1 -sn -dn -fflags +bitexact -flags +bitexact",
    )
}

/// The MP4 that is made, with its index at the beginning.
pub(crate) fn mp4(arguments: &mut Arguments, place: &Path) {
    bare(arguments).words("-max_muxing_queue_size 1024 -movflags +faststart -f mp4").file(place);
}

/// Adds the preview and the raw picture for the BlurHash, runs ffmpeg, and gives the hash.
pub(crate) async fn run(
    bench: &Bench<'_>,
    scratch: &Scratch,
    mut arguments: Arguments,
    frames: Option<Frames>,
) -> Result<Option<String>, Refused> {
    let mut blur = (0, 0);
    if let Some(Frames { stream, size, small: (width, height) }) = frames {
        blur = blur_size(size);
        arguments
            .one("-map")
            .one(stream.as_str())
            .words("-frames:v 1 -map_metadata -1 -fflags +bitexact -vf");
        arguments
            .one(format!("scale={width}:{height}:flags=area,format=rgb24"))
            .words("-c:v png -pred mixed");
        arguments.words("-f image2pipe").file(&scratch.file("small.png"));
        arguments.one("-map").one(stream).words("-frames:v 1 -vf");
        arguments
            .one(format!("scale={}:{}:flags=area,format=rgb24", blur.0, blur.1))
            .words("-f rawvideo pipe:1");
    }
    let keep = usize::try_from(blur.0 * blur.1 * 3).unwrap_or_default();
    let raw = bench.run(&bench.programs.ffmpeg, arguments, bench.limits.video_time, keep).await?;
    Ok(blurhash(blur.0, blur.1, &raw))
}
