//! Compares the own log with the own rows of the database.

use std::collections::{BTreeSet, HashMap};

use crate::copy::Sink;
use crate::error::StoreError;
use crate::frame;
use crate::log::{self, HEADER_BYTES};
use crate::shared::{OWN_LOG, describe};
use crate::store::Store;
use crate::types::Problem;
use crate::value;

/// The own rows as the log has them: checksums of their values.
type Rows = HashMap<Vec<u8>, u32>;

impl Store {
    /// Damaged places of the own log, by the checksums of its frames alone: quick, and beside writers. What its end is
    /// still being written is none.
    pub fn scan_log(&self) -> Result<Vec<Problem>, StoreError> {
        let Some(directory) = &self.shared().directory else { return Ok(Vec::new()) };
        let path = directory.join(OWN_LOG);
        let _alone = self.shared().maintenance.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Err(StoreError::Damaged { detail, .. }) = log::read_header(&path) {
            return Ok(vec![Problem { what: "own log".to_owned(), detail }]);
        }
        let scan = log::scan(&path, HEADER_BYTES, Some(0), &mut |_, _, _| {})?;
        let problem = |(from, to, detail)| Problem { what: format!("own log, bytes {from} to {to}"), detail };
        Ok(scan.damaged.into_iter().map(problem).collect())
    }

    /// Adds what is wrong with the own log. Others write on; only the last comparison pauses them.
    pub(crate) fn check_log(&self, problems: &mut Vec<Problem>) -> Result<(), StoreError> {
        let Some(directory) = &self.shared().directory else { return Ok(()) };
        let path = directory.join(OWN_LOG);
        let _alone = self.shared().maintenance.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut logged = Rows::new();
        let scan = log::scan(&path, HEADER_BYTES, Some(0), &mut |_, _, payload| take(&mut logged, payload))?;
        for (from, to, detail) in &scan.damaged {
            let what = format!("own log, bytes {from} to {to}");
            problems.push(Problem { what, detail: detail.clone() });
        }
        let mut differing = Differing { logged: &logged, seen: BTreeSet::new(), keys: BTreeSet::new() };
        let pause = self.copy(&mut differing)?;
        let Differing { seen, mut keys, .. } = differing;
        keys.extend(logged.keys().filter(|key| !seen.contains(*key)).cloned());
        keys.extend(pause.changed.iter().cloned());
        // The writer waits, so the log and the database do not move any more.
        let rest = log::scan(&path, scan.end, Some(scan.next_number), &mut |_, _, payload| take(&mut logged, payload))?;
        if rest.torn_bytes > 0 {
            let what = format!("own log, bytes {} to {}", rest.end, rest.end + rest.torn_bytes);
            problems.push(Problem { what, detail: "its end is cut short or damaged".to_owned() });
        }
        for key in keys {
            let ours = self.shared().read(|table| table.get(&key)).map(|value| own(&key, value.as_deref()));
            let detail = match (ours, logged.get(&key)) {
                (Err(StoreError::Damaged { .. }), _) => continue, // Reported with the rows.
                (Err(error), _) => return Err(error),
                (Ok(ours), theirs) if ours == theirs.copied() => continue,
                (Ok(_), None) => "is not in the own log",
                (Ok(None), _) => "is in the own log, but not in the database",
                (Ok(_), _) => "is not the same in the own log and in the database",
            };
            problems.push(Problem { what: describe(&key), detail: detail.to_owned() });
        }
        Ok(())
    }
}

struct Differing<'a> {
    logged: &'a Rows,
    seen: BTreeSet<Vec<u8>>,
    keys: BTreeSet<Vec<u8>>,
}

impl Sink for Differing<'_> {
    fn take(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) -> Result<(), StoreError> {
        let sum = own(&key, value.as_deref());
        if sum != self.logged.get(&key).copied() {
            self.keys.insert(key.clone());
        }
        if sum.is_some() {
            self.seen.insert(key);
        }
        Ok(())
    }
}

fn own(key: &[u8], value: Option<&[u8]>) -> Option<u32> {
    let value = value.filter(|value| value::header(key, value).is_ok_and(|header| header.own))?;
    Some(crc32fast::hash(value))
}

fn take(logged: &mut Rows, payload: &[u8]) {
    for row in frame::decode(payload).map(|(_, rows)| rows).unwrap_or_default() {
        match row.value.filter(|_| row.own) {
            Some(value) => logged.insert(row.key, crc32fast::hash(&value)),
            None => logged.remove(&row.key),
        };
    }
}
