//! The apply thread's way to the sockets: each FIX event becomes bytes and is written here and now.
//!
//! A record's messages are staged per connection and leave when everything that was durable is applied, so that a
//! burst costs one system call per connection, and a lone order none but its own. Nothing here waits.

use std::sync::{Arc, OnceLock};

use decalog_fix::codec::Encoder;
use decalog_fix::outbound::write_gap_fill;
use decalog_fix::session::{ConnectionId, ReplayItem};
use decalog_fix::time::Timestamp;
use decalog_runtime::{Address, Applied, Observer, Origin, Partition, Refused, SubmitError};

use super::connections::{Connection, Connections};
use super::encode::{encode, encode_again};
use super::outbound::Resend;
use super::shortage::{Shortage, turn_away};
use crate::command::Command;
use crate::event::{Event, Outbound};
use crate::state::Unit;

/// Staged bytes leave early beyond this.
const STAGE_BYTES: usize = 32 * 1024;

/// Writes the FIX events of one unit.
pub(crate) struct Writer {
    connections: Arc<Connections>,
    shortage: Arc<Shortage>,
    /// Known once the system has started; resends read its event journal.
    partition: Arc<OnceLock<Partition<Unit>>>,
    encoder: Encoder,
    stages: Vec<Stage>,
    used: usize,
    /// Connections that ended while not even the reserve had space: to be told to their sessions when something has.
    untold: Vec<(u64, Origin, Command)>,
}

/// What one connection gets, in this order: each resend behind the bytes that came before it, the bytes after, the end.
///
/// A resend waits for the batch's end: only then are the events published that it reads, those of the batch among them.
#[derive(Default)]
struct Stage {
    connection: Option<Arc<Connection>>,
    resends: Vec<(Vec<u8>, Resend)>,
    bytes: Vec<u8>,
    closes: bool,
}

impl Writer {
    pub(crate) fn new(
        connections: Arc<Connections>,
        shortage: Arc<Shortage>,
        partition: Arc<OnceLock<Partition<Unit>>>,
    ) -> Self {
        let (encoder, stages, untold) = (Encoder::default(), Vec::new(), Vec::new());
        Self { connections, shortage, partition, encoder, stages, used: 0, untold }
    }

    /// The stage of a connection, made when it has none; `None` when the connection is gone.
    fn stage(&mut self, id: ConnectionId) -> Option<usize> {
        let is_its = |stage: &Stage| stage.connection.as_ref().is_some_and(|connection| connection.id == id);
        if let Some(place) = self.stages[..self.used].iter().rposition(is_its) {
            return Some(place);
        }
        let connection = self.connections.get(id)?;
        if self.used == self.stages.len() {
            self.stages.push(Stage::default());
        }
        self.stages[self.used].connection = Some(connection);
        self.used += 1;
        Some(self.used - 1)
    }

    fn message(&mut self, outbound: &Outbound) {
        // Without a connection the message waits in the session for its resend request.
        let Some(place) = outbound.connection.and_then(|id| self.stage(id)) else { return };
        let stage = &mut self.stages[place];
        let Some(connection) = &stage.connection else { return };
        encode(&mut self.encoder, &connection.peer.identity, outbound, &mut stage.bytes);
        if stage.bytes.len() > STAGE_BYTES && stage.resends.is_empty() {
            stage.flush();
        }
    }

    fn replay(&mut self, id: ConnectionId, now: Timestamp, items: &[ReplayItem<Address>]) {
        let Some(place) = self.stage(id) else { return };
        let stage = &mut self.stages[place];
        let (Some(connection), Some(partition)) = (&stage.connection, self.partition.get()) else { return };
        let resend = resend(Arc::clone(connection), partition.clone(), now, items.to_vec());
        stage.resends.push((std::mem::take(&mut stage.bytes), resend));
    }

    /// What comes of a command that found no space. An order comes again as one that was refused, which may use the
    /// reserve. What found none there either ends its connection: nothing more can be answered on it.
    fn out_of_space(&mut self, token: u64, origin: Origin, command: Command) {
        match command {
            Command::Fix(mut message) => match turn_away(&mut message.inbound) {
                true => self.offer(token, Origin { urgent: true, ..origin }, &Command::Fix(message)),
                false => self.give_up(token, "the reserve for a full disk is used up"),
            },
            command => self.untold.push((token, origin, command)),
        }
    }

    /// Offers a command in the name of whoever offered it first.
    fn offer(&mut self, token: u64, origin: Origin, command: &Command) {
        let Some(partition) = self.partition.get() else { return };
        if let Err(error) = partition.offer(origin, command, token) {
            self.give_up(token, &error.to_string());
        }
    }

