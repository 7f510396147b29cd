//! The values that commands, events and the state share: ids, short texts, decimals and the FIX enumerations.
//!
//! Parsing a message into them is the api's business, deciding on them the state's. Prices and quantities of live
//! orders are the engine's ticks and lots; a [`Decimal`] is what travels.

pub(crate) mod wire;

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text of at most `N` bytes that lies inline: ids and symbols, without an allocation.
///
/// FIX strings are bytes; what is not UTF-8 is kept and written back as it came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

/// A text that is longer than its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{len} bytes where at most {max} fit")]
pub struct TooLong {
    /// How long it is.
    pub len: usize,
    /// How long it may be.
    pub max: usize,
}

impl<const N: usize> Text<N> {
    /// The most bytes it holds.
    pub const MAX: usize = N;
    /// No text.
    pub const EMPTY: Text<N> = Text { bytes: [0; N], len: 0 };

    /// The text, if it fits.
    pub fn new(text: impl AsRef<[u8]>) -> Result<Self, TooLong> {
        let text = text.as_ref();
        let (Ok(len), true) = (u8::try_from(text.len()), text.len() <= N) else {
            return Err(TooLong { len: text.len(), max: N });
        };
        let mut bytes = [0; N];
        bytes[..text.len()].copy_from_slice(text);
        Ok(Text { bytes, len })
    }

    /// As much of the text as fits, cut between characters: for texts meant for people.
    #[must_use]
    pub fn cut(text: &str) -> Self {
        let mut end = text.len().min(N);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        Self::new(&text[..end]).unwrap_or(Self::EMPTY)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The text for people; bytes that are no UTF-8 show as U+FFFD.
    #[must_use]
    pub fn to_text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_text())
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl<const N: usize> TryFrom<&str> for Text<N> {
    type Error = TooLong;

    fn try_from(text: &str) -> Result<Self, TooLong> {
        Self::new(text)
    }
}

impl<const N: usize> Serialize for Text<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.as_bytes())
    }
}

impl<'de, const N: usize> Deserialize<'de> for Text<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<const N: usize>;
        impl<const N: usize> serde::de::Visitor<'_> for Visitor<N> {
            type Value = Text<N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {N} bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Text<N>, E> {
                Text::new(bytes).map_err(E::custom)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Text<N>, E> {
                Text::new(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_bytes(Visitor::<N>).map_err(D::Error::custom)
    }
}

/// An instrument's name (FIX tag 55).
pub type Symbol = Text<16>;
/// A client's name for an order or request (FIX tags 11 and 41): 36 bytes, so that a UUID fits.
pub type ClOrdId = Text<36>;
/// An account's name (FIX tag 1).
pub type AccountName = Text<16>;
/// A client's name for a request (FIX tags 262, 320 and 790).
pub type RequestId = Text<36>;

/// A FIX session of the unit, by its number in the unit's configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId(pub u32);

/// A number with a decimal point: `mantissa` / 10^`scale`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Decimal {
    /// The digits.
    pub mantissa: i64,
    /// How many of them stand behind the point; at most [`Decimal::MAX_SCALE`].
    pub scale: u8,
}

impl Decimal {
    /// The most digits behind the point.
    pub const MAX_SCALE: u8 = 18;
    /// A number too large, too small or too fine for 64 bits. The api sends it as read, so that the refusal is the
    /// exchange's own.
    pub const OUT_OF_RANGE: Decimal = Decimal { mantissa: i64::MAX, scale: u8::MAX };

    /// The number `mantissa` / 10^`scale`.
    #[must_use]
    pub const fn new(mantissa: i64, scale: u8) -> Decimal {
        Decimal { mantissa, scale }
    }

    /// The same number with `scale` digits behind the point, as those digits; `None` if it has more, or does not fit.
    #[must_use]
    pub fn at_scale(self, scale: u8) -> Option<i64> {
        if self.scale > Self::MAX_SCALE || scale > Self::MAX_SCALE {
            return None;
        }
        if self.scale <= scale {
            return 10_i64.pow(u32::from(scale - self.scale)).checked_mul(self.mantissa);
        }
        let factor = 10_i64.pow(u32::from(self.scale - scale));
        (self.mantissa % factor == 0).then(|| self.mantissa / factor)
    }
}

