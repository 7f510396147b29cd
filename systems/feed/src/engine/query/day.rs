//! Days of the proleptic Gregorian calendar, by number: enough calendar for `before:`, `after:` and
//! `during:`.
//!
//! Time zones are for the caller.

/// The number of days since 1970-01-01 of a date written `YYYY-MM-DD` (RFC 3339 full-date); nothing for any
/// other text or a day the month does not have.
#[must_use]
pub fn day_of(date: &str) -> Option<i64> {
    let bytes = date.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let number = |digits: &[u8]| {
        digits
            .iter()
            .try_fold(0_i64, |sum, &digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
    };
    let (year, month, day) = (number(&bytes[..4])?, number(&bytes[5..7])?, number(&bytes[8..])?);
    let number = days_from_civil(year, month, day);
    // A date that does not exist has the number of another.
    ((1..=12).contains(&month) && civil_from_days(number) == (year, month, day)).then_some(number)
}

/// Year, month (from 1) and day (from 1) of a number of days since 1970-01-01.
#[must_use]
pub fn date_of(day: i64) -> (i64, i64, i64) {
    civil_from_days(day.clamp(-1_000_000_000_000, 1_000_000_000_000))
}

/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The same source: `civil_from_days`.
fn civil_from_days(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let day_of_era = day.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days() {
        for (date, day) in [
            ("1970-01-01", Some(0)),
            ("1969-12-31", Some(-1)),
            ("2000-02-29", Some(11_016)),
            ("2024-02-29", Some(19_782)),
            ("2038-01-19", Some(24_855)),
            ("0000-01-01", Some(-719_528)),
            ("1900-02-29", None),
            ("2023-02-29", None),
            ("2024-04-31", None),
            ("2024-13-01", None),
            ("2024-00-10", None),
            ("2024-01-00", None),
            ("2024-1-01", None),
            ("2024/01/01", None),
            ("２024-01-1", None),
            ("+024-01-01", None),
        ] {
            assert_eq!(day_of(date), day, "{date}");
        }
    }

    /// Counts through the calendar the slow way.
    #[test]
    fn every_day_of_ten_thousand_years() {
        let mut expected = -719_528;
        for year in 0_i64..10_000 {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let months = [31, 28 + i64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            for (month, length) in (1..).zip(months) {
                for day in 1..=length {
                    assert_eq!(days_from_civil(year, month, day), expected);
                    assert_eq!(date_of(expected), (year, month, day));
                    expected += 1;
                }
            }
        }
        assert!(date_of(i64::MAX).0 > date_of(i64::MIN).0);
    }
}
