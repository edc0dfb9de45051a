//! Mails that wait, and which were sent: rows of the store, so that a restart loses none and makes none twice.

use minicbor::{Decode, Encode};
use ortsnetz_service::mail::Mail;
use ortsnetz_store::{Batch, Key, Origin, Range, Store};

use crate::error::NodeError;
use crate::rows;

/// Table of mails that wait, by what they are about.
const WAITING: &str = "mail";
/// Table of what a mail was made about, with when it was sent; 0 as long as it waits.
const MADE: &str = "mail_made";
/// Most mails that wait.
pub(crate) const QUEUE_MAX: usize = 1_000;
/// Most mails of an hour.
pub(crate) const PER_HOUR_MAX: usize = 60;
/// So long it is known what a mail was made about, in milliseconds: longer than anything it is about stays open.
const KNOWN_MS: u64 = 400 * 24 * 3_600_000;
/// Rows read at once.
const ROWS: usize = 512;

/// A mail that waits.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct MailRow {
    /// Whose mailbox.
    #[n(0)]
    pub role: String,
    /// One line.
    #[n(1)]
    pub subject: String,
    /// Plain text.
    #[n(2)]
    pub body: String,
    /// When it was made, milliseconds since 1970.
    #[n(3)]
    pub at: u64,
    /// How often the server did not take it.
    #[n(4)]
    pub attempts: u32,
    /// Not before, milliseconds since 1970.
    #[n(5)]
    pub next_at: u64,
    /// Why not, the last time.
    #[n(6)]
    pub error: String,
}

impl MailRow {
    /// What stands in it.
    pub fn mail(&self) -> Mail {
        Mail { subject: self.subject.clone(), body: self.body.clone() }
    }
}

/// A mail that is due.
pub(super) struct Due {
    /// What it is about: nothing is mailed twice.
    pub key: String,
    /// Whose mailbox.
    pub role: String,
    /// What stands in it.
    pub mail: Mail,
}

/// Whether there was room.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// For all.
    All,
    /// Not for all; the others come when there is.
    Full,
}

/// Whether a mail was made about something.
pub(super) fn is_made(store: &Store, key: &str) -> Result<bool, NodeError> {
    Ok(store.get(&made(key))?.is_some())
}

/// Adds mails that were not made before, in one batch.
pub(super) fn add(store: &Store, due: Vec<Due>, now: u64) -> Result<Added, NodeError> {
    if due.is_empty() {
        return Ok(Added::All);
    }
    let mut room = QUEUE_MAX.saturating_sub(all(store)?.len());
    let mut batch = Batch::new(Origin::Own);
    let mut added = Added::All;
    for one in due {
        if room == 0 {
            added = Added::Full;
            break;
        }
        room -= 1;
        let row = MailRow {
            role: one.role,
            subject: one.mail.subject,
            body: one.mail.body,
            at: now,
            attempts: 0,
            next_at: now,
            error: String::new(),
        };
        batch.put(waiting(&one.key), rows::encode(&row));
        batch.put(made(&one.key), rows::encode(&0_u64));
    }
    if !batch.is_empty() {
        store.commit(batch)?;
    }
    Ok(added)
}

/// All that wait, in order of what they are about.
pub(super) fn all(store: &Store) -> Result<Vec<(String, MailRow)>, NodeError> {
    let mut found = Vec::new();
    for (key, value) in store.scan(&Range::Custom(WAITING.into()), None, QUEUE_MAX + ROWS)? {
        if let Some(name) = name(&key) {
            found.push((name, rows::decode("a mail", &value)?));
        }
    }
    Ok(found)
}

/// So many whose time it is, the oldest first.
pub(super) fn ready(store: &Store, now: u64, count: usize) -> Result<Vec<(String, MailRow)>, NodeError> {
    let mut ready = all(store)?;
    // A pause is at most an hour: what lies further ahead was written by a clock that was wrong.
    let longest = ortsnetz_service::mail::pause(u32::MAX);
    ready.retain(|(_, row)| row.next_at <= now || row.next_at > now + longest);
    ready.sort_by_key(|(_, row)| (row.attempts, row.at));
    ready.truncate(count);
    Ok(ready)
}

