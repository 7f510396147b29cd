//! Decimal numbers as FIX writes them (Price, Qty, Amt, float…), exactly: an integer and a scale, never an `f64`.

use serde::{Deserialize, Serialize};

/// `mantissa / 10^scale`. Reading drops trailing zeros of the fraction; two equal numbers may differ in scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Decimal {
    /// The digits, point left out.
    pub mantissa: i64,
    /// How many of them stand behind the point (at most 18).
    pub scale: u8,
}

/// Why a text is not a [`Decimal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not an optional minus, digits, an optional point and digits.
    #[error("not a decimal number")]
    Format,
    /// More digits than 64 bits hold, or more than 18 behind the point.
    #[error("decimal number out of range")]
    Range,
}

impl Decimal {
    /// `mantissa / 10^scale`.
    #[must_use]
    pub const fn new(mantissa: i64, scale: u8) -> Self {
        Self { mantissa, scale }
    }

    /// Reads an optional minus, digits, and an optional point with digits (FIX float: no plus, no exponent).
    pub fn parse(text: &[u8]) -> Result<Self, DecimalError> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        let mut mantissa = 0i64;
        let mut seen = 0usize;
        let mut scale = 0u8;
        let mut zeros = 0u8;
        let mut point = false;
        let mut in_range = true;
        for &byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if byte == b'.' && !point {
                point = true;
                continue;
            }
            if digit > 9 {
                return Err(DecimalError::Format);
            }
            seen += 1;
            if point && digit == 0 {
                zeros = zeros.saturating_add(1);
                continue;
            }
            // Zeros behind the point count only once another digit follows them.
            let shift = if point { std::mem::take(&mut zeros).saturating_add(1) } else { 1 };
            scale = scale.saturating_add(if point { shift } else { 0 });
            match POWERS.get(usize::from(shift)).and_then(|power| mantissa.checked_mul(*power)) {
                Some(shifted) => match shifted.checked_add(i64::from(digit)) {
                    Some(sum) => mantissa = sum,
                    None => in_range = false,
                },
                None => in_range = false,
            }
        }
        if seen == 0 {
            return Err(DecimalError::Format);
        }
        if !in_range || scale > 18 {
            return Err(DecimalError::Range);
        }
        Ok(Self { mantissa: if negative { -mantissa } else { mantissa }, scale })
    }

    /// The mantissa at another scale, or `None` when that loses digits or overflows.
    #[must_use]
    pub fn rescaled(self, scale: u8) -> Option<i64> {
        if scale >= self.scale {
            return self.mantissa.checked_mul(*POWERS.get(usize::from(scale - self.scale))?);
        }
        let divisor = *POWERS.get(usize::from(self.scale - scale))?;
        (self.mantissa % divisor == 0).then_some(self.mantissa / divisor)
    }

    /// Appends the number with exactly `scale` digits behind the point.
    pub fn write(self, out: &mut Vec<u8>) {
        if self.mantissa < 0 {
            out.push(b'-');
        }
        let value = self.mantissa.unsigned_abs();
        if self.scale == 0 {
            return write_unsigned(value, out);
        }
        let divisor = POWERS.get(usize::from(self.scale)).map_or(1, |power| power.unsigned_abs());
        write_unsigned(value / divisor, out);
        out.push(b'.');
        let mut fraction = value % divisor;
        let at = out.len();
        out.resize(at + usize::from(self.scale), b'0');
        for place in out[at..].iter_mut().rev() {
            *place = b'0' + (fraction % 10) as u8;
            fraction /= 10;
        }
    }
}

impl From<i64> for Decimal {
    fn from(whole: i64) -> Self {
        Self { mantissa: whole, scale: 0 }
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = Vec::new();
        self.write(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

/// Appends an integer in decimal.
pub(crate) fn write_unsigned(mut value: u64, out: &mut Vec<u8>) {
    let mut text = [0u8; 20];
    let mut at = text.len();
    loop {
        at -= 1;
        text[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[at..]);
}

const POWERS: [i64; 19] = {
    let mut powers = [1i64; 19];
    let mut place = 1;
    while place < powers.len() {
        powers[place] = powers[place - 1] * 10;
        place += 1;
    }
    powers
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, mantissa, scale) in [
            ("002000.00", 2000, 0),
            ("1.50", 15, 1),
            ("-0.001", -1, 3),
            ("10", 10, 0),
            (".5", 5, 1),
            ("7.", 7, 0),
            ("10.010", 1001, 2),
        ] {
            assert_eq!(Decimal::parse(text.as_bytes()), Ok(Decimal::new(mantissa, scale)), "{text}");
        }
        assert_eq!(Decimal::new(-105, 2).to_string(), "-1.05");
        assert_eq!(Decimal::new(5, 3).to_string(), "0.005");
        assert_eq!(Decimal::new(i64::MIN, 0).to_string(), "-9223372036854775808");
    }

    #[test]
    fn refuses_what_is_no_number_and_what_does_not_fit() {
        for text in ["", "-", ".", "+200.00", "1e5", "1.2.3", "12a", " 1", "1-"] {
            assert_eq!(Decimal::parse(text.as_bytes()), Err(DecimalError::Format), "{text}");
        }
        for text in ["99999999999999999999", "0.0000000000000000001", "9223372036854775808"] {
            assert_eq!(Decimal::parse(text.as_bytes()), Err(DecimalError::Range), "{text}");
        }
        assert!(Decimal::parse(b"1.00000000000000000000000000").is_ok());
    }

    #[test]
    fn rescales_exactly_or_not_at_all() {
        assert_eq!(Decimal::new(15, 1).rescaled(4), Some(15_000));
        assert_eq!(Decimal::new(15_000, 4).rescaled(1), Some(15));
        assert_eq!(Decimal::new(15_001, 4).rescaled(1), None);
        assert_eq!(Decimal::new(i64::MAX, 0).rescaled(1), None);
    }
}
