//! Streams: every length, every range, and what happens to one that is cut, reordered or continued.

use std::io::{self, Read as _, Write as _};

use decalog_seal::{
    CHUNK_BYTES, KeyRing, STREAM_HEADER_BYTES, StreamKey, StreamReader, StreamWriter, TAG_BYTES,
    plain_length, sealed_length,
};

use crate::ring::{fresh, master};

const SEALED_CHUNK: usize = CHUNK_BYTES + TAG_BYTES;

pub(crate) fn text(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 7 + at / 251) % 251).unwrap()).collect()
}

fn seal(ring: &KeyRing, plain: &[u8]) -> Vec<u8> {
    let mut writer = StreamWriter::new(Vec::new(), ring, b"name").unwrap();
    // In pieces that never fit a chunk.
    plain.chunks(10_007).for_each(|piece| writer.write_all(piece).unwrap());
    writer.finish().unwrap()
}

fn open(ring: &KeyRing, place: &[u8], sealed: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    StreamReader::new(sealed, ring, place)?.read_to_end(&mut plain)?;
    Ok(plain)
}

fn lengths() -> impl Iterator<Item = usize> {
    let near = |length: usize| [length.saturating_sub(1), length, length + 1];
    [0, CHUNK_BYTES, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES + 77].into_iter().flat_map(near)
}

#[test]
fn a_stream_of_any_length_is_opened_as_it_was() {
    let (_folder, _, ring) = fresh();
    for length in lengths() {
        let plain = text(length);
        let sealed = seal(&ring, &plain);
        assert_eq!(sealed.len() as u64, sealed_length(length as u64));
        assert_eq!(plain_length(sealed.len() as u64), Some(length as u64));
        assert!(open(&ring, b"name", &sealed).unwrap() == plain, "{length} bytes");
        ring.rotate(&master(1)).unwrap();
        assert!(open(&ring, b"name", &sealed).unwrap() == plain, "{length} bytes, after a rotation");
        assert_eq!(open(&ring, b"eman", &sealed).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
    assert_eq!(plain_length(STREAM_HEADER_BYTES as u64), None);
    assert_eq!(plain_length(sealed_length(CHUNK_BYTES as u64) + TAG_BYTES as u64), None);
}

#[test]
fn a_chunk_is_opened_without_those_before() {
    let (_folder, _, ring) = fresh();
    let plain = text(2 * CHUNK_BYTES + 5);
    let sealed = seal(&ring, &plain);
    let (header, body) = sealed.split_first_chunk().unwrap();
    let key = StreamKey::of(&ring, b"name", header).unwrap();
    for (at, chunk) in body.chunks(SEALED_CHUNK).enumerate() {
        let number = u32::try_from(at).unwrap();
        let opened = &key.open_chunk(number, at == 2, &mut chunk.to_vec()).unwrap().to_vec();
        assert!(*opened == plain[at * CHUNK_BYTES..][..opened.len()]);
        assert!(
            key.open_chunk(number, at != 2, &mut chunk.to_vec()).is_err(),
            "it is not the last, or it is"
        );
        assert!(key.open_chunk(number + 1, at == 2, &mut chunk.to_vec()).is_err(), "it is another one");
    }
}

#[test]
pub(crate) fn a_stream_that_is_cut_or_reordered_is_noticed() {
    let (_folder, _, ring) = fresh();
    let plain = text(3 * CHUNK_BYTES);
    let sealed = seal(&ring, &plain);
    let at = |chunk: usize| STREAM_HEADER_BYTES + chunk * SEALED_CHUNK;
    // Between chunks, where each one left is whole.
    for cut in [0, 10, STREAM_HEADER_BYTES, at(1), at(2), at(1) + 5, at(3) - 1] {
        let outcome = open(&ring, b"name", &sealed[..cut]);
        assert!(outcome.is_err(), "cut at {cut}, and nobody noticed");
    }
    let mut swapped = sealed.clone();
    swapped[at(0)..at(1)].copy_from_slice(&sealed[at(1)..at(2)]);
    swapped[at(1)..at(2)].copy_from_slice(&sealed[at(0)..at(1)]);
    assert!(open(&ring, b"name", &swapped).is_err(), "chunks were swapped");
    let longer = [&sealed[..], &sealed[at(2)..]].concat();
    assert!(open(&ring, b"name", &longer).is_err(), "a chunk was put behind the last");
    let mixed = [&sealed[..at(1)], &seal(&ring, &plain)[at(1)..]].concat();
    assert!(open(&ring, b"name", &mixed).is_err(), "chunks of two streams were mixed");
}

#[test]
fn what_comes_before_a_broken_chunk_is_given_and_nothing_after() {
    let (_folder, _, ring) = fresh();
    let plain = text(3 * CHUNK_BYTES);
    let mut sealed = seal(&ring, &plain);
    sealed[STREAM_HEADER_BYTES + SEALED_CHUNK + 100] ^= 1;
    let mut reader = StreamReader::new(&sealed[..], &ring, b"name").unwrap();
    let mut given = Vec::new();
    assert!(reader.read_to_end(&mut given).is_err());
    assert!(given == plain[..CHUNK_BYTES]);
    assert!(reader.read(&mut [0; 10]).is_err(), "it ends, as if it were whole");
}
