//! A table-backed system: a guest book whose pages grow for ever. Over fjall in the product's way, over the model in
//! the harness and the simulator: the same code.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use decalog_log::Durability;
use decalog_runtime::harness::{Outcome, Plan, Scenario, Step, prove};
use decalog_runtime::sim::{self, Simulated};
use decalog_runtime::store::{MemoryStore, Store};
use decalog_runtime::tables::{Backing, Database, ModelBacking, Tables, fill};
use decalog_runtime::{
    DecodeError, Digest, Origin, Outbox, PartitionId, Setup, Stamp, StateMachine, System, Timestamp, Wire,
    pack, partition_id, unpack,
};
use serde::{Deserialize, Serialize};

use crate::stand::{PARTITIONS, SYSTEM, Stand};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Writes an entry.
    Sign { guest: u8, words: String },
    /// Takes an entry out.
    Erase { guest: u8, number: u64 },
    /// A bug, after it has changed something.
    Tear { guest: u8 },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reply {
    Signed { number: u64 },
    Erased,
    Unknown,
}

impl Wire for Command {
    fn kind(&self, _rules: u32) -> (u16, u16) {
        (1, 1)
    }
    fn encode(&self, _rules: u32, out: &mut Vec<u8>) {
        pack(self, out);
    }
    fn decode(kind: u16, version: u16, body: &[u8]) -> Result<Self, DecodeError> {
        unpack(kind, version, body)
    }
}

impl Wire for Reply {
    fn kind(&self, _rules: u32) -> (u16, u16) {
        (2, 1)
    }
    fn encode(&self, _rules: u32, out: &mut Vec<u8>) {
        pack(self, out);
    }
    fn decode(kind: u16, version: u16, body: &[u8]) -> Result<Self, DecodeError> {
        unpack(kind, version, body)
    }
}

/// Nothing but tables: `c` + guest → entries ever made; `e` + guest + number → words.
pub(crate) struct GuestBook {
    tables: Tables,
}

impl GuestBook {
    fn over(backing: Arc<dyn Backing>) -> GuestBook {
        GuestBook { tables: Tables::new(backing) }
    }
}

fn entry(guest: u8, number: u64) -> Vec<u8> {
    [&[b'e', guest][..], &number.to_be_bytes()].concat()
}

impl StateMachine for GuestBook {
    type Command = Command;
    type Reply = Reply;
    type Event = ();
    const DEDUPE_WINDOW: usize = 20;

    fn apply(&mut self, _at: &Stamp, command: Command, out: &mut Outbox<()>) -> Reply {
        match command {
            Command::Sign { guest, words } => {
                let made = self.tables.get(&[b'c', guest]).map_or(0, |bytes| bytes.len() as u64);
                let number = self.tables.scan(&[b'e', guest]).len() as u64 + made;
                self.tables.put(&[b'c', guest], &vec![1; usize::try_from(made + 1).unwrap() % 50]);
                self.tables.put(&entry(guest, number), words.as_bytes());
                out.emit(());
                Reply::Signed { number }
            }
            Command::Erase { guest, number } => match self.tables.get(&entry(guest, number)) {
                Some(_) => {
                    self.tables.remove(&entry(guest, number));
                    Reply::Erased
                }
                None => Reply::Unknown,
            },
            Command::Tear { guest } => {
                self.tables.put(&entry(guest, 0), b"torn");
                panic!("the page is torn");
            }
        }
    }
    fn deadline(&self) -> Option<Timestamp> {
        None
    }
    fn expire(&mut self, _at: &Stamp, _out: &mut Outbox<()>) {}
    fn snapshot(&self, out: &mut dyn Write) -> io::Result<()> {
        self.tables.snapshot(out)
    }
    fn restore(&mut self, from: &mut dyn Read) -> io::Result<()> {
        self.tables.restore(from)
    }
    fn digest(&self) -> Digest {
        self.tables.digest()
    }
    fn tables(&mut self) -> Option<&mut Tables> {
        Some(&mut self.tables)
    }
}

fn start(stand: &Stand, folder: &Path) -> System<GuestBook> {
    let database = Database::open(folder, 8 << 20, PARTITIONS).unwrap();
    let make = move |id: PartitionId| GuestBook::over(Arc::new(database.partition(id).unwrap()));
    let mut setup = Setup::new(stand.log(), Arc::new(stand.store.clone()), make);
    (setup.config, setup.clock) = (stand.config.clone(), stand.clock.clone());
    System::start(setup, SYSTEM, PARTITIONS).unwrap()
}

fn digests(system: &System<GuestBook>) -> Vec<Digest> {
    let digest = |partition: &decalog_runtime::Partition<GuestBook>| {
        partition.read_blocking(0, StateMachine::digest).unwrap().value
    };
    system.partitions().iter().map(digest).collect()
}

fn sign(system: &System<GuestBook>, index: usize, sequence: u64) -> Reply {
    let origin = Origin { client: 1, sequence, ..Origin::default() };
    let command = Command::Sign { guest: 1, words: format!("words of {sequence}") };
    system.partition(index).submit_blocking(origin, &command).unwrap().reply
}

