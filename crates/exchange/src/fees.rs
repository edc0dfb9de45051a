//! Fee texts to structured fees, where the text leaves no doubt.
//!
//! Line by line: what is an amount with a label and nothing else becomes a fee; every other line stays as text, with a
//! finding if it speaks of money.

use serde_json::{Map, Value};

use crate::html::Blocks;

/// Fees in order, as JSON, and what is doubtful: index of the fee and message.
pub(crate) struct Fees {
    pub(crate) fees: Vec<Value>,
    pub(crate) doubts: Vec<(usize, String)>,
}

/// What a line says for certain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fee {
    kind: &'static str,
    amount: Option<u64>,
    max_amount: Option<u64>,
    note: String,
}

/// Reads the fee text of a service; `language` is that of the notes.
pub(crate) fn read(text: &Blocks, language: &str) -> Fees {
    let mut result = Fees { fees: Vec::new(), doubts: Vec::new() };
    let mut kept = Kept::default();
    let mut heading: Option<String> = None;
    for block in &text.blocks {
        for (line, strong) in block.lines() {
            let line = line.trim();
            match fees(line) {
                // What is added to something else is not the price, whatever it says.
                Some(_) if heading.as_deref().is_some_and(is_additive) => kept.push(line),
                Some(found) => {
                    // The heading goes into the notes of what it heads, unless text stands between.
                    if kept.lines.last().map(String::as_str) == heading.as_deref() {
                        kept.lines.pop();
                    }
                    kept.flush(&mut result, language);
                    for mut fee in found {
                        if let Some(heading) = &heading {
                            fee.note = join(heading.trim_end_matches(':'), &fee.note);
                        }
                        result.fees.push(fee.json(language));
                    }
                }
                None => {
                    kept.push(line);
                    heading = is_heading(line, strong).then(|| line.to_owned());
                }
            }
        }
    }
    // Where no amount was found at all, somebody should look for one.
    kept.doubtful |= result.fees.is_empty();
    kept.flush(&mut result, language);
    result
}

/// Lines that stay text until a fee follows.
#[derive(Default)]
struct Kept {
    lines: Vec<String>,
    doubtful: bool,
}

impl Kept {
    fn push(&mut self, line: &str) {
        self.doubtful |= speaks_of_money(line);
        self.lines.push(line.to_owned());
    }

    fn flush(&mut self, result: &mut Fees, language: &str) {
        let Self { lines, doubtful } = std::mem::take(self);
        if lines.is_empty() {
            return;
        }
        if doubtful {
            let text = crate::finish::short(&lines.join(" "));
            result.doubts.push((result.fees.len(), format!("no certain amount, kept as text: {text}")));
        }
        result.fees.push(Fee { note: lines.join("\n"), ..Fee::default() }.json(language));
    }
}

impl Fee {
    fn json(self, language: &str) -> Value {
        let mut fee = Map::new();
        if !self.kind.is_empty() {
            fee.insert("kind".into(), self.kind.into());
        }
        for (name, cents) in [("amount", self.amount), ("max_amount", self.max_amount)] {
            if let Some(cents) = cents {
                fee.insert(name.into(), cents.into());
                fee.insert("currency".into(), "EUR".into());
            }
        }
        if !self.note.is_empty() {
            fee.insert("note".into(), serde_json::json!({language: self.note}));
        }
        Value::Object(fee)
    }
}

fn join(first: &str, second: &str) -> String {
    if second.is_empty() { first.into() } else { format!("{first}: {second}") }
}

