//! Avatars and headers: the shape, the type, and animations that stay animations.

use decalog_feed::media::{Format, Portrait, Refused, Shape};

use super::forge::{Place, ffprobe, holds, pixels};

/// Makes a portrait of an input.
async fn portrait(place: &Place, name: &str, format: Format, shape: Shape) -> Result<Portrait, Refused> {
    place.workshop.portrait(&place.path(name), format, &place.out(), shape).await
}

#[tokio::test]
async fn a_picture_is_cropped_to_the_shape() {
    let place = Place::new();
    // Red, blue, red from left to right: the middle is kept.
    let bands = "-f lavfi -i color=red:s=300x300[a];color=blue:s=300x300[b];color=red:s=300x300[c];\
        [a][b][c]hstack=inputs=3 -frames:v 1";
    place.make(&format!("{bands} -pix_fmt rgb24"), "wide.png");
    let made = portrait(&place, "wide.png", Format::Png, Shape::Avatar).await.unwrap();
    assert!(made.static_.is_none() && made.original.format == Format::Png);
    let raw = pixels("rgb24", &made.original.path);
    assert_eq!(raw.len(), 400 * 400 * 3);
    let inner = raw.chunks_exact(1200).flat_map(|row| row[30..1170].chunks_exact(3));
    assert!(inner.into_iter().all(|pixel| pixel[0] < 30 && pixel[2] > 220));
    place.make(bands, "wide.jpg");
    let made = portrait(&place, "wide.jpg", Format::Jpeg, Shape::Header).await.unwrap();
    assert!(ffprobe("stream=width,height", &made.original.path).contains("width=1500|height=500"));
}

#[tokio::test]
async fn an_animation_stays_one_and_has_a_still() {
    let place = Place::new();
    place.make("-f lavfi -i testsrc2=s=120x90:r=10:d=1", "a.gif");
    for shape in [Shape::Avatar, Shape::Header] {
        let made = portrait(&place, "a.gif", Format::Gif, shape).await.unwrap();
        let still = made.static_.unwrap();
        assert_eq!((made.original.format, still.format), (Format::Gif, Format::Png));
        let (width, height) = shape.size();
        for file in [&made.original.path, &still.path] {
            let entries = ffprobe("stream=width,height", file);
            assert!(entries.contains(&format!("width={width}|height={height}")), "{entries}");
        }
        let frames = ffprobe("packet=duration_time", &made.original.path);
        assert_eq!(frames.matches("duration_time=0.1").count(), 10, "{frames}");
        assert!(!holds(&made.original.path, b"Lavf"));
        assert_eq!(place.left(), ["original.gif", "static.png"]);
    }
    place.make("-f lavfi -i testsrc2=s=120x90 -frames:v 1", "still.gif");
    let made = portrait(&place, "still.gif", Format::Gif, Shape::Avatar).await.unwrap();
    assert!(made.static_.is_none() && made.original.format == Format::Png);
}

#[tokio::test]
async fn what_is_no_picture_is_refused() {
    let place = Place::new();
    place.make("-f lavfi -i color=red:s=32x32:d=1 -c:v mpeg4", "a.mp4");
    assert!(matches!(
        portrait(&place, "a.mp4", Format::Mp4, Shape::Avatar).await,
        Err(Refused::Unsupported(_))
    ));
    assert!(matches!(
        portrait(&place, "a.mp4", Format::Png, Shape::Avatar).await,
        Err(Refused::Broken { .. })
    ));
    assert!(place.left().is_empty());
}
