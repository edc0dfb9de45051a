//! What two organisations agreed on: the text both sign, when it is in force, and what it allows an agent to do.

use jiff::civil::{Date, DateTime};
use ortsnetz_model::OrgId;
use serde::{Deserialize, Serialize};

use crate::hours::code_of;

/// The format of a text that this version understands.
pub const FORMAT: u8 = 1;
/// Longest text both sign, in bytes of its canonical form.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Most topics, and most required topics, of an agreement.
pub const TOPICS_MAX: usize = 2_000;
/// So many days ahead the end of an agreement is warned of.
pub const WARNING_DAYS: [i32; 3] = [90, 30, 7];
/// So many days after its end, what the agreement opened is still replicated.
pub const REPLICATION_DAYS: i32 = 60;

/// The text of an agreement. Its canonical form is what both sign: fields it does not know are refused, so that nobody signs
/// what he cannot read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// [`FORMAT`].
    pub format: u8,
    /// What it is called.
    pub title: String,
    /// Who answers, an organisation id.
    pub provider: String,
    /// For whom, an organisation id.
    pub recipient: String,
    /// 1 switchboard, 2 focus topics, 3 whole portfolio, 4 including case work in online services.
    pub stage: u8,
    /// The focus topics of stage 2; of other stages they say what to learn first.
    #[serde(default, skip_serializing_if = "Topics::is_empty")]
    pub topics: Topics,
    /// LeiKa keys the recipient must describe.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<String>,
    /// When calls are taken; always if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_hours: Vec<ServiceHours>,
    /// What the provider promises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<Targets>,
    /// What it costs; free of charge if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<Prices>,
    /// First day, ISO 8601.
    pub valid_from: String,
    /// Last day, ISO 8601; until it is ended if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// Months between notice and end.
    #[serde(default)]
    pub notice_months: u8,
    /// Proposals of the provider that are accepted without a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_proposals: Option<AcceptProposals>,
    /// Everything else, CommonMark.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// What an agreement is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Topics {
    /// LeiKa keys or their beginnings, at least five digits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leika: Vec<String>,
    /// Codes of life events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub life_events: Vec<String>,
    /// Words that are title or keyword of an entry.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// Hours on days of the week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceHours {
    /// `mo` to `su`.
    pub days: Vec<String>,
    /// `08:00`.
    pub opens: String,
    /// `18:00`.
    pub closes: String,
}

/// What the provider promises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// So many of a hundred calls are taken ...
    pub accepted_percent: u8,
    /// ... within so many seconds.
    pub accepted_seconds: u16,
    /// So many of a hundred are answered at first contact.
    pub first_contact_percent: u8,
    /// Others are answered within so many service hours.
    pub answer_hours: u16,
}

/// What it costs. Amounts are integer cents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// For each minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minute_cents: Option<u32>,
    /// For each contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_cents: Option<u32>,
    /// For each month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month_cents: Option<u64>,
    /// At most so much for each inhabitant and year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<Cap>,
    /// How seconds become minutes.
    #[serde(default)]
    pub rounding: Rounding,
    /// Tax in thousandths: 190 is 19 percent.
    #[serde(default)]
    pub tax_permille: u16,
}

/// The most a year may cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// Cents for each inhabitant and year.
    pub cents_per_inhabitant: u32,
    /// How many inhabitants.
    pub inhabitants: u32,
    /// The date of that figure, ISO 8601.
    pub counted_on: String,
}

/// How seconds of a contact become minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// To the second; the sum is rounded to the cent.
    #[default]
    Second,
    /// Each contact up to whole minutes.
    MinuteUp,
    /// Each contact to the nearest whole minute, half a minute up.
    Minute,
}

/// Proposals that are accepted without a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptProposals {
    /// On these topics.
    pub topics: Topics,
    /// Until and with this day, ISO 8601.
    pub until: String,
}

