//! Registrations and assertions that others made: the test vectors of W3C Web Authentication Level 3, section 16, as they
//! are and with every bit turned.
//!
//! `vectors/webauthn-level-3.json` holds those whose algorithms are asked for, made anew with the rule of that section
//! (HKDF-SHA-256 of "WebAuthn test vectors") by `fido2` and `cryptography` of PyPI, and compared with what W3C published.

use decalog_identity::engine::webauthn::{
    Asserted, Assertion, Credential, Expected, Fault, Registered, RelyingParty, assert, challenge_of,
    goes_on, register,
};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

#[derive(Clone, Deserialize)]
struct Vector {
    name: String,
    registration: Registration,
    authentication: Authentication,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    #[serde(deserialize_with = "hex")]
    challenge: Vec<u8>,
    #[serde(deserialize_with = "hex", rename = "credential_id")]
    credential_id: Vec<u8>,
    #[serde(deserialize_with = "hex", rename = "clientDataJSON")]
    client_data: Vec<u8>,
    #[serde(deserialize_with = "hex")]
    attestation_object: Vec<u8>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authentication {
    #[serde(deserialize_with = "hex")]
    challenge: Vec<u8>,
    #[serde(deserialize_with = "hex")]
    authenticator_data: Vec<u8>,
    #[serde(deserialize_with = "hex", rename = "clientDataJSON")]
    client_data: Vec<u8>,
    #[serde(deserialize_with = "hex")]
    signature: Vec<u8>,
}

fn hex<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    Ok((0..text.len()).step_by(2).map(byte).collect())
}

/// All vectors; those whose page was framed come apart.
fn vectors() -> (Vec<Vector>, Vec<Vector>) {
    let all: Vec<Vector> =
        serde_json::from_str(include_str!("vectors/webauthn-level-3.json")).expect("the vectors");
    all.into_iter().partition(|vector| !vector.name.ends_with("Origin"))
}

fn vector(name: &str) -> Vector {
    vectors().0.into_iter().find(|vector| vector.name == name).expect("a vector of this name")
}

fn party() -> RelyingParty {
    RelyingParty::of("https://example.org").expect("a relying party")
}

impl Registration {
    fn check(&self) -> Result<Registered, Fault> {
        let expected = Expected { party: &party(), challenge: &self.challenge, user_verified: false };
        register(&expected, &self.client_data, &self.attestation_object)
    }
}

impl Authentication {
    fn check_at(&self, party: &RelyingParty, by: &Registered, verified: bool) -> Result<Asserted, Fault> {
        let expected = Expected { party, challenge: &self.challenge, user_verified: verified };
        let credential = Credential { public_key: &by.public_key, backup_eligible: by.backup_eligible };
        let shown = Assertion {
            client_data: &self.client_data,
            authenticator_data: &self.authenticator_data,
            signature: &self.signature,
        };
        assert(&expected, credential, shown)
    }

    fn check(&self, by: &Registered) -> Result<Asserted, Fault> {
        self.check_at(&party(), by, false)
    }
}

/// Every copy of some bytes with one bit turned, and which byte that is.
fn turned(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> + '_ {
    (0..bytes.len() * 8).map(|bit| {
        let mut copy = bytes.to_vec();
        copy[bit / 8] ^= 1 << (bit % 8);
        (bit / 8, copy)
    })
}

#[test]
fn the_published_vectors_are_taken() {
    let (vectors, framed) = vectors();
    assert_eq!((vectors.len(), framed.len()), (7, 2));
    for Vector { name, registration, authentication } in &vectors {
        let made = registration.check().unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(made.credential, registration.credential_id, "{name}");
        let shown = authentication.check(&made).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!((made.counter, shown.counter), (0, 0), "{name}");
        let flags = authentication.authenticator_data[32];
        assert_eq!((shown.user_verified, shown.backed_up), (flags & 4 != 0, flags & 16 != 0), "{name}");
        let verified = authentication.check_at(&party(), &made, true);
        assert_eq!(verified, if flags & 4 != 0 { Ok(shown) } else { Err(Fault::Unverified) }, "{name}");
        assert_eq!(challenge_of(&authentication.client_data), Ok(authentication.challenge.clone()));
    }
    for Vector { name, registration, authentication } in &framed {
        assert_eq!(registration.check(), Err(Fault::Origin), "{name}");
        let by = vectors[0].registration.check().expect("a key");
        assert_eq!(authentication.check(&by), Err(Fault::Origin), "{name}");
    }
}

