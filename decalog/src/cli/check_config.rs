//! `decalog check-config FILE`: what `serve` would say about a configuration, without starting anything.

use std::path::Path;
use std::process::ExitCode;

use crate::config;
use crate::failure::Failure;

pub(super) fn run(file: &Path) -> anyhow::Result<ExitCode> {
    let loaded = config::load(Some(file), std::env::vars()).map_err(Failure::from)?;
    let units = &loaded.config.exchange.units;
    let count = |of: fn(&config::Unit) -> usize| units.iter().map(of).sum::<usize>();
    println!(
        "{}: good: {} unit(s), {} instrument(s), {} account(s), {} FIX session(s)",
        file.display(),
        units.len(),
        count(|unit| unit.instruments.len()),
        count(|unit| unit.accounts.len()),
        count(|unit| unit.sessions.len()),
    );
    Ok(ExitCode::SUCCESS)
}
