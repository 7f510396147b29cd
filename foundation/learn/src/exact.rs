//! Exponential and logarithm of exactly defined operations alone: the same bits on every machine, where a system's own
//! differ. Both are within a few units in the last place.

/// ln 2 in two parts; the first has so few bits that its products with small whole numbers are exact.
const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// 1/k! from k = 13 down to 0.
const FACTORIALS: [f64; 14] = {
    let mut all = [1.0; 14];
    let (mut k, mut factorial) = (1, 1.0);
    while k < 14 {
        factorial *= k as f64;
        all[13 - k] = 1.0 / factorial;
        k += 1;
    }
    all
};

/// Two to a whole power between −1022 and 1023.
fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits((exponent + 1023).cast_unsigned() << 52)
}

/// e to the power of `x`: 0 far below, infinity far above, NaN of NaN.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "a whole number within ±1100")]
pub fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > 709.782_712_893_384 {
        return f64::INFINITY;
    }
    if x < -745.133_219_101_941_2 {
        return 0.0;
    }
    let whole = (x * std::f64::consts::LOG2_E).round();
    let rest = x - whole * LN2_HIGH - whole * LN2_LOW;
    let series = FACTORIALS.iter().fold(0.0, |sum, term| sum * rest + term);
    // In two steps, as the result may lie below what one power of two reaches.
    let (whole, half) = (whole as i64, whole as i64 / 2);
    series * power_of_two(half) * power_of_two(whole - half)
}

/// The natural logarithm: −infinity of 0, NaN below.
#[must_use]
pub fn ln(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x == f64::INFINITY {
        return x;
    }
    // What is too small to be normal is made larger first.
    let (x, shift) = if x < f64::MIN_POSITIVE { (x * power_of_two(54), 54) } else { (x, 0) };
    let bits = x.to_bits();
    let mut exponent = (bits >> 52).cast_signed() - 1023 - shift;
    let mut mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    // ln m = 2 artanh((m − 1) / (m + 1))
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = (0..12_i32).rev().fold(0.0, |sum, k| sum * square + 1.0 / f64::from(2 * k + 1));
    let exponent = exponent as f64;
    exponent * LN2_HIGH + (2.0 * s * series + exponent * LN2_LOW)
}

/// How likely a yes is, of its log-odds.
#[must_use]
pub fn sigmoid(margin: f64) -> f64 {
    1.0 / (1.0 + exp(-margin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(one: f64, other: f64) -> bool {
        one == other || (one - other).abs() <= 4.0 * f64::EPSILON * other.abs()
    }

    #[test]
    fn both_agree_with_the_system() {
        for step in -7_400..7_090_i32 {
            let x = f64::from(step) / 10.0 + 0.0123;
            let subnormal = x < -708.0;
            assert!(close(exp(x), x.exp()) || subnormal && (exp(x) - x.exp()).abs() < 1e-320, "exp {x}");
            let y = x.exp();
            assert!(close(ln(y), y.ln()), "ln {y}");
        }
        for step in 1..2_000_i32 {
            let y = f64::from(step) / 1_000.0;
            assert!((ln(y) - y.ln()).abs() <= 4.0 * f64::EPSILON * y.ln().abs().max(1e-3), "ln {y}");
        }
    }

    #[test]
    fn the_ends_are_what_they_should_be() {
        assert_eq!((exp(0.0), exp(f64::NEG_INFINITY), exp(f64::INFINITY)), (1.0, 0.0, f64::INFINITY));
        assert_eq!((exp(800.0), exp(-800.0)), (f64::INFINITY, 0.0));
        assert!(exp(f64::NAN).is_nan() && ln(f64::NAN).is_nan() && ln(-1.0).is_nan());
        assert_eq!((ln(1.0), ln(0.0), ln(f64::INFINITY)), (0.0, f64::NEG_INFINITY, f64::INFINITY));
        assert!((ln(5e-324) + 744.440_071_921_381_2).abs() < 1e-9);
        assert_eq!((sigmoid(0.0), sigmoid(-1e9), sigmoid(1e9)), (0.5, 0.0, 1.0));
    }

    #[test]
    fn the_bits_are_always_the_same() {
        let sum = (0..2_000_i32).fold(0_u64, |sum, step| {
            let x = f64::from(step) / 64.0 - 15.0;
            sum.rotate_left(7) ^ exp(x).to_bits() ^ ln(x.abs() + 0.01).to_bits().rotate_left(32)
        });
        // As the same steps come to in another language.
        assert_eq!(sum, 8_402_808_824_743_960_079);
    }
}
