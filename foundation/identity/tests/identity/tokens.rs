//! Tokens that are not what they say: each is refused, for the right reason.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use decalog_identity::engine::jws::{Claims, Expected, Fault, Use, sign, verify};
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair};

const NOW: i64 = 1_700_000_000;

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("32 bytes are a seed")
}

fn claims() -> Claims {
    Claims {
        iss: "https://id.example".to_owned(),
        sub: "1".to_owned(),
        aud: "decalog".to_owned(),
        exp: NOW + 600,
        nbf: NOW,
        iat: NOW,
        sid: "2".to_owned(),
        ..Claims::default()
    }
}

fn look(token: &str, now: i64) -> Result<Claims, Fault> {
    let trusted = key(1);
    let expected =
        Expected { purpose: Use::Access, issuer: "https://id.example", audience: Some("decalog"), now };
    verify(token, expected, |kid| (kid == "k1").then(|| trusted.public_key().as_ref()))
}

fn with_header(header: &str) -> String {
    let token = sign(&key(1), "k1", Use::Access, &claims());
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), token.split('.').nth(1).expect("claims"));
    let signature = key(1).sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

#[test]
fn a_signed_token_says_what_it_said() {
    assert_eq!(look(&sign(&key(1), "k1", Use::Access, &claims()), NOW), Ok(claims()));
    let header = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k1"}"#;
    assert_eq!(look(&with_header(header), NOW), Ok(claims()), "the forger below forges well");
}

#[test]
pub(crate) fn a_signature_of_somebody_else_is_refused() {
    assert_eq!(look(&sign(&key(2), "k1", Use::Access, &claims()), NOW), Err(Fault::Signature));
    let token = sign(&key(1), "k1", Use::Access, &claims());
    let other = sign(&key(1), "k1", Use::Access, &Claims { sub: "3".to_owned(), ..claims() });
    let parts: Vec<&str> = token.split('.').collect();
    let swapped = format!("{}.{}.{}", parts[0], other.split('.').nth(1).expect("claims"), parts[2]);
    assert_eq!(look(&swapped, NOW), Err(Fault::Signature));
    for bit in 0..8 {
        let mut signature = URL_SAFE_NO_PAD.decode(parts[2]).expect("base64");
        signature[bit * 8] ^= 1 << bit;
        let bent = format!("{}.{}.{}", parts[0], parts[1], URL_SAFE_NO_PAD.encode(signature));
        assert_eq!(look(&bent, NOW), Err(Fault::Signature));
    }
}

#[test]
pub(crate) fn a_token_ends() {
    let token = sign(&key(1), "k1", Use::Access, &claims());
    assert!(look(&token, NOW + 599).is_ok());
    assert_eq!(look(&token, NOW + 600), Err(Fault::Expired));
    assert_eq!(look(&token, NOW - 60), Err(Fault::Early));
}

#[test]
fn nobody_is_talked_into_another_algorithm() {
    for header in [
        r#"{"alg":"none","typ":"at+jwt","kid":"k1"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"k1"}"#,
        r#"{"alg":"eddsa","typ":"at+jwt","kid":"k1"}"#,
        r#"{"alg":"EdDSA","alg":"none","typ":"at+jwt","kid":"k1"}"#,
        r#"{"alg":"EdDSA","typ":"JWT","kid":"k1"}"#,
        r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k1","jwk":{}}"#,
        r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k1","crit":["exp"]}"#,
        r#"{"alg":"EdDSA","typ":"at+jwt"}"#,
        "[]",
    ] {
        assert_eq!(look(&with_header(header), NOW), Err(Fault::Form), "{header}");
    }
    let unknown = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k2"}"#;
    assert_eq!(look(&with_header(unknown), NOW), Err(Fault::Key));
    // The classic: the public key as the key of a MAC.
    let header = r#"{"alg":"HS256","typ":"at+jwt","kid":"k1"}"#;
    let good = sign(&key(1), "k1", Use::Access, &claims());
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), good.split('.').nth(1).expect("claims"));
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key(1).public_key().as_ref()), signed.as_bytes());
    assert_eq!(look(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.as_ref())), NOW), Err(Fault::Form));
}

#[test]
fn a_token_for_somebody_else_or_of_another_form_is_refused() {
    let for_other = Claims { aud: "other".to_owned(), ..claims() };
    assert_eq!(look(&sign(&key(1), "k1", Use::Access, &for_other), NOW), Err(Fault::Audience));
    let of_other = Claims { iss: "https://evil.example".to_owned(), ..claims() };
    assert_eq!(look(&sign(&key(1), "k1", Use::Access, &of_other), NOW), Err(Fault::Audience));
    assert_eq!(look(&sign(&key(1), "k1", Use::Id, &claims()), NOW), Err(Fault::Form));
    let token = sign(&key(1), "k1", Use::Access, &claims());
    let unsigned = token.rsplit_once('.').expect("three parts").0;
    for wrong in ["", ".", "..", "a.b.c", &token[1..], &format!("{token}="), &format!("{token}.x"), unsigned]
    {
        assert!(matches!(look(wrong, NOW), Err(Fault::Form | Fault::Signature)), "{wrong}");
    }
    assert_eq!(look(&format!("{unsigned}."), NOW), Err(Fault::Signature));
    assert_eq!(look(&"a".repeat(9_000), NOW), Err(Fault::Form));
}
