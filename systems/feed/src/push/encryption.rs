//! Message encryption for web push: RFC 8291, and draft-ietf-webpush-encryption-04 (`aesgcm`), which older apps know.
//!
//! Both derive a key from an agreement of two P-256 keys (one of the message's own, one of the receiver), the secret that
//! the receiver shares, and a salt; they differ in what goes into the derivation and in where salt and key are written.

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};

/// Bytes of an uncompressed point of P-256.
pub const POINT: usize = 65;
/// Bytes of the secret that a receiver shares.
pub const AUTH: usize = 16;
const SALT: usize = 16;
const TAG: usize = 16;
/// The size of the one record (RFC 8188), which push services must take (RFC 8030 section 7.2).
const RECORD: u32 = 4_096;
/// The most that fits beside the header, the tag and the padding's delimiter.
pub const LONGEST: usize = RECORD as usize - (SALT + 4 + 1 + POINT) - TAG - 1;

/// Why a message is not encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The receiver's public key is no point of P-256.
    #[error("the key p256dh is not an uncompressed point of P-256")]
    Key,
    /// The receiver's secret has another length.
    #[error("the secret auth has not 16 bytes")]
    Auth,
    /// The message does not fit into one record.
    #[error("the message is longer than {LONGEST} bytes")]
    Long,
    /// The system gives no random numbers.
    #[error("there are no random numbers")]
    Random,
}

/// Who can read a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    public: [u8; POINT],
    auth: [u8; AUTH],
}

impl Receiver {
    /// A receiver with this public key and secret, which are looked at.
    pub fn new(public: &[u8], auth: &[u8]) -> Result<Receiver, Fault> {
        let receiver = Receiver {
            public: public.try_into().map_err(|_| Fault::Key)?,
            auth: auth.try_into().map_err(|_| Fault::Auth)?,
        };
        // Whether it is a point of the curve, the agreement says.
        Agreed::with(&receiver).map(|_| receiver)
    }
}

/// What both sides know of one message.
struct Agreed {
    secret: Vec<u8>,
    public: Vec<u8>,
    salt: [u8; SALT],
}

impl Agreed {
    fn with(receiver: &Receiver) -> Result<Agreed, Fault> {
        let random = SystemRandom::new();
        let own = EphemeralPrivateKey::generate(&ECDH_P256, &random).map_err(|_| Fault::Random)?;
        let public = own.compute_public_key().map_err(|_| Fault::Random)?.as_ref().to_vec();
        let mut salt = [0; SALT];
        random.fill(&mut salt).map_err(|_| Fault::Random)?;
        let theirs = UnparsedPublicKey::new(&ECDH_P256, &receiver.public);
        let secret = agree_ephemeral(own, &theirs, <[u8]>::to_vec).map_err(|_| Fault::Key)?;
        Ok(Agreed { secret, public, salt })
    }

    /// The body by RFC 8291 and RFC 8188: header, then one record.
    fn encrypt(&self, to: &Receiver, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        let key = extract(&to.auth, &self.secret);
        let input = expand::<32>(&key, &[b"WebPush: info\0", &to.public, &self.public]);
        let key = extract(&self.salt, &input);
        let content = expand::<16>(&key, &[b"Content-Encoding: aes128gcm\0"]);
        let nonce = expand::<12>(&key, &[b"Content-Encoding: nonce\0"]);
        let mut record = plain.to_vec();
        record.push(2);
        seal(content, nonce, &mut record)?;
        let mut body = Vec::with_capacity(RECORD as usize);
        body.extend_from_slice(&self.salt);
        body.extend_from_slice(&RECORD.to_be_bytes());
        body.push(u8::try_from(POINT).unwrap_or_default());
        body.extend_from_slice(&self.public);
        body.extend_from_slice(&record);
        Ok(body)
    }

