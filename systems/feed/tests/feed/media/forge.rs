//! Inputs for the tests, made by ffmpeg from nothing or written byte by byte, and a look at what came out.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use decalog_feed::media::{Format, Job, Limits, Processed, Programs, Refused, Workshop, recognise};
use tempfile::TempDir;

/// A place for inputs and outputs, and a workshop.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) workshop: Workshop,
}

/// Runs ffmpeg as a test's own tool: arguments in words, then a file.
pub(crate) fn ffmpeg(words: &str, output: &Path) {
    let status = Command::new("/usr/bin/ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(words.split_ascii_whitespace())
        .arg(output)
        .status()
        .unwrap();
    assert!(status.success(), "ffmpeg {words}");
}

/// What ffprobe says about entries of a file.
pub(crate) fn ffprobe(entries: &str, file: &Path) -> String {
    let output = Command::new("/usr/bin/ffprobe")
        .args(["-v", "error", "-of", "compact", "-show_entries", entries])
        .arg(file)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The first frame's pixels in a format of ffmpeg's.
pub(crate) fn pixels(format: &str, file: &Path) -> Vec<u8> {
    let output = Command::new("/usr/bin/ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(file)
        .args(["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", format, "-"])
        .output()
        .unwrap();
    output.stdout
}

/// Whether a file holds some bytes.
pub(crate) fn holds(file: &Path, bytes: &[u8]) -> bool {
    fs::read(file).unwrap().windows(bytes.len()).any(|window| window == bytes)
}

/// A TIFF block (EXIF) with an orientation and a description that must not be published.
pub(crate) fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0\x02\0".to_vec();
    block.extend(b"\x0e\x01\x02\0\x0d\0\0\0\x26\0\0\0");
    block.extend([0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]);
    block.extend(b"\0\0\0\0SECRET PLACE\0");
    block
}

/// The same JPEG with an EXIF block.
pub(crate) fn with_exif(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let body = [b"Exif\0\0", &exif(orientation)[..]].concat();
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &body, &jpeg[2..]].concat()
}

/// A GIF of one pixel with so many frames.
pub(crate) fn gif(frames: usize) -> Vec<u8> {
    let mut bytes = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff".to_vec();
    for _ in 0..frames {
        bytes.extend(b"\x21\xf9\x04\0\x05\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0");
    }
    bytes.push(0x3b);
    bytes
}

impl Place {
    /// With the usual limits.
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    /// With other limits.
    pub(crate) fn with(limits: Limits) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), workshop: Workshop::new(limits, Programs::default()) }
    }

    /// The path of an input.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder for what is made.
    pub(crate) fn out(&self) -> PathBuf {
        self.path("out")
    }

    /// Writes an input.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Has ffmpeg make an input.
    pub(crate) fn make(&self, words: &str, name: &str) -> PathBuf {
        let path = self.path(name);
        ffmpeg(words, &path);
        path
    }

    /// A job for an input, of the type that its content has.
    pub(crate) fn job(&self, input: &Path) -> Result<Job, Refused> {
        let format = recognise(&fs::read(input).unwrap())?;
        Ok(self.job_as(input, format))
    }

    /// A job for an input of a declared type.
    pub(crate) fn job_as(&self, input: &Path, format: Format) -> Job {
        Job { input: input.to_owned(), format, focus: None, thumbnail: None, out: self.out() }
    }

    /// Processes an input.
    pub(crate) async fn process(&self, input: &Path) -> Result<Processed, Refused> {
        self.workshop.process(self.job(input)?).await
    }

    /// The names of all files that were made or left over.
    pub(crate) fn left(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.out()) else { return Vec::new() };
        let name = |name: &OsStr| name.to_str().unwrap().to_owned();
        let mut names = entries.map(|entry| name(&entry.unwrap().file_name())).collect::<Vec<_>>();
        names.sort();
        names
    }
}
