//! `backup` and `restore`: the whole store as of one moment in one encrypted file, made while the node runs, and read back
//! before it counts.

mod schedule;
mod sealed;

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ortsnetz_store::{Batch, Key, Origin, Store};
use ortsnetz_trust::RootKey;
use ortsnetz_trust::sheet::Sheet;

use crate::clock;
use crate::dto::{BackedUp, BackupRequest, OrganisationInfo, RestoreRequest, Restored};
use crate::error::NodeError;
use crate::shared::lock;
use crate::start;

pub(crate) use schedule::keep_backing_up;
pub use schedule::{BackupSchedule, Keep};
pub(crate) use sealed::create;
use sealed::{Lock, Opener};

/// What is not encrypted yet, or no longer, while a backup is made or read. Below the data directory, which only its owner
/// reads.
const PLAIN: &str = "backup.tmp";
/// Added to the name of a backup until it was read back.
const UNFINISHED: &str = "part";

/// Name of the row that says when the last backup was made.
const MADE: &str = "backup_made";
/// `doctor` warns when the last one is older.
pub(crate) const OLD_MS: u64 = 8 * 24 * 3_600_000;

/// One backup at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// `backup FILE`. Blocks.
pub(crate) fn backup(store: &Store, data_dir: &Path, request: &BackupRequest) -> Result<BackedUp, NodeError> {
    let passphrase = request.passphrase.as_deref().filter(|text| !text.is_empty());
    let locked = Lock::parse(passphrase, &request.recipients)?;
    let file = Path::new(&request.file);
    let _one = lock(&ALONE);
    if file.exists() {
        return Err(NodeError::Conflict(format!("{} exists already; give another name", file.display())));
    }
    store.check_room(store.usage()?.payload_bytes)?;
    let plain = Plain::new(data_dir)?;
    let rows = store.export(&plain.0)?;
    Store::check_export(&plain.0)?;
    let unfinished = Unfinished::new(file)?;
    seal(&plain, &unfinished, file, &locked)?;
    let bytes = unfinished.finish(file)?;
    let mut batch = Batch::new(Origin::Own);
    batch.put(Key::Meta(MADE.into()), clock::now().to_be_bytes().to_vec());
    store.commit(batch)?;
    tracing::info!(file = %file.display(), bytes, "a backup was made and read back");
    Ok(BackedUp { ok: true, file: file.display().to_string(), bytes, rows })
}

fn seal(plain: &Plain, unfinished: &Unfinished, file: &Path, locked: &Lock) -> Result<(), NodeError> {
    let (content, opener) = sealed::seal(&plain.0, &unfinished.0, locked, start::sheet_work_factor())?;
    if sealed::open(&unfinished.0, &opener, &mut std::io::sink())? != content {
        return Err(NodeError::Unavailable(format!(
            "what was written to {} does not read back as it was; check that disk, nothing was kept",
            file.display()
        )));
    }
    Ok(())
}

/// Writes what no partner could give back into a new file that the recovery sheet opens, and reads it back. Rows that
/// `passing` picks change all the time; without them the digest says whether anything is new, and `wanted` by the digest
/// whether the file is made at all. Blocks.
pub(crate) fn seal_own(
    store: &Store,
    data_dir: &Path,
    file: &Path,
    root: &RootKey,
    passing: &dyn Fn(&Key) -> bool,
    wanted: impl FnOnce(&[u8; 32]) -> bool,
) -> Result<Option<[u8; 32]>, NodeError> {
    let _one = lock(&ALONE);
    store.check_room(store.usage()?.payload_bytes)?;
    let plain = Plain::new(data_dir)?;
    let exported = store.export_own(&plain.0, passing)?;
    if !wanted(&exported.digest) {
        return Ok(None);
    }
    Store::check_export(&plain.0)?;
    let unfinished = Unfinished::new(file)?;
    seal(&plain, &unfinished, file, &Lock::of_sheet(root)?)?;
    unfinished.finish(file)?;
    Ok(Some(exported.digest))
}

/// Makes a store in `data_dir` from a sealed copy. Returns whose it is. Blocks.
pub(crate) fn open_own(data_dir: &Path, file: &Path, root: &RootKey) -> Result<OrganisationInfo, NodeError> {
    restore_into(data_dir, file, &Opener::of_sheet(root)?).map(|restored| restored.organisation)
}

