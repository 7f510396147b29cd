//! One-time passwords by time (RFC 6238 over RFC 4226): SHA-1, 30 seconds and 6 digits, which is what every authenticator
//! app does.

use ring::hmac;

use super::secret;

/// Seconds in a time step.
pub const STEP: u64 = 30;
/// Digits of a code.
pub const DIGITS: u32 = 6;

/// The code of a time step.
pub fn code(secret: &[u8], step: u64, digits: u32) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    // RFC 4226, 5.3: the last four bits say where the 31 bits begin.
    let from = usize::from(tag[19] & 15);
    let number = u32::from_be_bytes([tag[from] & 0x7f, tag[from + 1], tag[from + 2], tag[from + 3]]);
    let width = digits as usize;
    format!("{:0width$}", u64::from(number) % 10_u64.pow(digits))
}

/// The time step whose code this is, among the present one and its neighbours: clocks of phones are not exact.
pub fn step_of(secret: &[u8], shown: &str, seconds: u64) -> Option<u64> {
    let now = seconds / STEP;
    let steps = [now, now.saturating_sub(1), now + 1];
    let right: Vec<u64> = steps
        .into_iter()
        .filter(|step| secret::same(code(secret, *step, DIGITS).as_bytes(), shown.as_bytes()))
        .collect();
    right.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    #[test]
    fn the_vectors_of_rfc_6238_appendix_b() {
        let vectors = [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ];
        for (seconds, expected) in vectors {
            assert_eq!(code(SECRET, seconds / STEP, 8), expected);
            assert_eq!(step_of(SECRET, &expected[2..], seconds), Some(seconds / STEP));
        }
    }

    #[test]
    fn a_clock_may_be_one_step_off_and_no_more() {
        let now = 1_234_567_890;
        for (seconds, expected) in
            [(now - 30, true), (now, true), (now + 30, true), (now - 90, false), (now + 90, false)]
        {
            let shown = code(SECRET, seconds / STEP, DIGITS);
            assert_eq!(step_of(SECRET, &shown, now).is_some(), expected, "{seconds}");
        }
        for wrong in ["", "00592", "0059244", "abcdef"] {
            assert_eq!(step_of(SECRET, wrong, now), None);
        }
    }
}
