//! One answer from the texts of several owners: each says what is his, the most local one wins part by part.

use ortsnetz_model::Entry;
use ortsnetz_model::schema::TEXT_NAMES;
use serde_json::Value;

use crate::places::Level;
use crate::words::spoken_text;

/// A service as one organisation describes it.
#[derive(Clone, Debug)]
pub struct Layer<'a> {
    /// The entry, with its companions.
    pub entry: &'a Entry,
    /// How local it is.
    pub level: Level,
}

/// Something an answer says, and whose word it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Part<T> {
    /// Number of the layer it is taken from.
    pub layer: usize,
    /// What.
    pub value: T,
}

/// A text in the language it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Which of the texts: `summary`, `required_documents`.
    pub name: String,
    /// Its language.
    pub language: String,
    /// CommonMark.
    pub text: String,
}

/// What the layers say together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Composed {
    /// The title, with its language.
    pub title: Option<Part<(String, String)>>,
    /// The short answer: the summary or teaser, most local first.
    pub short: Option<Part<Told>>,
    /// All other texts, in the order of [`TEXT_NAMES`], those of other names behind.
    pub texts: Vec<Part<Told>>,
    /// Fields as they stand in the entry that says them: `fees`, `deadlines`, `processing_time`, `online_services`, `offices`.
    pub fields: Vec<(&'static str, Part<Value>)>,
}

impl Composed {
    /// A field of the answer.
    pub fn field(&self, name: &str) -> Option<&Part<Value>> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, part)| part)
    }
}

/// Fields that one owner decides as a whole: half of one town's fees beside half of the state's would be nobody's word.
const FIELDS: [&str; 5] = ["fees", "deadlines", "processing_time", "online_services", "offices"];
/// Texts that answer in one or two sentences, the best first.
const SHORT: [&str; 2] = ["summary", "teaser"];

/// Composes the layers, the most local of which come first, in a language. A part is the word of the first layer that has
/// it, in the language asked for or the one it falls back to: a town's own fee in German is right where the state's in
/// English is not.
pub fn compose(layers: &[Layer<'_>], language: &str) -> Composed {
    let first = |told: &dyn Fn(&Entry) -> Option<(String, String)>| {
        layers.iter().enumerate().find_map(|(layer, of)| told(of.entry).map(|value| Part { layer, value }))
    };
    let owned = |(language, text): (&str, &str)| (language.to_owned(), text.to_owned());
    let title = first(&|entry| spoken_text(entry.get("title")?, language).map(owned));
    let text = |name: &str| {
        first(&|entry| spoken_text(entry.get("texts")?.get(name)?, language).map(owned)).map(|part| Part {
            layer: part.layer,
            value: Told { name: name.to_owned(), language: part.value.0, text: part.value.1 },
        })
    };
    let short = SHORT.into_iter().filter_map(text).min_by_key(|part| part.layer);
    let said = short.as_ref().map(|part| part.value.name.clone());
    let texts = names(layers).into_iter().filter(|name| Some(name) != said.as_ref()).filter_map(|name| text(&name));
    let field = |name: &'static str| {
        let has = |layer: &Layer<'_>| layer.entry.get(name).cloned();
        let (layer, value) = layers.iter().enumerate().find_map(|(number, layer)| Some((number, has(layer)?)))?;
        Some((name, Part { layer, value }))
    };
    Composed { title, texts: texts.collect(), short, fields: FIELDS.into_iter().filter_map(field).collect() }
}

/// The names of all texts, each once.
fn names(layers: &[Layer<'_>]) -> Vec<String> {
    let mut names: Vec<String> = TEXT_NAMES.into_iter().map(str::to_owned).collect();
    let texts = layers.iter().filter_map(|layer| layer.entry.get("texts")?.as_object());
    for name in texts.flat_map(|texts| texts.keys()) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(fields: Value) -> Entry {
        let mut value = json!({"kind": "service"});
        value.as_object_mut().expect("an object").extend(fields.as_object().cloned().expect("an object"));
        Entry::from_json(value).expect("an entry")
    }

    fn composed(layers: &[(Level, &Entry)], language: &str) -> Composed {
        let layers: Vec<Layer<'_>> = layers.iter().map(|(level, entry)| Layer { entry, level: *level }).collect();
        compose(&layers, language)
    }

    #[test]
    fn the_most_local_word_wins_part_by_part() {
        let town = service(json!({"title": {"de": "Hund anmelden"}, "fees": [{"kind": "fixed", "amount": 9600}],
            "texts": {"notes": {"de": "Marke nicht vergessen"}, "summary": {"de": " "}}}));
        let state = service(json!({"title": {"de": "Hundesteuer", "en": "Dog tax"}, "fees": [{"kind": "variable"}],
            "texts": {"summary": {"de": "Wer einen Hund hält, zahlt Steuer."}, "legal_basis": {"de": "KAG"}, "local": {"de": "x"}}}));
        let answer = composed(&[(Level::Municipality, &town), (Level::State, &state)], "de");
        assert_eq!(answer.title, Some(Part { layer: 0, value: ("de".into(), "Hund anmelden".into()) }));
        assert_eq!(answer.short.as_ref().map(|part| part.layer), Some(1), "an empty text says nothing");
        assert_eq!(answer.field("fees").map(|part| (part.layer, &part.value[0]["amount"])), Some((0, &json!(9600))));
        let told: Vec<(usize, &str)> = answer.texts.iter().map(|part| (part.layer, part.value.name.as_str())).collect();
        assert_eq!(told, [(1, "legal_basis"), (0, "notes"), (1, "local")]);
        assert_eq!(answer.field("deadlines"), None);
    }

    #[test]
    fn the_owner_comes_before_the_language() {
        let town = service(json!({"title": {"de": "Hund anmelden"}, "texts": {"teaser": {"de": "Bei uns 96 Euro."}}}));
        let state = service(json!({"title": {"en": "Dog tax"}, "texts": {"summary": {"en": "Fees vary."}}}));
        let answer = composed(&[(Level::Municipality, &town), (Level::State, &state)], "en");
        let short = answer.short.expect("a short answer");
        assert_eq!((short.layer, short.value.language.as_str()), (0, "de"), "and says which language it is in");
        assert_eq!(answer.texts.len(), 1, "the state's summary stands among the texts");
    }

    #[test]
    fn nothing_is_composed_of_nothing() {
        assert_eq!(compose(&[], "de"), Composed::default());
    }
}
