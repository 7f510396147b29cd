//! Accounts, their tokens and their routes, in this process.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use decalog_gateway::access::Authenticator;
use decalog_gateway::front::{Front, Settings as FrontSettings};
use decalog_gateway::gate::Gate;
use decalog_identity::api::service::{ADMIN, Apps, First, Identity, Plan as Start, SELF, Settings};
use decalog_identity::api::{oauth, rest};
use decalog_identity::value::SECOND;
use decalog_runtime::Config;
use decalog_runtime::clock::SystemClock;
use decalog_runtime::erasure::Erasures;
use decalog_runtime::store::FolderStore;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::sign_in::{self, Program};
use crate::Plan;
use crate::log::open_log;

const DAY: i64 = 86_400 * SECOND;

/// A directory that runs until it is dropped, on the cores of the thread that starts it.
pub(crate) struct Directory {
    identity: Arc<Identity>,
    first: First,
    address: SocketAddr,
    runtime: Runtime,
    _files: TempDir,
}

impl Directory {
    /// Starts an empty one.
    pub(crate) fn start(plan: &Plan) -> anyhow::Result<Self> {
        let files = plan.scratch()?;
        let runtime = Runtime::new()?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let inside = runtime.enter();
        let (identity, first) = Identity::start(start(files.path(), address)?)?;
        drop(inside);
        let first = first.context("an empty directory makes a first account")?;
        let routes = oauth::routes().merge(rest::routes()).with_state(Arc::clone(&identity));
        let gate = Gate::new(identity.authenticator());
        let door = Front::new(gate, FrontSettings::default()).with(routes).open();
        runtime.spawn(async move { axum::serve(listener, axum::ServiceExt::into_make_service(door)).await });
        Ok(Self { identity, first, address, runtime, _files: files })
    }

    /// A program that gets tokens from it.
    pub(crate) fn program(&self) -> anyhow::Result<Program> {
        let administrator = sign_in::token(self.address, &self.first.name, &self.first.password)?;
        Program::register(self.address, &administrator, SELF)
    }

    /// What checks them.
    pub(crate) fn authenticator(&self) -> Arc<dyn Authenticator> {
        self.identity.authenticator()
    }

    /// What runs it.
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.identity.stop();
    }
}

fn start(directory: &Path, server: SocketAddr) -> anyhow::Result<Start> {
    let issuer = format!("http://{server}");
    let rights = [SELF.to_owned(), ADMIN.to_owned()];
    Ok(Start {
        log: open_log(&directory.join("journal"))?,
        store: Arc::new(FolderStore::new(directory.join("snapshots"))),
        journal: directory.join("events"),
        seal: None,
        keys: directory.join("keys"),
        audit: directory.join("audit"),
        erasures: Arc::new(Erasures::open(&directory.join("erasures"))?),
        runtime: Config::default(),
        meter: Arc::new(()),
        clock: Arc::new(SystemClock),
        fatal: Arc::new(|fatal| eprintln!("{fatal}")),
        fetch: Arc::new(()),
        settings: Settings {
            audience: issuer.clone(),
            issuer,
            rights: rights.into(),
            user_rights: [SELF.to_owned()].into(),
            access_lifetime: DAY,
            refresh_lifetime: DAY,
            logon_lifetime: DAY,
            key_period: DAY,
            open_registration: false,
            open_accounts: false,
            apps: Apps::default(),
            password_checks: 1,
            password_queue: 64,
            audit_days: 365,
            accounts: Vec::new(),
            providers: Vec::new(),
        },
    })
}
