//! Files that lie, end too early, or promise too much.

use std::fs;

use decalog_feed::media::{Format, Kind, Limits, Refused};

use super::forge::{Place, gif};

/// A PNG of few bytes that claims a size.
fn claiming(side: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend([&side.to_be_bytes()[..], &side.to_be_bytes(), &[8, 2, 0, 0, 0], &[0; 4]].concat());
    bytes.extend(b"\0\0\0\0IDAT\0\0\0\0\0\0\0\0IEND\0\0\0\0");
    bytes
}

#[tokio::test]
async fn a_picture_that_claims_too_many_pixels_is_not_decoded() {
    let place = Place::new();
    let refused = place.process(&place.write("bomb.png", &claiming(60_000))).await.unwrap_err();
    assert!(matches!(refused, Refused::TooManyPixels { width: 60_000, height: 60_000, limit: 33_177_600 }));
    assert!(refused.to_string().contains("60000x60000"), "{refused}");
    // The same in a thumbnail, a GIF's canvas, and the cover of a song are refused or left out.
    let mut job = place.job(&place.make("-f lavfi -i testsrc2=s=64x48 -frames:v 1", "a.png")).unwrap();
    job.thumbnail = Some(place.path("bomb.png"));
    assert!(matches!(place.workshop.process(job).await, Err(Refused::TooManyPixels { .. })));
    let mut wide = gif(2);
    wide[6..10].copy_from_slice(&[0xff; 4]);
    assert!(matches!(
        place.process(&place.write("wide.gif", &wide)).await,
        Err(Refused::TooManyPixels { .. })
    ));
    assert!(place.left().is_empty());
}

#[tokio::test]
async fn a_header_that_lies_about_its_frame_is_refused() {
    // The WebP container says 16x16, and its bitstream more than is accepted: the bitstream is what is judged.
    let place = Place::with(Limits { image_pixels: 1000, ..Limits::default() });
    let plain =
        fs::read(place.make("-f lavfi -i testsrc2=s=64x48 -frames:v 1 -c:v libwebp", "a.webp")).unwrap();
    let body = [&b"WEBPVP8X\x0a\0\0\0\0\0\0\0\x0f\0\0\x0f\0\0"[..], &plain[12..]].concat();
    let lying = [&b"RIFF"[..], &u32::try_from(body.len()).unwrap().to_le_bytes(), &body].concat();
    let refused = place.process(&place.write("lying.webp", &lying)).await.unwrap_err();
    assert!(matches!(refused, Refused::TooManyPixels { width: 64, .. }), "{refused:?}");
    // A JPEG with two frame headers: which of them the decoder would take is not tried.
    let plain = fs::read(place.make("-f lavfi -i testsrc2=s=64x48 -frames:v 1", "a.jpg")).unwrap();
    let small = b"\xff\xc0\x00\x11\x08\x00\x10\x00\x10\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01";
    let lying = [&plain[..2], small, &plain[2..]].concat();
    let refused = place.process(&place.write("lying.jpg", &lying)).await.unwrap_err();
    assert!(matches!(refused, Refused::Broken { .. }), "{refused:?}");
    assert!(place.left().is_empty());
}

#[tokio::test]
async fn what_is_declared_does_not_count() {
    let place = Place::new();
    let png = place.make("-f lavfi -i testsrc2=s=64x48 -frames:v 1 -f image2 -c:v png", "really-a-png.jpg");
    assert_eq!(place.process(&png).await.unwrap().original.format, Format::Png);
    let forged = place.workshop.process(place.job_as(&png, Format::Jpeg)).await;
    assert!(matches!(forged, Err(Refused::Broken { .. })));
    for (name, text) in [
        ("playlist.mp4", "#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"),
        ("concat.webm", "ffconcat version 1.0\nfile /etc/passwd\n"),
        ("drawing.png", "<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>"),
        ("page.jpg", "<!doctype html><script>alert(1)</script>"),
        ("paper.png", "%PDF-1.7"),
    ] {
        let input = place.write(name, text.as_bytes());
        assert!(matches!(place.process(&input).await, Err(Refused::Unsupported(_))), "{name}");
        for format in [Format::Mp4, Format::WebM, Format::Png, Format::Jpeg] {
            let forged = place.workshop.process(place.job_as(&input, format)).await;
            assert!(matches!(forged, Err(Refused::Unsupported(_))), "{name} as {format:?}");
        }
    }
    assert_eq!(place.left(), ["original.png", "small.png"]);
}

