//! A session that is told anything at all: it keeps its bounds, its numbers go one way, and it does the same twice.

use decalog_fix::dictionary::MsgType;
use decalog_fix::session::{
    Body, BusinessReason, BusinessReject, ConnectionId, Header, Inbound, Logon, RejectReason, Role, Session,
    SessionReject, Settings,
};
use decalog_fix::time::Timestamp;
use proptest::prelude::*;

use crate::desk::{START, Words};

#[derive(Clone, Debug)]
enum Event {
    Receive(u64, Inbound<&'static str>),
    Send,
    Tick(u32),
    Connected(u64),
    Disconnected(u64),
    Logout,
}

fn body() -> impl Strategy<Value = Body<&'static str>> {
    let seq = || prop_oneof![8 => 0u64..30, 1 => any::<u64>().prop_map(|seq| seq >> 4)];
    let invalid =
        SessionReject { reason: RejectReason::ValueIncorrect, ref_tag: None, ref_msg_type: "D".into() };
    let refused = BusinessReject {
        ref_msg_type: MsgType::News,
        ref_id: None,
        reason: BusinessReason::UnsupportedMessageType,
        text: "no".into(),
    };
    prop_oneof![
        4 => Just(Body::Application("a")),
        2 => Just(Body::Heartbeat),
        1 => Just(Body::TestRequest { id: "x".into() }),
        2 => (seq(), seq()).prop_map(|(begin, end)| Body::ResendRequest { begin, end }),
        1 => Just(Body::Reject { ref_seq: 1, text: None }),
        3 => (any::<bool>(), seq()).prop_map(|(gap_fill, new_seq)| Body::SequenceReset { gap_fill, new_seq }),
        1 => Just(Body::Logout { text: None }),
        4 => (any::<u32>(), any::<bool>(), proptest::option::of(seq())).prop_map(|(heartbeat, reset, next)| {
            Body::Logon(Logon { heartbeat_seconds: heartbeat % 100, reset, next_expected: next })
        }),
        1 => Just(Body::Invalid(invalid)),
        1 => Just(Body::Refused(refused)),
        1 => Just(Body::WrongBeginString),
        1 => Just(Body::WrongCompId),
        1 => Just(Body::NoSeqNum),
    ]
}

fn inbound() -> impl Strategy<Value = Inbound<&'static str>> {
    let seq = prop_oneof![20 => 0u64..30, 1 => any::<u64>().prop_map(|seq| seq >> 4)];
    let header = (seq, -130i64..130, any::<bool>(), proptest::option::of(-10i64..10));
    (header, body()).prop_map(|((seq, late, poss_dup, original), body)| {
        let sending_time = START.plus_seconds(if late.abs() > 125 { late } else { 0 });
        let orig_sending_time = original.map(|original| START.plus_seconds(original));
        let header = Header {
            msg_type: None,
            seq,
            sending_time,
            poss_dup,
            poss_resend: false,
            orig_sending_time,
            route: None,
        };
        Inbound { header, body }
    })
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        12 => (1u64..3, inbound()).prop_map(|(connection, inbound)| Event::Receive(connection, inbound)),
        3 => Just(Event::Send),
        2 => (0u32..100).prop_map(Event::Tick),
        1 => (1u64..3).prop_map(Event::Connected),
        1 => (1u64..3).prop_map(Event::Disconnected),
        1 => Just(Event::Logout),
    ];
    proptest::collection::vec(event, 1..80)
}

struct Run {
    session: Session<&'static str, char>,
    words: Words,
    now: Timestamp,
}

impl Run {
    fn step(&mut self, event: &Event) {
        let Self { session, words, now } = self;
        match event {
            Event::Receive(connection, inbound) => {
                session.receive(*now, ConnectionId(*connection), inbound.clone(), words);
            }
            Event::Send => drop(session.send(*now, 'a')),
            Event::Tick(seconds) => {
                // Time passes, but not beyond what the messages' SendingTime allows.
                *now = START.plus_seconds(i64::from(*seconds));
                session.tick(*now, words);
            }
            Event::Connected(connection) => session.connected(*now, ConnectionId(*connection), words),
            Event::Disconnected(connection) => session.disconnected(ConnectionId(*connection)),
            Event::Logout => session.logout(*now, None, words),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn it_keeps_its_bounds(initiates in any::<bool>(), events in events()) {
        let base = if initiates { Settings::initiator(10) } else { Settings::acceptor() };
        let settings = Settings { max_queued: 3, resend_window: 5, ..base };
        prop_assert_eq!(initiates, settings.role != Role::Acceptor);
        let mut run = Run { session: Session::new(settings), words: Words::default(), now: START };
        let mut twin = Run { session: run.session.clone(), words: Words::default(), now: START };
        for event in &events {
            let (next_in, next_out) = (run.session.next_in(), run.session.next_out());
            run.words.0.clear();
            run.step(event);
            twin.words.0.clear();
            twin.step(event);
            prop_assert_eq!(&run.words.0, &twin.words.0);
            prop_assert_eq!(&run.session, &twin.session);
            let said = &run.words.0;
            if !said.contains(&"restarted".to_owned()) {
                prop_assert!(run.session.next_in() >= next_in, "{event:?}");
                let numbered = said.iter().filter(|words| words.starts_with(|first: char| first.is_ascii_digit()));
                let sent = numbered.count() as u64 + u64::from(matches!(event, Event::Send));
                prop_assert_eq!(run.session.next_out(), next_out + sent, "{:?} said {:?}", event, said);
            }
            // A tick that was due moves the deadline on, so that firing what is due comes to an end.
            if let Some(due) = run.session.deadline() {
                let mut later = run.session.clone();
                later.tick(due, &mut Words::default());
                prop_assert!(later.deadline().is_none_or(|next| next > due), "{event:?}");
            }
        }
    }
}