    /// A message is neither in the log nor answered: its session cannot go on over this connection.
    fn give_up(&mut self, token: u64, reason: &str) {
        tracing::warn!(connection = token, reason, "FIX message not taken");
        self.close(ConnectionId(token));
        self.flush();
    }

    fn close(&mut self, id: ConnectionId) {
        if let Some(place) = self.stage(id) {
            self.stages[place].closes = true;
        }
    }

    fn flush(&mut self) {
        for stage in &mut self.stages[..self.used] {
            stage.flush();
            stage.connection = None;
        }
        self.used = 0;
    }
}

impl Stage {
    fn flush(&mut self) {
        if let Some(connection) = &self.connection {
            for (bytes, resend) in self.resends.drain(..) {
                send(connection, &bytes);
                connection.outbound.resend(resend);
            }
            send(connection, &self.bytes);
            if self.closes {
                connection.outbound.close();
            }
        }
        self.resends.clear();
        self.bytes.clear();
        self.closes = false;
    }
}

fn send(connection: &Connection, bytes: &[u8]) {
    if !bytes.is_empty() {
        connection.outbound.send(bytes);
    }
}

impl Observer<Unit> for Writer {
    fn applied(&mut self, record: &Applied<'_, Unit>) {
        for event in record.events {
            match event {
                Event::Fix(outbound) => self.message(outbound),
                Event::FixReplay { connection, items, .. } => {
                    self.replay(*connection, Timestamp(record.stamp.time.0), items);
                }
                Event::FixClose { connection, reason, .. } => {
                    tracing::debug!(connection = connection.0, ?reason, "session closes its connection");
                    self.close(*connection);
                }
                Event::Listed(_) | Event::Trade(_) | Event::BookLevel(_) => {}
            }
        }
    }

    fn refused(&mut self, refused: Refused<'_, Unit>) {
        let Refused { token, origin, command, error } = refused;
        if matches!(error, SubmitError::DiskFull(_)) {
            self.shortage.notice();
            self.out_of_space(token, origin, command);
        } else {
            self.give_up(token, &error.to_string());
        }
    }

    fn batch_end(&mut self, _applied: u64) {
        self.flush();
        // Something was logged: there may be space for these too.
        for (token, origin, command) in std::mem::take(&mut self.untold) {
            self.offer(token, origin, &command);
        }
    }

    fn stopped(&mut self, error: &SubmitError) {
        match error {
            SubmitError::Closed(_) => tracing::debug!("the unit is shut down"),
            error => tracing::error!(%error, "the unit stops: its FIX connections are closed"),
        }
        self.flush();
        self.connections.cut_all();
    }
}

/// Reads the events again from the journal and writes them; runs on the connection's own thread.
fn resend(
    connection: Arc<Connection>,
    partition: Partition<Unit>,
    now: Timestamp,
    items: Vec<ReplayItem<Address>>,
) -> Resend {
    Box::new(move |socket| {
        let mut encoder = Encoder::default();
        let identity = &connection.peer.identity;
        let mut bytes = Vec::new();
        for item in items {
            match item {
                ReplayItem::GapFill { seq, new_seq } => {
                    gap_fill(&mut encoder, &connection, now, seq, new_seq, &mut bytes);
                }
                ReplayItem::Resend { seq, address } => match partition.event(address) {
                    Ok(Some(published)) if matches!(&published.event, Event::Fix(fix) if fix.seq == seq) => {
                        let Event::Fix(outbound) = &published.event else { continue };
                        encode_again(&mut encoder, identity, outbound, now, &mut bytes);
                    }
                    missing => {
                        // The journal goes back less far than the session remembers: fill the number.
                        tracing::warn!(%address, seq, found = missing.is_ok(), "event to resend is gone");
                        gap_fill(&mut encoder, &connection, now, seq, seq + 1, &mut bytes);
                    }
                },
            }
            if bytes.len() > STAGE_BYTES {
                socket.write_all(&bytes)?;
                bytes.clear();
            }
        }
        socket.write_all(&bytes)
    })
}

fn gap_fill(
    encoder: &mut Encoder,
    connection: &Connection,
    now: Timestamp,
    seq: u64,
    new_seq: u64,
    out: &mut Vec<u8>,
) {
    let identity = &connection.peer.identity;
    let stamp = decalog_fix::codec::Stamp::new(&identity.ours, &identity.theirs, seq, now);
    write_gap_fill(encoder, new_seq, &stamp, out);
}