    /// The body by the draft.
    fn encrypt_by_draft(&self, to: &Receiver, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        let input = expand::<32>(&extract(&to.auth, &self.secret), &[b"Content-Encoding: auth\0"]);
        let key = extract(&self.salt, &input);
        let length = u16::try_from(POINT).unwrap_or_default().to_be_bytes();
        let context = [b"P-256\0", &length[..], &to.public, &length, &self.public].concat();
        let content = expand::<16>(&key, &[b"Content-Encoding: aesgcm\0", &context]);
        let nonce = expand::<12>(&key, &[b"Content-Encoding: nonce\0", &context]);
        // No padding, of which the length comes first.
        let mut record = vec![0, 0];
        record.extend_from_slice(plain);
        seal(content, nonce, &mut record)?;
        Ok(record)
    }
}

/// A message by the draft, with what goes into the request's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The body.
    pub body: Vec<u8>,
    /// For `Encryption: salt=`.
    pub salt: Vec<u8>,
    /// For `Crypto-Key: dh=`.
    pub public: Vec<u8>,
}

/// Encrypts by RFC 8291 (`Content-Encoding: aes128gcm`).
pub fn encrypt(to: &Receiver, plain: &[u8]) -> Result<Vec<u8>, Fault> {
    fits(plain)?;
    Agreed::with(to)?.encrypt(to, plain)
}

/// Encrypts by the draft (`Content-Encoding: aesgcm`).
pub fn encrypt_by_draft(to: &Receiver, plain: &[u8]) -> Result<Draft, Fault> {
    fits(plain)?;
    let agreed = Agreed::with(to)?;
    let body = agreed.encrypt_by_draft(to, plain)?;
    Ok(Draft { body, salt: agreed.salt.to_vec(), public: agreed.public })
}

fn fits(plain: &[u8]) -> Result<(), Fault> {
    if plain.len() > LONGEST { Err(Fault::Long) } else { Ok(()) }
}

fn extract(salt: &[u8], secret: &[u8]) -> Prk {
    Salt::new(HKDF_SHA256, salt).extract(secret)
}

/// So many bytes.
#[derive(Clone, Copy)]
struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(key: &Prk, info: &[&[u8]]) -> [u8; N] {
    let mut out = [0; N];
    let filled = key.expand(info, Bytes(N)).and_then(|okm| okm.fill(&mut out));
    filled.expect("less than HKDF gives");
    out
}

fn seal(key: [u8; 16], nonce: [u8; 12], record: &mut Vec<u8>) -> Result<(), Fault> {
    let key = UnboundKey::new(&AES_128_GCM, &key).map_err(|_| Fault::Random)?;
    let nonce = Nonce::assume_unique_for_key(nonce);
    LessSafeKey::new(key).seal_in_place_append_tag(nonce, Aad::empty(), record).map_err(|_| Fault::Long)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    /// RFC 8291 appendix A. The agreement of its two keys is taken from there, as the library draws keys by itself; the
    /// receiver of `tests/feed/push.rs` shows that the library's agreement is one.
    #[test]
    fn the_example_of_the_rfc_comes_out_byte_by_byte() {
        let public =
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
        let to = Receiver::new(&bytes(public), &bytes("BTBZMqHH6r4Tts7J_aSIgg")).unwrap();
        let own = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";
        let agreed = Agreed {
            secret: bytes("kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs"),
            public: bytes(own),
            salt: bytes("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap(),
        };
        let body = agreed.encrypt(&to, b"When I grow up, I want to be a watermelon").unwrap();
        let expected = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmY\
            WAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
        assert_eq!(URL_SAFE_NO_PAD.encode(body), expected);
    }

    #[test]
    fn a_key_that_is_no_point_and_a_secret_of_another_length_are_refused() {
        let mut off = [1; POINT];
        off[0] = 4;
        assert_eq!(Receiver::new(&off, &[0; AUTH]), Err(Fault::Key));
        assert_eq!(Receiver::new(&off[1..], &[0; AUTH]), Err(Fault::Key));
        assert_eq!(Receiver::new(&off, &[0; 15]), Err(Fault::Auth));
    }
}
