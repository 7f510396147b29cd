//! Where calls may go: to addresses of the public network, and to what the operator has named.
//!
//! An address is looked at when it is about to be connected to: a literal one in the URL, before the request is sent; a
//! name's, between its resolution and the connection, which then goes to that very address. So a name that resolves to
//! something else the next time (DNS rebinding) gains nothing.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use decalog_gateway::client::Network;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::not_public;
use crate::error::OutboundError;
use crate::sabotage::{Sabotage, lacks};

/// The longest name of a host (RFC 1035 section 2.3.4).
const HOST_BYTES: usize = 253;

/// Something that calls may reach although it is not on the public network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Every address of it.
    Network(Network),
    /// A host by its name, whatever it resolves to.
    Host(String),
}

/// Why a text allows nothing.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is neither a network like \"10.0.0.0/8\" nor the name of a host like \"store.internal\"")]
pub struct NothingAllowed(String);

impl FromStr for Allowed {
    type Err = NothingAllowed;

    fn from_str(text: &str) -> Result<Self, NothingAllowed> {
        if let Ok(network) = text.parse() {
            return Ok(Self::Network(network));
        }
        let host = plain(text);
        let labels = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        // A last label of digits would be an address in a URL: "10.0.0.300", "0x7f.1".
        let named = host
            .rsplit('.')
            .next()
            .is_some_and(|last| last.bytes().next().is_some_and(|first| !first.is_ascii_digit()));
        let is_host = host.len() <= HOST_BYTES && named && host.split('.').all(labels);
        if is_host { Ok(Self::Host(host)) } else { Err(NothingAllowed(text.to_owned())) }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Host(host) => f.write_str(host),
        }
    }
}

/// A host's name as it is compared: lower case, without the root's dot.
fn plain(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// An IPv6 address without its brackets; any other host as it is.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

/// Where calls may go.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// What may be reached beside the public network.
    pub allowed: Vec<Allowed>,
    /// May `http://` be asked, too? Otherwise only `https://` is.
    pub plain_http: bool,
}

/// An address that is not reached.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{host} is at {address}, {what}, where calls do not go: name the host or its network in outbound.allow if they should"
)]
pub struct Forbidden {
    /// The host that was asked for.
    pub host: String,
    /// Its address.
    pub address: IpAddr,
    /// What the address is.
    pub what: &'static str,
}

impl Guard {
    /// This, and a server that the operator has named by a URL: its host may be at any address, and plain http may be asked
    /// when the URL says so.
    pub fn naming(mut self, url: &str) -> Result<Self, OutboundError> {
        let url = crate::transport::parse(url)?;
        let unnamed = || OutboundError::Url { url: origin(&url), reason: "it names no host" };
        let host = bare(url.host_str().ok_or_else(unnamed)?);
        self.allowed.push(host.parse().map_err(|_| unnamed())?);
        self.plain_http |= url.scheme() == "http";
        Ok(self)
    }

    /// May this be asked, as far as the URL tells? The addresses of a name are looked at once it is resolved.
    pub(crate) fn check(&self, url: &Url) -> Result<(), OutboundError> {
        let refused = |reason: &'static str| OutboundError::Url { url: origin(url), reason };
        match url.scheme() {
            "https" => {}
            "http" if self.plain_http => {}
            "http" => return Err(refused("plain http is not asked; outbound.plain_http allows it")),
            _ => return Err(refused("only https and http are asked")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("a URL with a user's name or password is not asked"));
        }
        let host =
            url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| refused("it names no host"))?;
        // The parser has turned every spelling of an IPv4 address ("0x7f.1", "2130706433") into the usual one.
        match bare(host).parse() {
            Ok(address) => Ok(self.check_address(host, address)?),
            Err(_) => Ok(()),
        }
    }

    /// May this address of this host be connected to?
    fn check_address(&self, host: &str, address: IpAddr) -> Result<(), Forbidden> {
        let Some(what) = not_public(address) else { return Ok(()) };
        let named = self.allowed.iter().any(|allowed| match allowed {
            Allowed::Network(network) => network.contains(address),
            Allowed::Host(name) => *name == plain(host),
        });
        if named || lacks(Sabotage::AddressUnchecked) {
            return Ok(());
        }
        Err(Forbidden { host: host.to_owned(), address, what })
    }
}

