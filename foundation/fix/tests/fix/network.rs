//! The stand-alone acceptor and initiator over real sockets: restarts, refusals and limits.

use std::sync::Arc;
use std::time::Duration;

use decalog_fix::acceptor::{Acceptor, Event, Limits};
use decalog_fix::codec::Rules;
use decalog_fix::decimal::Decimal;
use decalog_fix::dictionary::MsgType;
use decalog_fix::guard::Identity;
use decalog_fix::initiator::{ConnectError, Initiator};
use decalog_fix::message::{NewOrderSingle, OrdType, Side};
use decalog_fix::outbound::Credentials;
use decalog_fix::session::Settings;
use decalog_fix::store::{FileStore, MemoryStore, Store};
use decalog_fix::time::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::script::message;

const LONG: Duration = Duration::from_secs(20);

struct Server {
    address: String,
    task: JoinHandle<()>,
}

fn secret() -> Credentials {
    Credentials { username: "user".into(), password: "secret".into() }
}

async fn serve(limits: Limits, settings: Settings, store: impl Store) -> Server {
    let mut acceptor = Acceptor::new(Arc::new(crate::echo::Echo::default()), limits, Rules::default());
    let identity = Identity { ours: "EXCHANGE".into(), theirs: "CLIENT".into() };
    acceptor.add(identity, settings, Some(secret()), store).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    Server { address, task: tokio::spawn(async move { acceptor.serve(listener).await.unwrap() }) }
}

fn client(credentials: Credentials, store: impl Store) -> Initiator {
    let identity = Identity { ours: "CLIENT".into(), theirs: "EXCHANGE".into() };
    Initiator::new(identity, Settings::initiator(30), Some(credentials), Limits::default(), store).unwrap()
}

fn order(id: &str) -> NewOrderSingle<'_> {
    NewOrderSingle {
        account: None,
        cl_ord_id: id,
        handl_inst: None,
        exec_inst: None,
        order_qty: Decimal::from(1),
        ord_type: OrdType::Market,
        price: None,
        side: Side::Buy,
        symbol: "ACME",
        text: None,
        time_in_force: None,
        transact_time: Timestamp(0),
        stop_px: None,
        min_qty: None,
        max_floor: None,
        expire_time: None,
        expire_date: None,
    }
}

fn send(client: &Initiator, id: &str) {
    client.send(MsgType::NewOrderSingle, |body| order(id).encode(body)).unwrap();
}

async fn echoed(client: &mut Initiator) -> String {
    match timeout(LONG, client.event()).await.expect("an echo in time") {
        Some(Event::Message(_, message)) => {
            message.read(|message| NewOrderSingle::decode(message).unwrap().cl_ord_id.to_owned())
        }
        other => panic!("instead of an echo: {other:?}"),
    }
}

#[tokio::test]
async fn orders_go_out_and_come_back() {
    let server = serve(Limits::default(), Settings::acceptor(), MemoryStore::default()).await;
    let mut client = client(secret(), MemoryStore::default());
    client.connect(&server.address).await.unwrap();
    for id in ["a", "b", "c"] {
        send(&client, id);
        assert_eq!(echoed(&mut client).await, id);
    }
    client.logout().await.unwrap();
    assert_eq!(client.session().numbers(), (6, 6), "a Logon, three orders and a Logout each way");
}

#[tokio::test]
async fn a_restart_of_both_sides_loses_no_message() {
    let folder = tempfile::tempdir().unwrap();
    let stores = || {
        let open = |name: &str| FileStore::open(&folder.path().join(name)).unwrap();
        (open("server"), open("client"))
    };
    let (server_store, client_store) = stores();
    let server = serve(Limits::default(), Settings::acceptor(), server_store).await;
    let mut first = client(secret(), client_store);
    first.connect(&server.address).await.unwrap();
    send(&first, "a");
    assert_eq!(echoed(&mut first).await, "a");
    first.disconnect().await;
    // Sent to nobody: it goes out when the other side asks for it.
    send(&first, "b");
    drop(first);
    server.task.abort();
    let _ = server.task.await;

    let (server_store, client_store) = stores();
    let server = serve(Limits::default(), Settings::acceptor(), server_store).await;
    let mut second = client(secret(), client_store);
    second.connect(&server.address).await.unwrap();
    assert_eq!(echoed(&mut second).await, "b");
    send(&second, "c");
    assert_eq!(echoed(&mut second).await, "c");
}

