//! Where snapshots and skip lists lie: named objects that are written whole, synced, or not at all.
//!
//! The shape fits a folder today and an object store later.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use decalog_seal::{KeyRing, STREAM_MAGIC, SealError, StreamReader, StreamWriter};

/// Named objects. Names are made of letters, digits, `-`, `.` and `/`.
pub trait Store: Send + Sync + 'static {
    /// The names that begin so, in order.
    fn list(&self, prefix: &str) -> io::Result<Vec<String>>;
    /// Writes an object. When this returns, the object is on the device; when it fails, whatever had that name before
    /// still does.
    fn put(&self, name: &str, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<()>;
    /// Reads an object.
    fn get(&self, name: &str) -> io::Result<Box<dyn Read + Send>>;
    /// Removes an object, if there is one.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// How long ago the object was written, by the wall clock.
    fn age(&self, name: &str) -> io::Result<Duration>;
    /// Removes what a process that was killed left half-written in a folder. Only while nobody writes there.
    fn sweep(&self, folder: &str) -> io::Result<()>;
    /// The object's place, for messages to people.
    fn place(&self, name: &str) -> PathBuf;
}

/// Objects as files below a folder, sealed when there are keys. An object is bound to its name.
#[derive(Clone, Debug)]
pub struct FolderStore {
    root: PathBuf,
    keys: Option<Arc<KeyRing>>,
}

const UNFINISHED: &str = "unfinished";

impl FolderStore {
    /// A store in this folder, which is made when first written to.
    pub fn new(root: impl Into<PathBuf>) -> FolderStore {
        FolderStore { root: root.into(), keys: None }
    }

    /// Seals what is written from now on, and opens what was.
    #[must_use]
    pub fn with_keys(self, keys: Option<Arc<KeyRing>>) -> FolderStore {
        FolderStore { keys, ..self }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes a folder and those above it, each entry synced.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_folder(parent)?;
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => sync_folder(parent)?,
        }
    }
    Ok(())
}

impl Store for FolderStore {
    fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        let (folder, start) = prefix.rsplit_once('/').unwrap_or(("", prefix));
        let entries = match fs::read_dir(self.root.join(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with(start) && !name.ends_with(UNFINISHED) && entry.file_type()?.is_file() {
                names.push(if folder.is_empty() { name } else { format!("{folder}/{name}") });
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn put(&self, name: &str, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let path = self.path(name);
        let folder = path.parent().unwrap_or(&self.root).to_owned();
        make_folder(&folder)?;
        let unfinished = path.with_added_extension(UNFINISHED);
        let result = (|| {
            let mut out = BufWriter::with_capacity(1 << 20, File::create(&unfinished)?);
            match &self.keys {
                None => write(&mut out)?,
                Some(keys) => {
                    let mut sealed = StreamWriter::new(&mut out, keys, name.as_bytes())?;
                    write(&mut sealed)?;
                    sealed.finish()?;
                }
            }
            out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            fs::rename(&unfinished, &path)?;
            sync_folder(&folder)
        })();
        if result.is_err() {
            // Whatever went wrong, the half-written file is of no use; its removal may fail for the same reason.
            let _ = fs::remove_file(&unfinished);
        }
        result
    }

    fn get(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let mut file = io::BufReader::with_capacity(1 << 20, File::open(self.path(name))?);
        let sealed = file.fill_buf()?.starts_with(STREAM_MAGIC);
        match (&self.keys, sealed) {
            (Some(keys), true) => Ok(Box::new(StreamReader::new(file, keys, name.as_bytes())?)),
            (Some(keys), false) if !keys.accepts_unsealed() => Err(SealError::Unsealed.into()),
            (None, true) => {
                let key = file.buffer().get(8..12).and_then(|key| key.try_into().ok());
                Err(SealError::NoKeys { key: key.map_or(0, u32::from_le_bytes) }.into())
            }
            _ => Ok(Box::new(file)),
        }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn age(&self, name: &str) -> io::Result<Duration> {
        let written = fs::metadata(self.path(name))?.modified()?;
        // The clock may have been set back.
        Ok(written.elapsed().unwrap_or_default())
    }

    fn sweep(&self, folder: &str) -> io::Result<()> {
        let entries = match fs::read_dir(self.root.join(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == UNFINISHED) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn place(&self, name: &str) -> PathBuf {
        self.path(name)
    }
}

/// An object's bytes and when it was put.
type Object = (Arc<Vec<u8>>, Instant);

/// Objects in memory, for tests and the simulator. Clones share them, so that they outlive a simulated crash.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    objects: Arc<Mutex<BTreeMap<String, Object>>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    fn objects(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Object>> {
        self.objects.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl MemoryStore {
    fn object(&self, name: &str) -> io::Result<Object> {
        let object = self.objects().get(name).cloned();
        object.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, name.to_owned()))
    }
}

impl Store for MemoryStore {
    fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        Ok(self.objects().keys().filter(|name| name.starts_with(prefix)).cloned().collect())
    }

    fn put(&self, name: &str, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let mut bytes = Vec::new();
        write(&mut bytes)?;
        self.objects().insert(name.to_owned(), (Arc::new(bytes), Instant::now()));
        Ok(())
    }

    fn get(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(io::Cursor::new(SharedBytes(self.object(name)?.0))))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.objects().remove(name);
        Ok(())
    }

    fn age(&self, name: &str) -> io::Result<Duration> {
        Ok(self.object(name)?.1.elapsed())
    }

    fn sweep(&self, _folder: &str) -> io::Result<()> {
        Ok(())
    }

    fn place(&self, name: &str) -> PathBuf {
        PathBuf::from("memory").join(name)
    }
}

struct SharedBytes(Arc<Vec<u8>>);

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
