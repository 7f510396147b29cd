//! Emits the message types.

use std::fmt::Write as _;

use crate::read::Dictionary;

pub(crate) fn emit(dictionary: &Dictionary) -> String {
    let mut out = String::new();
    message_types(dictionary, &mut out);
    out
}

fn message_types(dictionary: &Dictionary, out: &mut String) {
    let mut variants = String::new();
    let mut to_wire = String::new();
    let mut from_wire = String::new();
    for message in &dictionary.messages {
        let (name, wire) = (&message.name, &message.wire);
        writeln!(variants, "/// {name} ({wire}).\n{name},").expect("a string takes all");
        writeln!(to_wire, "Self::{name} => \"{wire}\",").expect("a string takes all");
        writeln!(from_wire, "b\"{wire}\" => Self::{name},").expect("a string takes all");
    }
    write!(
        out,
        "/// MsgType (35): every type of FIX 4.4, supported or not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum MsgType {{ {variants} }}
        impl MsgType {{
            /// The value of tag 35.
            #[must_use]
            pub const fn wire(self) -> &'static str {{ match self {{ {to_wire} }} }}
            /// The type with that value of tag 35.
            #[must_use]
            pub fn from_wire(wire: &[u8]) -> Option<Self> {{ Some(match wire {{ {from_wire} _ => return None }}) }}
        }}\n"
    )
    .expect("a string takes all");
}
