//! Who may say whose request it is.

use decalog_gateway::client::{Proxies, Source};
use decalog_gateway::server::Settings;

use crate::desk::{Desk, SOON, run, status};

fn settings(networks: &[&str], source: Source) -> Settings {
    let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
    Settings { proxies: Proxies { networks, source }, head_timeout: SOON, ..Settings::default() }
}

const GET: &str = "GET /client HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";

#[test]
fn a_trusted_balancer_names_the_client() {
    run(async {
        let desk = Desk::open(settings(&["127.0.0.0/8"], Source::ProxyProtocol)).await;
        let text = format!("PROXY TCP4 198.51.100.1 203.0.113.1 5000 443\r\n{GET}\r\n");
        let answer = desk.say(text.as_bytes()).await;
        assert!(answer.ends_with("198.51.100.1 false 0"), "{answer}");
        let binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x02\xcb\0\x71\x01\0\x01\0\x02";
        let answer = desk.say(&[binary, GET.as_bytes(), b"\r\n"].concat()).await;
        assert!(answer.ends_with("198.51.100.2 false 0"), "{answer}");
        // It must say so on every connection.
        for opening in ["", "PROXY TCP4 1.2.3.4", "PROXY NONSENSE\r\n"] {
            assert_eq!(desk.say(format!("{opening}{GET}\r\n").as_bytes()).await, "", "{opening}");
        }
    });
}

#[test]
fn one_address_behind_a_balancer_has_its_own_cap() {
    run(async {
        let limits = settings(&["127.0.0.0/8"], Source::ProxyProtocol);
        let desk =
            Desk::open(Settings { max_connections_per_address: 1, head_timeout: SOON * 100, ..limits }).await;
        let from = |client: &str, path: &str| {
            format!("PROXY TCP4 {client} 203.0.113.1 5000 443\r\n{}\r\n", GET.replace("/client", path))
        };
        let mut waiting = desk.connect().await;
        tokio::io::AsyncWriteExt::write_all(&mut waiting, from("198.51.100.1", "/wait").as_bytes())
            .await
            .unwrap();
        desk.entered.notified().await;
        assert_eq!(desk.say(from("198.51.100.1", "/client").as_bytes()).await, "");
        assert_eq!(status(&desk.say(from("198.51.100.2", "/client").as_bytes()).await), 200);
    });
}

#[test]
pub(crate) fn a_stranger_cannot_name_the_client() {
    run(async {
        let desk = Desk::open(settings(&["10.0.0.0/8"], Source::ProxyProtocol)).await;
        let text = format!("PROXY TCP4 198.51.100.1 203.0.113.1 5000 443\r\n{GET}\r\n");
        let answer = desk.say(text.as_bytes()).await;
        assert!(!answer.contains("198.51.100.1") && status(&answer) == 400, "{answer}");
        let desk = Desk::open(settings(&["10.0.0.0/8"], Source::XForwardedFor)).await;
        let answer = desk.say(format!("{GET}x-forwarded-for: 198.51.100.1\r\n\r\n").as_bytes()).await;
        assert!(answer.ends_with("127.0.0.1 false 0"), "{answer}");
    });
}

#[test]
fn a_trusted_proxy_names_the_client_in_its_own_header_only() {
    run(async {
        let desk = Desk::open(settings(&["127.0.0.1"], Source::XForwardedFor)).await;
        let lines = "x-forwarded-for: 1.2.3.4, 198.51.100.1\r\nforwarded: for=1.2.3.4\r\n";
        let answer = desk.say(format!("{GET}{lines}\r\n").as_bytes()).await;
        assert!(answer.ends_with("198.51.100.1 false 0"), "{answer}");
    });
}
