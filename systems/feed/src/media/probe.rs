//! What ffprobe tells of a file: its streams and its duration.

use std::path::Path;

use serde::Deserialize;

use super::child::{Arguments, Bench};
use super::format::Format;
use super::refused::Refused;

/// How much ffprobe may say.
const ANSWER_BYTES: usize = 1 << 20;

/// The entries that are asked for.
const ENTRIES: &str = "stream=index,codec_type,codec_name,profile,codec_tag,codec_tag_string,pix_fmt,width,height,\
    avg_frame_rate,r_frame_rate,sample_rate,channels,channel_layout:stream_disposition=attached_pic:\
    stream_side_data=rotation:format=duration,bit_rate";

/// What a file holds.
#[derive(Debug, Deserialize)]
pub(crate) struct Facts {
    #[serde(default)]
    pub(crate) streams: Vec<Stream>,
    #[serde(default)]
    format: Container,
}

/// The container as a whole.
#[derive(Debug, Default, Deserialize)]
struct Container {
    duration: Option<String>,
    bit_rate: Option<String>,
}

/// A stream of a file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Stream {
    pub(crate) index: u32,
    pub(crate) codec_type: String,
    pub(crate) codec_name: String,
    pub(crate) profile: Option<String>,
    pub(crate) codec_tag: String,
    pub(crate) codec_tag_string: String,
    pub(crate) pix_fmt: Option<String>,
    pub(crate) width: u32,
    pub(crate) height: u32,
    avg_frame_rate: String,
    r_frame_rate: String,
    pub(crate) sample_rate: Option<String>,
    pub(crate) channels: u32,
    pub(crate) channel_layout: Option<String>,
    disposition: Disposition,
    side_data_list: Vec<SideData>,
}

/// What a stream is for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Disposition {
    attached_pic: u8,
}

/// What is attached to a stream.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SideData {
    rotation: Option<f64>,
}

impl Facts {
    /// The video, if it is one: a cover picture is none.
    pub(crate) fn video(&self) -> Option<&Stream> {
        self.streams
            .iter()
            .find(|stream| stream.codec_type == "video" && stream.disposition.attached_pic == 0)
    }

    /// The first audio stream.
    pub(crate) fn audio(&self) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.codec_type == "audio")
    }

    /// The cover picture of an audio file.
    pub(crate) fn cover(&self) -> Option<&Stream> {
        self.streams
            .iter()
            .find(|stream| stream.codec_type == "video" && stream.disposition.attached_pic != 0)
    }

    /// Seconds.
    pub(crate) fn duration(&self) -> Option<f64> {
        self.format
            .duration
            .as_ref()?
            .parse()
            .ok()
            .filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)
    }

    /// Bits a second.
    pub(crate) fn bit_rate(&self) -> Option<u64> {
        self.format.bit_rate.as_ref()?.parse().ok()
    }
}

impl Stream {
    /// Width and height as seen: a rotation by a quarter turn swaps them.
    pub(crate) fn seen(&self) -> (u32, u32) {
        let quarter = self
            .side_data_list
            .iter()
            .filter_map(|data| data.rotation)
            .any(|turn| (turn.abs() % 180.0 - 90.0).abs() < 45.0);
        if quarter { (self.height, self.width) } else { (self.width, self.height) }
    }

    /// Frames a second as the fraction that ffprobe writes, and its two numbers; none if it is not known.
    pub(crate) fn frame_rate(&self) -> Option<(&str, u64, u64)> {
        [&self.avg_frame_rate, &self.r_frame_rate].into_iter().find_map(|text| {
            let (frames, seconds) = text.split_once('/')?;
            let (frames, seconds) = (frames.parse().ok()?, seconds.parse().ok()?);
            (frames > 0 && seconds > 0).then_some((text.as_str(), frames, seconds))
        })
    }
}

/// Asks ffprobe about a file.
pub(crate) async fn probe(
    bench: &Bench<'_>,
    format: Format,
    pixels: u64,
    path: &Path,
) -> Result<Facts, Refused> {
    let mut arguments = Arguments::default();
    arguments
        .words("-hide_banner -loglevel error -of json -show_entries")
        .one(ENTRIES)
        .input(format, pixels, path);
    let limits = bench.limits;
    let answer = bench.run(&bench.programs.ffprobe, arguments, limits.image_time, ANSWER_BYTES).await?;
    serde_json::from_slice(&answer).map_err(|error| Refused::Broken {
        reason: "nothing in it can be recognised",
        log: format!("what ffprobe answered: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let facts: Facts = serde_json::from_str(
            r#"{"programs":[],"streams":[
                {"index":0,"codec_type":"video","width":50,"height":50,"avg_frame_rate":"0/0","disposition":{"attached_pic":1}},
                {"index":1,"codec_type":"video","width":80,"height":40,"avg_frame_rate":"0/0","r_frame_rate":"30/1",
                 "disposition":{"attached_pic":0},"side_data_list":[{},{"rotation":-90}]},
                {"index":2,"codec_type":"data"}],"format":{"duration":"5.2","bit_rate":"N/A"}}"#,
        )
        .unwrap();
        let video = facts.video().unwrap();
        assert_eq!((video.seen(), video.frame_rate()), ((40, 80), Some(("30/1", 30, 1))));
        assert_eq!(facts.cover().unwrap().index, 0);
        assert!(facts.audio().is_none());
        assert_eq!((facts.duration(), facts.bit_rate()), (Some(5.2), None));
    }
}
