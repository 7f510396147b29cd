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

use mimalloc::MiMalloc;

/// Many threads hand each other what they have allocated, which the C library's allocator serializes
/// (docs/decisions/0009-allocator.md).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
