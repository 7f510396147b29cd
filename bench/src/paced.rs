//! A few requests a second over one connection: a visitor who shows what others' load does to everybody else.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::sample::Latencies;

const PATIENCE: Duration = Duration::from_secs(20);

/// A request.
pub(crate) fn get(server: SocketAddr, path: &str, head: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {server}\r\n{head}\r\n")
}

/// Asks so many times a second for so long, each time for what is next after the head of the answer before. A latency
/// begins when the request was due, or, where this thread was woken late, when it woke: a server's stall is charged to
/// every request it holds up, this client's own sleep is not.
pub(crate) fn visit(
    server: SocketAddr,
    mut next: impl FnMut(&str) -> String,
    per_second: u32,
    span: Duration,
) -> anyhow::Result<Latencies> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let interval = Duration::from_secs(1) / per_second;
    let (begin, mut due) = (Instant::now(), Instant::now());
    let (mut latencies, mut head) = (Latencies::default(), String::new());
    let mut buffer = vec![0; 256 * 1024];
    while begin.elapsed() < span {
        let request = next(&head);
        let waiting = due.saturating_duration_since(Instant::now());
        let start = if waiting.is_zero() {
            due
        } else {
            std::thread::sleep(waiting);
            Instant::now()
        };
        stream.write_all(request.as_bytes())?;
        head = answer(&mut stream, &mut buffer)?;
        latencies.record(start.elapsed());
        due += interval;
    }
    Ok(latencies)
}

/// Reads one answer, which has a `content-length`, and returns its head.
fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<String> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).context("no answer")?;
        anyhow::ensure!(read > 0, "the server closed the connection");
        filled += read;
        let Some(end) = buffer[..filled].windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&buffer[..end])?;
        anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "refused: {head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.context("no content-length")?.parse()?;
        if filled == end + 4 + length {
            return Ok(head.to_owned());
        }
    }
}
