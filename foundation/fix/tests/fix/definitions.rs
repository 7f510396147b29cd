//! Plays the server dialogues of QuickFIX's acceptance definitions, when `FIX_DEFINITIONS` names their folder:
//! against the server at `FIX_ADDRESS` one after the other, else each against an echoing acceptor of its own.
//!
//! `I` lines are sent, `E` lines are expected, `iCONNECT` connects and `eDISCONNECT` expects the end; `i2,CONNECT`
//! and the like name a connection; `<TIME>` is now, `<TIME-121>` two minutes ago.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use decalog_fix::acceptor::{Acceptor, Limits};
use decalog_fix::codec::Rules;
use decalog_fix::guard::Identity;
use decalog_fix::session::Settings;
use decalog_fix::store::MemoryStore;
use decalog_fix::time::{Precision, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);
/// Not compared: framing, text, and moments (`fields.fmt`), of which only the form counts.
const FREE: [&str; 4] = ["8", "9", "10", "58"];
const MOMENTS: [&str; 4] = ["42", "52", "60", "122"];

type Failure = String;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_dialogue_goes_as_written() {
    let Ok(folder) = std::env::var("FIX_DEFINITIONS") else {
        println!("FIX_DEFINITIONS does not name a folder: nothing to play");
        return;
    };
    let wanted = std::env::var("FIX_ONLY").unwrap_or_default();
    let mut dialogues: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("FIX_DEFINITIONS is a folder")
        .map(|entry| entry.expect("a folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "def"))
        .filter(|path| wanted.is_empty() || path.to_string_lossy().contains(&wanted))
        .collect();
    dialogues.sort();
    assert!(!dialogues.is_empty(), "no dialogue found");
    let mut failures = Vec::new();
    if let Ok(address) = std::env::var("FIX_ADDRESS") {
        for path in &dialogues {
            failures.extend(play(path, &address).await.err().map(|failure| named(path, &failure)));
        }
    } else {
        let mut tasks = tokio::task::JoinSet::new();
        for path in dialogues.clone() {
            tasks.spawn(async move {
                let address = serve().await;
                play(&path, &address).await.err().map(|failure| named(&path, &failure))
            });
        }
        while let Some(result) = tasks.join_next().await {
            failures.extend(result.expect("a dialogue does not panic"));
        }
    }
    println!("{} of {} dialogues pass", dialogues.len() - failures.len(), dialogues.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn named(path: &Path, failure: &str) -> String {
    format!("{}: {failure}", path.file_stem().unwrap_or_default().to_string_lossy())
}

async fn serve() -> String {
    let mut acceptor =
        Acceptor::new(Arc::new(crate::echo::Echo::default()), Limits::default(), Rules::default());
    let identity = Identity { ours: "ISLD".into(), theirs: "TW44".into() };
    let settings = Settings { reset_on_logon: true, ..Settings::acceptor() };
    acceptor.add(identity, settings, None, MemoryStore::default()).expect("a memory store does not fail");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound listener has an address").to_string();
    tokio::spawn(acceptor.serve(listener));
    address
}

async fn play(path: &Path, address: &str) -> Result<(), Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let mut connections: BTreeMap<&str, TcpStream> = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let at = |failure: &str| format!("line {}: {failure}\n  {}", number + 1, line.replace('\x01', "|"));
        let Some((kind, rest)) = line.split_at_checked(1) else { continue };
        let (name, rest) = match rest.split_once(',') {
            Some((name, rest)) if name.bytes().all(|byte| byte.is_ascii_digit()) => (name, rest),
            _ => ("", rest),
        };
        match (kind, rest.trim_end()) {
            ("i", "CONNECT") => {
                let stream = TcpStream::connect(address).await.map_err(|error| at(&error.to_string()))?;
                connections.insert(name, stream);
            }
            ("i", "DISCONNECT") => drop(connections.remove(name)),
            ("e", "DISCONNECT") => {
                let mut stream = connections.remove(name).ok_or_else(|| at("not connected"))?;
                if let Some(message) = read(&mut stream).await.map_err(|failure| at(&failure))? {
                    return Err(at(&format!("came instead: {}", message.replace('\x01', "|"))));
                }
            }
            ("I", message) => {
                let stream = connections.get_mut(name).ok_or_else(|| at("not connected"))?;
                let message = complete(&with_times(message));
                stream.write_all(message.as_bytes()).await.map_err(|error| at(&error.to_string()))?;
            }
            ("E", expected) => {
                let stream = connections.get_mut(name).ok_or_else(|| at("not connected"))?;
                let came = read(stream).await.map_err(|failure| at(&failure))?;
                let came = came.ok_or_else(|| at("disconnected instead"))?;
                compare(expected, &came).map_err(|failure| at(&failure))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn with_times(message: &str) -> String {
    let mut out = String::new();
    let mut rest = message;
    while let Some((before, after)) = rest.split_once("<TIME") {
        let (shift, after) = after.split_once('>').expect("<TIME+n>");
        let seconds: i64 = if shift.is_empty() { 0 } else { shift.parse().expect("<TIME+n>") };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
        let moment = Timestamp(i64::try_from(now).expect("before 2262")).plus_seconds(seconds);
        let mut text = Vec::new();
        moment.write(Precision::Seconds, &mut text);
        out.push_str(before);
        out.push_str(&String::from_utf8(text).expect("ASCII"));
        rest = after;
    }
    out + rest
}

/// Adds BodyLength and CheckSum where the dialogue leaves them out.
fn complete(message: &str) -> String {
    let (head, body) = match message.split_once('\x01') {
        Some((head, body)) if head.starts_with("8=") => (format!("{head}\x01"), body.to_owned()),
        _ => (String::new(), message.to_owned()),
    };
    let (body, trailer) = match body.rfind("\x0110=") {
        Some(at) => (body[..=at].to_owned(), Some(body[at + 1..].to_owned())),
        None => (body, None),
    };
    let stated = head.is_empty() || body.starts_with("9=");
    let length = if stated { String::new() } else { format!("9={}\x01", body.len()) };
    let whole = format!("{head}{length}{body}");
    let sum = whole.bytes().fold(0u8, u8::wrapping_add);
    whole + &trailer.unwrap_or_else(|| format!("10={sum:03}\x01"))
}

/// The next message, or `None` at the end of the connection.
async fn read(stream: &mut TcpStream) -> Result<Option<String>, Failure> {
    let mut message = Vec::new();
    loop {
        match timeout(PATIENCE, stream.read_u8()).await {
            Err(_) => return Err("nothing came".to_owned()),
            Ok(Err(_)) => return Ok(None),
            Ok(Ok(byte)) => message.push(byte),
        }
        let ended =
            message.len() > 8 && message.ends_with(b"\x01") && message[..message.len() - 4].ends_with(b"10=");
        if ended {
            return Ok(Some(String::from_utf8_lossy(&message).into_owned()));
        }
    }
}

fn compare(expected: &str, came: &str) -> Result<(), Failure> {
    let (wanted, given) = (fields(expected), fields(came));
    let tags = |fields: &[(&str, &str)]| fields.iter().map(|(tag, _)| (*tag).to_owned()).collect::<Vec<_>>();
    let same = tags(&wanted) == tags(&given)
        && wanted.iter().zip(&given).all(|((tag, wanted), (_, given))| match *tag {
            tag if MOMENTS.contains(&tag) => Timestamp::parse(given.as_bytes()).is_some(),
            "58" => true,
            _ => wanted == given,
        });
    if same { Ok(()) } else { Err(format!("came {}", came.replace('\x01', "|"))) }
}

fn fields(message: &str) -> Vec<(&str, &str)> {
    let split = message.split('\x01').filter_map(|field| field.split_once('='));
    split.filter(|(tag, _)| *tag == "58" || !FREE.contains(tag)).collect()
}
