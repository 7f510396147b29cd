//! How long logons wait after failures: nothing for the first four, then half a minute, doubling to a quarter of an hour.
//!
//! NIST SP 800-63B (5.2.2) asks for a bound on failed attempts; a back-off gives one without letting strangers lock
//! somebody out for good.

use crate::value::SECOND;

/// Failures in a row that cost nothing.
pub const FREE: u32 = 4;
/// The first wait, in nanoseconds.
pub const FIRST: i64 = 30 * SECOND;
/// The longest wait, in nanoseconds.
pub const LONGEST: i64 = 900 * SECOND;

/// How long, in nanoseconds, no logon is tried after so many failures in a row.
pub fn delay(in_a_row: u32) -> i64 {
    match in_a_row.checked_sub(FREE + 1) {
        None => 0,
        Some(doublings) => FIRST.checked_shl(doublings.min(20)).map_or(LONGEST, |delay| delay.min(LONGEST)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_and_stays_bounded() {
        let seconds: Vec<i64> = (0..14).map(|failures| delay(failures) / SECOND).collect();
        assert_eq!(seconds, [0, 0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900, 900]);
        assert_eq!(delay(u32::MAX), LONGEST);
    }
}
