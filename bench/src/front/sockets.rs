//! Many idle WebSockets: what they hold in memory, and how long a change of the book takes to reach the last of them.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tokio::task::{JoinSet, LocalSet};

use super::setting::{self, COMP_ID, SYMBOL, Setting};
use crate::Plan;
use crate::cores::Cores;
use crate::fix::wire::{Message, Order, Writer};
use crate::report::{Claim, Target, Unit};
use crate::sample::{Latencies, micros};
use crate::server::Decalog;
use crate::websocket::WebSocket;

/// Subscribers, where a process may have that many open files.
const SUBSCRIBERS: usize = 20_000;
/// Files that a process needs beside them.
const SPARE: usize = 200;
/// What each of them may hold of the server's memory: 400 MB by 20,000.
const BYTES_EACH: f64 = 20_000.0;
/// Handshakes at a time.
const AT_ONCE: usize = 64;
/// How long a change may take to reach all before the run is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Measures both.
pub(crate) fn measure(plan: &Plan) -> anyhow::Result<Vec<Claim>> {
    let files = getrlimit(Resource::Nofile)
        .maximum
        .map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    let many = SUBSCRIBERS.min(files.saturating_sub(SPARE));
    let many = if plan.quick { many.min(2_000) } else { many };
    let cores = Cores::divide()?;
    cores.for_server()?;
    let setting = Setting { sockets: many, ..Setting::default() };
    let front = setting::start(&Decalog::find()?, plan.scratch()?, &setting)?;
    cores.for_client()?;
    let before = front.server.resident_bytes()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (resident, mut all, p99) = runtime.block_on(LocalSet::new().run_until(async {
        let crowd = Crowd::gather(front.server.address, many).await?;
        let resident = front.server.resident_bytes()?;
        let mut trader = Trader::log_on(front.fix).await?;
        let (mut all, mut p99) = (Latencies::default(), Vec::new());
        for change in 0..plan.rounds.max(5) {
            let mut latencies = crowd.hear(&mut trader, change).await?;
            p99.push(micros(latencies.per_mille(990)));
            all.merge(latencies);
        }
        anyhow::Ok((resident, all, p99))
    }))?;
    let name = format!("{many} idle WebSockets: bytes of the server's memory each");
    #[expect(clippy::cast_precision_loss, reason = "sizes stay far below 2^52")]
    let each = resident as f64 / many as f64;
    let mib = |bytes: u64| bytes >> 20;
    let memory = Claim::figure("front", name, Unit::Bytes, vec![each], Target::AtMost(BYTES_EACH))
        .beside(format!("{} MiB in all, {} MiB without subscribers", mib(resident), mib(before)));
    let name = format!("a change reaches {many} subscribers: p99");
    let reach = Claim::figure("front", name, Unit::Microseconds, p99, Target::AtMost(250_000.0))
        .beside(format!("from the order's sending: {}", all.summary()));
    Ok(vec![memory, reach])
}

/// All subscribers, and what they heard since it was last asked.
struct Crowd {
    many: usize,
    heard: Rc<Heard>,
    _subscribers: JoinSet<anyhow::Result<()>>,
}

#[derive(Default)]
struct Heard {
    moments: RefCell<Vec<Instant>>,
    changed: Notify,
}

impl Heard {
    fn note(&self, _text: Vec<u8>) {
        self.moments.borrow_mut().push(Instant::now());
        self.changed.notify_one();
    }
}

fn path() -> String {
    format!("/v1/instruments/{SYMBOL}/feed")
}

impl Crowd {
    /// Everybody subscribes; returns when each has the book.
    async fn gather(server: SocketAddr, many: usize) -> anyhow::Result<Self> {
        let heard = Rc::<Heard>::default();
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut subscribers = JoinSet::new();
        for _ in 0..many {
            let (heard, places) = (Rc::clone(&heard), Arc::clone(&places));
            subscribers.spawn_local(async move {
                let place = places.acquire_owned().await?;
                let mut subscriber = WebSocket::connect(server, &path()).await?;
                heard.note(subscriber.text().await?);
                drop(place);
                loop {
                    heard.note(subscriber.text().await?);
                }
            });
        }
        let crowd = Self { many, heard, _subscribers: subscribers };
        crowd.all().await.context("not everybody was given the book")?;
        Ok(crowd)
    }

    /// Waits until everybody heard something, and forgets it.
    async fn all(&self) -> anyhow::Result<Vec<Instant>> {
        let everybody = async {
            while self.heard.moments.borrow().len() < self.many {
                self.heard.changed.notified().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE * 3, everybody).await;
        let heard = self.heard.moments.borrow().len();
        waited.with_context(|| format!("{heard} of {} heard something", self.many))?;
        Ok(self.heard.moments.take())
    }

    /// How long an order took to be heard of by each.
    async fn hear(&self, trader: &mut Trader, change: usize) -> anyhow::Result<Latencies> {
        let sent = trader.order(change as u64).await?;
        let mut latencies = Latencies::with_capacity(self.many);
        for moment in self.all().await? {
            latencies.record(moment.saturating_duration_since(sent));
        }
        Ok(latencies)
    }
}

/// Who changes the book.
struct Trader {
    stream: TcpStream,
    writer: Writer,
}

impl Trader {
    async fn log_on(fix: SocketAddr) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(fix).await?;
        stream.set_nodelay(true)?;
        let mut writer = Writer::new(COMP_ID, "DECALOG");
        stream.write_all(writer.logon()).await?;
        let mut bytes = vec![0; 4_096];
        let read = stream.read(&mut bytes).await?;
        let logon = Message::first(&bytes[..read])?.context("half an answer to a logon")?.0;
        anyhow::ensure!(logon.get("35") == Some("A"), "logon refused: {}", logon.shown());
        Ok(Self { stream, writer })
    }

    /// Sends an order at a price of its own, which so is one change; answers when.
    async fn order(&mut self, number: u64) -> anyhow::Result<Instant> {
        let order = Order { id: number, symbol: SYMBOL, side: 1, price: 1 + number, quantity: 1 };
        let message = self.writer.order(COMP_ID, &order);
        let sent = Instant::now();
        self.stream.write_all(message).await?;
        Ok(sent)
    }
}
