//! Stills: pixels upright, types kept, sizes bounded, nothing else told.

use std::fs;

use decalog_feed::media::{Format, Kind};
use serde_json::json;

use super::forge::{Place, exif, ffprobe, holds, pixels, with_exif};

/// A picture of four colours: red, green above blue, white.
const FOUR: &str = "-f lavfi -i color=red:s=32x24[a];color=lime:s=32x24[b];color=blue:s=32x24[c];\
    color=white:s=32x24[d];[a][b]hstack[top];[c][d]hstack[bottom];[top][bottom]vstack -frames:v 1";

/// The colours of the four quarters of a file, by rows.
fn quarters(file: &std::path::Path, (width, height): (usize, usize)) -> String {
    let raw = pixels("rgb24", file);
    assert_eq!(raw.len(), width * height * 3, "{}", file.display());
    let at = |x: usize, y: usize| {
        let place = (y * width + x) * 3;
        match raw[place..place + 3] {
            [170..=255, 0..=85, 0..=85] => 'r',
            [0..=85, 170..=255, 0..=85] => 'g',
            [0..=85, 0..=85, 170..=255] => 'b',
            [170..=255, 170..=255, 170..=255] => 'w',
            _ => '?',
        }
    };
    let (left, right, top, bottom) = (width / 4, width * 3 / 4, height / 4, height * 3 / 4);
    [at(left, top), at(right, top), at(left, bottom), at(right, bottom)].iter().collect()
}

#[tokio::test]
async fn all_eight_orientations_are_turned_upright() {
    let place = Place::new();
    let plain = fs::read(place.make(&format!("{FOUR} -q:v 2"), "plain.jpg")).unwrap();
    // The quarters as EXIF defines each number, by rows: which corner of the stored picture is seen where.
    let expected = ["rgbw", "grwb", "wbgr", "bwrg", "rbgw", "brwg", "wgbr", "gwrb"];
    for (number, colours) in (1..).zip(expected) {
        let input = place.write("turned.jpg", &with_exif(&plain, number));
        let made = place.process(&input).await.unwrap();
        let size = if number < 5 { (64, 48) } else { (48, 64) };
        assert_eq!(quarters(&made.original.path, size), colours, "orientation {number}");
        assert_eq!(quarters(&made.small.unwrap().path, size), colours, "preview of orientation {number}");
        assert_eq!(made.meta.original.size, Some(format!("{}x{}", size.0, size.1)));
    }
}

#[tokio::test]
async fn a_png_and_a_webp_are_turned_by_their_exif_too() {
    let place = Place::new();
    let png = fs::read(place.make(&format!("{FOUR} -pix_fmt rgb24"), "plain.png")).unwrap();
    let block = exif(6);
    let length = u32::try_from(block.len()).unwrap();
    let chunk = [&length.to_be_bytes()[..], b"eXIf", &block, &[0; 4]].concat();
    let png = place.write("turned.png", &[&png[..33], &chunk, &png[33..]].concat());
    let webp = fs::read(place.make(&format!("{FOUR} -lossless 1"), "plain.webp")).unwrap();
    let header = b"VP8X\x0a\0\0\0\x08\0\0\0\x3f\0\0\x2f\0\0";
    let pad = if block.len() % 2 == 1 { &[0][..] } else { &[] };
    let body = [&b"WEBP"[..], header, &webp[12..], b"EXIF", &length.to_le_bytes(), &block, pad].concat();
    let riff = [&b"RIFF"[..], &u32::try_from(body.len()).unwrap().to_le_bytes(), &body].concat();
    let webp = place.write("turned.webp", &riff);
    for input in [png, webp] {
        let made = place.process(&input).await.unwrap();
        assert_eq!(quarters(&made.original.path, (48, 64)), "brwg", "{}", input.display());
        assert!(!holds(&made.original.path, b"SECRET PLACE"));
    }
}

#[tokio::test]
async fn nothing_but_pixels_is_kept() {
    let place = Place::new();
    let plain = fs::read(place.make(&format!("{FOUR} -q:v 2"), "plain.jpg")).unwrap();
    let polyglot = [&with_exif(&plain, 1)[..], b"PK\x03\x04SECRET ARCHIVE"].concat();
    let jpeg = place.write("told.jpg", &polyglot);
    let plain = fs::read(place.make(FOUR, "plain.png")).unwrap();
    let text = b"\0\0\0\x14tEXtComment\0SECRET PLACE\0\0\0\0";
    let png = place.write("told.png", &[&plain[..33], text, &plain[33..], b"SECRET ARCHIVE"].concat());
    for input in [jpeg, png] {
        assert!(
            holds(&input, b"SECRET PLACE") && holds(&input, b"SECRET ARCHIVE"),
            "the control shows nothing"
        );
        let made = place.process(&input).await.unwrap();
        for file in [made.original.path, made.small.unwrap().path] {
            assert!(!holds(&file, b"SECRET") && !holds(&file, b"Exif"), "{}", file.display());
            assert!(!holds(&file, b"Lavc"), "nor what encoded it: {}", file.display());
        }
    }
}

