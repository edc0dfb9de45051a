//! Long texts: CommonMark outside, blocks inside.
//!
//! A block is a paragraph, a heading, one item of a list with all it contains, or anything else that stands alone (code,
//! table, quote, rule). Joining blocks and splitting again gives the same blocks; a text for which that does not hold is
//! one block as a whole.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag};

mod item;

/// The canonical form of a text: what joining its blocks gives. Empty if it is blank.
pub(crate) fn normalise(text: &str) -> String {
    let text = tidy(text);
    match stable(&text) {
        Some((_, joined)) => joined,
        None => text,
    }
}

/// The blocks of a text in canonical form.
pub(crate) fn split(text: &str) -> Vec<String> {
    let text = tidy(text);
    match stable(&text) {
        Some((blocks, _)) => blocks,
        None if text.is_empty() => Vec::new(),
        None => vec![text],
    }
}

/// The words of a text on one line, without marks: for places that show plain text.
pub fn one_line(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Text(text) | Event::Code(text) => words.push_str(&text),
            Event::SoftBreak | Event::HardBreak | Event::End(pulldown_cmark::TagEnd::TableCell) => words.push(' '),
            Event::End(end) if !is_inline(end) => words.push(' '),
            _ => {}
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_inline(end: pulldown_cmark::TagEnd) -> bool {
    use pulldown_cmark::TagEnd as End;
    matches!(end, End::Emphasis | End::Strong | End::Strikethrough | End::Link | End::Image)
}

/// Joins blocks to a text: items of one list line by line and numbered on, everything else with an empty line between.
pub(crate) fn join<'a>(blocks: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    let mut list: Option<item::Marker> = None;
    for block in blocks {
        let marker = item::marker(block);
        let continues = match (&list, &marker) {
            (Some(list), Some(marker)) => list.same_list(marker),
            _ => false,
        };
        if !text.is_empty() {
            text.push_str(if continues { "\n" } else { "\n\n" });
        }
        list = match (list, marker) {
            (Some(before), Some(_)) if continues => {
                let marker = before.next();
                item::write_as(block, &marker, &mut text);
                Some(marker)
            }
            (_, marker) => {
                text.push_str(block);
                marker
            }
        };
    }
    text
}

fn stable(text: &str) -> Option<(Vec<String>, String)> {
    let blocks = parse(text);
    let joined = join(blocks.iter().map(String::as_str));
    if joined == text {
        return Some((blocks, joined));
    }
    (parse(&joined) == blocks).then_some((blocks, joined))
}

/// Line ends are `\n`, no NUL, no blank lines at either end, no spaces at the end of the text.
fn tidy(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "\u{fffd}");
    let text = text.trim_end();
    let start = text.find(|c: char| !c.is_whitespace()).unwrap_or(0);
    let start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    text[start..].to_owned()
}

fn parse(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut covered = 0;
    for (range, in_list) in ranges(text) {
        if range.start < covered {
            continue;
        }
        // Link definitions make no event: what lies between the blocks is kept as a block of its own.
        push(&text[covered..range.start], &mut blocks);
        covered = range.end;
        if in_list {
            item::push_canonical(&text[range], &mut blocks);
        } else {
            push(&text[range], &mut blocks);
        }
    }
    push(&text[covered..], &mut blocks);
    blocks
}

fn push(block: &str, blocks: &mut Vec<String>) {
    let block = block.trim_end();
    let start = block.find(|c: char| c != '\n').unwrap_or(0);
    if !block.is_empty() {
        blocks.push(block[start..].to_owned());
    }
}

