//! A backup a day, and which of them are kept. What was made is read off the names in the directory, so that nothing has to
//! be remembered, and a disk that is not mounted is noticed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ortsnetz_model::dates;

use super::backup;
use super::sealed::Lock;
use crate::alarms;
use crate::clock;
use crate::dto::BackupRequest;
use crate::error::NodeError;
use crate::shared::Shared;

/// A backup is due when the newest is so old.
const EVERY_MS: u64 = 24 * 3_600_000;
/// After one that failed the next is tried so much later.
const AGAIN: Duration = Duration::from_secs(3600);
/// Between two looks whether one is due.
const LOOK: Duration = Duration::from_secs(30);
/// Longest passphrase file in bytes.
const PASSPHRASE_BYTES_MAX: u64 = 4096;

/// Backups by a schedule.
#[derive(Debug, Clone, Default)]
pub struct BackupSchedule {
    /// Where they lie.
    pub directory: PathBuf,
    /// Public keys that open them.
    pub recipients: Vec<String>,
    /// Or a file whose first line is the passphrase.
    pub passphrase_file: Option<PathBuf>,
    /// Which are kept.
    pub keep: Keep,
}

/// Of the newest of each day, week and month (in UTC) so many are kept; the newest of all always is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// Days.
    pub daily: usize,
    /// Weeks, from Monday.
    pub weekly: usize,
    /// Months.
    pub monthly: usize,
}

impl BackupSchedule {
    /// Whether it can work at all: told at the start, not a day later.
    ///
    /// # Errors
    /// One line that says which field is wrong.
    pub fn check(&self) -> Result<(), NodeError> {
        if !self.directory.is_absolute() {
            return Err(NodeError::Invalid(format!(
                "backup.directory: {} is no absolute path",
                self.directory.display()
            )));
        }
        self.passphrase()
            .and_then(|passphrase| Lock::parse(passphrase.as_deref(), &self.recipients))
            .map(drop)
            .map_err(|error| NodeError::Invalid(format!("backup: {error}")))
    }

    fn passphrase(&self) -> Result<Option<String>, NodeError> {
        let Some(file) = &self.passphrase_file else { return Ok(None) };
        let unreadable =
            |error: std::io::Error| NodeError::Unreadable(format!("cannot read {}: {error}", file.display()));
        let about = fs::metadata(file).map_err(unreadable)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            if about.permissions().mode() & 0o077 != 0 {
                let reason = format!("{0} can be read by others; run: chmod 600 {0}", file.display());
                return Err(NodeError::Unreadable(reason));
            }
        }
        if about.len() > PASSPHRASE_BYTES_MAX {
            return Err(NodeError::Unreadable(format!("{} holds more than a passphrase", file.display())));
        }
        let text = fs::read_to_string(file).map_err(unreadable)?;
        Ok(Some(text.lines().next().unwrap_or_default().trim().to_owned()))
    }

    fn request(&self, file: &Path) -> Result<BackupRequest, NodeError> {
        let passphrase = self.passphrase()?;
        Ok(BackupRequest { file: file.display().to_string(), passphrase, recipients: self.recipients.clone() })
    }
}

/// Makes backups until the node stops.
pub(crate) async fn keep_backing_up(shared: Arc<Shared>, schedule: BackupSchedule) {
    let schedule = Arc::new(schedule);
    while !shared.is_stopping() {
        let (working, by) = (shared.clone(), schedule.clone());
        let done = tokio::task::spawn_blocking(move || back_up_if_due(&working, &by))
            .await
            .unwrap_or_else(|error| Err(NodeError::Unavailable(format!("failed inside this node: {error}"))));
        let pause = match done {
            Ok(()) => LOOK,
            Err(_) if shared.is_stopping() => return,
            Err(error) => {
                let directory = schedule.directory.display().to_string();
                let message = format!("no backup was made in {directory}: {error}; it is tried again in an hour");
                alarms::note(&shared, "backup_failed", &directory, None, message);
                AGAIN
            }
        };
        tokio::time::sleep(pause).await;
    }
}

fn back_up_if_due(shared: &Shared, schedule: &BackupSchedule) -> Result<(), NodeError> {
    let prefix = prefix(shared);
    let made = made(&schedule.directory, &prefix)?;
    let now = clock::now();
    // A time to come is of a clock that was wrong: it counts for nothing.
    if made.iter().any(|at| *at <= now && now - at < EVERY_MS) {
        return Ok(());
    }
    let file = schedule.directory.join(file_name(&prefix, now));
    backup(&shared.store, &shared.data_dir, &schedule.request(&file)?)?;
    shared.keeping.wake();
    for at in superfluous(made.into_iter().chain([now]), schedule.keep) {
        let old = schedule.directory.join(file_name(&prefix, at));
        fs::remove_file(&old)
            .map_err(|error| NodeError::Unavailable(format!("cannot remove {}: {error}", old.display())))?;
    }
    Ok(())
}

/// What the names of this node's backups begin with.
fn prefix(shared: &Shared) -> String {
    let node = shared.own.node.to_string();
    format!("ortsnetz-{}-", node.get(node.len().saturating_sub(12)..).unwrap_or(&node))
}

fn file_name(prefix: &str, at: u64) -> String {
    format!("{prefix}{}.age", dates::rfc3339(at).replace(':', "-"))
}

fn time_of(name: &str, prefix: &str) -> Option<u64> {
    let (date, time) = name.strip_prefix(prefix)?.strip_suffix(".age")?.split_once('T')?;
    dates::parse_time(&format!("{date}T{}", time.replace('-', ":")))?.try_into().ok()
}

