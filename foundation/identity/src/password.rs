//! Passwords: argon2id, checked at the edge and never logged.
//!
//! A check costs tens of milliseconds of one core and tens of megabytes by design, so callers bound how many run at once
//! and lend each a [`Workspace`].

use argon2::password_hash::{Output, PasswordHash, PasswordHasher, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// OWASP's memory for argon2id, 19 MiB in one lane, and five passes where it asks for two: about 50 ms.
fn hasher() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 5, 1, None).expect("the recommended parameters are valid");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The PHC string for a password, with the given random salt.
pub fn hash_password(password: &str, salt: &[u8; 16]) -> String {
    let salt = SaltString::encode_b64(salt).expect("16 bytes are a valid salt");
    hasher()
        .hash_password(password.as_bytes(), &salt)
        .expect("a valid salt and parameters always hash")
        .to_string()
}

/// Says what is wrong with a PHC string that is not an argon2id hash, or asks for more than this server spends.
pub fn check_hash(hash: &str) -> Result<(), &'static str> {
    const MAX_MEMORY_KIBIBYTES: u32 = 256 * 1024;
    const MAX_PASSES: u32 = 10;
    let parsed = PasswordHash::new(hash).map_err(|_| "must be a PHC string")?;
    if parsed.algorithm != Algorithm::Argon2id.ident() || parsed.hash.is_none() || parsed.salt.is_none() {
        return Err("must be an argon2id hash with its salt");
    }
    let params = Params::try_from(&parsed).map_err(|_| "must have valid argon2id parameters")?;
    if params.m_cost() > MAX_MEMORY_KIBIBYTES || params.t_cost() > MAX_PASSES {
        return Err("must need at most 256 MiB and 10 passes");
    }
    Ok(())
}

/// The memory that a check works in, kept from one to the next: freed by the many threads that log on, it would stay
/// behind in each thread's heap, and a flood of wrong logons would grow the process.
#[derive(Default)]
pub struct Workspace(Vec<Block>);

/// Is this the password of that PHC string? Constant time in the comparison.
pub fn verify(password: &str, hash: &str, workspace: &mut Workspace) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|parsed| verify_parsed(password, &parsed, workspace).is_ok_and(|is_right| is_right))
}

fn verify_parsed(
    password: &str,
    parsed: &PasswordHash<'_>,
    workspace: &mut Workspace,
) -> argon2::password_hash::Result<bool> {
    let (Some(salt), Some(expected)) = (parsed.salt, parsed.hash) else { return Ok(false) };
    let params = Params::try_from(parsed)?;
    let version = parsed.version.map_or(Ok(Version::V0x13), Version::try_from)?;
    let argon2 = Argon2::new(Algorithm::try_from(parsed.algorithm)?, version, params);
    let mut salt_bytes = [0; Salt::MAX_LENGTH];
    let salt = salt.decode_b64(&mut salt_bytes)?;
    workspace.0.resize(argon2.params().block_count(), Block::default());
    let actual = Output::init_with(expected.len(), |out| {
        Ok(argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, &mut workspace.0)?)
    })?;
    Ok(actual == expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_passes() {
        let hash = hash_password("correct horse", b"0123456789abcdef");
        assert_eq!(check_hash(&hash), Ok(()));
        // One workspace for all: what a check leaves in it does not matter to the next.
        let mut workspace = Workspace::default();
        let mut verify = |password, hash| super::verify(password, hash, &mut workspace);
        assert!(verify("correct horse", &hash));
        assert!(!verify("correct horsf", &hash));
        assert!(!verify("", &hash));
        assert!(!verify("correct horse", "not a hash"));
        assert!(!verify("correct horse", hash.rsplit_once('$').unwrap().0));
        assert!(verify("correct horse", &hash));
    }

    #[test]
    fn a_hash_that_is_foreign_or_too_expensive_is_refused() {
        let hash = hash_password("x", b"0123456789abcdef");
        for wrong in [
            "secret".to_owned(),
            hash.replace("argon2id", "argon2i"),
            hash.replace("m=19456", "m=4194304"),
            hash.rsplit_once('$').unwrap().0.to_owned(),
        ] {
            assert!(check_hash(&wrong).is_err(), "{wrong}");
        }
    }
}
