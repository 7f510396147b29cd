//! A FIX 4.4 engine: codec, session layer, stand-alone acceptor and initiator.
//!
//! # The parts
//!
//! | module | what it does | what it never does |
//! | --- | --- | --- |
//! | [`dictionary`] | fields, messages and groups as tables, generated from `dictionary/` | look at a message |
//! | [`codec`] | framing, index of fields, validation, writing | know a sequence |
//! | [`message`] | typed messages, generated too | validate |
//! | [`guard`] | a framed message to what a session decides by | keep state between messages |
//! | [`session`] | every rule of the session layer | I/O, clocks, bytes |
//! | [`outbound`] | a session's own messages to bytes | decide |
//! | [`acceptor`], [`initiator`], [`store`] | all of it over TCP, with a file or memory behind | serve as the exchange |
//!
//! # Embedding the session
//!
//! A [`session::Session`] is a value: put it into a state machine, keep it in snapshots, replay it. The edge feeds
//! it with what a [`guard::Guard`] made of the bytes; it answers through an [`session::Outlet`]. Whatever uses a
//! sequence number is then a call with its moment, or the result of one.
//!
//! ```
//! use decalog_fix::codec::{Encoder, Framed, Framer, Rules, Stamp};
//! use decalog_fix::guard::{Guard, Identity};
//! use decalog_fix::outbound::{write_gap_fill, write_session};
//! use decalog_fix::session::*;
//! use decalog_fix::time::Timestamp;
//!
//! /// The owner: `u64` is its form of an inbound order, `usize` its address of an outbound report.
//! struct Desk { now: Timestamp, encoder: Encoder, wire: Vec<u8>, orders: Vec<u64> }
//!
//! impl Desk {
//!     fn stamp(&self, seq: SeqNum) -> Stamp<'static> { Stamp::new("EXCHANGE", "CLIENT", seq, self.now) }
//! }
//!
//! impl Outlet<u64, usize> for Desk {
//!     fn send(&mut self, _: ConnectionId, seq: SeqNum, message: SessionMessage) -> Option<usize> {
//!         let stamp = self.stamp(seq);
//!         write_session(&mut self.encoder, &message, &stamp, None, &mut self.wire);
//!         None // A resend may fill this number.
//!     }
//!     fn replay(&mut self, _: ConnectionId, items: Replay<'_, usize>) {
//!         for item in items {
//!             match item {
//!                 ReplayItem::GapFill { seq, new_seq } => {
//!                     let stamp = self.stamp(seq);
//!                     write_gap_fill(&mut self.encoder, new_seq, &stamp, &mut self.wire);
//!                 }
//!                 // Encode the report at `address` again, with `stamp.again(the moment of the first time)`.
//!                 ReplayItem::Resend { .. } => {}
//!             }
//!         }
//!     }
//!     fn deliver(&mut self, _: Header, order: u64) { self.orders.push(order) }
//!     fn close(&mut self, _: ConnectionId, _: CloseReason) {}
//! }
//!
//! let now = Timestamp::parse(b"20260101-10:00:00").unwrap();
//! let mut desk = Desk { now, encoder: Encoder::default(), wire: Vec::new(), orders: Vec::new() };
//! let mut session = Session::new(Settings::acceptor());
//! let line = ConnectionId(1);
//!
//! // Bytes come in; the guard says whose Logon it is, the caller checks the password.
//! let bytes = "8=FIX.4.4|9=65|35=A|34=1|49=CLIENT|52=20260101-10:00:00|56=EXCHANGE|98=0|108=30|10=034|";
//! let mut framer = Framer::new(65_536);
//! framer.push(bytes.replace('|', "\x01").as_bytes());
//! let Ok(Some(Framed::Message(frame))) = framer.next_frame() else { panic!("a whole message") };
//! let mut guard = Guard::new(Rules::default());
//! let opening = guard.first(frame).expect("a good Logon");
//! assert_eq!(opening.sender, "CLIENT");
//! session.receive(now, line, opening.inbound(), &mut desk);
//! assert!(String::from_utf8_lossy(&desk.wire).contains("35=A\x0134=1\x0149=EXCHANGE"));
//!
//! // Later messages: `guard.check(frame, decode)`, with `decode` reading what the application takes.
//! // Time: call `tick` at `deadline`. Reports: number them, then encode and write them where `send` says.
//! assert_eq!(session.deadline(), Some(now.plus_seconds(30)));
//! let numbered = session.send(now, 7);
//! assert_eq!((numbered.seq, numbered.connection), (2, Some(line)));
//! ```
//!
//! Rules for the owner: connection ids are never used twice; what comes on a connection after a `close` for it is
//! not passed on; when a connection is gone, or the process restarts, [`session::Session::disconnected`] says so.
//!
//! # Standing alone
//!
//! `examples/echo` is an acceptor with an application in sixty lines; [`initiator::Initiator`] is the other side:
//!
//! ```no_run
//! # async fn trade() -> Result<(), Box<dyn std::error::Error>> {
//! use decalog_fix::dictionary::{MsgType, tag};
//! use decalog_fix::guard::Identity;
//! use decalog_fix::initiator::{Event, Initiator, Limits};
//! use decalog_fix::session::Settings;
//! use decalog_fix::store::FileStore;
//!
//! let identity = Identity { ours: "CLIENT".into(), theirs: "EXCHANGE".into() };
//! let store = FileStore::open("client.session".as_ref())?;
//! let mut client = Initiator::new(identity, Settings::initiator(30), None, Limits::default(), store)?;
//! client.connect("127.0.0.1:15045").await?;
//! client.send(MsgType::OrderStatusRequest, |body| {
//!     body.text(tag::CL_ORD_ID, "order-1");
//!     body.text(tag::SIDE, "1");
//!     body.text(tag::SYMBOL, "ACME");
//! })?;
//! while let Some(event) = client.event().await {
//!     if let Event::Message(header, message) = event {
//!         println!("{} {:?}", header.seq, message.msg_type);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What the field decides and how
//!
//! Where the specification leaves a choice, the engine does what QuickFIX's acceptance definitions expect: messages
//! above a gap wait and the gap is asked for once (`EndSeqNo` 0); a Logout or ResendRequest is honoured whatever its
//! number; nothing is said to who has not logged on; a Logon with wrong credentials is closed without a Logout, since
//! one would use a number of a session that is not the caller's.

pub mod acceptor;
pub mod codec;
mod connection;
pub mod decimal;
pub mod dictionary;
mod endpoint;
pub mod guard;
pub mod initiator;
pub mod message;
pub mod outbound;
pub mod sabotage;
pub mod session;
pub mod store;
pub mod time;