#[tokio::test]
async fn wrong_credentials_and_unknown_names_get_no_answer_and_move_no_number() {
    let server = serve(Limits::default(), Settings::acceptor(), MemoryStore::default()).await;
    for wrong in [("user", "wrong"), ("nobody", "secret"), ("", "")] {
        let credentials = Credentials { username: wrong.0.into(), password: wrong.1.into() };
        let mut stranger = client(credentials, MemoryStore::default());
        let refused = stranger.connect(&server.address).await;
        assert!(matches!(refused, Err(ConnectError::Refused(None))), "{refused:?}");
    }
    let mut good = client(secret(), MemoryStore::default());
    good.connect(&server.address).await.unwrap();
    assert_eq!(good.session().numbers(), (2, 2));
}

/// What the server says on a raw connection until it closes it.
async fn said(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut all = Vec::new();
    let ended = timeout(LONG, stream.read_to_end(&mut all)).await;
    assert!(ended.is_ok(), "the server hangs up");
    all
}

fn logon() -> Vec<u8> {
    let mut now = Vec::new();
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_nanos()).unwrap()).write(decalog_fix::time::Precision::Millis, &mut now);
    let now = String::from_utf8(now).unwrap();
    message(&format!("35=A|34=1|49=CLIENT|52={now}|56=EXCHANGE|98=0|108=30|553=user|554=secret"))
}

