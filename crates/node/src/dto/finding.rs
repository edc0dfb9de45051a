//! Searching, and places.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{OrganisationInfo, Rejection};

/// What `search` needs.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SearchRequest {
    /// The words.
    #[serde(alias = "words")]
    pub q: String,
    /// Name, postal code, AGS or ARS.
    pub place: Option<String>,
    /// Kind of entry.
    pub kind: Option<String>,
    /// Date the answer is for.
    pub on: Option<String>,
    /// At most so many hits.
    pub limit: Option<usize>,
    /// How long partners that are asked live may take, in milliseconds; 1500 if absent, at most 10000.
    pub deadline_ms: Option<u64>,
    /// Language of title and summary, default `de`.
    pub lang: Option<String>,
    /// The last word may be unfinished.
    pub typing: bool,
    /// Only entries of this organisation: name, or id or its beginning.
    pub organisation: Option<String>,
    /// Only entries of this life event, by its code.
    pub life_event: Option<String>,
    /// Only entries for these people, for example `business`.
    pub audience: Option<String>,
    /// Count what was found by kind, organisation, life event and audience.
    pub facets: bool,
    /// Tell where title and texts have the words.
    pub snippets: bool,
}

/// A piece of a text. The pieces make the text; it is plain text, nothing in it is markup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MarkedText {
    /// The piece.
    pub text: String,
    /// It is what was asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mark: bool,
}

/// The part of a text that has most of the words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Snippet {
    /// Which text: `texts.description`, `keywords`.
    pub path: String,
    /// The part, in pieces.
    pub pieces: Vec<MarkedText>,
}

/// Why an entry was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReasonInfo {
    /// The word of the question, or several that mean something together; without capitals and umlauts.
    pub word: String,
    /// Where the entry has it: `title`, `names` (alternative titles and keywords), `text`, `notes`, `code`.
    pub field: String,
    /// `exact`, `stem` (another form), `compound_part`, `abbreviation`, `synonym`, `beginning`, `typing_mistake`, `code`.
    pub how: String,
    /// What was looked for: the part, the synonym, the word that was meant; else the word.
    pub found: String,
}

/// How many of everything found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FacetValue {
    /// To filter with.
    pub value: String,
    /// To show, where it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many.
    pub count: u64,
}

/// What was found, counted; the most frequent first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FacetCounts {
    /// By kind.
    pub kinds: Vec<FacetValue>,
    /// By organisation: its id, and its name.
    pub organisations: Vec<FacetValue>,
    /// By code of the life event; an entry may count for several.
    pub life_events: Vec<FacetValue>,
    /// By audience; an entry may count for several.
    pub audiences: Vec<FacetValue>,
}

/// One hit.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Hit {
    /// Entry id.
    pub id: String,
    /// Kind.
    pub kind: String,
    /// In the asked language.
    pub title: String,
    /// In the asked language.
    pub summary: String,
    /// Whose it is, with standing.
    pub organisation: OrganisationInfo,
    /// Name of the collection.
    pub collection: String,
    /// Everybody may read it.
    pub public: bool,
    /// Places it is valid for.
    pub valid_for: Vec<String>,
    /// RFC 3339.
    pub published_at: Option<String>,
    /// RFC 3339; absent for our own.
    pub received_at: Option<String>,
    /// ISO date.
    pub next_review: Option<String>,
    /// Higher is better; comparable within one answer only.
    pub score: f32,
    /// Why it was found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<ReasonInfo>,
    /// The title with what was asked for marked; with `snippets`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marked_title: Vec<MarkedText>,
    /// A part of its text with what was asked for; with `snippets`, if its text has any of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snippet: Option<Snippet>,
    /// Set where the entry claims a place its organisation does not speak for, or where that takes part no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// So many reports say that it is wrong, and nobody has settled them.
    #[serde(default, skip_serializing_if = "none")]
    pub reports: u64,
}

