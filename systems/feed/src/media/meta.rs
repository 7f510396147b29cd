//! `MediaAttachment.meta`, in the shape that Mastodon's clients know.
//!
//! <https://docs.joinmastodon.org/entities/MediaAttachment/>. Fields that do not apply are left out, not null.

use serde::{Deserialize, Serialize};

use super::probe::{Facts, Stream};

/// Facts of an attachment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// Duration as `0:01:28.65`, of what has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<String>,
    /// Duration in seconds, to the hundredth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// Frames a second, rounded down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps: Option<u64>,
    /// Width and height of a video as `640x360`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Width of a video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height of a video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Width by height of a video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aspect: Option<f64>,
    /// The audio codec, as ffmpeg describes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_encode: Option<String>,
    /// The audio sample rate, as `44100 Hz`: Mastodon calls it so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_bitrate: Option<String>,
    /// The audio channels, as `stereo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_channels: Option<String>,
    /// The point that must stay in sight when the picture is cropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub focus: Option<Focus>,
    /// Facts of the file itself.
    pub original: Original,
    /// Facts of its preview.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub small: Option<Dimensions>,
}

/// Facts of the file itself: a picture has a size and aspect, a video and audio a duration and bitrate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Original {
    /// Width in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Width and height of a picture as `640x360`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Width by height of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aspect: Option<f64>,
    /// Frames a second of a video, as a fraction: `30/1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<String>,
    /// Duration in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// Bits a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<u64>,
}

/// Width and height of a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dimensions {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Both, as `640x360`.
    pub size: String,
    /// Width by height.
    pub aspect: f64,
}

/// A point in a picture: from -1 (left, bottom) to 1 (right, top).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Focus {
    /// From left to right.
    pub x: f32,
    /// From bottom to top.
    pub y: f32,
}

impl Focus {
    /// A point, drawn to the nearest edge if it lies outside; none if it is no point.
    pub fn clamped((x, y): (f32, f32)) -> Option<Self> {
        (!x.is_nan() && !y.is_nan()).then(|| Self { x: x.clamp(-1.0, 1.0), y: y.clamp(-1.0, 1.0) })
    }
}

impl Dimensions {
    /// Of a width and height.
    pub(crate) fn of((width, height): (u32, u32)) -> Self {
        let aspect = f64::from(width) / f64::from(height.max(1));
        Self { width, height, size: format!("{width}x{height}"), aspect }
    }
}

impl Meta {
    /// Of a picture and its preview.
    pub(crate) fn picture(original: (u32, u32), small: (u32, u32)) -> Self {
        let Dimensions { width, height, size, aspect } = Dimensions::of(original);
        let original = Original {
            width: Some(width),
            height: Some(height),
            size: Some(size),
            aspect: Some(aspect),
            ..Original::default()
        };
        Self { original, small: Some(Dimensions::of(small)), ..Self::default() }
    }

    /// Of a file with streams, as it will be served.
    pub(crate) fn streams(facts: &Facts, small: Option<(u32, u32)>) -> Self {
        let duration = facts.duration();
        let mut meta = Self {
            length: duration.map(length),
            duration: duration.map(|seconds| (seconds * 100.0).round() / 100.0),
            original: Original { duration, bitrate: facts.bit_rate(), ..Original::default() },
            small: small.map(Dimensions::of),
            ..Self::default()
        };
        if let Some(video) = facts.video() {
            let Dimensions { width, height, size, aspect } = Dimensions::of(video.seen());
            (meta.width, meta.height, meta.size, meta.aspect) =
                (Some(width), Some(height), Some(size), Some(aspect));
            (meta.original.width, meta.original.height) = (Some(width), Some(height));
            if let Some((text, frames, seconds)) = video.frame_rate() {
                meta.fps = Some(frames / seconds);
                meta.original.frame_rate = Some(text.to_owned());
            }
        }
        if let Some(audio) = facts.audio() {
            meta.audio_encode = Some(encoding(audio));
            meta.audio_bitrate = audio.sample_rate.as_ref().map(|rate| format!("{rate} Hz"));
            meta.audio_channels = Some(channels(audio));
        }
        meta
    }
}

