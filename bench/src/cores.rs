//! Keeps the FIX client and the server off each other's cores: the client never sleeps, so it takes the last core
//! for itself and the server, whichever it is, gets all others. On a single core there is nothing to divide.

use anyhow::Context as _;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores this process may use, divided.
pub(crate) struct Cores {
    all: CpuSet,
    server: CpuSet,
    client: CpuSet,
}

impl Cores {
    /// Divides what this process may use now.
    pub(crate) fn divide() -> anyhow::Result<Self> {
        let all = sched_getaffinity(None).context("cannot ask for the cores this process may use")?;
        let usable: Vec<_> = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)).collect();
        let (mut server, mut client) = (all, all);
        if let [first @ .., last] = usable.as_slice()
            && !first.is_empty()
        {
            client = CpuSet::new();
            client.set(*last);
            server.unset(*last);
        }
        Ok(Self { all, server, client })
    }

    /// What this thread starts from here on is a server.
    pub(crate) fn for_server(&self) -> anyhow::Result<()> {
        sched_setaffinity(None, &self.server).context("cannot choose the server's cores")
    }

    /// This thread is the client from here on.
    pub(crate) fn for_client(&self) -> anyhow::Result<()> {
        sched_setaffinity(None, &self.client).context("cannot choose the client's core")
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        // What is measured afterwards uses every core again; that it may was true before.
        let _ = sched_setaffinity(None, &self.all);
    }
}
