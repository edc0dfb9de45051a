//! What a journal records.

use jiff::civil::{DateTime, Time};
use ortsnetz_model::{Ars, EntryId, Leika};
use serde::{Deserialize, Serialize};

use super::Month;
use crate::personal::personal;
use crate::settlement::Statement;

/// Most topics of one contact.
pub const TOPICS_MAX: usize = 16;
/// Longest contact: a day.
pub const SECONDS_MAX: u32 = 86_400;
/// Longest reason, in characters.
pub const REASON_CHARS_MAX: usize = 200;
/// Longest code of a life event, in bytes.
const CODE_BYTES_MAX: usize = 32;
/// Longest number that was dialled, in bytes.
const LINE_BYTES_MAX: usize = 24;

/// Why a record is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A field says what it cannot say.
    #[error("{field}: {problem}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
}

fn wrong(field: &'static str, problem: impl Into<String>) -> RecordError {
    RecordError::Field { field, problem: problem.into() }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// Somebody asked.
    Contact(Contact),
    /// A contact does not count.
    Reversal(Reversal),
    /// A follow-up is done.
    Done(Done),
    /// A call, as the telephone system saw it.
    Call(Call),
    /// The provider offers what a month costs, signed.
    Offer(Box<Offer>),
    /// The recipient objects to a line.
    Objection(Objection),
    /// The provider keeps a line that was objected to.
    Reply(Reply),
    /// The recipient signs what was offered.
    Closing(Closing),
}

/// One enquiry of a citizen, without any person in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// 32 hex digits, random.
    pub id: String,
    /// When it began, local, to the quarter hour: `2026-11-03T10:15`.
    pub at: String,
    /// How long it took.
    pub seconds: u32,
    /// What it was about; see [`Topic`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    /// For which place, an ARS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// How it came.
    pub channel: Channel,
    /// How it ended.
    pub outcome: Outcome,
    /// Under which agreement it was made; none if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<Under>,
}

/// One version of an agreement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Under {
    /// Id of the agreement.
    pub agreement: String,
    /// Its version.
    pub version: u32,
}

/// How somebody asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// By telephone.
    Phone,
    /// By mail over the network.
    Email,
    /// In writing, live.
    Chat,
    /// In person.
    Counter,
    /// On paper.
    Letter,
    /// By a form on a page.
    Web,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Phone, Self::Email, Self::Chat, Self::Counter, Self::Letter, Self::Web];

    /// A stable word for it, as in the record.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Chat => "chat",
            Self::Counter => "counter",
            Self::Letter => "letter",
            Self::Web => "web",
        }
    }
}

/// How a contact ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The question was answered at once.
    Answered,
    /// Put through to whom it concerns.
    Connected,
    /// Whom it concerns was not reached.
    NotReached,
    /// Passed on to the town in writing.
    Forwarded,
    /// We call back.
    CallBack,
    /// A complaint, passed on to the town.
    Complaint,
    /// The caller gave up.
    GaveUp,
    /// It is nobody's matter here.
    NotResponsible,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Answered,
        Self::Connected,
        Self::NotReached,
        Self::Forwarded,
        Self::CallBack,
        Self::Complaint,
        Self::GaveUp,
        Self::NotResponsible,
    ];

    /// A stable word for it, as in the record.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Connected => "connected",
            Self::NotReached => "not_reached",
            Self::Forwarded => "forwarded",
            Self::CallBack => "call_back",
            Self::Complaint => "complaint",
            Self::GaveUp => "gave_up",
            Self::NotResponsible => "not_responsible",
        }
    }

    /// Whether somebody has to do something afterwards.
    pub const fn is_followed_up(self) -> bool {
        matches!(self, Self::Forwarded | Self::CallBack | Self::Complaint)
    }

    /// Whether that is the town asked about; else whoever took the contact.
    pub const fn is_for_the_town(self) -> bool {
        matches!(self, Self::Forwarded | Self::Complaint)
    }

    /// Whether it is paid for: everything but callers who gave up.
    pub const fn is_billed(self) -> bool {
        !matches!(self, Self::GaveUp)
    }

    /// Whether it counts for the share that is answered at first contact: somebody had a question for the town, and spoke
    /// to an agent.
    pub const fn is_question(self) -> bool {
        !matches!(self, Self::GaveUp | Self::NotResponsible)
    }
}

