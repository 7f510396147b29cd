//! A session's own messages as bytes.

use crate::codec::{Encoder, Stamp};
use crate::dictionary::MsgType;
use crate::message;
use crate::session::{SeqNum, SessionMessage, TEST_REQ_ID};

/// Username (553) and Password (554) of an initiator's Logon.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Username (553).
    pub username: String,
    /// Password (554).
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Appends a message of the session itself. The stamp's route is that of the message.
pub fn write_session(
    encoder: &mut Encoder,
    message: &SessionMessage,
    stamp: &Stamp<'_>,
    credentials: Option<&Credentials>,
    out: &mut Vec<u8>,
) {
    match message {
        SessionMessage::Logon { heartbeat_seconds, reset, next_expected } => {
            let logon = message::Logon {
                encrypt_method: 0,
                heart_bt_int: i64::from(*heartbeat_seconds),
                reset_seq_num_flag: reset.then_some(true),
                username: credentials.map(|credentials| credentials.username.as_str()),
                password: credentials.map(|credentials| credentials.password.as_str()),
                next_expected_msg_seq_num: *next_expected,
            };
            encoder.write(MsgType::Logon, stamp, out, |body| logon.encode(body));
        }
        SessionMessage::Heartbeat { test_req_id } => {
            let heartbeat = message::Heartbeat { test_req_id: test_req_id.as_deref() };
            encoder.write(MsgType::Heartbeat, stamp, out, |body| heartbeat.encode(body));
        }
        SessionMessage::TestRequest => {
            let request = message::TestRequest { test_req_id: TEST_REQ_ID };
            encoder.write(MsgType::TestRequest, stamp, out, |body| request.encode(body));
        }
        SessionMessage::ResendRequest { begin } => {
            let request = message::ResendRequest { begin_seq_no: *begin, end_seq_no: 0 };
            encoder.write(MsgType::ResendRequest, stamp, out, |body| request.encode(body));
        }
        SessionMessage::Reject { ref_seq, reject, route } => {
            let message = message::Reject {
                ref_seq_num: *ref_seq,
                text: Some(reject.reason.text()),
                ref_tag_id: reject.ref_tag.map(i64::from),
                ref_msg_type: Some(reject.ref_msg_type.as_str()).filter(|wire| !wire.is_empty()),
                session_reject_reason: Some(i64::from(reject.reason.code())),
            };
            let stamp = Stamp { route: route.as_deref(), ..*stamp };
            encoder.write(MsgType::Reject, &stamp, out, |body| message.encode(body));
        }
        SessionMessage::BusinessReject { ref_seq, reject, route } => {
            let message = message::BusinessMessageReject {
                ref_seq_num: Some(*ref_seq),
                text: Some(&reject.text),
                ref_msg_type: reject.ref_msg_type.wire(),
                business_reject_ref_id: reject.ref_id.as_deref(),
                business_reject_reason: i64::from(reject.reason.code()),
            };
            let stamp = Stamp { route: route.as_deref(), ..*stamp };
            encoder.write(MsgType::BusinessMessageReject, &stamp, out, |body| message.encode(body));
        }
        SessionMessage::Logout { text } => {
            let logout = message::Logout { text: text.as_deref() };
            encoder.write(MsgType::Logout, stamp, out, |body| logout.encode(body));
        }
    }
}

/// Appends the SequenceReset (4) that fills a gap from the stamp's number up to `new_seq`. It counts as sent again
/// (PossDupFlag), and as first sent now.
pub fn write_gap_fill(encoder: &mut Encoder, new_seq: SeqNum, stamp: &Stamp<'_>, out: &mut Vec<u8>) {
    let fill = message::SequenceReset { new_seq_no: new_seq, gap_fill_flag: Some(true) };
    let stamp = stamp.again(stamp.sending_time);
    encoder.write(MsgType::SequenceReset, &stamp, out, |body| fill.encode(body));
}
