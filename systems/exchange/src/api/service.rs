//! The running exchange: matching units on the runtime, what the configuration wants of them, and the doors.

use std::path::PathBuf;
use std::sync::Arc;

use decalog_gateway::access::Logons;
use decalog_log::{Log, PartitionId};
use decalog_runtime::store::Store;
use decalog_runtime::{
    Address, Answer, Config, Health, Meter, OnFatal, Origin, Partition, ReadError, Setup, StartError, Status,
    SubmitError, SubscriptionError, System,
};
use decalog_seal::KeyRing;

use super::feed;
use super::fix::{Gateway, Options, Wiring};
use super::rest;
use super::setup::{Installed, Wanted, difference, number_sessions};
use crate::command::{Command, Refusal, Reply};
use crate::engine;
use crate::event::Event;
use crate::projection::book::{Change, Depth, Level, Numbered, Picture, PublicTrade};
use crate::projection::market::{Listing, Market};
use crate::state::Unit;
use crate::value::Symbol;

/// The exchange's number among the systems: the high half of its partitions' ids.
pub const SYSTEM: u16 = 1;

/// How many of the latest records are searched for trades at start: bounds what a restart costs.
const TRADE_HISTORY_RECORDS: u64 = 100_000;

/// Everything the exchange is started with.
pub struct Plan {
    /// The log that holds its partitions.
    pub log: Arc<dyn Log>,
    /// Where snapshots lie.
    pub store: Arc<dyn Store>,
    /// Where the event journals lie.
    pub journal: PathBuf,
    /// The keys that seal the event journals, when there are any.
    pub seal: Option<Arc<KeyRing>>,
    /// How partitions behave.
    pub runtime: Config,
    /// The FIX door's bounds.
    pub fix: Options,
    /// The public market data's bounds.
    pub public: Public,
    /// Who checks the credentials of FIX sessions.
    pub logons: Arc<dyn Logons>,
    /// What each unit shall have, by number from 0 on.
    pub units: Vec<Wanted>,
    /// Who is told what the units apply.
    pub meter: Arc<dyn Meter>,
    /// Who is told when the process must stop.
    pub fatal: OnFatal,
}

/// Bounds of the public market data.
#[derive(Clone, Copy, Debug)]
pub struct Public {
    /// WebSocket subscribers at the same time.
    pub max_subscribers: u32,
    /// Changes that a subscriber may be behind.
    pub subscriber_lag: usize,
    /// Trades kept for each instrument.
    pub trades_kept: usize,
}

/// Why the exchange does not start.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The runtime refused.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A unit did not take what the configuration wants.
    #[error("unit {unit} refuses {what}: {refusal} (refusal {})", .refusal.code())]
    Refused {
        /// The unit.
        unit: u16,
        /// The command, in words.
        what: String,
        /// Why.
        refusal: Refusal,
    },
    /// A unit could not log what the configuration wants.
    #[error("unit {unit}: {error}")]
    Submit {
        /// The unit.
        unit: u16,
        /// Why.
        error: SubmitError,
    },
    /// A unit's state could not be read.
    #[error("unit {unit}: {error}")]
    Read {
        /// The unit.
        unit: u16,
        /// Why.
        error: ReadError,
    },
    /// A unit's events could not be followed.
    #[error("unit {unit}: {error}")]
    Follow {
        /// The unit.
        unit: u16,
        /// Why.
        error: SubscriptionError,
    },
}

/// A running exchange.
pub struct Exchange {
    system: System<Unit>,
    gateway: Arc<Gateway>,
    context: rest::Context,
}

