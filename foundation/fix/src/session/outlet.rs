//! What a session tells its owner to do. The owner encodes, writes and closes; the session only decides.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::inbound::{BusinessReject, Header, Route, SeqNum, SessionReject};
use super::sent::Replay;

/// Names one transport connection; the owner chooses the numbers and never uses one twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnectionId(pub u64);

/// Takes a session's decisions, in the order in which they must reach the wire.
///
/// `A` is the application's form of an inbound application message, `R` its address of an outbound one.
pub trait Outlet<A, R> {
    /// Send a new message under this number. The answer says where the owner can find it again for a resend;
    /// `None` lets a resend gap-fill it, which is the rule for all but [`SessionMessage::BusinessReject`] and
    /// (the owner's choice) [`SessionMessage::Reject`].
    fn send(&mut self, connection: ConnectionId, seq: SeqNum, message: SessionMessage) -> Option<R>;

    /// Send these again, under their old numbers with PossDupFlag (43) and OrigSendingTime (122).
    fn replay(&mut self, connection: ConnectionId, items: Replay<'_, R>);

    /// The next application message in sequence; it will not come again. Answers go out by
    /// [`Session::send`](super::Session::send) once the call that delivered it has returned.
    fn deliver(&mut self, header: Header, message: A);

    /// Both sequences start at 1 again: what was found by an earlier number is not to be found any more.
    fn restarted(&mut self) {}

    /// The session is open on this connection.
    fn logged_on(&mut self, connection: ConnectionId) {
        let _ = connection;
    }

    /// The other side could not take one of our messages.
    fn rejected(&mut self, ref_seq: SeqNum, text: Option<String>) {
        let _ = (ref_seq, text);
    }

    /// Close this connection once all that was sent before is written. The session has already let go of it.
    fn close(&mut self, connection: ConnectionId, reason: CloseReason);
}

/// A new message of the session itself. SendingTime (52) is the moment that was passed to the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionMessage {
    /// Logon (A); an initiator's driver adds its credentials.
    Logon {
        /// HeartBtInt (108).
        heartbeat_seconds: u32,
        /// ResetSeqNumFlag (141).
        reset: bool,
        /// NextExpectedMsgSeqNum (789).
        next_expected: Option<SeqNum>,
    },
    /// Heartbeat (0).
    Heartbeat {
        /// TestReqID (112) of the TestRequest it answers.
        test_req_id: Option<String>,
    },
    /// TestRequest (1), always with [`TEST_REQ_ID`].
    TestRequest,
    /// ResendRequest (2) for everything from `begin` on.
    ResendRequest {
        /// BeginSeqNo (7); EndSeqNo (16) is 0.
        begin: SeqNum,
    },
    /// Reject (3).
    Reject {
        /// RefSeqNum (45).
        ref_seq: SeqNum,
        /// Reason, tag and message type.
        reject: SessionReject,
        /// The way back to who is behind the sender.
        route: Option<Box<Route>>,
    },
    /// BusinessMessageReject (j).
    BusinessReject {
        /// RefSeqNum (45).
        ref_seq: SeqNum,
        /// Reason, id and message type.
        reject: BusinessReject,
        /// The way back to who is behind the sender.
        route: Option<Box<Route>>,
    },
    /// Logout (5).
    Logout {
        /// Text (58).
        text: Option<Cow<'static, str>>,
    },
}

/// The TestReqID (112) of every TestRequest. Any message answers one, so the id need not differ.
pub const TEST_REQ_ID: &str = "TEST";

/// Why a session closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CloseReason {
    /// The session is open on another connection.
    AlreadyLoggedOn,
    /// Something other than a good Logon came first.
    NotLoggedOn,
    /// The Logon was refused (a Logout says why).
    LogonRefused,
    /// Both sides have said Logout.
    LoggedOut,
    /// The other side did not answer a Logout in time.
    LogoutTimeout,
    /// The other side did not answer a Logon in time.
    LogonTimeout,
    /// Nothing came for 2.4 heartbeat intervals, a TestRequest notwithstanding.
    Silent,
    /// MsgSeqNum was lower than expected, without PossDupFlag.
    SeqNumTooLow,
    /// A message without a readable MsgSeqNum.
    NoSeqNum,
}
