//! What the edge hands to a session: one message that was framed, checked and decoded, without its bytes.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::dictionary::MsgType;
use crate::time::Timestamp;

/// A MsgSeqNum (tag 34). The first message of a session has 1.
pub type SeqNum = u64;

/// A tag number as it stood in a message; bad messages carry negative ones.
pub type Tag = i32;

/// One inbound message, `A` being the application's own form of an application message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbound<A> {
    /// The facts of the header that a session decides by.
    pub header: Header,
    /// The rest.
    pub body: Body<A>,
}

/// The facts of a header (and nothing that was already checked at the edge).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// MsgType (35), `None` when FIX 4.4 has no such type.
    pub msg_type: Option<MsgType>,
    /// MsgSeqNum (34).
    pub seq: SeqNum,
    /// SendingTime (52).
    pub sending_time: Timestamp,
    /// PossDupFlag (43): the same message may have come before under the same number.
    pub poss_dup: bool,
    /// PossResend (97): the same content may have come before under another number.
    pub poss_resend: bool,
    /// OrigSendingTime (122).
    pub orig_sending_time: Option<Timestamp>,
    /// Third-party routing, when there is any.
    pub route: Option<Box<Route>>,
}

/// The third-party routing of a message: OnBehalfOf… (115, 116, 144) and DeliverTo… (128, 129, 145).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// OnBehalfOfCompID (115), OnBehalfOfSubID (116), OnBehalfOfLocationID (144).
    pub on_behalf_of: [Option<String>; 3],
    /// DeliverToCompID (128), DeliverToSubID (129), DeliverToLocationID (145).
    pub deliver_to: [Option<String>; 3],
}

impl Route {
    /// The way back: who asked is whom to deliver to.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self { on_behalf_of: self.deliver_to.clone(), deliver_to: self.on_behalf_of.clone() }
    }
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body<A> {
    /// Heartbeat (0).
    Heartbeat,
    /// TestRequest (1) with its TestReqID (112).
    TestRequest {
        /// To be echoed by the Heartbeat that answers.
        id: String,
    },
    /// ResendRequest (2).
    ResendRequest {
        /// BeginSeqNo (7).
        begin: SeqNum,
        /// EndSeqNo (16); 0 is "all after".
        end: SeqNum,
    },
    /// Reject (3): the other side could not take one of our messages.
    Reject {
        /// RefSeqNum (45).
        ref_seq: SeqNum,
        /// Text (58).
        text: Option<String>,
    },
    /// SequenceReset (4).
    SequenceReset {
        /// GapFillFlag (123).
        gap_fill: bool,
        /// NewSeqNo (36).
        new_seq: SeqNum,
    },
    /// Logout (5).
    Logout {
        /// Text (58).
        text: Option<String>,
    },
    /// Logon (A). Credentials stay at the edge.
    Logon(Logon),
    /// An application message that the edge could decode.
    Application(A),
    /// An application message that the edge could not decode: answered by a BusinessMessageReject.
    Refused(BusinessReject),
    /// A message that breaks the dictionary: answered by a Reject.
    Invalid(SessionReject),
    /// BeginString (8) is not ours: answered by a Logout.
    WrongBeginString,
    /// SenderCompID (49) or TargetCompID (56) are not this session's: answered by a Reject and a Logout.
    WrongCompId,
    /// No MsgSeqNum (34) that could be read: answered by a Logout, as there is no number to refer to.
    NoSeqNum,
}

/// The facts of a Logon that a session decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logon {
    /// HeartBtInt (108) in seconds; 0 asks for no heartbeats.
    pub heartbeat_seconds: u32,
    /// ResetSeqNumFlag (141).
    pub reset: bool,
    /// NextExpectedMsgSeqNum (789).
    pub next_expected: Option<SeqNum>,
}

/// Why a message breaks the dictionary: the fields of the Reject (3) that says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionReject {
    /// SessionRejectReason (373).
    pub reason: RejectReason,
    /// RefTagID (371).
    pub ref_tag: Option<Tag>,
    /// RefMsgType (372), cut to eight bytes.
    pub ref_msg_type: String,
}