/// Words after which an amount is not the whole price.
const ADDITIVE: [&str; 9] = [
    "zusätzlich",
    "zuzüglich",
    "plus",
    "aufpreis",
    "aufschlag",
    "reduzierung",
    "ermäßigung",
    "dazu kommen",
    "verringert",
];
/// Words that make the amount after them something else than the price.
const VAGUE_END: [&str; 18] = [
    "ab",
    "bis",
    "von",
    "zwischen",
    "etwa",
    "circa",
    "ca",
    "ca.",
    "rund",
    "über",
    "unter",
    "mindestens",
    "höchstens",
    "maximal",
    "und",
    "oder",
    "regel",
    "grundsätzlich",
];
/// Whole lines that mean: nothing to pay.
const FREE: [&str; 10] = [
    "gebührenfrei",
    "kostenfrei",
    "kostenlos",
    "keine",
    "keine gebühr",
    "keine gebühren",
    "keine kosten",
    "es fallen keine gebühren an",
    "es fallen keine kosten an",
    "es entstehen keine kosten",
];

fn is_additive(text: &str) -> bool {
    let text = text.to_lowercase();
    ADDITIVE.iter().any(|word| text.contains(word))
}

fn is_heading(line: &str, strong: bool) -> bool {
    let short = line.chars().count() <= 120;
    short
        && !line.contains(|c: char| c.is_ascii_digit())
        && (line.ends_with(':') || (strong && !line.ends_with(['.', '!'])))
}

fn speaks_of_money(line: &str) -> bool {
    let lower = line.to_lowercase();
    let words = ["frei", "kostenlos", "prozent", "keine gebühr"];
    speaks_of_amount(line) || words.iter().any(|word| lower.contains(word))
}

/// The fees in a line; several if it names amounts for several groups: `46 Euro (ab 24) oder 27 Euro (bis 24)`.
fn fees(line: &str) -> Option<Vec<Fee>> {
    if let Some(fee) = fee(line) {
        return Some(vec![fee]);
    }
    let (label, rest) = line.rsplit_once(": ").map_or(("", line), |(label, rest)| (label.trim(), rest.trim()));
    let separator = [" oder ", "; "].into_iter().find(|separator| rest.contains(separator))?;
    let part = |part: &str| {
        // Without its own remark nobody could tell the groups apart.
        let found = fee(part).filter(|found| part.contains('(') && !found.note.is_empty())?;
        let certain = label.is_empty() || fee(&format!("{label}: {part}")).is_some();
        certain.then(|| Fee {
            note: if label.is_empty() { found.note.clone() } else { format!("{label} ({})", found.note) },
            ..found
        })
    };
    rest.split(separator).map(part).collect()
}

/// The fee in a line that is nothing but a label and an amount.
fn fee(line: &str) -> Option<Fee> {
    let line = line.trim().trim_end_matches(['.', ';', ',']);
    if let Some(fee) = statement(line) {
        return Some(fee);
    }
    // The label may hold colons itself, the amount does not.
    let (label, rest) = line.rsplit_once(':').map_or(("", line), |(label, rest)| (label.trim(), rest.trim()));
    if label.is_empty() {
        return amount(rest);
    }
    if is_free(label) && !speaks_of_amount(rest) && !rest.is_empty() {
        return Some(Fee { kind: "free", note: rest.into(), ..Fee::default() });
    }
    let last = label.split_whitespace().next_back().unwrap_or_default().to_lowercase();
    if VAGUE_END.contains(&last.as_str()) || is_additive(label) || speaks_of_amount(label) {
        return None;
    }
    let found = amount(rest)?;
    let note = match (found.note.as_str(), found.note.starts_with("pro ") || found.note.starts_with("je ")) {
        ("", _) => label.to_owned(),
        (note, true) => format!("{label}, {note}"),
        (note, false) => format!("{label} ({note})"),
    };
    Some(Fee { note, ..found })
}

/// A sentence that says: this costs nothing.
fn statement(line: &str) -> Option<Fee> {
    if is_free(line) {
        return Some(Fee { kind: "free", ..Fee::default() });
    }
    let subject = ["gebührenfrei", "kostenlos", "kostenfrei"]
        .iter()
        .find_map(|word| line.strip_suffix(word)?.strip_suffix(" ist "))?;
    let simple = !subject.contains([',', '.', ':', '(']) && !subject.contains(" und ") && !subject.contains(" wenn ");
    simple.then(|| Fee { kind: "free", note: format!("{line}."), ..Fee::default() })
}