impl fmt::Display for Decimal {
    /// As FIX writes a decimal: all digits of the scale, no exponent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scale > Self::MAX_SCALE {
            return f.write_str("out of range");
        }
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs();
        if self.scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let unit = 10_u64.pow(u32::from(self.scale));
        write!(f, "{sign}{}.{:0width$}", digits / unit, digits % unit, width = usize::from(self.scale))
    }
}

/// A field whose value is one character of a list: the listed ones by name, any other as it came, so that the state
/// refuses it by the protocol's own means.
macro_rules! fix_char {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $char:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// One that the exchange does not support.
            Other(u8),
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u8(self.to_char())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                u8::deserialize(deserializer).map(Self::from_char)
            }
        }

        impl $name {
            /// From FIX's character.
            #[must_use]
            pub fn from_char(char: u8) -> Self {
                match char {
                    $($char => Self::$variant,)+
                    other => Self::Other(other),
                }
            }

            /// FIX's character.
            #[must_use]
            pub fn to_char(self) -> u8 {
                match self {
                    $(Self::$variant => $char,)+
                    Self::Other(other) => other,
                }
            }
        }
    };
}

fix_char! {
    /// The side of an order (FIX tag 54).
    Side {
        /// Buy.
        Buy = b'1',
        /// Sell.
        Sell = b'2',
    }
}

fix_char! {
    /// The type of an order (FIX tag 40).
    OrdType {
        /// At any price in the instrument's band.
        Market = b'1',
        /// At its price or a better one.
        Limit = b'2',
    }
}

fix_char! {
    /// How long an order stays (FIX tag 59).
    TimeInForce {
        /// Until the unit's day end.
        Day = b'0',
        /// Until it is filled or cancelled.
        GoodTillCancel = b'1',
        /// What does not trade at once is cancelled.
        ImmediateOrCancel = b'3',
        /// All at once or nothing.
        FillOrKill = b'4',
    }
}

/// What an order's report says happened (FIX tag 150), those the exchange sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExecType {
    /// Accepted.
    New = b'0',
    /// Taken out: asked for, or the residue of an order that never rests.
    Canceled = b'4',
    /// Changed as asked for.
    Replaced = b'5',
    /// Refused.
    Rejected = b'8',
    /// Its day ended.
    Expired = b'C',
    /// It traded.
    Trade = b'F',
    /// Nothing: a status was asked for.
    OrderStatus = b'I',
}

/// Where an order stands (FIX tag 39), those the exchange sends. Nothing is ever pending: a request is decided at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum OrdStatus {
    /// Live, nothing traded.
    New = b'0',
    /// Live, some of it traded.
    PartiallyFilled = b'1',
    /// Done: all of it traded.
    Filled = b'2',
    /// Done: taken out.
    Canceled = b'4',
    /// Never lived.
    Rejected = b'8',
    /// Done: its day ended.
    Expired = b'C',
}

impl ExecType {
    /// From FIX's character.
    #[must_use]
    pub fn from_char(char: u8) -> Option<ExecType> {
        use ExecType::{Canceled, Expired, New, OrderStatus, Rejected, Replaced, Trade};
        [New, Canceled, Replaced, Rejected, Expired, Trade, OrderStatus]
            .into_iter()
            .find(|it| *it as u8 == char)
    }
}

impl OrdStatus {
    /// From FIX's character.
    #[must_use]
    pub fn from_char(char: u8) -> Option<OrdStatus> {
        use OrdStatus::{Canceled, Expired, Filled, New, PartiallyFilled, Rejected};
        [New, PartiallyFilled, Filled, Canceled, Rejected, Expired].into_iter().find(|it| *it as u8 == char)
    }

    /// Whether the order may still trade.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(self, OrdStatus::New | OrdStatus::PartiallyFilled)
    }
}
