//! Headers of pictures: size, which way up, kind of pixels, read before anything is decoded.
//!
//! A picture of a few hundred bytes may claim sixty thousand pixels a side: the claim is what is judged. What ends before
//! its own end mark is refused here too, since decoders fill up the missing part in grey and call it well.

use super::exif::{self, Orientation};
use super::format::Format;
use super::refused::Refused;
use super::{avif, gif, webp};

/// What the pixels of a picture are made of, as far as the choice of an encoding depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pixels {
    /// Brightness alone.
    Grey,
    /// Colours from a palette, perhaps see-through ones.
    Palette,
    /// Colours.
    Opaque,
    /// Colours and how far they are seen through.
    Alpha,
}

/// What a header says of its picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Width as stored, before it is turned upright.
    pub(crate) width: u32,
    /// Height as stored.
    pub(crate) height: u32,
    /// How it must be turned.
    pub(crate) orientation: Orientation,
    /// What its pixels are made of.
    pub(crate) pixels: Pixels,
    /// Whether it is stored without loss, where its format knows both.
    pub(crate) lossless: bool,
}

impl Picture {
    /// A picture of which the size is all that matters.
    pub(crate) fn plain(width: u32, height: u32, pixels: Pixels) -> Self {
        Self { width, height, orientation: Orientation::default(), pixels, lossless: false }
    }

    /// Width and height as seen.
    pub(crate) fn seen(&self) -> (u32, u32) {
        self.orientation.turn((self.width, self.height))
    }

    /// Refuses a picture of more pixels than that, or of none.
    pub(crate) fn within(self, limit: u64) -> Result<Self, Refused> {
        let Self { width, height, .. } = self;
        match u64::from(width) * u64::from(height) {
            0 => Err(Refused::broken("its header says that it has no pixels")),
            pixels if pixels > limit => Err(Refused::TooManyPixels { width, height, limit }),
            _ => Ok(self),
        }
    }
}

/// The refusal of a file that stops before its end.
pub(crate) const ENDS_EARLY: &str = "it ends too early";

/// The refusal of a file whose header makes no sense.
const BAD_HEADER: &str = "its header is damaged";

/// What the header of a whole picture file says.
pub(crate) fn read(format: Format, bytes: &[u8]) -> Result<Picture, Refused> {
    match format {
        Format::Jpeg => jpeg(bytes),
        Format::Png => png(bytes),
        Format::WebP => webp::read(bytes),
        Format::Gif => gif::read(bytes).map(|gif| Picture::plain(gif.width, gif.height, Pixels::Alpha)),
        Format::Avif | Format::Heic => avif::read(bytes).ok_or_else(|| Refused::broken(BAD_HEADER)),
        _ => Err(Refused::Unsupported("a video or audio file where a picture is wanted")),
    }
}

/// JPEG (ITU-T T.81, annex B): segments up to the first scan.
fn jpeg(bytes: &[u8]) -> Result<Picture, Refused> {
    let mut at = 2;
    let mut orientation = None;
    let mut size = None;
    loop {
        let marker = match bytes.get(at..at + 2) {
            // Any number of fill bytes may stand before a marker.
            Some([0xff, 0xff]) => {
                at += 1;
                continue;
            }
            Some([0xff, marker]) => *marker,
            Some(_) => return Err(Refused::broken(BAD_HEADER)),
            None => return Err(Refused::broken(ENDS_EARLY)),
        };
        if matches!(marker, 0x01 | 0xd0..=0xd8) {
            at += 2;
            continue;
        }
        let length =
            bytes.get(at + 2..).and_then(<[u8]>::first_chunk).map(|length| u16::from_be_bytes(*length));
        let length = usize::from(length.ok_or_else(|| Refused::broken(ENDS_EARLY))?);
        let end = at + 2 + length;
        let body = bytes.get(at + 4..end).ok_or_else(|| Refused::broken(ENDS_EARLY))?;
        match (marker, body) {
            (0xe1, [b'E', b'x', b'i', b'f', 0, ..]) if orientation.is_none() => {
                orientation = Some(exif::orientation(body));
            }
            // Start of frame: C4, C8 and CC are other things. Of two sizes the decoder might take the other one.
            (0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf, [_, h1, h2, w1, w2, ..]) => {
                if size.is_some() {
                    return Err(Refused::broken(BAD_HEADER));
                }
                size = Some((u16::from_be_bytes([*w1, *w2]), u16::from_be_bytes([*h1, *h2])));
            }
            (0xda, _) => {
                let (width, height) = size.ok_or_else(|| Refused::broken(BAD_HEADER))?;
                let scans = bytes.get(end..).unwrap_or_default();
                if !scans.windows(2).rev().any(|pair| pair == [0xff, 0xd9]) {
                    return Err(Refused::broken(ENDS_EARLY));
                }
                let plain = Picture::plain(width.into(), height.into(), Pixels::Opaque);
                return Ok(Picture { orientation: orientation.unwrap_or_default(), ..plain });
            }
            (0xd9, _) => return Err(Refused::broken(ENDS_EARLY)),
            _ => {}
        }
        at = end;
    }
}

