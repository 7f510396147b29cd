//! Reads the dictionary's text forms (`dictionary/README.md` describes them).

use std::collections::BTreeMap;

/// A field: what `fields.txt` says of it.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) tag: u32,
    pub(crate) name: String,
    pub(crate) kind: String,
    /// Wire values that are allowed, with a name where the typed messages need one; empty allows all.
    pub(crate) values: Vec<(Option<String>, String)>,
}

/// What stands in a message: fields, and groups that hold more of the same.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Field { name: String, required: bool },
    Group { name: String, required: bool, items: Vec<Item> },
}

#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) name: String,
    pub(crate) wire: String,
    /// `None` when the type is known and no more.
    pub(crate) items: Option<Vec<Item>>,
}

/// A field of a typed message.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) optional: bool,
    /// Required when that field has one of those values.
    pub(crate) condition: Option<(String, Vec<String>)>,
    /// The name of the entry type, when this is a group.
    pub(crate) entry: Option<String>,
}

/// A Rust struct for the fields of a message or of a group's entry that this project uses.
#[derive(Debug)]
pub(crate) struct Typed {
    pub(crate) name: String,
    /// The group that it is an entry of; `None` for a message.
    pub(crate) group: Option<(String, String)>,
    pub(crate) members: Vec<Member>,
}

#[derive(Debug)]
pub(crate) struct Dictionary {
    pub(crate) fields: BTreeMap<String, Field>,
    /// Tags that FIX 4.4 defines and no supported message uses.
    pub(crate) unused: Vec<u32>,
    pub(crate) header: Vec<Item>,
    pub(crate) trailer: Vec<Item>,
    pub(crate) messages: Vec<Message>,
    pub(crate) typed: Vec<Typed>,
}

impl Dictionary {
    pub(crate) fn read(fields: &str, messages: &str, typed: &str) -> Self {
        let (fields, unused) = read_fields(fields);
        let mut this = Self {
            fields,
            unused,
            header: Vec::new(),
            trailer: Vec::new(),
            messages: Vec::new(),
            typed: blocks(typed).iter().map(|(head, words)| read_typed(head, words)).collect(),
        };
        let blocks = blocks(messages);
        let components: BTreeMap<&str, &Vec<&str>> = blocks
            .iter()
            .filter_map(|(head, words)| Some((head.strip_prefix("component ")?, words)))
            .collect();
        for (head, words) in &blocks {
            let items = || read_items(&mut words.iter().copied(), &components);
            match head.split(' ').collect::<Vec<_>>()[..] {
                ["header"] => this.header = items(),
                ["trailer"] => this.trailer = items(),
                ["message", name, wire] => {
                    this.messages.push(Message {
                        name: name.into(),
                        wire: wire.into(),
                        items: Some(items()),
                    });
                }
                ["known"] => this.messages.extend(words.iter().map(|word| {
                    let (name, wire) = word.split_once('=').expect("known Name=type");
                    Message { name: name.into(), wire: wire.into(), items: None }
                })),
                ["component", _] => {}
                _ => panic!("messages.txt: what is '{head}'?"),
            }
        }
        this
    }

    pub(crate) fn field(&self, name: &str) -> &Field {
        self.fields.get(name).unwrap_or_else(|| panic!("fields.txt does not define {name}"))
    }
}

/// Splits a text into blocks: a line at the margin, and the words of the indented lines after it.
fn blocks(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut blocks: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if line.starts_with(' ') {
            blocks.last_mut().expect("an indented line continues a block").1.extend(line.split_whitespace());
        } else {
            blocks.push((line.trim_end(), Vec::new()));
        }
    }
    blocks
}

fn read_fields(text: &str) -> (BTreeMap<String, Field>, Vec<u32>) {
    let mut fields = BTreeMap::new();
    let mut unused = Vec::new();
    for (head, more) in blocks(text) {
        if head == "unused" {
            unused = more.iter().map(|tag| tag.parse().expect("a tag number")).collect();
            continue;
        }
        let mut words = head.split_whitespace().chain(more);
        let (Some(tag), Some(name), Some(kind)) = (words.next(), words.next(), words.next()) else {
            panic!("fields.txt: '{head}' is not TAG NAME TYPE");
        };
        let value = |word: &str| match word.split_once('=') {
            Some((name, wire)) => (Some(name.to_owned()), wire.to_owned()),
            None => (None, word.to_owned()),
        };
        let field = Field {
            tag: tag.parse().expect("a tag number"),
            name: name.to_owned(),
            kind: kind.to_owned(),
            values: words.map(value).collect(),
        };
        fields.insert(name.to_owned(), field);
    }
    (fields, unused)
}

/// Reads items up to the end, or to the word that closes the group.
fn read_items<'a>(
    words: &mut dyn Iterator<Item = &'a str>,
    components: &BTreeMap<&str, &Vec<&'a str>>,
) -> Vec<Item> {
    let mut items = Vec::new();
    while let Some(word) = words.next() {
        let required = word.contains('!');
        if let Some(component) = word.strip_prefix('@') {
            let component = component.trim_end_matches('!');
            let content = components.get(component).unwrap_or_else(|| panic!("no component {component}"));
            for item in read_items(&mut content.iter().copied(), components) {
                items.push(if required { item } else { optional(item) });
            }
            continue;
        }
        if let Some(name) = word.strip_prefix('[') {
            let inner = read_items(words, components);
            items.push(Item::Group { name: name.replace('!', ""), required, items: inner });
            continue;
        }
        if word == "]" {
            break;
        }
        items.push(Item::Field { name: word.replace('!', ""), required });
    }
    items
}

/// What a component requires counts only where the component itself is required.
fn optional(item: Item) -> Item {
    match item {
        Item::Field { name, .. } => Item::Field { name, required: false },
        Item::Group { name, items, .. } => Item::Group { name, required: false, items },
    }
}

/// `message Name` or `entry Name of Group in Message`, then members: `Name`, `Name?`, `Name?Field=a|b`, `Group[Entry]`.
fn read_typed(head: &str, words: &[&str]) -> Typed {
    let (name, group) = match head.split(' ').collect::<Vec<_>>()[..] {
        ["message", name] => (name, None),
        ["entry", name, "of", group, "in", message] => (name, Some((group.to_owned(), message.to_owned()))),
        _ => panic!("typed.txt: what is '{head}'?"),
    };
    let member = |word: &&str| {
        let (word, entry) = match word.split_once('[') {
            Some((word, entry)) => (word, Some(entry.trim_end_matches(']').to_owned())),
            None => (*word, None),
        };
        let (name, optional, condition) = match word.split_once('?') {
            None => (word, false, None),
            Some((name, "")) => (name, true, None),
            Some((name, condition)) => {
                let (field, values) = condition.split_once('=').expect("Name?Field=a|b");
                (name, true, Some((field.to_owned(), values.split('|').map(str::to_owned).collect())))
            }
        };
        Member { name: name.to_owned(), optional, condition, entry }
    };
    Typed { name: name.to_owned(), group, members: words.iter().map(member).collect() }
}
