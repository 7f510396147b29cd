//! A unit as bytes and back. What is written depends on the state alone: orders in the order of their books, ids sorted.
//!
//! Rare things are MessagePack behind their length; orders and ids, of which there are millions, have fixed layouts.

use std::io::{self, BufReader, Read, Write};

use decalog_fix::session::{Route, Session};
use decalog_runtime::{Address, Digest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zerocopy::little_endian::{I64, I128, U16, U32, U64, U128};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::account::owner;
use super::day_end::Day;
use super::instrument::{LastTrade, Listing};
use super::market_data::Wants;
use super::order::{Done, Order};
use super::session::FixSession;
use super::{Counters, Unit};
use crate::command::{Instrument, Request, SessionSetup, TradingStatus};
use crate::engine::{OrderId, Price, Quantity, RestingOrder, Side};
use crate::value::wire::{Body, TextForm};
use crate::value::{AccountName, OrdStatus, OrdType, RequestId, TimeInForce};

/// The version of the form. A snapshot is written and read by one release: an unknown version is refused.
const VERSION: u32 = 1;
/// How much is gathered before it is written.
const BUFFER: usize = 1 << 18;

/// An order; `route_len` bytes of MessagePack follow it.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct OrderForm {
    id: U64,
    session: U32,
    account: U32,
    instrument: U32,
    cl_ord_id: TextForm<36>,
    sells: u8,
    ord_type: u8,
    time_in_force: u8,
    has_price: u8,
    price: I64,
    quantity: U64,
    traded: U64,
    notional: I128,
    /// FIX's character; 0: it lives.
    done_status: u8,
    done_number: U64,
    route_len: U16,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct IdForm {
    hash: U128,
    order: U64,
}

#[derive(Serialize, Deserialize)]
struct HeadForm {
    version: u32,
    unit: u16,
    counters: Counters,
    day: Day,
    accounts: Vec<AccountName>,
    instruments: u32,
    sessions: u32,
    ended: u64,
}

#[derive(Serialize, Deserialize)]
struct InstrumentForm {
    spec: Instrument,
    status: TradingStatus,
    feed: u64,
    last_trade: Option<(i64, u64, i64)>,
}

#[derive(Deserialize)]
struct SessionForm {
    setup: SessionSetup,
    accounts: Vec<u32>,
    noted: u128,
    fix: Session<Request, Address>,
}

#[derive(Serialize)]
struct SessionRef<'a> {
    setup: &'a SessionSetup,
    accounts: &'a [u32],
    noted: u128,
    fix: &'a Session<Request, Address>,
}

impl From<&Order> for OrderForm {
    fn from(order: &Order) -> Self {
        OrderForm {
            id: U64::new(order.id),
            session: U32::new(order.session),
            account: U32::new(order.account),
            instrument: U32::new(order.instrument),
            cl_ord_id: order.cl_ord_id.into(),
            sells: u8::from(order.side == Side::Sell),
            ord_type: order.ord_type.to_char(),
            time_in_force: order.time_in_force.to_char(),
            has_price: u8::from(order.price.is_some()),
            price: I64::new(order.price.map_or(0, |price| price.0)),
            quantity: U64::new(order.quantity.0),
            traded: U64::new(order.traded.0),
            notional: I128::new(order.notional),
            done_status: order.done.map_or(0, |done| done.status as u8),
            done_number: U64::new(order.done.map_or(0, |done| done.number)),
            route_len: U16::ZERO,
        }
    }
}

/// Gathers what is written.
struct Writer<'a> {
    out: &'a mut dyn Write,
    buffer: Vec<u8>,
}

