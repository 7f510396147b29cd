//! From a configuration to commands: what is wanted is compared with what the state has, and only the difference is
//! logged. So the state never sees a configuration, and a restart with the same one logs nothing.
//!
//! What the configuration no longer names stays in the state, with its history: an instrument is halted, and a session
//! is no longer let in by the gateway.

use crate::command::{Command, Instrument, SessionSetup, TradingStatus};
use crate::value::{AccountName, SessionId, Symbol};

/// What a unit shall have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Its instruments.
    pub instruments: Vec<Instrument>,
    /// Its accounts.
    pub accounts: Vec<AccountName>,
    /// Its sessions; their numbers are found by [`number_sessions`].
    pub sessions: Vec<SessionSetup>,
    /// When day orders expire, in seconds after midnight UTC.
    pub day_end: Option<u32>,
}

/// What a unit has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// Its instruments.
    pub instruments: Vec<(Instrument, TradingStatus)>,
    /// Its accounts.
    pub accounts: Vec<AccountName>,
    /// Its sessions.
    pub sessions: Vec<SessionSetup>,
    /// When day orders expire, in seconds after midnight UTC.
    pub day_end: Option<u32>,
}

/// Gives each wanted session the number it has in the state, found by the client's CompID, or the next free one.
pub fn number_sessions(wanted: &mut Wanted, installed: &Installed) {
    let highest = installed.sessions.iter().map(|session| session.id.0).max();
    let mut next = highest.map_or(1, |id| id + 1);
    for session in &mut wanted.sessions {
        let known = installed.sessions.iter().find(|known| known.their_comp_id == session.their_comp_id);
        session.id = match known {
            Some(known) => known.id,
            None => {
                next += 1;
                SessionId(next - 1)
            }
        };
    }
}

/// The commands that make of what is there what is wanted, in an order in which each finds what it names.
pub fn difference(wanted: &Wanted, installed: &Installed) -> Vec<Command> {
    let mut commands = Vec::new();
    if wanted.day_end != installed.day_end {
        commands.push(Command::SetDayEnd { second_of_day: wanted.day_end });
    }
    for instrument in &wanted.instruments {
        let known = installed.instruments.iter().find(|(known, _)| known.symbol == instrument.symbol);
        if known.is_none_or(|(known, _)| known != instrument) {
            commands.push(Command::InstallInstrument(instrument.clone()));
        }
        if known.is_some_and(|(_, status)| *status != TradingStatus::Open) {
            commands.push(status(instrument.symbol, TradingStatus::Open));
        }
    }
    for (gone, trading) in &installed.instruments {
        let is_wanted = wanted.instruments.iter().any(|wanted| wanted.symbol == gone.symbol);
        if !is_wanted && *trading == TradingStatus::Open {
            commands.push(status(gone.symbol, TradingStatus::Halted));
        }
    }
    for name in wanted.accounts.iter().filter(|name| !installed.accounts.contains(name)) {
        commands.push(Command::OpenAccount { name: *name });
    }
    for session in wanted.sessions.iter().filter(|session| !installed.sessions.contains(session)) {
        commands.push(Command::InstallSession(session.clone()));
    }
    commands
}

fn status(symbol: Symbol, status: TradingStatus) -> Command {
    Command::SetTradingStatus { symbol, status }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::SelfTrade;

    fn instrument(symbol: &str) -> Instrument {
        Instrument {
            symbol: Symbol::new(symbol).unwrap(),
            price_scale: 2,
            tick_size: 1,
            quantity_scale: 0,
            lot_size: 1,
            price_low: 1,
            price_high: 1_000,
            quantity_max: 1_000,
            self_trade: SelfTrade::Allow,
        }
    }

    fn session(id: u32, comp_id: &str) -> SessionSetup {
        SessionSetup {
            id: SessionId(id),
            our_comp_id: "EXCHANGE".to_owned(),
            their_comp_id: comp_id.to_owned(),
            accounts: vec![AccountName::new("A").unwrap()],
            username: None,
            heartbeat_max_s: 60,
            reset_on_logon: false,
            sending_time_tolerance_s: Some(120),
        }
    }

    fn wanted() -> Wanted {
        Wanted {
            instruments: vec![instrument("X"), instrument("Y")],
            accounts: vec![AccountName::new("A").unwrap()],
            sessions: vec![session(1, "ALICE"), session(2, "BOB")],
            day_end: Some(60),
        }
    }

    fn installed(wanted: &Wanted) -> Installed {
        let open = |instrument: &Instrument| (instrument.clone(), TradingStatus::Open);
        Installed {
            instruments: wanted.instruments.iter().map(open).collect(),
            accounts: wanted.accounts.clone(),
            sessions: wanted.sessions.clone(),
            day_end: wanted.day_end,
        }
    }

    #[test]
    fn an_empty_unit_gets_accounts_before_the_sessions_that_name_them() {
        let commands = difference(&wanted(), &Installed::default());
        let place = |of: fn(&Command) -> bool| commands.iter().position(of).unwrap();
        assert_eq!(commands.len(), 6);
        assert!(
            place(|command| matches!(command, Command::OpenAccount { .. }))
                < place(|command| matches!(command, Command::InstallSession(_)))
        );
    }

    #[test]
    fn the_same_configuration_again_logs_nothing() {
        assert_eq!(difference(&wanted(), &installed(&wanted())), []);
    }

    #[test]
    fn an_instrument_that_is_gone_is_halted_once_and_opens_when_it_is_back() {
        let mut fewer = wanted();
        let gone = fewer.instruments.remove(0).symbol;
        let mut state = installed(&wanted());
        assert_eq!(difference(&fewer, &state), [status(gone, TradingStatus::Halted)]);
        state.instruments[0].1 = TradingStatus::Halted;
        assert_eq!(difference(&fewer, &state), []);
        assert_eq!(difference(&wanted(), &state), [status(gone, TradingStatus::Open)]);
    }

    #[test]
    fn a_session_keeps_its_number_whatever_its_place() {
        let state = installed(&wanted());
        let mut wanted = wanted();
        wanted.sessions =
            vec![session(0, "CAROL"), session(0, "BOB"), session(0, "DAVE"), session(0, "ALICE")];
        number_sessions(&mut wanted, &state);
        let numbers: Vec<u32> = wanted.sessions.iter().map(|session| session.id.0).collect();
        assert_eq!(numbers, [3, 2, 4, 1]);
    }
}
