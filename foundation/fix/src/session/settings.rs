//! The rules that two counterparties agree on before they meet.

use serde::{Deserialize, Serialize};

/// How one session behaves. Part of the session's state: a change is a change of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Who sends the Logon.
    pub role: Role,
    /// Both sequences start at 1 with every Logon.
    pub reset_on_logon: bool,
    /// How far SendingTime (52) may lie from now, in seconds; `None` does not look.
    pub sending_time_tolerance_seconds: Option<u32>,
    /// The longest HeartBtInt (108) that an acceptor takes, in seconds.
    pub max_heartbeat_seconds: u32,
    /// How long to wait for the answer to a Logout, in seconds.
    pub logout_timeout_seconds: u32,
    /// How many of the last outbound numbers can be sent again; older ones are gap-filled.
    pub resend_window: u64,
    /// How many messages above a gap are kept until it closes; more are asked for again.
    pub max_queued: usize,
}

/// Who sends the Logon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// The other side does.
    Acceptor,
    /// This side does.
    Initiator {
        /// HeartBtInt (108) to ask for, in seconds.
        heartbeat_seconds: u32,
        /// Send NextExpectedMsgSeqNum (789), so that a gap is filled without a ResendRequest.
        next_expected: bool,
        /// How long to wait for the answer to the Logon, in seconds.
        logon_timeout_seconds: u32,
    },
}

impl Settings {
    /// An acceptor's usual rules: numbers go on over reconnects, 120 s of tolerance, a million numbers to resend.
    #[must_use]
    pub const fn acceptor() -> Self {
        Self {
            role: Role::Acceptor,
            reset_on_logon: false,
            sending_time_tolerance_seconds: Some(120),
            max_heartbeat_seconds: 3600,
            logout_timeout_seconds: 2,
            resend_window: 1_000_000,
            max_queued: 256,
        }
    }

    /// An initiator's usual rules: as [`Settings::acceptor`], asking for the given HeartBtInt.
    #[must_use]
    pub const fn initiator(heartbeat_seconds: u32) -> Self {
        Self {
            role: Role::Initiator { heartbeat_seconds, next_expected: false, logon_timeout_seconds: 10 },
            ..Self::acceptor()
        }
    }
}
