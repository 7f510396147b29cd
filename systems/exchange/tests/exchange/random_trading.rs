//! Random trading under the harness and through crashes: operators who configure, clients who log on, trade, vanish and
//! ask again, now and then with what is wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use decalog_exchange::command::{
    CancelOrder, Command, ConnectionId, FixMessage, Inbound, Instrument, MarketDataRequest, NewOrder,
    OrderStatus, Refusal, ReplaceOrder, Reply, Request, SecurityListRequest, SessionSetup, TradingStatus,
};
use decalog_exchange::value::{OrdType, SessionId, Side, TimeInForce};
use decalog_fix::session::{Body, Logon};
use decalog_runtime::harness::{Outcome, Plan, Scenario, Step, prove};
use decalog_runtime::{PartitionId, Timestamp, sim};

use crate::desk::{
    ALICE, BOB, BOTH, MORNING, SECOND, buy, header, instrument, market_data_request, number, sell, session,
    setup, text,
};
use crate::oracle::random_request;
use crate::witness::{APART, Tally, Witness};

/// Makes up what operators and clients do.
#[derive(Clone, Default)]
pub(crate) struct Trading {
    pub(crate) tally: Arc<Mutex<Tally>>,
    /// Counts messages, so that names differ.
    count: u32,
    connections: u64,
    /// The next number of each session by unit, as its client believes.
    believed: BTreeMap<(u16, SessionId), u64>,
}

impl Trading {
    /// What an empty unit still lacks.
    fn missing(state: &Witness) -> Option<Command> {
        let done = |command: &Command| match command {
            Command::OpenAccount { name } => state.unit.accounts().contains(name),
            Command::InstallInstrument(it) => {
                state.unit.instruments().any(|is| is.instrument.symbol == it.symbol)
            }
            Command::InstallSession(it) => state.unit.sessions().any(|is| is.0.id == it.id),
            _ => state.unit.next_day_end().is_some(),
        };
        setup().into_iter().map(at_any_time).find(|command| !done(command))
    }

    fn fix(
        &mut self,
        state: &Witness,
        session: SessionId,
        connection: ConnectionId,
        body: Body<Request>,
    ) -> Command {
        let next = state.next_in(session);
        let believed = self.believed.entry((state.number, session)).or_insert(next);
        // Others of its messages may be on their way; but now and then the client learns what has arrived.
        self.count += 1;
        if *believed < next || self.count.is_multiple_of(13) {
            *believed = next;
        }
        let header = header(*believed, 0, &body);
        *believed += 1;
        Command::Fix(FixMessage { session, connection, inbound: Inbound { header, body } })
    }

    fn client(&mut self, random: &mut fastrand::Rng, state: &Witness) -> Command {
        let request = self.request(random, state);
        let (session, body) = match request {
            (session, Some(request)) => (session, Body::Application(request)),
            (session, None) => (session, admin(random)),
        };
        let connection = state.unit.sessions().find(|it| it.0.id == session).and_then(|it| it.3);
        match connection {
            Some(connection) if random.u8(0..60) > 0 => self.fix(state, session, connection, body),
            Some(connection) if random.bool() => Command::FixDisconnected { session, connection },
            Some(connection) if random.bool() => Command::FixLogOut { session, connection },
            _ => {
                self.connections += 1;
                let connection = ConnectionId(random.u64(1..) | 1);
                let heartbeat_seconds = [0, 10, 30][random.usize(0..3)];
                self.believed.remove(&(state.number, session));
                let logon = Logon { heartbeat_seconds, reset: false, next_expected: None };
                self.fix(state, session, connection, Body::Logon(logon))
            }
        }
    }

    fn request(&mut self, random: &mut fastrand::Rng, state: &Witness) -> (SessionId, Option<Request>) {
        self.count += 1;
        let id = format!("x{}", self.count);
        let session = [ALICE, BOB, BOTH][random.usize(0..3)];
        let request = match random.u8(0..40) {
            0..=2 => return (session, None),
            3..=5 => Request::NewOrder(bad_order(random, &id)),
            6..=7 => Request::Status(OrderStatus {
                cl_ord_id: text(&format!("n{}", random.u32(0..=self.count))),
                order_id: None,
                request_id: text(&id),
                symbol: text("ACME"),
                side: Side::Buy,
            }),
            8 => Request::SecurityList(SecurityListRequest {
                request_id: text(&id),
                kind: random.u32(0..6),
                symbol: text("ZINC"),
            }),
            9..=11 => Request::MarketData(market_data(random)),
            12 if !state.oracle.orders.is_empty() => {
                let target = &state.oracle.orders[random.usize(..state.oracle.orders.len())];
                let order = bad_order(random, &id);
                let replace = ReplaceOrder { order, orig_cl_ord_id: text(&target.name), order_id: None };
                return (target.session, Some(Request::Replace(replace)));
            }
            13 if !state.oracle.orders.is_empty() => {
                // A ClOrdID that its own session has used.
                let target = &state.oracle.orders[random.usize(..state.oracle.orders.len())];
                if random.bool() {
                    return (target.session, Some(Request::NewOrder(buy(&target.name, "10", "100.00"))));
                }
                let (cl_ord_id, orig_cl_ord_id) = (text(&target.name), text(&target.name));
                let (symbol, side) = (text("ACME"), Side::Buy);
                let cancel = CancelOrder { cl_ord_id, orig_cl_ord_id, order_id: None, symbol, side };
                return (target.session, Some(Request::Cancel(cancel)));
            }
            _ => {
                let (session, request) = random_request(random, self.count, &state.oracle);
                return (session, Some(request));
            }
        };
        (session, Some(request))
    }
}

