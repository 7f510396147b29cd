//! An authenticator with one ES256 key, and the client in front of it: it does what options ask, and what a test bends.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

pub(crate) const PRESENT: u8 = 1;
pub(crate) const VERIFIED: u8 = 4;
const ATTESTED: u8 = 64;

pub(crate) struct Authenticator {
    key: EcdsaKeyPair,
    pub(crate) credential: Vec<u8>,
    user: Option<Value>,
    /// What is said of the person.
    pub(crate) flags: u8,
    /// The next signature counter.
    pub(crate) counter: u32,
    /// Where the client thinks it is.
    pub(crate) origin: String,
}

impl Authenticator {
    pub(crate) fn new(origin: &str) -> Authenticator {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref(), &random);
        let mut credential = vec![0; 32];
        random.fill(&mut credential).expect("random bytes");
        let flags = PRESENT | VERIFIED;
        let origin = origin.to_owned();
        Authenticator { key: key.expect("a key"), credential, user: None, flags, counter: 0, origin }
    }

    fn client_data(&self, ceremony: &str, options: &Value) -> Vec<u8> {
        let data = json!({
            "type": ceremony, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": false,
        });
        data.to_string().into_bytes()
    }

    fn data(&self, party: &Value, flags: u8) -> Vec<u8> {
        let party = party.as_str().expect("an RP ID");
        let mut data = digest(&SHA256, party.as_bytes()).as_ref().to_vec();
        data.push(self.flags | flags);
        data.extend_from_slice(&self.counter.to_be_bytes());
        data
    }

    fn shown(&self, response: Value) -> Value {
        let id = URL_SAFE_NO_PAD.encode(&self.credential);
        json!({ "id": id, "rawId": id, "type": "public-key", "response": response, "clientExtensionResults": {} })
    }

    /// `navigator.credentials.create()`
    pub(crate) fn create(&mut self, options: &Value) -> Value {
        self.user = Some(options["user"]["id"].clone());
        let mut data = self.data(&options["rp"]["id"], ATTESTED);
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(&u16::try_from(self.credential.len()).expect("a length").to_be_bytes());
        data.extend_from_slice(&self.credential);
        let point = self.key.public_key().as_ref();
        data.extend_from_slice(&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32]);
        data.extend_from_slice(&point[1..33]);
        data.extend_from_slice(&[0x22, 0x58, 32]);
        data.extend_from_slice(&point[33..]);
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).expect("one byte"));
        object.extend_from_slice(&data);
        self.shown(json!({
            "clientDataJSON": URL_SAFE_NO_PAD.encode(self.client_data("webauthn.create", options)),
            "attestationObject": URL_SAFE_NO_PAD.encode(object),
            "transports": ["internal"],
        }))
    }

    /// `navigator.credentials.get()`
    pub(crate) fn get(&self, options: &Value) -> Value {
        let data = self.data(&options["rpId"], 0);
        let client_data = self.client_data("webauthn.get", options);
        let mut signed = data.clone();
        signed.extend_from_slice(digest(&SHA256, &client_data).as_ref());
        let signature = self.key.sign(&SystemRandom::new(), &signed).expect("a signature");
        self.shown(json!({
            "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
            "authenticatorData": URL_SAFE_NO_PAD.encode(data),
            "signature": URL_SAFE_NO_PAD.encode(signature.as_ref()),
            "userHandle": self.user,
        }))
    }
}
