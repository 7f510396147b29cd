//! GIF (GIF89a specification): how many frames, how long, without decoding one.
//!
//! A GIF of two frames is an animation and becomes a video; the frame rate for that is the largest step that all delays
//! are multiples of. Delays below two hundredths are taken as ten, as browsers and ffmpeg take them.

use super::picture::ENDS_EARLY;
use super::refused::Refused;

/// What the blocks of a GIF say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gif {
    /// Width of the canvas.
    pub(crate) width: u32,
    /// Height of the canvas.
    pub(crate) height: u32,
    /// How many frames it has.
    pub(crate) frames: u64,
    /// Its duration in hundredths of a second.
    pub(crate) centiseconds: u64,
    /// The step that all delays are multiples of, in hundredths of a second.
    step: u64,
}

/// The delay in hundredths of a second of a frame that has none worth the name.
const USUAL_DELAY: u64 = 10;

impl Gif {
    /// Frames a second at which every frame has its own time, at most fifty, and fewer where a video of that rate would
    /// have more frames than the limit.
    pub(crate) fn frame_rate(&self, limit: u64) -> (u64, u64) {
        let step = self.step.max(2).max(self.centiseconds.div_ceil(limit.max(1)));
        (100, step)
    }
}

/// Walks all blocks of a GIF.
pub(crate) fn read(bytes: &[u8]) -> Result<Gif, Refused> {
    let early = || Refused::broken(ENDS_EARLY);
    let Some([w1, w2, h1, h2, flags, _, _]) = bytes.get(6..13) else { return Err(early()) };
    let (width, height) = (u16::from_le_bytes([*w1, *w2]).into(), u16::from_le_bytes([*h1, *h2]).into());
    let mut gif = Gif { width, height, frames: 0, centiseconds: 0, step: 0 };
    let mut delay = USUAL_DELAY;
    let mut at = 13 + palette(*flags);
    loop {
        match bytes.get(at) {
            Some(0x21) => {
                if let Some([0xf9, 4, _, d1, d2]) = bytes.get(at + 1..at + 6) {
                    delay = u64::from(u16::from_le_bytes([*d1, *d2]));
                }
                at = after_blocks(bytes, at + 2).ok_or_else(early)?;
            }
            Some(0x2c) => {
                let flags = bytes.get(at + 9).ok_or_else(early)?;
                let Some(next) = after_blocks(bytes, at + 11 + palette(*flags)) else {
                    // Many are cut short in their last frame; a still one then has nothing left to show.
                    return if gif.frames > 1 { Ok(gif) } else { Err(early()) };
                };
                at = next;
                let shown = if delay < 2 { USUAL_DELAY } else { delay };
                gif.frames += 1;
                gif.centiseconds += shown;
                gif.step = greatest_common_divisor(shown, gif.step);
                delay = USUAL_DELAY;
            }
            // The trailer; zeros and other bytes between blocks end it too, as in browsers.
            _ if gif.frames > 0 => return Ok(gif),
            _ => return Err(early()),
        }
    }
}

/// Bytes of the colour table that flags announce.
fn palette(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// The place after a chain of sub-blocks; none if the file ends in it.
fn after_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            0 => return Some(at + 1),
            length => at += 1 + usize::from(*length),
        }
    }
}

/// The greatest common divisor, by Euclid.
fn greatest_common_divisor(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { greatest_common_divisor(other, one % other) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A GIF of one pixel with a frame per delay.
    fn frames(delays: &[u16]) -> Vec<u8> {
        let mut bytes = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff".to_vec();
        for delay in delays {
            bytes.extend([&b"\x21\xf9\x04\0"[..], &delay.to_le_bytes(), b"\0\0"].concat());
            bytes.extend(b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0");
        }
        bytes.push(0x3b);
        bytes
    }

    #[test]
    fn frames_and_their_time_are_counted() {
        let still = read(&frames(&[0])).unwrap();
        assert_eq!((still.frames, still.width, still.height), (1, 1, 1));
        let moving = read(&frames(&[6, 9, 12])).unwrap();
        assert_eq!((moving.frames, moving.centiseconds, moving.frame_rate(1000)), (3, 27, (100, 3)));
        let hasty = read(&frames(&[0, 1])).unwrap();
        assert_eq!((hasty.centiseconds, hasty.frame_rate(1000)), (20, (100, 10)));
        assert_eq!(read(&frames(&[7, 8])).unwrap().frame_rate(1000), (100, 2), "at most fifty a second");
        let slow = read(&frames(&[60_000, 60_001])).unwrap();
        assert_eq!(slow.frame_rate(100), (100, 1201), "no more frames than the limit");
    }

    #[test]
    fn a_still_one_cut_short_is_refused_and_a_moving_one_keeps_what_it_has() {
        let still = frames(&[0]);
        assert!(read(&still[..still.len() - 3]).is_err());
        let moving = frames(&[5, 5, 5]);
        assert_eq!(read(&moving[..moving.len() - 3]).unwrap().frames, 2);
        assert!(read(b"GIF89a\x01\0").is_err());
    }
}
