//! A matching unit's log full of FIX orders that rest: one session, ten instruments, two hundred price levels each.

use decalog_exchange::command::{
    Command, FixMessage, Instrument, NewOrder, Request, SelfTrade, SessionSetup,
};
use decalog_exchange::engine;
use decalog_exchange::state::Unit;
use decalog_exchange::value::{
    AccountName, ClOrdId, Decimal, OrdType, SessionId, Side, Symbol, TimeInForce, TooLong,
};
use decalog_fix::dictionary::MsgType;
use decalog_fix::session::{Body, ConnectionId, Header, Inbound, Logon};
use decalog_fix::time::Timestamp;
use decalog_runtime::{Digest, StateMachine as _};

/// Instruments over which the orders are spread.
const INSTRUMENTS: u64 = 10;
const SESSION: SessionId = SessionId(1);
const CONNECTION: ConnectionId = ConnectionId(1);
/// SendingTime of every message; the session does not look at it.
const SENT: Timestamp = Timestamp(1_700_000_000_000_000_000);

/// An empty unit.
pub(super) fn unit() -> Unit {
    Unit::new(1)
}

/// What comes before the orders: instruments, an account, a session that logs on.
pub(super) fn setup() -> Result<Vec<Command>, TooLong> {
    let account = AccountName::new("BENCH")?;
    let mut commands = Vec::new();
    for number in 0..INSTRUMENTS {
        commands.push(Command::InstallInstrument(Instrument {
            symbol: symbol(number)?,
            price_scale: 2,
            tick_size: 1,
            quantity_scale: 0,
            lot_size: 1,
            price_low: 1,
            price_high: 1_000_000,
            quantity_max: 1_000_000,
            self_trade: SelfTrade::Allow,
        }));
    }
    commands.push(Command::OpenAccount { name: account });
    commands.push(Command::InstallSession(SessionSetup {
        id: SESSION,
        our_comp_id: "DECALOG".to_owned(),
        their_comp_id: "BENCH".to_owned(),
        accounts: vec![account],
        username: None,
        heartbeat_max_s: 3_600,
        sending_time_tolerance_s: None,
        reset_on_logon: true,
    }));
    let logon = Logon { heartbeat_seconds: 0, reset: true, next_expected: None };
    commands.push(fix(MsgType::Logon, 1, Body::Logon(logon)));
    Ok(commands)
}

/// The order with this index: buys from 900.00 down to 899.01, sells from 1,000.00 up.
pub(super) fn order(index: u64) -> Result<Command, TooLong> {
    let level = i64::try_from(index / 2 / INSTRUMENTS * 37 % 100).unwrap_or(0);
    let (side, price) =
        if index.is_multiple_of(2) { (Side::Buy, 90_000 - level) } else { (Side::Sell, 100_000 + level) };
    let request = Request::NewOrder(NewOrder {
        cl_ord_id: ClOrdId::new(index.to_string())?,
        account: AccountName::EMPTY,
        symbol: symbol(index / 2 % INSTRUMENTS)?,
        side,
        ord_type: OrdType::Limit,
        time_in_force: TimeInForce::GoodTillCancel,
        quantity: Decimal::new(100, 0),
        price: Some(Decimal::new(price, 2)),
        unsupported_tag: 0,
    });
    // The logon was number 1.
    Ok(fix(MsgType::NewOrderSingle, index + 2, Body::Application(request)))
}

/// What a unit is checked by: how many orders rest in its books, and its digest.
pub(super) fn look(unit: &Unit) -> (u64, Digest) {
    let sides =
        (0..INSTRUMENTS).flat_map(|number| [(number, engine::Side::Buy), (number, engine::Side::Sell)]);
    let resting = sides.filter_map(|(number, side)| unit.book(symbol(number).ok()?, side, usize::MAX));
    let orders = resting.flat_map(|(_, levels)| levels).map(|level| u64::from(level.orders)).sum();
    (orders, unit.digest())
}

fn symbol(number: u64) -> Result<Symbol, TooLong> {
    Symbol::new(format!("SYM{number}"))
}

fn fix(msg_type: MsgType, seq: u64, body: Body<Request>) -> Command {
    let header = Header {
        msg_type: Some(msg_type),
        seq,
        sending_time: SENT,
        poss_dup: false,
        poss_resend: false,
        orig_sending_time: None,
        route: None,
    };
    Command::Fix(FixMessage { session: SESSION, connection: CONNECTION, inbound: Inbound { header, body } })
}
