//! What of the pushes outlives the process: how far each partition's events were read, and what of them is not pushed yet.
//!
//! One file, written anew and put in the place of the one before. It names accounts, notifications and push services, and
//! holds no secret.

use std::io::{self, Write as _};
use std::path::Path;

use decalog_runtime::Address;
use serde::{Deserialize, Serialize};

use super::lanes::{Job, Lanes};
use crate::sabotage::{self, Sabotage};

/// How far the events were read, and what came of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// By partition: events before this address have become jobs, or nothing.
    pub cursors: Vec<Address>,
    /// The jobs that are not over.
    pub jobs: Vec<Job>,
}

impl Record {
    /// How things stand.
    pub fn of(cursors: &[Address], lanes: &Lanes) -> Record {
        let jobs = if sabotage::lacks(Sabotage::PushPending) { Vec::new() } else { lanes.jobs() };
        Record { cursors: cursors.to_vec(), jobs }
    }

    /// Reads the file; none is written yet at a first start.
    pub fn read(path: &Path) -> io::Result<Option<Record>> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the file: all of it or nothing, and synced.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let new = path.with_extension("new");
        let mut file = std::fs::File::create(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        std::fs::rename(&new, path)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::File::open(folder)?.sync_all()
    }
}
