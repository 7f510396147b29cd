//! As much FIX 4.4 as an order-entry client needs: writes Logon, NewOrderSingle, OrderCancelRequest and Logout, and
//! finds the fields of what comes back. Written apart from the product's own codec, so that a client and a server
//! that agree on a mistake cannot make a good figure.

use std::io::Write as _;

use jiff::Timestamp;

/// Ends every field.
const SOH: u8 = 0x01;
/// `10=nnn` and its SOH.
const TRAILER_BYTES: usize = 7;

/// One side of a session that writes messages.
#[derive(Debug)]
pub(crate) struct Writer {
    sender: String,
    target: String,
    next: u64,
    body: Vec<u8>,
    message: Vec<u8>,
}

impl Writer {
    /// The first message gets number 1.
    pub(crate) fn new(sender: &str, target: &str) -> Self {
        let (body, message) = (Vec::with_capacity(512), Vec::with_capacity(512));
        Self { sender: sender.to_owned(), target: target.to_owned(), next: 1, body, message }
    }

    /// A Logon that resets both sides' numbers.
    pub(crate) fn logon(&mut self) -> &[u8] {
        self.write("A", "", |body, _| write!(body, "98=0\x01108=30\x01141=Y\x01"))
    }

    /// A Logout.
    pub(crate) fn logout(&mut self) -> &[u8] {
        self.write("5", "", |_, _| Ok(()))
    }

    /// A limit order, good till cancelled.
    pub(crate) fn order(&mut self, account: &str, order: &Order<'_>) -> &[u8] {
        self.write("D", account, |body, now| {
            let Order { id, symbol, side, price, quantity } = order;
            write!(body, "11={id}\x0121=1\x0155={symbol}\x0154={side}\x0160={now}\x01")?;
            write!(body, "38={quantity}\x0140=2\x0144={price}\x0159=1\x01")
        })
    }

    /// Takes an order out of the book; `id` is the request's own.
    pub(crate) fn cancel(&mut self, account: &str, id: u64, order: &Order<'_>) -> &[u8] {
        self.write("F", account, |body, now| {
            let Order { id: original, symbol, side, quantity, .. } = order;
            write!(
                body,
                "41={original}\x0111={id}\x0155={symbol}\x0154={side}\x0160={now}\x0138={quantity}\x01"
            )
        })
    }

    /// Header, account (unless empty), what `fields` writes, trailer. SendingTime is now.
    fn write(
        &mut self,
        kind: &str,
        account: &str,
        fields: impl FnOnce(&mut Vec<u8>, &str) -> std::io::Result<()>,
    ) -> &[u8] {
        let now = Timestamp::now().strftime("%Y%m%d-%H:%M:%S.%3f").to_string();
        self.body.clear();
        self.message.clear();
        let (sender, target, number) = (&self.sender, &self.target, self.next);
        let account_tag = if account.is_empty() { "" } else { "1=" };
        let account_end = if account.is_empty() { "" } else { "\x01" };
        write!(self.body, "35={kind}\x0149={sender}\x0156={target}\x0134={number}\x0152={now}\x01")
            .and_then(|()| write!(self.body, "{account_tag}{account}{account_end}"))
            .and_then(|()| fields(&mut self.body, &now))
            .and_then(|()| write!(self.message, "8=FIX.4.4\x019={}\x01", self.body.len()))
            .and_then(|()| self.message.write_all(&self.body))
            .expect("a vector takes every byte");
        let sum = checksum(&self.message);
        write!(self.message, "10={sum:03}\x01").expect("a vector takes every byte");
        self.next += 1;
        &self.message
    }
}

/// What a new order says, and what its cancel repeats.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order<'a> {
    /// ClOrdID (11), here always a number.
    pub(crate) id: u64,
    /// Symbol (55).
    pub(crate) symbol: &'a str,
    /// Side (54): 1 buys, 2 sells.
    pub(crate) side: u8,
    /// Price (44), in whole units.
    pub(crate) price: u64,
    /// OrderQty (38).
    pub(crate) quantity: u64,
}