#[tokio::test]
async fn who_does_not_log_on_is_hung_up_on() {
    let limits = Limits { logon_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = serve(limits, Settings::acceptor(), MemoryStore::default()).await;
    assert!(said(&server, b"").await.is_empty(), "silence");
    assert!(said(&server, b"GET / HTTP/1.1\r\n\r\n").await.is_empty(), "another protocol");
    assert!(said(&server, &[0xff; 5000]).await.is_empty(), "noise");
    let mut garbled = logon();
    let last = garbled.len() - 2;
    garbled[last] ^= 1;
    assert!(said(&server, &garbled).await.is_empty(), "a wrong checksum");
    let huge = [b"8=FIX.4.4\x019=999999\x0135=A\x01".to_vec(), vec![b'x'; 200_000]].concat();
    assert!(said(&server, &huge).await.is_empty(), "more than the limit");
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_the_session_with_a_word() {
    let limits = Limits { max_message: 1000, ..Limits::default() };
    let server = serve(limits, Settings::acceptor(), MemoryStore::default()).await;
    let bytes = [logon(), message(&format!("35=1|34=2|112={}", "x".repeat(2000)))].concat();
    let words = crate::script::shown(&said(&server, &bytes).await);
    assert!(words.contains("|35=5|") && words.contains("longer than the 1000 bytes"), "{words}");
}

#[tokio::test]
async fn a_logon_in_any_two_pieces_is_taken() {
    let settings = Settings { reset_on_logon: true, ..Settings::acceptor() };
    let server = serve(Limits::default(), settings, MemoryStore::default()).await;
    let bytes = logon();
    for cut in (1..bytes.len()).step_by(7) {
        loop {
            let mut stream = TcpStream::connect(&server.address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            stream.write_all(&bytes[..cut]).await.unwrap();
            stream.flush().await.unwrap();
            stream.write_all(&bytes[cut..]).await.unwrap();
            let mut answer = [0; 16];
            // The connection before may not be gone yet: then this one is turned away, and tried again.
            if timeout(LONG, stream.read_exact(&mut answer)).await.unwrap().is_ok() {
                assert!(answer.starts_with(b"8=FIX.4.4\x01"), "cut at {cut}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn connections_beyond_the_cap_are_closed_and_others_go_on() {
    let limits = Limits { max_connections: 3, ..Limits::default() };
    let server = serve(limits, Settings::acceptor(), MemoryStore::default()).await;
    let mut good = client(secret(), MemoryStore::default());
    good.connect(&server.address).await.unwrap();
    let _idle = [
        TcpStream::connect(&server.address).await.unwrap(),
        TcpStream::connect(&server.address).await.unwrap(),
    ];
    assert!(said(&server, b"").await.is_empty(), "the fourth is closed at once");
    send(&good, "a");
    assert_eq!(echoed(&mut good).await, "a");
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut_off_and_others_go_on() {
    let limits = Limits { write_timeout: Duration::from_millis(300), ..Limits::default() };
    let mut acceptor = Acceptor::new(Arc::new(crate::echo::Echo::default()), limits, Rules::default());
    for name in ["CLIENT", "DEAF"] {
        let identity = Identity { ours: "EXCHANGE".into(), theirs: name.into() };
        let credentials = (name == "CLIENT").then(secret);
        acceptor.add(identity, Settings::acceptor(), credentials, MemoryStore::default()).unwrap();
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server =
        Server { address, task: tokio::spawn(async move { acceptor.serve(listener).await.unwrap() }) };

    let mut deaf = TcpStream::connect(&server.address).await.unwrap();
    let text = crate::script::shown(&logon()).replace("49=CLIENT", "49=DEAF");
    let body = text.split_once("|35=").unwrap().1.rsplit_once("10=").unwrap().0;
    deaf.write_all(&message(&format!("35={body}"))).await.unwrap();
    let now = text.split_once("52=").unwrap().1.split_once('|').unwrap().0.to_owned();
    let flood = async {
        for seq in 2u64.. {
            let id = "x".repeat(4000);
            let test = message(&format!("35=1|34={seq}|49=DEAF|52={now}|56=EXCHANGE|112={id}"));
            if deaf.write_all(&test).await.is_err() {
                break;
            }
        }
    };
    timeout(LONG, flood).await.expect("the server cuts the connection");

    let mut good = client(secret(), MemoryStore::default());
    good.connect(&server.address).await.unwrap();
    send(&good, "a");
    assert_eq!(echoed(&mut good).await, "a");
    server.task.abort();
}

#[test]
fn a_file_store_drops_a_record_cut_short() {
    use decalog_fix::store::{Numbers, SentMessage};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session");
    let sent = |text: &str| SentMessage {
        msg_type: MsgType::NewOrderSingle,
        sent_at: Timestamp(7),
        body: text.as_bytes().to_vec(),
    };
    let mut store = FileStore::open(&path).unwrap();
    store.put(1, sent("one")).unwrap();
    store.save(Numbers { next_in: 3, next_out: 2 }).unwrap();
    let whole = std::fs::metadata(&path).unwrap().len();
    store.put(2, sent("two")).unwrap();
    drop(store);
    let full = std::fs::read(&path).unwrap();
    for length in whole..full.len() as u64 {
        std::fs::write(&path, &full[..usize::try_from(length).unwrap()]).unwrap();
        let mut store = FileStore::open(&path).unwrap();
        assert_eq!(store.load().unwrap(), (Numbers { next_in: 3, next_out: 2 }, vec![1]));
        assert_eq!(store.get(1).unwrap(), Some(sent("one")));
        store.put(2, sent("again")).unwrap();
        drop(store);
        assert_eq!(FileStore::open(&path).unwrap().get(2).unwrap(), Some(sent("again")));
    }
    let mut store = FileStore::open(&path).unwrap();
    store.reset().unwrap();
    drop(store);
    assert!(FileStore::open(&path).unwrap().load().unwrap().1.is_empty());
}