impl Topics {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.leika.is_empty() && self.life_events.is_empty() && self.tags.is_empty()
    }

    /// Whether a matter is among them.
    pub fn contain(&self, matter: &About<'_>) -> bool {
        let starts = |key: &&str| self.leika.iter().any(|topic| key.starts_with(topic.as_str()));
        let tagged = |word: &&str| self.tags.iter().any(|tag| tag.to_lowercase() == word.to_lowercase());
        matter.leika.iter().any(starts)
            || matter.life_events.iter().any(|code| self.life_events.iter().any(|known| known == code))
            || matter.words.iter().any(tagged)
    }

    fn len(&self) -> usize {
        self.leika.len() + self.life_events.len() + self.tags.len()
    }
}

/// What a question is about.
#[derive(Clone, Debug, Default)]
pub struct About<'a> {
    /// LeiKa keys.
    pub leika: Vec<&'a str>,
    /// Codes of life events.
    pub life_events: Vec<&'a str>,
    /// Titles and keywords.
    pub words: Vec<&'a str>,
}

impl Terms {
    /// Reads a text; one line says what is wrong and where.
    pub fn read(value: &serde_json::Value) -> Result<Self, String> {
        let terms: Self = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
        let problems = terms.problems();
        if problems.is_empty() { Ok(terms) } else { Err(problems.join("; ")) }
    }

    /// The bytes both sign, in the one form they have.
    pub fn canonical(&self) -> Vec<u8> {
        // Texts, numbers and lists can always be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What is wrong with it, each with its path.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |holds: bool, text: &str| {
            if !holds {
                problems.push(text.to_owned());
            }
        };
        let is_date = |text: &str| ortsnetz_model::dates::parse_date(text).is_some();
        let is_id = |text: &str| text.parse::<OrgId>().is_ok();
        let (topics, automatic) = (&self.topics, self.accept_proposals.as_ref());
        let keys = topics.leika.iter().chain(automatic.into_iter().flat_map(|accept| &accept.topics.leika));
        check(self.format == FORMAT, "format: is not 1; this version signs no other");
        check(!self.title.trim().is_empty(), "title: is missing");
        check(is_id(&self.provider), "provider: is no organisation id");
        check(is_id(&self.recipient), "recipient: is no organisation id");
        check(self.provider != self.recipient, "recipient: is the provider itself");
        check((1..=4).contains(&self.stage), "stage: is none of 1, 2, 3, 4");
        check(self.stage != 2 || !topics.is_empty(), "topics: are missing; stage 2 answers on topics");
        check(topics.len() <= TOPICS_MAX && self.required.len() <= TOPICS_MAX, "topics: are more than 2000");
        check(
            keys.into_iter().all(|key| is_beginning(key)),
            "topics.leika: is no LeiKa key or beginning of one (99 and 3 to 12 digits)",
        );
        check(
            self.required.iter().all(|key| key.len() == 14 && is_beginning(key)),
            "required: is no LeiKa key (14 digits)",
        );
        check(is_date(&self.valid_from), "valid_from: is no date like 2027-01-01");
        if let Some(until) = &self.valid_until {
            check(is_date(until) && *until >= self.valid_from, "valid_until: is no date from valid_from on");
        }
        for hours in &self.service_hours {
            let time = |text: &str| text == "24:00" || text.parse::<jiff::civil::Time>().is_ok() && text.len() == 5;
            let days = hours.days.iter().all(|day| ["mo", "tu", "we", "th", "fr", "sa", "su"].contains(&day.as_str()));
            check(days && !hours.days.is_empty(), "service_hours.days: is none of mo, tu, we, th, fr, sa, su");
            check(
                time(&hours.opens) && time(&hours.closes) && hours.opens < hours.closes,
                "service_hours: needs opens before closes, like 08:00",
            );
        }
        if let Some(targets) = &self.targets {
            check(
                targets.accepted_percent <= 100 && targets.first_contact_percent <= 100,
                "targets: a percentage is more than 100",
            );
        }
        if let Some(prices) = &self.prices {
            let some = prices.minute_cents.is_some() || prices.contact_cents.is_some() || prices.month_cents.is_some();
            check(some, "prices: names no price; leave it out if nothing is charged");
            check(
                prices.cap.as_ref().is_none_or(|cap| is_date(&cap.counted_on)),
                "prices.cap.counted_on: is no date like 2026-12-31",
            );
            check(prices.tax_permille <= 1000, "prices.tax_permille: is more than 1000");
        }
        if let Some(accept) = automatic {
            check(is_date(&accept.until), "accept_proposals.until: is no date like 2027-01-01");
            check(!accept.topics.is_empty(), "accept_proposals.topics: are missing");
        }
        let bytes = self.canonical().len();
        if bytes > TEXT_BYTES_MAX {
            problems.push(format!("the text has {bytes} bytes, more than the {TEXT_BYTES_MAX} that are allowed"));
        }
        problems
    }

    /// First day.
    pub fn from(&self) -> Date {
        self.valid_from.parse().unwrap_or(Date::MAX)
    }

    /// Last day.
    pub fn until(&self) -> Date {
        self.valid_until.as_deref().and_then(|until| until.parse().ok()).unwrap_or(Date::MAX)
    }

    /// Whether calls are taken at this local time.
    pub fn is_served(&self, at: DateTime) -> bool {
        let time = at.time().strftime("%H:%M").to_string();
        let day = code_of(at.date());
        let within = |hours: &ServiceHours| {
            hours.days.iter().any(|known| known == day) && hours.opens <= time && time < hours.closes
        };
        self.service_hours.is_empty() || self.service_hours.iter().any(within)
    }

    /// What an agent of the provider may do about a matter; `online` is whether there is an online service for it.
    pub fn allows(&self, matter: &About<'_>, online: bool) -> Vec<Action> {
        let answers = match self.stage {
            1 => false,
            2 => self.topics.contain(matter),
            _ => true,
        };
        let mut actions = vec![Action::Inform, Action::Connect];
        if answers {
            actions.push(Action::Answer);
        }
        if self.stage == 4 && online {
            actions.push(Action::TakeCase);
        }
        actions
    }
}

