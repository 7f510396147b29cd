//! Child processes: a program that reads hostile bytes runs alone, poor and for a limited time.
//!
//! `prlimit` sets the limits on itself and then becomes `nice`, which becomes the program: there is no moment without
//! limits, and the process that is killed is the program itself. The environment is empty, the standard input closed, the
//! working directory the scratch folder. A dropped future kills its child, and the runtime reaps it.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use super::format::Format;
use super::limits::{Limits, Programs, Time};
use super::refused::Refused;

/// How much of what a program prints is kept for the log.
const LOG_BYTES: usize = 2048;

/// Signals (signal(7)) by which limits end a process.
const SIGKILL: i32 = 9;
const SIGXCPU: i32 = 24;
const SIGXFSZ: i32 = 25;

/// Arguments of a program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arguments(Vec<OsString>);

impl Arguments {
    /// Adds words, separated by spaces; none of them may hold one.
    pub(crate) fn words(&mut self, words: &str) -> &mut Self {
        self.0.extend(words.split_ascii_whitespace().map(OsString::from));
        self
    }

    /// Adds one argument as it is.
    pub(crate) fn one(&mut self, argument: impl Into<OsString>) -> &mut Self {
        self.0.push(argument.into());
        self
    }

    /// Adds a file under the `file:` protocol, so that its name is never taken for an option or another protocol.
    pub(crate) fn file(&mut self, path: &Path) -> &mut Self {
        let mut name = OsString::from("file:");
        name.push(path);
        self.one(name)
    }

    /// Adds what binds ffmpeg and ffprobe to one demuxer, its decoders, local files, and pictures of so many pixels.
    pub(crate) fn input(&mut self, format: Format, pixels: u64, path: &Path) -> &mut Self {
        // Decoders compare sizes that they have rounded up to their blocks; what is accepted exactly is judged elsewhere.
        let slack = pixels.saturating_mul(2).saturating_add(1 << 20);
        self.words("-protocol_whitelist file,pipe -format_whitelist").one(format.demuxer_names());
        self.words("-codec_whitelist").one(format.decoders()).words("-max_pixels").one(slack.to_string());
        self.words("-f").one(format.demuxer()).words("-i").file(path)
    }
}

/// Starts programs under limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bench<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) programs: &'a Programs,
    /// The working directory.
    pub(crate) folder: &'a Path,
}

impl Bench<'_> {
    /// The arguments that ffmpeg always has.
    pub(crate) fn ffmpeg_arguments() -> Arguments {
        let mut arguments = Arguments::default();
        arguments.words("-nostdin -hide_banner -nostats -loglevel error -y");
        arguments
    }

    /// Runs a program to its end and gives what it wrote to its standard output, at most `keep` bytes of it.
    pub(crate) async fn run(
        &self,
        program: &Path,
        arguments: Arguments,
        time: Time,
        keep: usize,
    ) -> Result<Vec<u8>, Refused> {
        let Time { cpu_seconds, wall } = time;
        let Limits { memory_bytes, result_bytes, niceness, .. } = self.limits;
        let mut command = Command::new(&self.programs.prlimit);
        command.args([
            format!("--as={memory_bytes}"),
            format!("--fsize={result_bytes}"),
            "--core=0".to_owned(),
        ]);
        // The soft limit is a signal that ffmpeg obeys by ending early; the hard one, a little later, kills.
        command.arg(format!("--cpu={cpu_seconds}:{}", cpu_seconds + 2)).arg("--");
        command
            .arg(&self.programs.nice)
            .args(["-n", &niceness.to_string(), "--"])
            .arg(program)
            .args(arguments.0);
        command.env_clear().current_dir(self.folder).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| Refused::failed("starting prlimit", &error))?;
        let (output, log) = (child.stdout.take(), child.stderr.take());
        let whole = async { tokio::join!(beginning(output, keep), beginning(log, LOG_BYTES), child.wait()) };
        match tokio::time::timeout(wall, whole).await {
            Ok((output, log, status)) => {
                let status = status.map_err(|error| Refused::failed("waiting for a program", &error))?;
                self.judge(program, status, String::from_utf8_lossy(&log).into_owned())?;
                Ok(output)
            }
            Err(_) => {
                // Kills and reaps.
                child.kill().await.map_err(|error| Refused::failed("ending a program", &error))?;
                Err(Refused::TooSlow)
            }
        }
    }

    /// What an exit status means for the upload.
    fn judge(&self, program: &Path, status: ExitStatus, log: String) -> Result<(), Refused> {
        let limit = self.limits.result_bytes;
        match (status.code(), status.signal()) {
            (Some(0), _) => Ok(()),
            (_, Some(SIGXFSZ)) => Err(Refused::ResultTooLarge { limit }),
            // ffmpeg answers 255 to the signal that says its processor time is over.
            (Some(255), _) | (_, Some(SIGXCPU | SIGKILL)) => Err(Refused::TooSlow),
            // prlimit and nice, when there is nothing to become.
            (Some(126 | 127), _) => {
                Err(Refused::Failed { log: format!("{}: {status}: {log}", program.display()) })
            }
            _ if log.contains("File too large") => Err(Refused::ResultTooLarge { limit }),
            _ if log.contains("No space left on device") => Err(Refused::Failed { log }),
            _ if log.contains("Cannot allocate memory") => Err(Refused::TooComplex { log }),
            _ => Err(Refused::Broken {
                reason: "its content is damaged, or of a kind that is not known here",
                log: format!("{status}: {log}"),
            }),
        }
    }
}

