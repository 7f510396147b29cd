//! A full disk, as the readers of a unit see it: orders are turned away with a BusinessMessageReject until space is back.
//!
//! The order that met the full disk first is lost before it had a number in the log. The session misses that number at
//! the next message, asks for it again, and the order that comes again is turned away by then.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// How long orders are turned away after one met a full disk; then one is let through to see.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Whether the disk was full a moment ago.
#[derive(Default)]
pub(crate) struct Shortage {
    until: Mutex<Option<Instant>>,
}

impl Shortage {
    /// A command met a full disk.
    pub(crate) fn notice(&self) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + TRY_AGAIN);
    }

    /// Whether orders are turned away now.
    pub(crate) fn is_on(&self) -> bool {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        match *until {
            None => false,
            Some(moment) if Instant::now() < moment => true,
            Some(_) => {
                *until = None;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_on_only_once_noticed() {
        let shortage = Shortage::default();
        assert!(!shortage.is_on());
        shortage.notice();
        assert!(shortage.is_on());
    }
}
