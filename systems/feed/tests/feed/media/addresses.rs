//! Addresses of files: only the server's own are taken, and those that end do.

use decalog_feed::media::{Addresses, Holds};

const NOW: i64 = 1_700_000_000;
const NAME: &str = "00112233.png";

/// The code, the name and the end of an address.
fn parts(path: &str) -> (String, String, Option<i64>) {
    let (code, rest) = path.split_once('/').expect("a code");
    let (name, until) = match rest.split_once("?until=") {
        None => (rest, None),
        Some((name, until)) => (name, Some(until.parse().expect("an end"))),
    };
    (code.to_owned(), name.to_owned(), until)
}

#[test]
pub(crate) fn only_the_servers_own_addresses_are_taken() {
    let (own, other) = (Addresses::new(&[1; 32]), Addresses::new(&[2; 32]));
    let (open, _, _) = parts(&own.open(NAME));
    assert_eq!(own.check(&open, NAME, None, NOW), Some(Holds::ForEver));
    let (code, name, until) = parts(&own.ending(NAME, NOW));
    let until = until.expect("it ends");
    assert_eq!(own.check(&code, &name, Some(until), NOW), Some(Holds::For(until - NOW)));
    // Without its end, with another one, of another file, of another server, cut, or none at all.
    for (code, name, until) in [
        (code.as_str(), NAME, None),
        (&code, NAME, Some(until + 1)),
        (&code, "00112233.jpg", Some(until)),
        (&open, NAME, Some(until)),
        (&open, "00112234.png", None),
        (&code[1..], NAME, Some(until)),
        ("", NAME, None),
        ("*", NAME, None),
        (&parts(&other.open(NAME)).0, NAME, None),
    ] {
        assert_eq!(own.check(code, name, until, NOW), None, "{code} {name} {until:?}");
    }
}

#[test]
pub(crate) fn an_address_that_ends_holds_for_a_day_and_no_longer_than_a_quarter_more() {
    let own = Addresses::new(&[1; 32]);
    let mut seen = std::collections::BTreeSet::new();
    for now in (NOW..NOW + 86_400).step_by(600) {
        let (code, name, until) = parts(&own.ending(NAME, now));
        let until = until.expect("it ends");
        assert!((86_400..=86_400 + 21_600).contains(&(until - now)), "{}", until - now);
        assert!(own.check(&code, &name, Some(until), until - 1).is_some());
        assert_eq!(own.check(&code, &name, Some(until), until), None, "it has ended");
        seen.insert(code);
    }
    assert!(seen.len() <= 5, "the same for hours: {}", seen.len());
}
