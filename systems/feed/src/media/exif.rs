//! EXIF: which way up a picture is (tag 0x0112), the one thing that must survive when the rest is thrown away.
//!
//! The block is a TIFF header and a directory (EXIF 2.32, section 4.6). Every offset in it is the sender's, so nothing
//! is read but through checked slices, and what does not fit is taken as "upright".

/// How the stored pixels must be turned to be seen upright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orientation(u8);

impl Orientation {
    /// The orientation that EXIF numbers 1 to 8; upright for any other number.
    pub(crate) fn of(number: u16) -> Self {
        match u8::try_from(number) {
            Ok(number @ 1..=8) => Self(number),
            _ => Self(1),
        }
    }

    /// Whether width and height change places.
    pub(crate) fn swaps(self) -> bool {
        self.0 >= 5
    }

    /// The ffmpeg filter that turns the pixels upright; none if they are.
    pub(crate) fn filter(self) -> Option<&'static str> {
        match self.0 {
            2 => Some("hflip"),
            3 => Some("hflip,vflip"),
            4 => Some("vflip"),
            5 => Some("transpose=cclock_flip"),
            6 => Some("transpose=clock"),
            7 => Some("transpose=clock_flip"),
            8 => Some("transpose=cclock"),
            _ => None,
        }
    }

    /// Width and height as seen, of a picture stored in these; and the other way round.
    pub(crate) fn turn(self, (width, height): (u32, u32)) -> (u32, u32) {
        if self.swaps() { (height, width) } else { (width, height) }
    }
}

/// The orientation in a TIFF block, with or without `Exif\0\0` before it.
pub(crate) fn orientation(block: &[u8]) -> Orientation {
    let tiff = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    find(tiff).map(Orientation::of).unwrap_or_default()
}

/// The value of the orientation tag in the first directory.
fn find(tiff: &[u8]) -> Option<u16> {
    let little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = *tiff.get(at..)?.first_chunk()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let long = *tiff.get(4..)?.first_chunk()?;
    let directory = if little { u32::from_le_bytes(long) } else { u32::from_be_bytes(long) };
    let directory = usize::try_from(directory).ok()?;
    let count = usize::from(short(directory)?);
    let first = directory.checked_add(2)?;
    for entry in (0..count).map_while(|index| first.checked_add(index * 12)) {
        if short(entry)? == 0x0112 {
            // Type SHORT, whose value stands in the entry itself.
            return (short(entry + 2)? == 3).then(|| short(entry + 8)).flatten();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A TIFF block with a directory of an unrelated entry and the orientation.
    fn block(little: bool, number: u16) -> Vec<u8> {
        let short = |value: u16| if little { value.to_le_bytes() } else { value.to_be_bytes() };
        let long = |value: u32| if little { value.to_le_bytes() } else { value.to_be_bytes() };
        let mut bytes = if little { b"II*\0".to_vec() } else { b"MM\0*".to_vec() };
        bytes.extend(long(8));
        bytes.extend(short(2));
        bytes.extend([&short(0x010f)[..], &short(2), &long(4), b"abc\0"].concat());
        bytes.extend([&short(0x0112)[..], &short(3), &long(1), &short(number), &[0, 0]].concat());
        bytes.extend(long(0));
        bytes
    }

    #[test]
    fn both_byte_orders_are_read() {
        for number in 1..=8 {
            assert_eq!(orientation(&block(true, number)), Orientation::of(number));
            assert_eq!(
                orientation(&[b"Exif\0\0", &block(false, number)[..]].concat()),
                Orientation::of(number)
            );
        }
        assert_eq!(Orientation::of(6).turn((40, 30)), (30, 40));
        assert_eq!(Orientation::of(0), Orientation::of(1));
        assert_eq!(Orientation::default().filter(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), little: bool) {
            let _ = orientation(&bytes);
            let _ = orientation(&[if little { &b"II*\0"[..] } else { b"MM\0*" }, &bytes].concat());
        }
    }
}