/// The sum of all bytes modulo 256 (FIX 4.4, CheckSum).
fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
}

/// A message that is not one.
#[derive(Debug, thiserror::Error)]
#[error("the server sent what is no FIX message: {0}")]
pub(crate) struct Garbled(String);

/// One complete message, checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    /// The first complete message of these bytes and how long it is, or `None` when more bytes are needed.
    pub(crate) fn first(bytes: &'a [u8]) -> Result<Option<(Self, usize)>, Garbled> {
        let garbled = |why: &str| Garbled(format!("{why}: {}", String::from_utf8_lossy(bytes)));
        let Some(rest) = bytes.strip_prefix(b"8=FIX.4.4\x019=") else {
            return if bytes.len() < 13 { Ok(None) } else { Err(garbled("it does not begin as one")) };
        };
        let Some(digits) = rest.iter().position(|byte| *byte == SOH) else { return Ok(None) };
        let length: usize = std::str::from_utf8(&rest[..digits])
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| garbled("BodyLength is no number"))?;
        let body_end = (bytes.len() - rest.len() + digits + 1).saturating_add(length);
        let end = body_end.saturating_add(TRAILER_BYTES);
        let Some(message) = bytes.get(..end) else { return Ok(None) };
        let (summed, trailer) = message.split_at(body_end);
        if trailer != format!("10={:03}\x01", checksum(summed)).as_bytes() {
            return Err(garbled("CheckSum is wrong"));
        }
        Ok(Some((Self(message), end)))
    }

    /// The value of the first field with this tag.
    pub(crate) fn get(&self, tag: &str) -> Option<&'a str> {
        let fields = self.0.split(|byte| *byte == SOH);
        let mut values = fields.filter_map(|field| field.strip_prefix(tag.as_bytes())?.strip_prefix(b"="));
        values.next().and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The whole message for a person: `|` between fields.
    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(self.0).replace('\x01', "|")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: Order<'_> = Order { id: 7, symbol: "DCLG", side: 1, price: 101, quantity: 3 };

    #[test]
    fn what_is_written_is_read_back() {
        let mut writer = Writer::new("BENCH", "DECALOG");
        let mut bytes = writer.logon().to_vec();
        bytes.extend_from_slice(writer.order("ACC", &ORDER));
        let (logon, length) = Message::first(&bytes).expect("well formed").expect("complete");
        assert_eq!((logon.get("35"), logon.get("34"), logon.get("141")), (Some("A"), Some("1"), Some("Y")));
        let (order, rest) = Message::first(&bytes[length..]).expect("well formed").expect("complete");
        assert_eq!(length + rest, bytes.len());
        assert_eq!((order.get("34"), order.get("1"), order.get("11")), (Some("2"), Some("ACC"), Some("7")));
        assert_eq!((order.get("44"), order.get("54"), order.get("4")), (Some("101"), Some("1"), None));
    }

    #[test]
    fn every_part_of_a_message_waits_for_the_rest() {
        let whole = Writer::new("BENCH", "DECALOG").order("", &ORDER).to_vec();
        for end in 0..whole.len() {
            assert!(Message::first(&whole[..end]).expect("not yet garbled").is_none(), "{end} bytes");
        }
    }

    #[test]
    fn a_flipped_byte_is_noticed() {
        let mut whole = Writer::new("BENCH", "DECALOG").logon().to_vec();
        let at = whole.len() - TRAILER_BYTES - 2;
        whole[at] ^= 1;
        assert!(Message::first(&whole).is_err());
    }

    #[test]
    fn the_checksum_is_the_specifications() {
        // FIX 4.4 volume 2's rule, on an example whose sum is known: 3 × 'a' (97) and SOH (1) are 292, mod 256.
        assert_eq!(checksum(b"aaa\x01"), 36);
    }
}
