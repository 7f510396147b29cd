//! Which addresses are the public network's, and what the others are for. From IANA's registries of special-purpose
//! addresses (RFC 6890 and what followed it); an IPv6 address that stands for an IPv4 one is looked at as that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 networks that are not the public network's: first address, prefix length, and what they are for.
const V4: [(Ipv4Addr, u32, &str); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "an unspecified address"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "a private address"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "a carrier's shared address"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "a loopback address"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "a link-local address"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "a private address"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "a protocol's own address"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "an address for documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a 6to4 relay's address"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "a private address"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "an address for benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "an address for documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "an address for documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "a multicast address"),
    // The broadcast address is its last.
    (Ipv4Addr::new(240, 0, 0, 0), 4, "a reserved or broadcast address"),
];

const fn v6(first: u16, second: u16) -> Ipv6Addr {
    Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0)
}

/// IPv6 networks that are not the public network's; the first that fits counts. Global unicast is 2000::/3, so whatever is
/// outside of it is refused even when nothing here names it.
const V6: [(Ipv6Addr, u32, &str); 12] = [
    (Ipv6Addr::UNSPECIFIED, 128, "an unspecified address"),
    (Ipv6Addr::LOCALHOST, 128, "a loopback address"),
    // ::/96, what is left of "IPv4-compatible" addresses (RFC 4291 section 2.5.5.1).
    (Ipv6Addr::UNSPECIFIED, 96, "an IPv4-compatible address"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "a private NAT64 address"),
    (v6(0x100, 0), 64, "a discarded address"),
    // Teredo, ORCHID and benchmarks among them.
    (v6(0x2001, 0), 23, "a protocol's own address"),
    (v6(0x2001, 0xdb8), 32, "an address for documentation"),
    (v6(0x3fff, 0), 20, "an address for documentation"),
    (v6(0xfc00, 0), 7, "a unique-local address"),
    (v6(0xfe80, 0), 10, "a link-local address"),
    (v6(0xfec0, 0), 10, "a site-local address"),
    (v6(0xff00, 0), 8, "a multicast address"),
];

/// What the address is, if it is not the public network's.
pub(crate) fn not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => v4_is(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => v4_is(inner),
            None => v6_is(address),
        },
    }
}

fn v4_is(address: Ipv4Addr) -> Option<&'static str> {
    let inside = |(network, prefix, _): &&(Ipv4Addr, u32, _)| {
        (address.to_bits() ^ network.to_bits()).checked_shr(32 - prefix).unwrap_or(0) == 0
    };
    V4.iter().find(inside).map(|(_, _, what)| *what)
}

fn v6_is(address: Ipv6Addr) -> Option<&'static str> {
    let inside = |(network, prefix, _): &&(Ipv6Addr, u32, _)| {
        (address.to_bits() ^ network.to_bits()).checked_shr(128 - prefix).unwrap_or(0) == 0
    };
    let named = V6.iter().find(inside).map(|(_, _, what)| *what);
    named.or_else(|| (address.segments()[0] >> 13 != 1).then_some("not a global address"))
}

/// The IPv4 address that an IPv6 address leads to: mapped (RFC 4291), NAT64 (RFC 6052), 6to4 (RFC 3056).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let pair = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => Some(pair(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(pair(high, low)),
        [0x2002, high, low, ..] => Some(pair(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> Option<&'static str> {
        not_public(text.parse().unwrap())
    }

    #[test]
    fn each_special_network_is_refused_from_its_first_address_to_its_last() {
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("224.0.0.0", "255.255.255.255"),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fe80::", "febf::ffff"),
            ("ff00::", "ffff::"),
            ("2001:db8::", "2001:db8:ffff::1"),
            ("3fff::", "3fff:fff:ffff::"),
            ("::", "::1"),
            ("::7f00:1", "::808:808"),
            ("64:ff9b:1::", "64:ff9b:1:ffff::1"),
            ("4000::", "fbff::"),
            ("1::", "1fff::"),
        ] {
            assert!(refused(first).is_some() && refused(last).is_some(), "{first} to {last}");
        }
        assert_eq!(refused("169.254.169.254"), Some("a link-local address"));
        assert_eq!(refused("fd00:ec2::254"), Some("a unique-local address"));
    }

    #[test]
    fn what_lies_beside_them_is_public() {
        for text in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2000::",
            "2001:200::1",
            "2001:db7::1",
            "2001:db9::",
            "2606:4700::1111",
            "3ffe::1",
        ] {
            assert_eq!(refused(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_the_standard_library_knows_is_refused(bits: u32, near in 0usize..8) {
            // Near the networks, where a random address seldom falls.
            let first = ["10.0", "127.0", "169.254", "172.16", "192.168", "203.0", "224.0", "255.255"][near];
            let [.., c, d] = bits.to_be_bytes();
            let near: Ipv4Addr = format!("{first}.{c}.{d}").parse().unwrap();
            for address in [near, Ipv4Addr::from_bits(bits)] {
                let special = address.is_private() || address.is_loopback() || address.is_link_local()
                    || address.is_broadcast() || address.is_documentation() || address.is_unspecified()
                    || address.is_multicast();
                prop_assert!(!special || not_public(address.into()).is_some(), "{address}");
            }
        }

        #[test]
        fn an_address_is_what_it_stands_for_in_every_form(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let [a, b, c, d] = address.octets();
            for form in [
                format!("::ffff:{address}"),
                format!("64:ff9b::{address}"),
                format!("2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1"),
            ] {
                let form: IpAddr = form.parse().unwrap();
                prop_assert_eq!(not_public(form), not_public(address.into()), "{}", form);
            }
        }
    }
}