/// A codec as ffmpeg describes it: `aac (LC) (mp4a / 0x6134706D)`.
fn encoding(stream: &Stream) -> String {
    let mut text = stream.codec_name.clone();
    if let Some(profile) = &stream.profile {
        text.push_str(&format!(" ({profile})"));
    }
    if let Some(tag) =
        stream.codec_tag.strip_prefix("0x").filter(|tag| tag.bytes().any(|digit| digit != b'0'))
    {
        text.push_str(&format!(" ({} / 0x{})", stream.codec_tag_string, tag.to_ascii_uppercase()));
    }
    text
}

/// Channels in words, or their number.
fn channels(stream: &Stream) -> String {
    match (&stream.channel_layout, stream.channels) {
        (Some(layout), _) => layout.clone(),
        (None, 1) => "mono".to_owned(),
        (None, 2) => "stereo".to_owned(),
        (None, count) => format!("{count} channels"),
    }
}

/// A duration as `h:mm:ss.cc`.
fn length(seconds: f64) -> String {
    // A float beyond the range becomes its end, so nothing can be lost that a duration could be.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped by the cast")]
    let hundredths = (seconds * 100.0).round() as u64;
    let (minutes, rest) = (hundredths / 6000, hundredths % 6000);
    format!("{}:{:02}:{:02}.{:02}", minutes / 60, minutes % 60, rest / 100, rest % 100)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_picture_has_mastodons_shape() {
        let mut meta = Meta::picture((50, 60), (50, 60));
        meta.focus = Focus::clamped((-0.5, 7.0));
        let dimensions = json!({"width": 50, "height": 60, "size": "50x60", "aspect": 50.0 / 60.0});
        let expected = json!({"original": dimensions, "small": dimensions, "focus": {"x": -0.5, "y": 1.0}});
        assert_eq!(serde_json::to_value(&meta).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Meta>(expected).unwrap(), meta);
        assert_eq!(Focus::clamped((f32::NAN, 0.0)), None);
    }

    #[test]
    fn a_video_has_mastodons_shape() {
        let facts = serde_json::from_value(json!({
            "streams": [
                {"codec_type": "video", "width": 640, "height": 360, "avg_frame_rate": "6159375/249269"},
                {"codec_type": "audio", "codec_name": "aac", "profile": "LC", "codec_tag_string": "mp4a",
                 "codec_tag": "0x6134706d", "sample_rate": "44100", "channels": 2, "channel_layout": "stereo"}],
            "format": {"duration": "88.654", "bit_rate": "862056"}}))
        .unwrap();
        let aspect = 640.0 / 360.0;
        let expected = json!({
            "length": "0:01:28.65", "duration": 88.65, "fps": 24, "size": "640x360", "width": 640, "height": 360,
            "aspect": aspect, "audio_encode": "aac (LC) (mp4a / 0x6134706D)", "audio_bitrate": "44100 Hz",
            "audio_channels": "stereo",
            "original": {"width": 640, "height": 360, "frame_rate": "6159375/249269", "duration": 88.654, "bitrate": 862_056},
            "small": {"width": 400, "height": 225, "size": "400x225", "aspect": 400.0 / 225.0}});
        assert_eq!(serde_json::to_value(Meta::streams(&facts, Some((400, 225)))).unwrap(), expected);
    }

    #[test]
    fn audio_has_neither_size_nor_preview() {
        let facts = serde_json::from_value(json!({
            "streams": [{"codec_type": "audio", "codec_name": "mp3", "codec_tag": "0x0000", "sample_rate": "48000", "channels": 1}],
            "format": {"duration": "36000.0"}}))
        .unwrap();
        let expected = json!({"length": "10:00:00.00", "duration": 36000.0, "audio_encode": "mp3",
            "audio_bitrate": "48000 Hz", "audio_channels": "mono", "original": {"duration": 36000.0}});
        assert_eq!(serde_json::to_value(Meta::streams(&facts, None)).unwrap(), expected);
    }
}
