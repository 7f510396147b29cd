//! One stand-alone session with its store and its bytes: what the acceptor and the initiator share, without I/O of
//! its own but the store's.

use std::io;

use crate::codec::{Body, Encoder, Frame, Message, Parser, Stamp};
use crate::dictionary::MsgType;
use crate::guard::Identity;
use crate::outbound::{Credentials, write_gap_fill, write_session};
use crate::session::{
    CloseReason, ConnectionId, Header, Inbound, Numbered, Outlet, Replay, ReplayItem, SeqNum, Session,
    SessionMessage, Settings,
};
use crate::store::{Numbers, SentMessage, Store};
use crate::time::{Precision, Timestamp};

/// An application message that came in its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its type.
    pub msg_type: MsgType,
    frame: Vec<u8>,
}

impl Received {
    /// Keeps a copy of a validated message.
    #[must_use]
    pub fn keep(msg_type: MsgType, message: &Message<'_>) -> Self {
        Self { msg_type, frame: message.bytes().to_vec() }
    }

    /// Gives the message to a reader, for example `NewOrderSingle::decode`.
    pub fn read<T>(&self, reader: impl FnOnce(&Message<'_>) -> T) -> T {
        reader(&Parser::new().parse(Frame { bytes: &self.frame }))
    }
}

/// What happens to a stand-alone session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Both sides have said Logon.
    LoggedOn,
    /// An application message, in sequence, once.
    Message(Header, Received),
    /// The other side could not take one of our messages.
    Rejected {
        /// RefSeqNum (45).
        ref_seq: SeqNum,
        /// Text (58).
        text: Option<String>,
    },
    /// The connection is over; `None` when it broke or was cut.
    Closed(Option<CloseReason>),
}

/// A session, its store, and what waits to be written.
pub(crate) struct Endpoint {
    session: Session<Received, SeqNum>,
    desk: Desk,
    saved: Numbers,
}

/// The owner's side of the session: numbers to bytes, and what else was decided.
struct Desk {
    store: Box<dyn Store>,
    encoder: Encoder,
    identity: Identity,
    credentials: Option<Credentials>,
    now: Timestamp,
    /// Bytes for one connection; those of an older one are void.
    out: Vec<u8>,
    out_for: Option<ConnectionId>,
    events: Vec<Event>,
    closed: Vec<(ConnectionId, CloseReason)>,
    failure: Option<io::Error>,
}

impl Endpoint {
    pub(crate) fn new(
        identity: Identity,
        settings: Settings,
        credentials: Option<Credentials>,
        precision: Precision,
        mut store: Box<dyn Store>,
    ) -> io::Result<Self> {
        let (saved, kept) = store.load()?;
        let mut session = Session::resumed(settings, saved.next_in, saved.next_out);
        for seq in kept.into_iter().filter(|seq| *seq < saved.next_out) {
            session.remember(seq, seq);
        }
        let desk = Desk {
            store,
            encoder: Encoder::new(precision),
            identity,
            credentials,
            now: Timestamp(0),
            out: Vec::new(),
            out_for: None,
            events: Vec::new(),
            closed: Vec::new(),
            failure: None,
        };
        Ok(Self { session, desk, saved })
    }

    pub(crate) fn connected(&mut self, now: Timestamp, connection: ConnectionId) -> io::Result<()> {
        self.step(now, |session, desk| session.connected(now, connection, desk))
    }

    pub(crate) fn receive(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        inbound: Inbound<Received>,
    ) -> io::Result<()> {
        self.step(now, |session, desk| session.receive(now, connection, inbound, desk))
    }

    pub(crate) fn tick(&mut self, now: Timestamp) -> io::Result<()> {
        self.step(now, |session, desk| session.tick(now, desk))
    }

    pub(crate) fn logout(&mut self, now: Timestamp, text: Option<String>) -> io::Result<()> {
        self.step(now, |session, desk| session.logout(now, text.map(Into::into), desk))
    }

    pub(crate) fn disconnected(&mut self, connection: ConnectionId) {
        self.desk.closed.retain(|(closed, _)| *closed != connection);
        self.session.disconnected(connection);
    }

