//! The command line: what can be asked of the binary, and how it exits.
//!
//! Exit codes: 0 done; 1 failed, with a coded message (docs/errors.md); 2 wrong usage.

mod audit;
mod check_config;
mod hash_password;
mod log;
mod routes;
mod seal;
mod status;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;
use crate::serve;

/// Ten systems on one log. This build runs the exchange.
#[derive(Debug, Parser)]
#[command(name = "decalog", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the systems until SIGTERM or Ctrl-C
    Serve {
        /// The TOML file; decalog.example.toml documents every key
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Where journal, snapshots and events lie; overrides server.data
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// List demo instruments and let simulated participants trade
        #[arg(long)]
        demo: bool,
    },
    /// Check a configuration file (and DECALOG__… variables) without starting anything
    CheckConfig {
        /// The TOML file; decalog.example.toml documents every key
        file: PathBuf,
    },
    /// Show how a running server fares
    Status(status::Request),
    /// Look at the journal of a data directory
    #[command(subcommand)]
    Log(log::Request),
    /// Keys of a sealed data directory
    #[command(subcommand)]
    Seal(seal::Request),
    /// List security events: logons, grants, changes of rights, revocations
    Audit(audit::Request),
    /// List every HTTP route and what it asks for
    Routes,
    /// Read a password from standard input and print its hash for [[identity.accounts]]
    HashPassword,
    /// The exchange: look at it
    #[command(subcommand)]
    Exchange(ExchangeCommand),
}

#[derive(Debug, Subcommand)]
enum ExchangeCommand {
    /// Show an instrument's live book in the terminal until Ctrl-C
    Watch(watch::Request),
}

/// Parses the arguments, runs the command, prints a failure to standard error.
pub(crate) fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Serve { config, data, demo } => {
            serve::run(&serve::Request { config, data, demo }).map(|()| ExitCode::SUCCESS).map_err(Into::into)
        }
        Command::CheckConfig { file } => check_config::run(&file),
        Command::Status(request) => status::run(&request),
        Command::Log(request) => log::run(request),
        Command::Audit(request) => audit::run(&request),
        Command::Seal(request) => seal::run(request).map_err(Into::into),
        Command::Routes => Ok(routes::run()),
        Command::HashPassword => hash_password::run(),
        Command::Exchange(ExchangeCommand::Watch(request)) => watch::run(&request),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            match error.downcast_ref::<Failure>() {
                Some(failure) => eprintln!("decalog: {}: {failure} (docs/errors.md)", failure.code()),
                None => eprintln!("decalog: {error:#}"),
            }
            ExitCode::FAILURE
        }
    }
}
