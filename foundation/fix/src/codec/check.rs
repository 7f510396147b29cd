//! Is a value what its field's syntax and enumeration allow?

use crate::decimal::{Decimal, DecimalError};
use crate::dictionary::{Field, Format};
use crate::session::RejectReason;
use crate::time::{Timestamp, days_in_month, digits};

/// Judges a value that is not empty.
#[inline]
pub(super) fn value(field: &Field, value: &[u8]) -> Result<(), RejectReason> {
    syntax(field.format, value)?;
    if field.values.is_empty() {
        return Ok(());
    }
    let known = if field.format == Format::MultipleValue {
        value.split(|byte| *byte == b' ').all(|word| enumerated(field, word))
    } else {
        enumerated(field, value)
    };
    if known { Ok(()) } else { Err(RejectReason::ValueIncorrect) }
}

#[inline]
fn enumerated(field: &Field, word: &[u8]) -> bool {
    match word {
        [byte] if field.ascii != 0 => *byte < 128 && field.ascii >> byte & 1 == 1,
        _ => field.ascii == 0 && field.values.iter().any(|known| known.as_bytes() == word),
    }
}

#[inline]
fn syntax(format: Format, value: &[u8]) -> Result<(), RejectReason> {
    let well_formed = match format {
        Format::Text => value.is_ascii() || std::str::from_utf8(value).is_ok(),
        Format::Char => value.len() == 1 && value[0].is_ascii_graphic(),
        Format::Int => return integer(value.strip_prefix(b"-").unwrap_or(value)),
        Format::Unsigned | Format::NumInGroup => return integer(value),
        Format::Decimal => {
            return Decimal::parse(value).map(|_| ()).map_err(|error| match error {
                DecimalError::Format => RejectReason::IncorrectDataFormat,
                DecimalError::Range => RejectReason::ValueIncorrect,
            });
        }
        Format::Boolean => matches!(value, b"Y" | b"N"),
        Format::MultipleValue => {
            std::str::from_utf8(value).is_ok()
                && value.split(|byte| *byte == b' ').all(|word| !word.is_empty())
        }
        Format::UtcTimestamp => Timestamp::parse(value).is_some(),
        Format::UtcTime => time(value),
        Format::Date => date(value),
        Format::MonthYear => month_year(value),
        Format::Data => true,
    };
    if well_formed { Ok(()) } else { Err(RejectReason::IncorrectDataFormat) }
}

/// Digits that fit an `i64`.
fn integer(text: &[u8]) -> Result<(), RejectReason> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(RejectReason::IncorrectDataFormat);
    }
    let fits = text.len() <= 18 || std::str::from_utf8(text).is_ok_and(|text| text.parse::<i64>().is_ok());
    if fits { Ok(()) } else { Err(RejectReason::ValueIncorrect) }
}

fn time(value: &[u8]) -> bool {
    // A time of day is a timestamp of any day.
    let mut text = *b"20000101-00:00:00.000000000";
    let end = 9 + value.len();
    end <= text.len() && {
        text[9..end].copy_from_slice(value);
        Timestamp::parse(&text[..end]).is_some()
    }
}

fn date(value: &[u8]) -> bool {
    value.len() == 8 && month_of(value) && {
        let (year, month) = (digits(&value[..4]).unwrap_or(0), digits(&value[4..6]).unwrap_or(0));
        digits(&value[6..]).is_some_and(|day| (1..=days_in_month(i64::from(year), month)).contains(&day))
    }
}

fn month_of(value: &[u8]) -> bool {
    digits(&value[..4]).is_some() && digits(&value[4..6]).is_some_and(|month| (1..=12).contains(&month))
}

fn month_year(value: &[u8]) -> bool {
    match value.len() {
        6 => month_of(value),
        8 if value[6] == b'w' => month_of(value) && (b'1'..=b'5').contains(&value[7]),
        8 => date(value),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_syntax_takes_its_own_and_refuses_others() {
        let cases: &[(Format, &[&str], &[&str])] = &[
            (Format::Int, &["0", "-5", "007"], &["+1", "1.0", "-", "a", "1 "]),
            (Format::Unsigned, &["0", "12"], &["-1", "x"]),
            (Format::Decimal, &["1", "-1.5", "002000.00"], &["+200.00", "1e3", "."]),
            (Format::Char, &["A", "*"], &["AB", " ", "\u{7f}"]),
            (Format::Boolean, &["Y", "N"], &["y", "true", "1"]),
            (Format::MultipleValue, &["a", "a b"], &["a  b", " a", "a "]),
            (Format::UtcTimestamp, &["20260101-10:00:00", "20260101-10:00:00.123456"], &["20260101", "now"]),
            (
                Format::UtcTime,
                &["10:00:00", "23:59:59.999"],
                &["24:00:00", "10:00", "10:00:00.1234567890123456789"],
            ),
            (Format::Date, &["20240229"], &["20230229", "2024", "20241301", "2024010a"]),
            (
                Format::MonthYear,
                &["202401", "20240131", "202401w5"],
                &["202413", "202401w6", "20240132", "2024"],
            ),
        ];
        for (format, good, bad) in cases {
            for text in *good {
                assert_eq!(syntax(*format, text.as_bytes()), Ok(()), "{format:?} {text}");
            }
            for text in *bad {
                let judged = syntax(*format, text.as_bytes());
                assert_eq!(judged, Err(RejectReason::IncorrectDataFormat), "{format:?} {text}");
            }
        }
        assert_eq!(syntax(Format::Text, b"\xff\xfe"), Err(RejectReason::IncorrectDataFormat));
        assert_eq!(syntax(Format::Int, b"99999999999999999999"), Err(RejectReason::ValueIncorrect));
        assert_eq!(syntax(Format::Decimal, b"99999999999999999999"), Err(RejectReason::ValueIncorrect));
    }
}