#[test]
pub(crate) fn a_signature_of_another_key_is_refused() {
    let (one, other) = (vector("none.ES256"), vector("none.ES256.long-credential-id"));
    let mut by = other.registration.check().expect("a registration");
    by.backup_eligible = one.registration.check().expect("a registration").backup_eligible;
    assert_eq!(one.authentication.check(&by), Err(Fault::Signature));
}

#[test]
pub(crate) fn what_was_made_on_another_origin_is_refused() {
    let Vector { registration, authentication, .. } = vector("none.ES256");
    let by = registration.check().expect("a registration");
    let mut elsewhere = party();
    elsewhere.origin = "https://example.org:8443".to_owned();
    assert_eq!(authentication.check_at(&elsewhere, &by, false), Err(Fault::Origin));
    let expected = Expected { party: &elsewhere, challenge: &registration.challenge, user_verified: false };
    let made = register(&expected, &registration.client_data, &registration.attestation_object);
    assert_eq!(made, Err(Fault::Origin));
}

#[test]
fn any_bit_turned_ends_an_assertion() {
    for Vector { name, registration, authentication } in vectors().0 {
        let by = registration.check().expect("a registration");
        let refused = |it: &Authentication, by: &Registered, what: &str, byte: usize| {
            assert!(it.check(by).is_err(), "{name}: a bit of byte {byte} of {what} does not matter");
        };
        for (byte, client_data) in turned(&authentication.client_data) {
            refused(&Authentication { client_data, ..authentication.clone() }, &by, "clientDataJSON", byte);
        }
        for (byte, authenticator_data) in turned(&authentication.authenticator_data) {
            let it = Authentication { authenticator_data, ..authentication.clone() };
            refused(&it, &by, "authenticatorData", byte);
        }
        for (byte, signature) in turned(&authentication.signature) {
            refused(&Authentication { signature, ..authentication.clone() }, &by, "signature", byte);
        }
        for (byte, challenge) in turned(&authentication.challenge) {
            refused(&Authentication { challenge, ..authentication.clone() }, &by, "the challenge", byte);
        }
        for (byte, public_key) in turned(&by.public_key) {
            refused(&authentication, &Registered { public_key, ..by.clone() }, "the key", byte);
        }
    }
}

/// Without a judged attestation nothing signs a registration: what may be turned unseen is what the authenticator alone
/// says of itself, never what binds it to this ceremony.
#[test]
fn a_bit_turned_in_a_registration_changes_no_binding() {
    for Vector { name, registration, .. } in vectors().0 {
        let said = |bytes: &[u8]| -> Option<[Value; 3]> {
            let json: Value = serde_json::from_slice(bytes).ok()?;
            Some(["type", "challenge", "origin"].map(|member| json[member].clone()))
        };
        let bound = said(&registration.client_data);
        for (byte, client_data) in turned(&registration.client_data) {
            let it = Registration { client_data, ..registration.clone() };
            assert!(it.check().is_err() || said(&it.client_data) == bound, "{name}: byte {byte}");
        }
        let whole = &registration.attestation_object;
        // The RP ID's hash; authenticator data begins with it.
        let hash = ring::digest::digest(&ring::digest::SHA256, b"example.org");
        let from = whole.windows(32).position(|window| window == hash.as_ref()).expect("a hash");
        for (byte, attestation_object) in turned(whole) {
            let it = Registration { attestation_object, ..registration.clone() };
            let present = it.attestation_object[from + 32] & 1 != 0;
            let is_bound = !(from..from + 32).contains(&byte) && present;
            assert!(it.check().is_err() || is_bound, "{name}: byte {byte}");
        }
        for length in 0..whole.len() {
            let it = Registration { attestation_object: whole[..length].to_vec(), ..registration.clone() };
            assert!(it.check().is_err(), "{name}: {length} bytes of it");
        }
        let longer = Registration { attestation_object: [&whole[..], &[0]].concat(), ..registration.clone() };
        assert_eq!(longer.check(), Err(Fault::Form), "{name}");
    }
}

