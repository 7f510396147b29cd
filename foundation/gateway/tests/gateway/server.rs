//! The listener's bounds: connections, slow clients, the end.

use decalog_gateway::server::Settings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::desk::{Desk, SOON, rest, run, status, until};

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// A connection that shows by an answer that it holds a place.
async fn holder(desk: &Desk) -> TcpStream {
    let mut stream = desk.connect().await;
    stream.write_all(GET).await.unwrap();
    until(&mut stream, "hello").await;
    stream
}

#[test]
fn a_connection_above_a_cap_is_closed_and_the_next_is_served_again() {
    for (total, each) in [(1, 8), (8, 1)] {
        run(async {
            let desk = Desk::open(Settings {
                max_connections: total,
                max_connections_per_address: each,
                ..Settings::default()
            })
            .await;
            let first = holder(&desk).await;
            assert_eq!(desk.get("/").await, "");
            drop(first);
            while desk.get("/").await.is_empty() {}
        });
    }
}

#[test]
fn a_head_that_does_not_end_is_cut_off() {
    run(async {
        let desk = Desk::open(Settings { head_timeout: SOON, ..Settings::default() }).await;
        for opening in [
            &b""[..],
            b"G",
            b"GET / HTTP/1.1\r\nhost:",
            b"PRI * HTTP/2.0\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ] {
            let answer = desk.say(opening).await;
            assert!(!answer.contains("hello"), "{answer}");
        }
        // One byte at a time does not help.
        let mut stream = desk.connect().await;
        let mut ticks = tokio::time::interval(SOON / 10);
        let (mut reader, mut writer) = stream.split();
        let mut answer = Vec::new();
        tokio::select! {
            _ = reader.read_to_end(&mut answer) => {}
            () = async { loop { ticks.tick().await; let _ = writer.write_all(b"G").await; } } => {}
        }
        assert!(!String::from_utf8_lossy(&answer).contains(" 200 "));
    });
}

#[test]
fn a_connection_that_falls_silent_is_closed() {
    run(async {
        let desk = Desk::open(Settings { head_timeout: SOON, ..Settings::default() }).await;
        let mut stream = holder(&desk).await;
        rest(&mut stream).await;
    });
}

#[test]
fn a_body_that_is_too_slow_is_refused() {
    run(async {
        let settings = Settings { body_timeout: SOON, body_rate: 1 << 20, ..Settings::default() };
        let desk = Desk::open(settings).await;
        let head = b"POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n";
        let answer = desk.say(head).await;
        assert!(status(&answer) == 408 && answer.contains("urn:decalog:problem:too-slow"), "{answer}");
        // One byte at a time does not help.
        let mut stream = desk.connect().await;
        stream.write_all(head).await.unwrap();
        let mut ticks = tokio::time::interval(SOON / 20);
        let (mut reader, mut writer) = stream.split();
        let mut answer = Vec::new();
        tokio::select! {
            _ = reader.read_to_end(&mut answer) => {}
            () = async { loop { ticks.tick().await; let _ = writer.write_all(b"x").await; } } => {}
        }
        assert_eq!(status(&String::from_utf8_lossy(&answer)), 408);
        // A body of any size that keeps the rate arrives.
        let body = vec![b'x'; 1 << 20];
        let head = format!(
            "POST /length HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let answer = desk.say(&[head.as_bytes(), &body].concat()).await;
        assert!(answer.ends_with("1048576"), "{answer}");
    });
}

#[test]
pub(crate) fn an_answer_before_the_body_leaves_the_connection_in_order() {
    run(async {
        let desk = Desk::open(Settings::default()).await;
        let next = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let head = |length: usize, more: &str| {
            format!("POST /nothing HTTP/1.1\r\nhost: x\r\n{more}content-length: {length}\r\n\r\n")
        };
        // A short body is read to its end, also when it comes after the answer: then the next request is served.
        let mut stream = desk.connect().await;
        stream.write_all(head(60_000, "").as_bytes()).await.unwrap();
        let early = until(&mut stream, "\r\n\r\n").await;
        assert!(status(&early) == 404 && !early.contains("connection: close"), "{early}");
        stream.write_all(&[&[b'x'; 60_000][..], next].concat()).await.unwrap();
        let later = rest(&mut stream).await;
        assert!(later.contains("HTTP/1.1 200") && later.ends_with("hello"), "{later}");
        // A long one, or one that waits to be asked for, ends the connection, and the answer says so.
        for head in [head(1 << 20, ""), head(8, "expect: 100-continue\r\n")] {
            let mut stream = desk.connect().await;
            stream.write_all(head.as_bytes()).await.unwrap();
            let answer = until(&mut stream, "\r\n\r\n").await;
            assert!(status(&answer) == 404 && answer.contains("connection: close"), "{answer}");
        }
    });
}

#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    run(async {
        let settings = Settings { max_connections: 1, write_timeout: SOON, ..Settings::default() };
        let desk = Desk::open(settings).await;
        let mut stream = desk.connect().await;
        stream.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        // The head shows that the connection has the only place.
        until(&mut stream, "\r\n\r\n").await;
        while desk.get("/").await.is_empty() {}
    });
}

#[test]
fn open_requests_end_before_the_server_does() {
    run(async {
        let desk = Desk::open(Settings::default()).await;
        let mut waiting = desk.connect().await;
        waiting.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        desk.entered.notified().await;
        let mut idle = holder(&desk).await;
        desk.stop.send(true).unwrap();
        assert_eq!(rest(&mut idle).await, "");
        while TcpStream::connect(desk.address).await.is_ok() {}
        assert!(!desk.served.is_finished());
        desk.go.notify_one();
        assert!(rest(&mut waiting).await.ends_with("done"));
        desk.served.await.unwrap();
    });
}

#[test]
fn a_request_that_never_ends_does_not_hold_the_server() {
    run(async {
        let desk = Desk::open(Settings { drain: SOON, ..Settings::default() }).await;
        let mut waiting = desk.connect().await;
        waiting.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        desk.entered.notified().await;
        desk.stop.send(true).unwrap();
        desk.served.await.unwrap();
        assert_eq!(rest(&mut waiting).await, "");
    });
}

#[test]
fn http2_is_spoken_by_prior_knowledge() {
    run(async {
        let desk = Desk::open(Settings::default()).await;
        assert_eq!(h2_get(desk.connect().await, "/client").await, "127.0.0.1 false 0");
    });
}

/// One GET over HTTP/2.
pub(crate) async fn h2_get<T>(transport: T, path: &str) -> String
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut client, connection) = h2::client::handshake(transport).await.unwrap();
    tokio::spawn(connection);
    let request = axum::http::Request::get(format!("http://x{path}")).body(()).unwrap();
    let (response, _) = client.send_request(request, true).unwrap();
    let mut body = response.await.unwrap().into_body();
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        all.extend_from_slice(&data.unwrap());
    }
    String::from_utf8(all).unwrap()
}
