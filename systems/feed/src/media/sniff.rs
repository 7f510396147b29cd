//! Sniffing: the type of a file by its first bytes. What the client declares is never asked.

use super::box_walk::{self, Brand};
use super::format::Format;
use super::looks::looks_like;
use super::refused::Refused;

/// How many first bytes [`sniff`] needs to see.
pub(crate) const HEAD: usize = 4096;

/// The type of a file that begins with these bytes (4 KiB are enough); none if it is not an accepted one.
pub fn sniff(head: &[u8]) -> Option<Format> {
    match head {
        [0xff, 0xd8, 0xff, ..] => Some(Format::Jpeg),
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(Format::Png),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::WebP),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some(Format::Wav),
        [b'f', b'L', b'a', b'C', ..] => Some(Format::Flac),
        [b'O', b'g', b'g', b'S', ..] => Some(ogg(head)),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => (doctype(head)? == b"webm").then_some(Format::WebM),
        [b'I', b'D', b'3', ..] => tagged(head),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => match box_walk::brand(head)? {
            Brand::Avif => Some(Format::Avif),
            Brand::Heic => Some(Format::Heic),
            Brand::M4a => Some(Format::M4a),
            Brand::Mov => Some(Format::Mov),
            Brand::Mp4 => Some(Format::Mp4),
        },
        // QuickTime from before `ftyp` was invented.
        _ if matches!(head.get(4..8), Some(b"moov" | b"wide" | b"mdat")) => Some(Format::Mov),
        _ if is_adts(head) => Some(Format::Aac),
        _ if is_mpeg_audio(head) => Some(Format::Mp3),
        _ => None,
    }
}

/// As [`sniff`], with a refusal that names what the file looks like instead.
pub fn recognise(head: &[u8]) -> Result<Format, Refused> {
    if head.is_empty() {
        return Err(Refused::broken("it is empty"));
    }
    sniff(head).ok_or_else(|| Refused::Unsupported(looks_like(head)))
}

/// Opus or something else in Ogg: the first page's first packet says so.
fn ogg(head: &[u8]) -> Format {
    let segments = head.get(26).map_or(0, |count| usize::from(*count));
    match head.get(27 + segments..) {
        Some(packet) if packet.starts_with(b"OpusHead") => Format::Opus,
        _ => Format::Ogg,
    }
}

/// The type after an ID3 tag at the beginning: it stands before MP3, and by some programs before FLAC or AAC.
fn tagged(head: &[u8]) -> Option<Format> {
    let size = head
        .get(6..10)?
        .iter()
        .try_fold(0_usize, |size, byte| (*byte < 0x80).then(|| size << 7 | usize::from(*byte)))?;
    match head.get(10 + size..) {
        Some(rest) if rest.starts_with(b"fLaC") => Some(Format::Flac),
        Some(rest) if is_adts(rest) => Some(Format::Aac),
        // A tag with a picture is longer than what is looked at; MP3 is what carries such tags.
        _ => Some(Format::Mp3),
    }
}

/// The document type of an EBML header (RFC 8794, element 0x4282).
fn doctype(head: &[u8]) -> Option<&[u8]> {
    let at = head.iter().take(64).zip(head.iter().skip(1)).position(|pair| pair == (&0x42, &0x82))?;
    let length = usize::from(head.get(at + 2)?.checked_sub(0x80)?);
    head.get(at + 3..at + 3 + length)
}

/// An ADTS header (ISO 13818-7): the sync word and layer 0.
fn is_adts(head: &[u8]) -> bool {
    matches!(head, [0xff, second, third, ..] if second & 0xf6 == 0xf0 && (third >> 2) & 0xf < 13)
}

/// An MPEG audio frame (ISO 11172-3) of layer III: sync word, and no reserved value where one could stand.
fn is_mpeg_audio(head: &[u8]) -> bool {
    matches!(head, [0xff, second, third, ..]
        if second & 0xe6 == 0xe2 && second & 0x18 != 0x08 && third >> 4 != 0xf && third >> 4 != 0 && third & 0x0c != 0x0c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_type_is_told_by_its_magic() {
        let cases: [(&[u8], Format); 20] = [
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Format::Jpeg),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Format::Png),
            (b"GIF87a\x01\0\x01\0", Format::Gif),
            (b"GIF89a\x01\0\x01\0", Format::Gif),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Format::WebP),
            (b"RIFF\x10\0\0\0WAVEfmt ", Format::Wav),
            (b"fLaC\0\0\0\x22", Format::Flac),
            (b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead", Format::Opus),
            (b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x1e\x01vorbis", Format::Ogg),
            (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", Format::WebM),
            (b"ID3\x04\0\0\0\0\0\0\xff\xfb\x90\x64", Format::Mp3),
            (b"ID3\x04\0\0\0\0\0\0fLaC", Format::Flac),
            (b"\xff\xfb\x90\x64\0\0", Format::Mp3),
            (b"\xff\xf1\x50\x80\x02", Format::Aac),
            (b"\0\0\0\x14ftypisom\0\0\x02\0mp41", Format::Mp4),
            (b"\0\0\0\x14ftypM4V \0\0\x02\0mp41", Format::Mp4),
            (b"\0\0\0\x14ftypM4A \0\0\x02\0mp42", Format::M4a),
            (b"\0\0\0\x14ftypqt  \0\0\x02\0qt  ", Format::Mov),
            (b"\0\0\0\x14ftypavif\0\0\0\0mif1", Format::Avif),
            (b"\0\0\0\x14ftypmif1\0\0\0\0heic", Format::Heic),
        ];
        for (head, format) in cases {
            assert_eq!(sniff(head), Some(format), "{head:?}");
        }
    }

    #[test]
    fn what_is_not_media_is_refused_by_name() {
        let cases: [(&[u8], &str); 13] = [
            (b"<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\">", "an SVG drawing"),
            (b"\xef\xbb\xbf  <SVG>", "an SVG drawing"),
            (b"<!DOCTYPE html><script>", "an HTML page"),
            (b"%PDF-1.7", "a PDF document"),
            (b"PK\x03\x04\x14", "a ZIP archive"),
            (b"#EXTM3U\n#EXT-X-VERSION:3", "a playlist"),
            (b"ffconcat version 1.0\nfile x", "a playlist"),
            (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x88matroska", "a Matroska video"),
            (b"RIFF\x10\0\0\0AVI LIST", "an AVI video"),
            (b"II*\0\x08\0\0\0", "a TIFF picture"),
            (b"\x7fELF\x02", "a program"),
            (b"hello there, this is a note", "text"),
            (b"\x00\x01\x02\x03", "something unknown"),
        ];
        for (head, name) in cases {
            match recognise(head) {
                Err(Refused::Unsupported(found)) => assert_eq!(found, name, "{head:?}"),
                other => panic!("{head:?} gave {other:?}"),
            }
        }
        assert!(matches!(recognise(b""), Err(Refused::Broken { .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_are_told_without_a_panic(
            start in prop::sample::select(vec![&b""[..], b"ID3\x04\0\0", b"OggS", b"\0\0\0\x14ftyp", b"\x1a\x45\xdf\xa3\x42\x82", b"<", b"\xff"]),
            bytes in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let head = [start, &bytes].concat();
            let _ = recognise(&head);
        }
    }
}
