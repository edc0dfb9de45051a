use proptest::prelude::*;
use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use super::to_commonmark;
use super::walk::Blocks;

/// What a reader of the CommonMark sees, in words, and whether only what we write occurs.
fn seen(markdown: &str) -> String {
    let mut text = String::new();
    for event in Parser::new(markdown) {
        match event {
            Event::Text(part) => text.push_str(&part),
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            Event::End(TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item) => text.push(' '),
            Event::Start(Tag::Item) => text.push(' '),
            Event::Start(Tag::Link { dest_url, .. }) => {
                let scheme = dest_url.split(':').next().unwrap_or_default();
                assert!(["http", "https", "mailto", "tel"].contains(&scheme), "{dest_url}");
            }
            Event::Start(Tag::Paragraph | Tag::Heading { .. } | Tag::List(_) | Tag::Strong | Tag::Emphasis)
            | Event::End(TagEnd::List(_) | TagEnd::Strong | TagEnd::Emphasis | TagEnd::Link) => {}
            other => panic!("{other:?} in {markdown:?}"),
        }
    }
    words(&text)
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn check(html: &str) {
    let blocks = Blocks::parse(html);
    let markdown = blocks.to_commonmark();
    assert_eq!(seen(&markdown), words(&blocks.lines().join(" ")), "{html:?} -> {markdown:?}");
}

#[test]
fn blocks_and_styles() {
    let cases = [
        ("<p>Ein <strong>fetter</strong> Satz.</p>\n<p>Noch einer.</p>", "Ein **fetter** Satz.\n\nNoch einer."),
        ("a<br>b<br><br>c", "a\\\nb\n\nc"),
        ("<ul>\n <li>eins</li>\n <li><p>zwei</p><p>drei</p></li></ul>Ende", "- eins\n- zwei\\\n  drei\n\nEnde"),
        ("<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>", "1. a\n   - b\n2. c"),
        ("<h2>Titel</h2>Text", "## Titel\n\nText"),
        ("<a href='https://a.de/x'>hier <b>klicken</b> </a>bitte", "[hier **klicken**](https://a.de/x) bitte"),
        ("<b>Gebühr: </b>5 Euro", "**Gebühr:** 5 Euro"),
        ("<b>Gebühr:</b>5 Euro", "**Gebühr**:5 Euro"),
        ("Schüler*innen und Lehrer*innen", "Schüler\\*innen und Lehrer\\*innen"),
        ("1. Mai", "1\\. Mai"),
        ("Hallo!<a href='https://a.de'>da</a>", "Hallo\\![da](https://a.de)"),
        ("A &amp; B &lt;script&gt;", "A & B \\<script>"),
        ("<table><tr><td>Text</td></tr></table>", "Text"),
        ("null\u{200b}breit\u{ad}e", "nullbreite"),
        ("  ", ""),
    ];
    for (html, expected) in cases {
        let converted = to_commonmark(html);
        assert_eq!(converted.text, expected, "{html}");
        assert!(converted.dropped.is_empty(), "{html}: {:?}", converted.dropped);
        check(html);
    }
}

#[test]
fn what_is_not_allowed_is_dropped_and_named() {
    let cases = [
        ("a<script>alert(1)</script>b", "ab", "element <script>"),
        ("<p onclick='x()'>a</p>", "a", "attribute onclick"),
        ("<iframe src='https://a.de'></iframe>a", "a", "element <iframe>"),
        ("<a href='javascript:alert(1)'>a</a>", "a", "link (javascript:)"),
        ("<a href='/b'>a</a>", "a", "link (relative address)"),
        ("<blink>a</blink>", "a", "element <blink>"),
        ("<style>p{}</style>a", "a", "element <style>"),
        ("<img src=x onerror=alert(1)>a", "a", "element <img>"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a | b", "columns of a table"),
    ];
    for (html, expected, dropped) in cases {
        let converted = to_commonmark(html);
        assert_eq!(converted.text, expected, "{html}");
        assert!(converted.dropped.contains(&dropped.to_owned()), "{html}: {:?}", converted.dropped);
    }
}

#[test]
fn deep_nesting_is_cut_without_harm() {
    let deep = "<div>".repeat(5_000) + "tief" + &"</div>".repeat(5_000);
    let converted = to_commonmark(&format!("oben{deep}"));
    assert_eq!(converted.text, "oben");
    assert_eq!(converted.dropped.len(), 1);
    check(&"<ul><li>a".repeat(40));
}

#[test]
fn a_nested_list_that_begins_late_stays_a_list() {
    check("a<ol><ol><strong><x-y>-<p><td><li>1.</ul><span></span></p><li></h3></x-y>€<svg>");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn any_text_is_shown_as_it_is(text in "[ a-c\\n*_`\\[\\]()!#>+=|:.~&;\\\\<0-9-]{0,40}") {
        let html = text.replace('&', "&amp;").replace('<', "&lt;");
        check(&html);
    }

    #[test]
    fn any_html_keeps_its_words(parts in proptest::collection::vec(part(), 0..24)) {
        check(&parts.concat());
    }

    #[test]
    fn anything_is_read(text in any::<String>()) {
        check(&text);
    }
}

fn part() -> impl Strategy<Value = String> {
    let tags = [
        "p",
        "b",
        "i",
        "strong",
        "em",
        "ul",
        "ol",
        "li",
        "h3",
        "a href='https://a.de/(x)'",
        "a href='javascript:x'",
        "div",
        "table",
        "tr",
        "td",
        "script",
        "span",
        "x-y",
        "pre",
        "svg",
        "template",
        "textarea",
    ];
    prop_oneof![
        proptest::sample::select(tags.to_vec()).prop_map(|tag| format!("<{tag}>")),
        proptest::sample::select(tags.to_vec())
            .prop_map(|tag| format!("</{}>", tag.split(' ').next().unwrap_or_default())),
        proptest::sample::select(vec![
            "<br>", " ", "\n\n", "a", "b.", "(c)", "!", "1.", "-", "*", "_", "#", "&amp;", "„x“", "€"
        ])
        .prop_map(str::to_owned),
    ]
}
