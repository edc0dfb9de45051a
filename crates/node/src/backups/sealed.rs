//! A file encrypted with age, to a passphrase or to recipients. Any other program for age opens it, too.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::iter;
use std::path::Path;
use std::str::FromStr;

use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, Encryptor, Identity, Recipient, scrypt, x25519};
use ortsnetz_trust::RootKey;
use ortsnetz_trust::sealed::sealing_secret;
use ortsnetz_trust::sheet::WORK_FACTOR_MAX;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::error::NodeError;

/// Shortest passphrase of a backup in characters: it guards every key of the organisation.
pub(crate) const PASSPHRASE_CHARS_MIN: usize = 12;
/// Recipients of one backup.
pub(crate) const RECIPIENTS_MAX: usize = 16;
/// What a secret key of age begins with as text.
const KEY_PREFIX: &str = "age-secret-key-";
/// Bytes read at once.
const PIECE: usize = 1 << 16;

/// Who can open a backup.
#[derive(Clone)]
pub(crate) enum Lock {
    /// Whoever knows it.
    Passphrase(SecretString),
    /// Whoever has the secret key of one of them.
    Recipients(Vec<x25519::Recipient>),
}

/// What opens a backup.
pub(crate) enum Opener {
    /// The passphrase it was made with.
    Passphrase(SecretString),
    /// Secret keys.
    Keys(Vec<x25519::Identity>),
}

/// Length and hash of what a file holds before it is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) bytes: u64,
    hash: [u8; 32],
}

impl Lock {
    /// Whoever has the recovery sheet.
    pub(crate) fn of_sheet(root: &RootKey) -> Result<Self, NodeError> {
        Ok(Self::Recipients(vec![of_sheet(root)?.to_public()]))
    }

    /// From what a person gave: a passphrase, or recipients like `age1...`, never both, because age cannot.
    pub(crate) fn parse(passphrase: Option<&str>, recipients: &[String]) -> Result<Self, NodeError> {
        match (passphrase, recipients) {
            (Some(passphrase), []) if passphrase.chars().count() < PASSPHRASE_CHARS_MIN => {
                Err(NodeError::Invalid(format!(
                    "the passphrase of a backup has at least {PASSPHRASE_CHARS_MIN} characters; take four or more words"
                )))
            }
            (Some(passphrase), []) => Ok(Self::Passphrase(SecretString::from(passphrase.to_owned()))),
            (Some(_), _) => Err(NodeError::Invalid(
                "a backup is encrypted to a passphrase or to recipients, not to both; make two backups".into(),
            )),
            (None, []) => Err(NodeError::Invalid(
                "a backup is always encrypted: give --passphrase, or --recipient age1...".into(),
            )),
            (None, many) if many.len() > RECIPIENTS_MAX => {
                Err(NodeError::TooLarge(format!("{} recipients, allowed are {RECIPIENTS_MAX}", many.len())))
            }
            (None, many) => {
                let parsed = many.iter().map(|text| {
                    x25519::Recipient::from_str(text.trim()).map_err(|reason| {
                        NodeError::Invalid(format!(
                            "recipient {text:?}: {reason}; expected is a public key like age1..."
                        ))
                    })
                });
                Ok(Self::Recipients(parsed.collect::<Result<_, _>>()?))
            }
        }
    }
}

/// The secret key that follows from a root key, in the form of age.
fn of_sheet(root: &RootKey) -> Result<x25519::Identity, NodeError> {
    let broken = |error: String| NodeError::Unavailable(format!("no key can be made from the root key: {error}"));
    let prefix = bech32::Hrp::parse(KEY_PREFIX).map_err(|error| broken(error.to_string()))?;
    let text = bech32::encode_upper::<bech32::Bech32>(prefix, &sealing_secret(root)[..])
        .map(Zeroizing::new)
        .map_err(|error| broken(error.to_string()))?;
    x25519::Identity::from_str(&text).map_err(|error| broken(error.to_owned()))
}

