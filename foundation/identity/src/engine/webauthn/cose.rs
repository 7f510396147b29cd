//! Public keys as COSE_Key (RFC 9052, 7; RFC 9053, 7; RFC 8230, 4), and the signatures that they verify.

use cbor4ii::core::dec::{Decode, Read};
use cbor4ii::core::types::{Bytes, Map};
use cbor4ii::core::utils::SliceReader;
use cbor4ii::core::{dec, major};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

use super::Fault;

/// ECDSA on P-256 with SHA-256.
const ES256: i64 = -7;
/// Ed25519.
const EDDSA: i64 = -8;
/// RSASSA-PKCS1-v1_5 with SHA-256.
const RS256: i64 = -257;
/// What is asked for at registration, the most liked first.
pub const ALGORITHMS: [i64; 3] = [ES256, EDDSA, RS256];

/// Parameters of a key, at most: kty, alg and those of its type.
const MOST_PARAMETERS: usize = 5;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PublicKey<'a> {
    /// A point of P-256, uncompressed (SEC 1, 2.3.3).
    Es256([u8; 65]),
    Ed25519(&'a [u8; 32]),
    Rs256 {
        n: &'a [u8],
        e: &'a [u8],
    },
}

enum Value<'a> {
    Number(i64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    fn read(reader: &mut SliceReader<'a>) -> Result<Value<'a>, Fault> {
        let next = reader.fill(1).ok().and_then(|next| next.as_ref().first().copied()).ok_or(Fault::Form)?;
        if dec::if_major(next) == major::BYTES {
            Bytes::<&[u8]>::decode(reader).map(|bytes| Value::Bytes(bytes.0)).map_err(|_| Fault::Form)
        } else {
            i64::decode(reader).map(Value::Number).map_err(|_| Fault::Form)
        }
    }

    fn number(self) -> Result<i64, Fault> {
        if let Value::Number(number) = self { Ok(number) } else { Err(Fault::Key) }
    }

    fn bytes(self) -> Result<&'a [u8], Fault> {
        if let Value::Bytes(bytes) = self { Ok(bytes) } else { Err(Fault::Key) }
    }
}

/// What is left to read.
pub(super) fn rest<'a>(reader: &mut SliceReader<'a>) -> &'a [u8] {
    match reader.fill(usize::MAX) {
        Ok(dec::Reference::Long(rest)) => rest,
        _ => &[],
    }
}

/// A key's parameters by label, each at most once.
struct Parameters<'a>(Vec<(i64, Value<'a>)>);

impl<'a> Parameters<'a> {
    fn read(reader: &mut SliceReader<'a>) -> Result<Parameters<'a>, Fault> {
        let count = Map::len(reader).ok().flatten().filter(|count| *count <= MOST_PARAMETERS);
        let mut found = Vec::with_capacity(MOST_PARAMETERS);
        for _ in 0..count.ok_or(Fault::Key)? {
            let label = i64::decode(reader).map_err(|_| Fault::Form)?;
            let value = Value::read(reader)?;
            if found.iter().any(|(one, _)| *one == label) {
                return Err(Fault::Key);
            }
            found.push((label, value));
        }
        Ok(Parameters(found))
    }

    fn take(&mut self, label: i64) -> Result<Value<'a>, Fault> {
        let at = self.0.iter().position(|(one, _)| *one == label).ok_or(Fault::Key)?;
        Ok(self.0.swap_remove(at).1)
    }
}

impl<'a> PublicKey<'a> {
    /// Reads a key at the beginning of some bytes; answers it and what follows it. The algorithm must be one that was
    /// asked for (§7.1, step 16), the type and curve the algorithm's (§5.8.5), and nothing else may stand in it (§6.5.1).
    pub(super) fn read(bytes: &'a [u8]) -> Result<(PublicKey<'a>, &'a [u8]), Fault> {
        let mut reader = SliceReader::new(bytes);
        let mut parameters = Parameters::read(&mut reader)?;
        let kind = parameters.take(1)?.number()?;
        let key = match (parameters.take(3)?.number()?, kind) {
            (ES256, 2) if parameters.take(-1)?.number()? == 1 => {
                let mut point = [4; 65];
                for (label, place) in [(-2, 1..33), (-3, 33..65)] {
                    let coordinate = parameters.take(label)?.bytes()?;
                    let coordinate: &[u8; 32] = coordinate.try_into().map_err(|_| Fault::Key)?;
                    point[place].copy_from_slice(coordinate);
                }
                PublicKey::Es256(point)
            }
            (EDDSA, 1) if parameters.take(-1)?.number()? == 6 => {
                PublicKey::Ed25519(parameters.take(-2)?.bytes()?.try_into().map_err(|_| Fault::Key)?)
            }
            (RS256, 3) => {
                let (n, e) = (parameters.take(-1)?.bytes()?, parameters.take(-2)?.bytes()?);
                // What ring verifies with: 2048 to 8192 bits.
                if !(256..=1024).contains(&n.len()) || !(1..=8).contains(&e.len()) {
                    return Err(Fault::Key);
                }
                PublicKey::Rs256 { n, e }
            }
            (ES256 | EDDSA | RS256, _) => return Err(Fault::Key),
            _ => return Err(Fault::Algorithm),
        };
        if !parameters.0.is_empty() {
            return Err(Fault::Key);
        }
        Ok((key, rest(&mut reader)))
    }

    /// Whether this key made the signature (§6.5.5 says in which form it comes).
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Fault> {
        let verified = match self {
            PublicKey::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature)
            }
            PublicKey::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            PublicKey::Rs256 { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
        };
        verified.map_err(|_| Fault::Signature)
    }
}
