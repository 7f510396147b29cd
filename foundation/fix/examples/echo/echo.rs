//! An application that sends every order and security definition back to its sender, fields sorted by tag. A
//! PossResend message is ignored when its ClOrdID was seen since the logon.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use decalog_fix::acceptor::{Application, Event, Received, SessionHandle};
use decalog_fix::codec::Message;
use decalog_fix::dictionary::{HEADER, MsgType, TRAILER, TagSet, layout, tag};
use decalog_fix::guard::Identity;

#[derive(Default)]
pub(crate) struct Echo {
    seen: Mutex<BTreeMap<Identity, BTreeSet<String>>>,
}

impl Application for Echo {
    fn takes(&self, msg_type: MsgType) -> bool {
        matches!(msg_type, MsgType::NewOrderSingle | MsgType::SecurityDefinition)
    }

    fn event(&self, session: &SessionHandle, event: Event) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.entry(session.identity().clone()).or_default();
        match event {
            Event::LoggedOn => seen.clear(),
            Event::Message(header, message) => {
                let id = message.read(|message| message.text(tag::CL_ORD_ID).map(str::to_owned));
                let known = id.is_some_and(|id| !seen.insert(id));
                if !(header.poss_resend && known) {
                    send_back(session, header.poss_resend, &message);
                }
            }
            Event::Rejected { .. } | Event::Closed(_) => {}
        }
    }
}

fn send_back(session: &SessionHandle, poss_resend: bool, message: &Received) {
    let fields = message.read(|content| sorted(message.msg_type, content));
    let sent = session.send(message.msg_type, |body| {
        if poss_resend {
            body.boolean(tag::POSS_RESEND, true);
        }
        for (_, field) in &fields {
            body.raw(field);
        }
    });
    if let Err(error) = sent {
        eprintln!("the store failed: {error}");
    }
}

/// The body's fields by rising tag, the entries of a group kept behind its count.
fn sorted(msg_type: MsgType, message: &Message<'_>) -> Vec<(u16, Vec<u8>)> {
    let mut fields: Vec<(u16, Vec<u8>)> = Vec::new();
    let mut group: Option<&TagSet> = None;
    for field in message.fields() {
        let Ok(tag) = u16::try_from(field.tag) else { continue };
        if HEADER.members.contains(tag) || TRAILER.members.contains(tag) {
            continue;
        }
        let mut text = format!("{tag}=").into_bytes();
        text.extend_from_slice(field.value);
        text.push(1);
        match (fields.last_mut(), group) {
            (Some((_, entries)), Some(members)) if members.contains(tag) => entries.extend(text),
            _ => {
                group = layout(msg_type).and_then(|layout| layout.group(tag)).map(|group| &group.all);
                fields.push((tag, text));
            }
        }
    }
    fields.sort_by_key(|(tag, _)| *tag);
    fields
}
