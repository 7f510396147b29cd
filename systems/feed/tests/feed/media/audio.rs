//! Sound: MP3 whatever came in, with the cover as preview and nothing else of its tags.

use decalog_feed::media::{Format, Kind};

use super::forge::{Place, ffprobe, holds};

/// A second of a tone.
const TONE: &str = "-f lavfi -i sine=r=44100:d=1.5 -ac 2";

#[tokio::test]
async fn every_kind_of_sound_becomes_an_mp3() {
    let place = Place::new();
    let cases = [
        ("a.mp3", "-c:a libmp3lame", Format::Mp3),
        ("a.ogg", "-c:a libvorbis", Format::Ogg),
        ("a.opus", "-c:a libopus -f opus", Format::Opus),
        ("a.wav", "-ar 96000 -c:a pcm_s24le", Format::Wav),
        ("a.flac", "-c:a flac", Format::Flac),
        ("a.m4a", "-c:a aac -f ipod", Format::M4a),
        ("a.aac", "-c:a aac -f adts", Format::Aac),
        // A video that has no picture is sound.
        ("a.webm", "-c:a libopus", Format::WebM),
        ("a.mp4", "-c:a aac", Format::Mp4),
    ];
    for (name, words, format) in cases {
        let input = place.make(&format!("{TONE} {words} -metadata title=SECRET"), name);
        let job = place.job(&input).unwrap();
        assert_eq!(job.format, format, "{name}");
        let made = place.workshop.process(job).await.unwrap();
        assert_eq!((made.kind, made.original.format), (Kind::Audio, Format::Mp3), "{name}");
        assert!(made.small.is_none() && made.blurhash.is_none());
        assert!(!holds(&made.original.path, b"SECRET"), "{name}");
        let meta = &made.meta;
        assert!((1.4..1.7).contains(&meta.original.duration.unwrap()), "{name}: {meta:?}");
        assert!(meta.original.bitrate.unwrap() > 8000, "{name}: {meta:?}");
        assert!(meta.length.as_ref().unwrap().starts_with("0:00:01."));
        assert_eq!(
            (meta.audio_encode.as_deref(), meta.audio_channels.as_deref()),
            (Some("mp3"), Some("stereo"))
        );
        assert!(meta.audio_bitrate.as_ref().unwrap().ends_with("00 Hz"));
        assert_eq!((meta.width, &meta.small), (None, &None));
        assert_eq!(place.left(), ["original.mp3"]);
    }
}

#[tokio::test]
async fn a_cover_is_the_preview() {
    let place = Place::new();
    let cover = place.make("-f lavfi -i testsrc2=s=800x800 -frames:v 1", "cover.png");
    let input = place.make(
        &format!(
            "{TONE} -i {} -map 0 -map 1 -c:a libmp3lame -c:v copy -disposition:v attached_pic",
            cover.display()
        ),
        "a.mp3",
    );
    let made = place.process(&input).await.unwrap();
    assert_eq!(made.meta.small.unwrap().size, "360x360");
    assert_eq!(made.small.unwrap().format, Format::Png);
    assert_eq!(made.blurhash.unwrap().len(), 36);
    assert_eq!(ffprobe("stream=codec_type", &made.original.path).trim(), "stream|codec_type=audio");
    // A cover that cannot be decoded is left out; the sound is there.
    let mut bytes = std::fs::read(&input).unwrap();
    let at = bytes.windows(4).position(|window| window == b"IDAT").unwrap();
    bytes[at + 4..at + 3000].fill(0xaa);
    bytes[at - 20..at].fill(0xaa);
    let made = place.process(&place.write("broken.mp3", &bytes)).await.unwrap();
    assert_eq!(made.kind, Kind::Audio);
}
