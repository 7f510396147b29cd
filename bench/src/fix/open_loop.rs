//! The client of the FIX measurement: sends orders when they are due, whether or not earlier ones were
//! acknowledged, and takes each latency from the moment the order was due. A server that stalls is so charged for
//! every order that would have come in the meantime (no coordinated omission).

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::wire::{Message, Order, Writer};
use crate::sample::{Latencies, Summary};

/// How long an answer may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(20);
/// Resting orders before each new one is accompanied by the cancel of the oldest.
const RESTING: u64 = 20_000;
/// Cancels' own ids begin here, so that orders' ids stay dense.
const CANCEL_IDS: u64 = 1 << 40;

/// Who trades what with whom.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The client's CompID.
    pub(crate) sender: String,
    /// The server's CompID.
    pub(crate) target: String,
    /// Account (1); empty sends none.
    pub(crate) account: String,
    /// Symbol (55).
    pub(crate) symbol: String,
}

/// How much to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Orders per second.
    pub(crate) rate: u32,
    /// Orders sent in this time are not counted.
    pub(crate) warm_up: Duration,
    /// Then orders are counted for so long.
    pub(crate) span: Duration,
}

/// What the client saw.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Seen {
    /// From the moment an order was due to its ExecutionReport (New).
    pub(crate) acknowledged: Summary,
    /// From the moment an order was due to its sending: what the client itself adds.
    pub(crate) sent_late: Summary,
}

/// Logs on, trades, logs out.
///
/// One thread does all of it and never sleeps: a load generator that had to be woken would add its own wake-ups,
/// which on virtual machines cost more than either server's work, to both sides of the ratio.
pub(crate) fn run(address: SocketAddr, identity: &Identity, load: Load) -> anyhow::Result<Seen> {
    let mut connection = Connection::open(address)?;
    let mut writer = Writer::new(&identity.sender, &identity.target);
    connection.send(writer.logon())?;
    connection.await_logon()?;

    let warm_up = count(load.rate, load.warm_up);
    let total = warm_up + count(load.rate, load.span);
    let interval = Duration::from_secs(1) / load.rate;
    let start = Instant::now() + Duration::from_millis(10);
    let due = |index: usize| start + interval * u32::try_from(index).unwrap_or(u32::MAX);

    let mut acknowledgements = Acknowledgements::of(total);
    let mut sent_late = Latencies::with_capacity(total);
    let mut sent = 0;
    let mut heard = Instant::now();
    while acknowledgements.left > 0 {
        let now = Instant::now();
        if sent < total && now >= due(sent) {
            if sent >= warm_up {
                sent_late.record(now - due(sent));
            }
            send_order(&mut connection, &mut writer, identity, sent as u64)?;
            sent += 1;
        }
        if connection.read(|message, arrival| acknowledgements.take(message, arrival))? {
            heard = now;
        }
        anyhow::ensure!(now - heard < PATIENCE, "{} orders were never acknowledged", acknowledgements.left);
    }
    connection.send(writer.logout())?;

    let mut acknowledged = Latencies::with_capacity(total);
    for (index, arrival) in acknowledgements.arrivals.iter().enumerate().skip(warm_up) {
        if let Some(arrival) = arrival {
            acknowledged.record(arrival.saturating_duration_since(due(index)));
        }
    }
    Ok(Seen { acknowledged: acknowledged.summary(), sent_late: sent_late.summary() })
}

/// Sends the order with this index, and once many rest in the book the cancel of the oldest.
fn send_order(
    connection: &mut Connection,
    writer: &mut Writer,
    identity: &Identity,
    index: u64,
) -> anyhow::Result<()> {
    connection.send(writer.order(&identity.account, &order(index, &identity.symbol)))?;
    if let Some(oldest) = index.checked_sub(RESTING) {
        let order = order(oldest, &identity.symbol);
        connection.send(writer.cancel(&identity.account, CANCEL_IDS + oldest, &order))?;
    }
    Ok(())
}

fn count(rate: u32, span: Duration) -> usize {
    usize::try_from(span.as_millis() * u128::from(rate) / 1000).unwrap_or(usize::MAX)
}

/// Buys from 900 to 999, sells from 1,001 to 1,100: a hundred levels a side, and nothing ever trades, so that every
/// order has exactly one acknowledgement and rests.
fn order(index: u64, symbol: &str) -> Order<'_> {
    let level = index / 2 * 37 % 100;
    let (side, price) = if index.is_multiple_of(2) { (1, 900 + level) } else { (2, 1_001 + level) };
    Order { id: index, symbol, side, price, quantity: 1 + index % 9 }
}

/// Which orders were acknowledged, and when.
struct Acknowledgements {
    arrivals: Vec<Option<Instant>>,
    left: usize,
}

impl Acknowledgements {
    fn of(total: usize) -> Self {
        Self { arrivals: vec![None; total], left: total }
    }

    fn take(&mut self, message: Message<'_>, arrival: Instant) -> anyhow::Result<()> {
        if message.get("35") != Some("8") || message.get("150") != Some("0") {
            let of_cancel = |id: &str| id.parse().is_ok_and(|id: u64| id >= CANCEL_IDS);
            let expected =
                message.get("11").is_some_and(of_cancel) || matches!(message.get("35"), Some("0" | "j"));
            anyhow::ensure!(expected, "an order was not acknowledged: {}", message.shown());
            return Ok(());
        }
        let index: usize = message.get("11").context("a report without ClOrdID")?.parse()?;
        let place = self.arrivals.get_mut(index).context("a report for an order never sent")?;
        anyhow::ensure!(place.replace(arrival).is_none(), "order {index} was acknowledged twice");
        self.left -= 1;
        Ok(())
    }
}

/// A connection that is polled: neither sending nor reading ever waits.
struct Connection {
    stream: TcpStream,
    inbound: Vec<u8>,
    filled: usize,
    unsent: Vec<u8>,
}

impl Connection {
    fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, inbound: vec![0; 1 << 20], filled: 0, unsent: Vec::new() })
    }

    /// Sends as much as the socket takes; the rest goes with the next message or read.
    fn send(&mut self, message: &[u8]) -> anyhow::Result<()> {
        self.unsent.extend_from_slice(message);
        self.flush()
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("cannot send to the server"),
            }
        }
        Ok(())
    }

    /// Reads what is there and gives each complete message, with the moment of its arrival, to `take`. Was there any?
    fn read(
        &mut self,
        mut take: impl FnMut(Message<'_>, Instant) -> anyhow::Result<()>,
    ) -> anyhow::Result<bool> {
        self.flush()?;
        let read = match self.stream.read(&mut self.inbound[self.filled..]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            read => read.context("cannot read from the server")?,
        };
        let now = Instant::now();
        anyhow::ensure!(read > 0, "the server closed the connection");
        self.filled += read;
        let mut start = 0;
        while let Some((message, length)) = Message::first(&self.inbound[start..self.filled])? {
            take(message, now)?;
            start += length;
        }
        self.inbound.copy_within(start..self.filled, 0);
        self.filled -= start;
        Ok(start > 0)
    }

    fn await_logon(&mut self) -> anyhow::Result<()> {
        let give_up = Instant::now() + PATIENCE;
        let mut accepted = false;
        while !accepted {
            self.read(|message, _| {
                anyhow::ensure!(message.get("35") == Some("A"), "logon refused: {}", message.shown());
                accepted = true;
                Ok(())
            })?;
            anyhow::ensure!(Instant::now() < give_up, "the server does not answer a logon");
        }
        Ok(())
    }
}
