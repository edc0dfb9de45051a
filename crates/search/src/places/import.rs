//! Taking a file into the table.

use std::collections::BTreeMap;
use std::io::Read;

use ortsnetz_model::Ars;

use super::former::{FormerKeys, add_names, rename};
use super::read::{File, read};
use super::table::{Municipality, Row};
use super::{Imported, PlaceError, PlaceKind, PlaceReject, Places, Removed};
use crate::limits::PLACE_REJECTS_MAX;

impl Places {
    /// The table of a file alone, see [`Places::import`].
    pub fn read_csv(reader: impl Read) -> Result<Imported, PlaceError> {
        Self::default().import(reader)
    }

    /// Takes in a CSV file, with commas or semicolons and its columns in any order. It is one of two:
    ///
    /// - The official list: `ars,ags,name,textkennzeichen,land,kreis,gemeindeverband,plz_sitz,plz_alle,einwohner,lon,lat`;
    ///   `ars` and `name` are needed. `former_names` (separated by `;` or `|`), `former_ars` (the keys it had) and `since`
    ///   (the first day of its key) are read too. It replaces the list before: names and keys that were known stay known
    ///   as former ones.
    /// - A list of former keys: `former_ars,successor_ars,since,name`, the name of the successor where no list has it yet.
    ///   It is added to the table.
    ///
    /// Lines that say nothing usable are rejected one by one. The same file again changes nothing.
    pub fn import(&self, reader: impl Read) -> Result<Imported, PlaceError> {
        self.take_in(read(reader)?)
    }

    /// Takes in a table that somebody else has, as if it were the official list.
    pub fn adopt(&self, other: &Self) -> Result<Imported, PlaceError> {
        self.take_in(File {
            municipalities: other.rows.iter().filter_map(Row::to_municipality).collect(),
            counties: other.counties(),
            former: other.former.iter().map(|key| (0, key.clone())).collect(),
            is_list: true,
            ..File::default()
        })
    }

    fn take_in(&self, mut file: File) -> Result<Imported, PlaceError> {
        let mut former = self.former.clone();
        let mut counts = Counts::default();
        let mut reasons = Vec::new();
        for (line, key) in std::mem::take(&mut file.former) {
            let is_new = former.get(&key.ars).is_none();
            match former.add(key) {
                Ok(changed) if !file.is_list => counts.count(is_new, changed),
                Ok(_) => {}
                Err(reason) => reasons.push((line, reason)),
            }
        }
        for (line, reason) in reasons {
            file.rejected_total += 1;
            file.rejected.push(PlaceReject { line, reason });
        }
        file.rejected.sort_by_key(|reject| reject.line);
        file.rejected.truncate(PLACE_REJECTS_MAX);
        let File { mut municipalities, mut counties, is_list, rejected, rejected_total, .. } = file;
        let taken = municipalities.len();
        if is_list && taken == 0 {
            // Nothing usable is no list: what is known stays.
            let places = self.clone();
            let Counts { created, updated, unchanged } = counts;
            let removed = Vec::new();
            return Ok(Imported {
                municipalities: 0,
                places,
                created,
                updated,
                unchanged,
                removed,
                rejected,
                rejected_total,
            });
        }
        if is_list {
            let known: BTreeMap<Ars, Municipality> =
                self.rows.iter().filter_map(Row::to_municipality).map(|known| (known.0, known)).collect();
            municipalities.iter_mut().for_each(|municipality| remember(municipality, &known, &former));
        } else {
            municipalities = self.rows.iter().filter_map(Row::to_municipality).collect();
            counties = self.counties();
        }
        let mut places = Self::build(municipalities, &counties, former)?;
        let mut removed = Vec::new();
        for row in self.rows.iter().filter(|row| is_list && row.kind == PlaceKind::Municipality) {
            if places.position(&row.ars).is_err() {
                let successor = places.former.follow(row.ars, None);
                let successor = (successor != row.ars).then_some(successor);
                removed.push(Removed { ars: row.ars, name: row.name.to_string(), successor });
            }
        }
        if is_list {
            for row in places.rows.iter().filter(|row| row.kind == PlaceKind::Municipality) {
                let old = self.position(&row.ars).ok().map(|position| &self.rows[position]);
                counts.count(old.is_none(), old.is_some_and(|old| old != row));
            }
        }
        for old in &self.districts {
            let ars = places.former.follow(old.ars, None);
            if places.position(&ars).is_ok() {
                let mut kept = old.clone();
                kept.ars = ars;
                places.districts.push(kept);
            }
        }
        let Counts { created, updated, unchanged } = counts;
        Ok(Imported { municipalities: taken, places, created, updated, unchanged, removed, rejected, rejected_total })
    }
}

/// Adds to a municipality of a new list what only the table before knows: names it had, and those of what it was.
fn remember(municipality: &mut Municipality, known: &BTreeMap<Ars, Municipality>, former: &FormerKeys) {
    let ars = former.follow(municipality.0, None);
    if let Some(old) = known.get(&ars) {
        if ars != municipality.0 {
            // The list is older than the key: the name of today stays.
            rename(municipality, &old.1);
        }
        add_names(municipality, std::iter::once(old.1.clone()).chain(old.3.iter().cloned()));
    }
    for old in former.before(ars).filter_map(|key| known.get(&key.ars)) {
        add_names(municipality, std::iter::once(old.1.clone()).chain(old.3.iter().cloned()));
    }
}

#[derive(Default)]
struct Counts {
    created: usize,
    updated: usize,
    unchanged: usize,
}

impl Counts {
    fn count(&mut self, is_new: bool, changed: bool) {
        match (is_new, changed) {
            (true, _) => self.created += 1,
            (false, true) => self.updated += 1,
            (false, false) => self.unchanged += 1,
        }
    }
}
