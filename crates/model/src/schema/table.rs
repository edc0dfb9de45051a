//! The table itself.

use super::Scalar::{
    Ars, Boolean, Choice, Date, Integer, Leika, Moment, Money, Number, PostalCode, Reference, TimeOfDay, Url, Weekday,
};
use super::{Field, Scalar, Type};
use crate::codes::Kind;

const fn field(name: &'static str, of: Type) -> Field {
    Field { name, of, required: false }
}

const fn needed(name: &'static str, of: Type) -> Field {
    Field { name, of, required: true }
}

const fn one(name: &'static str, scalar: Scalar) -> Field {
    field(name, Type::Scalar(scalar))
}

const fn string(name: &'static str) -> Field {
    one(name, Scalar::String)
}

const fn list(name: &'static str, scalar: Scalar) -> Field {
    field(name, Type::Scalars(scalar))
}

const fn words(name: &'static str) -> Field {
    field(name, Type::Words)
}

/// Common fields that stand first.
pub(super) const HEAD: &[Field] = &[
    string("id"),
    Field { name: "kind", of: Type::Scalar(Scalar::String), required: true },
    field("identifier", Type::Object(&[string("agency"), string("scheme"), string("value")])),
    words("title"),
    field("alternative_titles", Type::WordLists),
    field("keywords", Type::WordLists),
];

/// Common fields that stand last.
pub(super) const TAIL: &[Field] = &[
    list("valid_for", Ars),
    one("valid_from", Date),
    one("valid_until", Date),
    field("scheduled", Type::Scheduled),
    field("review", Type::Object(&[one("reviewed_at", Date), one("next_review", Date)])),
    field("source", Type::Object(&[one("url", Url), one("retrieved_at", Moment)])),
    field("agent_note", Type::Text),
    field("staff_contacts", Type::Objects(CONTACT)),
    field("companions", Type::Companions),
    super::EXTENSIONS,
];

/// Fields that belong into a companion document and never into a home document.
pub(super) const COMPANION_ONLY: [&str; 2] = ["agent_note", "staff_contacts"];

const CONTACT: &[Field] = &[
    string("role"),
    needed("channel", Type::Scalar(Choice(&["phone", "fax", "email", "web"]))),
    needed("value", Type::Scalar(Scalar::String)),
    words("note"),
];

const ASSURANCE: Scalar = Choice(&["none", "basic", "substantial", "high"]);

const SERVICE: &[Field] = &[
    list("leika", Leika),
    list("audience", Scalar::String),
    field("texts", Type::Texts),
    field(
        "fees",
        Type::Objects(&[
            one("kind", Choice(&["fixed", "range", "variable", "free"])),
            one("amount", Money),
            one("max_amount", Money),
            string("currency"),
            words("note"),
        ]),
    ),
    field("deadlines", Type::Objects(&[string("kind"), one("days", Integer), one("date", Date), words("note")])),
    field("processing_time", Type::Object(&[one("min_days", Integer), one("max_days", Integer), words("note")])),
    field(
        "online_services",
        Type::Objects(&[words("title"), needed("url", Type::Scalar(Url)), one("assurance", ASSURANCE)]),
    ),
    list("offices", Reference),
    list("life_events", Scalar::String),
];

const OFFICE: &[Field] = &[
    field("texts", Type::Texts),
    field(
        "address",
        Type::Object(&[
            string("street"),
            string("house_number"),
            one("postal_code", PostalCode),
            string("city"),
            one("ars", Ars),
            one("lat", Number),
            one("lon", Number),
            one("wheelchair", Boolean),
            one("elevator", Boolean),
        ]),
    ),
    field("contacts", Type::Objects(CONTACT)),
    field(
        "opening_hours",
        Type::Objects(&[
            list("days", Weekday),
            needed("opens", Type::Scalar(TimeOfDay)),
            needed("closes", Type::Scalar(TimeOfDay)),
            words("note"),
        ]),
    ),
    field(
        "opening_exceptions",
        Type::Objects(&[
            needed("from", Type::Scalar(Date)),
            one("until", Date),
            one("closed", Boolean),
            one("opens", TimeOfDay),
            one("closes", TimeOfDay),
            words("note"),
        ]),
    ),
    // Where an office that travels stands, and when: on dates, or on days of the week between two dates.
    field(
        "stops",
        Type::Objects(&[
            list("dates", Date),
            list("days", Weekday),
            one("from", Date),
            one("until", Date),
            needed("opens", Type::Scalar(TimeOfDay)),
            needed("closes", Type::Scalar(TimeOfDay)),
            needed("place", Type::Scalar(Scalar::String)),
            one("postal_code", PostalCode),
            words("note"),
        ]),
    ),
    one("parent", Reference),
    list("districts", Scalar::String),
];

