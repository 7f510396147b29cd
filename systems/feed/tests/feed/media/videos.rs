//! Videos and animations: MP4 that every client plays, with facts in Mastodon's shape.

use decalog_feed::media::{Format, Kind, Refused};
use serde_json::json;

use super::forge::{Place, ffprobe, gif, holds};

/// A video with sound, of a size and seconds.
fn source(size: &str, seconds: &str) -> String {
    format!("-f lavfi -i testsrc2=s={size}:r=30:d={seconds} -f lavfi -i sine=r=44100:d={seconds} -ac 2")
}

#[tokio::test]
async fn a_webm_becomes_an_mp4() {
    let place = Place::new();
    let words =
        format!("{} -c:v libvpx -deadline realtime -cpu-used 8 -c:a libvorbis", source("560x320", "2.2"));
    let made = place.process(&place.make(&words, "a.webm")).await.unwrap();
    assert_eq!((made.kind, made.original.format), (Kind::Video, Format::Mp4));
    let entries = ffprobe("stream=codec_name,pix_fmt", &made.original.path);
    assert!(entries.contains("h264|pix_fmt=yuv420p") && entries.contains("aac"), "{entries}");
    let mut meta = serde_json::to_value(&made.meta).unwrap();
    let duration = meta["original"]["duration"].as_f64().unwrap();
    assert!((2.1..2.4).contains(&duration), "{duration}");
    assert!(meta["original"]["bitrate"].as_u64().unwrap() > 1000);
    assert!(meta["length"].as_str().unwrap().starts_with("0:00:02."));
    for (holder, name) in
        [("", "length"), ("", "duration"), ("/original", "duration"), ("/original", "bitrate")]
    {
        meta.pointer_mut(holder).unwrap().as_object_mut().unwrap().remove(name);
    }
    let expected = json!({
        "fps": 30, "size": "560x320", "width": 560, "height": 320, "aspect": 1.75,
        "audio_encode": "aac (LC) (mp4a / 0x6134706D)", "audio_bitrate": "44100 Hz", "audio_channels": "stereo",
        "original": {"width": 560, "height": 320, "frame_rate": "30/1"},
        "small": {"width": 560, "height": 320, "size": "560x320", "aspect": 1.75}});
    assert_eq!(meta, expected);
    let small = made.small.unwrap();
    assert!(
        small.format == Format::Png
            && ffprobe("stream=width,height", &small.path).contains("width=560|height=320")
    );
    assert_eq!(made.blurhash.unwrap().len(), 36);
    assert_eq!(place.left(), ["original.mp4", "small.png"]);
}

#[tokio::test]
async fn what_is_an_mp4_already_is_copied_without_what_it_tells() {
    let place = Place::new();
    let tags = "-metadata title=SECRET -metadata location=+48.1+011.5/ -metadata:s:v handler_name=SECRET";
    let words = format!("{} -c:v libx264 -crf 30 -pix_fmt yuv420p -c:a aac {tags}", source("1280x720", "1"));
    let input = place.make(&words, "a.mov");
    assert!(holds(&input, b"SECRET") && holds(&input, b"+48.1"), "the control shows nothing");
    let made = place.process(&input).await.unwrap();
    assert!(!holds(&made.original.path, b"SECRET") && !holds(&made.original.path, b"+48.1"));
    assert!(!holds(&made.original.path, b"Lavf"), "nor what wrote it");
    // The packets are the same ones.
    let packets = |path| ffprobe("packet=size,pts,flags", path);
    assert_eq!(packets(&input), packets(&made.original.path));
    assert_eq!(made.meta.small.unwrap().size, "640x360");
    let bytes = std::fs::read(&made.original.path).unwrap();
    let at = |name: &[u8]| bytes.windows(4).position(|window| window == name).unwrap();
    assert!(at(b"moov") < at(b"mdat"), "it can be played while it is loaded");
}

#[tokio::test]
async fn chapters_and_subtitles_are_left_out() {
    let place = Place::new();
    let chapters = place
        .write("chapters.txt", b";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=SECRET\n");
    let lines = place.write("lines.srt", b"1\n00:00:00,000 --> 00:00:00,900\nHIDDEN WORDS\n");
    let words = format!(
        "{} -i {} -i {} -map 0 -map 1 -map 3 -map_chapters 2 -c:v libx264 -pix_fmt yuv420p -c:a aac -c:s mov_text",
        source("64x48", "1"),
        chapters.display(),
        lines.display()
    );
    let input = place.make(&words, "a.mp4");
    assert!(holds(&input, b"SECRET") && holds(&input, b"HIDDEN WORDS"), "the control shows nothing");
    let made = place.process(&input).await.unwrap();
    assert!(!holds(&made.original.path, b"SECRET") && !holds(&made.original.path, b"HIDDEN WORDS"));
    assert_eq!(ffprobe("stream=codec_type", &made.original.path).lines().count(), 2);
}

