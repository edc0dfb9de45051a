//! CommonMark as HTML that can do nothing: raw HTML is shown as text, pictures as their description, links only lead to
//! places a reader expects.

use maud::{Markup, PreEscaped};
use pulldown_cmark::{CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html};

/// Schemes a link may have; without a scheme it stays on this site.
const SCHEMES: [&str; 4] = ["https:", "http:", "mailto:", "tel:"];

/// The text as HTML. Headings begin two levels down, below the page's title and its section.
pub(crate) fn render(text: &str) -> Markup {
    let mut open_links = Vec::new();
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).filter_map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Some(Event::Text(raw)),
        Event::Start(Tag::HtmlBlock) => Some(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::HtmlBlock) => Some(Event::End(TagEnd::Paragraph)),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        Event::Start(Tag::Heading { level, .. }) => {
            let level = lowered(level);
            Some(Event::Start(Tag::Heading { level, id: None, classes: Vec::new(), attrs: Vec::new() }))
        }
        Event::End(TagEnd::Heading(level)) => Some(Event::End(TagEnd::Heading(lowered(level)))),
        Event::Start(Tag::Link { link_type, dest_url, .. }) => {
            let address = if link_type == LinkType::Email && !dest_url.starts_with("mailto:") {
                CowStr::from(format!("mailto:{dest_url}"))
            } else {
                dest_url
            };
            let kept = is_safe(&address);
            open_links.push(kept);
            let link_type = LinkType::Inline;
            kept.then(|| Event::Start(Tag::Link { link_type, dest_url: address, title: "".into(), id: "".into() }))
        }
        Event::End(TagEnd::Link) => open_links.pop().unwrap_or(false).then_some(Event::End(TagEnd::Link)),
        other => Some(other),
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    PreEscaped(out)
}

/// Whether a link to this address can be shown.
pub(crate) fn is_safe(address: &str) -> bool {
    let address = address.trim_start().to_ascii_lowercase();
    if address.chars().any(char::is_control) {
        return false;
    }
    let path = address.find(['/', '?', '#']).unwrap_or(address.len());
    match address.find(':') {
        Some(colon) if colon < path => SCHEMES.iter().any(|scheme| address.starts_with(scheme)),
        _ => !address.starts_with("//"),
    }
}

fn lowered(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        HeadingLevel::H4 | HeadingLevel::H5 | HeadingLevel::H6 => HeadingLevel::H6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(render(text).into_string().trim(), expected, "{text}");
    }

    #[test]
    fn lists_and_headings_stay() {
        check("- Ausweis\n- Foto", "<ul>\n<li>Ausweis</li>\n<li>Foto</li>\n</ul>");
        check("# Ablauf", "<h3>Ablauf</h3>");
    }

    #[test]
    fn raw_html_becomes_text() {
        check("a <b onclick=x>b</b>", "<p>a &lt;b onclick=x&gt;b&lt;/b&gt;</p>");
        let script = render("<script>alert(1)</script>\n\n<img src=x onerror=alert(1)>").into_string();
        assert!(!script.contains("<script") && !script.contains("<img"), "{script}");
        check("![Wappen](https://example.org/x.png)", "<p>Wappen</p>");
    }

    #[test]
    fn only_expected_schemes_are_linked() {
        check("[mehr](https://www.siegburg.de)", "<p><a href=\"https://www.siegburg.de\">mehr</a></p>");
        check(
            "<buergeramt@siegburg.de>",
            "<p><a href=\"mailto:buergeramt@siegburg.de\">buergeramt@siegburg.de</a></p>",
        );
        for bad in ["javascript:alert(1)", "JaVaScript:alert(1)", "data:text/html,x", "vbscript:x", "//evil.example"] {
            assert!(!is_safe(bad), "{bad}");
            check(&format!("[x]({bad})"), "<p>x</p>");
        }
        assert!(is_safe("/eintrag/1") && is_safe("#oben") && is_safe("tel:+4922411020"));
    }
}
