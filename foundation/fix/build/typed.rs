//! Emits the typed messages: a struct per message or entry, its reader and its writer, and the enumerations they use.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::read::{Dictionary, Field, Member, Typed};

pub(crate) fn emit(dictionary: &Dictionary) -> String {
    let mut out = String::new();
    let mut enums = BTreeSet::new();
    let borrowing = borrowing(dictionary);
    for typed in &dictionary.typed {
        structure(dictionary, typed, &borrowing, &mut out);
        reader(dictionary, typed, &borrowing, &mut out);
        for member in &typed.members {
            let field = dictionary.field(&member.name);
            if is_enum(field) && enums.insert(&field.name) {
                enumeration(field, &mut out);
            }
        }
    }
    out
}

/// `ClOrdID` as `cl_ord_id`.
pub(crate) fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, letter) in chars.iter().enumerate() {
        let starts = letter.is_uppercase()
            && at > 0
            && (!chars[at - 1].is_uppercase() || chars.get(at + 1).is_some_and(|next| next.is_lowercase()));
        if starts {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

/// The name of a struct's field: a group goes by what it holds, not by its count.
fn member_name(member: &Member) -> String {
    let name = if member.entry.is_some() { member.name.trim_start_matches("No") } else { &member.name };
    snake(name)
}

fn is_enum(field: &Field) -> bool {
    field.values.first().is_some_and(|(name, _)| name.is_some())
}

/// Which structs borrow from the message they were read from.
fn borrowing(dictionary: &Dictionary) -> BTreeMap<&str, bool> {
    let mut borrowing = BTreeMap::new();
    for _ in 0..2 {
        for typed in &dictionary.typed {
            let borrows = typed.members.iter().any(|member| match &member.entry {
                Some(entry) => borrowing.get(entry.as_str()).copied().unwrap_or(false),
                None => rust_type(dictionary.field(&member.name)).contains('\''),
            });
            borrowing.insert(typed.name.as_str(), borrows);
        }
    }
    borrowing
}

fn rust_type(field: &Field) -> String {
    if is_enum(field) {
        return field.name.clone();
    }
    match field.kind.as_str() {
        "int" => "i64",
        "length" | "seqnum" | "numingroup" => "u64",
        "float" | "price" | "qty" | "amt" | "percentage" | "priceoffset" => "Decimal",
        "boolean" => "bool",
        "utctimestamp" => "Timestamp",
        "data" => "&'a [u8]",
        _ => "&'a str",
    }
    .to_owned()
}

/// The reader in `message.rs`, and the method of the writer.
fn verbs(field: &Field) -> (&'static str, &'static str) {
    match rust_type(field).as_str() {
        "i64" => ("int", "int"),
        "u64" => ("unsigned", "unsigned"),
        "Decimal" => ("decimal", "decimal"),
        "bool" => ("boolean", "boolean"),
        "Timestamp" => ("timestamp", "timestamp"),
        "&'a [u8]" => ("bytes", "bytes"),
        "&'a str" => ("text", "text"),
        _ => ("enumerated", "text"),
    }
}

fn lifetime(borrows: bool) -> &'static str {
    if borrows { "<'a>" } else { "" }
}

fn structure(dictionary: &Dictionary, typed: &Typed, borrowing: &BTreeMap<&str, bool>, out: &mut String) {
    let mut members = String::new();
    for member in &typed.members {
        let field = dictionary.field(&member.name);
        let plain = match &member.entry {
            Some(entry) => format!("Vec<{entry}{}>", lifetime(borrowing[entry.as_str()])),
            None => rust_type(field),
        };
        let wrapped =
            if member.optional && member.entry.is_none() { format!("Option<{plain}>") } else { plain };
        let _ =
            writeln!(members, "/// {} ({}).\npub {}: {wrapped},", field.name, field.tag, member_name(member));
    }
    let what = match &typed.group {
        None => {
            let message = dictionary.messages.iter().find(|message| message.name == typed.name);
            let message = message.unwrap_or_else(|| panic!("typed.txt: no message {}", typed.name));
            format!("{} ({})", message.name, message.wire)
        }
        Some((group, message)) => format!("An entry of {group} in {message}"),
    };
    let _ = writeln!(
        out,
        "/// {what}.\n#[derive(Clone, Debug, PartialEq, Eq)]\npub struct {}{} {{ {members} }}",
        typed.name,
        lifetime(borrowing[typed.name.as_str()])
    );
}

fn reader(dictionary: &Dictionary, typed: &Typed, borrowing: &BTreeMap<&str, bool>, out: &mut String) {
    let (mut slots, mut arms, mut checks, mut built, mut writes) = Default::default();
    for member in &typed.members {
        read_member(dictionary, member, &mut slots, &mut arms, &mut checks, &mut built);
        write_member(dictionary, member, &mut writes);
    }
    let name = &typed.name;
    let borrows = borrowing[name.as_str()];
    let (head, from) = (lifetime(borrows), if borrows { "'a" } else { "'_" });
    let _ = match &typed.group {
        None => writeln!(
            out,
            "impl{head} {name}{head} {{
                /// MsgType (35).\npub const MSG_TYPE: MsgType = MsgType::{name};
                /// Reads a validated message of this type.
                pub fn decode(message: &Message<{from}>) -> Result<Self, FieldError> {{
                    let mut cursor = message.cursor();
                    {slots} while let Some(field) = cursor.next() {{ match field.tag {{ {arms} _ => {{}} }} }}
                    {checks} Ok(Self {{ {built} }})
                }}
                /// Writes the body.
                pub fn encode(&self, out: &mut Body<'_>) {{ {writes} }}
            }}"
        ),
        Some((group, _)) => {
            let count = dictionary.field(group).tag;
            let message = &typed.group.as_ref().expect("just matched").1;
            writeln!(
                out,
                "impl{head} {name}{head} {{
                    fn decode(cursor: &mut Cursor<{from}>) -> Result<Self, FieldError> {{
                        let group = read::entry_of(MsgType::{message}, {count});
                        let mut opened = false;
                        {slots} while let Some(field) = cursor.next_in_entry(group, &mut opened) {{
                            match field.tag {{ {arms} _ => {{}} }}
                        }}
                        {checks} Ok(Self {{ {built} }})
                    }}
                    fn encode(&self, out: &mut Body<'_>) {{ {writes} }}
                }}"
            )
        }
    };
}

