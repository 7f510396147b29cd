//! Requests that two servers could read in two ways, and heads that are too much.

use decalog_gateway::server::Settings;

use crate::desk::{Desk, run, status};

/// How often a request that was hidden in a body was answered.
fn smuggled(answer: &str) -> bool {
    answer.matches("HTTP/1.1 ").count() > 1
}

#[test]
fn a_request_that_can_be_read_in_two_ways_is_refused() {
    run(async {
        let desk = Desk::open(Settings::default()).await;
        let hidden = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        for head in [
            "content-length: 5\r\ncontent-length: 27",
            "content-length: 5, 27",
            "content-length: +0",
            "content-length: 0x0",
            "content-length: -1",
            "transfer-encoding: xchunked",
            "transfer-encoding: chunked, gzip",
            "transfer-encoding : chunked",
            "folded: a\r\n b",
            "transfer-encoding:\r\n chunked",
            "host: y",
            "a\0b: c",
            ": empty",
        ] {
            let request = format!("POST /length HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n0\r\n\r\n{hidden}");
            let answer = desk.say(request.as_bytes()).await;
            assert_eq!(status(&answer), 400, "{head}: {answer}");
            assert!(!smuggled(&answer), "{head}: {answer}");
        }
        assert_eq!(status(&desk.say(b"GET / HTTP/1.1\r\n\r\n").await), 400);
        // With both framings the chunks count, and nothing after them.
        for both in [
            "transfer-encoding: chunked\r\ncontent-length: 4",
            "content-length: 4\r\ntransfer-encoding: chunked",
        ] {
            let request = format!("POST /length HTTP/1.1\r\nhost: x\r\n{both}\r\n\r\n0\r\n\r\n{hidden}");
            let answer = desk.say(request.as_bytes()).await;
            assert!(!smuggled(&answer), "{both}: {answer}");
        }
        for chunk in ["ffffffffffffffff1\r\n", "-1\r\n", "g\r\n", "0x5\r\nhello\r\n"] {
            let request = format!(
                "POST /length HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{chunk}0\r\n\r\n{hidden}"
            );
            let answer = desk.say(request.as_bytes()).await;
            assert!(status(&answer) != 200 && !smuggled(&answer), "{chunk}: {answer}");
        }
    });
}

#[test]
fn an_honest_body_arrives_in_both_framings() {
    run(async {
        let desk = Desk::open(Settings::default()).await;
        for framed in [
            "content-length: 5\r\nconnection: close\r\n\r\nhello",
            "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ] {
            let answer = desk.say(format!("POST /length HTTP/1.1\r\nhost: x\r\n{framed}").as_bytes()).await;
            assert!(status(&answer) == 200 && answer.ends_with("5"), "{answer}");
        }
    });
}

#[test]
fn a_head_that_is_too_much_is_refused() {
    run(async {
        let desk = Desk::open(Settings { max_head_bytes: 8 * 1024, ..Settings::default() }).await;
        let many = "a: b\r\n".repeat(200);
        let large = format!("a: {}\r\n", "b".repeat(10_000));
        let endless = format!("a: {}", "b".repeat(1 << 20));
        for headers in [&many, &large, &endless] {
            let answer = desk.say(format!("GET / HTTP/1.1\r\nhost: x\r\n{headers}\r\n").as_bytes()).await;
            assert!(matches!(status(&answer), 431 | 0), "{answer}");
        }
        let answer = desk.get(&format!("/{}", "a".repeat(10_000))).await;
        assert!(matches!(status(&answer), 414 | 431 | 0), "{answer}");
        assert_eq!(status(&desk.get("/").await), 200);
    });
}
