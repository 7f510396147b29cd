//! The public halves of the keys that sign tokens. The private halves lie in files of the edge.

use serde::{Deserialize, Serialize};

use super::{Directory, End, Moment, Outcome};
use crate::command::{AddSigningKey, Refusal, Reply};
use crate::event::{SigningKeyAdded, SigningKeyEnded};
use crate::value::{Bytes, is_scope};

/// Keys at the same time: one that signs, one that comes, some that are still trusted.
const MOST_KEYS: usize = 16;

/// A key that signs tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// The Ed25519 public key.
    pub public: Bytes,
    /// From when on it signs.
    pub signs_from: i64,
    /// Until when its signatures count.
    pub trusted_until: i64,
}

impl Directory {
    /// Every key whose signatures count, by name.
    pub fn signing_keys(&self) -> impl Iterator<Item = (&str, &SigningKey)> {
        self.signing_keys.rows().iter().map(|(kid, key)| (kid.as_str(), key))
    }

    pub(super) fn add_signing_key(&mut self, moment: &mut Moment<'_>, it: AddSigningKey) -> Outcome {
        if !is_scope(&it.kid) || it.public.0.len() != 32 || it.signs_from >= it.trusted_until {
            return Err(Refusal::Invalid);
        }
        moment.ahead(it.trusted_until)?;
        if self.signing_keys.get(&it.kid).is_some() {
            return Err(Refusal::NameTaken);
        }
        if self.signing_keys.rows().len() >= MOST_KEYS {
            return Err(Refusal::TooMany);
        }
        self.found.ends.insert((it.trusted_until, End::SigningKey(it.kid.clone())));
        let (signs_from, trusted_until) = (it.signs_from, it.trusted_until);
        let key = SigningKey { public: it.public.clone(), signs_from, trusted_until };
        self.signing_keys.put(it.kid.clone(), key);
        moment.tell(0, SigningKeyAdded { kid: it.kid, public: it.public, signs_from, trusted_until });
        Ok(Reply::Done)
    }

    pub(super) fn revoke_signing_key(
        &mut self,
        moment: &mut Moment<'_>,
        kid: &str,
        expired: bool,
    ) -> Outcome {
        let key = self.signing_keys.remove(kid).ok_or(Refusal::UnknownKey)?;
        self.found.ends.remove(&(key.trusted_until, End::SigningKey(kid.to_owned())));
        moment.tell(0, SigningKeyEnded { kid: kid.to_owned(), expired });
        Ok(Reply::Done)
    }
}
