//! ID tokens of an outside provider, made by another implementation (joserfc; the file says which), and what is refused.

use decalog_identity::engine::id_token::{self, Claims, Expected, Fault};
use decalog_identity::engine::jwk::{Algorithm, Keys};
use serde_json::{Value, json};

struct Vectors {
    document: Value,
    keys: Keys,
}

impl Vectors {
    fn read() -> Vectors {
        let document: Value = serde_json::from_str(include_str!("vectors/id-tokens.json")).expect("vectors");
        let keys = Keys::read(document["keys"].to_string().as_bytes()).expect("keys");
        Vectors { document, keys }
    }

    fn text(&self, name: &str) -> &str {
        self.document[name].as_str().expect("text")
    }

    fn verify(&self, token: &str) -> Result<Claims, Fault> {
        let expected = Expected {
            issuer: self.text("issuer"),
            client_id: self.text("client_id"),
            nonce: self.text("nonce"),
            now: self.document["now"].as_i64().expect("a moment"),
        };
        id_token::verify(token, &self.keys, &expected)
    }

    fn good(&self, what: &str) -> &str {
        self.document["good"][what].as_str().expect("a token")
    }

    fn bad(&self, wanted: &str) -> &str {
        let all = self.document["bad"].as_array().expect("a list");
        let one = all.iter().find(|one| one["what"] == wanted).expect("a token of this kind");
        one["token"].as_str().expect("a token")
    }
}

#[test]
fn tokens_of_another_implementation_are_read() {
    let vectors = Vectors::read();
    let good = vectors.document["good"].as_object().expect("tokens");
    assert!(good.len() > 8);
    for (what, token) in good {
        let claims = vectors
            .verify(token.as_str().expect("a token"))
            .unwrap_or_else(|fault| panic!("{what}: {fault}"));
        let wanted = Claims {
            subject: vectors.text("subject").to_owned(),
            preferred_username: Some("Ada.Lovelace".to_owned()),
            verified_email: Some("ada@example.org".to_owned()),
        };
        assert_eq!(claims, wanted, "{what}");
    }
}

#[test]
fn each_rule_has_its_refusal() {
    let vectors = Vectors::read();
    let bad = vectors.document["bad"].as_array().expect("tokens");
    assert!(bad.len() > 20);
    for one in bad {
        let refused = vectors.verify(one["token"].as_str().expect("a token"));
        let name = refused.map_err(Fault::name);
        assert_eq!(name, Err(one["fault"].as_str().expect("a fault")), "{}", one["what"]);
    }
}

#[test]
pub(crate) fn a_signature_of_somebody_else_is_refused() {
    let vectors = Vectors::read();
    let refused = vectors.verify(vectors.bad("another key by the same name"));
    assert_eq!(refused, Err(Fault::Signature));
}

#[test]
pub(crate) fn the_answer_to_another_sign_in_is_refused() {
    let vectors = Vectors::read();
    assert_eq!(vectors.verify(vectors.bad("another nonce")), Err(Fault::Nonce));
    assert_eq!(vectors.verify(vectors.bad("no nonce")), Err(Fault::Nonce));
}

#[test]
fn any_letter_changed_ends_a_token() {
    let vectors = Vectors::read();
    for what in ["RS256", "ES256", "EdDSA"] {
        let token = vectors.good(what);
        for place in 0..token.len() {
            let mut bent = token.as_bytes().to_vec();
            bent[place] = if bent[place] == b'A' { b'B' } else { b'A' };
            let bent = String::from_utf8(bent).expect("letters");
            assert!(vectors.verify(&bent).is_err(), "{what}, letter {place}");
        }
    }
    for text in ["", ".", "..", "...", "a.b.c", &"A".repeat(40_000)] {
        assert_eq!(vectors.verify(text), Err(Fault::Form));
    }
}

#[test]
fn keys_that_cannot_be_used_are_left_out_and_others_serve() {
    let vectors = Vectors::read();
    assert_eq!(vectors.keys.of(Some("rsa"), Algorithm::Rs256).len(), 1);
    assert_eq!(vectors.keys.of(Some("rsa"), Algorithm::Es256).len(), 0, "an algorithm is its key's");
    for (kid, algorithm) in
        [("enc", Algorithm::Rs256), ("broken", Algorithm::Rs256), ("p384", Algorithm::Es256)]
    {
        assert_eq!(vectors.keys.of(Some(kid), algorithm).len(), 0, "{kid}");
    }
    for text in ["", "[]", "{}", r#"{"keys":1}"#] {
        assert_eq!(Keys::read(text.as_bytes()), None, "{text}");
    }
    let key = &vectors.document["keys"]["keys"][1];
    let two = json!({ "keys": [key, key] });
    let two = Keys::read(two.to_string().as_bytes()).expect("keys");
    assert_eq!(two.of(None, Algorithm::Es256).len(), 0, "without a name there must be one");
    assert_eq!(two.of(Some("ec"), Algorithm::Es256).len(), 2);
}

#[test]
fn userinfo_is_about_the_same_person() {
    let answer = br#"{"sub":"1","email":"ada@example.org","email_verified":"true"}"#;
    let claims = id_token::read_userinfo(answer, "1").expect("claims");
    assert_eq!(claims.verified_email.as_deref(), Some("ada@example.org"));
    assert_eq!(id_token::read_userinfo(answer, "2"), None);
    let unverified = br#"{"sub":"1","email":"ada@example.org","email_verified":false}"#;
    assert_eq!(id_token::read_userinfo(unverified, "1").expect("claims").verified_email, None);
    assert_eq!(id_token::read_userinfo(b"[]", "1"), None);
}