#[tokio::test]
async fn a_turned_video_has_the_size_that_is_seen() {
    let place = Place::new();
    for (name, codec) in [("copied.mp4", "libx264 -pix_fmt yuv420p"), ("encoded.mov", "mpeg4 -q:v 5")] {
        let flat = place
            .make(&format!("{} -c:v {codec} -c:a aac", source("160x120", "0.5")), &format!("flat-{name}"));
        let input = place.make(&format!("-i {} -metadata:s:v rotate=90 -c copy", flat.display()), name);
        let made = place.process(&input).await.unwrap();
        assert_eq!(made.meta.size.as_deref(), Some("120x160"), "{name}");
        let small = ffprobe("stream=width,height", &made.small.unwrap().path);
        assert!(small.contains("width=120|height=160"), "{name}: {small}");
    }
}

#[tokio::test]
async fn odd_sizes_and_silence_are_no_obstacle() {
    let place = Place::new();
    let words = "-f lavfi -i testsrc2=s=65x49:r=10:d=1 -c:v libvpx -deadline realtime -pix_fmt yuv420p";
    let made = place.process(&place.make(words, "odd.webm")).await.unwrap();
    assert_eq!((made.kind, made.meta.size.as_deref()), (Kind::Video, Some("64x48")), "silent, yet no gifv");
    assert_eq!(made.meta.audio_encode, None);
    let words = "-f lavfi -i testsrc2=s=64x48:r=10:d=1 -c:v libtheora";
    let made = place.process(&place.make(words, "theora.ogg")).await.unwrap();
    assert_eq!(made.kind, Kind::Video);
}

#[tokio::test]
async fn an_animated_gif_becomes_a_silent_video() {
    let place = Place::new();
    let input = place.make("-f lavfi -i testsrc=s=101x51:r=10:d=1", "a.gif");
    let made = place.process(&input).await.unwrap();
    assert_eq!((made.kind, made.original.format), (Kind::Gifv, Format::Mp4));
    assert_eq!(made.meta.size.as_deref(), Some("100x50"));
    assert_eq!((made.meta.duration, made.meta.fps), (Some(1.0), Some(10)));
    assert_eq!(
        ffprobe("stream=codec_type,pix_fmt", &made.original.path).trim(),
        "stream|codec_type=video|pix_fmt=yuv420p"
    );
    let small = made.small.unwrap();
    assert!(
        small.format == Format::Png
            && ffprobe("stream=width,height", &small.path).contains("width=101|height=51")
    );
    let pixel = place.process(&place.write("pixel.gif", &gif(2))).await.unwrap();
    assert_eq!((pixel.kind, pixel.meta.size.as_deref()), (Kind::Gifv, Some("2x2")));
    assert_eq!(place.process(&place.write("still.gif", &gif(1))).await.unwrap().kind, Kind::Image);
}

#[tokio::test]
async fn a_thumbnail_takes_the_place_of_the_preview() {
    let place = Place::new();
    let words = format!("{} -c:v libx264 -pix_fmt yuv420p -c:a aac", source("160x120", "0.5"));
    let video = place.make(&words, "a.mp4");
    let picture = place.make("-f lavfi -i testsrc2=s=160x120 -frames:v 1", "a.png");
    let cases =
        [("50x50", "tiny.png", Format::Png, "50x50"), ("1920x1080", "large.jpg", Format::Jpeg, "640x360")];
    for (size, name, format, expected) in cases {
        let thumbnail = place.make(&format!("-f lavfi -i testsrc2=s={size} -frames:v 1"), name);
        for input in [&video, &picture] {
            let mut job = place.job(input).unwrap();
            job.thumbnail = Some(thumbnail.clone());
            let made = place.workshop.process(job).await.unwrap();
            let small = made.small.unwrap();
            assert_eq!((small.format, made.meta.small.unwrap().size.as_str()), (format, expected));
            let (width, height) = expected.split_once('x').unwrap();
            let entries = ffprobe("stream=width,height", &small.path);
            assert!(entries.contains(&format!("width={width}|height={height}")), "{entries}");
        }
    }
    let mut job = place.job(&video).unwrap();
    job.thumbnail = Some(video);
    assert!(matches!(place.workshop.process(job).await, Err(Refused::Unsupported(_))));
}

#[tokio::test]
async fn too_many_frames_a_second_or_pixels_are_refused() {
    let place = Place::new();
    let fast =
        place.make("-f lavfi -i color=red:s=32x32:r=240:d=0.5 -c:v libx264 -pix_fmt yuv420p", "fast.mp4");
    assert!(matches!(place.process(&fast).await, Err(Refused::FrameRate { rate: 240, limit: 120 })));
    for (codec, name) in
        [("libx264 -preset ultrafast -pix_fmt yuv420p", "most.mp4"), ("libvpx -cpu-used 8", "most.webm")]
    {
        let words = format!("-f lavfi -i color=red:s=3840x2160:r=5:d=0.4 -c:v {codec}");
        let made = place.process(&place.make(&words, name)).await.unwrap();
        assert_eq!(made.meta.size.as_deref(), Some("3840x2160"), "as many as are accepted: {name}");
    }
    std::fs::remove_dir_all(place.out()).unwrap();
    let wide = place.make("-f lavfi -i color=red:s=4096x2304:r=1:d=1 -c:v mpeg4", "wide.mp4");
    assert!(matches!(place.process(&wide).await, Err(Refused::TooManyPixels { width: 4096, .. })));
    assert!(place.left().is_empty());
}
