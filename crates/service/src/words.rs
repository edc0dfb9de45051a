//! Which language a text is told in.

use serde_json::Value;

/// German in Leichte Sprache, by its own rules and by its own people: a language of its own, not a style of German.
pub const LANGUAGE_EASY: &str = "de-x-leicht";

/// The value of a map of languages in the language asked for, with the language it really is in.
///
/// Falls back to the same language without its additions (`en-GB` to `en`, `de-x-leicht` to `de`), then to German, English,
/// any other; to Leichte Sprache only where there is nothing else.
pub fn spoken<'a>(by_language: &'a Value, language: &str) -> Option<(&'a str, &'a Value)> {
    let by_language = by_language.as_object()?;
    let base = language.split('-').next().unwrap_or(language);
    let named = [language, base, "de", "en"].into_iter().find_map(|language| by_language.get_key_value(language));
    let any =
        || by_language.iter().find(|(language, _)| *language != LANGUAGE_EASY).or_else(|| by_language.iter().next());
    named.or_else(any).map(|(language, value)| (language.as_str(), value))
}

/// As [`spoken`], for a text; empty texts do not count.
pub fn spoken_text<'a>(by_language: &'a Value, language: &str) -> Option<(&'a str, &'a str)> {
    let (spoken, value) = spoken(by_language, language)?;
    value.as_str().filter(|text| !text.trim().is_empty()).map(|text| (spoken, text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn languages_fall_back_step_by_step() {
        let texts = json!({"de": "Ausweis", "de-x-leicht": "Aus-Weis", "en": "ID card", "tr": "kimlik"});
        for (asked, told) in [
            ("de", ("de", "Ausweis")),
            ("de-x-leicht", ("de-x-leicht", "Aus-Weis")),
            ("en-GB", ("en", "ID card")),
            ("tr", ("tr", "kimlik")),
            ("fr", ("de", "Ausweis")),
        ] {
            assert_eq!(spoken_text(&texts, asked), Some(told), "{asked}");
        }
        assert_eq!(spoken_text(&json!({"de": "Ausweis"}), LANGUAGE_EASY), Some(("de", "Ausweis")));
        assert_eq!(spoken_text(&json!({"de-x-leicht": "Aus-Weis", "tr": "kimlik"}), "fr"), Some(("tr", "kimlik")));
        assert_eq!(spoken_text(&json!({"de-x-leicht": "Aus-Weis"}), "fr"), Some(("de-x-leicht", "Aus-Weis")));
        assert_eq!(spoken_text(&json!({"de": " "}), "de"), None);
        assert_eq!(spoken_text(&json!({}), "de"), None);
    }
}
