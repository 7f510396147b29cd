//! BlurHash: a picture's few lowest frequencies in some thirty characters, shown until the picture itself is there.
//!
//! <https://github.com/woltapp/blurhash/blob/master/Algorithm.md>. The input is small (32 pixels wide), so the plain
//! double sum is fast enough, and the same bytes always give the same text.

use std::f64::consts::PI;

/// The digits of base 83.
const DIGITS: &[u8; 83] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";

/// Components from left to right, and from top to bottom, as Mastodon has them.
const COMPONENTS: (u32, u32) = (4, 4);

/// The hash of a picture of three bytes a pixel (red, green, blue), in rows; none if the bytes do not fit the size.
pub fn blurhash(width: u32, height: u32, pixels: &[u8]) -> Option<String> {
    hash((width, height), pixels, COMPONENTS)
}

/// The hash of one to nine components each way.
fn hash((width, height): (u32, u32), pixels: &[u8], (across, down): (u32, u32)) -> Option<String> {
    let bytes = usize::try_from(u64::from(width) * u64::from(height) * 3).ok()?;
    if bytes == 0 || pixels.len() != bytes || !(1..=9).contains(&across) || !(1..=9).contains(&down) {
        return None;
    }
    let linear = pixels.iter().map(|byte| to_linear(*byte)).collect::<Vec<_>>();
    let factors = (0..down)
        .flat_map(|y| (0..across).map(move |x| (x, y)))
        .map(|component| factor((width, height), &linear, component))
        .collect::<Vec<_>>();
    let (direct, others) = factors.split_first()?;
    let mut text = String::new();
    digits(&mut text, u64::from(across - 1 + (down - 1) * 9), 1);
    let largest = others.iter().flatten().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let steps = if others.is_empty() { 0 } else { level((largest * 166.0 - 0.5).floor(), 82) };
    let scale = if others.is_empty() { 1.0 } else { (f64::from(steps) + 1.0) / 166.0 };
    digits(&mut text, u64::from(steps), 1);
    digits(&mut text, direct.iter().fold(0, |all, value| all << 8 | u64::from(to_srgb(*value))), 4);
    for component in others {
        let quantised = component.map(|value| level((signed_root(value / scale) * 9.0 + 9.5).floor(), 18));
        digits(&mut text, quantised.iter().fold(0, |all, value| all * 19 + u64::from(*value)), 2);
    }
    Some(text)
}

/// One component: the picture times a cosine wave each way, per colour.
fn factor((width, height): (u32, u32), linear: &[f64], (x, y): (u32, u32)) -> [f64; 3] {
    let wave =
        |place: u32, times: u32, of: u32| (PI * f64::from(times) * f64::from(place) / f64::from(of)).cos();
    let columns = (0..width).map(|column| wave(column, x, width)).collect::<Vec<_>>();
    let rows = (0..height).map(|row| wave(row, y, height)).collect::<Vec<_>>();
    let mut sums = [0.0; 3];
    for (row, line) in rows.iter().zip(linear.chunks_exact(columns.len() * 3)) {
        for (column, pixel) in columns.iter().zip(line.chunks_exact(3)) {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += row * column * value;
            }
        }
    }
    let normalisation = if (x, y) == (0, 0) { 1.0 } else { 2.0 };
    sums.map(|sum| sum * normalisation / (f64::from(width) * f64::from(height)))
}

/// A number as so many digits of base 83.
fn digits(text: &mut String, number: u64, count: u32) {
    for place in (0..count).rev() {
        let digit = usize::try_from(number / 83_u64.pow(place) % 83).unwrap_or_default();
        text.push(char::from(DIGITS[digit]));
    }
}

/// A float as a whole number from zero to a limit.
fn level(value: f64, limit: u8) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    let level = value.clamp(0.0, f64::from(limit)) as u8;
    level
}

/// The square root that keeps the sign.
fn signed_root(value: f64) -> f64 {
    value.abs().sqrt().copysign(value)
}

