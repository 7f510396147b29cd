//! The stateless guard at the edge: one framed message in, what a session can decide by out.
//!
//! It validates against the dictionary, compares CompIDs and reads the session's own messages into types, so that
//! nothing behind it looks at bytes. It knows no sequence and keeps nothing between messages but its buffers.

use std::borrow::Cow;

use crate::codec::{Frame, Message, Parser, Rejection, Rules};
use crate::dictionary::{self, MsgType, tag};
use crate::message::{self, FieldError};
use crate::session::{
    Body, BusinessReason, BusinessReject, Header, Inbound, Logon, RejectReason, Route, SessionReject, Tag,
};
use crate::time::Timestamp;

const BEGIN_STRING: &[u8] = b"FIX.4.4";
/// The most of an unknown MsgType that is repeated to its sender, in bytes.
const MSG_TYPE_LIMIT: usize = 8;

/// The two ends of a session, seen from here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// Our CompID: SenderCompID (49) of what goes out, TargetCompID (56) of what comes in.
    pub ours: String,
    /// The counterparty's CompID.
    pub theirs: String,
}

/// Why the application cannot read a valid message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The application does not take this message type.
    Unsupported,
    /// A field is missing that this message needs, or holds what the application cannot represent.
    Field(FieldError),
    /// Any other reason.
    Business {
        /// BusinessRejectReason (380).
        reason: BusinessReason,
        /// BusinessRejectRefID (379).
        ref_id: Option<String>,
        /// Text (58).
        text: Cow<'static, str>,
    },
}

impl From<FieldError> for Refusal {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}

/// Checks the messages of one connection.
#[derive(Debug)]
pub struct Guard {
    parser: Parser,
    rules: Rules,
    identity: Option<Identity>,
}

/// The first message of an accepted connection, when it is a good Logon. Whose it is, and whether the credentials
/// are right, is for the caller to find out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening<'a> {
    /// SenderCompID (49): who claims to log on.
    pub sender: &'a str,
    /// TargetCompID (56): to whom.
    pub target: &'a str,
    /// Username (553).
    pub username: Option<&'a str>,
    /// Password (554).
    pub password: Option<&'a str>,
    header: Header,
    logon: Logon,
}

impl Opening<'_> {
    /// What to hand to the session, without the credentials.
    #[must_use]
    pub fn inbound<A>(&self) -> Inbound<A> {
        Inbound { header: self.header.clone(), body: Body::Logon(self.logon) }
    }
}

/// The first message of a connection is no good Logon: close it without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotLogon {
    /// Another BeginString than FIX.4.4.
    #[error("BeginString (8) is not FIX.4.4")]
    BeginString,
    /// Another type than Logon (A).
    #[error("MsgType (35) is {0}, not a Logon")]
    MsgType(String),
    /// A Logon that breaks the dictionary.
    #[error("a Logon that breaks the dictionary: {} (tag {tag:?})", reason.text())]
    Invalid {
        /// The rule it breaks.
        reason: RejectReason,
        /// The tag that does.
        tag: Option<Tag>,
    },
}

impl Guard {
    /// A guard that knows no counterparty yet.
    #[must_use]
    pub const fn new(rules: Rules) -> Self {
        Self { parser: Parser::new(), rules, identity: None }
    }

    /// From now on the CompIDs must be these.
    pub fn bind(&mut self, identity: Identity) {
        self.identity = Some(identity);
    }

    /// The CompIDs that were bound.
    #[must_use]
    pub const fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Judges the first message of an accepted connection.
    pub fn first<'a>(&'a mut self, frame: Frame<'a>) -> Result<Opening<'a>, NotLogon> {
        let message = self.parser.parse(frame);
        if message.get(tag::BEGIN_STRING) != Some(BEGIN_STRING) {
            return Err(NotLogon::BeginString);
        }
        if message.msg_type() != Some(MsgType::Logon) {
            return Err(NotLogon::MsgType(shown(message.msg_type_wire())));
        }
        let invalid = |Rejection { reason, tag }| NotLogon::Invalid { reason, tag };
        message.validate(self.rules).map_err(invalid)?;
        let (logon, credentials) = logon(&message).map_err(invalid)?;
        let Ok(header) = header(&message) else {
            return Err(invalid(required(tag::MSG_SEQ_NUM)));
        };
        let text = |tag| message.text(tag).unwrap_or_default();
        let (sender, target) = (text(tag::SENDER_COMP_ID), text(tag::TARGET_COMP_ID));
        Ok(Opening { sender, target, username: credentials[0], password: credentials[1], header, logon })
    }

