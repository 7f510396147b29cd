//! Two sessions that talk over a line which is cut again and again: every application message arrives once and in
//! order, whatever was lost with the line.

use std::collections::VecDeque;

use decalog_fix::codec::{Encoder, Frame, Framed, Framer, Rules, Stamp};
use decalog_fix::dictionary::{MsgType, tag};
use decalog_fix::guard::{Guard, Identity};
use decalog_fix::outbound::{write_gap_fill, write_session};
use decalog_fix::session::{
    CloseReason, ConnectionId, Header, Outlet, Replay, ReplayItem, Role, SeqNum, Session, SessionMessage,
    Settings,
};
use decalog_fix::time::Timestamp;
use proptest::prelude::*;

const START: Timestamp = Timestamp(1_767_261_600_000_000_000);

/// One end: a session, its encoder, and the bytes it has put on the line.
struct End {
    session: Session<u64, u64>,
    guard: Guard,
    framer: Framer,
    desk: Desk,
}

struct Desk {
    identity: Identity,
    encoder: Encoder,
    now: Timestamp,
    line: Vec<u8>,
    got: Vec<u64>,
    closed: bool,
    sent: Vec<(u64, Timestamp)>,
}

impl Desk {
    fn application(&mut self, seq: SeqNum, message: u64, original: Option<Timestamp>) {
        let stamp = Stamp::new(&self.identity.ours, &self.identity.theirs, seq, self.now);
        let stamp = Stamp { original, ..stamp };
        self.encoder.write(MsgType::MarketDataRequestReject, &stamp, &mut self.line, |body| {
            body.unsigned(tag::MD_REQ_ID, message)
        });
    }
}

impl Outlet<u64, u64> for Desk {
    fn send(&mut self, _: ConnectionId, seq: SeqNum, message: SessionMessage) -> Option<u64> {
        let stamp = Stamp::new(&self.identity.ours, &self.identity.theirs, seq, self.now);
        write_session(&mut self.encoder, &message, &stamp, None, &mut self.line);
        None
    }

    fn replay(&mut self, _: ConnectionId, items: Replay<'_, u64>) {
        for item in items {
            match item {
                ReplayItem::GapFill { seq, new_seq } => {
                    let stamp = Stamp::new(&self.identity.ours, &self.identity.theirs, seq, self.now);
                    write_gap_fill(&mut self.encoder, new_seq, &stamp, &mut self.line);
                }
                ReplayItem::Resend { seq, address } => {
                    let original = self.sent[usize::try_from(address).unwrap()].1;
                    self.application(seq, address, Some(original));
                }
            }
        }
    }

    fn deliver(&mut self, _: Header, message: u64) {
        self.got.push(message);
    }

    fn close(&mut self, _: ConnectionId, _: CloseReason) {
        self.closed = true;
    }
}

impl End {
    fn new(settings: Settings, ours: &str, theirs: &str) -> Self {
        let identity = Identity { ours: ours.into(), theirs: theirs.into() };
        let mut guard = Guard::new(Rules::default());
        guard.bind(identity.clone());
        let desk = Desk {
            identity,
            encoder: Encoder::default(),
            now: START,
            line: Vec::new(),
            got: Vec::new(),
            closed: false,
            sent: Vec::new(),
        };
        Self { session: Session::new(settings), guard, framer: Framer::new(4096), desk }
    }

    /// The application's messages count up from 0.
    fn send(&mut self) {
        let message = self.desk.sent.len() as u64;
        self.desk.sent.push((message, self.desk.now));
        let numbered = self.session.send(self.desk.now, message);
        if numbered.connection.is_some() {
            self.desk.application(numbered.seq, message, None);
        }
    }

    fn read(&mut self, connection: ConnectionId, bytes: &[u8]) {
        self.framer.push(bytes);
        while let Ok(Some(Framed::Message(Frame { bytes }))) = self.framer.next_frame() {
            let inbound = self.guard.check(Frame { bytes }, |message| {
                Ok(message.text(tag::MD_REQ_ID).and_then(|text| text.parse().ok()).unwrap_or(u64::MAX))
            });
            let (session, desk) = (&mut self.session, &mut self.desk);
            session.receive(desk.now, connection, inbound, desk);
        }
    }

    fn pass(&mut self, now: Timestamp) {
        self.desk.now = now;
        while self.session.deadline().is_some_and(|due| due <= now) {
            let (session, desk) = (&mut self.session, &mut self.desk);
            session.tick(now, desk);
        }
    }

    fn hang_up(&mut self, connection: ConnectionId) {
        self.session.disconnected(connection);
        self.framer = Framer::new(4096);
        self.desk.line.clear();
        self.desk.closed = false;
    }
}

/// What the world does next.
#[derive(Clone, Debug)]
enum Step {
    InitiatorSends,
    AcceptorSends,
    /// So many bytes reach the acceptor, and so many the initiator.
    Carry(usize, usize),
    Cut,
    Wait(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::InitiatorSends),
        4 => Just(Step::AcceptorSends),
        6 => (0usize..400, 0usize..400).prop_map(|(there, back)| Step::Carry(there, back)),
        1 => Just(Step::Cut),
        1 => (1u32..40).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..120)
}

