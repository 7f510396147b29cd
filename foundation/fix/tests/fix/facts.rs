//! The dictionary's facts against QuickFIX's FIX44.xml, when `FIX_DEFINITIONS` names the folder that holds it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use decalog_fix::dictionary::{self, FIELDS, Field, Format, HEADER, Known, Layout, MsgType, TRAILER};

#[derive(Debug, Default)]
struct Node<'a> {
    name: &'a str,
    attributes: BTreeMap<&'a str, &'a str>,
    children: Vec<Node<'a>>,
}

/// Enough XML for this file: nested elements with attributes in single quotes, no text.
fn read<'a>(tags: &mut dyn Iterator<Item = &'a str>) -> Vec<Node<'a>> {
    let mut nodes = Vec::new();
    while let Some(tag) = tags.next() {
        let Some(inner) = tag.split('>').next().filter(|inner| !inner.starts_with('/')) else { break };
        let (inner, alone) = inner.strip_suffix('/').map_or((inner, false), |inner| (inner, true));
        let (name, rest) = inner.trim().split_once(' ').unwrap_or((inner.trim(), ""));
        let mut node = Node { name, ..Node::default() };
        let mut pieces = rest.split('\'');
        while let (Some(key), Some(value)) = (pieces.next(), pieces.next()) {
            node.attributes.insert(key.trim().trim_end_matches('='), value);
        }
        if !alone {
            node.children = read(tags);
        }
        nodes.push(node);
    }
    nodes
}

impl<'a> Node<'a> {
    fn child(&self, name: &str) -> &Node<'a> {
        self.children.iter().find(|child| child.name == name).unwrap_or_else(|| panic!("no {name}"))
    }

    fn named(&self, name: &str) -> &Node<'a> {
        let found = self.children.iter().find(|child| child.attributes["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}"))
    }

    fn required(&self) -> bool {
        self.attributes.get("required") == Some(&"Y")
    }
}

fn format(kind: &str) -> Format {
    match kind {
        "INT" => Format::Int,
        "LENGTH" | "SEQNUM" => Format::Unsigned,
        "NUMINGROUP" => Format::NumInGroup,
        "FLOAT" | "PRICE" | "QTY" | "AMT" | "PERCENTAGE" | "PRICEOFFSET" => Format::Decimal,
        "CHAR" => Format::Char,
        "BOOLEAN" => Format::Boolean,
        "STRING" | "CURRENCY" | "COUNTRY" | "EXCHANGE" => Format::Text,
        "MULTIPLEVALUESTRING" => Format::MultipleValue,
        "UTCTIMESTAMP" => Format::UtcTimestamp,
        "UTCTIMEONLY" => Format::UtcTime,
        "UTCDATEONLY" | "LOCALMKTDATE" => Format::Date,
        "MONTHYEAR" => Format::MonthYear,
        "DATA" => Format::Data,
        other => panic!("what is {other}?"),
    }
}

#[test]
fn the_dictionary_agrees_with_the_reference() {
    let Ok(folder) = std::env::var("FIX_DEFINITIONS") else {
        println!("FIX_DEFINITIONS does not name a folder: nothing to compare with");
        return;
    };
    let xml = std::fs::read_to_string(Path::new(&folder).join("FIX44.xml")).expect("FIX44.xml lies there");
    let nodes = read(&mut xml.split('<').skip(1));
    let root = &nodes[0];
    let fields = root.child("fields");
    let tag = |name: &str| -> u16 { fields.named(name).attributes["number"].parse().expect("a tag") };
    for node in &fields.children {
        compare_field(tag(node.attributes["name"]), node);
    }
    compare(root, &tag, root.child("header"), &HEADER, "header");
    compare(root, &tag, root.child("trailer"), &TRAILER, "trailer");
    let mut supported = 0;
    for node in &root.child("messages").children {
        let (name, wire) = (node.attributes["name"], node.attributes["msgtype"]);
        let msg_type = MsgType::from_wire(wire.as_bytes()).unwrap_or_else(|| panic!("{wire} is unknown"));
        assert_eq!(format!("{msg_type:?}"), name);
        if let Some(layout) = dictionary::layout(msg_type) {
            compare(root, &tag, node, layout, name);
            supported += 1;
        }
    }
    assert_eq!(supported, 21, "messages whose fields are known");
    assert!(FIELDS.len() > 400, "{} fields compared", FIELDS.len());
}

fn compare_field(tag: u16, node: &Node<'_>) {
    let known = dictionary::field(tag).unwrap_or_else(|| panic!("{tag} is unknown"));
    let Known::Field(Field { name, format: known, values, .. }) = known else { return };
    assert_eq!((*name, *known), (node.attributes["name"], format(node.attributes["type"])), "tag {tag}");
    // MsgType has its own check; Boolean's values are its syntax.
    if !matches!(tag, 35 | 372) && *known != Format::Boolean {
        let ours: BTreeSet<&str> = values.iter().copied().collect();
        let theirs: BTreeSet<&str> = node.children.iter().map(|value| value.attributes["enum"]).collect();
        assert_eq!(ours, theirs, "values of {name}");
    }
}

/// What stands in a message, components taken apart: tag, required, and what a group holds.
fn flat<'a>(
    root: &'a Node<'a>,
    node: &'a Node<'a>,
    required: bool,
    out: &mut Vec<(&'a str, bool, Option<&'a Node<'a>>)>,
) {
    for child in &node.children {
        let name = child.attributes["name"];
        let must = child.required() && required;
        match child.name {
            "component" => flat(root, root.child("components").named(name), must, out),
            "group" => out.push((name, must, Some(child))),
            _ => out.push((name, must, None)),
        }
    }
}

fn compare(root: &Node<'_>, tag: &dyn Fn(&str) -> u16, node: &Node<'_>, ours: &Layout, place: &str) {
    let mut theirs = Vec::new();
    flat(root, node, true, &mut theirs);
    let members: BTreeSet<u16> = theirs.iter().map(|(name, ..)| tag(name)).collect();
    let known: BTreeSet<u16> = (0..1024).filter(|tag| ours.members.contains(*tag)).collect();
    assert_eq!(known, members, "fields of {place}");
    let required: BTreeSet<u16> =
        theirs.iter().filter(|(_, must, _)| *must).map(|(name, ..)| tag(name)).collect();
    assert_eq!(ours.required.iter().copied().collect::<BTreeSet<_>>(), required, "required in {place}");
    let groups: Vec<_> =
        theirs.iter().filter_map(|(name, _, group)| group.map(|group| (*name, group))).collect();
    assert_eq!(ours.groups.len(), groups.len(), "groups of {place}");
    for (name, group) in groups {
        let known = ours.group(tag(name)).unwrap_or_else(|| panic!("{place} lacks {name}"));
        let mut entry = Vec::new();
        flat(root, group, true, &mut entry);
        assert_eq!(known.delimiter, tag(entry[0].0), "{name} in {place}");
        compare(root, tag, group, &known.entry, &format!("{name} in {place}"));
    }
}
