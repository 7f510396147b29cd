//! WebP (RFC 9649): header facts, and the first frame of an animation as a file of its own.
//!
//! ffmpeg 5.1 knows no animated WebP. Its first frame holds the same chunks as a still picture, so it is put into a
//! container of its own, and shown still, as Mastodon shows it.

use super::exif::{self, Orientation};
use super::picture::{ENDS_EARLY, Picture, Pixels};
use super::refused::Refused;

/// Of a chunk: its name, its body, and what comes after it.
type Chunk<'a> = (&'a [u8; 4], &'a [u8], &'a [u8]);

/// Flag of the extended header: there is an alpha channel.
const ALPHA: u8 = 0x10;
/// Flag of the extended header: it is an animation.
const ANIMATION: u8 = 0x02;

/// The first chunk of some, padded to an even length.
fn chunk(bytes: &[u8]) -> Option<Chunk<'_>> {
    let (name, rest) = bytes.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (body, rest) = rest.split_at_checked(length)?;
    Some((name, body, rest.get(length % 2..).unwrap_or_default()))
}

/// The chunks of a whole file, or why there are none.
fn chunks(bytes: &[u8]) -> Result<&[u8], Refused> {
    match chunk(bytes) {
        Some((b"RIFF", body, _)) => body.strip_prefix(b"WEBP").ok_or_else(|| Refused::broken(ENDS_EARLY)),
        _ => Err(Refused::broken(ENDS_EARLY)),
    }
}

/// Size, alpha and whether it is lossless, from the bitstream of a picture.
fn bitstream(name: &[u8], body: &[u8]) -> Option<Picture> {
    match (name, body) {
        (b"VP8 ", [_, _, _, 0x9d, 0x01, 0x2a, w1, w2, h1, h2, ..]) => {
            let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
            Some(Picture::plain(side(*w1, *w2), side(*h1, *h2), Pixels::Opaque))
        }
        (b"VP8L", [0x2f, a, b, c, d, ..]) => {
            let bits = u32::from_le_bytes([*a, *b, *c, *d]);
            let pixels = if bits >> 28 & 1 == 1 { Pixels::Alpha } else { Pixels::Opaque };
            let plain = Picture::plain((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1, pixels);
            Some(Picture { lossless: true, ..plain })
        }
        _ => None,
    }
}

/// A number of three bytes.
fn three(bytes: &[u8], at: usize) -> Option<u32> {
    let [a, b, c] = *bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes([a, b, c, 0]))
}

/// What the header says. Of an animation it is the canvas, which no frame exceeds.
pub(crate) fn read(bytes: &[u8]) -> Result<Picture, Refused> {
    let mut rest = chunks(bytes)?;
    let mut canvas = None;
    let mut stream = None;
    let mut alpha = false;
    let mut orientation = Orientation::default();
    while let Some((name, body, after)) = chunk(rest) {
        match name {
            b"VP8X" => {
                canvas = three(body, 4).zip(three(body, 7)).map(|(width, height)| (width + 1, height + 1));
                alpha |= body.first().is_some_and(|flags| flags & ALPHA != 0);
            }
            b"ALPH" => alpha = true,
            b"EXIF" => orientation = exif::orientation(body),
            _ => stream = stream.or_else(|| bitstream(name, body)),
        }
        rest = after;
    }
    let mut picture = match (stream, canvas) {
        (Some(stream), _) => stream,
        (None, Some((width, height))) => Picture::plain(width, height, Pixels::Opaque),
        (None, None) => return Err(Refused::broken(ENDS_EARLY)),
    };
    if alpha {
        picture.pixels = Pixels::Alpha;
    }
    Ok(Picture { orientation, ..picture })
}

/// The first frame of an animation as a file; none if it is a still picture, a refusal if there is no frame.
pub(crate) fn first_frame(bytes: &[u8]) -> Result<Option<Vec<u8>>, Refused> {
    let mut rest = chunks(bytes)?;
    let Some((b"VP8X", header, after)) = chunk(rest) else { return Ok(None) };
    if header.first().is_none_or(|flags| flags & ANIMATION == 0) {
        return Ok(None);
    }
    rest = after;
    while let Some((name, body, after)) = chunk(rest) {
        if name == b"ANMF" {
            // Place, size, duration and flags are sixteen bytes; the size is in the header of the new file again.
            let size = body.get(6..12).ok_or_else(|| Refused::broken(ENDS_EARLY))?;
            let frame = body.get(16..).ok_or_else(|| Refused::broken(ENDS_EARLY))?;
            return Ok(Some(still(size, frame)));
        }
        rest = after;
    }
    Err(Refused::broken(ENDS_EARLY))
}

/// A file of one picture, from the size less one (three bytes each) and the chunks of a frame.
fn still(size: &[u8], frame: &[u8]) -> Vec<u8> {
    let flags = if frame.starts_with(b"ALPH") { ALPHA } else { 0 };
    let mut body = b"WEBPVP8X\x0a\0\0\0".to_vec();
    body.extend([flags, 0, 0, 0]);
    body.extend(size);
    body.extend(frame);
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&b"RIFF"[..], &length.to_le_bytes(), &body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chunk with its padding.
    fn wrap(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap();
        [&name[..], &length.to_le_bytes(), body, if body.len() % 2 == 1 { &[0] } else { &[] }].concat()
    }

    #[test]
    fn the_first_frame_of_an_animation_is_a_picture() {
        let lossless = wrap(b"VP8L", b"\x2f\x1f\xc0\x03\x10rest");
        let frame = [&[0; 6][..], &[31, 0, 0, 15, 0, 0], &[0; 4], &lossless].concat();
        let header = [&[ANIMATION | ALPHA, 0, 0, 0][..], &[31, 0, 0, 15, 0, 0]].concat();
        let body =
            [&b"WEBP"[..], &wrap(b"VP8X", &header), &wrap(b"ANIM", &[0; 6]), &wrap(b"ANMF", &frame)].concat();
        let file = wrap(b"RIFF", &body);
        let canvas = read(&file).unwrap();
        assert_eq!((canvas.width, canvas.height, canvas.pixels), (32, 16, Pixels::Alpha));
        let still = first_frame(&file).unwrap().unwrap();
        let picture = read(&still).unwrap();
        assert_eq!((picture.width, picture.height, picture.lossless), (32, 16, true));
        assert_eq!(first_frame(&still).unwrap(), None);
        assert!(read(&file[..file.len() - 1]).is_err(), "cut short");
    }
}
