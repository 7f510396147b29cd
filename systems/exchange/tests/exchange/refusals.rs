//! Configuration that is refused: by code, and without a change.

use decalog_exchange::command::{Command, Instrument, Refusal, Reply, SelfTrade, SessionSetup};
use decalog_exchange::value::{SessionId, Symbol};
use decalog_runtime::StateMachine;

use crate::desk::{ALICE, BOB, Desk, buy, instrument, number, session, text};

fn refused(desk: &mut Desk, command: Command) -> Option<Refusal> {
    let before = desk.unit.digest();
    let (reply, events) = desk.submit(command);
    match reply {
        Reply::Done => None,
        Reply::Refused(refusal) => {
            assert_eq!(desk.unit.digest(), before, "a refusal changes nothing");
            assert!(events.is_empty());
            Some(refusal)
        }
    }
}

#[test]
fn codes_are_stable() {
    let codes: Vec<u16> = Refusal::ALL.iter().map(|it| it.code()).collect();
    assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for refusal in Refusal::ALL {
        assert_eq!(Refusal::from_code(refusal.code()), Some(refusal));
    }
    assert_eq!(Refusal::from_code(0), None);
}

#[test]
fn an_instruments_numbers_must_fit_together() {
    let mut desk = Desk::open();
    let good = instrument("NEW");
    let wrong = [
        Instrument { tick_size: 0, ..good.clone() },
        Instrument { tick_size: -5, ..good.clone() },
        Instrument { lot_size: 0, ..good.clone() },
        Instrument { price_scale: 13, ..good.clone() },
        Instrument { quantity_scale: 13, ..good.clone() },
        Instrument { price_low: 200_000, ..good.clone() },
        Instrument { price_low: 1_001, ..good.clone() },
        Instrument { price_high: i64::MAX, ..good.clone() },
        Instrument { price_high: i64::MAX - i64::MAX % 5, ..good.clone() },
        Instrument { price_low: i64::MIN, ..good.clone() },
        Instrument { quantity_max: 5, ..good.clone() },
        Instrument { quantity_max: 15, ..good.clone() },
        Instrument { quantity_max: u64::MAX - u64::MAX % 10, ..good.clone() },
    ];
    for instrument in wrong {
        let command = Command::InstallInstrument(instrument.clone());
        assert_eq!(refused(&mut desk, command), Some(Refusal::InvalidInstrument), "{instrument:?}");
    }
    let nameless = Instrument { symbol: Symbol::EMPTY, ..good.clone() };
    assert_eq!(refused(&mut desk, Command::InstallInstrument(nameless)), Some(Refusal::EmptyName));
    assert_eq!(refused(&mut desk, Command::InstallInstrument(good)), None);
}

#[test]
fn what_live_orders_mean_cannot_change_under_them() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, buy("a1", "100", "50.00"));
    let old = instrument("ACME");
    for changed in [
        Instrument { tick_size: 10, ..old.clone() },
        Instrument { lot_size: 20, ..old.clone() },
        Instrument { self_trade: SelfTrade::CancelNewest, ..old.clone() },
    ] {
        let command = Command::InstallInstrument(changed);
        assert_eq!(refused(&mut desk, command), Some(Refusal::InstrumentInUse));
    }
    let narrower = Instrument { price_low: 6_000, ..old };
    assert_eq!(refused(&mut desk, Command::InstallInstrument(narrower)), None, "a band may move");
    assert_eq!(desk.status(ALICE, "a1").price, Some(number("50.00")), "the order stays where it is");
}

#[test]
fn sessions_need_accounts_and_names_of_their_own() {
    let mut desk = Desk::open();
    let install = |setup: SessionSetup| Command::InstallSession(setup);
    let fresh = |id: u32, their: &str| session(SessionId(id), their, &["ALICE"]);
    let cases = [
        (SessionSetup { accounts: vec![text("NOBODY")], ..fresh(9, "NEW") }, Refusal::UnknownAccount),
        (SessionSetup { accounts: Vec::new(), ..fresh(9, "NEW") }, Refusal::UnknownAccount),
        (fresh(9, ""), Refusal::InvalidSession),
        (SessionSetup { heartbeat_max_s: 0, ..fresh(9, "NEW") }, Refusal::InvalidSession),
        (fresh(9, "BOB"), Refusal::CompIdsTaken),
        (session(ALICE, "OTHER", &["ALICE"]), Refusal::CompIdsTaken),
        (session(ALICE, "BOB", &["ALICE"]), Refusal::CompIdsTaken),
    ];
    for (setup, refusal) in cases {
        assert_eq!(refused(&mut desk, install(setup.clone())), Some(refusal), "{setup:?}");
    }
    let changed = SessionSetup { heartbeat_max_s: 60, ..session(BOB, "BOB", &["ALICE", "BOB"]) };
    assert_eq!(refused(&mut desk, install(changed)), None, "settings may change");
}

#[test]
fn other_refusals() {
    let mut desk = Desk::open();
    let day_end = |second| Command::SetDayEnd { second_of_day: Some(second) };
    assert_eq!(refused(&mut desk, day_end(86_400)), Some(Refusal::InvalidDayEnd));
    assert_eq!(refused(&mut desk, Command::OpenAccount { name: text("") }), Some(Refusal::EmptyName));
    let status = decalog_exchange::command::TradingStatus::Halted;
    let unknown = Command::SetTradingStatus { symbol: text("NONE"), status };
    assert_eq!(refused(&mut desk, unknown), Some(Refusal::UnknownInstrument));
}

#[test]
fn a_unit_lists_so_many_instruments_and_no_more() {
    let mut desk = Desk::open();
    for number in 2..4_096 {
        let command = Command::InstallInstrument(instrument(&format!("I{number}")));
        assert_eq!(refused(&mut desk, command), None);
    }
    let command = Command::InstallInstrument(instrument("MORE"));
    assert_eq!(refused(&mut desk, command), Some(Refusal::UnitFull));
}
