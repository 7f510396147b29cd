//! Cutting a stream into messages: any split, any garbage, bounded memory.

use decalog_fix::codec::{Framer, TooLarge};
use proptest::prelude::*;

use crate::script::{framed, from_client, message, shown};

fn all(stream: &[u8]) -> Vec<String> {
    let mut framer = Framer::new(4096);
    framer.push(stream);
    framed(&mut framer)
}

#[test]
fn a_stream_split_at_every_byte_gives_the_same_messages() {
    let messages =
        [from_client("0", 2, ""), from_client("1", 3, "112=HELLO|"), from_client("D", 4, "95=3|96=a\x01b|")];
    let stream: Vec<u8> = messages.concat();
    let whole: Vec<String> = messages.iter().map(|message| shown(message)).collect();
    assert_eq!(all(&stream), whole);
    for cut in 0..=stream.len() {
        let mut framer = Framer::new(4096);
        let mut seen = Vec::new();
        for part in [&stream[..cut], &stream[cut..]] {
            framer.push(part);
            seen.extend(framed(&mut framer));
        }
        assert_eq!(seen, whole, "cut at {cut}");
    }
    let mut framer = Framer::new(4096);
    let drop_by_drop: Vec<String> = stream
        .iter()
        .flat_map(|byte| {
            framer.push(&[*byte]);
            framed(&mut framer)
        })
        .collect();
    assert_eq!(drop_by_drop, whole);
    assert_eq!(framer.pending(), 0);
}

#[test]
fn a_wrong_checksum_skips_the_message_alone() {
    wrong_checksum_is_skipped();
}

/// Also played with the guarantee taken out.
pub(crate) fn wrong_checksum_is_skipped() {
    let good = from_client("0", 3, "");
    for checksum in ["256", "7", "0000", "abc", "-12", "000"] {
        let mut bad = from_client("0", 2, "");
        bad.truncate(bad.len() - 7);
        bad.extend(format!("10={checksum}\x01").bytes());
        assert_eq!(
            all(&[bad, good.clone()].concat()),
            ["?CheckSum".to_owned(), shown(&good)],
            "10={checksum}"
        );
    }
}

#[test]
fn a_wrong_length_takes_what_it_claims() {
    let good = from_client("0", 3, "");
    let with_length = |length: &str| {
        let text = shown(&from_client("0", 2, ""));
        let (head, rest) = text.split_once("|35").unwrap();
        let begin = head.split_once("9=").unwrap().0;
        format!("{begin}9={length}|35{rest}").replace('|', "\x01").into_bytes()
    };
    assert_eq!(all(&[with_length("10"), good.clone()].concat()), ["?BodyLength".to_owned(), shown(&good)]);
    // Too long: it swallows the next message, and the one after it stands.
    let swallowed = [with_length("80"), good.clone(), good.clone()].concat();
    assert_eq!(all(&swallowed), ["?BodyLength".to_owned(), shown(&good)]);
    for nonsense in ["x", "", "-5", "12345678901"] {
        let seen = all(&[with_length(nonsense), good.clone()].concat());
        assert_eq!(seen.last(), Some(&shown(&good)), "9={nonsense}");
        assert!(seen.len() > 1);
    }
}

#[test]
fn the_first_three_fields_have_their_places() {
    let good = shown(&from_client("0", 9, ""));
    let stream = [message("34=2|35=0|49=CLIENT|56=EXCHANGE"), from_client("0", 9, "")].concat();
    assert_eq!(all(&stream), ["?Opening".to_owned(), good.clone()]);
    let stream = [b"35=0\x018=FIX.4.4\x0134=2\x0110=121\x01".to_vec(), from_client("0", 9, "")].concat();
    assert_eq!(all(&stream).last(), Some(&good));
}

#[test]
fn more_than_the_limit_is_refused_within_bounded_memory() {
    let limit = 1000;
    let mut framer = Framer::new(limit);
    framer.push(&from_client("0", 2, &format!("112={}|", "x".repeat(2000))));
    assert!(matches!(framer.next_frame(), Err(TooLarge { limit: 1000 })));

    let mut endless = Framer::new(limit);
    endless.push(b"8=FIX.4.4\x019=500\x0135=0\x01");
    let mut refused = false;
    for _ in 0..100 {
        endless.push(&[b'x'; 100]);
        refused |= endless.next_frame().is_err();
        if refused {
            break;
        }
    }
    assert!(refused, "a message that never ends is given up");
    assert!(endless.pending() < 2 * limit);
}

proptest! {
    #[test]
    fn random_bytes_never_stop_the_next_message(garbage in proptest::collection::vec(any::<u8>(), 0..300)) {
        // What may look like the opening of a long message is left out: it would rightly wait for its end.
        prop_assume!(!garbage.windows(2).any(|pair| pair == b"8="));
        let good = from_client("0", 2, "");
        let mut stream = garbage;
        if stream.last() == Some(&b'8') { stream.push(b' '); }
        stream.extend(&good);
        prop_assert_eq!(all(&stream), vec![shown(&good)]);
    }

    #[test]
    fn damaged_messages_neither_panic_nor_grow(at in 0usize..60, byte in any::<u8>(), cut in 0usize..80) {
        let mut stream = from_client("1", 2, "112=HELLO|");
        let place = at % stream.len();
        stream[place] = byte;
        stream.truncate(stream.len().saturating_sub(cut));
        let mut framer = Framer::new(256);
        for _ in 0..20 {
            framer.push(&stream);
            while let Ok(Some(_)) = framer.next_frame() {}
            if framer.next_frame().is_err() { break; }
        }
        prop_assert!(framer.pending() <= 256 + 4 * 120);
    }
}