/// It was tried and waits on.
pub(super) fn keep(store: &Store, key: &str, row: &MailRow) -> Result<(), NodeError> {
    let mut batch = Batch::new(Origin::Own);
    batch.put(waiting(key), rows::encode(row));
    store.commit(batch)?;
    Ok(())
}

/// The server took it.
pub(super) fn sent(store: &Store, key: &str, now: u64) -> Result<(), NodeError> {
    let mut batch = Batch::new(Origin::Own);
    batch.delete(waiting(key));
    batch.put(made(key), rows::encode(&now));
    store.commit(batch)?;
    Ok(())
}

/// How many were sent since a time. What nobody needs to know any more is forgotten on the way.
pub(super) fn sent_since(store: &Store, since: u64) -> Result<usize, NodeError> {
    let mut count = 0;
    let mut old = Batch::new(Origin::Own);
    let mut after: Option<Key> = None;
    loop {
        let page = store.scan(&Range::Custom(MADE.into()), after.as_ref(), ROWS)?;
        let more = page.len() == ROWS;
        for (key, value) in page {
            let at: u64 = rows::decode("a mail that was sent", &value)?;
            count += usize::from(at > since);
            if at > 0 && at + KNOWN_MS < since {
                old.delete(key.clone());
            }
            after = Some(key);
        }
        if !more {
            break;
        }
    }
    if !old.is_empty() {
        store.commit(old)?;
    }
    Ok(count)
}

fn waiting(key: &str) -> Key {
    Key::Custom { table: WAITING.into(), key: key.as_bytes().to_vec() }
}

fn made(key: &str) -> Key {
    Key::Custom { table: MADE.into(), key: key.as_bytes().to_vec() }
}

fn name(key: &Key) -> Option<String> {
    match key {
        Key::Custom { key, .. } => String::from_utf8(key.clone()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(number: usize) -> Due {
        let mail = Mail { subject: number.to_string(), body: String::new() };
        Due { key: format!("feedback/{number:05}"), role: "editors".into(), mail }
    }

    #[test]
    fn only_so_many_wait_and_the_others_come_when_there_is_room() {
        let store = Store::memory();
        assert_eq!(add(&store, (0..QUEUE_MAX).map(due).collect(), 1).expect("stored"), Added::All);
        assert_eq!(add(&store, vec![due(QUEUE_MAX)], 2).expect("stored"), Added::Full);
        assert_eq!(all(&store).expect("read").len(), QUEUE_MAX);
        assert!(!is_made(&store, &due(QUEUE_MAX).key).expect("read"), "it is made again");
        sent(&store, &due(0).key, 3).expect("stored");
        assert_eq!(add(&store, vec![due(QUEUE_MAX)], 4).expect("stored"), Added::All);
        assert!(is_made(&store, &due(0).key).expect("read"), "what was sent is never made again");
    }

    #[test]
    fn a_mail_waits_for_its_time_and_is_counted_for_an_hour() {
        const HOUR: u64 = 3_600_000;
        let (store, now) = (Store::memory(), 1_000 * HOUR);
        add(&store, vec![due(1), due(2)], now).expect("stored");
        let (key, mut row) = ready(&store, now, 10).expect("read").remove(0);
        (row.attempts, row.next_at) = (1, now + 60_000);
        keep(&store, &key, &row).expect("stored");
        let keys = |at: u64| ready(&store, at, 10).expect("read").into_iter().map(|(key, _)| key).collect::<Vec<_>>();
        assert_eq!(keys(now), [due(2).key], "the first was tried and waits");
        assert_eq!(keys(now + 60_000), [due(2).key, due(1).key]);
        // Written by a clock that was far ahead.
        row.next_at = now + 2 * HOUR;
        keep(&store, &key, &row).expect("stored");
        assert_eq!(keys(now).len(), 2);
        sent(&store, &key, now).expect("stored");
        assert_eq!(sent_since(&store, now - HOUR).expect("read"), 1);
        assert_eq!(sent_since(&store, now).expect("read"), 0);
        // Long after that nobody needs to know.
        assert_eq!(sent_since(&store, now + KNOWN_MS + 1).expect("read"), 0);
        assert!(!is_made(&store, &key).expect("read") && is_made(&store, &due(2).key).expect("read"));
    }
}