/// SessionRejectReason (373).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RejectReason {
    /// 0
    InvalidTagNumber,
    /// 1
    RequiredTagMissing,
    /// 2
    TagNotDefinedForMessage,
    /// 3
    UndefinedTag,
    /// 4
    TagWithoutValue,
    /// 5
    ValueIncorrect,
    /// 6
    IncorrectDataFormat,
    /// 9
    CompIdProblem,
    /// 10
    SendingTimeAccuracy,
    /// 11
    InvalidMsgType,
    /// 13
    TagAppearsMoreThanOnce,
    /// 14
    TagOutOfOrder,
    /// 15
    GroupFieldsOutOfOrder,
    /// 16
    IncorrectGroupCount,
    /// 17
    NonDataValueIncludesDelimiter,
    /// 99
    Other,
}

impl RejectReason {
    /// The value of tag 373.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::InvalidTagNumber => 0,
            Self::RequiredTagMissing => 1,
            Self::TagNotDefinedForMessage => 2,
            Self::UndefinedTag => 3,
            Self::TagWithoutValue => 4,
            Self::ValueIncorrect => 5,
            Self::IncorrectDataFormat => 6,
            Self::CompIdProblem => 9,
            Self::SendingTimeAccuracy => 10,
            Self::InvalidMsgType => 11,
            Self::TagAppearsMoreThanOnce => 13,
            Self::TagOutOfOrder => 14,
            Self::GroupFieldsOutOfOrder => 15,
            Self::IncorrectGroupCount => 16,
            Self::NonDataValueIncludesDelimiter => 17,
            Self::Other => 99,
        }
    }

    /// The words for it, as Text (58).
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::InvalidTagNumber => "Invalid tag number",
            Self::RequiredTagMissing => "Required tag missing",
            Self::TagNotDefinedForMessage => "Tag not defined for this message type",
            Self::UndefinedTag => "Undefined tag",
            Self::TagWithoutValue => "Tag specified without a value",
            Self::ValueIncorrect => "Value is incorrect (out of range) for this tag",
            Self::IncorrectDataFormat => "Incorrect data format for value",
            Self::CompIdProblem => "CompID problem",
            Self::SendingTimeAccuracy => "SendingTime accuracy problem",
            Self::InvalidMsgType => "Invalid MsgType",
            Self::TagAppearsMoreThanOnce => "Tag appears more than once",
            Self::TagOutOfOrder => "Tag specified out of required order",
            Self::GroupFieldsOutOfOrder => "Repeating group fields out of order",
            Self::IncorrectGroupCount => "Incorrect NumInGroup count for repeating group",
            Self::NonDataValueIncludesDelimiter => "Non-data value includes field delimiter",
            Self::Other => "Other",
        }
    }
}

/// Why the application cannot take a well-formed message: the fields of a BusinessMessageReject (j).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusinessReject {
    /// RefMsgType (372).
    pub ref_msg_type: MsgType,
    /// BusinessRejectRefID (379): the id that the application gave the message.
    pub ref_id: Option<String>,
    /// BusinessRejectReason (380).
    pub reason: BusinessReason,
    /// Text (58).
    pub text: Cow<'static, str>,
}

/// BusinessRejectReason (380).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BusinessReason {
    /// 0
    Other,
    /// 1
    UnknownId,
    /// 2
    UnknownSecurity,
    /// 3
    UnsupportedMessageType,
    /// 4
    ApplicationNotAvailable,
    /// 5
    ConditionallyRequiredFieldMissing,
    /// 6
    NotAuthorized,
    /// 7
    DeliverToNotAvailable,
}

impl BusinessReason {
    /// The value of tag 380.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Other => 0,
            Self::UnknownId => 1,
            Self::UnknownSecurity => 2,
            Self::UnsupportedMessageType => 3,
            Self::ApplicationNotAvailable => 4,
            Self::ConditionallyRequiredFieldMissing => 5,
            Self::NotAuthorized => 6,
            Self::DeliverToNotAvailable => 7,
        }
    }
}
