//! From what somebody typed to the places it may mean.

use std::cmp::Reverse;

use ortsnetz_model::Ars;

use super::table::{Places, Row, padded, state_of};
use super::{Matched, PlaceAnswer, PlaceCandidate, PlaceKind};
use crate::fold;
use crate::limits::{CANDIDATES_MAX, PLACE_CHARS_MAX};

impl Places {
    /// The places a text may mean: a name (or its beginning), a postal code, an AGS, an ARS or the beginning of one, the
    /// name of a district, and any of them with the county or state beside it. `served` are the places we answer for;
    /// they come first, then the larger ones. A whole name leaves out those that only begin so.
    pub fn resolve(&self, text: &str, served: &[Ars]) -> PlaceAnswer {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > PLACE_CHARS_MAX {
            return PlaceAnswer::default();
        }
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let mut candidates = if is_number { self.by_number(text) } else { self.by_words(text) };
        for candidate in &mut candidates {
            candidate.served = served.iter().any(|served| served.covers(&candidate.ars));
        }
        Self::sorted(candidates)
    }

    /// What is being typed may become: as [`Places::resolve`], and the beginning of a postal code or key too.
    pub fn suggest(&self, text: &str, served: &[Ars]) -> PlaceAnswer {
        let found = self.resolve(text, served);
        let digits = text.trim();
        let is_number = (2..12).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number {
            return found;
        }
        let mut candidates = found.candidates;
        if digits.len() < 5 {
            candidates.extend(self.by_postal_codes(digits));
        }
        candidates.extend(self.below(digits).map(|row| candidate(row, Matched::PartOfNumber)));
        candidates.sort_by_key(|candidate| (candidate.ars, candidate.matched));
        candidates.dedup_by_key(|candidate| candidate.ars);
        for candidate in &mut candidates {
            candidate.served = served.iter().any(|served| served.covers(&candidate.ars));
        }
        Self::sorted(candidates)
    }

    /// Towns we answer for first, then the larger ones.
    fn sorted(mut candidates: Vec<PlaceCandidate>) -> PlaceAnswer {
        candidates.sort_by(|a, b| {
            let rank = |candidate: &PlaceCandidate| (Reverse(candidate.served), Reverse(candidate.inhabitants));
            rank(a).cmp(&rank(b)).then_with(|| (&a.name, &a.district, a.ars).cmp(&(&b.name, &b.district, b.ars)))
        });
        let total = candidates.len();
        candidates.truncate(CANDIDATES_MAX);
        PlaceAnswer { candidates, total }
    }

    fn by_number(&self, digits: &str) -> Vec<PlaceCandidate> {
        let key = |digits: &str, matched| {
            let ars = padded(digits).filter(|ars| state_of(ars.as_str()).is_some());
            ars.map(|ars| self.by_key(ars, matched)).into_iter().collect::<Vec<_>>()
        };
        match digits.len() {
            5 => {
                let mut found = self.by_postal_code(digits.parse().unwrap_or(0));
                // Without a table every five digits might be a county: only one we know is meant.
                found.extend(key(digits, Matched::Ars).into_iter().filter(|county| self.position(&county.ars).is_ok()));
                found
            }
            8 => {
                let (county, municipality) = digits.split_at(5);
                let rows = self.below(county).filter(|row| row.kind == PlaceKind::Municipality);
                let known = rows.filter(|row| row.ars.as_str().ends_with(municipality));
                let known: Vec<_> = known.map(|row| candidate(row, Matched::Ags)).collect();
                let known = if known.is_empty() { self.formerly(|ars| is_ags(ars, digits)) } else { known };
                // A city without a county has its key in the AGS.
                if known.is_empty() && municipality == "000" { key(county, Matched::Ags) } else { known }
            }
            12 => {
                let known = self.formerly(|ars| ars.as_str() == digits);
                if known.is_empty() { key(digits, Matched::Ars) } else { known }
            }
            2 | 3 | 9 => key(digits, Matched::Ars),
            _ => Vec::new(),
        }
    }

