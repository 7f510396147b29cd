//! A folder for files in the making: it goes away on every path, and only whole files leave it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, io, process};

use super::refused::Refused;

/// A folder inside the target folder, removed with all that is in it when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: PathBuf,
    target: PathBuf,
}

/// How often removal is tried: a child that was just killed may still create a file while its folder is emptied.
const ATTEMPTS: usize = 8;

impl Scratch {
    /// Makes the folder, and the target folder if it is missing.
    pub(crate) fn create(target: &Path) -> Result<Self, Refused> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let failed = |error: io::Error| Refused::failed("making a folder for media", &error);
        fs::create_dir_all(target).map_err(failed)?;
        // Absolute, since children are started in it.
        let target = fs::canonicalize(target).map_err(failed)?;
        let folder = target.join(format!(".making-{}-{number}", process::id()));
        fs::create_dir(&folder).map_err(failed)?;
        Ok(Self { folder, target })
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The place of a file in the making.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Moves finished files into the target folder, all or none, and gives their new places.
    pub(crate) fn publish(&self, names: &[&str]) -> Result<Vec<PathBuf>, Refused> {
        let mut published: Vec<PathBuf> = Vec::with_capacity(names.len());
        for name in names {
            let place = self.target.join(name);
            if let Err(error) = fs::rename(self.file(name), &place) {
                for place in &published {
                    let _ = fs::remove_file(place);
                }
                return Err(Refused::failed("putting a finished file into its place", &error));
            }
            published.push(place);
        }
        Ok(published)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for _ in 0..ATTEMPTS {
            match fs::remove_dir_all(&self.folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {}
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_published_files_stay() {
        let target = tempfile::tempdir().unwrap();
        let scratch = Scratch::create(target.path()).unwrap();
        fs::write(scratch.file("kept"), "x").unwrap();
        fs::write(scratch.file("lost"), "x").unwrap();
        assert!(scratch.publish(&["kept", "missing"]).is_err());
        assert!(!target.path().join("kept").exists(), "all or none");
        fs::write(scratch.file("kept"), "x").unwrap();
        scratch.publish(&["kept"]).unwrap();
        drop(scratch);
        let names: Vec<_> =
            fs::read_dir(target.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["kept"]);
    }
}
