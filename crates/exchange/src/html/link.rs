//! Where links may lead.

/// What is to be done with a link.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// This address, safe inside a CommonMark link.
    Allowed(String),
    /// There is no address.
    Nowhere,
    /// Why the address is not taken over.
    Refused(String),
}

/// Schemes that may be linked to.
const SCHEMES: [&str; 4] = ["http", "https", "mailto", "tel"];

/// Looks at the address of a link.
pub(crate) fn target(address: &str) -> Target {
    let address: String = address.chars().filter(|c| !super::is_invisible(*c) && !c.is_control()).collect();
    let address = address.trim();
    if address.is_empty() || address.starts_with('#') {
        return Target::Nowhere;
    }
    let Some((scheme, rest)) = address.split_once(':') else {
        return Target::Refused("relative address".into());
    };
    let scheme = scheme.to_ascii_lowercase();
    if !SCHEMES.contains(&scheme.as_str()) {
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        let why = if is_scheme {
            format!("{}:", scheme.chars().take(20).collect::<String>())
        } else {
            "relative address".into()
        };
        return Target::Refused(why);
    }
    let has_host = rest.strip_prefix("//").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    if scheme.starts_with("http") && !has_host {
        return Target::Refused("no host".into());
    }
    if rest.is_empty() {
        return Target::Refused("empty address".into());
    }
    Target::Allowed(format!("{scheme}:{}", encode(rest)))
}

/// Writes what would end or change a link in CommonMark as percent codes; the address stays the same.
fn encode(rest: &str) -> String {
    let mut out = String::with_capacity(rest.len());
    for (at, c) in rest.char_indices() {
        match c {
            ' ' => out.push_str("%20"),
            c if c.is_whitespace() => {}
            '(' => out.push_str("%28"),
            ')' => out.push_str("%29"),
            '<' => out.push_str("%3C"),
            '>' => out.push_str("%3E"),
            '"' => out.push_str("%22"),
            '\\' => out.push_str("%5C"),
            '`' => out.push_str("%60"),
            ';' if is_entity(&rest[..at]) => out.push_str("%3B"),
            c => out.push(c),
        }
    }
    out
}

/// Whether `&name` or `&#1` stands at the end, so that a semicolon would make it a character.
fn is_entity(before: &str) -> bool {
    let name = before.rsplit('&').next().unwrap_or_default();
    name.len() < before.len() && !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_four_schemes_are_links() {
        let allowed = |address: &str| matches!(target(address), Target::Allowed(_));
        for address in ["https://a.de/b?c=1#d", "http://a.de", "mailto:a@b.de", "tel:+49-89-115", " HTTPS://a.de "] {
            assert!(allowed(address), "{address}");
        }
        for address in [
            "javascript:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,x",
            "/a/b",
            "a.html",
            "http:",
            "https:///x",
            "mailto:",
            "//a.de",
        ] {
            assert!(!allowed(address), "{address}");
        }
        assert_eq!(target("#top"), Target::Nowhere);
    }

    #[test]
    fn an_address_cannot_leave_its_link() {
        assert_eq!(target("https://a.de/(b) <c>"), Target::Allowed("https://a.de/%28b%29%20%3Cc%3E".into()));
        assert_eq!(target("https://a.de/?a=1&copy;2;3"), Target::Allowed("https://a.de/?a=1&copy%3B2;3".into()));
    }
}
