//! An enum whose every variant has a released kind and a payload in MessagePack with named fields.

/// Declares the enum with its kinds, the names of its variants, and the bodies' byte form.
macro_rules! kinds {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $kind:literal $label:literal $variant:ident),* $(,)? }) => {
        $(#[$about])*
        pub enum $name {
            $($(#[$doc])* $variant($variant),)*
        }

        impl $name {
            /// The names of all kinds, in the order of their numbers.
            pub const NAMES: &'static [&'static str] = &[$($label),*];

            /// The name of this kind.
            pub fn name(&self) -> &'static str {
                match self {
                    $($name::$variant(_) => $label,)*
                }
            }

            /// The released kind.
            fn number(&self) -> u16 {
                match self {
                    $($name::$variant(_) => $kind,)*
                }
            }

            fn encode_body(&self, out: &mut Vec<u8>) {
                match self {
                    $($name::$variant(it) => decalog_runtime::pack(it, out),)*
                }
            }

            fn decode_body(kind: u16, version: u16, body: &[u8]) -> Result<Self, decalog_runtime::DecodeError> {
                match (kind, version) {
                    $(($kind, 1) => decalog_runtime::unpack(kind, version, body).map($name::$variant),)*
                    _ => Err(decalog_runtime::DecodeError::new(kind, version, "nothing has this kind and version")),
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

/// Declares payloads: plain structs with public fields.
macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $type,)*
            }
        )*
    };
}

pub(crate) use kinds;
pub(crate) use payloads;