/// PNG (W3C PNG 3, section 5): all chunks, without looking into the image data.
fn png(bytes: &[u8]) -> Result<Picture, Refused> {
    let broken = || Refused::broken(BAD_HEADER);
    let header =
        bytes.get(8..33).filter(|header| header.starts_with(b"\0\0\0\x0dIHDR")).ok_or_else(broken)?;
    let number =
        |at: usize| header.get(at..).and_then(<[u8]>::first_chunk).map(|bytes| u32::from_be_bytes(*bytes));
    let (width, height) = number(8).zip(number(12)).ok_or_else(broken)?;
    let colour = *header.get(17).ok_or_else(broken)?;
    let (mut see_through, mut orientation) = (false, Orientation::default());
    let mut at = 33;
    loop {
        let start = bytes.get(at..at + 8).ok_or_else(|| Refused::broken(ENDS_EARLY))?;
        let [a, b, c, d, name @ ..] = start else { return Err(broken()) };
        let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).map_err(|_| broken())?;
        let end = at + 8 + length;
        let body = bytes.get(at + 8..end).ok_or_else(|| Refused::broken(ENDS_EARLY))?;
        match name {
            b"tRNS" => see_through = true,
            b"eXIf" => orientation = exif::orientation(body),
            b"IEND" => break,
            _ => {}
        }
        at = end + 4;
    }
    let pixels = match colour {
        0 if !see_through => Pixels::Grey,
        3 => Pixels::Palette,
        2 if !see_through => Pixels::Opaque,
        0 | 2 | 4 | 6 => Pixels::Alpha,
        _ => return Err(broken()),
    };
    Ok(Picture { width, height, orientation, pixels, lossless: true })
}

/// Width and height scaled down to at most that many pixels, in the same proportion; never up, and never to nothing.
pub(crate) fn fit_pixels((width, height): (u32, u32), limit: u64) -> (u32, u32) {
    let (wide, high) = (u64::from(width), u64::from(height));
    if wide * high <= limit {
        return (width, height);
    }
    let side = |this: u64, other: u64| (limit * this / other).isqrt().max(1);
    let (new_width, new_height) = (side(wide, high), side(high, wide));
    let new_width = new_width.min(limit / new_height).max(1);
    let new_height = new_height.min(limit / new_width).max(1);
    (u32::try_from(new_width).unwrap_or(width), u32::try_from(new_height).unwrap_or(height))
}