/// When the last backup was made.
pub(crate) fn made(store: &Store) -> Result<Option<u64>, NodeError> {
    Ok(store.meta(MADE)?.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes))
}

/// Whether a row only says when the last backup was made.
pub(crate) fn is_note(key: &Key) -> bool {
    matches!(key, Key::Meta(name) if name == MADE)
}

/// `restore FILE` into a data directory without an identity. Blocks.
pub(crate) fn restore(data_dir: &Path, file: &Path, request: &RestoreRequest) -> Result<Restored, NodeError> {
    let opener = match &request.sheet {
        Some(sheet) => {
            let passphrase = request.passphrase.as_deref().unwrap_or_default();
            let sheet = Sheet::from_text(sheet, passphrase).map_err(|e| NodeError::Unreadable(e.to_string()))?;
            Opener::of_sheet(&sheet.root)?
        }
        None => Opener::parse(request.passphrase.as_deref(), request.keys.as_deref())?,
    };
    let is_new = !data_dir.exists();
    start::make_empty(data_dir)?;
    let restored = restore_into(data_dir, file, &opener);
    if restored.is_err() && is_new {
        // A directory that has something in it stays, and so it should.
        let _ = fs::remove_dir(data_dir);
    }
    restored
}

fn restore_into(data_dir: &Path, file: &Path, opener: &Opener) -> Result<Restored, NodeError> {
    let plain = Plain::new(data_dir)?;
    let mut out = BufWriter::new(create(&plain.0)?);
    sealed::open(file, opener, &mut out)?;
    drop(out);
    Ok(Restored { ok: true, organisation: start::import_store(data_dir, &plain.0)? })
}

/// What `doctor` says of the last backup: whether it is young enough, and a line.
pub(crate) fn last(store: &Store) -> Result<(bool, String), NodeError> {
    Ok(match made(store)? {
        None => (false, "none was ever made; `ortsnetz backup FILE`, or [backup] in ortsnetz.toml".into()),
        Some(at) if at + OLD_MS < clock::now() => {
            (false, format!("the last one is of {}; make another with `ortsnetz backup FILE`", clock::rfc3339(at)))
        }
        Some(at) => (true, format!("the last one is of {}", clock::rfc3339(at))),
    })
}

/// Removes what a backup or a restore left that was cut off.
pub(crate) fn clean(data_dir: &Path) -> Result<(), NodeError> {
    let plain = data_dir.join(PLAIN);
    for path in [plain.with_extension(UNFINISHED), plain] {
        remove(&path)?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), NodeError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(NodeError::Unavailable(format!("cannot remove {}: {error}", path.display())))
        }
        _ => Ok(()),
    }
}

/// The file that is not encrypted; gone when this is dropped.
struct Plain(PathBuf);

impl Plain {
    fn new(data_dir: &Path) -> Result<Self, NodeError> {
        clean(data_dir)?;
        Ok(Self(data_dir.join(PLAIN)))
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.0) {
            tracing::error!(%error, "a file that is not encrypted stays behind; remove it");
        }
    }
}

/// A backup that does not count yet; gone when this is dropped.
struct Unfinished(PathBuf);

impl Unfinished {
    fn new(file: &Path) -> Result<Self, NodeError> {
        let mut name = file.file_name().map(ToOwned::to_owned).unwrap_or_default();
        if name.is_empty() {
            return Err(NodeError::Invalid(format!("{} names no file", file.display())));
        }
        name.push(".");
        name.push(UNFINISHED);
        let unfinished = file.with_file_name(name);
        // Of a backup that was cut off: nobody else makes one now.
        remove(&unfinished)?;
        Ok(Self(unfinished))
    }

    /// Gives it its name; returns its length.
    fn finish(self, file: &Path) -> Result<u64, NodeError> {
        let failed =
            |error: std::io::Error| NodeError::Unavailable(format!("cannot write {}: {error}", file.display()));
        let bytes = fs::metadata(&self.0).map_err(failed)?.len();
        fs::rename(&self.0, file).map_err(failed)?;
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|directory| directory.sync_all()).map_err(failed)?;
        Ok(bytes)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.0) {
            tracing::error!(%error, "an unfinished backup stays behind");
        }
    }
}
