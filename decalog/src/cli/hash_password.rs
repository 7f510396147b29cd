//! `decalog hash-password`: the argon2id hash that the configuration holds in place of a password.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use anyhow::{Context, bail};
use decalog_identity::password::hash_password;

pub(super) fn run() -> anyhow::Result<ExitCode> {
    let mut password = String::new();
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        eprintln!("Type the password and press Enter (it is shown as you type):");
    }
    stdin.read_line(&mut password).context("standard input")?;
    let password = password.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("the password is empty; write one line to standard input");
    }
    println!("{}", hash_password(password, &random_salt()?));
    Ok(ExitCode::SUCCESS)
}

/// Sixteen bytes from the system's random source.
pub(crate) fn random_salt() -> anyhow::Result<[u8; 16]> {
    let mut salt = [0; 16];
    File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut salt)).context("/dev/urandom")?;
    Ok(salt)
}