/// Width and height scaled down to fit into a box, in the same proportion; never up, and never to nothing.
pub(crate) fn fit_box((width, height): (u32, u32), (most_wide, most_high): (u32, u32)) -> (u32, u32) {
    if width <= most_wide && height <= most_high {
        return (width, height);
    }
    let scaled = |this: u32, by: u32, of: u32| {
        let exact = (u64::from(this) * u64::from(by) + u64::from(of) / 2) / u64::from(of.max(1));
        u32::try_from(exact).unwrap_or(u32::MAX).max(1)
    };
    if u64::from(width) * u64::from(most_high) >= u64::from(height) * u64::from(most_wide) {
        (most_wide, scaled(height, most_wide, width))
    } else {
        (scaled(width, most_high, height), most_high)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A PNG header that claims a size, and the end mark.
    fn claiming(width: u32, height: u32, colour: u8, extra: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend(
            [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, colour, 0, 0, 0], &[0; 4]].concat(),
        );
        bytes.extend(extra);
        bytes.extend(b"\0\0\0\0IEND\0\0\0\0");
        bytes
    }

    #[test]
    fn a_png_header_is_believed_before_it_is_decoded() {
        let picture = png(&claiming(60_000, 60_000, 6, b"")).unwrap();
        assert!(matches!(picture.within(33_177_600), Err(Refused::TooManyPixels { width: 60_000, .. })));
        assert!(png(&claiming(60, 60, 6, b"")).unwrap().within(3600).is_ok());
        assert!(png(&claiming(0, 60, 6, b"")).unwrap().within(3600).is_err());
        assert_eq!(png(&claiming(1, 1, 0, b"")).unwrap().pixels, Pixels::Grey);
        assert_eq!(png(&claiming(1, 1, 2, b"\0\0\0\x02tRNS\0\0\0\0\0\0")).unwrap().pixels, Pixels::Alpha);
        let cut = claiming(60, 60, 6, b"");
        assert!(png(&cut[..cut.len() - 6]).is_err());
    }

    #[test]
    fn a_jpeg_without_its_end_is_refused_though_its_thumbnail_has_one() {
        let head =
            b"\xff\xd8\xff\xe1\x00\x06\xff\xd9ab\xff\xc0\x00\x08\x08\x00\x10\x00\x20\x03\xff\xda\x00\x02";
        let whole = [&head[..], b"data\xff\xd9"].concat();
        let picture = jpeg(&whole).unwrap();
        assert_eq!((picture.width, picture.height), (32, 16));
        assert!(jpeg(&whole[..whole.len() - 1]).is_err());
        assert!(jpeg(head).is_err());
    }

    #[test]
    fn sizes_of_common_shapes() {
        assert_eq!(fit_pixels((1920, 1080), 230_400), (640, 360));
        assert_eq!(fit_pixels((50, 60), 230_400), (50, 60));
        assert_eq!(fit_pixels((4000, 3000), 8_294_400), (3325, 2494));
        assert_eq!(fit_box((1920, 1080), (640, 360)), (640, 360));
        assert_eq!(fit_box((560, 320), (640, 360)), (560, 320));
        assert_eq!(fit_box((1080, 1920), (640, 360)), (203, 360));
        assert_eq!(fit_box((100_000, 1), (640, 360)), (640, 1));
    }

    proptest! {
        #[test]
        fn scaling_keeps_the_limit_and_never_enlarges(width in 1_u32..70_000, height in 1_u32..70_000, limit in 1_u64..9_000_000) {
            let (new_width, new_height) = fit_pixels((width, height), limit);
            prop_assert!(new_width >= 1 && new_height >= 1);
            prop_assert!(new_width <= width && new_height <= height);
            prop_assert!(u64::from(new_width) * u64::from(new_height) <= limit);
            let (new_width, new_height) = fit_box((width, height), (640, 360));
            prop_assert!((1..=640.min(width)).contains(&new_width) && (1..=360.min(height)).contains(&new_height));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            for (format, start) in [
                (Format::Jpeg, &b"\xff\xd8"[..]), (Format::Png, &claiming(3, 3, 2, b"")[..33]), (Format::WebP, b"RIFF\x60\0\0\0WEBP"),
                (Format::Gif, b"GIF89a\x03\0\x03\0"), (Format::Avif, b"\0\0\0\x0cftypavif"),
            ] {
                let _ = read(format, &[start, &bytes].concat());
            }
        }
    }
}
