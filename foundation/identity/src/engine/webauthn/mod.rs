//! Passkeys: what a relying party checks of a registration and of an assertion. Bytes in, verdict out.
//!
//! Section and step numbers are those of W3C Web Authentication Level 2, §7.1 (registration) and §7.2 (assertion); what
//! Level 3 adds says so. Challenges are the caller's to make and to take once. Whose a credential is (§7.1, step 22;
//! §7.2, steps 5 to 7) and that its counter goes on (§7.2, step 21) is the state's to decide. Attestation statements are
//! not judged (§7.1, steps 18 to 21 and 24): `none` is asked for, so a passkey of any maker is welcome, and what its
//! maker says of it counts for nothing.

mod authenticator;
mod cose;
mod party;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde::de::IgnoredAny;

pub use cose::ALGORITHMS;
pub use party::RelyingParty;

use self::authenticator::AuthenticatorData;
use self::cose::PublicKey;
use super::secret;
use crate::sabotage::{self, Sabotage};

/// The longest client data that is looked at, in bytes.
const LONGEST: usize = 8 * 1024;

/// Why something is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not of the form that the specification gives.
    #[error("not of the form that WebAuthn gives")]
    Form,
    /// A registration where an assertion is asked for, or the other way round.
    #[error("made for another ceremony")]
    Ceremony,
    /// Another challenge was signed.
    #[error("the challenge is another one")]
    Challenge,
    /// Made on a page of another origin, or framed by one.
    #[error("made on a page of another origin")]
    Origin,
    /// Made for another relying party.
    #[error("the credential is for another relying party")]
    Party,
    /// Nobody was there.
    #[error("the authenticator did not ask whether somebody is there")]
    Absent,
    /// The authenticator did not check who is there.
    #[error("the authenticator did not check who is there")]
    Unverified,
    /// The backup flags contradict each other, or what they said before.
    #[error("the flags about backups contradict each other")]
    Backup,
    /// An algorithm that was not asked for.
    #[error("the algorithm is none of ES256, EdDSA and RS256")]
    Algorithm,
    /// The public key is none.
    #[error("the public key is none of its algorithm")]
    Key,
    /// The credential id is empty or too long.
    #[error("a credential id has 1 to 1023 bytes")]
    Credential,
    /// The signature is not the key's.
    #[error("the signature is wrong")]
    Signature,
}

/// What is expected of a ceremony.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who this is.
    pub party: &'a RelyingParty,
    /// What was to be signed.
    pub challenge: &'a [u8],
    /// The authenticator must have checked who is there.
    pub user_verified: bool,
}

/// A credential that was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The credential id.
    pub credential: Vec<u8>,
    /// The public key, a COSE_Key.
    pub public_key: Vec<u8>,
    /// The signature counter.
    pub counter: u32,
    /// The authenticator checked who was there.
    pub user_verified: bool,
    /// Copies of it may come to be (a passkey that is synced).
    pub backup_eligible: bool,
    /// There are copies of it.
    pub backed_up: bool,
}

/// What is known of a credential.
#[derive(Clone, Copy, Debug)]
pub struct Credential<'a> {
    /// The public key, a COSE_Key.
    pub public_key: &'a [u8],
    /// Copies of it may come to be.
    pub backup_eligible: bool,
}

/// What came back from `navigator.credentials.get()`.
#[derive(Clone, Copy, Debug)]
pub struct Assertion<'a> {
    /// `clientDataJSON`.
    pub client_data: &'a [u8],
    /// `authenticatorData`.
    pub authenticator_data: &'a [u8],
    /// `signature`.
    pub signature: &'a [u8],
}

/// What an assertion says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asserted {
    /// The signature counter.
    pub counter: u32,
    /// The authenticator checked who was there.
    pub user_verified: bool,
    /// There are copies of the credential.
    pub backed_up: bool,
}

/// Client data (§5.8.1), as far as it is looked at. A name that stands twice is refused.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    #[serde(default)]
    top_origin: Option<IgnoredAny>,
    #[serde(default)]
    token_binding: Option<TokenBinding>,
}

