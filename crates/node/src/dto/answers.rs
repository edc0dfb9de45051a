//! Answers for a place and a time, as an agent needs them during a call.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{AllowedInfo, Completeness, FeedbackInfo, Hit, OrganisationInfo, PlaceInfo};

/// What `answers` needs: words or the id of an entry.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AnswersRequest {
    /// The words.
    #[serde(alias = "words")]
    pub q: String,
    /// The entry the answer begins with, instead of words.
    pub id: Option<String>,
    /// Name, postal code, AGS or ARS.
    pub place: Option<String>,
    /// The place that is left, for life events like a move.
    pub from: Option<String>,
    /// The place that is moved to; the same as `place`.
    pub to: Option<String>,
    /// Numbers of the conditions that hold, `0,2`: steps that depend on others are left out. Absent: all steps are told.
    pub conditions: Option<String>,
    /// The date the answer is for, ISO 8601; today if absent.
    pub on: Option<String>,
    /// The time of day the answer is for, `10:30` in Europe/Berlin; now if absent.
    pub at: Option<String>,
    /// The language asked for; `de` if absent.
    pub lang: Option<String>,
    /// At most so many answers.
    pub limit: Option<usize>,
    /// How long partners that are asked live may take, in milliseconds; 1500 if absent, at most 10000.
    pub deadline_ms: Option<u64>,
}

/// `answers`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct AnswersResult {
    /// The place the answers are for; absent if none was asked for or it was ambiguous.
    pub place: Option<PlaceInfo>,
    /// The place that is left, if one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<PlaceInfo>,
    /// The places it may mean, when there are several: nothing was chosen, and nothing is answered.
    pub places: Vec<PlaceInfo>,
    /// Local date and time (Europe/Berlin) the answers are for, `2026-11-28T10:30`.
    pub at: String,
    /// The town itself, if it is in the network.
    pub town: Option<TownInfo>,
    /// Notices in force there on any topic; each answer lists those on its own.
    pub notices: Vec<NoticeInfo>,
    /// Composed answers, best first.
    pub answers: Vec<Answer>,
    /// Further entries that fit the words, as `search` finds them: nothing is composed of them.
    pub hits: Vec<Hit>,
    /// All entries that fit the words.
    pub total: u64,
    /// Milliseconds.
    pub took_ms: f64,
    /// Whether some source is missing.
    pub completeness: Completeness,
    /// Organisations that spoke for the place and take part no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<OrganisationInfo>,
}

/// How a town wants its citizens to be received.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct TownInfo {
    /// The organisation that speaks for the place itself.
    pub organisation: OrganisationInfo,
    /// Said first.
    pub greeting: Option<String>,
    /// What an agent should know about the town, CommonMark.
    pub remarks: Option<String>,
    /// Its telephone numbers.
    pub numbers: Vec<String>,
}

/// An urgent message.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct NoticeInfo {
    /// Entry id.
    pub id: String,
    /// Who says so.
    pub organisation: OrganisationInfo,
    /// In the language asked for.
    pub title: String,
    /// CommonMark; may be empty.
    pub text: String,
    /// `alarm`, `warning` or `info`.
    pub urgency: String,
    /// Where it counts, ARS.
    pub area: Vec<String>,
    /// What for; empty for everything.
    pub topics: Vec<String>,
    /// RFC 3339.
    pub from: Option<String>,
    /// RFC 3339.
    pub until: String,
    /// Heads of the version shown.
    pub heads: Vec<String>,
}

/// One answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Answer {
    /// Id of the most local entry it is made of.
    pub id: String,
    /// `service`, `office`, `online_service`, `form` or `life_event`.
    pub kind: String,
    /// In the language asked for.
    pub title: String,
    /// The language of the title.
    pub language: String,
    /// The answer in one or two sentences.
    pub short: Option<AnswerText>,
    /// All other texts, each of the owner named by `source`.
    pub texts: Vec<AnswerText>,
    /// Fees as in the entry that says them.
    pub fees: Option<AnswerField>,
    /// Deadlines.
    pub deadlines: Option<AnswerField>,
    /// How long it takes.
    pub processing_time: Option<AnswerField>,
    /// Where to do it online.
    pub online_services: Option<AnswerField>,
    /// Who is responsible, whoever decides first. Several for parts of a town: then the part has to be asked.
    pub responsible: Vec<ResponsibleInfo>,
    /// Several offices are responsible for different parts of the town, and the question does not say which part.
    pub ask_district: bool,
    /// Set if nobody is recorded: whom to ask, from the place upwards. Nobody is guessed.
    pub nobody: Vec<LevelInfo>,
    /// What the agreement with the town allows.
    pub allowed: AllowedInfo,
    /// Notices in force on this matter.
    pub notices: Vec<NoticeInfo>,
    /// What agents reported of the entries it is made of, and nobody has settled: a warning to whoever reads it out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<FeedbackInfo>,
    /// Notes for agents, never public.
    pub agent_notes: Vec<AgentNote>,
    /// The entries it is made of, most local first; `source` numbers count from 0.
    pub sources: Vec<SourceInfo>,
    /// The worst of its sources: `fresh`, `ageing` or `stale`.
    pub freshness: String,
    /// Languages that any of the texts is in.
    pub languages: Vec<String>,
    /// Of a life event: what to ask the caller first, at most five questions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ConditionInfo>,
    /// Of a life event: what is to be done, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    pub steps: Vec<StepInfo>,
    /// Entries of the same owners about the same matter that are answers of their own.
    pub related: Vec<RelatedInfo>,
    /// Set where the entry is not the word of whoever speaks for the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// A text and whose it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct AnswerText {
    /// `summary`, `required_documents` and so on.
    pub name: String,
    /// The language it is in, which may be another than asked for.
    pub language: String,
    /// CommonMark.
    pub text: String,
    /// Number of the source.
    pub source: usize,
}

