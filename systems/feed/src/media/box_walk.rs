//! Boxes and elements: the outermost structure of MP4 (ISO 14496-12) and WebM (RFC 8794) files.
//!
//! Only as much as tells the brand, and whether the file ends before what its headers promise. ffmpeg reads the rest.

use std::io::{self, Read, Seek, SeekFrom};

/// What the `ftyp` box says a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brand {
    /// An AV1 picture.
    Avif,
    /// An HEVC picture, or HEIF without saying of what.
    Heic,
    /// Audio only.
    M4a,
    /// QuickTime.
    Mov,
    /// MP4 in the wide sense.
    Mp4,
}

/// The brand in an `ftyp` box at the beginning: the major one, and where that is `mif1` the compatible ones.
pub(crate) fn brand(head: &[u8]) -> Option<Brand> {
    let size = usize::try_from(u32::from_be_bytes(*head.first_chunk()?)).ok()?;
    let brands = head.get(8..size.min(head.len()))?;
    let major = brands.get(..4)?;
    let compatible = || brands.get(8..).unwrap_or_default().chunks_exact(4);
    match major {
        b"avif" | b"avis" => Some(Brand::Avif),
        b"mif1" | b"msf1" if compatible().any(|brand| matches!(brand, b"avif" | b"avis")) => {
            Some(Brand::Avif)
        }
        b"mif1" | b"msf1" | b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"hevm" => {
            Some(Brand::Heic)
        }
        b"M4A " | b"M4B " | b"M4P " => Some(Brand::M4a),
        b"qt  " => Some(Brand::Mov),
        b"isom" | b"iso2" | b"iso3" | b"iso4" | b"iso5" | b"iso6" | b"iso7" | b"iso8" | b"iso9" => {
            Some(Brand::Mp4)
        }
        b"mp41" | b"mp42" | b"mp71" | b"avc1" | b"M4V " | b"M4VH" | b"M4VP" | b"f4v " | b"MSNV" | b"dash" => {
            Some(Brand::Mp4)
        }
        _ if major.starts_with(b"3g") => Some(Brand::Mp4),
        _ if compatible().any(|brand| matches!(brand, b"isom" | b"mp41" | b"mp42" | b"avc1")) => {
            Some(Brand::Mp4)
        }
        _ => None,
    }
}

/// Whether an MP4 file holds its outermost boxes whole. Fewer than eight bytes after the last one are let be.
pub(crate) fn is_whole(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut at = 0;
    // A file of nothing but empty boxes ends the walk, not the patience.
    for _ in 0..100_000 {
        let Some(header) = read_at(file, at, length)? else { return Ok(true) };
        let [a, b, c, d, _, _, _, _, large @ ..] = header;
        let size = match u32::from_be_bytes([a, b, c, d]) {
            // To the end of the file.
            0 => return Ok(true),
            1 => u64::from_be_bytes(large),
            size => u64::from(size),
        };
        match at.checked_add(size) {
            Some(next) if size >= 8 && next <= length => at = next,
            _ => return Ok(false),
        }
    }
    Ok(false)
}

/// The sixteen bytes of a box's header, filled up with zeros at the end; none if there is no room for a header.
fn read_at(file: &mut (impl Read + Seek), at: u64, length: u64) -> io::Result<Option<[u8; 16]>> {
    if at + 8 > length {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(at))?;
    let mut header = [0; 16];
    let room = if at + 16 > length { 8 } else { 16 };
    file.read_exact(&mut header[..room])?;
    Ok(Some(header))
}

/// Whether a WebM file is as long as its segment says; one written live says nothing, and passes.
pub(crate) fn is_whole_webm(head: &[u8], length: u64) -> bool {
    let Some((header, after)) = element(head, 0) else { return false };
    let Some(segment) = usize::try_from(header).ok().and_then(|size| after.checked_add(size)) else {
        return false;
    };
    match element(head, segment) {
        Some((UNKNOWN, _)) => true,
        Some((size, body)) => u64::try_from(body).is_ok_and(|body| body.saturating_add(size) <= length),
        None => false,
    }
}

/// The size of an element that does not say it.
const UNKNOWN: u64 = u64::MAX;

/// The size of the EBML element at a place, and where its body begins.
fn element(head: &[u8], at: usize) -> Option<(u64, usize)> {
    let id = usize::try_from(head.get(at)?.leading_zeros()).ok()? + 1;
    let place = at + id;
    let first = *head.get(place)?;
    let width = usize::try_from(first.leading_zeros()).ok()? + 1;
    if id > 4 || width > 8 {
        return None;
    }
    let bytes = head.get(place..place + width)?;
    let raw = bytes.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let mask = (1_u64 << (7 * width)) - 1;
    let size = if raw & mask == mask { UNKNOWN } else { raw & mask };
    Some((size, place + width))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_is_whole_until_its_last_byte_is_missing() {
        let whole = b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x01mdat\0\0\0\0\0\0\0\x14abcd\0\0\0\x08free";
        assert!(is_whole(&mut Cursor::new(whole)).unwrap());
        for length in [whole.len() - 9, 36, 30, 15] {
            assert!(!is_whole(&mut Cursor::new(&whole[..length])).unwrap() || length == 36, "{length}");
        }
        assert!(!is_whole(&mut Cursor::new(b"\0\0\0\x04freeabcd")).unwrap(), "a box smaller than its header");
    }

    #[test]
    fn a_webm_segment_longer_than_the_file_is_seen() {
        let head = b"\x1a\x45\xdf\xa3\x82\0\0\x18\x53\x80\x67\x84abcd";
        let length = u64::try_from(head.len()).unwrap();
        assert!(is_whole_webm(head, length));
        assert!(!is_whole_webm(head, length - 1));
        assert!(is_whole_webm(b"\x1a\x45\xdf\xa3\x82\0\0\x18\x53\x80\x67\xff", 12), "of unknown size");
        assert!(!is_whole_webm(b"\x1a\x45\xdf\xa3\x82", 5));
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = is_whole(&mut Cursor::new(&bytes)).unwrap();
            let _ = is_whole_webm(&bytes, 200);
            let _ = brand(&bytes);
        }
    }
}
