//! `--demo`: instruments, accounts, and simulated participants that trade through the same FIX door as everyone; and a
//! small social network.

mod network;
mod participant;

use std::net::SocketAddr;
use std::path::Path;

use tokio::task::JoinSet;

use self::participant::{Listing, Participant, Style};
use crate::config::{self, Config};
use crate::failure::Failure;

/// The password of every demo account; `demo.toml` holds its hash.
const PASSWORD: &str = "demo";

/// Where the doors are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) fix: SocketAddr,
    pub(crate) http: SocketAddr,
}

/// What the participants trade: the instruments of `demo.toml`, each with its first price in ticks of 0.01 and a usual
/// quantity in lots.
const CRYPTO: [Listing; 2] = [
    Listing { symbol: "BTC-USD", first_price: 9_500_000, quantity: 2_000, quantity_scale: 4 },
    Listing { symbol: "ETH-USD", first_price: 350_000, quantity: 3_000, quantity_scale: 3 },
];
const STOCKS: [Listing; 2] = [
    Listing { symbol: "ACME", first_price: 12_000, quantity: 100, quantity_scale: 0 },
    Listing { symbol: "GLOBEX", first_price: 4_500, quantity: 200, quantity_scale: 0 },
];

/// Lists the demo's units and opens its accounts. Their password is known to everybody, so only on loopback.
pub(crate) fn set_up(config: &mut Config) -> Result<(), Failure> {
    let listeners =
        [("http.listen", config.http.listen), ("exchange.fix.listen", config.exchange.fix.listen)];
    if let Some((key, address)) = listeners.into_iter().find(|(_, address)| !address.ip().is_loopback()) {
        return Err(Failure::DemoInTheOpen { key, address });
    }
    let demo = config::parse_builtin("demo.toml", include_str!("demo.toml"));
    config.exchange.units = demo.exchange.units;
    config.identity.accounts.extend(demo.identity.accounts);
    config.identity.open_accounts = true;
    config.feed.enabled = true;
    Ok(())
}

/// Running participants; they end when this is dropped.
pub(crate) struct Participants {
    _tasks: JoinSet<()>,
}

/// Lets the participants log on and trade, and the network live. Must be called inside a Tokio runtime.
pub(crate) fn start(at: Addresses, exchange: &str, data: &Path) -> Participants {
    let mut tasks = JoinSet::new();
    tasks.spawn(network::live(at.http, data.to_owned()));
    for (comp_id, style, listings) in [
        ("MAKER-CRYPTO", Style::Maker, &CRYPTO),
        ("TAKER-CRYPTO", Style::Taker, &CRYPTO),
        ("MAKER-STOCKS", Style::Maker, &STOCKS),
        ("TAKER-STOCKS", Style::Taker, &STOCKS),
    ] {
        tasks.spawn(Participant::new(comp_id, exchange, style, listings).trade(at.fix));
    }
    Participants { _tasks: tasks }
}

/// What to try, for people who just started the demo.
pub(crate) fn page(at: Addresses, exchange: &str) -> String {
    let Addresses { fix, http } = at;
    let program = std::env::args().next().unwrap_or_else(|| "decalog".to_owned());
    format!(
        "
The demo trades BTC-USD, ETH-USD, ACME and GLOBEX. What to try:

  Watch a book move        {program} exchange watch BTC-USD --url http://{http}
  Read it                  curl 'http://{http}/v1/instruments/BTC-USD/book?depth=5'
                           curl 'http://{http}/v1/instruments/BTC-USD/trades?limit=5'
  Follow it (WebSocket)    ws://{http}/v1/instruments/BTC-USD/feed
  The whole API            http://{http}/openapi.json

  Trade with any FIX 4.4 client on {fix}:
    TargetCompID {exchange}, SenderCompID TRADER   (BTC-USD, ETH-USD), Username trader,   Password {PASSWORD}
    TargetCompID {exchange}, SenderCompID INVESTOR (ACME, GLOBEX),     Username investor, Password {PASSWORD}

A small network of programs lives here too. What to try:

  Read along               curl 'http://{http}/api/v1/timelines/public?limit=3'
  Join it                  with any app for Mastodon that takes http://{http} as its server
                           (.venv/bin/python docs/first_post.py does, after `make setup`)

Ctrl-C stops the server; the next start goes on where this one ended.
"
    )
}

#[cfg(test)]
mod tests {
    use decalog_identity::password;

    use super::*;

    #[test]
    fn what_the_participants_trade_is_listed_and_their_password_is_right() {
        let mut config = Config::default();
        set_up(&mut config).unwrap();
        let accounts = &config.identity.accounts;
        for (unit, listings) in config.exchange.units.iter().zip([CRYPTO, STOCKS]) {
            for listing in listings {
                let known = unit.instruments.iter().find(|known| known.symbol.as_str() == listing.symbol);
                let known = known.unwrap_or_else(|| panic!("{} is listed", listing.symbol));
                assert_eq!(known.tick_size.to_string(), "0.01");
                assert_eq!(known.lot_size.scale(), u32::from(listing.quantity_scale));
            }
            for session in &unit.sessions {
                let username = session.username.as_ref().expect("each asks for credentials").as_str();
                assert_eq!(username, session.comp_id.as_str().to_lowercase());
                assert!(accounts.iter().any(|account| account.name.as_str() == username), "{username}");
            }
        }
        // One check: all hashes are the same, and a check costs its tens of milliseconds.
        let hashes: std::collections::BTreeSet<_> =
            accounts.iter().map(|account| account.password_hash.as_str()).collect();
        assert_eq!(hashes.len(), 1);
        let mut workspace = password::Workspace::default();
        assert!(hashes.into_iter().all(|hash| password::verify(PASSWORD, hash, &mut workspace)));
    }

    #[test]
    fn a_password_that_everybody_knows_stays_on_loopback() {
        let mut config = Config::default();
        config.exchange.fix.listen.set_ip([0, 0, 0, 0].into());
        assert!(matches!(
            set_up(&mut config),
            Err(Failure::DemoInTheOpen { key: "exchange.fix.listen", .. })
        ));
        assert!(config.identity.accounts.is_empty());
    }
}