#[tokio::test]
async fn a_file_that_ends_too_early_is_refused() {
    let place = Place::new();
    let still = "-f lavfi -i testsrc2=s=640x480 -frames:v 1";
    let moving = "-f lavfi -i testsrc2=s=160x120:d=1";
    let cases = [
        (still, "a.jpg"),
        (still, "a.png"),
        (&format!("{still} -c:v libwebp"), "a.webp"),
        (still, "a.gif"),
        (&format!("{still} -c:v libaom-av1 -cpu-used 8 -still-picture 1"), "a.avif"),
        (&format!("{moving} -c:v libx264 -pix_fmt yuv420p"), "end.mp4"),
        (&format!("{moving} -c:v libx264 -pix_fmt yuv420p -movflags +faststart"), "start.mp4"),
        (&format!("{moving} -c:v libvpx -deadline realtime"), "a.webm"),
    ];
    for (words, name) in cases {
        let whole = fs::read(place.make(words, name)).unwrap();
        assert!(place.process(&place.path(name)).await.is_ok(), "{name} whole");
        fs::remove_dir_all(place.out()).unwrap();
        for length in [whole.len() - 20, whole.len() / 2, 40, 12] {
            let cut = place.write(&format!("cut-{name}"), &whole[..length]);
            let refused = match place.process(&cut).await {
                Err(refused) => refused,
                Ok(made) => panic!("{name} of {length} bytes became {made:?}"),
            };
            let known = matches!(refused, Refused::Broken { .. } | Refused::Unsupported(_));
            assert!(known, "{name} of {length} bytes: {refused:?}");
        }
    }
    assert!(matches!(place.process(&place.write("empty.png", b"")).await, Err(Refused::Broken { .. })));
    assert!(place.left().is_empty());
}

#[tokio::test]
async fn noise_behind_a_good_beginning_is_refused() {
    let place = Place::new();
    let noise = (0_u32..20_000).map(|number| (number.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]);
    let noise = noise.collect::<Vec<_>>();
    let beginnings: [&[u8]; 10] = [
        b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0",
        b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x40\0\0\0\x40\x08\x02\0\0\0\0\0\0\0",
        b"GIF89a\x40\0\x40\0\0\0\0",
        b"RIFF\x28\x4e\0\0WEBPVP8 ",
        b"\0\0\0\x14ftypavif\0\0\0\0mif1",
        b"\0\0\0\x14ftypisom\0\0\x02\0mp41",
        b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm",
        b"fLaC\0\0\0\x22",
        b"OggS\0\x02\0\0\0\0\0\0\0\0",
        b"RIFF\x28\x4e\0\0WAVEfmt \x10\0\0\0",
    ];
    for beginning in beginnings {
        let input = place.write("noise", &[beginning, &noise].concat());
        let refused = place.process(&input).await.expect_err("noise is no media");
        assert!(matches!(refused, Refused::Broken { .. }), "{beginning:?}: {refused:?}");
    }
    assert!(place.left().is_empty());
}

#[tokio::test]
async fn names_are_never_options_or_protocols() {
    let place = Place::new();
    let picture = place.make("-f lavfi -i testsrc2=s=64x48 -frames:v 1", "a.png");
    let video = place.make("-f lavfi -i testsrc2=s=64x48:d=0.5 -c:v libvpx -deadline realtime", "a.webm");
    for name in ["-i", "-y -f null", "%d.png", "concat:a.png|a.png", "pipe:0", "it's [a] \"name\"; new\nline"]
    {
        for input in [&picture, &video] {
            let named = place.path(name);
            fs::copy(input, &named).unwrap();
            assert!(place.process(&named).await.is_ok(), "{name}");
        }
    }
    // The same for the folder.
    let folder = place.path("-out %d 'x'");
    let mut job = place.job(&picture).unwrap();
    job.out = folder.clone();
    let made = place.workshop.process(job).await.unwrap();
    assert!(made.original.path.starts_with(fs::canonicalize(folder).unwrap()));
}

#[tokio::test]
async fn too_many_frames_are_counted_before_they_are_decoded() {
    let place = Place::new();
    let refused = place.process(&place.write("endless.gif", &gif(100_000))).await.unwrap_err();
    assert!(matches!(refused, Refused::TooManyFrames { limit: 10_000 }));
    let path = place.path("endless.gif");
    let refused =
        place.workshop.portrait(&path, Format::Gif, &place.out(), decalog_feed::media::Shape::Avatar).await;
    assert!(matches!(refused, Err(Refused::TooManyFrames { .. })));
    assert_eq!(place.process(&place.write("long.gif", &gif(500))).await.unwrap().kind, Kind::Gifv);
}

#[tokio::test]
async fn too_many_bytes_are_refused_by_kind() {
    let place =
        Place::with(Limits { image_bytes: 100, video_bytes: 200, portrait_bytes: 50, ..Limits::default() });
    let picture = place.make("-f lavfi -i testsrc2=s=64x48 -frames:v 1", "a.png");
    assert!(matches!(place.process(&picture).await, Err(Refused::TooLarge { limit: 100, .. })));
    let video = place.make("-f lavfi -i testsrc2=s=64x48:d=0.5 -c:v mpeg4", "a.mp4");
    assert!(matches!(place.process(&video).await, Err(Refused::TooLarge { limit: 200, .. })));
    let shape = decalog_feed::media::Shape::Avatar;
    let portrait = place.workshop.portrait(&picture, Format::Png, &place.out(), shape).await;
    assert!(matches!(portrait, Err(Refused::TooLarge { limit: 50, .. })));
}