/// What a contact was about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// An entry, and the heads of the version that was shown.
    Entry(EntryId, Option<String>),
    /// A LeiKa key.
    Leika(String),
    /// A life event.
    LifeEvent(String),
}

impl Topic {
    /// Reads `entry:<id>`, `entry:<id>@<heads>`, `leika:<key>`, `life_event:<code>`; also an id or a key alone.
    pub fn read(text: &str) -> Option<Self> {
        let heads = |text: &str| (8..=64).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        match text.split_once(':') {
            Some(("entry", rest)) => match rest.split_once('@') {
                Some((id, shown)) if heads(shown) => Some(Self::Entry(id.parse().ok()?, Some(shown.to_lowercase()))),
                Some(_) => None,
                None => Some(Self::Entry(rest.parse().ok()?, None)),
            },
            Some(("leika", key)) => key.parse::<Leika>().ok().map(|_| Self::Leika(key.to_owned())),
            Some(("life_event", code)) => {
                let plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
                (plain && (1..=CODE_BYTES_MAX).contains(&code.len())).then(|| Self::LifeEvent(code.to_owned()))
            }
            Some(_) => None,
            None if text.parse::<Leika>().is_ok() => Some(Self::Leika(text.to_owned())),
            None => Some(Self::Entry(text.parse().ok()?, None)),
        }
    }

    /// The one form it has in a record.
    pub fn text(&self) -> String {
        match self {
            Self::Entry(id, None) => format!("entry:{id}"),
            Self::Entry(id, Some(heads)) => format!("entry:{id}@{heads}"),
            Self::Leika(key) => format!("leika:{key}"),
            Self::LifeEvent(code) => format!("life_event:{code}"),
        }
    }
}

/// A contact does not count, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reversal {
    /// 32 hex digits, random.
    pub id: String,
    /// The contact.
    pub contact: String,
    /// When that was, so that it is found.
    pub at: String,
    /// When this was, to the quarter hour.
    pub made: String,
    /// Why.
    pub reason: String,
}

/// A follow-up is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// 32 hex digits, random.
    pub id: String,
    /// The contact that made it.
    pub contact: String,
    /// When that was.
    pub at: String,
    /// When it was done, to the quarter hour.
    pub made: String,
}

/// A call as the telephone system saw it. Who called is not known here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// 32 hex digits: random, or made of what the telephone system calls it.
    pub id: String,
    /// When it was offered, to the quarter hour.
    pub at: String,
    /// The number that was dialled, one of the town's.
    pub line: String,
    /// How long until it was taken, or given up.
    pub waited: u32,
    /// How long it was; absent if nobody took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub talked: Option<u32>,
}

/// What a month costs, as the provider offers and signs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// 32 hex digits, random.
    pub id: String,
    /// What is signed.
    pub statement: Statement,
    /// The node, with role admin.
    pub node: String,
    /// When, RFC 3339.
    pub at: String,
    /// Ed25519 over the statement, base64.
    pub signature: String,
}

/// The recipient objects to a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objection {
    /// 32 hex digits, random.
    pub id: String,
    /// Of which month.
    pub month: Month,
    /// To which contact.
    pub contact: String,
    /// Why.
    pub reason: String,
}

/// The provider keeps a line that was objected to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// 32 hex digits, random.
    pub id: String,
    /// Of which month.
    pub month: Month,
    /// To which objection.
    pub objection: String,
    /// Why.
    pub reason: String,
}

/// The recipient signs what was offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// 32 hex digits, random.
    pub id: String,
    /// Of which month.
    pub month: Month,
    /// SHA-256 of the statement.
    pub text_hash: String,
    /// The node, with role admin.
    pub node: String,
    /// When, RFC 3339.
    pub at: String,
    /// Ed25519 over the statement, base64.
    pub signature: String,
}

impl Record {
    /// Reads a record; `None` if this version cannot, or it says what it cannot say.
    pub fn read(value: &serde_json::Value) -> Option<Self> {
        let record: Self = serde_json::from_value(value.clone()).ok()?;
        record.check().ok()?;
        Some(record)
    }

    /// Its id.
    pub fn id(&self) -> &str {
        match self {
            Self::Contact(contact) => &contact.id,
            Self::Reversal(reversal) => &reversal.id,
            Self::Done(done) => &done.id,
            Self::Call(call) => &call.id,
            Self::Offer(offer) => &offer.id,
            Self::Objection(objection) => &objection.id,
            Self::Reply(reply) => &reply.id,
            Self::Closing(closing) => &closing.id,
        }
    }

