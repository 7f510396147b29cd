//! What one upload may cost, and where the programs are that do the work.

use std::path::PathBuf;
use std::time::Duration;

/// What one child process may use of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Seconds of processor time, over all its threads (`RLIMIT_CPU`).
    pub cpu_seconds: u64,
    /// How long it may run.
    pub wall: Duration,
}

/// Limits of a [`crate::media::Workshop`]. The defaults are Mastodon's where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a picture that is uploaded, animated GIFs included.
    pub image_bytes: u64,
    /// Bytes of a video or audio file that is uploaded.
    pub video_bytes: u64,
    /// Bytes of an avatar or header that is uploaded.
    pub portrait_bytes: u64,
    /// Pixels of a picture that is uploaded, width times height.
    pub image_pixels: u64,
    /// Pixels of a picture that is kept: larger ones are scaled down to it.
    pub kept_pixels: u64,
    /// Pixels of a picture's preview.
    pub preview_pixels: u64,
    /// The box that a video's preview fits into, width and height.
    pub preview_box: (u32, u32),
    /// Pixels of a frame of a video that is uploaded, or of an animated GIF.
    pub video_pixels: u64,
    /// Frames a second of a video that is uploaded.
    pub video_frame_rate: u32,
    /// Frames of an animated GIF, and of the video that is made of one.
    pub animation_frames: u64,
    /// Time for each child process that works on a picture or reads a header.
    pub image_time: Time,
    /// Time for each child process that works on a video, an animation or audio.
    pub video_time: Time,
    /// Bytes of address space of a child process (`RLIMIT_AS`).
    pub memory_bytes: u64,
    /// Bytes of each file that a child process writes (`RLIMIT_FSIZE`).
    pub result_bytes: u64,
    /// Child processes at the same time; one upload has at most one.
    pub children: usize,
    /// Uploads that may wait for their turn; more are refused as [`crate::media::Refused::Busy`].
    pub waiting: usize,
    /// Threads of a child process, for each thing that has threads in it.
    pub threads: usize,
    /// Niceness of a child process, 0 to 19.
    pub niceness: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            image_bytes: 16 << 20,
            video_bytes: 99 << 20,
            portrait_bytes: 8 << 20,
            image_pixels: 33_177_600,
            kept_pixels: 8_294_400,
            preview_pixels: 230_400,
            preview_box: (640, 360),
            video_pixels: 8_294_400,
            video_frame_rate: 120,
            animation_frames: 10_000,
            image_time: Time { cpu_seconds: 30, wall: Duration::from_secs(60) },
            video_time: Time { cpu_seconds: 900, wall: Duration::from_secs(1800) },
            memory_bytes: 3 << 30,
            result_bytes: 256 << 20,
            children: 2,
            waiting: 64,
            threads: 2,
            niceness: 10,
        }
    }
}

/// Where the programs are. They are started by these paths, with an empty environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    /// ffmpeg, 5.1 or later.
    pub ffmpeg: PathBuf,
    /// ffprobe of the same version.
    pub ffprobe: PathBuf,
    /// prlimit of util-linux, which sets the limits and becomes the program.
    pub prlimit: PathBuf,
    /// nice of coreutils.
    pub nice: PathBuf,
    /// heif-convert of libheif; where there is none, HEIC pictures are refused.
    pub heif_convert: PathBuf,
}

impl Default for Programs {
    fn default() -> Self {
        Self {
            ffmpeg: "/usr/bin/ffmpeg".into(),
            ffprobe: "/usr/bin/ffprobe".into(),
            prlimit: "/usr/bin/prlimit".into(),
            nice: "/usr/bin/nice".into(),
            heif_convert: "/usr/bin/heif-convert".into(),
        }
    }
}
