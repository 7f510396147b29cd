//! One WebSocket (RFC 6455) that listens, as small as it can be: a socket, a few bytes, and the kinds of frame that a server
//! sends.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// An open one.
pub(crate) struct WebSocket {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl WebSocket {
    /// Opens this path of a server.
    pub(crate) async fn connect(server: SocketAddr, path: &str) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(server).await?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {server}\r\nconnection: upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut socket = Self { stream, unread: Vec::new() };
        let end = loop {
            let found = socket.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n");
            match found {
                Some(end) => break end,
                None => socket.read().await?,
            }
        };
        let head = String::from_utf8_lossy(&socket.unread[..end]);
        anyhow::ensure!(head.starts_with("HTTP/1.1 101"), "no WebSocket: {head}");
        socket.unread.drain(..end + 4);
        Ok(socket)
    }

    /// Waits for the next text; answers pings meanwhile.
    pub(crate) async fn text(&mut self) -> anyhow::Result<Vec<u8>> {
        loop {
            let Some((kind, payload, end)) = frame(&self.unread) else {
                self.read().await?;
                continue;
            };
            let frame: Vec<u8> = self.unread.drain(..end).skip(payload).collect();
            self.unread.shrink_to_fit();
            match kind {
                TEXT => return Ok(frame),
                PING => self.stream.write_all(&pong(&frame)).await?,
                _ => anyhow::bail!("the server closed a subscription"),
            }
        }
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        self.stream.readable().await?;
        let mut bytes = [0; 4_096];
        match self.stream.try_read(&mut bytes) {
            Ok(0) => anyhow::bail!("the server closed a connection"),
            Ok(read) => self.unread.extend_from_slice(&bytes[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

const TEXT: u8 = 1;
const PING: u8 = 9;

/// The opcode of the first whole frame, where its payload begins, and where it ends (RFC 6455, 5.2; servers do not mask).
fn frame(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (kind, length) = (bytes.first()? & 0x0f, *bytes.get(1)?);
    let (payload, length) = match length {
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        short => (2, usize::from(short)),
    };
    (bytes.len() >= payload + length).then_some((kind, payload, payload + length))
}

/// A pong with this payload, masked with zeros.
fn pong(payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap_or_default() & 0x7f;
    [&[0x8a, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_apart() {
        // The unmasked text frame of RFC 6455, 5.7, whole and cut.
        let hello = b"\x81\x05Hello";
        assert_eq!(frame(hello), Some((TEXT, 2, 7)));
        assert!((0..hello.len()).all(|end| frame(&hello[..end]).is_none()));
        let long = [&[0x81, 126, 1, 0], [b'x'; 256].as_slice()].concat();
        assert_eq!(frame(&long), Some((TEXT, 4, 260)));
        let longest = [&[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0], [b'x'; 65_536].as_slice()].concat();
        assert_eq!(frame(&longest), Some((TEXT, 10, 65_546)));
        assert_eq!(pong(b"Hello").len(), 11);
    }
}
