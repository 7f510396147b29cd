//! The folder with the account and the certificate: readable for its owner only, and files change whole.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use serde::{Deserialize, Serialize};

use crate::AcmeError;

/// The account's file: an account is known to one authority only.
#[derive(Serialize, Deserialize)]
struct Kept<C> {
    directory: String,
    credentials: C,
}

/// An open folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it when it is not there.
    pub fn open(path: &Path) -> Result<Self, AcmeError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| AcmeError::Folder { path: path.to_owned(), source })?;
        Ok(Self(path.to_owned()))
    }

    /// The file with key and certificate.
    pub fn certificate_path(&self) -> PathBuf {
        self.0.join("certificate.pem")
    }

    /// Key and certificate, if there are any.
    pub(crate) fn certificate(&self) -> Result<Option<Vec<u8>>, AcmeError> {
        self.read(self.certificate_path())
    }

    pub(crate) fn put_certificate(&self, pem: &str) -> Result<(), AcmeError> {
        self.write(self.certificate_path(), pem.as_bytes())
    }

    /// The account at the authority with this directory, if there is one.
    pub(crate) fn account(&self, directory: &str) -> Result<Option<AccountCredentials>, AcmeError> {
        let path = self.account_path();
        let Some(json) = self.read(path.clone())? else { return Ok(None) };
        let kept = serde_json::from_slice::<Kept<AccountCredentials>>(&json);
        let kept = kept.map_err(|source| AcmeError::Account { path, source })?;
        Ok((kept.directory == directory).then_some(kept.credentials))
    }

    pub(crate) fn put_account(
        &self,
        directory: &str,
        credentials: &AccountCredentials,
    ) -> Result<(), AcmeError> {
        let path = self.account_path();
        let json = serde_json::to_vec(&Kept { directory: directory.to_owned(), credentials })
            .map_err(|source| AcmeError::Account { path: path.clone(), source })?;
        self.write(path, &json)
    }

    fn account_path(&self) -> PathBuf {
        self.0.join("account.json")
    }

    fn read(&self, path: PathBuf) -> Result<Option<Vec<u8>>, AcmeError> {
        match fs::read(&path) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(AcmeError::Folder { path, source }),
        }
    }

    /// Either the old content stands there or the new one, after a crash too.
    fn write(&self, path: PathBuf, content: &[u8]) -> Result<(), AcmeError> {
        let beside = path.with_extension("new");
        let written = || {
            // What a crash left behind may be anybody's to read.
            match fs::remove_file(&beside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            fs::File::open(&self.0)?.sync_all()
        };
        written().map_err(|source| AcmeError::Folder { path: path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_kept_is_for_its_owner_only() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(&place.path().join("acme")).unwrap();
        assert_eq!(folder.certificate().unwrap(), None);
        for content in ["one", "another"] {
            folder.put_certificate(content).unwrap();
            assert_eq!(folder.certificate().unwrap().as_deref(), Some(content.as_bytes()));
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder.0), mode(&folder.certificate_path())), (0o700, 0o600));
    }

    #[test]
    fn a_broken_account_is_named() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        assert!(folder.account("https://a.example").unwrap().is_none());
        fs::write(folder.account_path(), "{").unwrap();
        let error = folder.account("https://a.example").err().unwrap().to_string();
        assert!(error.contains("account.json holds no account"), "{error}");
    }
}