    /// The month it is about.
    pub fn month(&self) -> Option<Month> {
        match self {
            Self::Contact(contact) => month_of(&contact.at),
            Self::Reversal(reversal) => month_of(&reversal.at),
            Self::Done(done) => month_of(&done.at),
            Self::Call(call) => month_of(&call.at),
            Self::Offer(offer) => Some(offer.statement.month),
            Self::Objection(objection) => Some(objection.month),
            Self::Reply(reply) => Some(reply.month),
            Self::Closing(closing) => Some(closing.month),
        }
    }

    /// What is wrong with it.
    pub fn check(&self) -> Result<(), RecordError> {
        is_id("id", self.id())?;
        match self {
            Self::Contact(contact) => contact.check(),
            Self::Reversal(reversal) => {
                is_id("contact", &reversal.contact)?;
                is_quarter("at", &reversal.at)?;
                is_quarter("made", &reversal.made)?;
                is_reason(&reversal.reason)
            }
            Self::Done(done) => {
                is_id("contact", &done.contact)?;
                is_quarter("at", &done.at)?;
                is_quarter("made", &done.made)
            }
            Self::Call(call) => {
                is_quarter("at", &call.at)?;
                let digits = call.line.bytes().all(|byte| byte.is_ascii_digit() || byte == b'+');
                if !digits || !(1..=LINE_BYTES_MAX).contains(&call.line.len()) {
                    return Err(wrong("line", "is no number that can be dialled"));
                }
                if call.waited > SECONDS_MAX || call.talked.is_some_and(|seconds| seconds > SECONDS_MAX) {
                    return Err(wrong("waited", "a call lasts no longer than a day"));
                }
                Ok(())
            }
            Self::Offer(_) | Self::Closing(_) => Ok(()),
            Self::Objection(objection) => {
                is_id("contact", &objection.contact)?;
                is_reason(&objection.reason)
            }
            Self::Reply(reply) => {
                is_id("objection", &reply.objection)?;
                is_reason(&reply.reason)
            }
        }
    }
}

impl Contact {
    fn check(&self) -> Result<(), RecordError> {
        is_quarter("at", &self.at)?;
        if self.seconds > SECONDS_MAX {
            return Err(wrong("seconds", format!("{} are more than a day", self.seconds)));
        }
        if self.topics.len() > TOPICS_MAX {
            return Err(wrong("topics", format!("are {}, more than {TOPICS_MAX}", self.topics.len())));
        }
        for text in &self.topics {
            if Topic::read(text).is_none_or(|topic| topic.text() != *text) {
                return Err(wrong(
                    "topics",
                    format!("{text:?} is no topic; write entry:ID, leika:KEY or life_event:CODE"),
                ));
            }
        }
        if let Some(place) = &self.place
            && place.parse::<Ars>().is_err()
        {
            return Err(wrong("place", format!("{place:?} is no ARS")));
        }
        if let Some(under) = &self.under {
            is_id("under", &under.agreement)?;
        }
        Ok(())
    }

    /// When it was, local.
    pub fn time(&self) -> DateTime {
        self.at.parse().unwrap_or_default()
    }

    /// The number people say for its follow-up.
    pub fn number(&self) -> String {
        number_of(&self.id)
    }
}

/// The number people say for the follow-up of a contact: the beginning of its id in two groups.
fn number_of(id: &str) -> String {
    match (id.get(..4), id.get(4..8)) {
        (Some(first), Some(second)) => format!("{first}-{second}").to_uppercase(),
        _ => id.to_owned(),
    }
}

/// An id from random bytes.
pub fn random_id(bytes: [u8; 16]) -> String {
    EntryId(bytes).to_string()
}

fn month_of(at: &str) -> Option<Month> {
    at.get(..7)?.parse().ok()
}

fn is_id(field: &'static str, text: &str) -> Result<(), RecordError> {
    let right = text.len() == 32 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if right { Ok(()) } else { Err(wrong(field, format!("{text:?} is no id; it has 32 hex digits"))) }
}

/// A local time at a quarter of an hour, in the one form it has.
fn is_quarter(field: &'static str, text: &str) -> Result<(), RecordError> {
    let time: Option<DateTime> = (text.len() == 16).then(|| text.parse().ok()).flatten();
    let right = time
        .is_some_and(|time| time.year() >= 2000 && time.time() >= Time::midnight() && super::quarter(time) == *text);
    if right { Ok(()) } else { Err(wrong(field, format!("{text:?} is no quarter of an hour like 2026-11-03T10:15"))) }
}

