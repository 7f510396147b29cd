//! Moments as FIX writes them: UTCTimestamp, from seconds to nanoseconds. Never asks what time it is.

use serde::{Deserialize, Serialize};

/// Nanoseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

/// How many fractional digits a written UTCTimestamp carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precision {
    /// `YYYYMMDD-HH:MM:SS`
    Seconds,
    /// Three digits, the finest that FIX 4.4 itself names.
    #[default]
    Millis,
    /// Six digits, as later FIX versions allow.
    Micros,
    /// Nine digits, as later FIX versions allow.
    Nanos,
}

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

impl Timestamp {
    /// This moment, so many seconds later (saturating at the ends of time).
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(SECOND)))
    }

    /// This moment, so many nanoseconds later (saturating).
    #[must_use]
    pub const fn plus_nanos(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// The distance between two moments in nanoseconds, whichever is later.
    #[must_use]
    pub const fn distance(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }

    /// Reads a UTCTimestamp (`YYYYMMDD-HH:MM:SS`, then nothing or a point and one to nine digits; a leap second
    /// reads as the second after). `None` when the text is not one.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (whole, fraction) = text.split_first_chunk::<17>()?;
        if whole[8] != b'-' || whole[11] != b':' || whole[14] != b':' {
            return None;
        }
        let (century, year) = (pair(whole, 0)?, pair(whole, 2)?);
        let year = i64::from(century * 100 + year);
        let (month, day) = (pair(whole, 4)?, pair(whole, 6)?);
        let (hour, minute, second) = (pair(whole, 9)?, pair(whole, 12)?, pair(whole, 15)?);
        if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
            return None;
        }
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let nanos = match fraction {
            [] => 0,
            [b'.', rest @ ..] if (1..=9).contains(&rest.len()) => {
                let mut value = i64::from(digits(rest)?);
                for _ in rest.len()..9 {
                    value *= 10;
                }
                value
            }
            _ => return None,
        };
        let days = days_from_civil(year, month, day);
        let seconds = days * DAY + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        seconds.checked_mul(SECOND)?.checked_add(nanos).map(Self)
    }

    /// Appends this moment as a UTCTimestamp, cut (not rounded) to the precision. Years outside 0..=9999 cannot be
    /// reached from a 64-bit count of nanoseconds.
    pub fn write(self, precision: Precision, out: &mut Vec<u8>) {
        self.write_near(precision, &mut Second::none(), out);
    }

    /// As [`Timestamp::write`], quicker when the moment lies in the same second as the one written before.
    pub(crate) fn write_near(self, precision: Precision, second: &mut Second, out: &mut Vec<u8>) {
        let seconds = self.0.div_euclid(SECOND);
        if second.seconds != seconds {
            *second = Second { seconds, text: [0; 17] };
            write_seconds(seconds, &mut second.text);
        }
        let width = match precision {
            Precision::Seconds => return out.extend_from_slice(&second.text),
            Precision::Millis => 3,
            Precision::Micros => 6,
            Precision::Nanos => 9,
        };
        let mut text = [b'.'; 27];
        text[..17].copy_from_slice(&second.text);
        let mut rest = self.0.rem_euclid(SECOND) / [1_000_000, 1_000, 1][width / 3 - 1];
        for place in (0..width).rev() {
            text[18 + place] = b'0' + digit(rest % 10);
            rest /= 10;
        }
        out.extend_from_slice(&text[..18 + width]);
    }
}

/// The text of the second that was written last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Second {
    seconds: i64,
    text: [u8; 17],
}

impl Second {
    /// No second was written: no count of nanoseconds reaches this one.
    pub(crate) const fn none() -> Self {
        Self { seconds: i64::MIN, text: [0; 17] }
    }
}

fn write_seconds(seconds: i64, text: &mut [u8; 17]) {
    let (days, of_day) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let (year, month, day) = civil_from_days(days);
    four(year, &mut text[0..4]);
    two(month, &mut text[4..6]);
    two(day, &mut text[6..8]);
    text[8] = b'-';
    two(of_day / 3600, &mut text[9..11]);
    text[11] = b':';
    two(of_day / 60 % 60, &mut text[12..14]);
    text[14] = b':';
    two(of_day % 60, &mut text[15..17]);
}

fn digit(value: i64) -> u8 {
    u8::try_from(value).unwrap_or(0)
}

fn two(value: i64, at: &mut [u8]) {
    at[0] = b'0' + digit(value / 10);
    at[1] = b'0' + digit(value % 10);
}

fn four(value: i64, at: &mut [u8]) {
    two(value / 100, &mut at[0..2]);
    two(value % 100, &mut at[2..4]);
}

/// The value of the two digits at that place.
#[inline]
fn pair(text: &[u8; 17], at: usize) -> Option<u32> {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// The value of one to nine digits, or `None` when something else stands there.
pub(crate) fn digits(text: &[u8]) -> Option<u32> {
    let mut value = 0u32;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u32::from(digit);
    }
    Some(value)
}

/// The days of a month of the Gregorian calendar.
pub(crate) fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let (month, day) = (i64::from(month), i64::from(day));
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(nanos: i64, precision: Precision) -> String {
        let mut out = Vec::new();
        Timestamp(nanos).write(precision, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn writes_what_it_reads() {
        let moment = 1_790_000_000_123_456_789;
        for precision in [Precision::Seconds, Precision::Millis, Precision::Micros, Precision::Nanos] {
            let text = written(moment, precision);
            assert_eq!(written(Timestamp::parse(text.as_bytes()).unwrap().0, precision), text);
        }
        assert_eq!(Timestamp::parse(written(moment, Precision::Nanos).as_bytes()), Some(Timestamp(moment)));
        assert_eq!(written(0, Precision::Millis), "19700101-00:00:00.000");
        assert_eq!(written(951_782_400 * SECOND, Precision::Seconds), "20000229-00:00:00");
        assert_eq!(written(-1, Precision::Nanos), "19691231-23:59:59.999999999");
    }

    #[test]
    fn refuses_what_is_not_a_timestamp() {
        for text in [
            "20040415",
            "20261301-00:00:00",
            "20260230-00:00:00",
            "20260101-24:00:00",
            "20260101-00:60:00",
            "20260101-00:00:61",
            "20260101 00:00:00",
            "20260101-00:00:00.",
            "20260101-00:00:00.1234567890",
            "2026010a-00:00:00",
            "",
            "20260101-00:00:00x",
        ] {
            assert_eq!(Timestamp::parse(text.as_bytes()), None, "{text}");
        }
        assert!(Timestamp::parse(b"20240229-23:59:60.5").is_some());
    }
}