struct World {
    initiator: End,
    acceptor: End,
    there: VecDeque<u8>,
    back: VecDeque<u8>,
    connection: ConnectionId,
    connected: bool,
    now: Timestamp,
}

impl World {
    fn new(next_expected: bool) -> Self {
        let role = Role::Initiator { heartbeat_seconds: 10, next_expected, logon_timeout_seconds: 10 };
        let small = |settings: Settings| Settings { max_queued: 4, ..settings };
        Self {
            initiator: End::new(small(Settings { role, ..Settings::initiator(10) }), "I", "A"),
            acceptor: End::new(small(Settings::acceptor()), "A", "I"),
            there: VecDeque::new(),
            back: VecDeque::new(),
            connection: ConnectionId(0),
            connected: false,
            now: START,
        }
    }

    fn step(&mut self, step: &Step) {
        if !self.connected {
            self.connection = ConnectionId(self.connection.0 + 1);
            self.connected = true;
            let End { session, desk, .. } = &mut self.initiator;
            session.connected(self.now, self.connection, desk);
        }
        match step {
            Step::InitiatorSends => self.initiator.send(),
            Step::AcceptorSends => self.acceptor.send(),
            Step::Carry(there, back) => self.carry(*there, *back),
            Step::Cut => self.cut(),
            Step::Wait(seconds) => {
                self.now = self.now.plus_seconds(i64::from(*seconds));
                self.initiator.pass(self.now);
                self.acceptor.pass(self.now);
            }
        }
        self.there.extend(self.initiator.desk.line.drain(..));
        self.back.extend(self.acceptor.desk.line.drain(..));
        if self.initiator.desk.closed || self.acceptor.desk.closed {
            self.cut();
        }
    }

    fn carry(&mut self, there: usize, back: usize) {
        let bytes: Vec<u8> = self.there.drain(..there.min(self.there.len())).collect();
        self.acceptor.read(self.connection, &bytes);
        let bytes: Vec<u8> = self.back.drain(..back.min(self.back.len())).collect();
        self.initiator.read(self.connection, &bytes);
    }

    /// The line breaks: what was on its way is lost.
    fn cut(&mut self) {
        self.connected = false;
        self.there.clear();
        self.back.clear();
        self.initiator.hang_up(self.connection);
        self.acceptor.hang_up(self.connection);
    }

    /// Lets both talk until nothing is on its way, with a heartbeat at the end that shows what is missing.
    fn settle(&mut self) {
        for _ in 0..8 {
            for _ in 0..200 {
                self.step(&Step::Carry(1000, 1000));
            }
            self.step(&Step::Wait(10));
        }
        for _ in 0..50 {
            self.step(&Step::Carry(1000, 1000));
        }
    }
}

fn play(next_expected: bool, steps: &[Step]) -> World {
    let mut world = World::new(next_expected);
    for step in steps {
        world.step(step);
    }
    world.settle();
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_message_arrives_once_and_in_order(next_expected in any::<bool>(), steps in steps()) {
        let world = play(next_expected, &steps);
        let all = |end: &End| (0..end.desk.sent.len() as u64).collect::<Vec<_>>();
        prop_assert_eq!(&world.acceptor.desk.got, &all(&world.initiator), "initiator to acceptor");
        prop_assert_eq!(&world.initiator.desk.got, &all(&world.acceptor), "acceptor to initiator");
        prop_assert!(world.initiator.session.is_active() && world.acceptor.session.is_active());
        prop_assert_eq!(world.acceptor.session.next_in(), world.initiator.session.next_out());
        prop_assert_eq!(world.initiator.session.next_in(), world.acceptor.session.next_out());
    }
}

#[test]
fn what_a_cut_line_loses_is_sent_again() {
    cut_line_loses_nothing();
}

/// Also played with the guarantee taken out.
pub(crate) fn cut_line_loses_nothing() {
    let busy = [Step::InitiatorSends, Step::AcceptorSends, Step::Carry(250, 250)];
    let mut steps: Vec<Step> = busy.iter().cycle().take(60).cloned().collect();
    steps.insert(30, Step::Cut);
    for next_expected in [false, true] {
        let world = play(next_expected, &steps);
        assert_eq!(world.acceptor.desk.got, (0..20).collect::<Vec<_>>());
        assert_eq!(world.initiator.desk.got, (0..20).collect::<Vec<_>>());
    }
}

#[test]
fn a_session_survives_being_written_down_at_any_point() {
    let steps =
        [Step::InitiatorSends, Step::Carry(300, 300), Step::AcceptorSends, Step::Cut, Step::AcceptorSends];
    let mut world = World::new(false);
    for step in steps.iter().cycle().take(40) {
        world.step(step);
        let written = serde_json::to_string(&world.acceptor.session).expect("a session is a plain value");
        let read: Session<u64, u64> = serde_json::from_str(&written).expect("what was written can be read");
        assert_eq!(read, world.acceptor.session);
        world.acceptor.session = read;
    }
    world.settle();
    assert_eq!(world.initiator.desk.got.len(), world.acceptor.desk.sent.len());
}
