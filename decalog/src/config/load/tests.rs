//! Refusals name file, line, key, value and what is allowed; the example file and the types say the same.

use std::collections::BTreeSet;

use super::super::schema::Config;
use super::*;

const EXAMPLE: &str = include_str!("../../../../decalog.example.toml");

fn parse(text: &str) -> Result<Config, String> {
    parse_with(text, &[])
}

fn parse_with(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let source = Source::new(Some(Path::new("d.toml")), text.to_owned(), environment);
    source.parse().map_err(|refusal| refusal.to_string())
}

#[test]
fn a_value_out_of_range_is_refused_with_line_key_value_and_range() {
    let refusal = parse("\n[http]\nmax_connections = 0\n").unwrap_err();
    assert_eq!(refusal, "d.toml:3: http.max_connections = 0: must be a whole number from 1 to 1000000");
}

#[test]
fn an_unknown_key_is_refused_with_the_known_ones() {
    let refusal = parse("[http]\nlisten = \"127.0.0.1:1\"\nlitsen = 1\n").unwrap_err();
    assert!(
        refusal.starts_with("d.toml:3: http.litsen: unknown field `litsen`, expected one of"),
        "{refusal}"
    );
}

#[test]
fn a_wrong_address_names_its_key() {
    let refusal = parse("[exchange.fix]\nlisten = \"localhost\"\n").unwrap_err();
    assert!(refusal.starts_with("d.toml:2: exchange.fix.listen = \"localhost\": "), "{refusal}");
}

#[test]
fn text_that_is_not_toml_names_its_line() {
    let refusal = parse("[http]\nlisten = = 3\n").unwrap_err();
    assert!(refusal.starts_with("d.toml:2: "), "{refusal}");
}

#[test]
fn the_environment_overrides_the_file_and_is_named_when_it_is_wrong() {
    let config = parse_with(
        "[http]\nmax_connections = 5\n",
        &[
            ("DECALOG__HTTP__MAX_CONNECTIONS", "7"),
            ("DECALOG__EXCHANGE__FIX__LISTEN", "127.0.0.1:1"),
            ("PATH", "x"),
        ],
    )
    .unwrap();
    assert_eq!(config.http.max_connections.get(), 7);
    assert_eq!(config.exchange.fix.listen.port(), 1);
    let refusal = parse_with("", &[("DECALOG__HTTP__MAX_CONNECTIONS", "many")]).unwrap_err();
    assert_eq!(
        refusal,
        "DECALOG__HTTP__MAX_CONNECTIONS: http.max_connections = many: must be a whole number from 1 to 1000000"
    );
    let refusal = parse_with("", &[("DECALOG__HTTP__PORT", "1")]).unwrap_err();
    assert!(refusal.starts_with("DECALOG__HTTP__PORT: http.port = 1: unknown field"), "{refusal}");
}

#[test]
fn the_master_key_comes_from_one_place() {
    let one = parse("[server.seal]\nkey_command = [\"cat\", \"/run/key\"]\n").unwrap();
    assert_eq!(one.server.seal.key_command, ["cat", "/run/key"]);
    let two = parse("[server.seal]\nkey_file = \"/run/key\"\nkey_environment = \"KEY\"\n").unwrap_err();
    assert_eq!(
        two,
        "d.toml:3: server.seal.key_environment = \"KEY\": stands beside key_file; the master key comes from one place"
    );
}

#[test]
fn certificate_and_key_go_together_and_so_do_proxies_and_their_form() {
    let refusal = parse("[http.tls]\ncertificate = \"a.pem\"\n").unwrap_err();
    assert!(refusal.contains("http.tls.key: is missing"), "{refusal}");
    let refusal = parse("[http]\nproxies = [\"10.0.0.0/8\"]\n").unwrap_err();
    assert!(refusal.contains("http.client_address"), "{refusal}");
    let refusal = parse("[http]\nproxies = [\"10.0.0.1/8\"]\n").unwrap_err();
    assert!(refusal.contains("10.0.0.1/8") && refusal.contains("10.0.0.0/8"), "{refusal}");
    let refusal = parse("[http]\ncors_origins = [\"https://a.example/\"]\n").unwrap_err();
    assert!(refusal.contains("must be an origin"), "{refusal}");
}

#[test]
fn what_contradicts_another_value_is_refused_at_its_line() {
    let wrong_account = EXAMPLE.replacen("account = \"ALICE\"", "account = \"NOBODY\"", 1);
    let line = wrong_account.lines().position(|line| line.contains("NOBODY")).unwrap() + 1;
    let refusal = parse(&wrong_account).unwrap_err();
    assert!(
        refusal.starts_with(&format!("d.toml:{line}: exchange.units.1.sessions.1.account = \"NOBODY\"")),
        "{refusal}"
    );
    let off_tick = EXAMPLE.replacen("lowest_price = \"0.01\"", "lowest_price = \"0.015\"", 1);
    let refusal = parse(&off_tick).unwrap_err();
    assert!(
        refusal.contains("lowest_price = \"0.015\": must be a multiple of tick_size (0.01)"),
        "{refusal}"
    );
}

#[test]
fn a_password_hash_is_never_shown() {
    let wrong = EXAMPLE.replacen("password_hash = \"$argon2id", "password_hash = \"secret", 1);
    assert_ne!(wrong, EXAMPLE);
    let refusal = parse(&wrong).unwrap_err();
    assert!(refusal.contains("password_hash") && !refusal.contains("secret"), "{refusal}");
}