fn is_free(text: &str) -> bool {
    FREE.contains(&text.trim().trim_end_matches('.').to_lowercase().as_str())
}

fn speaks_of_amount(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("euro") || text.contains('€') || text.split_whitespace().any(|word| word == "eur")
}

/// `12 Euro`, `50 bis 60 Euro`, `zwischen 5 und 7,50 Euro`, `ab 12 Euro`, `bis 12 Euro`, then perhaps a remark in
/// brackets or `pro Person`; nothing else.
fn amount(text: &str) -> Option<Fee> {
    let (text, bracket) = match text.strip_suffix(')').and_then(|text| text.split_once('(')) {
        Some((before, bracket)) if !bracket.contains(['(', ')']) => (before.trim(), bracket.trim()),
        Some(_) => return None,
        None => (text.trim(), ""),
    };
    if speaks_of_amount(bracket) || is_additive(bracket) {
        return None;
    }
    let (text, each) = match [" pro ", " je "].iter().find_map(|word| text.find(word)) {
        Some(at) => (&text[..at], text[at..].trim()),
        None => (text, ""),
    };
    let simple = |c: char| c.is_alphabetic() || c == ' ';
    if !each.chars().all(simple) || each.split(' ').count() > 4 || (!each.is_empty() && !bracket.is_empty()) {
        return None;
    }
    let note = format!("{each}{bracket}");
    if is_free(text) {
        return Some(Fee { kind: "free", note, ..Fee::default() });
    }
    let lower = text.to_lowercase();
    let euro = strip_unit(&lower)?;
    let fee = |kind, amount, max_amount| Some(Fee { kind, amount, max_amount, note });
    if let Some(cents) = money(euro) {
        return fee("fixed", Some(cents), None);
    }
    if let Some(cents) = euro.strip_prefix("ab ").and_then(money) {
        return fee("variable", Some(cents), None);
    }
    if let Some(cents) = euro.strip_prefix("bis zu ").or_else(|| euro.strip_prefix("bis ")).and_then(money) {
        return fee("variable", None, Some(cents));
    }
    let (from, to) = match euro.strip_prefix("zwischen ") {
        Some(range) => range.split_once(" und ")?,
        None => [" bis ", " - ", " – ", "-", "–"].iter().find_map(|word| euro.split_once(word))?,
    };
    let from = money(strip_unit(from).unwrap_or(from))?;
    let to = money(to)?;
    (from < to).then(|| fee("range", Some(from), Some(to)))?
}

fn strip_unit(text: &str) -> Option<&str> {
    ["euro", "eur", "€"].iter().find_map(|unit| text.trim().strip_suffix(unit)).map(str::trim)
}

/// Cents of `28`, `28,80`, `28,8`, `1.200,00`, `50,-`.
pub(crate) fn money(text: &str) -> Option<u64> {
    let text = text.trim();
    let (whole, cents) = text.split_once(',').unwrap_or((text, ""));
    let cents = match cents.trim_matches(['-', '–']) {
        "" => 0,
        digits if digits.len() == 1 => digits.parse::<u64>().ok()? * 10,
        digits if digits.len() == 2 => digits.parse().ok()?,
        _ => return None,
    };
    let groups: Vec<&str> = whole.split('.').collect();
    let well_formed = groups.iter().enumerate().all(|(n, group)| {
        let length = if groups.len() == 1 {
            1..=9
        } else if n == 0 {
            1..=3
        } else {
            3..=3
        };
        length.contains(&group.len()) && group.bytes().all(|digit| digit.is_ascii_digit())
    });
    let euro: u64 = if well_formed && groups.len() <= 4 { groups.concat().parse().ok()? } else { return None };
    euro.checked_mul(100)?.checked_add(cents)
}

#[cfg(test)]
mod tests;