impl Writer<'_> {
    fn pack<T: Serialize>(&mut self, value: &T) -> io::Result<()> {
        let bytes = rmp_serde::to_vec(value).map_err(io::Error::other)?;
        self.bytes(&(bytes.len() as u64).to_le_bytes())?;
        self.bytes(&bytes)
    }

    fn count(&mut self, count: usize) -> io::Result<()> {
        self.bytes(&(count as u64).to_le_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    fn order(&mut self, order: &Order) -> io::Result<()> {
        let mut route = Vec::new();
        if let Some(it) = &order.route {
            decalog_runtime::pack(it, &mut route);
        }
        let route_len = U16::new(u16::try_from(route.len()).map_err(io::Error::other)?);
        self.bytes(OrderForm { route_len, ..order.into() }.as_bytes())?;
        self.bytes(&route)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// Writes a unit.
pub(super) fn write(unit: &Unit, out: &mut dyn Write) -> io::Result<()> {
    let mut to = Writer { out, buffer: Vec::with_capacity(BUFFER + 4096) };
    to.pack(&HeadForm {
        version: VERSION,
        unit: unit.number,
        counters: unit.counters,
        day: unit.day.clone(),
        accounts: unit.accounts.names().to_vec(),
        instruments: u32::try_from(unit.instruments.iter().len()).map_err(io::Error::other)?,
        sessions: unit.sessions.indexes().end,
        ended: unit.orders.ended(),
    })?;
    for session in unit.sessions.iter() {
        let FixSession { setup, accounts, noted, fix, .. } = session;
        to.pack(&SessionRef { setup, accounts, noted: noted.0, fix })?;
    }
    to.count(unit.orders.len())?;
    for listing in unit.instruments.iter() {
        to.pack(&InstrumentForm {
            spec: listing.spec.clone(),
            status: listing.status,
            feed: listing.feed,
            last_trade: listing.last_trade.map(|trade| (trade.price.0, trade.quantity.0, trade.time)),
        })?;
        to.count(listing.book.len() as usize)?;
        for resting in listing.book.resting() {
            to.order(unit.orders.get(resting.id.0).ok_or_else(|| broken("a resting order is not known"))?)?;
        }
    }
    to.count(unit.orders.done().len())?;
    for order in unit.orders.done() {
        to.order(order)?;
    }
    for session in unit.sessions.iter() {
        let ids = session.ids.sorted();
        to.count(ids.len())?;
        for (hash, order) in ids {
            to.bytes(IdForm { hash: U128::new(hash), order: U64::new(order) }.as_bytes())?;
        }
    }
    to.pack(&unit.market_data.iter().collect::<Vec<_>>())?;
    to.flush()
}

/// Takes what was written apart.
struct Reader<'a> {
    from: BufReader<&'a mut dyn Read>,
}

impl Reader<'_> {
    fn count(&mut self) -> io::Result<usize> {
        let mut bytes = [0; 8];
        self.from.read_exact(&mut bytes)?;
        usize::try_from(u64::from_le_bytes(bytes)).map_err(io::Error::other)
    }

    fn bytes(&mut self, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.from.by_ref().take(len as u64).read_to_end(&mut bytes)?;
        if read == len { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn unpack<T: DeserializeOwned>(&mut self) -> io::Result<T> {
        let len = self.count()?;
        rmp_serde::from_slice(&self.bytes(len)?).map_err(broken)
    }

    fn form<T: FromBytes + IntoBytes>(&mut self) -> io::Result<T> {
        let mut form = T::new_zeroed();
        self.from.read_exact(form.as_mut_bytes())?;
        Ok(form)
    }

    fn order(&mut self) -> io::Result<Order> {
        let form: OrderForm = self.form()?;
        let route: Option<Box<Route>> = match form.route_len.get() {
            0 => None,
            len => Some(rmp_serde::from_slice(&self.bytes(usize::from(len))?).map_err(broken)?),
        };
        let done = match form.done_status {
            0 => None,
            char => Some(Done {
                status: OrdStatus::from_char(char).ok_or_else(|| broken("no such OrdStatus"))?,
                number: form.done_number.get(),
            }),
        };
        Ok(Order {
            id: form.id.get(),
            session: form.session.get(),
            account: form.account.get(),
            instrument: form.instrument.get(),
            cl_ord_id: form.cl_ord_id.read(&Body::new(0, 0, &[])).map_err(broken)?,
            side: if form.sells == 1 { Side::Sell } else { Side::Buy },
            ord_type: OrdType::from_char(form.ord_type),
            time_in_force: TimeInForce::from_char(form.time_in_force),
            price: (form.has_price == 1).then(|| Price(form.price.get())),
            quantity: Quantity(form.quantity.get()),
            traded: Quantity(form.traded.get()),
            notional: form.notional.get(),
            done,
            route,
        })
    }
}

fn broken(why: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("exchange snapshot: {}", why.to_string()))
}

/// Reads what `write` wrote.
pub(super) fn read(number: u16, from: &mut dyn Read) -> io::Result<Unit> {
    let mut from = Reader { from: BufReader::with_capacity(BUFFER, from) };
    let head: HeadForm = from.unpack()?;
    if head.version != VERSION {
        return Err(broken(format!("version {} where {VERSION} is understood", head.version)));
    }
    if head.unit != number {
        return Err(broken(format!("of unit {}, not of unit {number}", head.unit)));
    }
    let mut unit = Unit::new(number);
    unit.counters = head.counters;
    unit.day = head.day;
    for name in head.accounts {
        unit.accounts.push(name);
    }
    for _ in 0..head.sessions {
        let SessionForm { setup, accounts, noted, fix } = from.unpack()?;
        let mut session = FixSession::new(setup, accounts);
        session.noted = Digest(noted);
        session.fix = fix;
        unit.sessions.push(session);
    }
    let known = from.count()?;
    unit.orders.prepare(known, head.ended);
    for _ in 0..head.instruments {
        read_instrument(&mut unit, &mut from)?;
    }
    for _ in 0..from.count()? {
        unit.orders.insert(from.order()?);
    }
    for session in unit.sessions.indexes() {
        let count = from.count()?;
        let ids = &mut unit.sessions.touch(session).ids;
        ids.reserve(count);
        for _ in 0..count {
            let form: IdForm = from.form()?;
            ids.insert(form.hash.get(), form.order.get());
        }
    }
    unit.settle();
    for (instrument, session, id, wants) in from.unpack::<Vec<(u32, u32, RequestId, Wants)>>()? {
        unit.market_data.follow(instrument, session, id, wants, unit.instruments.get(instrument));
    }
    Ok(unit)
}

fn read_instrument(unit: &mut Unit, from: &mut Reader<'_>) -> io::Result<()> {
    let form: InstrumentForm = from.unpack()?;
    let mut listing = Listing::new(form.spec, form.status);
    listing.feed = form.feed;
    listing.last_trade = form.last_trade.map(|(price, quantity, time)| LastTrade {
        price: Price(price),
        quantity: Quantity(quantity),
        time,
    });
    for _ in 0..from.count()? {
        let order = from.order()?;
        let resting = RestingOrder {
            id: OrderId(order.id),
            owner: owner(order.account),
            side: order.side,
            price: order.price.ok_or_else(|| broken("a resting order without a price"))?,
            quantity: order.leaves(),
        };
        listing.book.restore(&resting).map_err(broken)?;
        unit.orders.insert(order);
    }
    unit.instruments.push(listing);
    Ok(())
}