#[test]
fn a_provider_is_checked_and_its_secret_never_shown() {
    let with = |changes: &str| {
        let base =
            "name = \"there\"\nlabel = \"There\"\nissuer = \"https://id.there.example\"\nclient_id = \"us\"";
        parse(&format!("[[identity.providers]]\n{base}\n{changes}\n"))
    };
    assert!(with("").is_ok());
    assert!(with("email_domains = [\"example.org\"]").is_ok());
    for (changes, said) in [
        ("scopes = [\"email\"]", "identity.providers.1.scopes: must have openid"),
        ("scopes = [\"openid\"]\nemail_domains = [\"example.org\"]", "needs the scope email"),
        ("email_domains = [\"@example.org\"]", "must be a domain in lower case"),
        ("accounts = \"all\"", "identity.providers.1.accounts"),
        ("client_secret = \"hush\"\nclient_secret_file = \"/x\"", "comes from one place"),
        ("client_secret = 7", "identity.providers.1.client_secret"),
    ] {
        let refusal = with(changes).unwrap_err();
        assert!(refusal.contains(said) && !refusal.contains("hush"), "{changes}: {refusal}");
    }
    for issuer in ["http://id.there.example", "https://", "https://a.example/?x", "ftp://a.example", "x"] {
        let text = format!(
            "[[identity.providers]]\nname = \"a\"\nlabel = \"A\"\nissuer = \"{issuer}\"\nclient_id = \"us\"\n"
        );
        assert!(parse(&text).unwrap_err().contains("must be an https address"), "{issuer}");
    }
    let twice = "[[identity.providers]]\nname = \"a\"\nlabel = \"A\"\nissuer = \"https://a.example\"\nclient_id = \"us\"\n";
    assert!(parse(&twice.repeat(2)).unwrap_err().contains("identity.providers.2.name"), "a name stands once");
    let config = with("client_secret = \"hush\"").unwrap();
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn the_example_parses_and_its_sections_are_the_defaults() {
    let example = parse(EXAMPLE).unwrap();
    let mut example = toml::Value::try_from(&example).unwrap();
    for (section, list) in [("exchange", "units"), ("identity", "accounts"), ("identity", "providers")] {
        let section = example[section].as_table_mut().unwrap();
        section.insert(list.to_owned(), toml::Value::Array(Vec::new()));
    }
    assert_eq!(example, toml::Value::try_from(Config::default()).unwrap());
}

/// Puts an unknown key into every table of the example: the refusal lists what the types know there.
#[test]
fn the_example_documents_every_key() {
    let example: toml::Table = EXAMPLE.parse().unwrap();
    let mut tables = Vec::new();
    collect(&toml::Value::Table(example.clone()), &mut Vec::new(), &mut tables);
    assert!(tables.len() > 8, "sections were found: {tables:?}");
    for path in tables {
        let mut probe = toml::Value::Table(example.clone());
        let table = path.iter().fold(&mut probe, |value, part| match part.parse::<usize>() {
            Ok(index) => &mut value[index],
            Err(_) => &mut value[part.as_str()],
        });
        let written: BTreeSet<String> = table.as_table().unwrap().keys().cloned().collect();
        table.as_table_mut().unwrap().insert("zz".to_owned(), toml::Value::Boolean(true));
        let error = Config::deserialize(probe).unwrap_err().to_string();
        let known = error.lines().next().unwrap().split_once("expected").unwrap().1;
        let known: BTreeSet<String> = known.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert_eq!(written, known, "in {path:?}");
    }
}

fn collect(value: &toml::Value, path: &mut Vec<String>, tables: &mut Vec<Vec<String>>) {
    match value {
        toml::Value::Table(table) => {
            tables.push(path.clone());
            for (key, value) in table {
                path.push(key.clone());
                collect(value, path, tables);
                path.pop();
            }
        }
        // The first element documents the others.
        toml::Value::Array(array) if array.first().is_some_and(toml::Value::is_table) => {
            path.push("0".to_owned());
            collect(&array[0], path, tables);
            path.pop();
        }
        _ => {}
    }
}

#[test]
fn a_bucket_is_named_whole_or_not_at_all() {
    let whole = "bucket = \"media\"\naccess_key = \"us\"\nsecret_environment = \"S3\"\n";
    let blobs = |keys: &str| parse(&format!("[blobs]\n{keys}"));
    for good in ["", whole, &format!("{whole}endpoint = \"http://10.0.0.1:9000\"\n"), "grace = \"4s\""] {
        assert!(blobs(good).is_ok(), "{good}");
    }
    for (keys, refused) in [
        ("endpoint = \"https://store\"", "blobs.endpoint: says something of a bucket"),
        ("access_key = \"us\"", "blobs.access_key: says something of a bucket"),
        ("secret_file = \"s3\"", "blobs.secret_file: says something of a bucket"),
        ("bucket = \"media\"", "blobs.access_key: is needed"),
        ("bucket = \"media\"\naccess_key = \"us\"", "blobs.secret: is needed"),
        (&format!("{whole}secret_file = \"s3\""), "blobs.secret_environment: stands beside another one"),
        (&format!("{whole}endpoint = \"store:9000\""), "blobs.endpoint: must be an http or https address"),
        ("grace = \"1s\"", "blobs.grace"),
    ] {
        let said = blobs(keys).expect_err(keys);
        // Between the two stands what was given.
        let (key, why) = refused.split_once(": ").unwrap_or((refused, ""));
        assert!(said.contains(key) && said.contains(why), "{keys}: {said}");
    }
}
