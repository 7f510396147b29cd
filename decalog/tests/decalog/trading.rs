//! A client of the project's own FIX engine trades, the server is killed, and everything acknowledged is still there.

use std::time::Duration;

use decalog_fix::decimal::Decimal;
use decalog_fix::dictionary::MsgType;
use decalog_fix::guard::Identity;
use decalog_fix::initiator::{Event, Initiator, Limits};
use decalog_fix::message::{ExecType, ExecutionReport, NewOrderSingle, OrdStatus, OrdType, Side};
use decalog_fix::outbound::Credentials;
use decalog_fix::session::Settings;
use decalog_fix::store::MemoryStore;
use decalog_fix::time::Timestamp;

use crate::server::{Site, run, texts};

/// Generous: the machine may be busy, and nothing here is about time.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a test looks at in a report.
#[derive(Debug, PartialEq)]
struct Report {
    cl_ord_id: String,
    exec_id: String,
    exec_type: ExecType,
    ord_status: OrdStatus,
    leaves: i64,
}

struct Client {
    initiator: Initiator,
}

impl Client {
    fn new(comp_id: &str, password: Option<&str>) -> Self {
        let identity = Identity { ours: comp_id.to_owned(), theirs: "DECALOG".to_owned() };
        let credentials = password
            .map(|password| Credentials { username: comp_id.to_lowercase(), password: password.to_owned() });
        let settings = Settings::initiator(30);
        let initiator =
            Initiator::new(identity, settings, credentials, Limits::default(), MemoryStore::default());
        Self { initiator: initiator.unwrap() }
    }

    async fn log_on(&mut self, address: std::net::SocketAddr) {
        tokio::time::timeout(PATIENCE, self.initiator.connect(address)).await.unwrap().unwrap();
    }

    fn order(&self, id: &str, side: Side, quantity: i64, cents: i64) {
        let order = NewOrderSingle {
            account: None,
            cl_ord_id: id,
            handl_inst: None,
            exec_inst: None,
            order_qty: Decimal::new(quantity, 0),
            ord_type: OrdType::Limit,
            price: Some(Decimal::new(cents, 2)),
            side,
            symbol: "ACME",
            text: None,
            time_in_force: None,
            transact_time: Timestamp(1_700_000_000_000_000_000),
            stop_px: None,
            min_qty: None,
            max_floor: None,
            expire_time: None,
            expire_date: None,
        };
        self.initiator.send(MsgType::NewOrderSingle, |body| order.encode(body)).unwrap();
    }

    async fn report(&mut self) -> Report {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.initiator.event()).await.expect("a report comes");
            let Some(Event::Message(_, received)) = event else { panic!("{event:?}") };
            if received.msg_type == MsgType::ExecutionReport {
                return received.read(|message| {
                    let report = ExecutionReport::decode(message).unwrap();
                    Report {
                        cl_ord_id: report.cl_ord_id.unwrap_or_default().to_owned(),
                        exec_id: report.exec_id.to_owned(),
                        exec_type: report.exec_type,
                        ord_status: report.ord_status,
                        leaves: report.leaves_qty.mantissa,
                    }
                });
            }
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_before_a_kill_trades_after_it() {
    let site = Site::new();
    let server = site.start();
    let mut alice = Client::new("ALICE", Some("alice-example"));
    alice.log_on(server.fix).await;
    alice.order("A1", Side::Buy, 10, 10_00);
    let first = alice.report().await;
    assert_eq!((first.exec_type, first.ord_status, first.leaves), (ExecType::New, OrdStatus::New, 10));
    let numbers = alice.initiator.session().numbers();
    server.kill();
    alice.initiator.disconnect().await;

    let server = site.start();
    // Same session object, same numbers: a lost or doubled number would end the Logon.
    alice.log_on(server.fix).await;
    assert_eq!(alice.initiator.session().numbers(), (numbers.0 + 1, numbers.1 + 1));
    let mut bob = Client::new("BOB", None);
    bob.log_on(server.fix).await;
    bob.order("B1", Side::Sell, 4, 9_00);
    let fill = alice.report().await;
    assert_eq!((fill.cl_ord_id.as_str(), fill.exec_type, fill.leaves), ("A1", ExecType::Trade, 6));
    assert_ne!(fill.exec_id, first.exec_id);

    let url = format!("http://{}", server.http);
    let watched =
        tokio::task::spawn_blocking(move || run(&["exchange", "watch", "ACME", "--once", "--url", &url]));
    let (book, _) = texts(&watched.await.unwrap());
    assert!(book.contains("ACME") && book.contains("10.00"), "{book}");

    assert_eq!(tokio::task::spawn_blocking(|| server.stop()).await.unwrap(), Some(0));
    looks_right(&site);
}

/// The journal of a server that has stopped: what it did can be read, and replays to the same.
fn looks_right(site: &Site) {
    let (stat, _) = texts(&site.log(&["stat", "--json"]));
    let stat: serde_json::Value = serde_json::from_str(&stat).unwrap();
    assert_eq!(stat["partitions"][0]["name"], "exchange/0");
    let (cat, _) = texts(&site.log(&["cat", "--json"]));
    let contents: Vec<String> = cat
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["content"].to_string())
        .collect();
    assert!(contents.iter().any(|content| content.contains("NewOrder") && content.contains("A1")), "{cat}");
    assert!(!cat.contains("argon2"), "no password hash is printed");
    let verify = site.log(&["verify"]);
    let (verified, error) = texts(&verify);
    assert!(verify.status.success(), "{verified}{error}");
    assert!(verified.contains("exchange/0: replayed"), "{verified}");
}

#[tokio::test]
async fn a_flipped_byte_is_found_and_refused() {
    let site = Site::new();
    let server = site.start();
    let mut bob = Client::new("BOB", None);
    bob.log_on(server.fix).await;
    for number in 0..20 {
        bob.order(&format!("B{number}"), Side::Buy, 1, 5_00);
        bob.report().await;
    }
    assert_eq!(tokio::task::spawn_blocking(|| server.stop()).await.unwrap(), Some(0));
    let journal = site.data().join("journal");
    let segment = std::fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().path());
    let segment = segment.filter(|path| path.metadata().unwrap().len() > 8192).min().unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    // The marker of an early order, well before the last group.
    let at = bytes.windows(4).position(|window| window == b"B3\0\0").expect("the order is in the journal");
    bytes[at] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let verify = site.log(&["verify"]);
    assert_eq!(verify.status.code(), Some(1));
    assert!(texts(&verify).0.contains("DAMAGED"), "{verify:?}");
    let config = site.config();
    let data = site.data();
    let output = run(&["serve", "--config", config.to_str().unwrap(), "--data", data.to_str().unwrap()]);
    assert!(texts(&output).1.contains("E-LOG-DAMAGED"), "{output:?}");
}

#[tokio::test]
async fn a_wrong_password_does_not_log_on_and_others_go_on() {
    let site = Site::new();
    let server = site.start();
    for password in [None, Some("wrong")] {
        let mut mallory = Client::new("ALICE", password);
        let outcome = tokio::time::timeout(PATIENCE, mallory.initiator.connect(server.fix)).await.unwrap();
        assert!(outcome.is_err(), "{password:?}");
    }
    let mut alice = Client::new("ALICE", Some("alice-example"));
    alice.log_on(server.fix).await;
    let (cat, _) = texts(&site.log(&["cat"]));
    let logons = cat.lines().filter(|line| line.contains("Logon")).count();
    assert_eq!(logons, 1, "a refused Logon never reaches the log: {cat}");
}
