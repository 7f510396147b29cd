//! Which relying party this server is: told by its issuer.

/// The relying party: what passkeys are bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    /// The RP ID: the issuer's host name.
    pub id: String,
    /// The origin of its pages: scheme, host and, where it is not the scheme's own, port.
    pub origin: String,
}

impl RelyingParty {
    /// The relying party of an issuer. `None` where browsers know no passkeys: when the host is an address and no name
    /// (an RP ID is a domain, §5.1.2), and without TLS unless the host is `localhost` (no secure context).
    pub fn of(issuer: &str) -> Option<RelyingParty> {
        let (scheme, rest) = issuer.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase();
        let (host, port) = match authority.split_once(':') {
            None => (authority.as_str(), None),
            Some((host, port)) => (host, Some(port.parse::<u16>().ok()?)),
        };
        let usual = match scheme.as_str() {
            "https" => 443,
            "http" if host == "localhost" || host.ends_with(".localhost") => 80,
            _ => return None,
        };
        if !is_domain(host) {
            return None;
        }
        let origin = match port {
            Some(port) if port != usual => format!("{scheme}://{host}:{port}"),
            _ => format!("{scheme}://{host}"),
        };
        Some(RelyingParty { id: host.to_owned(), origin })
    }
}

/// A host name; one whose last label is a number is an IPv4 address (URL Standard, host parsing).
fn is_domain(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= 253 && host.split('.').all(label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_says_it() {
        for (issuer, id, origin) in [
            ("https://id.example.org", "id.example.org", "https://id.example.org"),
            ("https://ID.example.org:443/decalog", "id.example.org", "https://id.example.org"),
            ("https://id.example.org:8443", "id.example.org", "https://id.example.org:8443"),
            ("http://localhost:8080", "localhost", "http://localhost:8080"),
            ("http://id.localhost", "id.localhost", "http://id.localhost"),
        ] {
            let expected = RelyingParty { id: id.to_owned(), origin: origin.to_owned() };
            assert_eq!(RelyingParty::of(issuer), Some(expected), "{issuer}");
        }
    }

    #[test]
    fn addresses_and_plain_http_know_no_passkeys() {
        for issuer in [
            "http://127.0.0.1:8080",
            "https://127.0.0.1",
            "https://[::1]:8443",
            "http://id.example.org",
            "http://evillocalhost",
            "https://you@id.example.org",
            "https://id..example.org",
            "https://id.example.org:x",
            "https://",
            "ftp://id.example.org",
            "id.example.org",
        ] {
            assert_eq!(RelyingParty::of(issuer), None, "{issuer}");
        }
    }
}
