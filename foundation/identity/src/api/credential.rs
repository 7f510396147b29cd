//! Public key credentials as a browser's script sends them: `toJSON()` of Web Authentication Level 3, 5.1.

use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::NO_PAD;
use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose};
use serde::{Deserialize, Deserializer};

/// Base64url; padding may stand there, as some clients send it.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, NO_PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// Bytes in JSON.
pub(crate) struct Encoded(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for Encoded {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        LENIENT.decode(text).map(Encoded).map_err(|_| serde::de::Error::custom("not base64url"))
    }
}

/// A public key credential as `toJSON()` writes it (Level 3, 5.1). What is not named here is not looked at.
#[derive(Deserialize)]
pub(crate) struct Shown<R> {
    #[serde(rename = "rawId")]
    pub(crate) id: Encoded,
    pub(crate) response: R,
}

/// What `navigator.credentials.create()` gave.
#[derive(Deserialize)]
pub(crate) struct Created {
    #[serde(rename = "clientDataJSON")]
    pub(crate) client_data: Encoded,
    #[serde(rename = "attestationObject")]
    pub(crate) attestation: Encoded,
    #[serde(default)]
    pub(crate) transports: Vec<String>,
}

/// What `navigator.credentials.get()` gave.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Got {
    #[serde(rename = "clientDataJSON")]
    pub(crate) client_data: Encoded,
    pub(crate) authenticator_data: Encoded,
    pub(crate) signature: Encoded,
    #[serde(default)]
    pub(crate) user_handle: Option<Encoded>,
}