    /// Municipalities that had such a key.
    fn formerly(&self, had: impl Fn(&Ars) -> bool) -> Vec<PlaceCandidate> {
        let keys = self.former.iter().map(|former| former.ars).filter(had);
        let mut now: Vec<Ars> = keys.map(|ars| self.former.follow(ars, None)).collect();
        now.sort_unstable();
        now.dedup();
        now.into_iter().map(|ars| self.by_key(ars, Matched::FormerKey)).collect()
    }

    fn by_key(&self, ars: Ars, matched: Matched) -> PlaceCandidate {
        if let Ok(position) = self.position(&ars) {
            return candidate(&self.rows[position], matched);
        }
        let kind = match ars.prefix().len() {
            2 => PlaceKind::State,
            12 => PlaceKind::Municipality,
            _ => PlaceKind::County,
        };
        let state = state_of(ars.as_str()).unwrap_or_default().to_owned();
        let name = if kind == PlaceKind::State { state.clone() } else { ars.to_string() };
        PlaceCandidate {
            ars,
            name,
            district: None,
            kind,
            county: String::new(),
            state,
            inhabitants: 0,
            served: false,
            matched,
        }
    }

    /// Rows whose key begins so.
    fn below(&self, digits: &str) -> impl Iterator<Item = &Row> {
        let start = self.rows.partition_point(|row| row.ars.as_str() < digits);
        self.rows[start..].iter().take_while(move |row| row.ars.as_str().starts_with(digits))
    }

    fn by_postal_code(&self, code: u32) -> Vec<PlaceCandidate> {
        let start = self.postal_codes.partition_point(|(known, _)| *known < code);
        let rows = self.postal_codes[start..].iter().take_while(|(known, _)| *known == code);
        rows.map(|(_, row)| candidate(&self.rows[*row as usize], Matched::PostalCode)).collect()
    }

    /// Municipalities with a postal code that begins so.
    fn by_postal_codes(&self, digits: &str) -> Vec<PlaceCandidate> {
        let (Ok(number), Some(rest)) = (digits.parse::<u32>(), 5u32.checked_sub(digits.len() as u32)) else {
            return Vec::new();
        };
        let unit = 10u32.pow(rest);
        let start = self.postal_codes.partition_point(|(known, _)| *known < number * unit);
        let same = self.postal_codes[start..].iter().take_while(|(known, _)| *known < (number + 1) * unit);
        let mut rows: Vec<u32> = same.map(|(_, row)| *row).collect();
        rows.sort_unstable();
        rows.dedup();
        rows.into_iter().map(|row| candidate(&self.rows[row as usize], Matched::PartOfNumber)).collect()
    }

    fn by_words(&self, text: &str) -> Vec<PlaceCandidate> {
        let mut words = fold::words(text);
        let codes: Vec<u32> =
            words.iter().filter(|word| is_postal_code(word)).filter_map(|word| word.parse().ok()).collect();
        words.retain(|word| !is_postal_code(word));
        if let [code] = codes.as_slice() {
            let all = self.by_postal_code(*code);
            let named: Vec<PlaceCandidate> =
                all.iter().filter(|candidate| self.fits(candidate, &words)).cloned().collect();
            // What stands beside the code may be a part of the town that no table knows.
            return if named.is_empty() { all } else { named };
        }
        if words.iter().all(|word| word.chars().count() < 2) {
            return Vec::new();
        }
        let mut found = self.named(&words);
        found.extend(self.districts_named(&words));
        let whole = |matched| matches!(matched, Matched::Name | Matched::FormerName);
        if found.iter().any(|candidate| whole(candidate.matched)) {
            found.retain(|candidate| candidate.matched != Matched::PartOfName);
            // A town is meant before its part of the same name.
            let towns: Vec<Ars> = found.iter().filter(|town| town.district.is_none()).map(|town| town.ars).collect();
            found.retain(|candidate| candidate.district.is_none() || !towns.contains(&candidate.ars));
        }
        found
    }

    fn fits(&self, candidate: &PlaceCandidate, words: &[String]) -> bool {
        self.position(&candidate.ars).is_ok_and(|position| {
            let row = &self.rows[position];
            words.iter().all(|word| has(&row.folded, word) || has(&row.context, word))
        })
    }

