//! The product is built without the means to take a guarantee out.

use std::process::Command;

#[test]
#[cfg(not(feature = "sabotage"))]
fn this_build_cannot_be_sabotaged() {
    // The field exists in the sabotaged build only; without it this names every option there is.
    let decalog_log::Options {
        segment_bytes: _,
        max_bytes: _,
        finish_after: _,
        on_sync: _,
        reserve_bytes: _,
        os_sync_millis: _,
        idle_mark_millis: _,
        salt: _,
        seal: _,
    } = decalog_log::Options::default();
}

#[test]
fn the_binary_is_built_without_sabotage() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let arguments =
        ["tree", "--offline", "-p", "decalog", "-e", "normal", "--prefix", "none", "-f", "{p} [{f}]"];
    let output =
        Command::new(cargo).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let log =
        tree.lines().find(|line| line.starts_with("decalog-log ")).expect("the binary stands on the log");
    assert!(log.trim_end_matches(" (*)").ends_with("[]"), "the log is built with features: {log}");
    assert!(!tree.contains("sabotage"), "{tree}");
}
