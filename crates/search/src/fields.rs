//! The fields of the index.

use tantivy::schema::{
    BytesOptions, FAST, Field, INDEXED, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions,
};

use crate::tokenizer::Mode;

/// Version of everything that is derived when indexing: fields, tokenizers, built-in words. Another one in an index on
/// disk rebuilds it.
pub(crate) const VERSION: u32 = 3;

/// Name of the column that says which feed an entry is of.
pub(crate) const FEED: &str = "feed";
/// Name of the column with the places an entry is valid for, see `area::Area::number`.
pub(crate) const ARS: &str = "ars";
/// Names of the columns with the days it is valid from and until, as yyyymmdd.
pub(crate) const FROM: &str = "from";
pub(crate) const UNTIL: &str = "until";

/// Names of the columns that are counted.
pub(crate) const KIND: &str = "kind";
pub(crate) const LIFE_EVENT: &str = "life_event";
pub(crate) const AUDIENCE: &str = "audience";

/// The fields, by what they are for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    /// Organisation, collection and entry: what an update replaces.
    pub key: Field,
    /// Organisation and collection.
    pub feed: Field,
    /// The organisation.
    pub organisation: Field,
    /// The kind.
    pub kind: Field,
    /// Codes of life events.
    pub life_event: Field,
    /// Whom it is for.
    pub audience: Field,
    /// Places as terms, see `area::Area`.
    pub area: Field,
    /// Places as numbers.
    pub ars: Field,
    /// Districts, folded; [`NO_DISTRICT`] if it is for all of them.
    pub district: Field,
    /// First and last day.
    pub from: Field,
    pub until: Field,
    /// LeiKa keys and identifiers, in small letters.
    pub code: Field,
    /// German title.
    pub title: Field,
    /// German alternative titles and keywords.
    pub names: Field,
    /// German texts, names of offices, addresses.
    pub body: Field,
    /// Companion documents.
    pub notes: Field,
    /// Everything in other languages.
    pub other: Field,
    /// Words of titles and names in all languages, not stemmed.
    pub surface: Field,
    /// Their beginnings.
    pub edge: Field,
    /// What a hit shows.
    pub stored: Field,
}

/// The district term of entries that are for all districts.
pub(crate) const NO_DISTRICT: &str = "";

/// The schema of the index.
pub(crate) fn schema() -> (Schema, Fields) {
    let text = |mode: Mode| {
        let indexing = TextFieldIndexing::default().set_tokenizer(mode.name());
        TextOptions::default().set_indexing_options(match mode {
            Mode::Stems | Mode::Plain => indexing.set_index_option(IndexRecordOption::WithFreqs),
            Mode::Surfaces | Mode::Edges => indexing.set_index_option(IndexRecordOption::Basic).set_fieldnorms(false),
        })
    };
    let exact = || {
        let indexing = TextFieldIndexing::default().set_tokenizer("raw").set_fieldnorms(false);
        TextOptions::default().set_indexing_options(indexing.set_index_option(IndexRecordOption::Basic))
    };
    let counted = || exact().set_fast("raw");
    let mut schema = Schema::builder();
    let fields = Fields {
        key: schema.add_bytes_field("key", INDEXED),
        feed: schema.add_bytes_field(FEED, BytesOptions::from(INDEXED) | FAST),
        organisation: schema.add_bytes_field("organisation", INDEXED),
        kind: schema.add_text_field(KIND, counted()),
        life_event: schema.add_text_field(LIFE_EVENT, counted()),
        audience: schema.add_text_field(AUDIENCE, counted()),
        area: schema.add_text_field("area", exact()),
        ars: schema.add_u64_field(ARS, NumericOptions::default().set_fast()),
        district: schema.add_text_field("district", exact()),
        from: schema.add_u64_field(FROM, NumericOptions::default().set_fast()),
        until: schema.add_u64_field(UNTIL, NumericOptions::default().set_fast()),
        code: schema.add_text_field("code", exact()),
        title: schema.add_text_field("title", text(Mode::Stems)),
        names: schema.add_text_field("names", text(Mode::Stems)),
        body: schema.add_text_field("body", text(Mode::Stems)),
        notes: schema.add_text_field("notes", text(Mode::Stems)),
        other: schema.add_text_field("other", text(Mode::Plain)),
        surface: schema.add_text_field("surface", text(Mode::Surfaces)),
        edge: schema.add_text_field("edge", text(Mode::Edges)),
        stored: schema.add_bytes_field("stored", tantivy::schema::STORED),
    };
    (schema.build(), fields)
}
