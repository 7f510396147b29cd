//! The state of a matching unit: a function of its log. This file only dispatches; each noun has its own.
//!
//! No clock, no I/O, no randomness: time is the record's, ids are counted, and what a client must hear is an event.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod account;
mod cancel;
mod day_end;
mod instrument;
mod market_data;
mod matched;
mod order;
mod place;
mod replace;
mod report;
mod security_list;
mod session;
mod snapshot;
mod status;

use std::io;

use decalog_fix::session::Header;
use decalog_runtime::bucket::IdMaker;
use decalog_runtime::{Address, Digest, Outbox, Stamp, StateMachine, Timestamp};
use serde::{Deserialize, Serialize};

use crate::command::{Command, Reply, Request};
use crate::event::{Event, ExecId};
use account::Accounts;
use day_end::Day;
use instrument::Instruments;
use market_data::MarketData;
use matched::Happening;
use order::Orders;
use session::Sessions;

/// A matching unit: its instruments and their books, the accounts and FIX sessions that trade them, and their orders.
#[derive(Debug)]
pub struct Unit {
    number: u16,
    accounts: Accounts,
    instruments: Instruments,
    sessions: Sessions,
    orders: Orders,
    market_data: MarketData,
    day: Day,
    counters: Counters,
    /// What the book reports while it works on a request; empty between requests.
    happened: Vec<Happening>,
    /// What a session delivers while it works on a message; empty between messages.
    delivered: Vec<(Header, Request)>,
}

/// What is counted for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counters {
    order_ids: IdMaker,
    executions: u64,
    trades: u64,
}

/// The record that is being applied, as the handlers see it.
struct Turn<'a> {
    /// Its moment, ns since 1970 UTC.
    time: i64,
    offset: u64,
    out: &'a mut Outbox<Event>,
}

impl Turn<'_> {
    /// The address that the next event gets.
    fn address(&self) -> Address {
        Address { offset: self.offset, index: self.out.next_index() }
    }
}

impl Unit {
    /// An empty unit. Its number, below 1024, is part of every id it gives.
    #[must_use]
    pub fn new(number: u16) -> Unit {
        Unit {
            number,
            accounts: Accounts::default(),
            instruments: Instruments::default(),
            sessions: Sessions::default(),
            orders: Orders::default(),
            market_data: MarketData::default(),
            day: Day::default(),
            counters: Counters::default(),
            happened: Vec::new(),
            delivered: Vec::new(),
        }
    }

    /// The next ExecID (17).
    fn next_exec_id(&mut self) -> ExecId {
        self.counters.executions += 1;
        ExecId { unit: self.number, number: self.counters.executions }
    }

    /// Brings what is kept about sessions up to date; who has lost its connection loses its subscriptions.
    fn settle(&mut self) {
        for session in self.sessions.settle() {
            self.market_data.drop_session(session);
        }
    }
}

impl StateMachine for Unit {
    type Command = Command;
    type Reply = Reply;
    type Event = Event;

    fn apply(&mut self, at: &Stamp, command: Command, out: &mut Outbox<Event>) -> Reply {
        let turn = &mut Turn { time: at.time.0, offset: at.offset, out };
        let reply = match command {
            Command::Fix(message) => {
                self.receive(turn, message);
                Reply::Done
            }
            Command::FixDisconnected { session, connection } => {
                self.disconnected(session, connection);
                Reply::Done
            }
            Command::FixLogOut { session, connection } => {
                self.log_out(turn, session, connection);
                Reply::Done
            }
            Command::GatewayStarted => {
                self.gateway_started();
                Reply::Done
            }
            Command::InstallInstrument(instrument) => self.install_instrument(turn, instrument),
            Command::OpenAccount { name } => self.open_account(name),
            Command::InstallSession(setup) => self.install_session(setup),
            Command::SetDayEnd { second_of_day } => self.set_day_end(turn, second_of_day),
            Command::SetTradingStatus { symbol, status } => self.set_trading_status(turn, symbol, status),
        };
        self.settle();
        reply
    }

    fn deadline(&self) -> Option<Timestamp> {
        [self.sessions.deadline(), self.day.deadline()].into_iter().flatten().min()
    }

    fn expire(&mut self, at: &Stamp, out: &mut Outbox<Event>) {
        let turn = &mut Turn { time: at.time.0, offset: at.offset, out };
        self.tick_sessions(turn);
        self.tick_day(turn);
        self.settle();
    }

    fn snapshot(&self, out: &mut dyn io::Write) -> io::Result<()> {
        snapshot::write(self, out)
    }

    fn restore(&mut self, from: &mut dyn io::Read) -> io::Result<()> {
        *self = snapshot::read(self.number, from)?;
        Ok(())
    }

    fn digest(&self) -> Digest {
        let mut counters = Vec::with_capacity(64);
        decalog_runtime::pack(&self.counters, &mut counters);
        [
            self.accounts.digest(),
            self.instruments.digest(),
            self.sessions.digest(),
            self.orders.digest(),
            self.market_data.digest(),
            self.day.digest(),
        ]
        .into_iter()
        .fold(Digest::of(&counters), |digest, part| digest.then(&part.0.to_le_bytes()))
    }
}
