//! What stands in a report and in an answer to one. Partners write both, so nothing is taken on trust.

use ortsnetz_model::dates::parse_time;
use ortsnetz_model::{Entry, EntryId};
use ortsnetz_service::feedback::{Problem, State, TEXT_CHARS_MAX};
use serde_json::Value;

/// That an entry is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// 32 hex digits, chosen by whoever reports.
    pub id: String,
    /// The entry of the other side.
    pub about: EntryId,
    /// Which part of it, if that was said.
    pub path: Option<String>,
    /// What is wrong with it.
    pub problem: Problem,
    /// In the agent's words.
    pub text: String,
    /// The version that was read.
    pub heads: Vec<String>,
    /// When, milliseconds since 1970.
    pub at: u64,
}

/// What the owner says to a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The report.
    pub id: String,
    /// How it stands.
    pub state: State,
    /// In the owner's words.
    pub text: Option<String>,
    /// When, milliseconds since 1970.
    pub at: u64,
}

impl Report {
    /// The report in an entry; `None` if it is none.
    pub fn of(entry: &Entry) -> Option<Self> {
        Some(Self {
            problem: Problem::of(word(entry, "problem")?)?,
            id: id(entry, "feedback")?,
            about: word(entry, "about")?.parse().ok()?,
            path: word(entry, "path").map(str::to_owned),
            text: said(entry, "text")?,
            heads: entry.list("heads").into_iter().map(str::to_owned).collect(),
            at: moment(entry)?,
        })
    }
}

impl Answer {
    /// The answer in an entry; `None` if it is none.
    pub fn of(entry: &Entry) -> Option<Self> {
        Some(Self {
            state: State::of(word(entry, "state")?).filter(|state| *state != State::Open)?,
            id: id(entry, "feedback")?,
            text: said(entry, "answer"),
            at: moment(entry)?,
        })
    }
}

fn word<'a>(entry: &'a Entry, name: &str) -> Option<&'a str> {
    entry.get(name).and_then(Value::as_str)
}

/// The id in a field: 32 hex digits.
pub(crate) fn id(entry: &Entry, name: &str) -> Option<String> {
    let digits = |id: &&str| id.len() == 32 && id.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    word(entry, name).filter(digits).map(str::to_owned)
}

/// A text that is not longer than one may be; longer ones are cut.
pub(crate) fn said(entry: &Entry, name: &str) -> Option<String> {
    word(entry, name).map(|text| text.chars().take(TEXT_CHARS_MAX).collect())
}

/// When it was written.
pub(crate) fn moment(entry: &Entry) -> Option<u64> {
    parse_time(word(entry, "at")?).and_then(|at| u64::try_from(at).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(change: Value) -> Entry {
        let mut map = json!({"kind": "feedback", "feedback": "ab".repeat(16), "about": "01".repeat(16), "problem": "wrong",
            "text": "26 statt 28", "heads": ["00"], "at": "2026-11-28T10:00:00Z"});
        for (name, field) in change.as_object().cloned().unwrap_or_default() {
            map[name] = field;
        }
        Entry::from_json(map).expect("an entry")
    }

    #[test]
    fn a_report_that_is_not_whole_is_none() {
        let report = Report::of(&entry(json!({"path": "fees.0.amount"}))).expect("whole");
        assert_eq!((report.problem, report.path.as_deref()), (Problem::Wrong, Some("fees.0.amount")));
        for change in [
            json!({"feedback": "../etc"}),
            json!({"feedback": "AB".repeat(16)}),
            json!({"about": "x"}),
            json!({"problem": null}),
            json!({"problem": "bad"}),
            json!({"text": null}),
            json!({"at": "yesterday"}),
            json!({"at": "1960-01-01T00:00:00Z"}),
        ] {
            assert_eq!(Report::of(&entry(change.clone())), None, "{change}");
        }
        let long = Report::of(&entry(json!({"text": "x".repeat(TEXT_CHARS_MAX + 1)}))).expect("whole");
        assert_eq!(long.text.len(), TEXT_CHARS_MAX);
    }

    #[test]
    fn an_answer_says_how_it_stands() {
        let answer =
            Answer::of(&entry(json!({"problem": null, "state": "declined", "answer": "Nein."}))).expect("whole");
        assert_eq!((answer.state, answer.text.as_deref()), (State::Declined, Some("Nein.")));
        assert_eq!(Answer::of(&entry(json!({"state": "open"}))), None);
        assert_eq!(Answer::of(&entry(json!({}))), None);
    }
}