const RESPONSIBILITY: &[Field] = &[
    one("service", Reference),
    list("leika", Leika),
    list("area", Ars),
    list("districts", Scalar::String),
    one("office", Reference),
    one("online_service", Reference),
    one("role", Choice(&["responsible", "contact"])),
    words("caveat"),
];

const ONLINE_SERVICE: &[Field] =
    &[needed("url", Type::Scalar(Url)), one("assurance", ASSURANCE), field("steps", Type::Text)];

const FORM: &[Field] = &[needed("url", Type::Scalar(Url)), string("format")];

const LIFE_EVENT: &[Field] = &[
    string("code"),
    field("texts", Type::Texts),
    field(
        "steps",
        Type::Objects(&[
            words("title"),
            one("service", Reference),
            one("leika", Leika),
            one("place", Choice(&["from", "to", "none"])),
            one("deadline_days", Integer),
            words("condition"),
            field("provider", Type::Object(&[string("name"), one("url", Url)])),
        ]),
    ),
];

const NOTICE: &[Field] = &[
    field("texts", Type::Texts),
    list("area", Ars),
    list("topics", Scalar::String),
    one("from", Moment),
    needed("until", Type::Scalar(Moment)),
    one("urgency", Choice(&["info", "warning", "alarm"])),
];

/// One side's copy of one version of an agreement: the text, and that side's signature or refusal.
const AGREEMENT: &[Field] = &[
    string("agreement"),
    one("version", Integer),
    string("partner"),
    field("terms", Type::Free),
    field("signature", Type::Object(&[string("node"), string("value"), one("at", Moment)])),
    one("declined", Boolean),
    string("reason"),
    one("ends_on", Date),
];

/// A report that an entry is wrong (`problem` is set), or its owner's answer to one (`state` is set).
const FEEDBACK: &[Field] = &[
    string("feedback"),
    string("partner"),
    string("about"),
    string("path"),
    one("problem", Choice(&["outdated", "wrong", "missing", "unclear"])),
    string("text"),
    list("heads", Scalar::String),
    one("state", Choice(&["accepted", "done", "declined"])),
    string("answer"),
    one("at", Moment),
];

/// A suggested change of a partner's entry (`suggested` is set), or its owner's decision on one (`decided` is set).
const PROPOSAL: &[Field] = &[
    string("proposal"),
    string("partner"),
    string("about"),
    list("heads", Scalar::String),
    field("suggested", Type::Free),
    string("comment"),
    field("decided", Type::Free),
    one("at", Moment),
];

/// Signed batches of records: contacts, calls, settlements; see `ortsnetz_service::journal`.
const JOURNAL: &[Field] = &[
    string("partner"),
    one("day", Date),
    one("stream", Choice(&["contacts", "calls", "settlement"])),
    string("chain"),
    one("part", Integer),
    list("months", Scalar::String),
    field("batches", Type::Free),
];

const PROFILE: &[Field] = &[
    list("names", Scalar::String),
    one("ars", Ars),
    field(
        "districts",
        Type::Objects(&[needed("name", Type::Scalar(Scalar::String)), list("postal_codes", PostalCode)]),
    ),
    field("synonyms", Type::Objects(&[list("words", Scalar::String)])),
    list("numbers", Scalar::String),
    words("greeting"),
    field("remarks", Type::Text),
    field("colours", Type::Free),
    field("legal", Type::Free),
];

/// The fields a kind has of its own.
pub(super) fn of_kind(kind: &Kind) -> &'static [Field] {
    match kind {
        Kind::Profile => PROFILE,
        Kind::Service => SERVICE,
        Kind::Office => OFFICE,
        Kind::Responsibility => RESPONSIBILITY,
        Kind::OnlineService => ONLINE_SERVICE,
        Kind::Form => FORM,
        Kind::LifeEvent => LIFE_EVENT,
        Kind::Notice => NOTICE,
        Kind::Agreement => AGREEMENT,
        Kind::Proposal => PROPOSAL,
        Kind::Feedback => FEEDBACK,
        Kind::Journal => JOURNAL,
        // These keep their fields in `extensions` until they get a table of their own.
        Kind::Unknown(_) => &[],
    }
}

/// Kinds that must have a title.
pub(super) fn needs_title(kind: &Kind) -> bool {
    use Kind::{Form, LifeEvent, Notice, Office, OnlineService, Service};
    matches!(kind, Form | LifeEvent | Notice | Office | OnlineService | Service)
}
