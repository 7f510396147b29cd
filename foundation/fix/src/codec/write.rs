//! Writes messages: the body into a scratch buffer, then BeginString, BodyLength, body and CheckSum behind what the
//! output already holds. Neither buffer is ever shrunk, so a warm encoder does not allocate.

use super::SOH;
use super::framing::checksum;
use crate::decimal::{Decimal, write_unsigned};
use crate::dictionary::{MsgType, TAG_LIMIT, tag};
use crate::session::{Route, SeqNum};
use crate::time::{Precision, Second, Timestamp};

/// The header of an outbound message.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// SenderCompID (49).
    pub sender: &'a str,
    /// TargetCompID (56).
    pub target: &'a str,
    /// MsgSeqNum (34).
    pub seq: SeqNum,
    /// SendingTime (52).
    pub sending_time: Timestamp,
    /// OrigSendingTime (122) of a message that is sent again; it then carries PossDupFlag (43) too.
    pub original: Option<Timestamp>,
    /// PossResend (97).
    pub poss_resend: bool,
    /// Third-party routing.
    pub route: Option<&'a Route>,
}

impl<'a> Stamp<'a> {
    /// The header of a message that is sent for the first time.
    #[must_use]
    pub const fn new(sender: &'a str, target: &'a str, seq: SeqNum, sending_time: Timestamp) -> Self {
        Self { sender, target, seq, sending_time, original: None, poss_resend: false, route: None }
    }

    /// The header of the same message when it is sent again.
    #[must_use]
    pub const fn again(self, original: Timestamp) -> Self {
        Self { original: Some(original), ..self }
    }
}

/// Writes messages; keep one per connection or thread.
#[derive(Debug)]
pub struct Encoder {
    body: Vec<u8>,
    precision: Precision,
    second: Second,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new(Precision::Millis)
    }
}

impl Encoder {
    /// An encoder that writes timestamps with this precision.
    #[must_use]
    pub const fn new(precision: Precision) -> Self {
        Self { body: Vec::new(), precision, second: Second::none() }
    }

    /// Writes fields alone, for a store that keeps a message's body until it is sent again.
    pub fn fields(&mut self, body: impl FnOnce(&mut Body<'_>)) -> Vec<u8> {
        let mut out = Vec::new();
        body(&mut Body { out: &mut out, precision: self.precision, second: &mut self.second });
        out
    }

    /// Appends a whole message to `out`; `body` writes the fields behind the header.
    pub fn write(
        &mut self,
        msg_type: MsgType,
        stamp: &Stamp<'_>,
        out: &mut Vec<u8>,
        body: impl FnOnce(&mut Body<'_>),
    ) {
        self.body.clear();
        self.body.reserve(ROOM);
        let mut fields = Body { out: &mut self.body, precision: self.precision, second: &mut self.second };
        header(msg_type, stamp, &mut fields);
        body(&mut fields);
        let start = out.len();
        out.reserve(self.body.len() + ROOM);
        out.extend_from_slice(b"8=FIX.4.4\x019=");
        write_unsigned(self.body.len() as u64, out);
        out.push(SOH);
        out.extend_from_slice(&self.body);
        let sum = checksum(&out[start..]);
        out.extend_from_slice(&[
            b'1',
            b'0',
            b'=',
            b'0' + sum / 100,
            b'0' + sum / 10 % 10,
            b'0' + sum % 10,
            SOH,
        ]);
    }
}

/// Header fields go out by rising tag.
fn header(msg_type: MsgType, stamp: &Stamp<'_>, out: &mut Body<'_>) {
    out.text(tag::MSG_TYPE, msg_type.wire());
    out.unsigned(tag::MSG_SEQ_NUM, stamp.seq);
    if stamp.original.is_some() {
        out.boolean(tag::POSS_DUP_FLAG, true);
    }
    out.text(tag::SENDER_COMP_ID, stamp.sender);
    out.timestamp(tag::SENDING_TIME, stamp.sending_time);
    out.text(tag::TARGET_COMP_ID, stamp.target);
    if stamp.poss_resend {
        out.boolean(tag::POSS_RESEND, true);
    }
    let [behalf, behalf_sub, deliver, deliver_sub, behalf_location, deliver_location] =
        route_parts(stamp.route);
    out.optional(tag::ON_BEHALF_OF_COMP_ID, behalf);
    out.optional(tag::ON_BEHALF_OF_SUB_ID, behalf_sub);
    if let Some(original) = stamp.original {
        out.timestamp(tag::ORIG_SENDING_TIME, original);
    }
    out.optional(tag::DELIVER_TO_COMP_ID, deliver);
    out.optional(tag::DELIVER_TO_SUB_ID, deliver_sub);
    out.optional(tag::ON_BEHALF_OF_LOCATION_ID, behalf_location);
    out.optional(tag::DELIVER_TO_LOCATION_ID, deliver_location);
}

/// The routing by rising tag: 115, 116, 128, 129, 144, 145.
fn route_parts(route: Option<&Route>) -> [Option<&str>; 6] {
    let Some(route) = route else { return [None; 6] };
    let [behalf, behalf_sub, behalf_location] = route.on_behalf_of.each_ref().map(Option::as_deref);
    let [deliver, deliver_sub, deliver_location] = route.deliver_to.each_ref().map(Option::as_deref);
    [behalf, behalf_sub, deliver, deliver_sub, behalf_location, deliver_location]
}

/// The fields of a message that is being written. Values must not hold the delimiter; one that does is cut there.
#[derive(Debug)]
pub struct Body<'a> {
    out: &'a mut Vec<u8>,
    precision: Precision,
    second: &'a mut Second,
}

/// Room that is made ahead, so that most messages grow their buffer once.
const ROOM: usize = 512;

/// `tag=` for every tag of the dictionary: length, then text.
static PREFIXES: [(u8, [u8; 5]); TAG_LIMIT] = {
    let mut prefixes = [(0, [b'='; 5]); TAG_LIMIT];
    let mut tag = 0;
    while tag < TAG_LIMIT {
        let (digits, length) = match tag {
            0..10 => (1, 2),
            10..100 => (2, 3),
            100..1000 => (3, 4),
            _ => (4, 5),
        };
        let (mut rest, mut place) = (tag, digits);
        while place > 0 {
            place -= 1;
            prefixes[tag].1[place] = b"0123456789"[rest % 10];
            rest /= 10;
        }
        prefixes[tag].0 = length;
        tag += 1;
    }
    prefixes
};

impl Body<'_> {
    #[inline]
    fn tag(&mut self, tag: u16) {
        if let Some((length, text)) = PREFIXES.get(usize::from(tag)) {
            self.out.extend_from_slice(&text[..usize::from(*length)]);
        } else {
            write_unsigned(u64::from(tag), self.out);
            self.out.push(b'=');
        }
    }

