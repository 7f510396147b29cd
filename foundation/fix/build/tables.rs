//! Emits the message types, the field table and the layouts.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::read::{Dictionary, Field, Item};

const TAG_LIMIT: usize = 1024;

pub(crate) fn emit(dictionary: &Dictionary) -> String {
    let mut out = String::new();
    message_types(dictionary, &mut out);
    fields(dictionary, &mut out);
    layouts(dictionary, &mut out);
    out
}

fn message_types(dictionary: &Dictionary, out: &mut String) {
    let mut variants = String::new();
    let mut to_wire = String::new();
    let mut from_wire = String::new();
    for message in &dictionary.messages {
        let (name, wire) = (&message.name, &message.wire);
        let _ = writeln!(variants, "/// {name} ({wire}).\n{name},");
        let _ = writeln!(to_wire, "Self::{name} => \"{wire}\",");
        let _ = writeln!(from_wire, "b\"{wire}\" => Self::{name},");
    }
    let _ = write!(
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
    );
}

fn fields(dictionary: &Dictionary, out: &mut String) {
    let mut index = vec![0u32; TAG_LIMIT];
    for tag in &dictionary.unused {
        index[*tag as usize] = u32::from(u16::MAX);
    }
    let mut table = String::new();
    let mut tags = String::new();
    for (place, field) in dictionary.fields.values().enumerate() {
        index[field.tag as usize] = u32::try_from(place).expect("few fields") + 1;
        let Field { tag, name, values, .. } = field;
        let wires: Vec<&str> = values.iter().map(|(_, wire)| wire.as_str()).collect();
        let single = !wires.is_empty() && wires.iter().all(|wire| wire.len() == 1);
        let ascii =
            if single { wires.iter().fold(0u128, |set, wire| set | 1 << wire.as_bytes()[0]) } else { 0 };
        let _ = writeln!(
            table,
            "Field {{ tag: {tag}, name: \"{name}\", format: Format::{}, values: &{wires:?}, ascii: {ascii}, data: {} }},",
            format(field),
            data_of(dictionary, field),
        );
        let _ = writeln!(
            tags,
            "/// {name}\npub const {}: u16 = {tag};",
            crate::typed::snake(name).to_uppercase()
        );
    }
    let _ = writeln!(
        out,
        "/// The fields that supported messages use.\npub static FIELDS: &[Field] = &[{table}];
        static FIELD_INDEX: [u16; TAG_LIMIT] = {index:?};
        /// Tag numbers by name.\npub mod tag {{ {tags} }}"
    );
}

fn format(field: &Field) -> &'static str {
    match field.kind.as_str() {
        "int" => "Int",
        "length" | "seqnum" => "Unsigned",
        "numingroup" => "NumInGroup",
        "float" | "price" | "qty" | "amt" | "percentage" | "priceoffset" => "Decimal",
        "char" => "Char",
        "boolean" => "Boolean",
        "string" | "currency" | "country" | "exchange" => "Text",
        "multiplevaluestring" => "MultipleValue",
        "utctimestamp" => "UtcTimestamp",
        "utctimeonly" => "UtcTime",
        "utcdateonly" | "localmktdate" => "Date",
        "monthyear" => "MonthYear",
        "data" => "Data",
        other => panic!("fields.txt: {} has the unknown type {other}", field.name),
    }
}

/// `EncodedTextLen` states the length of `EncodedText`, `SignatureLength` that of `Signature`.
fn data_of(dictionary: &Dictionary, field: &Field) -> u32 {
    let name = field.name.strip_suffix("Length").or_else(|| field.name.strip_suffix("Len"));
    name.and_then(|name| dictionary.fields.get(name))
        .filter(|data| data.kind == "data")
        .map_or(0, |data| data.tag)
}

fn layouts(dictionary: &Dictionary, out: &mut String) {
    let _ = writeln!(
        out,
        "/// What every header holds.\npub static HEADER: Layout = {};
        /// What every trailer holds.\npub static TRAILER: Layout = {};",
        layout(dictionary, &dictionary.header),
        layout(dictionary, &dictionary.trailer),
    );
    let mut arms = String::new();
    for message in &dictionary.messages {
        if let Some(items) = &message.items {
            let _ = writeln!(
                arms,
                "MsgType::{} => {{ static LAYOUT: Layout = {}; &LAYOUT }}",
                message.name,
                layout(dictionary, items)
            );
        }
    }
    let _ = writeln!(
        out,
        "/// What the body of a supported message holds; `None` for a type that is only known by name.
        #[must_use]
        pub fn layout(msg_type: MsgType) -> Option<&'static Layout> {{ Some(match msg_type {{ {arms} _ => return None }}) }}"
    );
}

fn layout(dictionary: &Dictionary, items: &[Item]) -> String {
    let tag = |name: &str| dictionary.field(name).tag;
    let mut members = BTreeSet::new();
    let mut required = Vec::new();
    let mut groups = String::new();
    for item in items {
        let (Item::Field { name, required: must } | Item::Group { name, required: must, .. }) = item;
        members.insert(tag(name));
        if *must {
            required.push(tag(name));
        }
        if let Item::Group { name, items, .. } = item {
            let mut all = BTreeSet::new();
            deep(dictionary, items, &mut all);
            let (Item::Field { name: first, .. } | Item::Group { name: first, .. }) = &items[0];
            let _ = write!(
                groups,
                "Group {{ count: {}, delimiter: {}, all: {}, entry: {} }},",
                tag(name),
                tag(first),
                tag_set(&all),
                layout(dictionary, items)
            );
        }
    }
    format!("Layout {{ members: {}, required: &{required:?}, groups: &[{groups}] }}", tag_set(&members))
}

fn deep(dictionary: &Dictionary, items: &[Item], all: &mut BTreeSet<u32>) {
    for item in items {
        let (Item::Field { name, .. } | Item::Group { name, .. }) = item;
        all.insert(dictionary.field(name).tag);
        if let Item::Group { items, .. } = item {
            deep(dictionary, items, all);
        }
    }
}

fn tag_set(tags: &BTreeSet<u32>) -> String {
    let mut words = [0u64; TAG_LIMIT / 64];
    for tag in tags {
        words[*tag as usize / 64] |= 1 << (tag % 64);
    }
    format!("TagSet({words:?})")
}
