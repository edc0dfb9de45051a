//! What must never stand in a text that goes to a partner: how to reach a citizen, and where his money lies.

use std::fmt;

/// Fewest digits of a telephone number, with its area code.
const TELEPHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// Characters of an IBAN.
const IBAN_CHARS: std::ops::RangeInclusive<usize> = 15..=34;

/// What a text holds that belongs to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Personal {
    /// A telephone number.
    Telephone,
    /// A mail address.
    Mail,
    /// An account number.
    Iban,
}

impl fmt::Display for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Telephone => "a telephone number",
            Self::Mail => "a mail address",
            Self::Iban => "an account number (IBAN)",
        })
    }
}

/// The first thing in a text that looks as if it belonged to a person; `None` if nothing does. Dates, amounts, LeiKa keys and
/// postal codes do not.
pub fn personal(text: &str) -> Option<Personal> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.iter().any(|word| is_mail(word)) {
        return Some(Personal::Mail);
    }
    if (0..words.len()).any(|from| is_iban(&words[from..])) {
        return Some(Personal::Iban);
    }
    has_telephone(text).then_some(Personal::Telephone)
}

fn is_mail(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    word.split_once('@').is_some_and(|(name, host)| {
        let dot = host.rfind('.');
        !name.is_empty() && dot.is_some_and(|dot| dot > 0 && dot + 2 < host.len())
    })
}

/// Whether the text that begins with these words is an IBAN, in one piece or in groups: two letters, two digits, and the check
/// digits are right.
fn is_iban(words: &[&str]) -> bool {
    let mut found = String::new();
    for word in words {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if word.is_empty() || !word.chars().all(|c| c.is_ascii_alphanumeric()) {
            break;
        }
        found.push_str(&word.to_ascii_uppercase());
        if found.len() > *IBAN_CHARS.end() {
            break;
        }
        let begins = found.bytes().zip(0..4).all(|(byte, at)| match at {
            0 | 1 => byte.is_ascii_uppercase(),
            _ => byte.is_ascii_digit(),
        });
        if begins && IBAN_CHARS.contains(&found.len()) && checks(&found) {
            return true;
        }
    }
    false
}

/// ISO 7064: the number made of the account and then the country leaves 1 when divided by 97.
fn checks(iban: &str) -> bool {
    let (head, account) = iban.split_at(4);
    let rest = account.chars().chain(head.chars()).fold(0_u32, |rest, c| match c.to_digit(36) {
        Some(digit) if digit < 10 => (rest * 10 + digit) % 97,
        Some(letter) => (rest * 100 + letter) % 97,
        None => rest,
    });
    rest == 1
}

/// Whether there is a run of digits, with what people write between them, that begins like a number to dial.
fn has_telephone(text: &str) -> bool {
    let text = without_dates(text);
    let chars: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        let begins = chars[at] == '+' || chars[at] == '0' || chars[at] == '(';
        let inside = at > 0 && (chars[at - 1].is_alphanumeric() || matches!(chars[at - 1], '.' | ','));
        if !begins || inside {
            at += 1;
            continue;
        }
        let mut end = at;
        let mut digits = String::new();
        while end < chars.len()
            && (chars[end].is_ascii_digit() || matches!(chars[end], '+' | ' ' | '/' | '-' | '(' | ')'))
        {
            digits.extend(chars[end].is_ascii_digit().then_some(chars[end]));
            end += 1;
        }
        let dialled = chars[at] == '+' || digits.starts_with('0');
        if dialled && TELEPHONE_DIGITS.contains(&digits.len()) {
            return true;
        }
        at = end.max(at + 1);
    }
    false
}

/// The text with dates and times of day blanked out: `01.12.2026`, `2026-12-01`, `08:00`.
fn without_dates(text: &str) -> String {
    let blank = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_digit());
        let parts = |separator: char| bare.split(separator).map(str::len).collect::<Vec<_>>();
        let numbers = bare.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | ':'));
        let date =
            matches!(parts('.').as_slice(), [1..=2, 1..=2, 0 | 2 | 4]) || matches!(parts('-').as_slice(), [4, 2, 2]);
        numbers && (date || bare.contains(':') || matches!(parts('.').as_slice(), [1..=2, 1..=2]))
    };
    let words = text.split(' ').map(|word| if blank(word) { "x" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_person_is_found() {
        for (text, found) in [
            ("Bitte rufen Sie 02241 102-0 zurück", Personal::Telephone),
            ("erreichbar unter +49 2241/1020", Personal::Telephone),
            ("(0228) 77 12 34", Personal::Telephone),
            ("Handy:0151 23456789", Personal::Telephone),
            ("Tel.: 01511234567", Personal::Telephone),
            ("schreibt an erika.mustermann@example.org.", Personal::Mail),
            ("<erika@example.org>", Personal::Mail),
            ("Konto DE89 3704 0044 0532 0130 00", Personal::Iban),
            ("Konto de89370400440532013000, bitte", Personal::Iban),
            ("GB82 WEST 1234 5698 7654 32", Personal::Iban),
        ] {
            assert_eq!(personal(text), Some(found), "{text}");
        }
    }

    #[test]
    fn what_every_entry_says_is_not_taken_for_it() {
        for text in [
            "Die Gebühr ist seit dem 01.10.2026 28,00 EUR, nicht 26,00 EUR.",
            "Seit 2026-10-01 gilt § 5 Abs. 2; Schlüssel 99036012011000 fehlt.",
            "Das Amt hat mo 08:00-12:00 und 14:00-18:00 geöffnet.",
            "53721 Siegburg, Nogenter Platz 10, Zimmer 012",
            "Es sind 10.000.000 EUR, und 0,50 EUR je Seite.",
            "Wer @ im Namen hat; a@b; DE12 ist kein Konto",
            "DE00 3704 1044 1532 1130 10",
            "",
        ] {
            assert_eq!(personal(text), None, "{text}");
        }
    }
}
