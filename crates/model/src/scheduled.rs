//! Changes that come into force on a date.

use crate::dates::Date;
use crate::entry::Entry;

/// The entry as it stands on `date`: its scheduled changes with `from` <= `date` applied in order of their dates, those
/// later kept in `scheduled`.
pub fn as_of(entry: &Entry, date: Date) -> Entry {
    let _ = (entry, date);
    unimplemented!()
}

/// The dates on which the entry changes by itself, ascending.
pub fn due_dates(entry: &Entry) -> Vec<Date> {
    let _ = entry;
    unimplemented!()
}
