//! The audit trail on disk: each event once whatever happens, sealed when asked for, silent about who was erased.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::{Method, StatusCode};
use decalog_identity::event::{AccountOpened, Event};
use decalog_identity::projection::audit::Entry;
use decalog_identity::projection::trail::{Files, Trail};
use decalog_identity::value::SECOND;
use decalog_runtime::Address;
use decalog_seal::{KeyRing, MasterKey};
use serde_json::{Value, json};

use crate::desk::Place;
use crate::doors::Scene;
use crate::life::set;

const DAY: i64 = 86_400 * SECOND;

fn opened(number: u64, account: u64) -> Entry {
    let name = format!("person-{account}");
    let what = AccountOpened { name, scopes: set(&["a:read"]), service: false }.into();
    let time = 1_700_000_000 * SECOND + i64::try_from(number / 8).unwrap() * DAY;
    Entry::of(
        Address { offset: number / 2, index: (number % 2) as u32 },
        time,
        &Event { by: 1, account, what },
    )
}

/// Entries over three days.
fn history() -> Vec<Entry> {
    (0..20).map(|number| opened(number, number % 3)).collect()
}

fn files(folder: &Path) -> Files {
    Files::new(folder, None)
}

fn all(files: &Files) -> Vec<Entry> {
    files.days().unwrap().into_iter().flat_map(|day| files.read(day).unwrap()).collect()
}

fn newest(folder: &Path) -> PathBuf {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).max().expect("a file")
}

fn holds(folder: &Path, word: &str) -> bool {
    let mut paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.any(|path| fs::read(path).unwrap().windows(word.len()).any(|window| window == word.as_bytes()))
}

#[test]
pub(crate) fn wherever_it_is_cut_off_it_goes_on_once() {
    let entries = history();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("audit");
    let mut trail = Trail::open(files(&folder), 365).unwrap();
    trail.append(&entries).unwrap();
    drop(trail);
    assert_eq!(all(&files(&folder)), entries);
    assert_eq!(files(&folder).days().unwrap().len(), 3);
    let whole = fs::read(newest(&folder)).unwrap();
    for length in (0..=whole.len()).step_by(7) {
        fs::write(newest(&folder), &whole[..length]).unwrap();
        fs::write(folder.join("2023-01-01.jsonl.unfinished"), "half").unwrap();
        let mut trail = Trail::open(files(&folder), 365).unwrap();
        // Who follows begins at the cursor or before; what stands there does not come twice.
        let from = trail.cursor();
        let rest: Vec<Entry> = entries.iter().filter(|entry| entry.address() >= from).cloned().collect();
        trail.append(&rest).unwrap();
        trail.append(&entries).unwrap();
        drop(trail);
        assert_eq!(all(&files(&folder)), entries, "cut at {length} of {}", whole.len());
        assert!(!holds(&folder, "half"));
    }
}

#[test]
fn damage_before_the_last_line_is_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    Trail::open(files(folder.path()), 365).unwrap().append(&history()).unwrap();
    let mut bytes = fs::read(newest(folder.path())).unwrap();
    bytes[0] = b'x';
    fs::write(newest(folder.path()), bytes).unwrap();
    let error = Trail::open(files(folder.path()), 365).unwrap_err().to_string();
    assert!(error.contains("line 1"), "{error}");
}

#[test]
fn days_that_are_too_old_go() {
    let folder = tempfile::tempdir().unwrap();
    let mut trail = Trail::open(files(folder.path()), 1).unwrap();
    trail.append(&history()).unwrap();
    let days: Vec<String> = files(folder.path()).days().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(days, ["2023-11-15", "2023-11-16"]);
}

#[test]
fn who_is_erased_is_described_nowhere() {
    for sealed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let master = MasterKey::new([3; 32]);
        let keys = sealed.then(|| Arc::new(KeyRing::create(&folder.path().join("keys"), &master).unwrap()));
        let folder = folder.path().join("audit");
        let files = Files::new(&folder, keys);
        let mut trail = Trail::open(files.clone(), 365).unwrap();
        trail.append(&history()).unwrap();
        assert_eq!(holds(&folder, "person-1"), !sealed);
        trail.erase(1).unwrap();
        let cursor = trail.cursor();
        trail.append(&[opened(20, 2), opened(21, 0)]).unwrap();
        trail.erase(1).unwrap();
        drop(trail);
        assert!(!holds(&folder, "person-1"));
        assert_eq!(holds(&folder, "person-2"), !sealed);
        let kept = all(&files);
        assert_eq!(kept.len(), 22);
        for entry in &kept {
            assert_eq!(entry.detail.contains_key("erased"), entry.account == 1, "{entry:?}");
            assert_eq!((entry.event.as_str(), entry.by), ("account-opened", 1));
        }
        assert_eq!(kept[19].address().after(), cursor);
        assert_eq!(Trail::open(files, 365).unwrap().cursor(), Address { offset: 10, index: 2 });
        if sealed {
            assert!(Trail::open(Files::new(&folder, None), 365).is_err(), "read without the key");
        }
    }
}

