//! What an authenticator says: authenticator data (§6.1), and the attestation object (§6.5.4) that carries it at
//! registration.

use cbor4ii::core::dec::{Decode, IgnoredAny};
use cbor4ii::core::types::{Bytes, Map};
use cbor4ii::core::utils::SliceReader;
use ring::digest::{SHA256, digest};

use super::cose::{PublicKey, rest};
use super::{Expected, Fault};

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const ATTESTED: u8 = 1 << 6;
const EXTENSIONS: u8 = 1 << 7;

/// The longest credential id, in bytes (§6.5.1 of Level 3).
pub(super) const LONGEST_ID: usize = 1023;

/// Authenticator data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AuthenticatorData<'a> {
    party: &'a [u8; 32],
    flags: u8,
    pub(super) counter: u32,
    pub(super) attested: Option<Attested<'a>>,
}

/// A new credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attested<'a> {
    pub(super) credential: &'a [u8],
    /// The COSE_Key's bytes; they are a key.
    pub(super) public_key: &'a [u8],
}

impl<'a> AuthenticatorData<'a> {
    /// Reads all of the bytes.
    pub(super) fn read(bytes: &'a [u8]) -> Result<AuthenticatorData<'a>, Fault> {
        let (party, bytes) = bytes.split_first_chunk::<32>().ok_or(Fault::Form)?;
        let (flags, bytes) = bytes.split_first_chunk::<1>().ok_or(Fault::Form)?;
        let (counter, mut bytes) = bytes.split_first_chunk::<4>().ok_or(Fault::Form)?;
        let flags = flags[0];
        let mut attested = None;
        if flags & ATTESTED != 0 {
            let (credential, after) = Attested::read(bytes)?;
            (attested, bytes) = (Some(credential), after);
        }
        if flags & EXTENSIONS != 0 {
            bytes = skip_map(bytes)?;
        }
        if !bytes.is_empty() {
            return Err(Fault::Form);
        }
        Ok(AuthenticatorData { party, flags, counter: u32::from_be_bytes(*counter), attested })
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn user_verified(&self) -> bool {
        self.has(USER_VERIFIED)
    }

    pub(super) fn backup_eligible(&self) -> bool {
        self.has(BACKUP_ELIGIBLE)
    }

    pub(super) fn backed_up(&self) -> bool {
        self.has(BACKED_UP)
    }

    /// §7.1, steps 13 to 15, and §7.2, steps 15 to 17; then the backup flags as Level 3 has them.
    pub(super) fn check(&self, expected: &Expected<'_>) -> Result<(), Fault> {
        if digest(&SHA256, expected.party.id.as_bytes()).as_ref() != self.party {
            return Err(Fault::Party);
        }
        if !self.has(USER_PRESENT) {
            return Err(Fault::Absent);
        }
        if expected.user_verified && !self.user_verified() {
            return Err(Fault::Unverified);
        }
        // Level 3, 6.1.3: what cannot be backed up is not.
        if self.backed_up() && !self.backup_eligible() {
            return Err(Fault::Backup);
        }
        Ok(())
    }
}

impl<'a> Attested<'a> {
    fn read(bytes: &'a [u8]) -> Result<(Attested<'a>, &'a [u8]), Fault> {
        let (_aaguid, bytes) = bytes.split_first_chunk::<16>().ok_or(Fault::Form)?;
        let (length, bytes) = bytes.split_first_chunk::<2>().ok_or(Fault::Form)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (credential, bytes) = bytes.split_at_checked(length).ok_or(Fault::Form)?;
        if !(1..=LONGEST_ID).contains(&length) {
            return Err(Fault::Credential);
        }
        let (_, after) = PublicKey::read(bytes)?;
        let public_key = &bytes[..bytes.len() - after.len()];
        Ok((Attested { credential, public_key }, after))
    }
}

/// Reads over a map with names as keys; answers what follows it.
fn skip_map(bytes: &[u8]) -> Result<&[u8], Fault> {
    let mut reader = SliceReader::new(bytes);
    for _ in 0..Map::len(&mut reader).ok().flatten().ok_or(Fault::Form)? {
        <&str>::decode(&mut reader).map_err(|_| Fault::Form)?;
        IgnoredAny::decode(&mut reader).map_err(|_| Fault::Form)?;
    }
    Ok(rest(&mut reader))
}

/// The authenticator data in an attestation object (§7.1, step 12). The statement must be there and is not judged, but
/// for the format `none`, whose statement is empty (§8.7).
pub(super) fn attested_data(object: &[u8]) -> Result<&[u8], Fault> {
    let mut reader = SliceReader::new(object);
    let (mut format, mut statement, mut data) = (None, None, None);
    for _ in 0..Map::len(&mut reader).ok().flatten().ok_or(Fault::Form)? {
        let name = <&str>::decode(&mut reader).map_err(|_| Fault::Form)?;
        let known = match name {
            "fmt" => format.replace(<&str>::decode(&mut reader).map_err(|_| Fault::Form)?).is_some(),
            "authData" => {
                let bytes = Bytes::<&[u8]>::decode(&mut reader).map_err(|_| Fault::Form)?;
                data.replace(bytes.0).is_some()
            }
            "attStmt" => {
                let from = rest(&mut reader);
                IgnoredAny::decode(&mut reader).map_err(|_| Fault::Form)?;
                statement.replace(&from[..from.len() - rest(&mut reader).len()]).is_some()
            }
            _ => return Err(Fault::Form),
        };
        if known {
            return Err(Fault::Form);
        }
    }
    let (Some(format), Some(statement), Some(data)) = (format, statement, data) else {
        return Err(Fault::Form);
    };
    if !rest(&mut reader).is_empty() || (format == "none" && statement != [0xa0]) {
        return Err(Fault::Form);
    }
    Ok(data)
}
