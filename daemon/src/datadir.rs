//! The data directory and the two files in it that let the command line find the daemon.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use data_encoding::BASE64URL_NOPAD;
use rand::RngCore as _;

use crate::failure::Failure;

/// Holds the address HTTP answers on while the daemon runs.
pub(crate) const HTTP_ADDR_FILE: &str = "http.addr";
/// Holds the bearer token, readable for its owner only.
pub(crate) const TOKEN_FILE: &str = "admin.token";
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// The directory asked for, or the platform's.
pub(crate) fn resolve(asked: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let directory = match asked {
        Some(directory) if directory.as_os_str().is_empty() => {
            return Err(Failure::Usage("--data-dir: is empty; give a directory".into()));
        }
        Some(directory) => directory,
        None => platform_default().ok_or_else(|| {
            Failure::Usage("cannot tell where data belongs on this system; give --data-dir DIR".into())
        })?,
    };
    Ok(std::path::absolute(directory)?)
}

fn platform_default() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = if cfg!(target_os = "windows") {
        variable("LOCALAPPDATA")?
    } else if cfg!(target_os = "macos") {
        variable("HOME")?.join("Library/Application Support")
    } else {
        variable("XDG_DATA_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/share")))?
    };
    Some(base.join("ortsnetz"))
}

/// The token of this directory; made with mode 0600 if there is none, or one that no request could carry.
pub(crate) fn token(data_dir: &Path) -> anyhow::Result<String> {
    let path = data_dir.join(TOKEN_FILE);
    match fs::read(&path) {
        Ok(bytes) => {
            let text = String::from_utf8(bytes).unwrap_or_default();
            let token = text.trim();
            if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Ok(token.to_owned());
            }
            tracing::warn!(file = %path.display(), "the admin token is damaged; a new one is made");
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("could not read {}", path.display())),
    }
    let mut bytes = [0_u8; TOKEN_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    let token = BASE64URL_NOPAD.encode(&bytes);
    write(&path, &format!("{token}\n"), 0o600)?;
    Ok(token)
}

/// Says where HTTP answers.
pub(crate) fn write_http_addr(data_dir: &Path, address: &str) -> anyhow::Result<()> {
    write(&data_dir.join(HTTP_ADDR_FILE), &format!("{address}\n"), 0o644)
}

/// Says that HTTP answers no longer. Only our own address is taken away.
pub(crate) fn remove_http_addr(data_dir: &Path, address: &str) {
    let path = data_dir.join(HTTP_ADDR_FILE);
    if fs::read_to_string(&path).is_ok_and(|text| text.trim() == address) {
        // If it stays, the next command finds nobody there and says so.
        let _ = fs::remove_file(path);
    }
}

/// Writes a small file whole or not at all.
pub(crate) fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let context = || format!("could not write {}", path.display());
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(mode);
    }
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(&temporary).with_context(context)?;
    file.write_all(text.as_bytes()).with_context(context)?;
    file.sync_all().with_context(context)?;
    fs::rename(&temporary, path).with_context(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_only_its_owner_reads_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let first = token(directory.path()).expect("made");
        assert_eq!(token(directory.path()).expect("read"), first);
        assert!(first.len() >= 40);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(directory.path().join(TOKEN_FILE)).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_damaged_token_is_made_anew() {
        let directory = tempfile::tempdir().expect("a directory");
        let first = token(directory.path()).expect("made");
        for damaged in [b"".as_slice(), b"\xff\xfe", &[first.as_bytes(), b"\x1a"].concat(), b"two words"] {
            fs::write(directory.path().join(TOKEN_FILE), damaged).expect("written");
            let second = token(directory.path()).expect("made");
            assert!(second.len() == first.len() && second != first, "{damaged:?}");
            assert_eq!(token(directory.path()).expect("read"), second);
        }
    }

    #[test]
    fn only_the_own_address_is_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        write_http_addr(directory.path(), "127.0.0.1:8115").expect("written");
        remove_http_addr(directory.path(), "127.0.0.1:9000");
        assert!(directory.path().join(HTTP_ADDR_FILE).exists());
        remove_http_addr(directory.path(), "127.0.0.1:8115");
        assert!(!directory.path().join(HTTP_ADDR_FILE).exists());
    }

    #[test]
    fn an_empty_directory_name_is_wrong_usage() {
        assert!(matches!(resolve(Some(PathBuf::new())), Err(Failure::Usage(_))));
        assert!(resolve(Some("here".into())).expect("a directory").is_absolute());
    }
}