/// What an agent may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Say who is responsible, where and when.
    Inform,
    /// Put the call through.
    Connect,
    /// Answer the matter itself.
    Answer,
    /// Take the case, in the online service.
    TakeCase,
}

impl Action {
    /// A stable word for it, as in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Inform => "inform",
            Self::Connect => "connect",
            Self::Answer => "answer",
            Self::TakeCase => "take_case",
        }
    }
}

/// How an agreement stands on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// One side signed, the other has not yet.
    Proposed,
    /// The other side declined.
    Declined,
    /// Both signed, it begins later.
    Agreed,
    /// Both signed, and its time is now.
    InForce,
    /// Its last day is past.
    Expired,
    /// One side ended it, and that day is past.
    Ended,
    /// A later version is in force.
    Replaced,
}

impl State {
    /// A stable word for it, as in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Declined => "declined",
            Self::Agreed => "agreed",
            Self::InForce => "in_force",
            Self::Expired => "expired",
            Self::Ended => "ended",
            Self::Replaced => "replaced",
        }
    }
}

/// What is known of one version of an agreement, from both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Counts from 1; a later one amends the earlier.
    pub number: u32,
    /// The text.
    pub terms: Terms,
    /// Both sides hold a valid signature over it.
    pub signed: bool,
    /// The side that did not propose it said no.
    pub declined: bool,
    /// The last day, if one side ended it.
    pub ends_on: Option<Date>,
}

impl Version {
    /// The last day on which it can count.
    pub fn last_day(&self) -> Date {
        self.ends_on.map_or(self.terms.until(), |ends| ends.min(self.terms.until()))
    }

    fn counts(&self, day: Date) -> bool {
        self.signed && self.terms.from() <= day && day <= self.last_day()
    }
}