impl Opener {
    /// From a passphrase, or the text of a file with secret keys as `age-keygen` writes it.
    pub(crate) fn parse(passphrase: Option<&str>, keys: Option<&str>) -> Result<Self, NodeError> {
        match (passphrase, keys) {
            (Some(passphrase), None) => Ok(Self::Passphrase(SecretString::from(passphrase.to_owned()))),
            (None, Some(text)) => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
                // The line itself stays out of the message: it may be a key with a typing mistake.
                let keys = lines.enumerate().map(|(number, line)| {
                    x25519::Identity::from_str(line).map_err(|reason| {
                        NodeError::Unreadable(format!("key {}: {reason}; expected is AGE-SECRET-KEY-1...", number + 1))
                    })
                });
                let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
                if keys.is_empty() {
                    return Err(NodeError::Unreadable("the file holds no line AGE-SECRET-KEY-1...".into()));
                }
                Ok(Self::Keys(keys))
            }
            _ => Err(NodeError::Invalid("give either --passphrase or --identity FILE".into())),
        }
    }

    /// The key that everybody has who has the recovery sheet.
    pub(crate) fn of_sheet(root: &RootKey) -> Result<Self, NodeError> {
        Ok(Self::Keys(vec![of_sheet(root)?]))
    }

    fn identities(&self) -> Vec<Box<dyn Identity>> {
        match self {
            Self::Passphrase(passphrase) => {
                let mut identity = scrypt::Identity::new(passphrase.clone());
                identity.set_max_work_factor(WORK_FACTOR_MAX);
                vec![Box::new(identity)]
            }
            Self::Keys(keys) => keys.iter().map(|key| Box::new(key.clone()) as Box<dyn Identity>).collect(),
        }
    }
}

/// Encrypts `plain` into the new file `sealed` and makes it durable. Returns what opens it, to read it back: for
/// recipients that is a further key that nobody keeps.
pub(crate) fn seal(plain: &Path, sealed: &Path, lock: &Lock, work_factor: u8) -> Result<(Content, Opener), NodeError> {
    let (recipients, opener): (Vec<Box<dyn Recipient>>, _) = match lock {
        Lock::Passphrase(passphrase) => {
            let mut recipient = scrypt::Recipient::new(passphrase.clone());
            recipient.set_work_factor(work_factor);
            (vec![Box::new(recipient)], Opener::Passphrase(passphrase.clone()))
        }
        Lock::Recipients(recipients) => {
            let key = x25519::Identity::generate();
            let all = recipients.iter().cloned().chain(iter::once(key.to_public()));
            (all.map(|recipient| Box::new(recipient) as Box<dyn Recipient>).collect(), Opener::Keys(vec![key]))
        }
    };
    let failed = |error: io::Error| NodeError::Unavailable(format!("cannot write {}: {error}", sealed.display()));
    let encryptor = Encryptor::with_recipients(recipients.iter().map(AsRef::as_ref))
        .map_err(|error| NodeError::Unavailable(format!("the backup cannot be encrypted: {error}")))?;
    let mut writer = encryptor.wrap_output(create(sealed)?).map_err(failed)?;
    let mut source = File::open(plain).map_err(|error| unreadable(plain, &error))?;
    let content = copy(&mut source, &mut writer).map_err(failed)?;
    writer.finish().and_then(|file| file.sync_all()).map_err(failed)?;
    Ok((content, opener))
}

