//! From the file's units to what the exchange wants of its state.

use decalog_exchange::api::setup::Wanted;
use decalog_exchange::command::{Instrument, SelfTrade, SessionSetup};
use decalog_exchange::value::{AccountName, SessionId, Symbol};

use super::schema::{self, Config};
use super::value::Name;

/// The most lots an order may ask for, unless the instrument says otherwise.
const DEFAULT_LOTS: u64 = 1_000_000;

/// What each unit shall have, in the order of the units.
///
/// # Panics
/// On a configuration that was not checked.
pub(crate) fn wanted(config: &Config) -> Vec<Wanted> {
    config.exchange.units.iter().map(|unit| self::unit(unit, &config.exchange.fix)).collect()
}

fn unit(unit: &schema::Unit, fix: &schema::Fix) -> Wanted {
    Wanted {
        instruments: unit.instruments.iter().map(instrument).collect(),
        accounts: unit.accounts.iter().map(|account| account_name(&account.name)).collect(),
        sessions: unit.sessions.iter().map(|session| self::session(session, fix)).collect(),
        day_end: Some(unit.day_end.seconds()),
    }
}

fn instrument(instrument: &schema::Instrument) -> Instrument {
    const CHECKED: &str = "the configuration was checked";
    let price_scale = instrument.tick_size.scale();
    let quantity_scale = instrument.lot_size.scale();
    let price = |decimal: super::value::Decimal| decimal.at_scale(price_scale).expect(CHECKED);
    let quantity = |decimal: super::value::Decimal| {
        decimal.at_scale(quantity_scale).and_then(|units| u64::try_from(units).ok()).expect(CHECKED)
    };
    let lot_size = quantity(instrument.lot_size);
    Instrument {
        symbol: Symbol::new(instrument.symbol.as_str()).expect(CHECKED),
        price_scale: u8::try_from(price_scale).expect(CHECKED),
        tick_size: price(instrument.tick_size),
        quantity_scale: u8::try_from(quantity_scale).expect(CHECKED),
        lot_size,
        price_low: price(instrument.lowest_price),
        price_high: price(instrument.highest_price),
        quantity_max: instrument.largest_quantity.map_or(lot_size * DEFAULT_LOTS, quantity),
        self_trade: match instrument.self_trade {
            schema::SelfTrade::Allow => SelfTrade::Allow,
            schema::SelfTrade::CancelResting => SelfTrade::CancelResting,
            schema::SelfTrade::CancelNewest => SelfTrade::CancelNewest,
        },
    }
}

fn session(session: &schema::Session, fix: &schema::Fix) -> SessionSetup {
    SessionSetup {
        id: SessionId(0),
        our_comp_id: fix.comp_id.as_str().to_owned(),
        their_comp_id: session.comp_id.as_str().to_owned(),
        accounts: vec![account_name(&session.account)],
        username: session.username.as_ref().map(|name| name.as_str().to_owned()),
        heartbeat_max_s: session.heartbeat_max_seconds.get(),
        reset_on_logon: session.reset_on_logon,
        sending_time_tolerance_s: Some(fix.sending_time_accuracy_seconds.get()),
    }
}

fn account_name(name: &Name<16>) -> AccountName {
    AccountName::new(name.as_str()).expect("a name of the configuration fits an account's")
}
