//! The PROXY protocol: the header by which a load balancer says whose connection it passes on.
//!
//! Versions 1 (text) and 2 (binary) of <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>. Pure: bytes in, an
//! address out. Who may send one is not decided here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest header of version 1, CR LF included (section 2.1).
const TEXT_MAX: usize = 107;
/// The longest header of version 2 that is read: addresses and a kibibyte of extensions.
const BINARY_MAX: usize = 16 + 36 + 1024;

/// What the bytes so far are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// A header may be coming.
    More,
    /// A header of `length` bytes. No address when the proxy speaks for itself (a health check) or does not know.
    Header { length: usize, source: Option<IpAddr> },
    /// None.
    Invalid,
}

/// Reads a header from the first bytes of a connection.
pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    let signed = bytes.len().min(SIGNATURE.len());
    if bytes[..signed] == SIGNATURE[..signed] { binary(bytes) } else { text(bytes) }
}

fn binary(bytes: &[u8]) -> Parsed {
    let Some(head) = bytes.get(12..16) else { return Parsed::More };
    let length = 16 + usize::from(u16::from_be_bytes([head[2], head[3]]));
    if head[0] >> 4 != 2 || length > BINARY_MAX {
        return Parsed::Invalid;
    }
    let Some(body) = bytes.get(16..length) else { return Parsed::More };
    let source = match (head[0] & 0xf, head[1]) {
        (0, _) => None,
        (1, 0x11) => match body.first_chunk::<4>() {
            Some(address) if body.len() >= 12 => Some(IpAddr::V4(Ipv4Addr::from(*address))),
            _ => return Parsed::Invalid,
        },
        (1, 0x21) => match body.first_chunk::<16>() {
            Some(address) if body.len() >= 36 => Some(IpAddr::V6(Ipv6Addr::from(*address)).to_canonical()),
            _ => return Parsed::Invalid,
        },
        (1, _) => None,
        _ => return Parsed::Invalid,
    };
    Parsed::Header { length, source }
}

fn text(bytes: &[u8]) -> Parsed {
    let known = bytes.len().min(6);
    if bytes[..known] != b"PROXY "[..known] {
        return Parsed::Invalid;
    }
    let Some(end) = bytes.iter().take(TEXT_MAX).position(|byte| *byte == b'\n') else {
        return if bytes.len() < TEXT_MAX { Parsed::More } else { Parsed::Invalid };
    };
    let line = std::str::from_utf8(&bytes[..end]).ok().and_then(|line| line.strip_suffix('\r'));
    let length = end + 1;
    let words: Vec<&str> = line.unwrap_or_default().split(' ').collect();
    match words[..] {
        ["PROXY", "UNKNOWN", ..] => Parsed::Header { length, source: None },
        ["PROXY", family @ ("TCP4" | "TCP6"), source, target, from, to] => {
            let ports = from.parse::<u16>().is_ok() && to.parse::<u16>().is_ok();
            let addresses = source.parse::<IpAddr>().ok().zip(target.parse::<IpAddr>().ok());
            match addresses.filter(|(source, _)| ports && source.is_ipv4() == (family == "TCP4")) {
                Some((source, _)) => Parsed::Header { length, source: Some(source.to_canonical()) },
                None => Parsed::Invalid,
            }
        }
        _ => Parsed::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary_header(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[0x20 | command, family], &length, body].concat()
    }

    /// Each shorter prefix asks for more; what follows the header is left alone.
    fn check(header: &[u8], source: Option<&str>) {
        for end in 0..header.len() {
            assert_eq!(parse(&header[..end]), Parsed::More, "{end}");
        }
        let with_rest = [header, b"GET / HTTP/1.1\r\n"].concat();
        let source = source.map(|text| text.parse().unwrap());
        assert_eq!(parse(&with_rest), Parsed::Header { length: header.len(), source });
    }

    #[test]
    fn both_versions_name_the_client() {
        check(b"PROXY TCP4 198.51.100.1 203.0.113.1 5000 443\r\n", Some("198.51.100.1"));
        check(b"PROXY TCP6 2001:db8::1 2001:db8::2 5000 443\r\n", Some("2001:db8::1"));
        check(b"PROXY UNKNOWN\r\n", None);
        let addresses = [198, 51, 100, 1, 203, 0, 113, 1, 0, 1, 0, 2];
        check(&binary_header(1, 0x11, &addresses), Some("198.51.100.1"));
        check(&binary_header(1, 0x11, &[&addresses[..], b"extension"].concat()), Some("198.51.100.1"));
        let six = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1], &[0; 20]].concat();
        check(&binary_header(1, 0x21, &six), Some("2001:db8::1"));
        check(&binary_header(0, 0, &[]), None);
    }

    #[test]
    fn what_is_no_header_is_told_at_once() {
        let long = [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 200]].concat();
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 198.51.100.1 203.0.113.1 5000\r\n",
            b"PROXY TCP4 2001:db8::1 2001:db8::2 5000 443\r\n",
            b"PROXY TCP4 198.51.100.1 203.0.113.1 5000 99999\r\n",
            b"PROXY TCP4 198.51.100.1 203.0.113.1 5000 443\n",
            b"PROXY TCP9 a b c d\r\n",
            &long,
            &binary_header(1, 0x11, &[1, 2, 3]),
            &binary_header(2, 0x11, &[0; 12]),
            &binary_header(1, 0x11, &[0; 2_000]),
        ] {
            assert_eq!(parse(bytes), Parsed::Invalid, "{bytes:?}");
        }
    }
}