#[tokio::test]
async fn each_type_is_kept_or_becomes_one_that_is_shown_everywhere() {
    let place = Place::new();
    let cases = [
        ("-q:v 2", "a.jpg", Format::Jpeg),
        ("-pix_fmt rgb24", "a.png", Format::Png),
        ("-pix_fmt pal8", "palette.png", Format::Png),
        ("-pix_fmt gray", "grey.png", Format::Png),
        ("-pix_fmt gray16be", "deep.png", Format::Png),
        ("-c:v libwebp -quality 80", "a.webp", Format::WebP),
        ("-c:v libwebp -lossless 1", "lossless.webp", Format::WebP),
        ("-c:v gif", "a.gif", Format::Png),
        ("-c:v libaom-av1 -cpu-used 8 -still-picture 1", "a.avif", Format::Jpeg),
    ];
    for (words, name, format) in cases {
        let made = place.process(&place.make(&format!("{FOUR} {words}"), name)).await.unwrap();
        let small = made.small.unwrap();
        assert_eq!((made.kind, made.original.format, small.format), (Kind::Image, format, format), "{name}");
        assert!(made.original.path.ends_with(format!("original.{}", format.extension())));
        let entries = ffprobe("stream=width,height", &made.original.path);
        assert!(entries.contains("width=64|height=48"), "{name}: {entries}");
        assert_eq!(made.original.bytes, fs::metadata(&made.original.path).unwrap().len());
        if !name.starts_with("grey") && !name.starts_with("deep") {
            assert_eq!(quarters(&made.original.path, (64, 48)), "rgbw", "{name}");
        }
        assert_eq!(made.blurhash.unwrap().len(), 36, "{name}");
    }
    let palette = place.process(&place.path("palette.png")).await.unwrap();
    assert!(ffprobe("stream=pix_fmt", &palette.original.path).contains("pal8"));
}

#[tokio::test]
async fn a_heic_becomes_a_jpeg() {
    let place = Place::new();
    let png = place.make(FOUR, "plain.png");
    let heic = place.path("-plain.heic");
    let encoder = std::process::Command::new("/usr/bin/heif-enc").arg(&png).arg("-o").arg(&heic).output();
    if encoder.is_err() {
        // libheif's encoder is no part of what the product needs; without it there is nothing to convert.
        return;
    }
    let made = place.process(&heic).await.unwrap();
    assert_eq!(made.original.format, Format::Jpeg);
    assert_eq!(quarters(&made.original.path, (64, 48)), "rgbw");
    assert_eq!(place.left(), ["original.jpg", "small.jpg"]);
}

#[tokio::test]
async fn see_through_pixels_stay_so() {
    let place = Place::new();
    let words = "-f lavfi -i color=red@0.0:s=1200x900,format=rgba -frames:v 1";
    for (name, format) in [("a.png", "rgba"), ("a.webp", "yuva420p")] {
        let extra = if name == "a.webp" { "-c:v libwebp" } else { "" };
        let made = place.process(&place.make(&format!("{words} {extra}"), name)).await.unwrap();
        for file in [&made.original.path, &made.small.as_ref().unwrap().path] {
            let alpha = pixels("rgba", file).chunks_exact(4).map(|pixel| pixel[3]).max();
            assert_eq!(alpha, Some(0), "{name} as {format}");
        }
        assert_eq!(made.meta.small.unwrap().size, "554x415");
    }
}

#[tokio::test]
async fn a_large_picture_is_scaled_and_a_small_one_is_not() {
    let place = Place::new();
    let large = place.make("-f lavfi -i testsrc2=s=4000x3000 -frames:v 1", "large.jpg");
    let made = place.process(&large).await.unwrap();
    assert_eq!(made.meta.original.size.as_deref(), Some("3325x2494"));
    assert!(ffprobe("stream=width,height", &made.original.path).contains("width=3325|height=2494"));
    assert!(ffprobe("stream=width,height", &made.small.unwrap().path).contains("width=554|height=415"));
    let small = place.make("-f lavfi -i testsrc2=s=50x60 -frames:v 1", "small.png");
    let mut job = place.job(&small).unwrap();
    job.focus = Some((0.25, -0.5));
    let made = place.workshop.process(job).await.unwrap();
    let dimensions = json!({"width": 50, "height": 60, "size": "50x60", "aspect": 50.0 / 60.0});
    let meta = json!({"original": dimensions, "small": dimensions, "focus": {"x": 0.25, "y": -0.5}});
    assert_eq!(serde_json::to_value(&made.meta).unwrap(), meta);
    for (name, size) in [("most.png", "5759x5760"), ("most.jpg", "8193x4049")] {
        let most = place.make(&format!("-f lavfi -i testsrc=s={size} -frames:v 1"), name);
        let made = place.process(&most).await.unwrap();
        let (width, height) = made.meta.original.width.zip(made.meta.original.height).unwrap();
        assert!((8_280_000..=8_294_400).contains(&(width * height)), "as many as are accepted: {name}");
    }
    for shape in ["1x3000", "3000x1", "1x1"] {
        let thin =
            place.make(&format!("-f lavfi -i testsrc=s={shape} -frames:v 1 -pix_fmt rgb24"), "thin.png");
        assert_eq!(place.process(&thin).await.unwrap().meta.original.size.as_deref(), Some(shape));
    }
}

#[tokio::test]
async fn the_same_picture_gives_the_same_files() {
    let place = Place::new();
    let input = place.make("-f lavfi -i testsrc2=s=800x600 -frames:v 1", "a.jpg");
    let read = |made: &decalog_feed::media::Processed| fs::read(&made.original.path).unwrap();
    let first = place.process(&input).await.unwrap();
    let bytes = read(&first);
    let second = place.process(&input).await.unwrap();
    assert_eq!((bytes == read(&second), first), (true, second));
}

#[tokio::test]
async fn an_animated_webp_shows_its_first_frame() {
    let place = Place::new();
    let words = "-f lavfi -i testsrc2=s=64x48:d=1:r=5 -c:v libwebp_anim -loop 0";
    let input = place.make(words, "moving.webp");
    assert!(holds(&input, b"ANMF"), "the control shows nothing");
    let made = place.process(&input).await.unwrap();
    assert_eq!((made.kind, made.meta.original.size.as_deref()), (Kind::Image, Some("64x48")));
    assert!(!holds(&made.original.path, b"ANMF"));
}