/// Decrypts `sealed` and writes what it holds to `out`. Anything that is not whole is an error, at its end at the latest.
pub(crate) fn open(sealed: &Path, opener: &Opener, out: &mut dyn Write) -> Result<Content, NodeError> {
    let file = File::open(sealed).map_err(|error| unreadable(sealed, &error))?;
    let said = |error: &DecryptError| match (error, opener) {
        (DecryptError::ExcessiveWork { required, .. }, _) => {
            format!("asks for work factor {required}, allowed are {WORK_FACTOR_MAX}")
        }
        (DecryptError::NoMatchingKeys | DecryptError::DecryptionFailed, Opener::Keys(_)) => {
            "is not encrypted to this key".into()
        }
        (DecryptError::NoMatchingKeys, Opener::Passphrase(_)) => {
            "is not encrypted to a passphrase; give --identity FILE with the secret key".into()
        }
        (DecryptError::KeyDecryptionFailed | DecryptError::DecryptionFailed, Opener::Passphrase(_)) => {
            "is not opened by this passphrase".into()
        }
        _ => "is damaged, or no backup of ortsnetz".to_owned(),
    };
    let wrong = |error: DecryptError| NodeError::Unreadable(format!("{} {}", sealed.display(), said(&error)));
    let decryptor = Decryptor::new_buffered(BufReader::new(file)).map_err(wrong)?;
    let identities = opener.identities();
    let mut reader = decryptor.decrypt(identities.iter().map(AsRef::as_ref)).map_err(wrong)?;
    copy(&mut reader, out).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            NodeError::Unreadable(format!("{} is damaged or cut short", sealed.display()))
        }
        _ => NodeError::Unavailable(format!("{} could not be decrypted: {error}", sealed.display())),
    })
}

/// Makes a new file that only its owner reads.
pub(crate) fn create(path: &Path) -> Result<File, NodeError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path).map_err(|error| NodeError::Unavailable(format!("cannot create {}: {error}", path.display())))
}

fn unreadable(path: &Path, error: &io::Error) -> NodeError {
    NodeError::Unreadable(format!("cannot read {}: {error}", path.display()))
}

fn copy(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<Content> {
    let (mut sum, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; PIECE]);
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        sum.update(&piece[..read]);
        to.write_all(&piece[..read])?;
        bytes += read as u64;
    }
    to.flush()?;
    Ok(Content { bytes, hash: sum.finalize().into() })
}

