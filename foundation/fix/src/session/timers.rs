//! What a session does because time passes: heartbeats, test requests, and the end of patience.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::machine::{Link, Phase, Session};
use super::outlet::{CloseReason, Outlet, SessionMessage};
use crate::time::Timestamp;

/// What is due next on a connection.
enum Due {
    Close(CloseReason),
    TestRequest,
    Heartbeat,
    AskAgain,
}

impl<A, R: Copy> Session<A, R> {
    /// The next moment at which [`Session::tick`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.link.as_ref().and_then(Link::next_due).map(|(at, _)| at)
    }

    /// Time has passed: does all that is due, so that [`Session::deadline`] lies after `now`. Harmless when called
    /// early.
    pub fn tick(&mut self, now: Timestamp, out: &mut impl Outlet<A, R>) {
        while let Some((_, due)) = self.link.as_ref().and_then(Link::next_due).filter(|(at, _)| *at <= now) {
            self.come_due(now, due, out);
        }
    }

    fn come_due(&mut self, now: Timestamp, due: Due, out: &mut impl Outlet<A, R>) {
        match due {
            Due::Close(reason) => self.drop_link(reason, out),
            Due::TestRequest => {
                if let Some(link) = &mut self.link {
                    link.testing = true;
                }
                self.emit(now, SessionMessage::TestRequest, out);
            }
            Due::Heartbeat => self.emit(now, SessionMessage::Heartbeat { test_req_id: None }, out),
            Due::AskAgain => self.ask_again(now, out),
        }
    }
}

impl Link {
    /// The earliest thing to come due. Silence is met by a TestRequest after 1.2 heartbeat intervals and by a close
    /// after 2.4; while a TestRequest waits no Heartbeat is sent.
    fn next_due(&self) -> Option<(Timestamp, Due)> {
        match self.phase {
            Phase::LoggingOn { until, .. } => return Some((until, Due::Close(CloseReason::LogonTimeout))),
            Phase::LoggingOut { until } => return Some((until, Due::Close(CloseReason::LogoutTimeout))),
            Phase::Active => {}
        }
        let again = self.gap.map(|gap| (gap.retry_at, Due::AskAgain));
        let beat = (self.heartbeat_seconds > 0).then(|| {
            let tenths = |tenths: i64| i64::from(self.heartbeat_seconds).saturating_mul(100_000_000 * tenths);
            if self.testing {
                return (self.last_in.plus_nanos(tenths(24)), Due::Close(CloseReason::Silent));
            }
            let test = self.last_in.plus_nanos(tenths(12));
            let heartbeat = self.last_out.plus_nanos(tenths(10));
            if heartbeat < test { (heartbeat, Due::Heartbeat) } else { (test, Due::TestRequest) }
        });
        [again, beat].into_iter().flatten().min_by_key(|(at, _)| *at)
    }
}