#[test]
fn tables_in_fjall_survive_restarts_and_let_the_log_go() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::new();
    let mut lived = Vec::new();
    for life in 0..3_u64 {
        let system = start(&stand, folder.path());
        if life > 0 {
            assert_eq!(digests(&system), lived, "life {life}");
            assert_eq!(sign(&system, 0, 0), Reply::Signed { number: 0 }, "the window is in the tables too");
        }
        for index in 0..usize::from(PARTITIONS) {
            for number in 0..5 {
                sign(&system, index, life * 5 + number);
            }
        }
        let words = system.partition(1).read_blocking(0, |book| book.tables.get(&entry(1, 0))).unwrap();
        assert_eq!(words.value.as_deref(), Some(&b"words of 0"[..]), "reads go to the tables");
        let offset = system.partition(1).snapshot_blocking().unwrap();
        assert!(offset >= 5 * (life + 1) - 1, "what is synced is in the tables: {offset}");
        lived = digests(&system);
        system.shutdown();
    }
    // A picture of the tables, in other tables, is the same state.
    let other = ModelBacking::new();
    let id = partition_id(SYSTEM, 1);
    let name = stand.store.list(&format!("p{:08x}/snapshot-", id.0)).unwrap().pop().unwrap();
    fill(&other, &mut stand.store.get(&name).unwrap()).unwrap();
    let other = Arc::new(other);
    let mut setup = Setup::new(stand.log(), Arc::new(MemoryStore::new()), move |id: PartitionId| {
        let backing = if id.0 & 0xffff == 1 { (*other).clone() } else { ModelBacking::new() };
        GuestBook::over(Arc::new(backing))
    });
    (setup.config, setup.clock) = (stand.config.clone(), stand.clock.clone());
    let system = System::start(setup, SYSTEM, PARTITIONS).unwrap();
    assert_eq!(digests(&system), lived);
}

#[test]
fn a_bug_leaves_nothing_in_the_tables() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::new();
    let system = start(&stand, folder.path());
    let before = {
        sign(&system, 2, 1);
        digests(&system)
    };
    let torn = system.partition(2).submit_blocking(Origin::default(), &Command::Tear { guest: 1 });
    assert!(torn.is_err());
    crate::stand::until("the rebuilt state", || system.partition(2).read_blocking(0, |_| ()).is_ok());
    assert_eq!(digests(&system), before, "the open table batch is gone with the state");
    system.shutdown();
    assert_eq!(digests(&start(&stand, folder.path())), before);
}

/// Guest books over models, one for each partition.
#[derive(Clone)]
pub(crate) struct Guests {
    models: Vec<ModelBacking>,
    sequence: u64,
}

impl Guests {
    pub(crate) fn new() -> Guests {
        Guests { models: (0..PARTITIONS).map(|_| ModelBacking::new()).collect(), sequence: 0 }
    }
}

impl Scenario for Guests {
    type Machine = GuestBook;
    const COMMANDS: &'static [&'static str] = &["sign", "erase"];
    const REFUSALS: &'static [&'static str] = &["unknown"];
    fn machine(&self) -> GuestBook {
        GuestBook::over(Arc::new(ModelBacking::new()))
    }
    fn step(&mut self, random: &mut fastrand::Rng, _state: &GuestBook) -> Step<Command> {
        let guest = random.u8(0..3);
        let command = if random.u32(0..3) > 0 {
            Command::Sign { guest, words: random.u16(..).to_string() }
        } else {
            Command::Erase { guest, number: random.u64(0..10) }
        };
        self.sequence += 1;
        let origin = Origin { client: random.u64(0..2), sequence: self.sequence, ..Origin::default() };
        Step { origin, wait_nanos: 10, command }
    }
    fn name(command: &Command) -> &'static str {
        match command {
            Command::Sign { .. } => "sign",
            Command::Erase { .. } => "erase",
            Command::Tear { .. } => "tear",
        }
    }
    fn outcome(reply: &Reply) -> Outcome {
        match reply {
            Reply::Unknown => Outcome::Refused("unknown"),
            _ => Outcome::Accepted,
        }
    }
}

impl Simulated for Guests {
    fn machine_of(&self, partition: PartitionId) -> GuestBook {
        GuestBook::over(Arc::new(self.models[(partition.0 & 0xffff) as usize].clone()))
    }
    fn fresh(&self) -> Guests {
        Guests::new()
    }
    fn power_cut(&self) {
        self.models.iter().for_each(ModelBacking::crash);
    }
}

#[test]
fn a_table_backed_machine_keeps_every_property() {
    prove(&mut Guests::new(), Plan { seed: 5, histories: 10, length: 150 });
}

#[test]
fn tables_and_log_agree_after_every_crash() {
    for (seed, durability) in [(1, Durability::Fsync), (2, Durability::Os)] {
        let plan = sim::Plan {
            seed,
            partitions: PARTITIONS,
            crashes: 60,
            actions: 60,
            durability,
            journal_each: false,
        };
        let report = sim::run(&Guests::new(), plan);
        assert!(report.answered > 300 && report.snapshots > 20 && report.lost > 50, "{report:?}");
    }
}
