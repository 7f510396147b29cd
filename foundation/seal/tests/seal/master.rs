//! Where a master key comes from, and what is refused.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use decalog_seal::{KeyRing, KeySource, MasterKey, SealError};

const DIGITS: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";

fn bytes() -> [u8; 32] {
    std::array::from_fn(|at| u8::try_from(at).unwrap())
}

fn key_file(folder: &Path, text: &str, mode: u32) -> KeySource {
    let path = folder.join("key");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    KeySource::File(path)
}

fn shell(script: &str) -> KeySource {
    KeySource::Command(["sh", "-c", script].map(str::to_owned).to_vec())
}

/// Is it the key of `DIGITS`? Told by what it opens.
fn assert_is_the_key(source: &KeySource) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring");
    KeyRing::create(&path, &MasterKey::new(bytes())).unwrap();
    KeyRing::open(&path, &source.read().unwrap()).unwrap();
}

#[test]
fn a_key_comes_from_a_file_the_environment_or_a_command() {
    let folder = tempfile::tempdir().unwrap();
    assert_is_the_key(&key_file(folder.path(), &format!("{DIGITS}\n"), 0o600));
    assert_is_the_key(&key_file(folder.path(), DIGITS, 0o400));
    assert_is_the_key(&shell(&format!("echo {DIGITS}")));
    // Cargo sets this one: a test cannot set a variable of its own process without `unsafe`.
    let refused = KeySource::Environment("CARGO_PKG_NAME".to_owned()).read().unwrap_err().to_string();
    assert!(refused.contains("CARGO_PKG_NAME") && refused.contains("64 hexadecimal digits"), "{refused}");
    assert!(!refused.contains("decalog-seal"), "what was read is shown: {refused}");
    let unset = KeySource::Environment("DECALOG_NO_SUCH_VARIABLE".to_owned()).read().unwrap_err();
    assert!(unset.to_string().contains("is not set"), "{unset}");
}

#[test]
pub(crate) fn a_key_file_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o640, 0o604, 0o660, 0o602] {
        let refused = key_file(folder.path(), DIGITS, mode).read().expect_err("others may read the key");
        let words = refused.to_string();
        assert!(matches!(refused, SealError::Master { .. }) && words.contains("chmod 600"), "{words}");
        assert!(words.contains(&format!("{mode:04o}")), "{words}");
    }
}

#[test]
fn what_is_no_key_is_refused_without_being_shown() {
    let folder = tempfile::tempdir().unwrap();
    let long = DIGITS.repeat(5);
    for text in
        ["", "short", &DIGITS[1..], &long, "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"]
    {
        let refused = key_file(folder.path(), text, 0o600).read().unwrap_err().to_string();
        assert!(refused.contains("64 hexadecimal digits"), "{refused}");
        assert!(text.is_empty() || !refused.contains(text), "{refused}");
    }
    let missing = KeySource::File(folder.path().join("none")).read().unwrap_err().to_string();
    assert!(missing.contains("none"), "{missing}");
    let folder_itself = KeySource::File(folder.path().to_owned()).read().unwrap_err().to_string();
    assert!(folder_itself.contains("regular file"), "{folder_itself}");
    let failed = shell(&format!("echo {DIGITS}; exit 3")).read().unwrap_err().to_string();
    assert!(failed.contains("exit status: 3") && !failed.contains(DIGITS), "{failed}");
    let missing = KeySource::Command(vec!["/no/such/program".to_owned()]).read().unwrap_err().to_string();
    assert!(missing.contains("/no/such/program"), "{missing}");
    assert!(KeySource::Command(Vec::new()).read().is_err());
}

#[test]
fn nothing_shows_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let master = MasterKey::new([0xAB; 32]);
    let ring = KeyRing::create(&folder.path().join("ring"), &master).unwrap();
    let shown = format!("{master:?} {ring:?}");
    assert!(!shown.contains("171") && !shown.to_lowercase().contains("abab"), "{shown}");
    let file = fs::read_to_string(folder.path().join("ring")).unwrap();
    assert!(!file.contains("abab"), "{file}");
}
