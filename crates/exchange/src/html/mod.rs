//! HTML to CommonMark by an allow-list.
//!
//! The tree is parsed as a browser does it ([`walk`]) into blocks of styled runs, and written as CommonMark of the plain
//! kind ([`mod@write`]): paragraphs, list items, headings, hard breaks, strong, emphasis, links. What is only presentation
//! (classes, colours, underlining) goes silently; everything else that goes is named in [`Converted::dropped`].

mod link;
mod walk;
mod write;

pub(crate) use link::{Target, target};
pub(crate) use walk::{Block, Blocks, Kind, Run, Style};

/// A text as CommonMark, and what was lost on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Converted {
    /// CommonMark.
    pub text: String,
    /// What was dropped, each kind once and sorted, like `element <script>`; empty if nothing but presentation.
    pub dropped: Vec<String>,
}

/// Turns HTML, or a text without tags, into CommonMark. No visible word is lost, no tag stays.
pub fn to_commonmark(html: &str) -> Converted {
    let blocks = Blocks::parse(html);
    Converted { text: blocks.to_commonmark(), dropped: blocks.dropped.into_iter().collect() }
}

/// The visible words of a short text (a title, a name) that may hold entities or tags, in one line.
pub(crate) fn to_plain(text: &str) -> String {
    if text.contains(['<', '&']) {
        return Blocks::parse(text).lines().join(" ");
    }
    let visible: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Characters nobody sees: they break search and comparison, or make text look like another.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        // Soft hyphen, zero-width space, word joiner and its invisible relatives, byte order mark.
        '\u{ad}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
        // Overrides of the writing direction.
        | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Interlinear annotations and tag characters.
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    ) || (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}'))
}

#[cfg(test)]
mod tests;