/// An account of its own beside the first one, and its id.
fn open_account(scene: &Scene, admin: &str, name: &str) -> String {
    let body = json!({ "name": name, "password": "a long password", "roles": ["admin"] });
    scene.place.api(&scene.desk, Method::POST, "/v1/admin/accounts", admin, &body).text_of("id")
}

#[test]
fn an_erasure_is_asked_for_by_who_may_and_the_last_administrator_stays() {
    let mut scene = Scene::at(Place::new());
    let admin = scene.admin();
    let me = scene.get("/v1/me", &admin).text_of("id");
    let call = |scene: &Scene, method, path: &str, token: &str, body: &Value| {
        scene.place.api(&scene.desk, method, path, token, body).status
    };
    let own = |password: &str| json!({ "password": password });
    let right = own(&scene.password);
    assert_eq!(
        call(&scene, Method::DELETE, "/v1/me/account", &admin, &own("wrong password")),
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        call(&scene, Method::DELETE, "/v1/me/account", &admin, &right),
        StatusCode::CONFLICT,
        "the last one"
    );
    let path = format!("/v1/admin/accounts/{me}");
    assert_eq!(
        call(&scene, Method::DELETE, &path, &admin, &Value::Null),
        StatusCode::CONFLICT,
        "by this door too"
    );
    let other = open_account(&scene, &admin, "a-passing-guest");
    let key = json!({ "account": other, "label": "her label", "scopes": ["a:read"] });
    let key = scene.place.api(&scene.desk, Method::POST, "/v1/admin/api-keys", &admin, &key).text_of("key");
    assert_eq!(scene.get("/v1/me", &key).status, StatusCode::OK);
    let path = format!("/v1/admin/accounts/{other}");
    assert_eq!(call(&scene, Method::DELETE, &path, &admin, &Value::Null), StatusCode::NO_CONTENT);
    assert_eq!(scene.get("/v1/me", &key).status, StatusCode::UNAUTHORIZED, "her key is nobody's");
    assert_eq!(call(&scene, Method::DELETE, &path, &admin, &Value::Null), StatusCode::NOT_FOUND);
    let shown = scene.get(&format!("/v1/admin/audit?account={other}"), &admin).text;
    assert!(
        shown.contains("account-erased")
            && !shown.contains("a-passing-guest")
            && !shown.contains("her label")
    );
    // Kept over a restart, once, and read from the files.
    scene.desk.identity.stop();
    let ledger = fs::read_to_string(scene.place.ledger()).unwrap();
    assert!(ledger.starts_with(&format!("identity {other} 1700000")), "{ledger}");
    assert!(!holds(&scene.place.audit(), "a-passing-guest") && !holds(&scene.place.audit(), "her label"));
    scene.restart();
    let events = scene.get(&format!("/v1/admin/audit?account={other}"), &admin).json();
    let kinds: Vec<&str> =
        events["events"].as_array().unwrap().iter().filter_map(|it| it["event"].as_str()).collect();
    assert_eq!(kinds, ["account-opened", "api-key-created", "api-key-ended", "account-erased"]);
    open_account(&scene, &admin, "a-passing-guest");
    open_account(&scene, &admin, "another");
    assert_eq!(call(&scene, Method::DELETE, "/v1/me/account", &admin, &right), StatusCode::NO_CONTENT);
    assert_eq!(scene.get("/v1/me", &admin).status, StatusCode::UNAUTHORIZED);
}

/// The ledger is lost with what was written since it was copied: the trail behind its cursor writes it again.
#[test]
fn an_erasure_that_the_ledger_does_not_know_is_written_as_the_trail_goes_on() {
    let mut scene = Scene::at(Place::new());
    let admin = scene.admin();
    let other = open_account(&scene, &admin, "a-passing-guest");
    let path = format!("/v1/admin/accounts/{other}");
    let erased = scene.place.api(&scene.desk, Method::DELETE, &path, &admin, &Value::Null).status;
    assert_eq!(erased, StatusCode::NO_CONTENT);
    scene.desk.identity.stop();
    // As after kill -9 between the record and the ledger: neither the ledger nor the trail has it.
    fs::remove_file(scene.place.ledger()).unwrap();
    fs::remove_dir_all(scene.place.audit()).unwrap();
    scene.restart();
    let ledger = fs::read_to_string(scene.place.ledger()).unwrap();
    assert!(ledger.starts_with(&format!("identity {other} ")), "{ledger}");
    assert!(!holds(&scene.place.audit(), "a-passing-guest"));
    let events = scene.get(&format!("/v1/admin/audit?account={other}&event=account-erased"), &admin).json();
    assert_eq!(events["events"].as_array().map(Vec::len), Some(1), "{events}");
}
