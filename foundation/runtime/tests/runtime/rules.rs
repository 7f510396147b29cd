//! Rules with versions: a program with newer rules goes on with the log of an older one, and answers for the old
//! records what the old one answered.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use decalog_log::{Allowance, BatchBuilder, Listener, Log, LogError, Offset};
use decalog_runtime::{
    DecodeError, Digest, Durability, Health, Origin, Outbox, Partition, Setup, Stamp, StateMachine, System,
    Timestamp, Wire, pack, partition_id, unpack,
};

use crate::stand::{NOON, SYSTEM, Stand, until};

/// A till that keeps a tenth of what is paid. Rules 1 round its share down and tell the amount; rules 2 round half
/// up, and tell the share as well.
#[derive(Default)]
struct Till<const NEWEST: u32> {
    paid: u64,
    share: u64,
    last: i64,
}

/// An amount that somebody pays.
struct Pay(u64);

/// What the till has kept in all.
#[derive(Debug, PartialEq)]
struct Kept(u64);

/// What was paid, and from rules 2 on the till's share of it.
#[derive(Debug, PartialEq)]
struct Paid(u64, Option<u64>);

impl Wire for Pay {
    fn kind(&self, _rules: u32) -> (u16, u16) {
        (1, 1)
    }
    fn encode(&self, _rules: u32, out: &mut Vec<u8>) {
        pack(&self.0, out);
    }
    fn decode(kind: u16, version: u16, body: &[u8]) -> Result<Self, DecodeError> {
        unpack(kind, version, body).map(Pay)
    }
}

impl Wire for Kept {
    fn kind(&self, _rules: u32) -> (u16, u16) {
        (2, 1)
    }
    fn encode(&self, _rules: u32, out: &mut Vec<u8>) {
        pack(&self.0, out);
    }
    fn decode(kind: u16, version: u16, body: &[u8]) -> Result<Self, DecodeError> {
        unpack(kind, version, body).map(Kept)
    }
}

impl Wire for Paid {
    fn kind(&self, rules: u32) -> (u16, u16) {
        (3, if rules < 2 { 1 } else { 2 })
    }
    fn encode(&self, rules: u32, out: &mut Vec<u8>) {
        if rules < 2 { pack(&self.0, out) } else { pack(&(self.0, self.1), out) }
    }
    fn decode(kind: u16, version: u16, body: &[u8]) -> Result<Self, DecodeError> {
        if version < 2 {
            return Ok(Paid(unpack(kind, version, body)?, None));
        }
        unpack(kind, version, body).map(|(amount, share)| Paid(amount, share))
    }
}

impl<const NEWEST: u32> StateMachine for Till<NEWEST> {
    type Command = Pay;
    type Reply = Kept;
    type Event = Paid;
    const RULES: u32 = NEWEST;
    const DEDUPE_WINDOW: usize = 8;

    fn apply(&mut self, at: &Stamp, Pay(amount): Pay, out: &mut Outbox<Paid>) -> Kept {
        let share = if at.rules < 2 { amount / 10 } else { (amount + 5) / 10 };
        self.paid += amount;
        self.share += share;
        self.last = at.time.0;
        out.emit(Paid(amount, (at.rules >= 2).then_some(share)));
        Kept(self.share)
    }
    fn deadline(&self) -> Option<Timestamp> {
        None
    }
    fn expire(&mut self, _at: &Stamp, _out: &mut Outbox<Paid>) {}
    fn snapshot(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut bytes = Vec::new();
        pack(&(self.paid, self.share, self.last), &mut bytes);
        out.write_all(&bytes)
    }
    fn restore(&mut self, from: &mut dyn Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes)?;
        (self.paid, self.share, self.last) = unpack(0, 0, &bytes).map_err(io::Error::other)?;
        Ok(())
    }
    fn digest(&self) -> Digest {
        let mut bytes = Vec::new();
        self.snapshot(&mut bytes).expect("a vector takes all");
        Digest::of(&bytes)
    }
}

fn start<const NEWEST: u32>(stand: &Stand) -> System<Till<NEWEST>> {
    start_on(stand, stand.log())
}

fn start_on<const NEWEST: u32>(stand: &Stand, log: Arc<dyn Log>) -> System<Till<NEWEST>> {
    let mut setup = Setup::new(log, Arc::new(stand.store.clone()), |_| Till::default());
    (setup.config, setup.clock) = (stand.config.clone(), stand.clock.clone());
    System::start(setup, SYSTEM, 1).expect("the system starts")
}

fn pay<const NEWEST: u32>(till: &Partition<Till<NEWEST>>, client: u64, sequence: u64, amount: u64) -> u64 {
    let origin = Origin { client, sequence, ..Origin::default() };
    till.submit_blocking(origin, &Pay(amount)).expect("the till takes it").reply.0
}

fn kept<const NEWEST: u32>(till: &Partition<Till<NEWEST>>) -> u64 {
    till.read_blocking(0, |till| till.share).expect("a read").value
}