/// Sessions here do not look at SendingTime: messages wait in queues while the simulated clock runs.
fn at_any_time(command: Command) -> Command {
    match command {
        Command::InstallSession(setup) => {
            Command::InstallSession(SessionSetup { sending_time_tolerance_s: None, ..setup })
        }
        other => other,
    }
}

fn admin(random: &mut fastrand::Rng) -> Body<Request> {
    match random.u8(0..5) {
        0 => Body::Heartbeat,
        1 => Body::TestRequest { id: "are you there".to_owned() },
        2 => Body::Logout { text: None },
        _ => Body::ResendRequest { begin: 1, end: 0 },
    }
}

fn bad_order(random: &mut fastrand::Rng, id: &str) -> NewOrder {
    let mut order = sell(&format!("{APART}{id}"), "10", "100.00");
    match random.u8(0..9) {
        0 => order.symbol = text("NONE"),
        1 => order.account = text("NOBODY"),
        2 => order.quantity = number("15"),
        3 => order.quantity = number("1000000000"),
        4 => order.price = Some(number("0.01")),
        5 => order.time_in_force = TimeInForce::Other(b'2'),
        6 => order.ord_type = OrdType::Other(b'4'),
        7 => order.side = Side::Other(b'8'),
        _ => order.symbol = text("ZINC"),
    }
    order
}

fn market_data(random: &mut fastrand::Rng) -> MarketDataRequest {
    let id = format!("md{}", random.u8(0..6));
    let mut request = market_data_request(&id, b"012"[random.usize(0..3)], random.u32(0..4));
    match random.u8(0..14) {
        0 => request.symbols = vec![text("NONE")],
        1 => request.depth = 1_000,
        2 => request.update_type = None,
        3 => request.aggregated = false,
        4 => request.entry_types = b"9".to_vec(),
        5 => request.subscription = b'7',
        6 => request.symbols = vec![text("ACME"), text("ZINC")],
        _ => {}
    }
    request
}

/// What an operator does, most of it wrong.
fn operator(random: &mut fastrand::Rng) -> Command {
    let zinc = instrument("ZINC");
    let setup = session(ALICE, "ALICE", &["ALICE"]);
    let command = match random.u8(0..13) {
        0 => Command::GatewayStarted,
        1 => Command::InstallInstrument(Instrument { price_high: 200_000, ..zinc }),
        2 => Command::InstallInstrument(Instrument { tick_size: 0, ..zinc }),
        3 => Command::InstallInstrument(Instrument { lot_size: 5, ..zinc }),
        4 => Command::OpenAccount { name: text("") },
        5 => Command::OpenAccount { name: text("CAROL") },
        6 => Command::InstallSession(SessionSetup { heartbeat_max_s: 60, ..setup }),
        7 => Command::InstallSession(SessionSetup { heartbeat_max_s: 0, ..setup }),
        8 => Command::InstallSession(SessionSetup { accounts: vec![text("NOBODY")], ..setup }),
        9 => Command::InstallSession(SessionSetup { their_comp_id: "BOB".to_owned(), ..setup }),
        10 => Command::SetDayEnd { second_of_day: Some([61_200, 90_000][random.usize(0..2)]) },
        11 => Command::SetTradingStatus { symbol: text("NONE"), status: TradingStatus::Open },
        _ => {
            let status = if random.bool() { TradingStatus::Halted } else { TradingStatus::Open };
            Command::SetTradingStatus { symbol: text("ZINC"), status }
        }
    };
    at_any_time(command)
}

impl Scenario for Trading {
    type Machine = Witness;