/// When the backups of this node that lie there were made.
fn made(directory: &Path, prefix: &str) -> Result<Vec<u64>, NodeError> {
    let items = fs::read_dir(directory)
        .map_err(|error| NodeError::Unavailable(format!("cannot read {}: {error}", directory.display())))?;
    Ok(items.filter_map(|item| time_of(item.ok()?.file_name().to_str()?, prefix)).collect())
}

/// Which of them go.
fn superfluous(made: impl IntoIterator<Item = u64>, keep: Keep) -> Vec<u64> {
    const DAY_MS: u64 = 24 * 3_600_000;
    let made: BTreeSet<u64> = made.into_iter().collect();
    // The first day of 1970 was a Thursday.
    let day = |at: u64| (at / DAY_MS).to_string();
    let week = |at: u64| ((at / DAY_MS + 3) / 7).to_string();
    let month = |at: u64| dates::rfc3339(at).chars().take(7).collect();
    let rules: [(usize, &dyn Fn(u64) -> String); 3] =
        [(keep.daily, &day), (keep.weekly, &week), (keep.monthly, &month)];
    let mut kept: BTreeSet<u64> = made.last().copied().into_iter().collect();
    for (many, period) in rules {
        let mut seen = BTreeSet::new();
        for at in made.iter().rev() {
            if seen.len() < many && seen.insert(period(*at)) {
                kept.insert(*at);
            }
        }
    }
    made.difference(&kept).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    const DAY: u64 = 24 * HOUR;

    fn at(text: &str) -> u64 {
        dates::parse_time(text).unwrap().try_into().unwrap()
    }

    #[test]
    fn a_name_says_when_and_whose() {
        let moment = at("2026-11-25T14:45:09Z");
        let name = file_name("ortsnetz-abc-", moment);
        assert_eq!(name, "ortsnetz-abc-2026-11-25T14-45-09Z.age");
        assert_eq!(time_of(&name, "ortsnetz-abc-"), Some(moment));
        for other in
            ["ortsnetz-abd-2026-11-25T14-45-09Z.age", "ortsnetz-abc-2026.age", "ortsnetz-abc-x.age.part", "urlaub.age"]
        {
            assert_eq!(time_of(other, "ortsnetz-abc-"), None, "{other}");
        }
    }

    #[test]
    fn after_a_year_of_days_there_are_days_weeks_and_months_and_no_more() {
        let keep = Keep { daily: 7, weekly: 4, monthly: 6 };
        let mut held = BTreeSet::new();
        let first = at("2026-01-01T03:00:00Z");
        for day in 0..400 {
            held.insert(first + day * DAY);
            for gone in superfluous(held.iter().copied(), keep) {
                assert!(held.remove(&gone));
            }
            assert!(held.contains(&(first + day * DAY)), "the newest stays");
        }
        let days: Vec<_> = held.iter().map(|at| dates::rfc3339(*at)[..10].to_owned()).collect();
        let expected = [
            "2026-09-30",
            "2026-10-31",
            "2026-11-30",
            "2026-12-31",
            "2027-01-17",
            "2027-01-24",
            "2027-01-29",
            "2027-01-30",
            "2027-01-31",
            "2027-02-01",
            "2027-02-02",
            "2027-02-03",
            "2027-02-04",
        ];
        assert_eq!(days, expected);
    }

    #[test]
    fn of_one_day_the_newest_is_kept_and_the_newest_of_all_always() {
        let noon = at("2026-11-25T12:00:00Z");
        let keep = |daily, weekly, monthly| Keep { daily, weekly, monthly };
        assert_eq!(superfluous([noon, noon + HOUR, noon + DAY], keep(2, 0, 0)), [noon]);
        assert_eq!(superfluous([noon, noon + HOUR], keep(0, 0, 0)), [noon]);
        assert_eq!(superfluous([noon], keep(0, 0, 0)), Vec::<u64>::new());
        assert_eq!(superfluous([], keep(7, 4, 6)), Vec::<u64>::new());
        // Sunday and Monday are two weeks.
        let (sunday, monday) = (at("2026-11-22T12:00:00Z"), at("2026-11-23T12:00:00Z"));
        assert_eq!(superfluous([sunday, monday], keep(0, 2, 0)), Vec::<u64>::new());
        assert_eq!(superfluous([monday, monday + DAY], keep(0, 2, 0)), [monday]);
    }

    #[test]
    fn a_schedule_that_cannot_work_is_told_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passphrase");
        let schedule = |passphrase_file: Option<PathBuf>| BackupSchedule {
            directory: dir.path().to_owned(),
            passphrase_file,
            ..BackupSchedule::default()
        };
        let said = |schedule: &BackupSchedule| schedule.check().map_err(|error| error.to_string());
        assert!(said(&schedule(None)).unwrap_err().contains("always encrypted"));
        assert!(said(&schedule(Some(file.clone()))).unwrap_err().contains("cannot read"));
        fs::write(&file, "vier Wörter sind genug\nmehr\n").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
            assert!(said(&schedule(Some(file.clone()))).unwrap_err().contains("chmod 600"));
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        }
        assert_eq!(said(&schedule(Some(file.clone()))), Ok(()));
        assert_eq!(schedule(Some(file.clone())).passphrase().unwrap().as_deref(), Some("vier Wörter sind genug"));
        let relative = BackupSchedule { directory: "sicherung".into(), ..schedule(Some(file.clone())) };
        assert!(said(&relative).unwrap_err().contains("no absolute path"));
        fs::write(&file, "x".repeat(PASSPHRASE_BYTES_MAX as usize)).unwrap();
        assert_eq!(said(&schedule(Some(file.clone()))), Ok(()));
        fs::write(&file, "x".repeat(PASSPHRASE_BYTES_MAX as usize + 1)).unwrap();
        assert!(said(&schedule(Some(file))).unwrap_err().contains("more than a passphrase"));
    }
}
