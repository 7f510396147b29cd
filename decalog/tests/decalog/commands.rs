//! Commands that need no trading: configuration, passwords, directories in use.

use crate::server::{Site, decalog, run, texts};

#[test]
fn the_example_configuration_is_good() {
    let output = run(&["check-config", concat!(env!("CARGO_MANIFEST_DIR"), "/../decalog.example.toml")]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_wrong_value_is_refused_with_a_code_by_check_and_serve_alike() {
    let site = Site::new();
    let text = std::fs::read_to_string(site.config()).unwrap();
    std::fs::write(site.config(), text.replace("tick_size = \"0.01\"", "tick_size = \"0\"")).unwrap();
    let config = site.config();
    let config = config.to_str().unwrap();
    let data = site.data();
    let commands: [&[&str]; 2] =
        [&["check-config", config], &["serve", "--config", config, "--data", data.to_str().unwrap()]];
    for arguments in commands {
        let output = run(arguments);
        let (_, error) = texts(&output);
        assert_eq!(output.status.code(), Some(1));
        assert!(error.contains("E-CONFIG: ") && error.contains("tick_size = \"0\""), "{error}");
    }
    assert!(!site.data().exists(), "a refused configuration leaves nothing behind");
}

#[test]
fn nothing_to_serve_is_said() {
    let output = run(&["serve", "--data", "/nonexistent"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(texts(&output).1.contains("--demo"));
}

#[test]
fn a_password_becomes_a_hash_that_the_configuration_takes() {
    let mut command = decalog();
    command.arg("hash-password").stdin(std::process::Stdio::piped());
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"secret\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(texts(&output).0.starts_with("$argon2id$v=19$"), "{output:?}");
}

#[test]
fn a_second_server_on_the_same_data_names_the_first() {
    let site = Site::new();
    let server = site.start();
    let output =
        decalog().arg("serve").arg("--config").arg(site.config()).arg("--data").arg(site.data()).output();
    let output = output.unwrap();
    let (_, error) = texts(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("E-DATA-HELD") && error.contains(&format!("process {}", server.pid())), "{error}");
    assert_eq!(server.stop(), Some(0), "the first goes on until it is told to stop");
}

#[test]
fn an_address_in_use_is_named_and_leaves_nothing_behind() {
    let site = Site::new();
    let server = site.start();
    let other = Site::new();
    let text = std::fs::read_to_string(other.config()).unwrap();
    let taken = format!("[exchange.fix]\nlisten = \"{}\"", server.fix);
    std::fs::write(other.config(), text.replace("[exchange.fix]\nlisten = \"127.0.0.1:0\"", &taken)).unwrap();
    let output =
        decalog().arg("serve").arg("--config").arg(other.config()).arg("--data").arg(other.data()).output();
    let (_, error) = texts(&output.unwrap());
    assert!(error.contains("E-LISTEN") && error.contains(&server.fix.to_string()), "{error}");
    assert!(!other.data().exists());
}

#[test]
fn a_data_directory_without_a_journal_is_not_looked_at() {
    let site = Site::new();
    for command in ["stat", "cat", "verify"] {
        let output = site.log(&[command]);
        assert_eq!(output.status.code(), Some(1), "{command}");
        assert!(!site.data().exists(), "{command} makes nothing");
    }
}