    const COMMANDS: &'static [&'static str] = &[
        "fix",
        "fix-disconnected",
        "gateway-started",
        "install-instrument",
        "open-account",
        "install-session",
        "set-day-end",
        "set-trading-status",
    ];
    const REFUSALS: &'static [&'static str] = &[
        "InvalidInstrument",
        "InstrumentInUse",
        "UnknownInstrument",
        "UnknownAccount",
        "InvalidSession",
        "CompIdsTaken",
        "InvalidDayEnd",
        "EmptyName",
    ];

    fn machine(&self) -> Witness {
        Witness::new(7, Arc::clone(&self.tally))
    }

    fn start(&self) -> Timestamp {
        Timestamp(MORNING)
    }

    fn step(&mut self, random: &mut fastrand::Rng, state: &Witness) -> Step<Command> {
        let wait_nanos = match random.u16(0..600) {
            0 => 9 * 3600 * SECOND,
            1..=8 => random.i64(0..40) * SECOND,
            _ => random.i64(0..1_000_000),
        };
        let command = match Trading::missing(state) {
            Some(command) => command,
            _ if random.u8(0..16) == 0 => operator(random),
            _ => self.client(random, state),
        };
        Step { origin: decalog_runtime::Origin::default(), wait_nanos, command }
    }

    fn name(command: &Command) -> &'static str {
        match command {
            Command::Fix(_) => "fix",
            Command::FixDisconnected { .. } => "fix-disconnected",
            Command::FixLogOut { .. } => "fix-log-out",
            Command::GatewayStarted => "gateway-started",
            Command::InstallInstrument(_) => "install-instrument",
            Command::OpenAccount { .. } => "open-account",
            Command::InstallSession(_) => "install-session",
            Command::SetDayEnd { .. } => "set-day-end",
            Command::SetTradingStatus { .. } => "set-trading-status",
        }
    }

    fn outcome(reply: &Reply) -> Outcome {
        match reply {
            Reply::Done => Outcome::Accepted,
            Reply::Refused(refusal) => Outcome::Refused(match refusal {
                Refusal::InvalidInstrument => "InvalidInstrument",
                Refusal::InstrumentInUse => "InstrumentInUse",
                Refusal::UnknownInstrument => "UnknownInstrument",
                Refusal::UnknownAccount => "UnknownAccount",
                Refusal::InvalidSession => "InvalidSession",
                Refusal::CompIdsTaken => "CompIdsTaken",
                Refusal::InvalidDayEnd => "InvalidDayEnd",
                Refusal::UnitFull => "UnitFull",
                Refusal::EmptyName => "EmptyName",
            }),
        }
    }

    fn invariant(state: &Witness) -> Result<(), String> {
        state.check()
    }
}

#[test]
fn replay_and_snapshots_lead_where_the_first_run_led() {
    let mut trading = Trading::default();
    let report = prove(&mut trading, Plan { seed: 1, histories: 40, length: 700 });
    assert!(report.events > 10_000, "{report:?}");
    trading.tally.lock().expect("no test panics with the tally").check_complete();
}

impl sim::Simulated for Trading {
    fn machine_of(&self, partition: PartitionId) -> Witness {
        let unit = u16::try_from(partition.0 & 0xff).expect("eight bits");
        Witness::new(unit, Arc::clone(&self.tally))
    }

    fn at_rest(&self, machines: &[&Witness]) -> Result<(), String> {
        machines.iter().try_for_each(|machine| machine.check())
    }
}

/// Four units on one journal over a disk that forgets what was not synced. The simulator shows that every acknowledged
/// command is there once after each crash, and that the state is that of a replay; the witness, that no ExecID comes
/// twice, that sequence numbers go on, and that the book is the oracle's.
#[test]
fn nothing_acknowledged_is_lost_or_done_twice_through_crashes() {
    let rounds: u64 =
        std::env::var("DECALOG_CRASH_ROUNDS").ok().and_then(|it| it.parse().ok()).unwrap_or(480);
    let trading = Trading::default();
    let (mut crashes, mut answered, mut lost) = (0, 0, 0);
    for seed in 0..rounds.div_ceil(16) {
        let durability = decalog_runtime::Durability::Fsync;
        let report = sim::run(
            &trading,
            sim::Plan { seed, partitions: 4, crashes: 16, actions: 60, durability, journal_each: false },
        );
        crashes += report.crashes;
        answered += report.answered;
        lost += report.lost;
    }
    assert!(crashes >= rounds, "{crashes} crashes");
    assert!(answered > rounds * 5 && lost > rounds / 10, "{answered} answered, {lost} written and lost");
    let tally = trading.tally.lock().expect("no test panics with the tally");
    assert!(tally.trades > 100, "{tally:?}");
}