/// A place a search could mean.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlaceInfo {
    /// 12 digits.
    pub ars: String,
    /// Its name; of a district with its town.
    pub name: String,
    /// The district, where one is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub district: Option<String>,
    /// `municipality`, `district`, `county`, `state`.
    pub kind: String,
    /// Its county or state.
    pub part_of: String,
    /// Postal codes.
    pub postal_codes: Vec<String>,
    /// Inhabitants, 0 if unknown.
    pub inhabitants: u64,
    /// We answer for it.
    #[serde(default)]
    pub served: bool,
    /// How the text named it: `name`, `former_name`, `district`, `postal_code`, `ars`, `ags`, `former_key`,
    /// `part_of_name`, `part_of_number`; absent where nothing was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<String>,
}

/// A place with all that is known of it: `places show`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlaceDetails {
    /// As in a list.
    #[serde(flatten)]
    pub place: PlaceInfo,
    /// 8 digits, municipalities only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ags: Option<String>,
    /// Names it had.
    pub former_names: Vec<String>,
    /// Keys it had, the newest change first.
    pub former_keys: Vec<FormerKeyInfo>,
    /// Its parts, as its profile tells them.
    pub districts: Vec<String>,
    /// Degrees east.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lon: Option<f64>,
    /// Degrees north.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lat: Option<f64>,
}

/// A key that a place had.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FormerKeyInfo {
    /// 12 digits.
    pub ars: String,
    /// The key that came after it.
    pub successor: String,
    /// First day of that, ISO 8601; empty if unknown.
    pub since: String,
}

/// Which part of the table of places `places list` shows.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PlacesRequest {
    /// `municipality`, `county` or `state`; all if absent.
    pub kind: Option<String>,
    /// Only what lies in this county or state (its ARS or the beginning of one).
    pub within: Option<String>,
    /// Only keys after this one: the last of the page before.
    pub after: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// `places list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct PlacesPage {
    /// By key.
    pub places: Vec<PlaceInfo>,
    /// How many there are, without `after` and `limit`.
    pub total: u64,
}

/// `places import`, `places fetch`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct PlacesReport {
    /// Something of the file was usable.
    pub ok: bool,
    /// Municipalities read; 0 from a list of former keys.
    pub municipalities: u64,
    /// Municipalities (or former keys) that were not known.
    pub created: u64,
    /// That say something else now.
    pub updated: u64,
    /// That say what they said.
    pub unchanged: u64,
    /// Municipalities that the list has no more.
    pub removed: Vec<RemovedPlace>,
    /// Municipalities known now.
    pub known: u64,
    /// Lines not read, the first of them.
    pub rejected: Vec<Rejection>,
    /// How many lines were not read.
    pub rejected_total: u64,
}

/// A municipality that is in the list no more.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RemovedPlace {
    /// The key it had.
    pub ars: String,
    /// Its name.
    pub name: String,
    /// The key of what it became: it is found as that. Absent if nobody told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
}

/// How complete an answer is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Completeness {
    /// Sources asked.
    pub asked: u64,
    /// Sources that answered.
    pub answered: u64,
    /// Names of those that did not.
    pub missing: Vec<String>,
}

/// `search`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct SearchResult {
    /// Best first.
    pub hits: Vec<Hit>,
    /// All that match.
    pub total: u64,
    /// Milliseconds.
    pub took_ms: f64,
    /// Whether some source is missing.
    pub completeness: Completeness,
    /// More than one: the place was ambiguous, nothing was chosen and `hits` is empty. One: it was used.
    pub places: Vec<PlaceInfo>,
    /// Organisations that spoke for the place and take part no more, whether anything of them is still here or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<OrganisationInfo>,
    /// `all_words`, `typing_mistakes` or `some_words`: how far the words were taken to find anything.
    #[serde(default)]
    pub matching: String,
    /// With `facets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facets: Option<FacetCounts>,
}

fn none(count: &u64) -> bool {
    *count == 0
}
