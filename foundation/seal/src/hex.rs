//! Bytes as hexadecimal digits, in key files and the key ring.

use std::fmt::Write as _;

/// Appends the digits of these bytes.
pub(crate) fn encode(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
}

/// Reads exactly as many bytes as there is room for; `false` when the text has any other form.
pub(crate) fn decode(text: &[u8], bytes: &mut [u8]) -> bool {
    if text.len() != 2 * bytes.len() {
        return false;
    }
    let digit = |byte: u8| (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else { return false };
        *byte = high << 4 | low;
    }
    true
}
