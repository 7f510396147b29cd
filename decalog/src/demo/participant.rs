//! A simulated participant: a FIX initiator that quotes around a random walk, or takes what is quoted.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use decalog_fix::decimal::Decimal;
use decalog_fix::dictionary::MsgType;
use decalog_fix::guard::Identity;
use decalog_fix::initiator::{Event, Initiator, Limits};
use decalog_fix::message::{NewOrderSingle, OrdType, OrderCancelRequest, Side, TimeInForce};
use decalog_fix::outbound::Credentials;
use decalog_fix::session::Settings;
use decalog_fix::store::MemoryStore;
use decalog_fix::time::Timestamp;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Digits of every price: all demo instruments have ticks of 0.01.
const PRICE_SCALE: u8 = 2;
/// Quotes that a maker keeps on each side of a book.
const QUOTES: usize = 8;
/// How long to wait before logging on again.
const RETRY: Duration = Duration::from_secs(1);

/// An instrument that participants trade.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing {
    pub(super) symbol: &'static str,
    /// Where the random walk begins, in ticks.
    pub(super) first_price: i64,
    /// A usual quantity, in lots.
    pub(super) quantity: i64,
    pub(super) quantity_scale: u8,
}

/// What a participant does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Quotes both sides of a price that wanders.
    Maker,
    /// Takes what is quoted, now and then.
    Taker,
}

/// One participant with its session.
pub(super) struct Participant {
    comp_id: &'static str,
    exchange: String,
    style: Style,
    books: Vec<Book>,
    random: fastrand::Rng,
    /// ClOrdIDs must differ from those of earlier runs.
    run: u64,
    orders: u64,
}

/// What a participant keeps about an instrument.
struct Book {
    listing: Listing,
    /// The wandering price, in ticks.
    middle: i64,
    quotes: [VecDeque<String>; 2],
}

impl Participant {
    pub(super) fn new(comp_id: &'static str, exchange: &str, style: Style, listings: &[Listing]) -> Self {
        let book = |listing: &Listing| Book {
            listing: *listing,
            middle: listing.first_price,
            quotes: [VecDeque::new(), VecDeque::new()],
        };
        Self {
            comp_id,
            exchange: exchange.to_owned(),
            style,
            books: listings.iter().map(book).collect(),
            random: fastrand::Rng::new(),
            run: u64::try_from(now().0 / 1_000_000).unwrap_or_default(),
            orders: 0,
        }
    }

    /// Logs on and trades, again and again, until it is aborted.
    pub(super) async fn trade(mut self, exchange: SocketAddr) {
        loop {
            if let Err(error) = self.session(exchange).await {
                tracing::debug!(participant = self.comp_id, %error, "demo participant is away");
            }
            sleep(RETRY).await;
        }
    }

    async fn session(&mut self, exchange: SocketAddr) -> anyhow::Result<()> {
        let identity = Identity { ours: self.comp_id.to_owned(), theirs: self.exchange.clone() };
        let credentials =
            Credentials { username: self.comp_id.to_lowercase(), password: super::PASSWORD.to_owned() };
        // Nothing of an earlier run matters here, so both sequences begin anew.
        let settings = Settings { reset_on_logon: true, ..Settings::initiator(30) };
        let mut initiator =
            Initiator::new(identity, settings, Some(credentials), Limits::default(), MemoryStore::default())?;
        initiator.connect(exchange).await?;
        let mut turn = interval(match self.style {
            Style::Maker => Duration::from_millis(100),
            Style::Taker => Duration::from_millis(300),
        });
        turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = initiator.event() => match event {
                    None | Some(Event::Closed(_)) => return Ok(()),
                    Some(_) => {}
                },
                _ = turn.tick() => match self.style {
                    Style::Maker => self.quote(&initiator)?,
                    Style::Taker => self.take(&initiator)?,
                },
            }
        }
    }

    /// Moves the price of one instrument, quotes a side of it and takes the oldest quote back.
    fn quote(&mut self, initiator: &Initiator) -> std::io::Result<()> {
        let place = self.random.usize(..self.books.len());
        let book = &mut self.books[place];
        let step = (book.listing.first_price / 10_000).max(1);
        book.middle += self.random.i64(-step..=step);
        // The walk stays around its beginning, so that the demo may run for days.
        book.middle += (book.listing.first_price - book.middle) / 1_000;
        let is_bid = self.random.bool();
        let distance = step * self.random.i64(1..=10);
        let price = if is_bid { book.middle - distance } else { book.middle + distance };
        let quantity = self.random.i64(1..=book.listing.quantity);
        let listing = book.listing;
        let side = if is_bid { Side::Buy } else { Side::Sell };
        let id = self.order(initiator, &listing, side, Some(price), quantity)?;
        let quotes = &mut self.books[place].quotes[usize::from(is_bid)];
        quotes.push_back(id);
        if quotes.len() > QUOTES
            && let Some(oldest) = quotes.pop_front()
        {
            self.cancel(initiator, &listing, side, &oldest)?;
        }
        Ok(())
    }

    /// Takes a little from one side of one book.
    fn take(&mut self, initiator: &Initiator) -> std::io::Result<()> {
        let place = self.random.usize(..self.books.len());
        let listing = self.books[place].listing;
        let quantity = self.random.i64(1..=listing.quantity);
        let side = if self.random.bool() { Side::Buy } else { Side::Sell };
        self.order(initiator, &listing, side, None, quantity)?;
        Ok(())
    }

    /// Sends an order: a limit order for the day, or a market order without a price.
    fn order(
        &mut self,
        initiator: &Initiator,
        listing: &Listing,
        side: Side,
        price: Option<i64>,
        quantity: i64,
    ) -> std::io::Result<String> {
        let id = self.next_id();
        let order = NewOrderSingle {
            account: None,
            cl_ord_id: &id,
            handl_inst: None,
            exec_inst: None,
            order_qty: Decimal::new(quantity, listing.quantity_scale),
            ord_type: if price.is_some() { OrdType::Limit } else { OrdType::Market },
            price: price.map(|price| Decimal::new(price, PRICE_SCALE)),
            side,
            symbol: listing.symbol,
            text: None,
            time_in_force: Some(if price.is_some() {
                TimeInForce::Day
            } else {
                TimeInForce::ImmediateOrCancel
            }),
            transact_time: now(),
            stop_px: None,
            min_qty: None,
            max_floor: None,
            expire_time: None,
            expire_date: None,
        };
        initiator.send(MsgType::NewOrderSingle, |body| order.encode(body))?;
        Ok(id)
    }

    fn cancel(
        &mut self,
        initiator: &Initiator,
        listing: &Listing,
        side: Side,
        original: &str,
    ) -> std::io::Result<()> {
        let id = self.next_id();
        let cancel = OrderCancelRequest {
            account: None,
            cl_ord_id: &id,
            order_id: None,
            orig_cl_ord_id: original,
            order_qty: None,
            side,
            symbol: listing.symbol,
            text: None,
            transact_time: now(),
        };
        initiator.send(MsgType::OrderCancelRequest, |body| cancel.encode(body))?;
        Ok(())
    }

    fn next_id(&mut self) -> String {
        self.orders += 1;
        format!("{}-{}", self.run, self.orders)
    }
}

/// The current moment of this machine's clock.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