    /// Numbers, keeps and (when logged on) writes an application message.
    pub(crate) fn send(
        &mut self,
        now: Timestamp,
        msg_type: MsgType,
        body: impl FnOnce(&mut Body<'_>),
    ) -> io::Result<Numbered> {
        let seq = self.session.next_out();
        let body = self.desk.encoder.fields(body);
        self.desk.store.put(seq, SentMessage { msg_type, sent_at: now, body: body.clone() })?;
        let numbered = self.session.send(now, seq);
        self.save()?;
        if let Some(connection) = numbered.connection {
            self.desk.write(connection, seq, now, None, msg_type, &body);
        }
        Ok(numbered)
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.session.deadline()
    }

    pub(crate) const fn session(&self) -> &Session<Received, SeqNum> {
        &self.session
    }

    /// Moves what waits for this connection to `pending`; how many bytes wait in all.
    pub(crate) fn take_out(&mut self, connection: ConnectionId, pending: &mut Vec<u8>) -> usize {
        if self.desk.out_for == Some(connection) {
            pending.append(&mut self.desk.out);
        }
        pending.len()
    }

    /// What happened, for the connection that the session holds or held last.
    pub(crate) fn take_events(&mut self, connection: ConnectionId) -> Vec<Event> {
        if self.desk.out_for == Some(connection) { std::mem::take(&mut self.desk.events) } else { Vec::new() }
    }

    /// Has the session let go of this connection?
    pub(crate) fn take_closed(&mut self, connection: ConnectionId) -> Option<CloseReason> {
        let at = self.desk.closed.iter().position(|(closed, _)| *closed == connection)?;
        Some(self.desk.closed.swap_remove(at).1)
    }

    fn step(
        &mut self,
        now: Timestamp,
        change: impl FnOnce(&mut Session<Received, SeqNum>, &mut Desk),
    ) -> io::Result<()> {
        self.desk.now = now;
        change(&mut self.session, &mut self.desk);
        if let Some(error) = self.desk.failure.take() {
            return Err(error);
        }
        self.save()
    }

    /// The numbers are kept before the bytes that carry them can leave.
    fn save(&mut self) -> io::Result<()> {
        let numbers = Numbers { next_in: self.session.next_in(), next_out: self.session.next_out() };
        if numbers != self.saved {
            self.desk.store.save(numbers)?;
            self.saved = numbers;
        }
        Ok(())
    }
}

impl Desk {
    fn write(
        &mut self,
        connection: ConnectionId,
        seq: SeqNum,
        now: Timestamp,
        original: Option<Timestamp>,
        msg_type: MsgType,
        body: &[u8],
    ) {
        self.open(connection);
        let Self { identity, encoder, out, .. } = self;
        let stamp = Stamp { original, ..Stamp::new(&identity.ours, &identity.theirs, seq, now) };
        encoder.write(msg_type, &stamp, out, |fields| fields.raw(body));
    }

    fn open(&mut self, connection: ConnectionId) {
        if self.out_for.replace(connection) != Some(connection) {
            self.out.clear();
        }
    }
}

impl Outlet<Received, SeqNum> for Desk {
    fn send(&mut self, connection: ConnectionId, seq: SeqNum, message: SessionMessage) -> Option<SeqNum> {
        self.open(connection);
        let Self { identity, encoder, credentials, out, now, .. } = self;
        let stamp = Stamp::new(&identity.ours, &identity.theirs, seq, *now);
        write_session(encoder, &message, &stamp, credentials.as_ref(), out);
        None
    }

    fn replay(&mut self, connection: ConnectionId, items: Replay<'_, SeqNum>) {
        self.open(connection);
        let now = self.now;
        for item in items {
            match item {
                ReplayItem::GapFill { seq, new_seq } => {
                    let Self { identity, encoder, out, .. } = self;
                    let stamp = Stamp::new(&identity.ours, &identity.theirs, seq, now);
                    write_gap_fill(encoder, new_seq, &stamp, out);
                }
                ReplayItem::Resend { seq, address } => match self.store.get(address) {
                    Ok(Some(SentMessage { msg_type, sent_at, body })) => {
                        self.write(connection, seq, now, Some(sent_at), msg_type, &body);
                    }
                    Ok(None) => {
                        let Self { identity, encoder, out, .. } = self;
                        let stamp = Stamp::new(&identity.ours, &identity.theirs, seq, now);
                        write_gap_fill(encoder, seq + 1, &stamp, out);
                    }
                    Err(error) => {
                        self.failure = Some(error);
                        return;
                    }
                },
            }
        }
    }

    fn deliver(&mut self, header: Header, message: Received) {
        self.events.push(Event::Message(header, message));
    }

    fn restarted(&mut self) {
        if let Err(error) = self.store.reset() {
            self.failure = Some(error);
        }
    }

    fn logged_on(&mut self, _connection: ConnectionId) {
        self.events.push(Event::LoggedOn);
    }

    fn rejected(&mut self, ref_seq: SeqNum, text: Option<String>) {
        self.events.push(Event::Rejected { ref_seq, text });
    }

    fn close(&mut self, connection: ConnectionId, reason: CloseReason) {
        self.closed.push((connection, reason));
    }
}
