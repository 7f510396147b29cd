//! Types of single configuration values: each knows what it allows and says so when it refuses.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// A whole number from `MIN` to `MAX`, `DEFAULT` when the key is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Whole<const MIN: u32, const MAX: u32, const DEFAULT: u32>(u32);

impl<const MIN: u32, const MAX: u32, const DEFAULT: u32> Whole<MIN, MAX, DEFAULT> {
    /// The number.
    pub(crate) const fn get(self) -> u32 {
        self.0
    }
}

impl<const MIN: u32, const MAX: u32, const DEFAULT: u32> Default for Whole<MIN, MAX, DEFAULT> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<'de, const MIN: u32, const MAX: u32, const DEFAULT: u32> Deserialize<'de> for Whole<MIN, MAX, DEFAULT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let refusal = || D::Error::custom(format_args!("must be a whole number from {MIN} to {MAX}"));
        let value = i64::deserialize(deserializer).map_err(|_| refusal())?;
        match u32::try_from(value) {
            Ok(value) if (MIN..=MAX).contains(&value) => Ok(Self(value)),
            _ => Err(refusal()),
        }
    }
}

/// A decimal number written as text (`"0.01"`), so that no digit is lost to binary fractions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    /// The number without its point.
    mantissa: i64,
    /// Digits after the point, trailing zeros left out.
    scale: u32,
}

impl Decimal {
    /// Digits that the number needs after the point.
    pub(crate) const fn scale(self) -> u32 {
        self.scale
    }

    /// The number in units of 10^-`scale`, or `None` when it has more digits than that or does not fit.
    pub(crate) fn at_scale(self, scale: u32) -> Option<i64> {
        let shift = scale.checked_sub(self.scale)?;
        self.mantissa.checked_mul(10_i64.checked_pow(shift)?)
    }
}

impl FromStr for Decimal {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const ALLOWED: &str = "must be a decimal number in quotes, like \"0.01\", of at most 18 digits";
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = whole.strip_prefix('-').unwrap_or(whole);
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(digits) || !all_digits(fraction) || digits.len() + fraction.len() > 18 {
            return Err(ALLOWED);
        }
        let fraction = fraction.trim_end_matches('0');
        let mantissa = format!("{whole}{fraction}").parse().map_err(|_| ALLOWED)?;
        let scale = u32::try_from(fraction.len()).map_err(|_| ALLOWED)?;
        Ok(Self { mantissa, scale })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let power = 10_u64.pow(self.scale);
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let magnitude = self.mantissa.unsigned_abs();
        write!(f, "{sign}{}", magnitude / power)?;
        if self.scale > 0 {
            write!(f, ".{:0width$}", magnitude % power, width = self.scale as usize)?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A name of 1 to `MAX` printable ASCII characters without spaces, as FIX identifiers are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub(crate) struct Name<const MAX: usize>(String);

impl<const MAX: usize> Name<MAX> {
    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> FromStr for Name<MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if (1..=MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("must be 1 to {MAX} printable ASCII characters without spaces"))
        }
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Name<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A time of day in UTC, to the second, written `"HH:MM:SS"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeOfDay(jiff::civil::Time);

impl TimeOfDay {
    /// Seconds since midnight UTC.
    pub(crate) fn seconds(self) -> u32 {
        let part = |value: i8| u32::from(value.unsigned_abs());
        part(self.0.hour()) * 3600 + part(self.0.minute()) * 60 + part(self.0.second())
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() != 8 {
            return Err(D::Error::custom("must be a time of day in UTC, like \"21:00:00\""));
        }
        let time =
            text.parse().map_err(|_| D::Error::custom("must be a time of day in UTC, like \"21:00:00\""))?;
        Ok(Self(time))
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A text that was checked when it was read.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(transparent)]
        pub(crate) struct $name(String);

        impl $name {
            /// The text.
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let check: fn(&str) -> Result<(), String> = $check;
                check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    };
}

checked_text! {
    /// An account's name.
    LoginName, |text| {
        let fits = decalog_identity::value::is_name(text);
        let reason = "must be 1 to 64 of lower-case letters, digits and . _ @ + -";
        fits.then_some(()).ok_or_else(|| reason.to_owned())
    }
}

checked_text! {
    /// An argon2id hash in PHC form.
    PasswordHash, |text| {
        let advice = "`decalog hash-password` makes one";
        decalog_identity::password::check_hash(text).map_err(|reason| format!("{reason}; {advice}"))
    }
}

checked_text! {
    /// A web origin (RFC 6454): scheme, host and port, without a path.
    Origin, |text| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let clean = |rest: &str| {
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#@*".contains(&byte))
        };
        let reason = "must be an origin like \"https://app.example\", without a path";
        rest.is_some_and(clean).then_some(()).ok_or_else(|| reason.to_owned())
    }
}

checked_text! {
    /// A network in CIDR form, or one address.
    Network, |text| {
        text.parse::<decalog_gateway::client::Network>().map(drop).map_err(|refusal| refusal.to_string())
    }
}

checked_text! {
    /// A network, an address or a host that calls may reach.
    Allowed, |text| {
        text.parse::<decalog_outbound::Allowed>().map(drop).map_err(|refusal| refusal.to_string())
    }
}

checked_text! {
    /// A name that stands in addresses.
    Slug, |text| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=32).contains(&text.len()) && text.bytes().all(allowed);
        fits.then_some(()).ok_or_else(|| "must be 1 to 32 of lower-case letters, digits and -".to_owned())
    }
}

checked_text! {
    /// A scope (RFC 6749, 3.3).
    ScopeName, |text| {
        let fits = decalog_identity::value::is_scope(text);
        fits.then_some(()).ok_or_else(|| "must be a scope: letters without spaces and quotes".to_owned())
    }
}

checked_text! {
    /// A domain of e-mail addresses.
    Domain, |text| {
        let clean = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        let fits = text.contains('.') && text.split('.').all(|label| !label.is_empty()) && text.bytes().all(clean);
        let reason = "must be a domain in lower case, like \"example.org\", without an @";
        fits.then_some(()).ok_or_else(|| reason.to_owned())
    }
}

/// A text that nothing shows.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    /// The text.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_keeps_every_digit_and_drops_trailing_zeros() {
        for (text, scale, shown) in
            [("0.01", 2, "0.01"), ("10", 0, "10"), ("-1.50", 1, "-1.5"), ("0.0", 0, "0")]
        {
            let decimal: Decimal = text.parse().expect(text);
            assert_eq!((decimal.scale(), decimal.to_string().as_str()), (scale, shown));
        }
        assert_eq!("0.01".parse::<Decimal>().unwrap().at_scale(4), Some(100));
        assert_eq!("0.01".parse::<Decimal>().unwrap().at_scale(1), None);
        for text in ["", ".", "1.", ".5", "1e3", "+1", "--1", "1234567890123456789"] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_has_no_spaces_and_a_bounded_length() {
        assert!("BTC-USD".parse::<Name<16>>().is_ok());
        for text in ["", "A B", "é", "12345678901234567", "A\u{1}B"] {
            assert!(text.parse::<Name<16>>().is_err(), "{text:?}");
        }
    }
}