#[derive(Deserialize)]
struct TokenBinding {
    status: String,
}

impl ClientData {
    /// §7.1, steps 5 and 6; §7.2, steps 9 and 10.
    fn read(bytes: &[u8]) -> Result<ClientData, Fault> {
        if bytes.len() > LONGEST {
            return Err(Fault::Form);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Fault::Form)?;
        serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(|_| Fault::Form)
    }

    /// §7.1, steps 7 to 10; §7.2, steps 11 to 14.
    fn check(&self, expected: &Expected<'_>, ceremony: &str) -> Result<(), Fault> {
        if self.r#type != ceremony {
            return Err(Fault::Ceremony);
        }
        let challenge = URL_SAFE_NO_PAD.encode(expected.challenge);
        if !secret::same(self.challenge.as_bytes(), challenge.as_bytes()) {
            return Err(Fault::Challenge);
        }
        if self.origin != expected.party.origin && !sabotage::lacks(Sabotage::PasskeyOrigin) {
            return Err(Fault::Origin);
        }
        // Level 3, 7.1, steps 10 and 11, and 7.2, steps 13 and 14: no page of ours is framed.
        if self.cross_origin || self.top_origin.is_some() {
            return Err(Fault::Origin);
        }
        // No token is bound to a connection of ours.
        if self.token_binding.as_ref().is_some_and(|binding| binding.status == "present") {
            return Err(Fault::Form);
        }
        Ok(())
    }
}

/// The challenge that client data answers: the caller looks it up before anything else is checked.
pub fn challenge_of(client_data: &[u8]) -> Result<Vec<u8>, Fault> {
    let text = ClientData::read(client_data)?.challenge;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Fault::Challenge)
}

/// Checks a registration (§7.1). That the credential is not registered yet (step 22) is the state's to decide.
pub fn register(
    expected: &Expected<'_>,
    client_data: &[u8],
    attestation: &[u8],
) -> Result<Registered, Fault> {
    ClientData::read(client_data)?.check(expected, "webauthn.create")?;
    let data = AuthenticatorData::read(authenticator::attested_data(attestation)?)?;
    data.check(expected)?;
    let attested = data.attested.as_ref().ok_or(Fault::Form)?;
    Ok(Registered {
        credential: attested.credential.to_vec(),
        public_key: attested.public_key.to_vec(),
        counter: data.counter,
        user_verified: data.user_verified(),
        backup_eligible: data.backup_eligible(),
        backed_up: data.backed_up(),
    })
}

/// Checks an assertion (§7.2, steps 8 to 20) by this credential. That its counter goes on (step 21) is the state's to
/// decide: see [`goes_on`].
pub fn assert(
    expected: &Expected<'_>,
    credential: Credential<'_>,
    shown: Assertion<'_>,
) -> Result<Asserted, Fault> {
    ClientData::read(shown.client_data)?.check(expected, "webauthn.get")?;
    let data = AuthenticatorData::read(shown.authenticator_data)?;
    data.check(expected)?;
    // Level 3, 7.2: whether there may be copies never changes.
    if data.backup_eligible() != credential.backup_eligible {
        return Err(Fault::Backup);
    }
    let (key, rest) = PublicKey::read(credential.public_key)?;
    if !rest.is_empty() {
        return Err(Fault::Key);
    }
    // Steps 19 and 20.
    let mut signed = shown.authenticator_data.to_vec();
    signed.extend_from_slice(digest(&SHA256, shown.client_data).as_ref());
    let verified = key.verify(&signed, shown.signature);
    if !sabotage::lacks(Sabotage::PasskeySignature) {
        verified?;
    }
    Ok(Asserted { counter: data.counter, user_verified: data.user_verified(), backed_up: data.backed_up() })
}

/// Whether a signature counter goes on (§7.2, step 21). One that does not tells of a copy of the private key. Synced
/// passkeys do not count: both are zero for ever.
pub fn goes_on(known: u32, shown: u32) -> bool {
    (known == 0 && shown == 0) || shown > known || sabotage::lacks(Sabotage::PasskeyCounter)
}
