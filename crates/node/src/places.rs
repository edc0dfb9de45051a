//! Places: which one a text means, and the table they come from.

use std::io::Read;
use std::sync::Arc;

use ortsnetz_model::Ars;
use ortsnetz_model::dates::Date;
use ortsnetz_search::{
    FormerKey, Imported, Matched, Place, PlaceAnswer, PlaceCandidate, PlaceFilter, PlaceKind, Places, limits,
};
use ortsnetz_store::{Batch, Key, Origin};

use crate::districts;
use crate::dto::{
    FormerKeyInfo, PlaceDetails, PlaceInfo, PlacesPage, PlacesReport, PlacesRequest, Rejection, RemovedPlace,
};
use crate::error::NodeError;
use crate::searching::served;
use crate::shared::{Shared, read, write};
use crate::start::PLACES;

/// Rows of the table in one page, if the question does not say.
const LIST_DEFAULT: usize = 100;

/// What a text means as a place.
pub(crate) struct Asked {
    /// Everything it may mean: towns we answer for first, then by inhabitants.
    pub candidates: Vec<PlaceInfo>,
    /// Set if that is one place.
    pub only: Option<PlaceFilter>,
}

/// Which place a text means: a name, a postal code, AGS or ARS, on a day. Several are all told, and none is chosen.
///
/// # Errors
/// No place is known by it.
pub(crate) fn asked(shared: &Shared, text: &str, on: Option<Date>) -> Result<Asked, NodeError> {
    let table = Arc::clone(&read(&shared.places));
    let answer = table.resolve(text, &served(shared));
    let only = match answer.candidates.as_slice() {
        [] => {
            return Err(NodeError::NotFound(format!(
                "no place {text:?} is known; try its postal code or its 12-digit ARS, or import the official list with `ortsnetz places import FILE`"
            )));
        }
        [only] if answer.total == 1 => Some(filter(&table, &only.ars, only.district.clone(), on)),
        _ => None,
    };
    let mut candidates = infos(&table, &answer);
    if let (Some(filter), [only]) = (&only, candidates.as_mut_slice()) {
        // A key that counts only later is not shown yet.
        only.ars = filter.ars.to_string();
    }
    Ok(Asked { candidates, only })
}

/// The place with this key on a day, with the other keys it has or had.
pub(crate) fn filter(table: &Places, ars: &Ars, district: Option<String>, on: Option<Date>) -> PlaceFilter {
    let keys = table.keys(ars, on);
    PlaceFilter { ars: keys.ars, also: keys.also, district }
}

/// Places that a text may mean while it is typed, at most `limit`.
pub(crate) fn find(shared: &Shared, text: &str, limit: Option<usize>) -> Vec<PlaceInfo> {
    let table = Arc::clone(&read(&shared.places));
    let mut found = infos(&table, &table.suggest(text, &served(shared)));
    found.truncate(limit.unwrap_or(limits::CANDIDATES_MAX));
    found
}

fn infos(table: &Places, answer: &PlaceAnswer) -> Vec<PlaceInfo> {
    answer.candidates.iter().map(|candidate| info(table, candidate)).collect()
}

fn info(table: &Places, candidate: &PlaceCandidate) -> PlaceInfo {
    let codes = match &candidate.district {
        Some(name) => table.districts_of(&candidate.ars).into_iter().find(|district| district.name == *name),
        None => None,
    };
    let codes = codes.map(|district| district.postal_codes).filter(|codes| !codes.is_empty());
    let known = || table.by_ars(&candidate.ars).map(|place| place.postal_codes).unwrap_or_default();
    PlaceInfo {
        ars: candidate.ars.to_string(),
        name: match &candidate.district {
            Some(district) => format!("{district} ({})", candidate.name),
            None => candidate.name.clone(),
        },
        district: candidate.district.clone(),
        kind: kind(candidate.kind).into(),
        part_of: part_of(&candidate.county, &candidate.state),
        postal_codes: codes.unwrap_or_else(known),
        inhabitants: candidate.inhabitants.into(),
        served: candidate.served,
        matched: Some(matched(candidate.matched).into()),
    }
}

fn row(place: &Place, served: &[Ars]) -> PlaceInfo {
    PlaceInfo {
        ars: place.ars.to_string(),
        name: place.name.clone(),
        district: None,
        kind: kind(place.kind).into(),
        part_of: part_of(&place.county, if place.kind == PlaceKind::State { "" } else { &place.state }),
        postal_codes: place.postal_codes.clone(),
        inhabitants: place.inhabitants.into(),
        served: served.iter().any(|served| served.covers(&place.ars)),
        matched: None,
    }
}

fn part_of(county: &str, state: &str) -> String {
    if county.is_empty() { state.to_owned() } else { county.to_owned() }
}

fn kind(kind: PlaceKind) -> &'static str {
    match kind {
        PlaceKind::Municipality => "municipality",
        PlaceKind::District => "district",
        PlaceKind::County => "county",
        PlaceKind::State => "state",
    }
}

fn matched(matched: Matched) -> &'static str {
    match matched {
        Matched::Ars => "ars",
        Matched::Ags => "ags",
        Matched::FormerKey => "former_key",
        Matched::PostalCode => "postal_code",
        Matched::Name => "name",
        Matched::FormerName => "former_name",
        Matched::District => "district",
        Matched::PartOfName => "part_of_name",
        Matched::PartOfNumber => "part_of_number",
    }
}