/// How each version of an agreement stands on a day. Of those whose time it is, the highest number counts.
pub fn states(versions: &[Version], day: Date) -> Vec<State> {
    let newest = versions.iter().filter(|version| version.counts(day)).map(|version| version.number).max();
    let state = |version: &Version| match version {
        _ if version.declined => State::Declined,
        _ if !version.signed => State::Proposed,
        _ if version.counts(day) && newest == Some(version.number) => State::InForce,
        _ if newest.is_some_and(|newest| newest > version.number) => State::Replaced,
        _ if version.ends_on.is_some_and(|ends| ends < day) => State::Ended,
        _ if version.terms.until() < day => State::Expired,
        _ => State::Agreed,
    };
    versions.iter().map(state).collect()
}

/// The warning that is due on a day: the smallest number of [`WARNING_DAYS`] that the last day is within, and the days left.
pub fn warning(last_day: Date, day: Date) -> Option<(i32, i32)> {
    let left = day.until(last_day).ok()?.get_days();
    let due = WARNING_DAYS.into_iter().filter(|days| (0..=*days).contains(&left)).min()?;
    Some((due, left))
}

/// The beginning of a LeiKa key: `99`, and at least a group.
fn is_beginning(key: &str) -> bool {
    (5..=14).contains(&key.len()) && key.starts_with("99") && key.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn text(change: Value) -> Value {
        let mut value = json!({"format": 1, "title": "Telefonservice", "provider": "11".repeat(32), "recipient": "22".repeat(32),
            "stage": 3, "valid_from": "2026-01-01", "valid_until": "2026-12-31"});
        for (name, field) in change.as_object().cloned().unwrap_or_default() {
            if field.is_null() {
                value.as_object_mut().expect("an object").remove(&name);
            } else {
                value[name] = field;
            }
        }
        value
    }

    fn terms(change: Value) -> Terms {
        Terms::read(&text(change)).expect("good terms")
    }

    fn refused(change: Value, why: &str) {
        let error = Terms::read(&text(change)).expect_err("must be refused");
        assert!(error.starts_with(why), "{error}");
    }

    #[test]
    fn a_text_that_is_not_understood_is_not_signed() {
        refused(json!({"discount": 5}), "unknown field `discount`");
        refused(json!({"format": 2}), "format: is not 1");
        refused(json!({"stage": 5}), "stage: is none of");
        refused(json!({"stage": 2}), "topics: are missing");
        refused(json!({"recipient": "11".repeat(32)}), "recipient: is the provider");
        refused(json!({"valid_until": "2025-12-31"}), "valid_until:");
        refused(json!({"topics": {"leika": ["99"]}}), "topics.leika: is no LeiKa key");
        refused(json!({"required": ["99036"]}), "required: is no LeiKa key");
        refused(json!({"prices": {}}), "prices: names no price");
        refused(
            json!({"service_hours": [{"days": ["mo"], "opens": "18:00", "closes": "08:00"}]}),
            "service_hours: needs",
        );
        refused(json!({"title": null}), "missing field `title`");
    }

    #[test]
    fn a_text_has_one_form_and_a_length() {
        let one = terms(json!({"topics": {"tags": [], "leika": ["99036"]}, "required": []}));
        let other = Terms::read(&serde_json::from_slice(&one.canonical()).expect("JSON")).expect("good terms");
        assert_eq!(one.canonical(), other.canonical());
        let rest = TEXT_BYTES_MAX - terms(json!({"text": "x"})).canonical().len() + 1;
        terms(json!({"text": "x".repeat(rest)}));
        refused(json!({"text": "x".repeat(rest + 1)}), &format!("the text has {} bytes", TEXT_BYTES_MAX + 1));
        let keys = |many: usize| json!({"required": vec!["99036012011000"; many]});
        terms(keys(TOPICS_MAX));
        refused(keys(TOPICS_MAX + 1), "topics: are more than");
    }

    #[test]
    fn each_stage_allows_what_it_says() {
        use Action::{Answer, Connect, Inform, TakeCase};
        let car = About { leika: vec!["99036012011000"], ..About::default() };
        let dog = About { leika: vec!["99102013060000"], words: vec!["Hund"], ..About::default() };
        let stage = |stage: u8| terms(json!({"stage": stage, "topics": {"leika": ["99036"]}}));
        assert_eq!(stage(1).allows(&car, true), [Inform, Connect]);
        assert_eq!(stage(2).allows(&car, true), [Inform, Connect, Answer]);
        assert_eq!(stage(2).allows(&dog, true), [Inform, Connect]);
        assert_eq!(stage(3).allows(&dog, true), [Inform, Connect, Answer]);
        assert_eq!(stage(4).allows(&dog, true), [Inform, Connect, Answer, TakeCase]);
        assert_eq!(stage(4).allows(&dog, false), [Inform, Connect, Answer]);
        let tagged = terms(json!({"stage": 2, "topics": {"tags": ["hund"], "life_events": ["1110300"]}}));
        assert!(tagged.allows(&dog, false).contains(&Answer) && !tagged.allows(&car, false).contains(&Answer));
    }

    #[test]
    fn service_hours_are_local_and_end_before_they_close() {
        let terms = terms(json!({"service_hours": [{"days": ["mo", "tu"], "opens": "08:00", "closes": "18:00"}]}));
        // 30 November 2026 is a Monday.
        for (at, served) in [
            ("2026-11-30T08:00", true),
            ("2026-11-30T17:59", true),
            ("2026-11-30T18:00", false),
            ("2026-12-02T10:00", false),
        ] {
            assert_eq!(terms.is_served(at.parse().expect("a time")), served, "{at}");
        }
    }

    fn version(number: u32, from: &str, until: &str, signed: bool) -> Version {
        let terms = terms(json!({"valid_from": from, "valid_until": until}));
        Version { number, terms, signed, declined: false, ends_on: None }
    }

    #[test]
    fn the_newest_version_whose_time_it_is_counts() {
        let first = version(1, "2026-01-01", "2026-12-31", true);
        let amended = version(2, "2026-06-15", "2027-12-31", true);
        let offered = version(3, "2026-01-01", "2027-12-31", false);
        let check = |day: &str, expected: [State; 3]| {
            let all = [first.clone(), amended.clone(), offered.clone()];
            assert_eq!(states(&all, day.parse().expect("a date")), expected, "{day}");
        };
        check("2025-12-31", [State::Agreed, State::Agreed, State::Proposed]);
        check("2026-06-14", [State::InForce, State::Agreed, State::Proposed]);
        check("2026-06-15", [State::Replaced, State::InForce, State::Proposed]);
        check("2027-12-31", [State::Replaced, State::InForce, State::Proposed]);
        check("2028-01-01", [State::Expired, State::Expired, State::Proposed]);
        let ended = Version { ends_on: Some(Date::constant(2026, 3, 31)), ..first.clone() };
        assert_eq!(states(std::slice::from_ref(&ended), Date::constant(2026, 3, 31)), [State::InForce]);
        assert_eq!(states(&[ended], Date::constant(2026, 4, 1)), [State::Ended]);
        let declined = Version { declined: true, signed: false, ..first.clone() };
        assert_eq!(states(&[declined], Date::constant(2026, 4, 1)), [State::Declined]);
    }

    #[test]
    fn the_end_is_warned_of_in_three_steps() {
        let end = Date::constant(2026, 12, 31);
        for (day, due) in [
            ("2026-10-01", None),
            ("2026-10-02", Some((90, 90))),
            ("2026-12-01", Some((30, 30))),
            ("2026-12-24", Some((7, 7))),
            ("2026-12-31", Some((7, 0))),
            ("2027-01-01", None),
        ] {
            let left = warning(end, day.parse().expect("a date"));
            assert_eq!(left, due, "{day}");
        }
        assert_eq!(warning(Date::MAX, end), None);
    }
}
