//! `decalog seal …`: what an operator does with the keys of a sealed data directory. No data is touched.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use decalog_seal::{KeyRing, KeySource};

use crate::config;
use crate::failure::Failure;
use crate::sealing;

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Request {
    /// Make a new data key: it seals what is written from now on, the old ones stay readable
    Rotate {
        #[command(flatten)]
        at: Place,
    },
    /// Wrap the data keys by another master key; then configure that one
    Rewrap {
        #[command(flatten)]
        at: Place,
        #[command(flatten)]
        new: NewKey,
    },
}

/// Which data directory, and where its master key comes from.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// The TOML file whose [server.seal] names the master key; DECALOG__SERVER__SEAL__… variables do too
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory; overrides server.data
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Where the new master key comes from.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct NewKey {
    /// A file that only its owner may read
    #[arg(long, value_name = "FILE")]
    new_key_file: Option<PathBuf>,
    /// An environment variable
    #[arg(long, value_name = "NAME")]
    new_key_environment: Option<String>,
    /// A program and its arguments, which prints the key
    #[arg(long, value_name = "PROGRAM", num_args = 1..)]
    new_key_command: Option<Vec<String>>,
}

impl NewKey {
    fn source(self) -> KeySource {
        match (self.new_key_file, self.new_key_environment, self.new_key_command) {
            (Some(file), _, _) => KeySource::File(file),
            (_, Some(name), _) => KeySource::Environment(name),
            (_, _, words) => KeySource::Command(words.unwrap_or_default()),
        }
    }
}

impl Place {
    fn open(&self) -> Result<(PathBuf, KeySource), Failure> {
        let config = config::load(self.config.as_deref(), std::env::vars())?.config;
        let data = self.data.clone().unwrap_or(config.server.data);
        let source = sealing::source(&config.server.seal);
        Ok((data.clone(), source.ok_or(Failure::SealedData { data })?))
    }
}

pub(super) fn run(request: Request) -> Result<ExitCode, Failure> {
    match request {
        Request::Rotate { at } => {
            let (data, source) = at.open()?;
            rotate(&sealing::ring_path(&data), &source)
        }
        Request::Rewrap { at, new } => {
            let (data, source) = at.open()?;
            rewrap(&sealing::ring_path(&data), &source, &new.source())
        }
    }
}

fn rotate(path: &Path, source: &KeySource) -> Result<ExitCode, Failure> {
    let master = source.read()?;
    let key = KeyRing::open(path, &master)?.rotate(&master)?;
    println!("key {key} of {} seals from now on; back the ring up", path.display());
    println!("a running server takes it over on SIGHUP, or at its next start");
    Ok(ExitCode::SUCCESS)
}

fn rewrap(path: &Path, source: &KeySource, new: &KeySource) -> Result<ExitCode, Failure> {
    let (old, master) = (source.read()?, new.read()?);
    let ring = KeyRing::open(path, &old)?;
    ring.rewrap(&old, &master)?;
    println!("{} keys of {} are wrapped by {new}", ring.numbers().len(), path.display());
    println!("configure it in [server.seal] before the next start or SIGHUP, and back the ring up");
    Ok(ExitCode::SUCCESS)
}
