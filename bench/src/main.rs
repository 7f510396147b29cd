//! Side-by-side measurements: what the project claims about its speed, against what a user would pick instead or
//! against the least that would have to be done. `README.md` beside this crate says how to read them.
//!
//! Each area measures its own claims; this file only chooses, prints and keeps.

mod clients;
mod cores;
mod engine;
mod feed;
mod fix;
mod front;
mod http;
mod jitter;
mod log;
mod machine;
mod paced;
mod report;
mod restart;
mod runtime;
mod sample;
mod server;
mod websocket;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use mimalloc::MiMalloc;

use report::{Claim, Report};

/// As the product.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Measures the project's claims and prints them as ratios of interleaved runs.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// What to measure.
    #[arg(value_enum, default_value = "all")]
    area: Area,
    /// Seconds for which each side of a round runs.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Rounds; each runs both sides, and the median of the rounds' ratios counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// A short look: 3 rounds of a second. Not for conclusions.
    #[arg(long)]
    quick: bool,
    /// Accounts of `million`.
    #[arg(long, default_value_t = 1_000_000)]
    people: u32,
    /// Where the measurements write. Choose a directory on the disk that is to be measured.
    #[arg(long, default_value = "target/bench")]
    data: PathBuf,
    /// Keeps the raw figures in `bench/results/` under the run's date, to be checked in.
    #[arg(long)]
    keep: bool,
    /// Ends with a failure when a target is not met.
    #[arg(long)]
    strict: bool,
}

/// The parts that can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Area {
    /// Everything but what takes long.
    All,
    /// The log against a bare append and fdatasync loop, and against itself.
    Log,
    /// The runtime against a queue, a thread that writes and a thread that answers.
    Runtime,
    /// The matching engine against published Rust order books (`bench/peers`).
    Engine,
    /// Order to acknowledgement over loopback, against QuickFIX C++.
    Fix,
    /// The gateway's layers, TLS, WebSockets, token and password checks.
    Front,
    /// Fan-out and timelines of the feed, against Redis.
    Feed,
    /// The feed with a million accounts; takes long, and is not among everything.
    Million,
    /// Replay of a log, and restoring a snapshot.
    Restart,
}

/// How long and where to measure.
#[derive(Debug)]
pub(crate) struct Plan {
    /// For how long each side of a round runs.
    pub(crate) span: Duration,
    /// How many rounds there are.
    pub(crate) rounds: usize,
    /// Is only a short look asked for?
    pub(crate) quick: bool,
    /// How many accounts a million are.
    pub(crate) people: u32,
    /// The directory for everything that is written.
    data: PathBuf,
}

impl Plan {
    /// A directory of its own, removed when dropped.
    pub(crate) fn scratch(&self) -> anyhow::Result<tempfile::TempDir> {
        tempfile::tempdir_in(&self.data).with_context(|| format!("cannot write in {}", self.data.display()))
    }

    /// How long to run before measuring.
    pub(crate) fn warm_up(&self) -> Duration {
        self.span / 5
    }
}

/// An area's name, and how its claims are measured.
type Measurement = (Area, &'static str, fn(&Plan) -> anyhow::Result<Vec<Claim>>);

const MEASUREMENTS: &[Measurement] = &[
    (Area::Log, "log", log::measure),
    (Area::Runtime, "runtime", runtime::measure),
    (Area::Engine, "engine", engine::measure),
    (Area::Fix, "fix", fix::measure),
    (Area::Front, "front", front::measure),
    (Area::Feed, "feed", feed::measure),
    (Area::Million, "million", feed::million::measure),
    (Area::Restart, "restart", restart::measure),
];

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    std::fs::create_dir_all(&arguments.data)
        .with_context(|| format!("cannot create {}", arguments.data.display()))?;
    let plan = if arguments.quick {
        Plan {
            span: Duration::from_secs(1),
            rounds: 3,
            quick: true,
            people: arguments.people / 50,
            data: arguments.data,
        }
    } else {
        let span = Duration::try_from_secs_f64(arguments.seconds).context("--seconds must be positive")?;
        anyhow::ensure!(!span.is_zero() && arguments.rounds > 0, "--seconds and --rounds must be positive");
        Plan { span, rounds: arguments.rounds, quick: false, people: arguments.people, data: arguments.data }
    };
    let machine = machine::Machine::describe(&plan.data);
    eprintln!("measuring jitter …");
    let jitter = jitter::Jitter::measure(plan.span.min(Duration::from_secs(1)), plan.scratch()?.path())?;
    let mut report = Report {
        machine,
        jitter,
        seconds: plan.span.as_secs_f64(),
        claims: Vec::new(),
        failures: Vec::new(),
    };
    for (area, name, measure) in MEASUREMENTS {
        let among_all = *area != Area::Million;
        if arguments.area == *area || arguments.area == Area::All && among_all {
            eprintln!("measuring {name} …");
            match measure(&plan) {
                Ok(claims) => report.claims.extend(claims),
                Err(error) => report.failures.push(format!("{name}: {error:#}")),
            }
        }
    }
    println!("{}", report.table());
    let results = PathBuf::from("bench/results");
    let name = if arguments.keep { report.machine.file_stamp() } else { "latest".to_owned() };
    let path = results.join(format!("{name}.json"));
    report.write(&path)?;
    println!("Raw figures: {}", path.display());
    let failed = !report.failures.is_empty() || (arguments.strict && !report.all_met());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
