//! The keys of German public administration, and the kinds of entries.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that should be a key and is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct CodeError {
    /// What was given, cut to 80 characters.
    pub text: String,
    /// What a valid text looks like.
    pub expected: &'static str,
}

impl CodeError {
    pub(crate) fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.chars().take(80).collect(), expected }
    }
}

macro_rules! digits {
    ($(#[$doc:meta])* $name:ident, $len:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// The digits.
            pub fn as_str(&self) -> &str {
                // `from_str` lets only ASCII digits in.
                std::str::from_utf8(&self.0).unwrap_or_default()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = CodeError;
            fn from_str(text: &str) -> Result<Self, CodeError> {
                let digits: [u8; $len] =
                    text.as_bytes().try_into().map_err(|_| CodeError::new(text, $expected))?;
                if digits.iter().all(u8::is_ascii_digit) {
                    Ok(Self(digits))
                } else {
                    Err(CodeError::new(text, $expected))
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.str(self.as_str())?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                d.str()?.parse().map_err(|_| minicbor::decode::Error::message($expected))
            }
        }
    };
}

digits!(
    /// A place by its Amtlicher Regionalschlüssel: 2 digits state, 1 administrative district, 2 county, 4 municipal
    /// association, 3 municipality. A tail of zeros means everything below.
    Ars, 12, "an ARS (12 digits)"
);
digits!(
    /// A service by its LeiKa key: 99, group, object, act, detail.
    Leika, 14, "a LeiKa key (14 digits)"
);

/// Where an ARS may end: state, administrative district, county, municipal association, municipality.
const ARS_LEVELS: [usize; 5] = [2, 3, 5, 9, 12];

impl Ars {
    /// The digits that count: up to the last level below which everything is zero. `053820000000` gives `05382`.
    pub fn prefix(&self) -> &str {
        let digits = self.as_str();
        let level = ARS_LEVELS.into_iter().find(|&level| digits[level..].bytes().all(|digit| digit == b'0'));
        &digits[..level.unwrap_or(digits.len())]
    }

    /// Whether what is valid here is valid in `other` too: a county covers its municipalities, everything itself.
    pub fn covers(&self, other: &Self) -> bool {
        other.as_str().starts_with(self.prefix())
    }

    /// This key and all that cover it, from the municipality up to the state, each once.
    pub fn covering(&self) -> Vec<Self> {
        let mut levels: Vec<Self> = Vec::with_capacity(ARS_LEVELS.len());
        for level in ARS_LEVELS.into_iter().rev() {
            let mut digits = self.0;
            digits[level..].fill(b'0');
            if levels.last().is_none_or(|last| last.0 != digits) {
                levels.push(Self(digits));
            }
        }
        levels
    }
}

/// What sort of thing an entry is. Kinds of a newer version are kept and passed on as `Unknown`, not shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One per organisation: names in use, districts, numbers dialled, greeting, local remarks, colours.
    Profile,
    /// What the administration does for people (Leistung).
    Service,
    /// A place or unit to go to (Organisationseinheit).
    Office,
    /// Which office does a service in which area (Zuständigkeit).
    Responsibility,
    /// A service on the web (Onlinedienst).
    OnlineService,
    /// A form to fill in.
    Form,
    /// A situation that needs several services (Lebenslage).
    LifeEvent,
    /// Something urgent with an area and an end.
    Notice,
    /// The contract between two organisations.
    Agreement,
    /// A partner's suggested change.
    Proposal,
    /// Contacts of one day.
    Journal,
    /// An agent's report that an entry is wrong, and the owner's answer to it (Rückmeldung).
    Feedback,
    /// A kind of a newer version.
    Unknown(String),
}

impl Kind {
    /// All kinds this version knows.
    pub const ALL: [Self; 12] = [
        Self::Profile,
        Self::Service,
        Self::Office,
        Self::Responsibility,
        Self::OnlineService,
        Self::Form,
        Self::LifeEvent,
        Self::Notice,
        Self::Agreement,
        Self::Proposal,
        Self::Journal,
        Self::Feedback,
    ];

    /// The name in JSON.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Profile => "profile",
            Self::Service => "service",
            Self::Office => "office",
            Self::Responsibility => "responsibility",
            Self::OnlineService => "online_service",
            Self::Form => "form",
            Self::LifeEvent => "life_event",
            Self::Notice => "notice",
            Self::Agreement => "agreement",
            Self::Proposal => "proposal",
            Self::Journal => "journal",
            Self::Feedback => "feedback",
            Self::Unknown(name) => name,
        }
    }

    /// Whether this version knows the kind.
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }
}

impl From<&str> for Kind {
    fn from(name: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).unwrap_or_else(|| Self::Unknown(name.to_owned()))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(String::deserialize(deserializer)?.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ars(text: &str) -> Ars {
        text.parse().unwrap()
    }

    #[test]
    fn an_ars_covers_what_lies_below_it() {
        let siegburg = ars("053820060060");
        for above in ["053820060060", "053820060000", "053820000000", "053000000000", "050000000000"] {
            assert!(ars(above).covers(&siegburg), "{above}");
        }
        for other in ["053620028028", "053820000000", "060000000000"] {
            assert!(!siegburg.covers(&ars(other)), "{other}");
        }
        assert!(!ars("053620000000").covers(&siegburg));
        // A city without a county district covers itself and what has its prefix.
        assert!(ars("053150000000").covers(&ars("053150000000")));
        // The administrative district may itself be 0 (Brandenburg): then three digits and two mean the same.
        assert!(ars("120000000000").covers(&ars("120620224224")));
        assert_eq!(ars("120620224224").covering().len(), 4);
        assert_eq!(siegburg.covering().first(), Some(&siegburg));
        assert_eq!(siegburg.covering().last(), Some(&ars("050000000000")));
    }

    #[test]
    fn keys_are_exactly_their_digits() {
        assert!("0538200600601".parse::<Ars>().is_err());
        assert!("05382006006".parse::<Ars>().is_err());
        assert!("05382006006a".parse::<Ars>().is_err());
        assert_eq!("99050012104000".parse::<Leika>().unwrap().to_string(), "99050012104000");
        assert_eq!(
            "990500121040".parse::<Leika>().unwrap_err().to_string(),
            "\"990500121040\" is not a LeiKa key (14 digits)"
        );
    }

    #[test]
    fn unknown_kinds_keep_their_name() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from(kind.as_str()), kind);
        }
        let kind: Kind = serde_json::from_str("\"kiosk\"").unwrap();
        assert_eq!(kind, Kind::Unknown("kiosk".into()));
        assert_eq!(serde_json::to_string(&kind).unwrap(), "\"kiosk\"");
    }
}