    /// Judges a later message. `decode` reads application messages of types whose fields the dictionary knows.
    pub fn check<A>(
        &mut self,
        frame: Frame<'_>,
        decode: impl FnOnce(&Message<'_>) -> Result<A, Refusal>,
    ) -> Inbound<A> {
        let message = self.parser.parse(frame);
        let (header, numbered) = match header(&message) {
            Ok(header) => (header, true),
            Err(header) => (header, false),
        };
        let body = if message.get(tag::BEGIN_STRING) != Some(BEGIN_STRING) {
            Body::WrongBeginString
        } else if !numbered {
            Body::NoSeqNum
        } else {
            match message.validate(self.rules) {
                Err(rejection) => invalid(&message, rejection),
                Ok(()) if !is_ours(&message, self.identity.as_ref()) => Body::WrongCompId,
                Ok(()) => body(&message, &header, decode),
            }
        };
        Inbound { header, body }
    }
}

fn is_ours(message: &Message<'_>, identity: Option<&Identity>) -> bool {
    identity.is_none_or(|identity| {
        message.get(tag::SENDER_COMP_ID) == Some(identity.theirs.as_bytes())
            && message.get(tag::TARGET_COMP_ID) == Some(identity.ours.as_bytes())
    })
}

fn body<A>(
    message: &Message<'_>,
    header: &Header,
    decode: impl FnOnce(&Message<'_>) -> Result<A, Refusal>,
) -> Body<A> {
    let Some(msg_type) = header.msg_type else {
        return invalid(message, Rejection { reason: RejectReason::InvalidMsgType, tag: None });
    };
    let read = match msg_type {
        MsgType::Heartbeat => Ok(Body::Heartbeat),
        MsgType::TestRequest => message::TestRequest::decode(message)
            .map(|read| Body::TestRequest { id: read.test_req_id.to_owned() }),
        MsgType::ResendRequest => message::ResendRequest::decode(message)
            .map(|read| Body::ResendRequest { begin: read.begin_seq_no, end: read.end_seq_no }),
        MsgType::Reject => message::Reject::decode(message)
            .map(|read| Body::Reject { ref_seq: read.ref_seq_num, text: read.text.map(str::to_owned) }),
        MsgType::SequenceReset => message::SequenceReset::decode(message).map(|read| Body::SequenceReset {
            gap_fill: read.gap_fill_flag.unwrap_or(false),
            new_seq: read.new_seq_no,
        }),
        MsgType::Logout => {
            message::Logout::decode(message).map(|read| Body::Logout { text: read.text.map(str::to_owned) })
        }
        MsgType::Logon => {
            return logon(message)
                .map_or_else(|rejection| invalid(message, rejection), |(logon, _)| Body::Logon(logon));
        }
        _ => return application(message, msg_type, decode),
    };
    read.unwrap_or_else(|error| {
        let (FieldError::Missing(tag) | FieldError::Value(tag)) = error;
        invalid(message, Rejection { reason: RejectReason::ValueIncorrect, tag: Some(Tag::from(tag)) })
    })
}

fn application<A>(
    message: &Message<'_>,
    msg_type: MsgType,
    decode: impl FnOnce(&Message<'_>) -> Result<A, Refusal>,
) -> Body<A> {
    let decoded =
        if dictionary::layout(msg_type).is_some() { decode(message) } else { Err(Refusal::Unsupported) };
    let (reason, ref_id, text) = match decoded {
        Ok(message) => return Body::Application(message),
        Err(Refusal::Unsupported) => {
            (BusinessReason::UnsupportedMessageType, None, Cow::Borrowed("Unsupported Message Type"))
        }
        Err(Refusal::Field(FieldError::Missing(tag))) => (
            BusinessReason::ConditionallyRequiredFieldMissing,
            None,
            format!("Conditionally Required Field Missing ({tag})").into(),
        ),
        Err(Refusal::Field(FieldError::Value(tag))) => {
            let tag = Some(Tag::from(tag));
            return invalid(message, Rejection { reason: RejectReason::ValueIncorrect, tag });
        }
        Err(Refusal::Business { reason, ref_id, text }) => (reason, ref_id, text),
    };
    Body::Refused(BusinessReject { ref_msg_type: msg_type, ref_id, reason, text })
}

fn invalid<A>(message: &Message<'_>, rejection: Rejection) -> Body<A> {
    let ref_msg_type = shown(message.msg_type_wire());
    Body::Invalid(SessionReject { reason: rejection.reason, ref_tag: rejection.tag, ref_msg_type })
}

fn shown(msg_type: &[u8]) -> String {
    String::from_utf8_lossy(&msg_type[..msg_type.len().min(MSG_TYPE_LIMIT)]).into_owned()
}

fn required(tag: u16) -> Rejection {
    Rejection { reason: RejectReason::RequiredTagMissing, tag: Some(Tag::from(tag)) }
}

/// A Logon's facts, and its Username and Password.
fn logon<'a>(message: &Message<'a>) -> Result<(Logon, [Option<&'a str>; 2]), Rejection> {
    let wrong = |tag| Rejection { reason: RejectReason::ValueIncorrect, tag: Some(Tag::from(tag)) };
    let read = message::Logon::decode(message).map_err(|_| required(tag::HEART_BT_INT))?;
    if read.encrypt_method != 0 {
        return Err(wrong(tag::ENCRYPT_METHOD));
    }
    let heartbeat_seconds = u32::try_from(read.heart_bt_int).map_err(|_| wrong(tag::HEART_BT_INT))?;
    let reset = read.reset_seq_num_flag.unwrap_or(false);
    let logon = Logon { heartbeat_seconds, reset, next_expected: read.next_expected_msg_seq_num };
    Ok((logon, [read.username, read.password]))
}

/// The header's facts; `Err` when there is no number to go by. Other fields that cannot be read are left at their
/// defaults: the dictionary's rules, which come next, refuse the message.
fn header(message: &Message<'_>) -> Result<Header, Header> {
    let mut header = Header {
        msg_type: message.msg_type(),
        seq: 0,
        sending_time: Timestamp(0),
        poss_dup: false,
        poss_resend: false,
        orig_sending_time: None,
        route: None,
    };
    let mut seq = None;
    for field in message.fields() {
        let Ok(tag) = u16::try_from(field.tag) else { continue };
        match tag {
            tag::MSG_SEQ_NUM if seq.is_none() => seq = number(field.value),
            tag::SENDING_TIME => header.sending_time = Timestamp::parse(field.value).unwrap_or_default(),
            tag::POSS_DUP_FLAG => header.poss_dup = field.value == b"Y",
            tag::POSS_RESEND => header.poss_resend = field.value == b"Y",
            tag::ORIG_SENDING_TIME => header.orig_sending_time = Timestamp::parse(field.value),
            tag::ON_BEHALF_OF_COMP_ID..=tag::ON_BEHALF_OF_SUB_ID
            | tag::DELIVER_TO_COMP_ID..=tag::DELIVER_TO_SUB_ID
            | tag::ON_BEHALF_OF_LOCATION_ID..=tag::DELIVER_TO_LOCATION_ID
                if !field.value.is_empty() =>
            {
                let text = String::from_utf8_lossy(field.value).into_owned();
                *part(header.route.get_or_insert_default(), tag) = Some(text);
            }
            _ => {}
        }
    }
    match seq {
        Some(seq) => {
            header.seq = seq;
            Ok(header)
        }
        None => Err(header),
    }
}

fn part(route: &mut Route, tag: u16) -> &mut Option<String> {
    match tag {
        tag::ON_BEHALF_OF_COMP_ID => &mut route.on_behalf_of[0],
        tag::ON_BEHALF_OF_SUB_ID => &mut route.on_behalf_of[1],
        tag::ON_BEHALF_OF_LOCATION_ID => &mut route.on_behalf_of[2],
        tag::DELIVER_TO_COMP_ID => &mut route.deliver_to[0],
        tag::DELIVER_TO_SUB_ID => &mut route.deliver_to[1],
        _ => &mut route.deliver_to[2],
    }
}

/// A number of at most 18 digits: far more than any session reaches, and nowhere near an overflow.
fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 18 || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(value.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}