/// Reads a pipe to its end and keeps the beginning.
async fn beginning(pipe: Option<impl AsyncRead + Unpin>, keep: usize) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut pipe) = pipe else { return kept };
    let mut buffer = [0; 8192];
    // A pipe that cannot be read has ended: the exit status tells why.
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        let room = keep.saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(&buffer[..room]);
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command as Plain;
    use std::time::Duration;

    use super::*;

    /// Runs ffmpeg on a file as if it were an MP4, and gives what came of it.
    async fn decode(folder: &Path, input: &Path) -> Result<Vec<u8>, Refused> {
        let (limits, programs) = (Limits::default(), Programs::default());
        let bench = Bench { limits: &limits, programs: &programs, folder };
        let mut arguments = Bench::ffmpeg_arguments();
        arguments.input(Format::Mp4, 1 << 20, input).words("-f rawvideo -frames:v 1 pipe:1");
        bench.run(&programs.ffmpeg, arguments, limits.image_time, 1 << 20).await
    }

    #[tokio::test]
    async fn a_forged_playlist_opens_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret.mp4");
        let made = "-v error -f lavfi -i color=red:s=32x32:d=0.2 -c:v libx264 -pix_fmt yuv420p".split(' ');
        assert!(Plain::new("/usr/bin/ffmpeg").args(made).arg(&secret).status().unwrap().success());
        assert_eq!(decode(folder.path(), &secret).await.unwrap().len(), 32 * 32 * 3 / 2);
        let concat = format!("ffconcat version 1.0\nfile '{}'\n", secret.display());
        let hls =
            format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n", secret.display());
        for (name, text) in [("concat.mp4", concat), ("hls.mp4", hls)] {
            let forged = folder.path().join(name);
            fs::write(&forged, text).unwrap();
            // Left to choose, ffmpeg follows it.
            let free = Plain::new("/usr/bin/ffmpeg")
                .args(["-v", "error", "-safe", "0", "-protocol_whitelist", "file,pipe,crypto", "-i"])
                .arg(&forged)
                .args(["-f", "rawvideo", "-frames:v", "1", "pipe:1"])
                .output()
                .unwrap();
            let free_without_safe = Plain::new("/usr/bin/ffmpeg")
                .args(["-v", "error", "-allowed_extensions", "ALL", "-i"])
                .arg(&forged)
                .args(["-f", "rawvideo", "-frames:v", "1", "pipe:1"])
                .output()
                .unwrap();
            let followed =
                [free, free_without_safe].iter().any(|output| output.stdout.len() == 32 * 32 * 3 / 2);
            assert!(followed, "the control of {name} shows nothing");
            assert!(matches!(decode(folder.path(), &forged).await, Err(Refused::Broken { .. })), "{name}");
        }
    }

    #[tokio::test]
    async fn a_name_is_a_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (limits, programs) = (Limits::default(), Programs::default());
        let bench = Bench { limits: &limits, programs: &programs, folder: folder.path() };
        for name in ["-version", "pipe:1", "concat:a|b", "http://localhost/a"] {
            let place = folder.path().join(name);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            let mut arguments = Bench::ffmpeg_arguments();
            arguments
                .words("-f lavfi -i color=red:s=8x8 -frames:v 1 -c:v png -f image2pipe")
                .file(Path::new(name));
            let written = bench.run(&programs.ffmpeg, arguments, limits.image_time, 4096).await.unwrap();
            assert!(written.is_empty() && place.exists(), "{name} as an output");
            let mut arguments = Bench::ffmpeg_arguments();
            arguments.input(Format::Png, 64, Path::new(name)).words("-f rawvideo -pix_fmt gray pipe:1");
            let read = bench.run(&programs.ffmpeg, arguments, limits.image_time, 4096).await.unwrap();
            assert_eq!(read.len(), 64, "{name} as an input");
        }
    }

    #[tokio::test]
    async fn the_decoder_is_held_to_the_pixels_too() {
        let folder = tempfile::tempdir().unwrap();
        let (limits, programs) = (Limits::default(), Programs::default());
        let bench = Bench { limits: &limits, programs: &programs, folder: folder.path() };
        let mut arguments = Bench::ffmpeg_arguments();
        arguments.words("-f lavfi -i color=red:s=2000x2000 -frames:v 1 a.jpg");
        bench.run(&programs.ffmpeg, arguments, limits.image_time, 0).await.unwrap();
        for (pixels, accepted) in [(4_000_000, true), (1_000_000, false)] {
            let mut arguments = Bench::ffmpeg_arguments();
            arguments.input(Format::Jpeg, pixels, Path::new("a.jpg")).words("-f null -");
            let decoded = bench.run(&programs.ffmpeg, arguments, limits.image_time, 0).await;
            assert_eq!(decoded.is_ok(), accepted, "{pixels}: {decoded:?}");
        }
    }

    #[tokio::test]
    async fn the_limits_hold_in_the_child() {
        let folder = tempfile::tempdir().unwrap();
        let (limits, programs) = (Limits::default(), Programs::default());
        let bench = Bench { limits: &limits, programs: &programs, folder: folder.path() };
        let mut arguments = Arguments::default();
        arguments.one("-c").one("ulimit -v; ulimit -t; ulimit -f; ulimit -c; nice; pwd; env; wc -c");
        let time = Time { cpu_seconds: 7, wall: Duration::from_secs(60) };
        let output = bench.run(Path::new("/bin/sh"), arguments, time, 4096).await.unwrap();
        let text = String::from_utf8(output).unwrap();
        let lines = text.lines().collect::<Vec<_>>();
        let memory = (limits.memory_bytes / 1024).to_string();
        let blocks = (limits.result_bytes / 512).to_string();
        assert_eq!(lines[..4], [memory.as_str(), "7", &blocks, "0"]);
        assert!(lines[4].parse::<u8>().unwrap() >= limits.niceness, "{text}");
        assert!(!text.contains("PATH=") && !text.contains("HOME="), "{text}");
        assert_eq!(lines.last(), Some(&"0"), "there is nothing to read");
    }

    #[tokio::test]
    async fn each_end_of_a_child_has_its_refusal() {
        let folder = tempfile::tempdir().unwrap();
        let programs = Programs::default();
        let limits = Limits { result_bytes: 4096, memory_bytes: 64 << 20, ..Limits::default() };
        let bench = Bench { limits: &limits, programs: &programs, folder: folder.path() };
        let run = async |script: &str, cpu_seconds, wall| {
            let mut arguments = Arguments::default();
            arguments.one("-c").one(script);
            bench.run(Path::new("/bin/sh"), arguments, Time { cpu_seconds, wall }, 16).await
        };
        let minute = Duration::from_secs(60);
        assert!(matches!(run("while :; do :; done", 1, minute).await, Err(Refused::TooSlow)));
        assert!(matches!(
            run("exec cat /dev/zero > out", 9, minute).await,
            Err(Refused::ResultTooLarge { .. })
        ));
        assert!(matches!(run("exec sleep 1000", 9, Duration::from_millis(50)).await, Err(Refused::TooSlow)));
        match run("echo no such thing >&2; exit 1", 9, minute).await {
            Err(refused @ Refused::Broken { .. }) => {
                assert!(refused.log().unwrap().contains("no such thing"));
                assert!(!refused.to_string().contains("no such thing"), "not for who uploads");
            }
            other => panic!("{other:?}"),
        }
        let missing =
            bench.run(Path::new("/no/such/program"), Arguments::default(), limits.image_time, 0).await;
        assert!(matches!(missing, Err(Refused::Failed { .. })));
        assert_eq!(
            run("yes | head -c 100000", 9, minute).await.unwrap().len(),
            16,
            "the rest is read and dropped"
        );
    }
}