    /// Municipalities, counties and states with a word of the name among these, and nothing that does not fit them.
    fn named(&self, words: &[String]) -> Vec<PlaceCandidate> {
        let mut rows: Vec<u32> = Vec::new();
        for word in words.iter().filter(|word| word.chars().count() > 1) {
            for beginning in [Some(word.as_str()), sankt(word)].into_iter().flatten() {
                let start = self.words.partition_point(|(known, _)| **known < *beginning);
                let same = self.words[start..].iter().take_while(|(known, _)| known.starts_with(beginning));
                rows.extend(same.map(|(_, row)| *row));
            }
        }
        rows.sort_unstable();
        rows.dedup();
        rows.into_iter().filter_map(|row| self.rows[row as usize].named(words)).collect()
    }

    fn districts_named(&self, words: &[String]) -> Vec<PlaceCandidate> {
        let mut found = Vec::new();
        for row in &self.districts {
            if !row.folded.split(' ').any(|part| words.iter().any(|word| is_word(part, word))) {
                continue;
            }
            let Ok(position) = self.position(&row.ars) else { continue };
            let town = &self.rows[position];
            let beside = |word: &String| has(&row.folded, word) || has(&town.folded, word) || has(&town.context, word);
            if !words.iter().all(beside) {
                continue;
            }
            let whole = is_whole(row.folded.split(' '), words);
            let matched = if whole { Matched::District } else { Matched::PartOfName };
            let mut candidate = candidate(town, matched);
            candidate.kind = PlaceKind::District;
            candidate.district = Some(row.district.name.clone());
            // How many live in the part is not known; less than in the whole.
            candidate.inhabitants = 0;
            found.push(candidate);
        }
        found
    }
}

impl Row {
    /// The row as a candidate, if every word belongs to it and one of them to its name.
    fn named(&self, words: &[String]) -> Option<PlaceCandidate> {
        let fits = |name: &str| words.iter().all(|word| has(name, word) || has(&self.context, word));
        if fits(&self.folded) {
            let name = self.folded.split(' ').take(self.head);
            let matched = if is_whole(name, words) { Matched::Name } else { Matched::PartOfName };
            let in_name = words.iter().any(|word| has(&self.folded, word));
            return in_name.then(|| candidate(self, matched));
        }
        let former = self.former_names.iter().map(|name| fold::fold(name)).find(|name| fits(name))?;
        Some(candidate(
            self,
            if is_whole(former.split(' '), words) { Matched::FormerName } else { Matched::PartOfName },
        ))
    }
}

/// Whether every word of the name was typed.
fn is_whole<'n>(mut name: impl Iterator<Item = &'n str>, words: &[String]) -> bool {
    name.all(|part| words.iter().any(|word| is_word(part, word)))
}

fn candidate(row: &Row, matched: Matched) -> PlaceCandidate {
    PlaceCandidate {
        ars: row.ars,
        name: row.name.to_string(),
        district: None,
        kind: row.kind,
        county: row.county.to_string(),
        state: row.state.to_string(),
        inhabitants: row.inhabitants,
        served: false,
        matched,
    }
}

/// Whether one of the folded words begins with the word.
fn has(folded: &str, word: &str) -> bool {
    folded.split(' ').any(|part| part.starts_with(word) || is_word(part, word))
}

/// Whether the words are the same, `St.` being short for Sankt.
fn is_word(part: &str, word: &str) -> bool {
    part == word || sankt(word) == Some(part)
}

fn sankt(word: &str) -> Option<&'static str> {
    match word {
        "st" => Some("sankt"),
        "sankt" => Some("st"),
        _ => None,
    }
}

fn is_ags(ars: &Ars, digits: &str) -> bool {
    let (county, municipality) = digits.split_at(5);
    ars.as_str().starts_with(county) && ars.as_str().ends_with(municipality)
}

fn is_postal_code(word: &str) -> bool {
    word.len() == 5 && word.bytes().all(|byte| byte.is_ascii_digit())
}