impl Exchange {
    /// Recovers the units, logs what the configuration changed, and starts the market data. Blocks until all of that is
    /// done; must be called inside a Tokio runtime, which then follows the events.
    pub fn start(plan: Plan) -> Result<Self, Failure> {
        let wiring = Arc::new(Wiring::default());
        let count = u16::try_from(plan.units.len()).expect("a checked configuration has at most 1024 units");
        let observers = Arc::clone(&wiring);
        let system = System::start(
            Setup {
                config: plan.runtime,
                journal: Some(plan.journal),
                seal: plan.seal,
                observer: Box::new(move |partition| Some(observers.observer(unit_of(partition)))),
                meter: plan.meter,
                fatal: plan.fatal,
                ..Setup::new(plan.log, plan.store, |partition| Unit::new(unit_of(partition)))
            },
            SYSTEM,
            count,
        )?;
        let mut market = Market::new();
        let mut sessions = Vec::new();
        let mut followers = Vec::new();
        for (mut wanted, partition) in plan.units.into_iter().zip(system.partitions()) {
            configure(&mut wanted, partition)?;
            sessions.push((partition.clone(), wanted.sessions));
            let from = list(partition, plan.public, &mut market)?;
            remember_trades(partition, from, &market)?;
            followers.push((partition.clone(), from));
        }
        let market = Arc::new(market);
        for (partition, from) in followers {
            follow(&partition, from, Arc::clone(&market))?;
        }
        let context = rest::Context { market, feed: feed::Bounds::new(plan.public.max_subscribers) };
        Ok(Self { gateway: Gateway::new(plan.fix, plan.logons, &wiring, sessions), system, context })
    }

    /// The FIX door: give it what a listener accepts.
    pub fn gateway(&self) -> Arc<Gateway> {
        Arc::clone(&self.gateway)
    }

    /// What the handlers of [`rest::routes`] share.
    pub fn context(&self) -> rest::Context {
        self.context.clone()
    }

    /// Asks, whenever called, why some unit takes no orders, if so.
    pub fn trouble(&self) -> impl Fn() -> Option<String> + Send + Sync + 'static {
        let partitions = self.system.partitions().to_vec();
        move || partitions.iter().find_map(trouble)
    }

    /// Asks, whenever called, where the units stand.
    pub fn standing(&self) -> impl Fn() -> Vec<Status> + Send + Sync + 'static {
        let partitions = self.system.partitions().to_vec();
        move || partitions.iter().map(Partition::status).collect()
    }

    /// Ends FIX connections in order, answers what was taken, syncs, and stops. Blocks until all of that is done.
    pub fn stop(self) {
        self.gateway.stop();
        self.system.shutdown();
    }
}

/// The unit's number: the low half of its partition's id.
pub fn unit_of(partition: PartitionId) -> u16 {
    u16::try_from(partition.0 & 0xffff).expect("16 bits fit")
}

fn trouble(partition: &Partition<Unit>) -> Option<String> {
    match partition.status().health {
        Health::Running => None,
        health => Some(format!("unit {}: {health}", unit_of(partition.id()))),
    }
}

/// Logs that the gateway came up, and what of the configuration is new.
fn configure(wanted: &mut Wanted, partition: &Partition<Unit>) -> Result<(), Failure> {
    let unit = unit_of(partition.id());
    let seen = partition.read_blocking(0, installed).map_err(|error| Failure::Read { unit, error })?;
    number_sessions(wanted, &seen.value);
    let changes = difference(wanted, &seen.value);
    if !changes.is_empty() {
        tracing::info!(unit, changes = changes.len(), "the configuration changes the unit");
    }
    for command in std::iter::once(Command::GatewayStarted).chain(changes) {
        let Answer { reply, .. } = partition
            .submit_blocking(Origin::system(unit), &command)
            .map_err(|error| Failure::Submit { unit, error })?;
        if let Reply::Refused(refusal) = reply {
            return Err(Failure::Refused { unit, what: describe(&command), refusal });
        }
    }
    Ok(())
}

fn installed(unit: &Unit) -> Installed {
    Installed {
        instruments: unit.instruments().map(|listed| (listed.instrument, listed.status)).collect(),
        accounts: unit.accounts().to_vec(),
        sessions: unit.sessions().map(|(setup, ..)| setup.clone()).collect(),
        day_end: unit.day_end(),
    }
}