    /// A text. What stands behind a delimiter in it is dropped, so that no value can forge a field.
    pub fn text(&mut self, tag: u16, value: &str) {
        self.tag(tag);
        let end = value.bytes().position(|byte| byte == SOH).unwrap_or(value.len());
        self.out.extend_from_slice(&value.as_bytes()[..end]);
        self.out.push(SOH);
    }

    /// A text that may be missing.
    pub fn optional(&mut self, tag: u16, value: Option<&str>) {
        if let Some(value) = value {
            self.text(tag, value);
        }
    }

    /// An int.
    pub fn int(&mut self, tag: u16, value: i64) {
        self.tag(tag);
        if value < 0 {
            self.out.push(b'-');
        }
        write_unsigned(value.unsigned_abs(), self.out);
        self.out.push(SOH);
    }

    /// A SeqNum, Length or NumInGroup.
    pub fn unsigned(&mut self, tag: u16, value: u64) {
        self.tag(tag);
        write_unsigned(value, self.out);
        self.out.push(SOH);
    }

    /// A Price, Qty or other decimal.
    pub fn decimal(&mut self, tag: u16, value: Decimal) {
        self.tag(tag);
        value.write(self.out);
        self.out.push(SOH);
    }

    /// A Boolean.
    pub fn boolean(&mut self, tag: u16, value: bool) {
        self.tag(tag);
        self.out.push(if value { b'Y' } else { b'N' });
        self.out.push(SOH);
    }

    /// A UTCTimestamp, in the encoder's precision.
    pub fn timestamp(&mut self, tag: u16, value: Timestamp) {
        self.tag(tag);
        value.write_near(self.precision, self.second, self.out);
        self.out.push(SOH);
    }

    /// Fields that [`Encoder::fields`] wrote before, or that came in a message: `tag=value` and delimiter, repeated.
    pub fn raw(&mut self, fields: &[u8]) {
        self.out.extend_from_slice(fields);
    }

    /// A field as it was received, or Data (write its length before).
    pub fn bytes(&mut self, tag: u16, value: &[u8]) {
        self.tag(tag);
        self.out.extend_from_slice(value);
        self.out.push(SOH);
    }
}
