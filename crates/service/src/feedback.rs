//! Error reports: what an agent says is wrong with an entry, and what its owner answers.

use crate::personal::{Personal, personal};

/// Longest text of a report, an answer, a comment or a reason, in characters.
pub const TEXT_CHARS_MAX: usize = 2_000;

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// It was right once.
    Outdated,
    /// It is not right.
    Wrong,
    /// Something is not there.
    Missing,
    /// Nobody can tell what is meant.
    Unclear,
}

/// How a report stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nobody answered.
    Open,
    /// The owner agrees and will change it.
    Accepted,
    /// The owner changed it.
    Done,
    /// The owner does not agree.
    Declined,
}

impl Problem {
    const ALL: [Self; 4] = [Self::Outdated, Self::Wrong, Self::Missing, Self::Unclear];

    /// A stable word for it, as in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Outdated => "outdated",
            Self::Wrong => "wrong",
            Self::Missing => "missing",
            Self::Unclear => "unclear",
        }
    }

    /// The same in German.
    pub const fn german(self) -> &'static str {
        match self {
            Self::Outdated => "veraltet",
            Self::Wrong => "falsch",
            Self::Missing => "fehlt",
            Self::Unclear => "unverständlich",
        }
    }

    /// What this word means.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|problem| problem.word() == word)
    }
}

impl State {
    const ALL: [Self; 4] = [Self::Open, Self::Accepted, Self::Done, Self::Declined];

    /// A stable word for it, as in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Done => "done",
            Self::Declined => "declined",
        }
    }

    /// What this word means.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// Whether the report stands beside the entry: until it is settled.
    pub const fn is_shown(self) -> bool {
        matches!(self, Self::Open | Self::Accepted)
    }
}

/// Why a text may not be said to a partner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It says nothing.
    #[error("is missing")]
    Missing,
    /// It is longer than [`TEXT_CHARS_MAX`].
    #[error("has {0} characters; {TEXT_CHARS_MAX} are possible")]
    Long(usize),
    /// It holds what belongs to a citizen.
    #[error("holds {0}, and what belongs to citizens never goes to a partner; leave it out")]
    Personal(Personal),
}

/// A text for a partner, without blanks around it.
///
/// # Errors
/// It is empty, too long, or holds data of a citizen.
pub fn text(text: &str) -> Result<&str, TextError> {
    let text = text.trim();
    let chars = text.chars().count();
    match personal(text) {
        _ if text.is_empty() => Err(TextError::Missing),
        _ if chars > TEXT_CHARS_MAX => Err(TextError::Long(chars)),
        Some(found) => Err(TextError::Personal(found)),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_what_they_say() {
        for problem in Problem::ALL {
            assert_eq!(Problem::of(problem.word()), Some(problem));
        }
        for state in State::ALL {
            assert_eq!(State::of(state.word()), Some(state));
        }
        assert_eq!((Problem::of("bad"), State::of("")), (None, None));
        assert!(State::Open.is_shown() && State::Accepted.is_shown());
        assert!(!State::Done.is_shown() && !State::Declined.is_shown());
    }

    #[test]
    fn a_text_is_there_short_and_about_nobody() {
        assert_eq!(text(" Gebühr falsch. "), Ok("Gebühr falsch."));
        assert_eq!(text(" \n"), Err(TextError::Missing));
        assert_eq!(text(&"ä".repeat(TEXT_CHARS_MAX)).map(str::len), Ok(2 * TEXT_CHARS_MAX));
        let long = text(&"ä".repeat(TEXT_CHARS_MAX + 1)).expect_err("too long").to_string();
        assert_eq!(long, "has 2001 characters; 2000 are possible");
        let personal = text("Rückruf an 02241 1020").expect_err("personal").to_string();
        assert!(personal.starts_with("holds a telephone number, and what belongs to citizens"), "{personal}");
    }
}
