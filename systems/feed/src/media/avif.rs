//! AVIF and HEIF headers (ISO 23008-12): the largest size that is claimed, and how the picture is turned.
//!
//! The properties `ispe` (size) and `irot` (quarter turns against the clock) of the `ipco` box are read without asking
//! which item they belong to: the largest size is the safe one to judge, and pictures of one file are turned alike.

use super::exif::Orientation;
use super::picture::{Picture, Pixels};

/// The body of the first box of a name among some boxes.
fn find<'a>(mut bytes: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    while let Some((name, body, rest)) = split(bytes) {
        if name == wanted {
            return Some(body);
        }
        bytes = rest;
    }
    None
}

/// The first box: its name, its body, and what comes after it.
fn split(bytes: &[u8]) -> Option<(&[u8; 4], &[u8], &[u8])> {
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    let (name, _) = rest.split_first_chunk::<4>()?;
    let (header, size) = match u32::from_be_bytes(*size) {
        0 => (8, bytes.len()),
        1 => (16, usize::try_from(u64::from_be_bytes(*bytes.get(8..)?.first_chunk()?)).ok()?),
        size => (8, usize::try_from(size).ok()?),
    };
    Some((name, bytes.get(header..size)?, bytes.get(size..)?))
}

/// What the properties say; none if there is no size.
pub(crate) fn read(bytes: &[u8]) -> Option<Picture> {
    let meta = find(bytes, b"meta")?.get(4..)?;
    let mut properties = find(find(meta, b"iprp")?, b"ipco")?;
    let mut orientation = Orientation::default();
    let mut largest = None;
    while let Some((name, body, rest)) = split(properties) {
        match name {
            b"ispe" => {
                let side = |at: usize| Some(u32::from_be_bytes(*body.get(at..)?.first_chunk()?));
                let size = (side(4)?, side(8)?);
                let area = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
                largest = largest.filter(|known| area(*known) >= area(size)).or(Some(size));
            }
            b"irot" => {
                orientation = Orientation::of(match body.first()? & 3 {
                    1 => 8,
                    2 => 3,
                    3 => 6,
                    _ => 1,
                });
            }
            _ => {}
        }
        properties = rest;
    }
    let (width, height) = largest?;
    Some(Picture { orientation, ..Picture::plain(width, height, Pixels::Opaque) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A box.
    fn wrap(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&u32::try_from(body.len() + 8).unwrap().to_be_bytes()[..], name, body].concat()
    }

    #[test]
    fn the_largest_size_and_the_turn_are_read() {
        let small = wrap(b"ispe", &[&[0; 4][..], &8_u32.to_be_bytes(), &8_u32.to_be_bytes()].concat());
        let large = wrap(b"ispe", &[&[0; 4][..], &60_u32.to_be_bytes(), &40_u32.to_be_bytes()].concat());
        let properties = [small.clone(), large, wrap(b"irot", &[3]), small].concat();
        let meta =
            [&[0; 4][..], &wrap(b"hdlr", &[0; 4]), &wrap(b"iprp", &wrap(b"ipco", &properties))].concat();
        let file = [wrap(b"ftyp", b"avif\0\0\0\0"), wrap(b"meta", &meta)].concat();
        let picture = read(&file).unwrap();
        assert_eq!((picture.seen(), picture.orientation), ((40, 60), Orientation::of(6)));
        assert_eq!(read(&file[..40]), None);
    }
}
