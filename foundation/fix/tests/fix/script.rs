//! Messages as the tests write them: fields parted by `|`, BodyLength and CheckSum left out.

use decalog_fix::codec::{Framed, Framer};

/// `35=0|34=2|…` as bytes, completed.
pub(crate) fn message(fields: &str) -> Vec<u8> {
    let mut body = fields.replace('|', "\x01").into_bytes();
    if !body.ends_with(b"\x01") {
        body.push(1);
    }
    let mut whole = format!("8=FIX.4.4\x019={}\x01", body.len()).into_bytes();
    whole.extend(body);
    let sum = whole.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    whole.extend(format!("10={sum:03}\x01").bytes());
    whole
}

/// The same with the header that most messages share.
pub(crate) fn from_client(msg_type: &str, seq: u64, rest: &str) -> Vec<u8> {
    message(&format!("35={msg_type}|34={seq}|49=CLIENT|52=20260101-10:00:00|56=EXCHANGE|{rest}"))
}

/// What a framer makes of a stream: each message as text, each thing skipped as `?reason`.
pub(crate) fn framed(framer: &mut Framer) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(next) = framer.next_frame().expect("within the limit") {
        all.push(match next {
            Framed::Message(frame) => shown(frame.bytes),
            Framed::Garbled(garbled) => format!("?{garbled:?}"),
        });
    }
    all
}

/// Bytes with `|` for the delimiter.
pub(crate) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\x01', "|")
}
