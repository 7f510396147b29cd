//! Turns `dictionary/` into Rust: the message types, the tables that validation walks, and the typed messages.

mod read;
mod tables;
mod typed;

use std::path::Path;
use std::{env, fs};

fn main() {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("dictionary");
    let text = |name: &str| {
        let path = folder.join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    println!("cargo::rerun-if-changed=build");
    let dictionary = read::Dictionary::read(&text("fields.txt"), &text("messages.txt"), &text("typed.txt"));
    let out = env::var("OUT_DIR").expect("cargo sets it");
    let write = |name: &str, code: String| {
        fs::write(Path::new(&out).join(name), code).unwrap_or_else(|error| panic!("{name}: {error}"));
    };
    write("tables.rs", tables::emit(&dictionary));
    write("typed.rs", typed::emit(&dictionary));
}