#[test]
fn each_rule_has_its_refusal() {
    let Vector { registration, authentication, .. } = vector("none.ES256");
    let by = registration.check().expect("a registration");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut json: Value = serde_json::from_slice(&authentication.client_data).expect("JSON");
        change(&mut json);
        let client_data = json.to_string().into_bytes();
        Authentication { client_data, ..authentication.clone() }.check(&by)
    };
    assert_eq!(with(&|json| json["type"] = json!("webauthn.create")), Err(Fault::Ceremony));
    assert_eq!(with(&|json| json["challenge"] = json!("AAAA")), Err(Fault::Challenge));
    assert_eq!(with(&|json| json["origin"] = json!("https://example.org.evil.example")), Err(Fault::Origin));
    assert_eq!(with(&|json| json["origin"] = json!("http://example.org")), Err(Fault::Origin));
    assert_eq!(with(&|json| json["tokenBinding"] = json!({ "status": "present" })), Err(Fault::Form));
    assert_eq!(with(&|json| json["tokenBinding"] = json!({ "status": "supported" })), Err(Fault::Signature));
    let other = RelyingParty { id: "other.example.org".to_owned(), ..party() };
    assert_eq!(authentication.check_at(&other, &by, false), Err(Fault::Party));
    let with_flags = |flags: u8, more: &[u8]| {
        let mut authenticator_data = authentication.authenticator_data.clone();
        authenticator_data[32] = flags;
        authenticator_data.extend_from_slice(more);
        Authentication { authenticator_data, ..authentication.clone() }.check(&by)
    };
    assert_eq!(with_flags(0b0001_1000, &[]), Err(Fault::Absent));
    assert_eq!(with_flags(0b0000_0001, &[]), Err(Fault::Backup), "it could be backed up before");
    assert_eq!(with_flags(0b0001_0001, &[]), Err(Fault::Backup), "backed up, and cannot be");
    assert_eq!(with_flags(0b1001_1001, &[]), Err(Fault::Form), "extensions, and none there");
    assert_eq!(with_flags(0b1001_1001, &[0xa0]), Err(Fault::Signature), "unasked extensions are read over");
    assert_eq!(with_flags(0b0001_1001, &[0]), Err(Fault::Form), "more than there may be");
    let twice = String::from_utf8(authentication.client_data.clone()).expect("text").replacen(
        '{',
        "{\"origin\":\"https://example.org\",",
        1,
    );
    let twice = Authentication { client_data: twice.into_bytes(), ..authentication.clone() };
    assert_eq!(twice.check(&by), Err(Fault::Form));
    let marked = [b"\xef\xbb\xbf", &authentication.client_data[..]].concat();
    let marked = Authentication { client_data: marked, ..authentication.clone() };
    assert_eq!(marked.check(&by), Err(Fault::Signature), "a byte order mark is read over, and signed");
}

#[test]
fn keys_are_what_their_algorithm_says() {
    let mut key = vec![0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32];
    key.extend_from_slice(&[7; 32]);
    key.extend_from_slice(&[0x22, 0x58, 32]);
    key.extend_from_slice(&[8; 32]);
    let registered = |key: &[u8]| {
        let Vector { mut registration, .. } = vector("none.ES256");
        let head = registration.attestation_object.len() - 77;
        registration.attestation_object.truncate(head);
        registration.attestation_object.extend_from_slice(key);
        // The length of authData, in one byte.
        let length = registration.attestation_object[29] as usize - 77 + key.len();
        registration.attestation_object[29] = u8::try_from(length).expect("a short key");
        registration.check().map(|made| made.public_key)
    };
    assert_eq!(registered(&key), Ok(key.clone()));
    let with = |at: usize, byte: u8| {
        let mut other = key.clone();
        other[at] = byte;
        registered(&other)
    };
    assert_eq!(with(4, 0x38), Err(Fault::Key), "an algorithm without its number's end");
    assert_eq!(with(4, 0x27), Err(Fault::Key), "EdDSA on a P-256 key");
    assert_eq!(with(4, 0x28), Err(Fault::Algorithm), "ESP256 was not asked for");
    assert_eq!(with(2, 1), Err(Fault::Key), "another type");
    assert_eq!(with(6, 2), Err(Fault::Key), "another curve");
    assert_eq!(with(9, 31), Err(Fault::Key), "a coordinate that is too short");
    assert_eq!(with(0, 0xa4), Err(Fault::Key), "no y");
    let compressed = [&key[..42], &[0x22, 0xf5]].concat();
    assert!(registered(&compressed).is_err(), "a compressed point");
    let more = [&[0xa6], &key[1..], &[0x04, 0x01]].concat();
    assert_eq!(registered(&more), Err(Fault::Key), "what no key has");
    let twice = [&key[..42], &key[7..42]].concat();
    assert_eq!(registered(&twice), Err(Fault::Key), "a coordinate twice");
}

#[test]
fn a_counter_goes_on_or_never_counts() {
    for (known, shown, is_fine) in [
        (0, 0, true),
        (0, 1, true),
        (1, 2, true),
        (1, 1, false),
        (2, 1, false),
        (1, 0, false),
        (u32::MAX, u32::MAX, false),
    ] {
        assert_eq!(goes_on(known, shown), is_fine, "{known} then {shown}");
    }
}