fn describe(command: &Command) -> String {
    match command {
        Command::InstallInstrument(instrument) => format!("instrument {}", instrument.symbol),
        Command::OpenAccount { name } => format!("account {name}"),
        Command::InstallSession(setup) => format!("session {}", setup.their_comp_id),
        Command::SetDayEnd { .. } => "day_end".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Puts a unit's instruments with their present books into the market; answers where the events go on.
fn list(partition: &Partition<Unit>, public: Public, market: &mut Market) -> Result<u64, Failure> {
    let unit = unit_of(partition.id());
    let listings = partition.read_blocking(0, move |unit| {
        let listing = |listed: crate::event::Listed| {
            let picture = Picture::new(
                &depth(unit, listed.instrument.symbol),
                public.trades_kept,
                public.subscriber_lag,
            );
            Listing { instrument: listed.instrument, picture }
        };
        unit.instruments().map(listing).collect::<Vec<_>>()
    });
    let listings = listings.map_err(|error| Failure::Read { unit, error })?;
    market.add_unit(unit, listings.seen, listings.value);
    Ok(listings.seen)
}

/// Fills the pictures with the trades of the latest records before `upto`.
fn remember_trades(partition: &Partition<Unit>, upto: u64, market: &Market) -> Result<(), Failure> {
    let unit = unit_of(partition.id());
    let asked = Address::of_record(upto.saturating_sub(TRADE_HISTORY_RECORDS));
    let subscribed = match partition.subscribe(asked) {
        Err(SubscriptionError::CursorTooOld { oldest, .. }) => partition.subscribe(oldest),
        subscribed => subscribed,
    };
    let mut events = subscribed.map_err(|error| Failure::Follow { unit, error })?;
    while let Some(published) = events.try_next().map_err(|error| Failure::Follow { unit, error })? {
        if published.address.offset >= upto {
            break;
        }
        if let Some((symbol, Numbered { change: Change::Trade(trade), .. })) = public(&published.event)
            && let Some(listing) = market.listing(&symbol.to_text())
        {
            listing.picture.remember(trade);
        }
    }
    Ok(())
}

fn depth(unit: &Unit, symbol: Symbol) -> Depth {
    let side = |side| {
        let (sequence, levels) = unit.book(symbol, side, usize::MAX).unwrap_or_default();
        let level = |level: crate::event::BookLevel| Level {
            price: level.price,
            quantity: level.quantity,
            orders: level.orders,
        };
        (sequence, levels.into_iter().map(level).collect())
    };
    let ((sequence, bids), (_, asks)) = (side(engine::Side::Buy), side(engine::Side::Sell));
    Depth { sequence, bids, asks }
}

/// Keeps the pictures of a unit up to date, on the Tokio runtime, until the unit stops.
fn follow(partition: &Partition<Unit>, from: u64, market: Arc<Market>) -> Result<(), Failure> {
    let unit = unit_of(partition.id());
    let mut events = partition
        .project("market", Address::of_record(from))
        .map_err(|error| Failure::Follow { unit, error })?;
    tokio::spawn(async move {
        loop {
            let published = match events.next().await {
                Ok(published) => published,
                Err(SubscriptionError::Closed) => return,
                Err(error) => return tracing::error!(unit, %error, "public market data stops"),
            };
            if let Some((symbol, numbered)) = public(&published.event)
                && let Some(listing) = market.listing(&symbol.to_text())
                && let Err(gap) = listing.picture.apply(numbered)
            {
                return tracing::error!(unit, %symbol, %gap, "public market data stops");
            }
            let offset = published.address.offset;
            market.advanced(unit, offset + 1);
            // The pictures lie in memory: nothing before is read again.
            let seen = events.cursor();
            events.release(seen);
        }
    });
    Ok(())
}

/// What the public sees of an event.
fn public(event: &Event) -> Option<(Symbol, Numbered)> {
    let (symbol, sequence, change) = match event {
        Event::BookLevel(level) => {
            let public = Level { price: level.price, quantity: level.quantity, orders: level.orders };
            (level.symbol, level.sequence, Change::Level(level.side, public))
        }
        Event::Trade(trade) => {
            let public = PublicTrade {
                id: trade.trade_id,
                price: trade.price,
                quantity: trade.quantity,
                aggressor: trade.taker_side,
                time: trade.time,
            };
            (trade.symbol, trade.sequence, Change::Trade(public))
        }
        Event::Listed(_) | Event::Fix(_) | Event::FixReplay { .. } | Event::FixClose { .. } => return None,
    };
    Some((symbol, Numbered { sequence, change }))
}