/// Scheme, host and port: what may be shown of a URL, whose path and query may hold secrets.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Resolves names by another resolver and gives on only the addresses that may be connected to.
pub(crate) struct Checked {
    pub(crate) guard: Arc<Guard>,
    pub(crate) names: Arc<dyn Resolve>,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, host) = (Arc::clone(&self.guard), name.as_str().to_owned());
        let resolving = self.names.resolve(name);
        Box::pin(async move {
            let mut forbidden = None;
            let allowed: Vec<SocketAddr> = resolving
                .await?
                .filter(|address| match guard.check_address(&host, address.ip()) {
                    Ok(()) => true,
                    Err(refusal) => {
                        forbidden = Some(refusal);
                        false
                    }
                })
                .collect();
            match forbidden {
                Some(refusal) if allowed.is_empty() => Err(refusal.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

/// The operating system's resolver.
pub(crate) struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_a_network_or_a_host() {
        for text in ["10.0.0.0/8", "fd00::/8", "192.0.2.7/32", "store.internal", "localhost", "a_b.example"] {
            assert_eq!(text.parse::<Allowed>().unwrap().to_string(), text);
        }
        assert_eq!("Store.Internal.".parse(), Ok(Allowed::Host("store.internal".to_owned())));
        for text in [
            "",
            ".",
            "10.0.0.1/8",
            "10.0.0.300",
            "0x7f.1",
            "http://host",
            "host:80",
            "a..b",
            "*.internal",
            "a b",
        ] {
            assert!(text.parse::<Allowed>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_server_that_the_operator_names_is_reached_and_no_neighbour() {
        for (named, inside, outside) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/x", "http://127.0.0.2:9000/"),
            ("http://[::1]:9000/", "http://[::1]/", "http://[::2]/"),
            ("https://10.0.0.1/v1", "https://10.0.0.1/", "http://10.0.0.1/"),
        ] {
            let guard = Guard::default().naming(named).unwrap();
            assert!(guard.check(&inside.parse().unwrap()).is_ok(), "{inside}");
            assert!(guard.check(&outside.parse().unwrap()).is_err(), "{outside}");
        }
        let guard = Guard::default().naming("https://store.internal").unwrap();
        assert!(guard.check_address("STORE.internal", [10, 0, 0, 1].into()).is_ok());
        assert!(guard.check_address("other.internal", [10, 0, 0, 1].into()).is_err());
        assert!(Guard::default().naming("data:x").is_err() && Guard::default().naming("").is_err());
    }

    #[test]
    fn a_url_is_refused_for_what_it_says() {
        let guard = Guard {
            plain_http: true,
            allowed: vec!["10.1.0.0/16".parse().unwrap(), "127.0.0.9".parse().unwrap()],
        };
        let check = |guard: &Guard, url: &str| guard.check(&url.parse().unwrap());
        for url in [
            "https://example.org/x",
            "http://example.org",
            "https://1.1.1.1/",
            "http://10.1.2.3:80/",
            "http://[::ffff:10.1.0.1]/",
        ] {
            assert!(check(&guard, url).is_ok(), "{url}");
        }
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://017700000001/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[64:ff9b::10.0.0.1]/",
            "http://[2002:7f00:1::]/",
            "http://169.254.169.254/latest/meta-data",
            "http://0/",
            "http://10.2.0.0/",
            "http://127.0.0.1./",
            "http://１２７.0.0.1/",
        ] {
            assert!(
                matches!(check(&guard, url), Err(OutboundError::Forbidden(_))),
                "{url}: {:?}",
                check(&guard, url)
            );
        }
        for url in [
            "ftp://example.org/",
            "file:///etc/passwd",
            "https://user@example.org/",
            "https://a:b@example.org/",
            "data:x",
        ] {
            assert!(matches!(check(&guard, url), Err(OutboundError::Url { .. })), "{url}");
        }
        assert!(check(&Guard::default(), "http://example.org/").is_err());
        assert!(check(&Guard::default(), "https://example.org/").is_ok());
    }
}
