//! Declares commands, replies and events whose every variant has a released kind and a body in MessagePack with named
//! fields: the form for everything that is not latency-bound.

/// Declares an enum with the kind and the name of each variant, whose payload is the struct of the same name, and its
/// [`Wire`](crate::Wire) form. Kinds are released: never used again for something else.
///
/// ```
/// decalog_runtime::payloads! {
///     /// Writes an entry.
///     Sign {
///         /// What is written.
///         words: String,
///     }
/// }
/// decalog_runtime::kinds! {
///     /// What can be asked of a guest book.
///     #[derive(Clone, Debug, PartialEq, Eq)]
///     Command {
///         /// Writes an entry.
///         1 "sign" Sign,
///     }
/// }
/// let command = Command::from(Sign { words: "hello".to_owned() });
/// assert_eq!((command.name(), Command::NAMES), ("sign", &["sign"][..]));
/// ```
#[macro_export]
macro_rules! kinds {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $kind:literal $label:literal $variant:ident),* $(,)? }) => {
        $(#[$about])*
        pub enum $name {
            $($(#[$doc])* $variant($variant),)*
        }

        impl $name {
            /// The names of all kinds, in the order in which they are declared.
            pub const NAMES: &'static [&'static str] = &[$($label),*];

            /// The name of this kind.
            pub fn name(&self) -> &'static str {
                match self {
                    $($name::$variant(_) => $label,)*
                }
            }
        }

        impl $crate::Wire for $name {
            fn kind(&self, _rules: u32) -> (u16, u16) {
                match self {
                    $($name::$variant(_) => ($kind, 1),)*
                }
            }

            fn encode(&self, _rules: u32, out: &mut Vec<u8>) {
                match self {
                    $($name::$variant(it) => $crate::pack(it, out),)*
                }
            }

            fn decode(kind: u16, version: u16, body: &[u8]) -> Result<Self, $crate::DecodeError> {
                match (kind, version) {
                    $(($kind, 1) => $crate::unpack(kind, version, body).map($name::$variant),)*
                    _ => Err($crate::DecodeError::new(kind, version, "nothing has this kind and version")),
                }
            }
        }

        $(impl From<$variant> for $name {
            fn from(it: $variant) -> $name {
                $name::$variant(it)
            }
        })*
    };
}

/// Declares payloads: plain structs with public fields, for [`kinds!`](crate::kinds).
#[macro_export]
macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, ::serde::Serialize, ::serde::Deserialize)]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $type,)*
            }
        )*
    };
}