/// The old program takes two payments, the new one two more of the same.
fn history(stand: &Stand) -> Digest {
    let old = start::<1>(stand);
    assert_eq!((pay(old.partition(0), 1, 1, 19), pay(old.partition(0), 1, 2, 16)), (1, 2), "rounded down");
    old.shutdown();
    stand.clock.set_utc(NOON.plus_nanos(7));
    let new = start::<2>(stand);
    let till = new.partition(0);
    until("the new rules", || till.status().rules == 2);
    assert_eq!((pay(till, 1, 3, 19), pay(till, 2, 1, 16)), (4, 6), "rounded half up");
    assert_eq!(pay(till, 1, 1, 19), 1, "a repeat gets the answer of its time");
    let digest = till.read_blocking(0, StateMachine::digest).expect("a read").value;
    new.shutdown();
    digest
}

#[test]
fn a_newer_program_keeps_old_answers_and_gives_new_ones_by_new_rules() {
    let stand = Stand::new();
    let lived = history(&stand);
    let again = start::<2>(&stand);
    let till = again.partition(0);
    assert_eq!(till.read_blocking(0, StateMachine::digest).unwrap().value, lived, "both rules, by replay");
    let mut events = till.subscribe(decalog_runtime::Address::default()).expect("from the beginning");
    let told: Vec<Paid> = std::iter::from_fn(|| events.try_next().unwrap()).map(|it| it.event).collect();
    assert_eq!(told, [Paid(19, None), Paid(16, None), Paid(19, Some(2)), Paid(16, Some(2))]);
}

#[test]
fn rules_stay_where_they_are_until_somebody_raises_them() {
    let mut stand = Stand::new();
    stand.config.raise_rules = false;
    let system = start::<2>(&stand);
    let till = system.partition(0);
    assert_eq!(pay(till, 0, 0, 19), 1, "as the other replicas may still have it");
    till.raise_rules(2).expect("queued");
    assert_eq!(pay(till, 0, 0, 19), 3, "rounded half up from here on");
    till.raise_rules(1).expect("queued");
    assert_eq!(pay(till, 0, 0, 19), 5, "never back");
    until("what is told of it", || till.status().rules == 2);
}

#[test]
fn an_older_program_stops_where_the_rules_were_raised() {
    let stand = Stand::new();
    history(&stand);
    let old = start::<1>(&stand);
    let till = old.partition(0);
    let Health::Halted(halt) = till.status().health else { panic!("it runs under rules it does not know") };
    assert_eq!(halt.offset, 2, "the record that raised them");
    assert!(halt.reason.contains("raises the rules to 2, this program knows 1"), "{halt}");
    assert_eq!(kept(till), 2, "reads go on before it");
}

struct Nobody;

impl Listener for Nobody {
    fn advanced(&self, _durable: Offset, _synced: Offset) {}
    fn failed(&self, error: Arc<LogError>) {
        panic!("{error}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(digit).collect()
}

/// What a released program wrote, read by today's: records, digests in batch headers, and the state at the end. The file
/// is written when it is not there, and never changes after that.
#[test]
fn a_log_written_long_ago_is_read_as_it_was_meant() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runtime/golden/till.txt");
    let id = partition_id(SYSTEM, 0);
    let Ok(golden) = std::fs::read_to_string(&path) else {
        let stand = Stand::new();
        let digest = history(&stand);
        let log = stand.log();
        let mut text = String::new();
        let mut reader = log.read(id, 0).expect("a history");
        while let Some(batch) = reader.next().expect("a whole history") {
            text.push_str(&format!("batch {}\n", hex(batch.context())));
            for (_, record) in batch.records() {
                text.push_str(&format!("record {}\n", hex(record)));
            }
        }
        text.push_str(&format!("digest {digest}\n"));
        std::fs::write(&path, text).expect("the golden folder can be written");
        panic!("{} was not there and is now: look at it, then check it in", path.display());
    };
    let stand = Stand::new();
    stand.clock.set_utc(NOON.plus_nanos(7));
    let log = stand.log();
    log.open(id, Durability::Os, Arc::new(Nobody)).expect("the partition is free");
    let (mut next, mut batch, mut digest) = (0, BatchBuilder::new(), None);
    let mut write = |batch: &mut BatchBuilder| {
        if !batch.is_empty() {
            log.append(id, next, batch, Allowance::Ordinary).expect("space for it");
            next += u64::from(batch.count());
            batch.clear();
        }
    };
    for line in golden.lines() {
        match line.split_once(' ').expect("a word and a value") {
            ("batch", context) => {
                write(&mut batch);
                batch.set_context(unhex(context).try_into().expect("24 bytes"));
            }
            ("record", record) => batch.push(&unhex(record)).expect("a small record"),
            ("digest", text) => digest = Some(text.to_owned()),
            (other, _) => panic!("{other}?"),
        }
    }
    write(&mut batch);
    log.close(id);
    let system = start_on::<2>(&stand, log);
    let till = system.partition(0);
    assert_eq!(till.status().health, Health::Running);
    let found = till.read_blocking(0, StateMachine::digest).expect("a read").value;
    assert_eq!(Some(found.to_string()), digest);
    assert_eq!((kept(till), pay(till, 1, 2, 16)), (6, 2), "the state, and what repeats are answered");
}
