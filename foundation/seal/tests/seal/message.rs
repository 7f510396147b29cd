//! Messages: what is sealed opens at its place only, unchanged only, and no pair of key and nonce comes twice.

use std::collections::BTreeSet;

use decalog_seal::{MESSAGE_OVERHEAD_BYTES, Opener, SealError, Sealer};
use proptest::prelude::*;

use crate::ring::{fresh, master};

#[test]
fn a_message_is_opened_as_it_was() {
    let (_folder, _, ring) = fresh();
    let sealer = Sealer::new(ring.clone(), "test").unwrap();
    proptest!(|(plain in proptest::collection::vec(any::<u8>(), 0..5000), place in any::<[u8; 9]>())| {
        let mut out = b"before".to_vec();
        let key = sealer.seal(&place, &plain, &mut out).unwrap();
        let sealed = &out[6..];
        prop_assert_eq!(sealed.len(), plain.len() + MESSAGE_OVERHEAD_BYTES);
        let (mut opener, mut opened) = (Opener::new(ring.clone(), "test"), Vec::new());
        prop_assert_eq!(opener.open(key, &place, sealed, &mut opened).unwrap(), &plain);
        if plain.len() > 8 {
            prop_assert!(!sealed.windows(plain.len()).any(|window| window == plain));
        }
    });
}

#[test]
pub(crate) fn every_flipped_bit_is_noticed() {
    let (_folder, _, ring) = fresh();
    let sealer = Sealer::new(ring.clone(), "test").unwrap();
    let mut opener = Opener::new(ring, "test");
    let (mut sealed, mut out) = (Vec::new(), Vec::new());
    let key = sealer.seal(b"place", b"a message", &mut sealed).unwrap();
    for at in 0..sealed.len() * 8 {
        sealed[at / 8] ^= 1 << (at % 8);
        let outcome = opener.open(key, b"place", &sealed, &mut out);
        assert!(
            matches!(outcome, Err(SealError::Broken { key: 1 })),
            "bit {at} was flipped and nobody noticed"
        );
        assert!(out.is_empty(), "what did not open is not given");
        sealed[at / 8] ^= 1 << (at % 8);
    }
    for length in 0..sealed.len() {
        assert!(opener.open(key, b"place", &sealed[..length], &mut out).is_err(), "cut at {length}");
    }
    assert_eq!(opener.open(key, b"place", &sealed, &mut out).unwrap(), b"a message");
}

#[test]
pub(crate) fn a_message_opens_at_its_place_only() {
    let (_folder, _, ring) = fresh();
    let sealer = Sealer::new(ring.clone(), "test").unwrap();
    let (mut sealed, mut out) = (Vec::new(), Vec::new());
    let key = sealer.seal(b"account 1", b"a message", &mut sealed).unwrap();
    let moved = Opener::new(ring.clone(), "test").open(key, b"account 2", &sealed, &mut out).is_err();
    assert!(moved, "moved bytes opened");
    let other_use =
        Opener::new(ring.clone(), "another use").open(key, b"account 1", &sealed, &mut out).is_err();
    assert!(other_use, "bytes sealed for another use opened");
    ring.rotate(&master(1)).unwrap();
    let other_key = Opener::new(ring, "test").open(2, b"account 1", &sealed, &mut out).is_err();
    assert!(other_key, "bytes opened under another key");
}

/// A key is derived from the data key and the salt; the nonce is the counter. So (key number, salt, counter) must
/// never come twice: not in one run, not over threads, restarts and rotations.
#[test]
pub(crate) fn no_nonce_comes_twice() {
    let (_folder, path, ring) = fresh();
    let mut seen = BTreeSet::new();
    for round in 0..20 {
        // A start of the process.
        let ring = std::sync::Arc::new(decalog_seal::KeyRing::open(&path, &master(1)).unwrap());
        let sealer = Sealer::new(ring.clone(), "test").unwrap();
        if round % 5 == 4 {
            ring.rotate(&master(1)).unwrap();
        }
        let fronts = |count| {
            let mut fronts = Vec::new();
            for _ in 0..count {
                let mut out = Vec::new();
                // The same bytes at the same place, as after a write that failed.
                let key = sealer.seal(b"place", b"same", &mut out).unwrap();
                fronts.push((key, out[..24].to_vec()));
            }
            fronts
        };
        let own = fronts(50);
        let others = std::thread::scope(|scope| {
            // Not sabotaged, as that is of one thread; the test's own thread is.
            let threads: Vec<_> = (0..2).map(|_| scope.spawn(|| fronts(50))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        for front in own.into_iter().chain(others) {
            assert!(seen.insert(front.clone()), "used twice: {front:?}");
        }
    }
    assert_eq!(ring.reload(&master(1)).unwrap(), 5);
    assert_eq!(seen.len(), 20 * 150);
}
