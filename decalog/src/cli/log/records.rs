//! Records as an operator reads them: which system's, when, and the command in words. Password hashes are left out.

use decalog_exchange::api::service::{SYSTEM, unit_of};
use decalog_exchange::command::{Command, FixMessage};
use decalog_identity::api as identity;
use decalog_log::PartitionId;
use decalog_runtime::Wire;
use decalog_runtime::record::{Own, split};
use jiff::Timestamp;

/// `exchange/0` for the exchange's first unit; the bare number for partitions that no system here owns.
pub(super) fn partition_name(partition: PartitionId) -> String {
    if is_exchange(partition) {
        format!("exchange/{}", unit_of(partition))
    } else if is_identity(partition) {
        format!("identity/{}", partition.0 & 0xffff)
    } else {
        partition.0.to_string()
    }
}

/// Whether the partition is one of the exchange's units.
pub(super) fn is_exchange(partition: PartitionId) -> bool {
    partition.0 >> 16 == u32::from(SYSTEM)
}

/// Whether the partition is the accounts'.
pub(super) fn is_identity(partition: PartitionId) -> bool {
    partition.0 >> 16 == u32::from(identity::service::SYSTEM)
}

/// A record in words.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Shown {
    pub(super) partition: String,
    pub(super) offset: u64,
    /// RFC 3339, UTC.
    pub(super) time: String,
    pub(super) kind: u16,
    pub(super) version: u16,
    pub(super) rules: u32,
    pub(super) principal: u64,
    /// What it says, or why that cannot be read.
    pub(super) content: String,
}

/// Reads a record of a partition.
pub(super) fn show(partition: PartitionId, offset: u64, record: &[u8]) -> Shown {
    let mut shown = Shown {
        partition: partition_name(partition),
        offset,
        time: String::new(),
        kind: 0,
        version: 0,
        rules: 0,
        principal: 0,
        content: String::new(),
    };
    let (header, body) = match split(record) {
        Ok(parts) => parts,
        Err(error) => {
            shown.content = error.to_string();
            return shown;
        }
    };
    shown.time = Timestamp::from_nanosecond(i128::from(header.stamp.get()))
        .map_or_else(|_| header.stamp.get().to_string(), |time| time.to_string());
    (shown.kind, shown.version) = (header.kind.get(), header.version.get());
    (shown.rules, shown.principal) = (header.rules.get(), header.principal.get());
    shown.content = match Own::from_kind(shown.kind) {
        Some(own) => own.name().to_owned(),
        None if is_exchange(partition) => command(shown.kind, shown.version, body),
        None if is_identity(partition) => accounts(shown.kind, shown.version, body),
        None => format!("{} bytes", body.len()),
    };
    shown
}

/// What was asked, and not with what: hashes and secrets are nobody's business. `decalog audit` says what came of it.
fn accounts(kind: u16, version: u16, body: &[u8]) -> String {
    let command = decalog_identity::command::Command::decode(kind, version, body);
    command.map_or_else(|error| error.to_string(), |command| command.name().to_owned())
}

fn command(kind: u16, version: u16, body: &[u8]) -> String {
    match Command::decode(kind, version, body) {
        Ok(Command::Fix(FixMessage { session, connection, inbound })) => {
            let (seq, dup) = (inbound.header.seq, if inbound.header.poss_dup { " PossDup" } else { "" });
            let body = &inbound.body;
            format!("FIX session {} connection {} MsgSeqNum {seq}{dup} {body:?}", session.0, connection.0)
        }
        Ok(command) => format!("{command:?}"),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use decalog_runtime::partition_id;

    use super::*;

    #[test]
    fn partitions_go_by_their_units() {
        assert_eq!(partition_name(partition_id(SYSTEM, 3)), "exchange/3");
        assert_eq!(partition_name(PartitionId(7)), "7");
    }

    #[test]
    fn what_is_no_record_is_said_to_be_none() {
        let shown = show(partition_id(SYSTEM, 0), 5, b"short");
        assert!(shown.content.contains("5 bytes"), "{}", shown.content);
    }
}
