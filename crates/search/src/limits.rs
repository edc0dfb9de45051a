//! Every limit of searching, in one place.

/// Characters of a query that are read; the rest is ignored and counted in [`crate::Hits::ignored_words`].
pub const QUERY_CHARS_MAX: usize = 400;
/// Words of a query that are searched for.
pub const QUERY_WORDS_MAX: usize = 12;
/// Hits in one answer if the query does not say.
pub const LIMIT_DEFAULT: usize = 20;
/// Most hits in one answer.
pub const LIMIT_MAX: usize = 200;
/// Longest word that is indexed or searched for, in characters after folding; longer ones are cut.
pub const WORD_CHARS_MAX: usize = 64;
/// Shortest word in which a typing mistake is forgiven, in characters.
pub const TYPO_CHARS_MIN: usize = 5;
/// Most words of the index that stand in for one misspelt or unfinished word.
pub const EXPANSIONS_MAX: usize = 48;
/// Longest beginning of a word that has its own list in the index; longer ones are looked up among the words.
pub const EDGE_CHARS_MAX: usize = 4;
/// Most words in the dictionary that takes compounds apart.
pub const DICTIONARY_WORDS_MAX: usize = 200_000;
/// Most analysed words kept in memory.
pub const CACHE_WORDS_MAX: usize = 40_000;
/// Most places of one entry that are indexed; whoever is responsible for more names the county or state.
pub const AREAS_MAX: usize = ortsnetz_model::limits::LIST_ELEMENTS_MAX;
/// Places kept with an entry to be shown in a hit.
pub const AREAS_SHOWN_MAX: usize = 64;
/// Characters of the summary kept with an entry to be shown in a hit.
pub const SUMMARY_CHARS_MAX: usize = 320;
/// Languages of title and summary kept with an entry to be shown in a hit.
pub const LANGUAGES_SHOWN_MAX: usize = 16;
/// Smallest memory for collecting new entries, in bytes (tantivy's own limit is 15 MB).
pub const HEAP_BYTES_MIN: usize = 16_000_000;
/// Largest memory for collecting new entries, in bytes.
pub const HEAP_BYTES_MAX: usize = 1_000_000_000;
/// Most candidates in one answer about a place. The most divided postal code has 39 municipalities.
pub const CANDIDATES_MAX: usize = 50;
/// Most places in a table: Germany has about 11,000 municipalities.
pub const PLACES_MAX: usize = 50_000;
/// Longest text that is looked up as a place, in characters; longer ones name no place.
pub const PLACE_CHARS_MAX: usize = 120;
/// Most rejected lines of a table of places that are told one by one; the others are only counted.
pub const PLACE_REJECTS_MAX: usize = 1_000;
/// Largest file with a table of places, in bytes. The official one has 1.3 MB.
pub const PLACE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Most postal codes of one municipality. Berlin has about 190.
pub const POSTAL_CODES_MAX: usize = 500;
/// Most districts of one municipality.
pub const DISTRICTS_MAX: usize = 200;
/// Most keys that are in use no more. About 8,000 municipalities changed theirs since 1990.
pub const FORMER_KEYS_MAX: usize = 20_000;
/// Most keys that one place had, one after the other or several at once.
pub const SUCCESSIONS_MAX: usize = 64;
/// Most rules of synonyms, built in or told by one organisation; each word of a group is one.
pub const SYNONYMS_MAX: usize = 2_000;
/// Most words of one synonym that belong together.
pub const SYNONYM_WORDS_MAX: usize = 4;
/// Most meanings looked for in one question beside its own words.
pub const MEANINGS_MAX: usize = 24;
/// Most life events, and audiences, that one entry is counted for.
pub const SORTS_MAX: usize = 64;
/// Most values told of each facet; the most frequent are.
pub const FACET_VALUES_MAX: usize = 50;
/// Characters of a snippet.
pub const SNIPPET_CHARS_MAX: usize = 220;