/// `places show`: one place with all that is known of it.
///
/// # Errors
/// No place is meant, or several are.
pub(crate) fn show(shared: &Shared, text: &str) -> Result<PlaceDetails, NodeError> {
    let found = asked(shared, text, None)?;
    let Some(meant) = found.only else {
        let names: Vec<String> =
            found.candidates.iter().take(3).map(|one| format!("{} {}", one.ars, one.name)).collect();
        return Err(NodeError::Conflict(format!(
            "{text:?} can mean {} places, for example {}; give an ARS (`ortsnetz places find` lists all)",
            found.candidates.len(),
            names.join(", ")
        )));
    };
    let table = Arc::clone(&read(&shared.places));
    let place = found.candidates.into_iter().next().unwrap_or_default();
    let known = table.by_ars(&meant.ars);
    let former = known.as_ref().map(|known| known.former_keys.clone()).unwrap_or_default();
    Ok(PlaceDetails {
        place,
        ags: known.as_ref().and_then(|known| known.ags.clone()),
        former_names: known.as_ref().map(|known| known.former_names.clone()).unwrap_or_default(),
        former_keys: former.into_iter().map(former_info).collect(),
        districts: table.districts_of(&meant.ars).into_iter().map(|district| district.name).collect(),
        lon: known.as_ref().and_then(|known| known.lon),
        lat: known.as_ref().and_then(|known| known.lat),
    })
}

fn former_info(key: FormerKey) -> FormerKeyInfo {
    FormerKeyInfo { ars: key.ars.to_string(), successor: key.successor.to_string(), since: key.since }
}

/// `places list`: the table by key.
///
/// # Errors
/// A kind that places do not have.
pub(crate) fn list(shared: &Shared, request: &PlacesRequest) -> Result<PlacesPage, NodeError> {
    let wanted = match request.kind.as_deref().filter(|kind| !kind.is_empty()) {
        None => None,
        Some("municipality") => Some(PlaceKind::Municipality),
        Some("county") => Some(PlaceKind::County),
        Some("state") => Some(PlaceKind::State),
        Some(other) => {
            return Err(NodeError::Invalid(format!("{other:?} is no kind of place: municipality, county or state")));
        }
    };
    let within = request.within.as_deref().unwrap_or_default().trim();
    let within = within.parse::<Ars>().map_or_else(|_| within.to_owned(), |ars| ars.prefix().to_owned());
    let after = request.after.as_deref().unwrap_or_default();
    let limit = request.limit.unwrap_or(LIST_DEFAULT).min(limits::PLACES_MAX);
    let (table, served) = (Arc::clone(&read(&shared.places)), served(shared));
    let mut page = PlacesPage::default();
    let fits = |place: &Place| wanted.is_none_or(|kind| kind == place.kind) && place.ars.as_str().starts_with(&within);
    for place in table.iter().filter(fits) {
        page.total += 1;
        if place.ars.as_str() > after && page.places.len() < limit {
            page.places.push(row(&place, &served));
        }
    }
    Ok(page)
}

/// `places import`. Blocks.
///
/// # Errors
/// The file is no table, or the store takes nothing.
pub(crate) fn import(shared: &Shared, file: &str, bytes: &mut dyn Read) -> Result<PlacesReport, NodeError> {
    let before = Arc::clone(&read(&shared.places));
    let imported = before.import(bytes).map_err(|error| NodeError::Unreadable(format!("{file}: {error}")))?;
    take_over(shared, file, imported)
}

/// Takes the table of a partner over. Blocks.
pub(crate) fn adopt(shared: &Shared, whose: &str, table: &Places) -> Result<PlacesReport, NodeError> {
    let before = Arc::clone(&read(&shared.places));
    let imported =
        before.adopt(table).map_err(|error| NodeError::Unreadable(format!("the table of {whose}: {error}")))?;
    take_over(shared, whose, imported)
}

/// Keeps a table and puts it to use.
fn take_over(shared: &Shared, file: &str, imported: Imported) -> Result<PlacesReport, NodeError> {
    let known = imported.places.municipalities() as u64;
    if imported.created + imported.updated > 0 || !imported.removed.is_empty() {
        let json = serde_json::to_vec(&imported.places)
            .map_err(|error| NodeError::Unavailable(format!("the table cannot be kept: {error}")))?;
        let mut batch = Batch::new(Origin::Own);
        batch.put(Key::Meta(PLACES.into()), json);
        shared.store.commit(batch)?;
        *write(&shared.places) = Arc::new(districts::add_to(&shared.store, imported.places)?);
    }
    let rejected = |reject: ortsnetz_search::PlaceReject| Rejection {
        file: file.to_owned(),
        line: reject.line,
        reason: reject.reason,
    };
    let removed = |gone: ortsnetz_search::Removed| RemovedPlace {
        ars: gone.ars.to_string(),
        name: gone.name,
        successor: gone.successor.map(|ars| ars.to_string()),
    };
    Ok(PlacesReport {
        ok: imported.municipalities + imported.created + imported.updated + imported.unchanged > 0,
        municipalities: imported.municipalities as u64,
        created: imported.created as u64,
        updated: imported.updated as u64,
        unchanged: imported.unchanged as u64,
        removed: imported.removed.into_iter().map(removed).collect(),
        known,
        rejected_total: imported.rejected_total as u64,
        rejected: imported.rejected.into_iter().map(rejected).collect(),
    })
}
