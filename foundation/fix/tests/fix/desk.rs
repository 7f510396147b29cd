//! A session at a desk without a network: what it decides is written down in words.

use decalog_fix::session::{
    Body, CloseReason, ConnectionId, Header, Inbound, Logon, Outlet, Replay, ReplayItem, SeqNum, Session,
    SessionMessage, Settings,
};
use decalog_fix::time::Timestamp;

pub(crate) const START: Timestamp = Timestamp(1_767_261_600_000_000_000);
pub(crate) const LINE: ConnectionId = ConnectionId(1);

/// The words: `2 Heartbeat`, `got a`, `fill 1..5`, `again 5 x`, `close LoggedOut`…
#[derive(Default)]
pub(crate) struct Words(pub(crate) Vec<String>);

impl Outlet<&'static str, char> for Words {
    fn send(&mut self, _: ConnectionId, seq: SeqNum, message: SessionMessage) -> Option<char> {
        let words = match message {
            SessionMessage::Logon { heartbeat_seconds, reset, next_expected } => {
                let reset = if reset { " reset" } else { "" };
                let next = next_expected.map_or(String::new(), |next| format!(" next {next}"));
                format!("Logon {heartbeat_seconds}{reset}{next}")
            }
            SessionMessage::Heartbeat { test_req_id } => {
                format!("Heartbeat {}", test_req_id.unwrap_or_default()).trim_end().to_owned()
            }
            SessionMessage::TestRequest => "TestRequest".to_owned(),
            SessionMessage::ResendRequest { begin } => format!("ResendRequest {begin}"),
            SessionMessage::Reject { ref_seq, reject, route } => {
                let tag = reject.ref_tag.map_or(String::new(), |tag| format!(" tag {tag}"));
                let to = route.and_then(|route| route.deliver_to[0].clone());
                let to = to.map_or(String::new(), |to| format!(" to {to}"));
                format!("Reject {ref_seq} {:?}{tag}{to}", reject.reason)
            }
            SessionMessage::BusinessReject { ref_seq, reject, .. } => {
                self.0.push(format!("{seq} BusinessReject {ref_seq} {:?}", reject.reason));
                return Some('!');
            }
            SessionMessage::Logout { text } => {
                format!("Logout {}", text.unwrap_or_default()).trim_end().to_owned()
            }
        };
        self.0.push(format!("{seq} {words}"));
        None
    }

    fn replay(&mut self, _: ConnectionId, items: Replay<'_, char>) {
        self.0.extend(items.map(|item| match item {
            ReplayItem::GapFill { seq, new_seq } => format!("fill {seq}..{new_seq}"),
            ReplayItem::Resend { seq, address } => format!("again {seq} {address}"),
        }));
    }

    fn deliver(&mut self, _: Header, message: &'static str) {
        self.0.push(format!("got {message}"));
    }

    fn restarted(&mut self) {
        self.0.push("restarted".to_owned());
    }

    fn rejected(&mut self, ref_seq: SeqNum, _: Option<String>) {
        self.0.push(format!("rejected {ref_seq}"));
    }

    fn close(&mut self, connection: ConnectionId, reason: CloseReason) {
        let other = if connection == LINE { String::new() } else { format!(" {}", connection.0) };
        self.0.push(format!("close{other} {reason:?}"));
    }
}

/// A session, the clock, and what was said since last asked.
pub(crate) struct Desk {
    pub(crate) session: Session<&'static str, char>,
    pub(crate) now: Timestamp,
    words: Words,
}

impl Desk {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { session: Session::new(settings), now: START, words: Words::default() }
    }

    /// An acceptor that is logged on with a heartbeat of 30 s.
    pub(crate) fn logged_on() -> Self {
        let mut desk = Self::new(Settings::acceptor());
        assert_eq!(desk.get(1, logon()), ["1 Logon 30"]);
        desk
    }

    /// A message comes in order, sent now.
    pub(crate) fn get(&mut self, seq: SeqNum, body: Body<&'static str>) -> Vec<String> {
        let header = self.header(seq);
        self.take(header, body)
    }

    /// The same as a duplicate that was first sent a second ago.
    pub(crate) fn get_again(&mut self, seq: SeqNum, body: Body<&'static str>) -> Vec<String> {
        let orig_sending_time = Some(self.now.plus_seconds(-1));
        let header = Header { poss_dup: true, orig_sending_time, ..self.header(seq) };
        self.take(header, body)
    }

    pub(crate) fn take(&mut self, header: Header, body: Body<&'static str>) -> Vec<String> {
        self.take_on(LINE, header, body)
    }

    pub(crate) fn take_on(
        &mut self,
        connection: ConnectionId,
        header: Header,
        body: Body<&'static str>,
    ) -> Vec<String> {
        self.session.receive(self.now, connection, Inbound { header, body }, &mut self.words);
        self.said()
    }

    pub(crate) fn header(&self, seq: SeqNum) -> Header {
        Header {
            msg_type: None,
            seq,
            sending_time: self.now,
            poss_dup: false,
            poss_resend: false,
            orig_sending_time: None,
            route: None,
        }
    }

    /// Time passes: every deadline up to then fires at its own moment.
    pub(crate) fn wait(&mut self, tenths: i64) -> Vec<String> {
        let until = self.now.plus_nanos(tenths * 100_000_000);
        while let Some(due) = self.session.deadline().filter(|due| *due <= until) {
            self.now = due;
            self.session.tick(due, &mut self.words);
        }
        self.now = until;
        self.said()
    }

    /// Time passes and the clock is looked at once.
    pub(crate) fn tick_after(&mut self, seconds: i64) -> Vec<String> {
        self.now = self.now.plus_seconds(seconds);
        self.session.tick(self.now, &mut self.words);
        self.said()
    }

    pub(crate) fn connect(&mut self) -> Vec<String> {
        self.session.connected(self.now, LINE, &mut self.words);
        self.said()
    }

    pub(crate) fn logout(&mut self) -> Vec<String> {
        self.session.logout(self.now, None, &mut self.words);
        self.said()
    }

    /// Sends an application message; its number, and whether it goes out now.
    pub(crate) fn send(&mut self, address: char) -> (SeqNum, bool) {
        let numbered = self.session.send(self.now, address);
        (numbered.seq, numbered.connection.is_some())
    }

    pub(crate) fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.words.0)
    }
}

pub(crate) fn logon() -> Body<&'static str> {
    Body::Logon(Logon { heartbeat_seconds: 30, reset: false, next_expected: None })
}

pub(crate) fn test_request(id: &str) -> Body<&'static str> {
    Body::TestRequest { id: id.to_owned() }
}
