//! The audit trail of a log that is read from its beginning, without a running directory.

use decalog_runtime::record::{Own, split};
use decalog_runtime::{Outbox, Stamp, StateMachine, Timestamp, Wire};

use super::audit::Entry;
use crate::command::Command;
use crate::event::Event;
use crate::state::Directory;

/// Makes events again from records.
#[derive(Debug, Default)]
pub struct Replay {
    directory: Directory,
}

impl Replay {
    /// The next record, in the order of the log: what it told. The text says why it cannot be read.
    pub fn take(&mut self, offset: u64, record: &[u8]) -> Result<Vec<Entry>, String> {
        let (header, body) = split(record).map_err(|error| error.to_string())?;
        let stamp = Stamp {
            offset,
            time: Timestamp(header.stamp.get()),
            rules: header.rules.get(),
            bucket: header.bucket.get(),
            principal: header.principal.get(),
            client: header.client.get(),
            sequence: header.sequence.get(),
        };
        let mut out = Outbox::new();
        while let Some(due) = self.directory.deadline().filter(|due| *due <= stamp.time) {
            let due = Stamp { time: due, bucket: 0, principal: 0, client: 0, sequence: 0, ..stamp };
            self.directory.expire(&due, &mut out);
        }
        let kind = header.kind.get();
        if Own::from_kind(kind).is_none() {
            let command =
                Command::decode(kind, header.version.get(), body).map_err(|error| error.to_string())?;
            self.directory.apply(&stamp, command, &mut out);
        }
        let entry = |(index, Event { by, account, what })| Entry {
            offset,
            index,
            time: stamp.time.0,
            by,
            account,
            what,
        };
        Ok((0_u32..).zip(out.take_events()).map(entry).collect())
    }

    /// The state so far.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }
}