fn read_member(
    dictionary: &Dictionary,
    member: &Member,
    slots: &mut String,
    arms: &mut String,
    checks: &mut String,
    built: &mut String,
) {
    let field = dictionary.field(&member.name);
    let (tag, name) = (field.tag, member_name(member));
    let _ = writeln!(slots, "let mut {name} = None;");
    if let Some(entry) = &member.entry {
        let _ =
            writeln!(arms, "{tag} => {name} = Some(read::entries(&field, &mut cursor, {entry}::decode)?),");
    } else {
        let _ = writeln!(arms, "{tag} => {name} = Some(read::{}(&field)?),", verbs(field).0);
    }
    if let Some((other, values)) = &member.condition {
        let other = dictionary.field(other);
        let variant = |wire: &String| {
            let value =
                other.values.iter().find(|(_, known)| known == wire).and_then(|(name, _)| name.as_ref());
            format!("Some({}::{})", other.name, value.expect("a named value"))
        };
        let any: Vec<String> = values.iter().map(variant).collect();
        let _ = writeln!(
            checks,
            "if {name}.is_none() && matches!({}, {}) {{ return Err(FieldError::Missing({tag})); }}",
            snake(&other.name),
            any.join(" | ")
        );
    }
    let _ = match (member.optional, member.entry.is_some()) {
        (true, false) => writeln!(built, "{name},"),
        (true, true) => writeln!(built, "{name}: {name}.unwrap_or_default(),"),
        (false, _) => writeln!(built, "{name}: {name}.ok_or(FieldError::Missing({tag}))?,"),
    };
}

fn write_member(dictionary: &Dictionary, member: &Member, writes: &mut String) {
    let field = dictionary.field(&member.name);
    let (tag, name, verb) = (field.tag, member_name(member), verbs(field).1);
    let value = if is_enum(field) { "value.wire()" } else { "value" };
    let _ = if member.entry.is_some() {
        let count = format!(
            "out.unsigned({tag}, self.{name}.len() as u64); for entry in &self.{name} {{ entry.encode(out); }}"
        );
        if member.optional {
            writeln!(writes, "if !self.{name}.is_empty() {{ {count} }}")
        } else {
            writeln!(writes, "{count}")
        }
    } else if member.optional {
        writeln!(writes, "if let Some(value) = self.{name} {{ out.{verb}({tag}, {value}); }}")
    } else {
        writeln!(writes, "{{ let value = self.{name}; out.{verb}({tag}, {value}); }}")
    };
}

fn enumeration(field: &Field, out: &mut String) {
    let (mut variants, mut to_wire, mut from_wire) = (String::new(), String::new(), String::new());
    for (name, wire) in &field.values {
        let name = name.as_ref().unwrap_or_else(|| panic!("fields.txt: name all values of {}", field.name));
        let _ = writeln!(variants, "/// `{wire}`\n{name},");
        let _ = writeln!(to_wire, "Self::{name} => \"{wire}\",");
        let _ = writeln!(from_wire, "b\"{wire}\" => Self::{name},");
    }
    let (name, tag) = (&field.name, field.tag);
    let _ = writeln!(
        out,
        "/// {name} ({tag}).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum {name} {{ {variants} }}
        impl {name} {{
            /// The value on the wire.
            #[must_use] pub const fn wire(self) -> &'static str {{ match self {{ {to_wire} }} }}
            /// The value that this is on the wire.
            #[must_use] pub fn from_wire(wire: &[u8]) -> Option<Self> {{
                Some(match wire {{ {from_wire} _ => return None }})
            }}
        }}
        impl FromWire for {name} {{
            fn from_wire(wire: &[u8]) -> Option<Self> {{ Self::from_wire(wire) }}
        }}"
    );
}
