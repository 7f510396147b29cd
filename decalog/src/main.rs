//! The Decalog server and its command line: `decalog serve` runs the systems, the other commands look at them.
//!
//! Only this crate knows the configuration file, the process and its exit codes; what a system does is in its
//! own crate.

mod cli;
mod config;
mod demo;
mod failure;
mod feed;
mod front;
mod identity;
mod mastodon;
mod open_files;
mod outbound;
mod providers;
mod sealing;
mod serve;
mod status;
mod telemetry;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
