//! What clients are shown, in the form that the Mastodon API's documentation gives each entity.

pub(crate) mod account;
pub(crate) mod quote;
pub(crate) mod rendered;
pub(crate) mod small;
pub(crate) mod status;

/// A moment as the API writes it: ISO 8601, UTC, with milliseconds.
pub(crate) fn moment(nanos: i64) -> String {
    let stamp = jiff::Timestamp::from_nanosecond(nanos.into()).unwrap_or_default();
    stamp.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// A day as the API writes it.
pub(crate) fn day(nanos: i64) -> String {
    let stamp = jiff::Timestamp::from_nanosecond(nanos.into()).unwrap_or_default();
    stamp.strftime("%Y-%m-%d").to_string()
}

/// Reads a moment that a client gives: ISO 8601 with an offset, or without one, which then is UTC.
pub(crate) fn read_moment(text: &str) -> Option<i64> {
    let stamp = text.trim().parse::<jiff::Timestamp>().ok().or_else(|| {
        let civil = text.trim().parse::<jiff::civil::DateTime>().ok()?;
        jiff::tz::Offset::UTC.to_timestamp(civil).ok()
    });
    stamp.and_then(|stamp| i64::try_from(stamp.as_nanosecond()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_read_as_the_documentation_does() {
        let text = "2019-12-08T03:48:33.901Z";
        let nanos = read_moment(text).unwrap();
        assert_eq!((moment(nanos).as_str(), day(nanos).as_str()), (text, "2019-12-08"));
        assert_eq!(read_moment("2019-12-08T04:48:33.901+01:00"), Some(nanos));
        assert_eq!(read_moment("2019-12-08T03:48:33.901"), Some(nanos));
        assert_eq!(read_moment("banana"), None);
    }
}