/// Where the blocks stand in the text, from the beginning of their first line, and whether they are list items.
fn ranges(text: &str) -> Vec<(Range<usize>, bool)> {
    let mut ranges = Vec::new();
    let mut depth = 0_usize;
    let mut list = false;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        // Leading spaces belong to the block: they make the difference between code and text.
        let line_start = text[..range.start].rfind('\n').map_or(0, |newline| newline + 1);
        match event {
            Event::Start(tag) => {
                if depth == 0 && matches!(tag, Tag::List(_)) {
                    list = true;
                } else if depth == 0 || (depth == 1 && list) {
                    ranges.push((line_start..range.end, list));
                }
                depth += 1;
            }
            Event::End(_) => {
                depth -= 1;
                if depth == 0 {
                    list = false;
                }
            }
            _ if depth == 0 => ranges.push((line_start..range.end, false)),
            _ => {}
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_on_one_line_has_no_marks() {
        let text = "# Pass\n\n**Wichtig**: Bürger\\*innen brauchen [das Foto](https://x.de).\n\n- eins\n- `zwei`\n";
        assert_eq!(one_line(text), "Pass Wichtig: Bürger*innen brauchen das Foto. eins zwei");
        assert_eq!(one_line("a  \nb\nc"), "a b c");
        assert_eq!(one_line(" \n"), "");
    }

    const PARTS: &[&str] = &[
        "ä", "b", "😀", " ", "  ", "    ", "\t", "\n", "\n\n", "\n", "- ", "* ", "1. ", "2) ", "10. ", "# ", "> ",
        "```", "---", "===", "|", "|--|", "<div>", "[a]: b", "\\", "<!--", "-->", "\r\n", "~~~", "+ ",
    ];

    #[test]
    fn a_text_falls_into_blocks() {
        let text = "# Größe\r\n\r\nErster Absatz\nmit zwei Zeilen.\n\n\n- Ausweis\n- Paß\n  - alt\n  - neu\n\n1) eins\n2) zwei\n\n\
                    | a | b |\n|---|---|\n| 1 | 2 |\n\n```\ncode\n\nmehr\n```\n\n> Zitat\n\n[ref]: https://example.org\n";
        let blocks = split(text);
        assert_eq!(
            blocks,
            [
                "# Größe",
                "Erster Absatz\nmit zwei Zeilen.",
                "- Ausweis",
                "- Paß\n  - alt\n  - neu",
                "1) eins",
                "1) zwei",
                "| a | b |\n|---|---|\n| 1 | 2 |",
                "```\ncode\n\nmehr\n```",
                "> Zitat",
                "[ref]: https://example.org"
            ]
        );
        let joined = join(blocks.iter().map(String::as_str));
        assert_eq!(joined, normalise(text));
        assert!(joined.contains("1) eins\n2) zwei\n\n| a"), "{joined}");
        assert_eq!(normalise(&joined), joined);
    }

    #[test]
    fn numbered_items_are_numbered_on() {
        let text = "3. drei\n4. vier\n\n   Absatz\n5. fünf";
        assert_eq!(split(text), ["3. drei", "1. vier\n\n   Absatz", "1. fünf"]);
        assert_eq!(normalise(text), text);
        let ten = (1..=11).map(|n| format!("{n}. x\n{}y", " ".repeat(n.to_string().len() + 2))).collect::<Vec<_>>();
        assert_eq!(normalise(&ten.join("\n")), ten.join("\n"));
        assert_eq!(split(&ten.join("\n"))[10], "1. x\n   y");
    }

    #[test]
    fn strange_texts_are_kept() {
        for text in
            ["", " \n ", "\n\n  a", "    code\n\n- item\n\n      more", "- a\n\n\n- b", "-\n-", "a\n===\nb\n---"]
        {
            let normal = normalise(text);
            assert_eq!(normalise(&normal), normal, "{text:?}");
            assert_eq!(join(split(&normal).iter().map(String::as_str)), normal, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn splitting_and_joining_is_stable(parts in prop::collection::vec(prop::sample::select(PARTS), 0..24)) {
            let text = parts.concat();
            let normal = normalise(&text);
            prop_assert_eq!(normalise(&normal), normal.clone());
            prop_assert_eq!(join(split(&normal).iter().map(String::as_str)), normal.clone());
            // Nothing but white space and the numbers of lists changes.
            let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).collect::<String>();
            prop_assert_eq!(letters(&text), letters(&normal));
        }
    }
}
