//! The files and directories of a store, and steps between them that a crash cannot halve.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::StoreError;
use crate::log;
use crate::shared::CURRENT_FILE;

/// The directory of the database, if there is one.
pub(crate) fn current(directory: &Path) -> Result<Option<PathBuf>, StoreError> {
    let path = directory.join(CURRENT_FILE);
    match fs::read_to_string(&path) {
        Ok(name) => Ok(Some(directory.join(name.trim()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io(path, &error)),
    }
}

/// Makes another directory the database, in one step that is durable.
pub(crate) fn set_current(directory: &Path, name: &str) -> Result<(), StoreError> {
    let (path, new) = (directory.join(CURRENT_FILE), directory.join("current.new"));
    let written = fs::write(&new, name).and_then(|()| File::open(&new)?.sync_all());
    written.and_then(|()| fs::rename(&new, &path)).map_err(|e| StoreError::io(&path, &e))?;
    log::sync_parent(&path)
}

/// A name no database here has.
pub(crate) fn next_database(directory: &Path) -> Result<String, StoreError> {
    let numbers = names(directory)?.into_iter().filter_map(|name| name.strip_prefix("db.")?.parse::<u64>().ok());
    Ok(format!("db.{}", numbers.max().unwrap_or(0) + 1))
}

/// Moves a damaged database out of the way; returns where it is kept.
pub(crate) fn move_aside(directory: &Path) -> Result<PathBuf, StoreError> {
    let mut to = directory.join(format!("db.broken-{}", unix_seconds()));
    while to.exists() {
        to.as_mut_os_string().push("+");
    }
    if let Some(from) = current(directory)?.filter(|from| from.exists()) {
        fs::rename(&from, &to).map_err(|e| StoreError::io(&to, &e))?;
        log::sync_parent(&to)?;
    }
    tracing::error!(kept = %to.display(), "database damaged, rebuilding from the own log");
    Ok(to)
}

/// Removes databases that a compaction did not finish, or that it replaced.
pub(crate) fn remove_leftovers(directory: &Path) -> Result<(), StoreError> {
    let Some(current) = current(directory)? else { return Ok(()) };
    if !current.join("db").exists() {
        return Ok(());
    }
    for name in names(directory)? {
        let path = directory.join(&name);
        let number = name.strip_prefix("db.").and_then(|rest| rest.parse::<u64>().ok());
        if number.is_some() && path != current {
            fs::remove_dir_all(&path).map_err(|e| StoreError::io(&path, &e))?;
        } else if name.ends_with(".new") {
            remove_if_there(&path)?;
        }
    }
    Ok(())
}

fn names(directory: &Path) -> Result<Vec<String>, StoreError> {
    let items = fs::read_dir(directory).map_err(|e| StoreError::io(directory, &e))?;
    Ok(items.filter_map(|item| item.ok()?.file_name().into_string().ok()).collect())
}

/// Removes a file that may be missing.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io(path, &error)),
        _ => Ok(()),
    }
}

/// For names of what is kept aside.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
