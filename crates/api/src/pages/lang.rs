//! The two languages of the pages.

use serde_json::Value;

/// German first, English with `?lang=en`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Lang {
    /// `de`
    #[default]
    De,
    /// `en`
    En,
}

impl Lang {
    /// From the query; German unless English was asked for.
    pub(crate) fn from_query(text: Option<&str>) -> Self {
        if text.is_some_and(|text| text.eq_ignore_ascii_case("en")) { Self::En } else { Self::De }
    }

    /// As in `lang` attributes and entries.
    pub(crate) fn code(self) -> &'static str {
        self.pick("de", "en")
    }

    /// The one of two texts in this language.
    pub(crate) fn pick<T>(self, de: T, en: T) -> T {
        match self {
            Self::De => de,
            Self::En => en,
        }
    }

    /// An address within the pages that keeps the language.
    pub(crate) fn link(self, path: &str) -> String {
        match (self, path.contains('?')) {
            (Self::De, _) => path.to_owned(),
            (Self::En, false) => format!("{path}?lang=en"),
            (Self::En, true) => format!("{path}&lang=en"),
        }
    }
}

/// The value in this language, or in German, English, any other; and which language that is.
pub(crate) fn in_language(texts: &Value, lang: Lang) -> Option<(&Value, &str)> {
    let texts = texts.as_object()?;
    [lang.code(), "de", "en"]
        .into_iter()
        .find_map(|code| texts.get_key_value(code))
        .or_else(|| texts.iter().next())
        .map(|(code, value)| (value, code.as_str()))
}

/// The text in this language or the fallback; empty if there is none.
pub(crate) fn text(texts: Option<&Value>, lang: Lang) -> &str {
    texts.and_then(|texts| in_language(texts, lang)).and_then(|(value, _)| value.as_str()).unwrap_or_default()
}

/// The list of strings in this language or the fallback.
pub(crate) fn words(texts: Option<&Value>, lang: Lang) -> Vec<&str> {
    let list = texts.and_then(|texts| in_language(texts, lang)).and_then(|(value, _)| value.as_array());
    list.map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

/// What a kind of entry is called.
pub(crate) fn kind(kind: &str, lang: Lang) -> &str {
    match kind {
        "service" => lang.pick("Leistung", "Service"),
        "office" => lang.pick("Dienststelle", "Office"),
        "responsibility" => lang.pick("Zuständigkeit", "Responsibility"),
        "online_service" => lang.pick("Onlinedienst", "Online service"),
        "form" => lang.pick("Formular", "Form"),
        "life_event" => lang.pick("Lebenslage", "Life event"),
        "notice" => lang.pick("Hinweis", "Notice"),
        "profile" => lang.pick("Über die Kommune", "About the town"),
        other => other,
    }
}

/// For the value of a query: everything but letters and digits is percent-encoded.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() { out.push(char::from(byte)) } else { out.push_str(&format!("%{byte:02X}")) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_missing_language_falls_back() {
        let texts = json!({"de": "Reisepass", "fr": "Passeport"});
        assert_eq!(text(Some(&texts), Lang::En), "Reisepass");
        assert_eq!(text(Some(&json!({"fr": "Passeport"})), Lang::De), "Passeport");
        assert_eq!(text(None, Lang::De), "");
        assert_eq!(words(Some(&json!({"de": ["a", "b"]})), Lang::De), ["a", "b"]);
    }

    #[test]
    fn links_keep_the_language() {
        assert_eq!(Lang::De.link("/netz"), "/netz");
        assert_eq!(Lang::En.link("/netz"), "/netz?lang=en");
        assert_eq!(Lang::En.link("/suche?q=a"), "/suche?q=a&lang=en");
    }
}