impl std::fmt::Debug for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Passphrase(_) => f.write_str("a passphrase"),
            Self::Recipients(recipients) => write!(f, "{} recipients", recipients.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret as _;

    use super::*;

    const PASS: &str = "vier Wörter sind genug";

    fn sealed(lock: &Lock, plain: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("plain"), dir.path().join("sealed"));
        std::fs::write(&from, plain).unwrap();
        let (content, opener) = seal(&from, &to, lock, 2).unwrap();
        assert_eq!(content.bytes, plain.len() as u64);
        assert_eq!(open(&to, &opener, &mut io::sink()).unwrap(), content);
        (dir, to)
    }

    fn opened(file: &Path, opener: &Opener) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        open(file, opener, &mut out).map(|_| out).map_err(|error| error.to_string())
    }

    fn passphrase(text: &str) -> Opener {
        Opener::parse(Some(text), None).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_with_its_passphrase_and_no_other() {
        let plain = vec![7; 3 * PIECE + 5];
        let lock = Lock::parse(Some(PASS), &[]).unwrap();
        let (_dir, file) = sealed(&lock, &plain);
        assert_eq!(opened(&file, &passphrase(PASS)).unwrap(), plain);
        assert!(opened(&file, &passphrase("ein anderer Satz")).unwrap_err().ends_with("not opened by this passphrase"));
        let key = x25519::Identity::generate();
        let key = Opener::parse(None, Some(key.to_string().expose_secret())).unwrap();
        assert!(opened(&file, &key).unwrap_err().ends_with("not encrypted to this key"));
    }

    #[test]
    fn each_recipient_opens_it_and_nobody_else() {
        let (one, two, other) =
            (x25519::Identity::generate(), x25519::Identity::generate(), x25519::Identity::generate());
        let names = [one.to_public().to_string(), two.to_public().to_string()];
        let (_dir, file) = sealed(&Lock::parse(None, &names).unwrap(), b"Inhalt");
        for key in [&one, &two] {
            let text = format!("# created: today\n# public key: x\n{}\n", key.to_string().expose_secret());
            assert_eq!(opened(&file, &Opener::parse(None, Some(&text)).unwrap()).unwrap(), b"Inhalt");
        }
        let other = Opener::parse(None, Some(other.to_string().expose_secret())).unwrap();
        assert!(opened(&file, &other).unwrap_err().ends_with("not encrypted to this key"));
        assert!(opened(&file, &passphrase(PASS)).unwrap_err().contains("--identity FILE"));
    }

    #[test]
    fn the_sheet_opens_what_was_sealed_for_it_and_another_does_not() {
        let (one, other) = (RootKey::from_secret(&[1; 32]), RootKey::from_secret(&[2; 32]));
        let (_dir, file) = sealed(&Lock::of_sheet(&one).unwrap(), b"Inhalt");
        assert_eq!(opened(&file, &Opener::of_sheet(&one).unwrap()).unwrap(), b"Inhalt");
        let wrong = opened(&file, &Opener::of_sheet(&other).unwrap()).unwrap_err();
        assert!(wrong.ends_with("not encrypted to this key"), "{wrong}");
        // So that any other program for age can be used.
        let Opener::Keys(keys) = Opener::of_sheet(&one).unwrap() else { panic!("a key") };
        let text = keys[0].to_string();
        assert!(text.expose_secret().starts_with("AGE-SECRET-KEY-1"));
        assert_eq!(opened(&file, &Opener::parse(None, Some(text.expose_secret())).unwrap()).unwrap(), b"Inhalt");
    }

    #[test]
    fn one_altered_or_missing_byte_is_noticed() {
        let lock = Lock::parse(Some(PASS), &[]).unwrap();
        let (dir, file) = sealed(&lock, &vec![7; 2 * PIECE]);
        let whole = std::fs::read(&file).unwrap();
        let other = dir.path().join("other");
        for at in [3, whole.len() / 2, whole.len() - 1] {
            let mut altered = whole.clone();
            altered[at] ^= 1;
            std::fs::write(&other, altered).unwrap();
            assert!(opened(&other, &passphrase(PASS)).unwrap_err().contains("is damaged"), "byte {at}");
        }
        for length in [0, 40, PIECE, whole.len() - 1] {
            std::fs::write(&other, &whole[..length]).unwrap();
            assert!(opened(&other, &passphrase(PASS)).unwrap_err().contains("is damaged"), "{length} bytes");
        }
    }

    #[test]
    fn who_can_open_it_is_said_or_refused() {
        let key = x25519::Identity::generate().to_public().to_string();
        let parse =
            |passphrase: Option<&str>, many: &[String]| Lock::parse(passphrase, many).map_err(|e| e.to_string());
        assert!(parse(None, &[]).unwrap_err().contains("always encrypted"));
        assert!(parse(Some(PASS), std::slice::from_ref(&key)).unwrap_err().contains("not to both"));
        assert!(parse(None, &["age1nonsense".into()]).unwrap_err().contains("age1nonsense"));
        assert!(parse(Some(&"x".repeat(PASSPHRASE_CHARS_MIN)), &[]).is_ok());
        assert!(parse(Some(&"x".repeat(PASSPHRASE_CHARS_MIN - 1)), &[]).is_err());
        assert!(parse(None, &vec![key.clone(); RECIPIENTS_MAX]).is_ok());
        assert!(parse(None, &vec![key; RECIPIENTS_MAX + 1]).is_err());
        assert!(Opener::parse(None, Some("# nothing\n")).is_err());
        let secret = "AGE-SECRET-KEY-1MISTYPED";
        assert!(Opener::parse(None, Some(secret)).err().is_some_and(|error| !error.to_string().contains(secret)));
    }
}
