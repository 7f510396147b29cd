//! What a feed on Redis does: a list of ids per reader, `LPUSH` and `LTRIM` for each delivery, pipelined.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running `redis-server` on a socket of its own, which keeps nothing on disk; stopped when dropped.
pub(super) struct Redis {
    child: Child,
    stream: UnixStream,
    answers: BufReader<UnixStream>,
    _directory: TempDir,
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Redis {
    /// Starts it.
    pub(super) fn start(directory: TempDir) -> anyhow::Result<Redis> {
        let socket = directory.path().join("redis.sock");
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start redis-server: run `checks/setup.sh bench`")?;
        let give_up = Instant::now() + PATIENCE;
        let stream = loop {
            match UnixStream::connect(&socket) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() > give_up => {
                    return Err(error).context("redis-server does not listen");
                }
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        stream.set_read_timeout(Some(PATIENCE))?;
        let answers = BufReader::with_capacity(1 << 16, stream.try_clone()?);
        Ok(Redis { child, stream, answers, _directory: directory })
    }

    /// Puts posts into readers' lists, each of which keeps the newest `most`; returns when all are answered. One thread
    /// writes without waiting, one reads the answers.
    pub(super) fn deliver(
        &mut self,
        deliveries: impl Iterator<Item = (u32, u64)> + Send,
        many: u64,
        most: usize,
    ) -> anyhow::Result<()> {
        let (stream, answers) = (&self.stream, &mut self.answers);
        let last = (most - 1).to_string();
        std::thread::scope(|threads| {
            let writer = threads.spawn(move || {
                let mut out = BufWriter::with_capacity(1 << 16, stream);
                let mut key = String::new();
                for (reader, post) in deliveries {
                    key.clear();
                    // Writing into a String cannot fail.
                    let _ = write!(key, "home:{reader}");
                    command(&mut out, &["LPUSH", &key, &post.to_string()])?;
                    command(&mut out, &["LTRIM", &key, "0", &last])?;
                }
                out.flush()
            });
            let mut line = Vec::new();
            for _ in 0..2 * many {
                line.clear();
                answers.read_until(b'\n', &mut line)?;
                let good = matches!(line.first(), Some(b':' | b'+'));
                anyhow::ensure!(good, "redis said {}", String::from_utf8_lossy(&line));
            }
            writer.join().expect("writing does not panic")?;
            Ok(())
        })
    }

    /// The length of a reader's list.
    pub(super) fn length(&mut self, reader: u32) -> anyhow::Result<usize> {
        command(&mut self.stream, &["LLEN", &format!("home:{reader}")])?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim_start_matches(':').trim().parse()?)
    }
}

/// Writes a command (RESP, an array of bulk strings).
fn command(out: &mut impl std::io::Write, words: &[&str]) -> std::io::Result<()> {
    write!(out, "*{}\r\n", words.len())?;
    words.iter().try_for_each(|word| write!(out, "${}\r\n{word}\r\n", word.len()))
}
