//! Whose request it is, when proxies stand between: addresses, networks, and whom to believe.
//!
//! A header that names the client can be written by anybody. It counts only when the connection comes from a listed
//! proxy, and only in the one form that the operator says the proxies write: a proxy that sets `X-Forwarded-For` hands on
//! a `Forwarded` that the client made up.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName, header};

use crate::sabotage::{self, Sabotage};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Whose request it is: a request extension that the server sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// The address, as far as trusted proxies tell; an IPv4 address is never written in IPv6 form.
    pub address: IpAddr,
    /// Did the request reach this server by TLS?
    pub secure: bool,
}

impl Client {
    /// What limits count by: the address, or for IPv6 its /64, which is what one subscriber gets.
    pub fn key(&self) -> IpAddr {
        key(self.address)
    }
}

/// See [`Client::key`].
pub(crate) fn key(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Where the client's address comes from, when a trusted proxy stands before the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// The connection's own peer, always.
    #[default]
    Connection,
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// A PROXY protocol header, version 1 or 2, opens each connection of a trusted proxy.
    ProxyProtocol,
}

/// A network in CIDR form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: u128,
    prefix: u32,
}

/// Why a text is no network.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0:?} is no network: write an address and a prefix length with no bits set after it, like \"10.0.0.0/8\""
)]
pub struct NoNetwork(String);

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let refused = || NoNetwork(text.to_owned());
        let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = address.parse().map_err(|_| refused())?;
        let (longest, offset) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let prefix = match prefix {
            "" if text.contains('/') => return Err(refused()),
            "" => longest,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| refused())?
            }
            _ => return Err(refused()),
        };
        if prefix > longest {
            return Err(refused());
        }
        let network = Self { address: bits(address), prefix: prefix + offset };
        if network.address & !network.mask() == 0 { Ok(network) } else { Err(refused()) }
    }
}

impl Network {
    fn mask(self) -> u128 {
        u128::MAX.checked_shl(128 - self.prefix).unwrap_or(0)
    }

    /// Is the address in it?
    pub fn contains(self, address: IpAddr) -> bool {
        bits(address) & self.mask() == self.address
    }
}

/// IPv4 addresses stand in their IPv6-mapped place.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Ipv6Addr::from_bits(self.address).to_canonical() {
            IpAddr::V4(address) if self.prefix >= 96 => write!(f, "{address}/{}", self.prefix - 96),
            address => write!(f, "{address}/{}", self.prefix),
        }
    }
}

/// The proxies whose word on the client's address counts, and how they say it.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// Where they stand.
    pub networks: Vec<Network>,
    /// How they tell.
    pub source: Source,
}

impl Proxies {
    /// Is a peer at this address believed?
    pub fn trust(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.networks.iter().any(|network| network.contains(peer))
            || sabotage::lacks(Sabotage::EveryPeerTrusted)
    }

    /// The client of a request that this peer sent. Walks the list of addresses from its trusted end: the first that is no
    /// trusted proxy is the client; what stands before it is hearsay. What cannot be read ends the walk.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trust(client) {
            return client;
        }
        let name = match self.source {
            Source::Connection | Source::ProxyProtocol => return client,
            Source::XForwardedFor => X_FORWARDED_FOR,
            Source::Forwarded => header::FORWARDED,
        };
        let lines: Vec<&str> =
            headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("-")).collect();
        for element in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let node = match self.source {
                Source::Forwarded => forwarded_for(element),
                _ => Some(element),
            };
            let Some(address) = node.and_then(address) else { return client };
            client = address;
            if !self.networks.iter().any(|network| network.contains(client)) {
                return client;
            }
        }
        client
    }
}

/// The `for` of one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then(|| value.trim_matches('"'))
    })
}

/// An address, perhaps with a port; IPv6 with a port, and always in `Forwarded`, in brackets.
fn address(node: &str) -> Option<IpAddr> {
    let node = node.trim();
    let bare = node.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(node);
    let address = bare.parse::<IpAddr>().ok().or_else(|| Some(node.parse::<SocketAddr>().ok()?.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(source: Source) -> Proxies {
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().unwrap()).to_vec();
        Proxies { networks, source }
    }

    fn client(source: Source, peer: &str, lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        proxies(source).client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "255.0.0.1", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::/0", "::1", ""),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert!(parsed.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(outside.is_empty() || !parsed.contains(outside.parse().unwrap()), "{network} {outside}");
        }
        for text in ["", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0/8", "10.0.0.0/+8", "::/129", "a/8"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_a_trusted_peer_is_believed_and_only_in_its_own_form() {
        let line = [("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=198.51.100.2")];
        assert_eq!(client(Source::XForwardedFor, "203.0.113.9", &line), "203.0.113.9");
        assert_eq!(client(Source::Connection, "10.0.0.1", &line), "10.0.0.1");
        assert_eq!(client(Source::XForwardedFor, "10.0.0.1", &line), "198.51.100.1");
        assert_eq!(client(Source::XForwardedFor, "::ffff:10.0.0.1", &line), "198.51.100.1");
        assert_eq!(client(Source::Forwarded, "10.0.0.1", &line), "198.51.100.2");
    }

    #[test]
    fn what_a_client_wrote_before_the_proxies_is_hearsay() {
        let source = Source::XForwardedFor;
        for (lines, expected) in [
            (&["1.2.3.4, 198.51.100.1, 10.0.0.2"][..], "198.51.100.1"),
            (&["1.2.3.4", "198.51.100.1", "10.0.0.2"], "198.51.100.1"),
            (&["nonsense, 10.0.0.2"], "10.0.0.2"),
            (&["198.51.100.1, nonsense"], "10.0.0.1"),
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            (&[""], "10.0.0.1"),
            (&[], "10.0.0.1"),
            (&["[2001:db8::1]:443"], "2001:db8::1"),
            (&["198.51.100.1:443"], "198.51.100.1"),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
            assert_eq!(client(source, "10.0.0.1", &lines), expected, "{lines:?}");
        }
        let forwarded =
            [("forwarded", "for=unknown, For=\"[2001:db8::1]:8\";proto=https;by=10.0.0.1, for=10.0.0.2")];
        assert_eq!(client(Source::Forwarded, "10.0.0.1", &forwarded), "2001:db8::1");
        assert_eq!(client(Source::Forwarded, "10.0.0.1", &[("forwarded", "for=_hidden")]), "10.0.0.1");
    }
}