/// A reason says what was wrong and nothing about a person.
fn is_reason(text: &str) -> Result<(), RecordError> {
    let chars = text.chars().count();
    if text.trim().is_empty() {
        return Err(wrong("reason", "is missing; the other side should read why"));
    }
    if chars > REASON_CHARS_MAX {
        return Err(wrong("reason", format!("has {chars} characters, more than {REASON_CHARS_MAX}")));
    }
    match personal(text) {
        None => Ok(()),
        Some(what) => Err(wrong("reason", format!("holds {what}; nothing of a person belongs into a record"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn contact(change: Value) -> Value {
        let mut value = json!({"record": "contact", "id": "0a".repeat(16), "at": "2026-11-03T10:15", "seconds": 190,
            "topics": ["leika:99102013060000"], "place": "053820060060", "channel": "phone", "outcome": "answered",
            "under": {"agreement": "0b".repeat(16), "version": 1}});
        for (name, field) in change.as_object().into_iter().flatten() {
            value[name] = field.clone();
        }
        value
    }

    #[test]
    fn a_contact_is_read_as_it_was_written() {
        let value = contact(json!({}));
        let record = Record::read(&value).expect("a contact");
        assert_eq!(serde_json::to_value(&record).expect("JSON"), value);
        assert_eq!(record.month().map(|month| month.to_string()).as_deref(), Some("2026-11"));
        let Record::Contact(contact) = record else { panic!("a contact") };
        assert_eq!(contact.number(), "0A0A-0A0A");
    }

    #[test]
    fn what_a_contact_cannot_say_is_not_read() {
        for change in [
            json!({"id": "0A".repeat(16)}),
            json!({"at": "2026-11-03T10:16"}),
            json!({"at": "2026-11-03T10:15:00"}),
            json!({"at": "1999-11-03T10:15"}),
            json!({"at": "2026-02-30T10:15"}),
            json!({"seconds": SECONDS_MAX + 1}),
            json!({"seconds": -1}),
            json!({"topics": ["Hund von Frau Muster"]}),
            json!({"topics": ["99102013060000"]}),
            json!({"topics": vec!["leika:99102013060000"; TOPICS_MAX + 1]}),
            json!({"place": "Siegburg"}),
            json!({"channel": "pigeon"}),
            json!({"outcome": "sold"}),
            json!({"caller": "+49 2241 1020"}),
            json!({"under": {"agreement": "x", "version": 1}}),
        ] {
            assert_eq!(Record::read(&contact(change.clone())), None, "{change}");
        }
        for change in [json!({"seconds": SECONDS_MAX}), json!({"topics": vec!["leika:99102013060000"; TOPICS_MAX]})] {
            assert!(Record::read(&contact(change.clone())).is_some(), "{change}");
        }
    }

    #[test]
    fn a_reason_is_short_and_names_nobody() {
        let reversal = |reason: &str| {
            Record::read(&json!({"record": "reversal", "id": "0a".repeat(16), "contact": "0b".repeat(16),
                "at": "2026-11-03T10:15", "made": "2026-11-03T10:30", "reason": reason}))
        };
        assert!(reversal("zweimal erfasst").is_some());
        assert!(reversal(&"x".repeat(REASON_CHARS_MAX)).is_some());
        assert!(reversal(&"x".repeat(REASON_CHARS_MAX + 1)).is_none());
        assert!(reversal(" ").is_none());
        assert!(reversal("Rückruf 02241 1020 erbeten").is_none());
    }

    #[test]
    fn topics_have_one_form() {
        let id = "0a".repeat(16);
        for (given, written) in [
            (id.clone(), Some(format!("entry:{id}"))),
            (format!("entry:{id}@00112233"), Some(format!("entry:{id}@00112233"))),
            ("99102013060000".into(), Some("leika:99102013060000".into())),
            ("life_event:1050200".into(), Some("life_event:1050200".into())),
            ("life_event:Herr Muster".into(), None),
            (format!("entry:{id}@x"), None),
            ("hund".into(), None),
        ] {
            assert_eq!(Topic::read(&given).map(|topic| topic.text()), written, "{given}");
        }
    }
}