/// An sRGB byte as linear light, 0 to 1 (IEC 61966-2-1).
fn to_linear(byte: u8) -> f64 {
    let value = f64::from(byte) / 255.0;
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// Linear light as an sRGB byte.
fn to_srgb(value: f64) -> u8 {
    let value = value.clamp(0.0, 1.0);
    let curved = if value <= 0.003_130_8 { value * 12.92 } else { 1.055 * value.powf(1.0 / 2.4) - 0.055 };
    level((curved * 255.0 + 0.5).floor(), 255)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The colour at a point of a hash, as the published algorithm decodes it.
    fn decode(hash: &str, (x, y): (f64, f64)) -> [u8; 3] {
        let value = |range: std::ops::Range<usize>| {
            hash.as_bytes()[range].iter().fold(0_u32, |all, byte| {
                all * 83 + u32::try_from(DIGITS.iter().position(|digit| digit == byte).unwrap()).unwrap()
            })
        };
        let (across, down) = (value(0..1) % 9 + 1, value(0..1) / 9 + 1);
        let scale = (f64::from(value(1..2)) + 1.0) / 166.0;
        let mut sums = [0.0; 3];
        for index in 0..across * down {
            let wave =
                (PI * f64::from(index % across) * x).cos() * (PI * f64::from(index / across) * y).cos();
            let place = 4 + usize::try_from(index).unwrap() * 2;
            let colour = if index == 0 {
                let direct = value(2..6).to_be_bytes();
                [direct[1], direct[2], direct[3]].map(to_linear)
            } else {
                let packed = value(place..place + 2);
                [packed / 361, packed / 19 % 19, packed % 19].map(|level| {
                    let signed = (f64::from(level) - 9.0) / 9.0;
                    signed.powi(2).copysign(signed) * scale
                })
            };
            for (sum, part) in sums.iter_mut().zip(colour) {
                *sum += part * wave;
            }
        }
        sums.map(to_srgb)
    }

    /// A picture from a function of column and row.
    fn paint((width, height): (u32, u32), colour: impl Fn(u32, u32) -> [u8; 3]) -> Vec<u8> {
        (0..height)
            .flat_map(|row| (0..width).map(move |column| (column, row)))
            .flat_map(|(c, r)| colour(c, r))
            .collect()
    }

    #[test]
    fn one_colour_is_its_average_alone() {
        assert_eq!(hash((1, 1), &[255; 3], (1, 1)).unwrap(), "00TSUA");
        assert_eq!(hash((2, 2), &[0; 12], (1, 1)).unwrap(), "000000");
        let grey = blurhash(32, 32, &[128; 32 * 32 * 3]).unwrap();
        assert_eq!(grey.len(), 4 + 2 * 16);
        assert_eq!(decode(&grey, (0.3, 0.8)).map(|byte| byte.abs_diff(128) < 24), [true; 3]);
    }

    #[test]
    fn the_same_as_the_reference_encoder() {
        let pixels = paint((32, 24), |column, row| {
            [column * 8, row * 10, (column * row) % 256].map(|value| u8::try_from(value).unwrap())
        });
        assert_eq!(blurhash(32, 24, &pixels).unwrap(), "UxH27h2lwtX3mAWUjwfAgFfmfTfin$WsjsfN");
        assert_eq!(hash((32, 24), &pixels, (4, 3)).unwrap(), "LxH27h2lwtX3mAWUjwfAgFfmfTfi");
    }

    #[test]
    fn what_was_left_is_left_when_decoded() {
        let pixels = paint((32, 32), |column, _| if column < 16 { [255, 0, 0] } else { [0, 0, 255] });
        let text = blurhash(32, 32, &pixels).unwrap();
        let ([red, _, blue], [other_red, _, other_blue]) =
            (decode(&text, (0.1, 0.5)), decode(&text, (0.9, 0.5)));
        assert!(red > 150 && red - 80 > blue && other_blue > 150 && other_blue - 80 > other_red, "{text}");
    }

    #[test]
    fn bytes_that_do_not_fit_are_refused() {
        assert_eq!(blurhash(2, 2, &[0; 11]), None);
        assert_eq!(blurhash(0, 2, &[]), None);
        assert_eq!(hash((1, 1), &[0; 3], (10, 1)), None);
    }

    proptest! {
        #[test]
        fn any_picture_has_a_hash_of_known_length(width in 1_u32..12, height in 1_u32..12, seed: u8) {
            let pixels = paint((width, height), |column, row| [seed, seed.wrapping_mul(column.to_le_bytes()[0]), seed.wrapping_add(row.to_le_bytes()[0])]);
            let text = blurhash(width, height, &pixels).unwrap();
            prop_assert_eq!(text.len(), 36);
            prop_assert!(text.bytes().all(|byte| DIGITS.contains(&byte)));
        }
    }
}