/// A field and whose it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct AnswerField {
    /// As in the entry; amounts in integer cents.
    pub value: Value,
    /// Number of the source.
    pub source: usize,
}

/// Who is responsible.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ResponsibleInfo {
    /// `responsible` (decides) or `contact` (first contact).
    pub role: String,
    /// How local it is: `municipality`, `association`, `county`, `district`, `state`, `federation`.
    pub level: String,
    /// In which parts of the town; empty for all of it.
    pub districts: Vec<String>,
    /// Where to go.
    pub office: Option<OfficeInfo>,
    /// Where to do it online.
    pub online_service: Option<OnlineInfo>,
    /// What limits it.
    pub caveat: Option<String>,
    /// Who says so.
    pub organisation: OrganisationInfo,
    /// The record that says so, or the service that names the office.
    pub entry: String,
    /// `record` (a responsibility in force) or `service` (the service names the office).
    pub from: String,
}

/// An office.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct OfficeInfo {
    /// Entry id.
    pub id: String,
    /// Its name.
    pub title: String,
    /// As in the entry.
    pub address: Option<Value>,
    /// As in the entry: telephone, mail and so on.
    pub contacts: Option<Value>,
    /// Open or not.
    pub opening: OpeningInfo,
    /// What agents are told about it.
    pub agent_note: Option<String>,
}

/// Open or not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpeningInfo {
    /// `open`, `later` (closed, opens the same day), `closed` or `unknown`.
    pub state: String,
    /// Open until, `12:00`; the end of the day is `24:00`.
    pub until: Option<String>,
    /// Opens at, `2026-11-30T08:00`; absent if not within two weeks.
    pub opens: Option<String>,
    /// Where an office that travels stands then.
    pub stop: Option<String>,
    /// The hours of that day.
    pub day: Vec<SlotInfo>,
    /// Why it is closed that day: the name of a holiday, or what it says itself.
    pub closed_because: Option<String>,
    /// The name of the day, if many offices close early on it and this one has not said what it does: ask.
    pub doubt: Option<String>,
}

/// A time in which an office is open.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SlotInfo {
    /// `08:00`.
    pub opens: String,
    /// `12:00`.
    pub closes: String,
    /// What there is to say about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where it stands then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
}

/// A service on the web.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct OnlineInfo {
    /// Entry id.
    pub id: String,
    /// Its name.
    pub title: String,
    /// Where.
    pub url: String,
    /// `none`, `basic`, `substantial` or `high`.
    pub assurance: Option<String>,
    /// How to go about it, CommonMark.
    pub steps: Option<String>,
}

/// Whom to ask where nobody is recorded.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct LevelInfo {
    /// `municipality`, `county`, `state`.
    pub level: String,
    /// 12 digits.
    pub ars: String,
    /// Its name.
    pub name: String,
    /// The organisation that speaks for it, if it is in the network.
    pub organisation: Option<OrganisationInfo>,
    /// Its telephone number, if known.
    pub number: Option<String>,
}

/// A note for agents.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct AgentNote {
    /// CommonMark.
    pub text: String,
    /// The language it is in.
    pub language: String,
    /// Number of the source.
    pub source: usize,
}

/// An entry an answer is made of.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct SourceInfo {
    /// Whose it is.
    pub organisation: OrganisationInfo,
    /// Entry id.
    pub entry: String,
    /// Its title.
    pub title: String,
    /// Name of its collection.
    pub collection: String,
    /// How local it is.
    pub level: String,
    /// RFC 3339.
    pub published_at: String,
    /// RFC 3339; absent for our own.
    pub received_at: Option<String>,
    /// Who handed it over; absent for our own.
    pub received_from: Option<String>,
    /// When its owner wrote the newest checkpoint held here, RFC 3339.
    pub checkpoint_at: Option<String>,
    /// ISO date.
    pub next_review: Option<String>,
    /// Heads of the version told.
    pub heads: Vec<String>,
    /// `fresh`, `ageing` or `stale`.
    pub freshness: String,
    /// Why it is not fresh: `review_soon`, `review_overdue`, `not_reviewed`, `owner_late`, `owner_silent`.
    pub reasons: Vec<String>,
}

/// An entry that is an answer of its own.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct RelatedInfo {
    /// Entry id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Whose it is.
    pub organisation: OrganisationInfo,
}

/// A condition that steps depend on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConditionInfo {
    /// Its number, from 0.
    pub n: usize,
    /// What has to hold: `Sie haben einen Hund`.
    pub text: String,
}

/// One step of a life event.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct StepInfo {
    /// What is to be done.
    pub title: String,
    /// `from` (at the place that is left), `to` or `none`.
    pub place: String,
    /// The place it is done at.
    pub ars: Option<String>,
    /// Within so many days.
    pub deadline_days: Option<i64>,
    /// What it depends on.
    pub condition: Option<String>,
    /// The number of that condition, if it is among those asked.
    pub asked: Option<usize>,
    /// `answered`, `stale` (answered by a stale entry), `gone` (its entry is not there any more, or of nobody who speaks for the
    /// place), `place_missing`, `provider` (somebody outside the administration) or `text`.
    pub state: String,
    /// The answer to it.
    #[schema(no_recursion)]
    pub answer: Option<Box<Answer>>,
    /// Somebody outside the administration.
    pub provider: Option<ProviderInfo>,
}

/// Somebody outside the administration; kept by the organisation whose life event it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProviderInfo {
    /// Its name.
    pub name: String,
    /// Its address on the web.
    pub url: Option<String>,
}
