//! From HTML to blocks of styled runs.

use std::collections::BTreeSet;

use scraper::node::{Element, Node};
use scraper::{ElementRef, Html};

use super::is_invisible;
use super::link::{Target, target};
use crate::limits::HTML_NESTING_MAX;

/// What a block is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Paragraph,
    /// 1 to 6.
    Heading(u8),
    /// An item of a list: how deep, from 1, and its number in an ordered one.
    Item { depth: u8, number: Option<u32> },
}

/// How a run looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) strong: bool,
    pub(crate) emphasis: bool,
    pub(crate) link: Option<String>,
}

/// A stretch of text in one style. White space is single, `\n` is a hard break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) text: String,
    pub(crate) style: Style,
}

/// A paragraph, heading or list item. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) kind: Kind,
    pub(crate) runs: Vec<Run>,
}

/// A text in blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Blocks {
    pub(crate) blocks: Vec<Block>,
    /// What was dropped, each kind once.
    pub(crate) dropped: BTreeSet<String>,
}

impl Blocks {
    /// Parses HTML, or a text without tags.
    pub(crate) fn parse(html: &str) -> Self {
        let tree = Html::parse_fragment(html);
        let mut walk = Walk::default();
        walk.children(tree.root_element(), 0);
        walk.flush();
        walk.result
    }

    /// The visible text, line by line: blocks and hard breaks end a line.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.blocks.iter().flat_map(Block::lines).map(|(line, _)| line).collect()
    }
}

#[derive(Default)]
struct Walk {
    result: Blocks,
    kind: Kind,
    style: Style,
    runs: Vec<Run>,
    /// One per list we are in: the number of the next item of an ordered one.
    lists: Vec<Option<u32>>,
}

impl Walk {
    fn children(&mut self, parent: ElementRef<'_>, depth: usize) {
        if depth > HTML_NESTING_MAX {
            self.drop(format!("elements nested deeper than {HTML_NESTING_MAX}"));
            return;
        }
        for child in parent.children() {
            match child.value() {
                Node::Text(text) => self.text(text),
                Node::Element(element) => {
                    if let Some(child) = ElementRef::wrap(child) {
                        self.element(child, element, depth + 1);
                    }
                }
                _ => {}
            }
        }
    }

    fn element(&mut self, node: ElementRef<'_>, element: &Element, depth: usize) {
        for (name, _) in element.attrs() {
            if name.starts_with("on") {
                self.drop(format!("attribute {}", printable(name)));
            }
        }
        match element.name() {
            "br" => self.push("\n"),
            "wbr" | "head" | "colgroup" | "col" => {}
            "hr" => self.boundary(),
            "html" | "body" | "span" | "u" | "font" | "small" | "big" | "sup" | "sub" | "abbr" | "acronym" | "q"
            | "code" | "kbd" | "samp" | "tt" | "mark" | "ins" | "time" | "nobr" | "bdi" | "data" | "label" => {
                self.children(node, depth);
            }
            "b" | "strong" => self.styled(node, depth, |style| style.strong = true),
            "i" | "em" | "cite" | "dfn" | "var" => self.styled(node, depth, |style| style.emphasis = true),
            "a" => self.link(node, element, depth),
            "p" | "div" | "section" | "article" | "header" | "footer" | "main" | "aside" | "nav" | "blockquote"
            | "address" | "figure" | "figcaption" | "dl" | "dd" | "pre" | "center" | "tbody" | "thead" | "tfoot"
            | "caption" | "details" => self.block(node, depth),
            "dt" | "summary" | "legend" => {
                self.boundary();
                self.styled(node, depth, |style| style.strong = true);
                self.boundary();
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.heading(node, element, depth),
            "ul" | "menu" | "dir" => self.list(node, depth, None),
            "ol" => {
                let start = element.attr("start").and_then(|start| start.parse().ok()).unwrap_or(1);
                self.list(node, depth, Some(start));
            }
            "li" => self.item(node, depth),
            "table" => self.block(node, depth),
            "tr" => self.row(node, depth),
            "td" | "th" => self.children(node, depth),
            "script" | "style" | "iframe" | "frame" | "frameset" | "object" | "embed" | "applet" | "template"
            | "noscript" | "noembed" | "noframes" | "svg" | "math" | "canvas" | "audio" | "video" | "map" | "area"
            | "input" | "button" | "select" | "textarea" | "link" | "meta" | "base" | "title" | "img" | "picture" => {
                self.drop(format!("element <{}>", element.name()));
            }
            // What we do not know loses its tag and keeps its words.
            other => {
                self.drop(format!("element <{}>", printable(other)));
                self.children(node, depth);
            }
        }
    }

    fn styled(&mut self, node: ElementRef<'_>, depth: usize, set: impl FnOnce(&mut Style)) {
        let before = self.style.clone();
        set(&mut self.style);
        self.children(node, depth);
        self.style = before;
    }

    fn link(&mut self, node: ElementRef<'_>, element: &Element, depth: usize) {
        match element.attr("href").map(target) {
            None | Some(Target::Nowhere) => self.children(node, depth),
            Some(Target::Allowed(url)) => self.styled(node, depth, |style| style.link = Some(url)),
            Some(Target::Refused(why)) => {
                self.drop(format!("link ({why})"));
                self.children(node, depth);
            }
        }
    }

    fn block(&mut self, node: ElementRef<'_>, depth: usize) {
        self.boundary();
        self.children(node, depth);
        self.boundary();
    }

    fn heading(&mut self, node: ElementRef<'_>, element: &Element, depth: usize) {
        self.boundary();
        if self.kind == Kind::Paragraph {
            let level = element.name().as_bytes().get(1).map_or(2, |digit| digit.saturating_sub(b'0'));
            self.kind = Kind::Heading(level.clamp(1, 6));
            self.children(node, depth);
            self.flush();
            self.kind = Kind::Paragraph;
        } else {
            self.styled(node, depth, |style| style.strong = true);
            self.boundary();
        }
    }

    fn list(&mut self, node: ElementRef<'_>, depth: usize, number: Option<u32>) {
        self.flush();
        self.lists.push(number);
        self.children(node, depth);
        self.flush();
        self.lists.pop();
    }

    fn item(&mut self, node: ElementRef<'_>, depth: usize) {
        const ITEM_DEPTH_MAX: usize = 6;
        self.flush();
        let number = self.lists.last_mut().and_then(|next| {
            let number = *next;
            *next = next.map(|number| number.saturating_add(1));
            number
        });
        let before = self.kind;
        let list_depth = self.lists.len().clamp(1, ITEM_DEPTH_MAX) as u8;
        self.kind = Kind::Item { depth: list_depth, number };
        self.children(node, depth);
        self.flush();
        self.kind = before;
    }

    /// A row becomes a line; a table that is one column wide is only layout.
    fn row(&mut self, node: ElementRef<'_>, depth: usize) {
        self.boundary();
        let cells = |name: &str| matches!(name, "td" | "th");
        let mut first = true;
        for child in node.children().filter_map(ElementRef::wrap) {
            if cells(child.value().name()) && !first {
                self.push(" | ");
                self.drop("columns of a table".into());
            }
            first = false;
            self.element(child, child.value(), depth + 1);
        }
        self.boundary();
    }

    fn text(&mut self, text: &str) {
        let mut clean = String::with_capacity(text.len());
        let mut breaks = 0;
        for c in text.chars().filter(|c| !is_invisible(*c)) {
            if c == '\n' {
                breaks += 1;
            } else if !c.is_whitespace() {
                breaks = 0;
            }
            // An empty line in the source was meant as one by whoever typed it.
            if c == '\n' && breaks == 2 {
                clean.push('\n');
            } else {
                clean.push(if c.is_whitespace() { ' ' } else { c });
            }
        }
        self.push(&clean);
    }

    fn push(&mut self, text: &str) {
        match self.runs.last_mut() {
            Some(run) if run.style == self.style => run.text.push_str(text),
            _ => self.runs.push(Run { text: text.into(), style: self.style.clone() }),
        }
    }

    /// Ends a block; inside a list item, which is one block, ends a line.
    fn boundary(&mut self) {
        if matches!(self.kind, Kind::Item { .. }) { self.push("\n") } else { self.flush() }
    }

    fn flush(&mut self) {
        let split = !matches!(self.kind, Kind::Item { .. } | Kind::Heading(_));
        for runs in normal(&std::mem::take(&mut self.runs), split) {
            let runs = match self.kind {
                Kind::Heading(_) => runs.into_iter().map(in_one_line).collect(),
                _ => runs,
            };
            self.result.blocks.push(Block { kind: self.kind, runs });
        }
    }

    fn drop(&mut self, what: String) {
        self.result.dropped.insert(what);
    }
}

fn in_one_line(run: Run) -> Run {
    Run { text: run.text.replace('\n', " "), style: run.style }
}

/// Names come from the source: only what may stand in a message.
fn printable(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | ':')).take(30).collect()
}

/// White space between words is one blank, around breaks none. Two breaks are the end of a paragraph if `split`, else
/// one break. Paragraphs without a word are left out.
fn normal(runs: &[Run], split: bool) -> Vec<Vec<Run>> {
    let mut paragraphs: Vec<Vec<Run>> = vec![Vec::new()];
    let (mut blank, mut breaks) = (false, 0);
    for run in runs {
        for c in run.text.chars() {
            match c {
                '\n' => breaks += 1,
                c if c.is_whitespace() => blank = true,
                c => {
                    if split && breaks > 1 {
                        paragraphs.push(Vec::new());
                    }
                    let Some(paragraph) = paragraphs.last_mut() else { break };
                    let gap = match (paragraph.is_empty(), breaks, blank) {
                        (true, _, _) | (_, 0, false) => "",
                        (_, 0, true) => " ",
                        _ => "\n",
                    };
                    append(paragraph, gap, c, &run.style);
                    (blank, breaks) = (false, 0);
                }
            }
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs
}

/// White space belongs to the run before it, so that none begins with it.
fn append(runs: &mut Vec<Run>, gap: &str, c: char, style: &Style) {
    if let Some(last) = runs.last_mut() {
        last.text.push_str(gap);
        if last.style == *style {
            last.text.push(c);
            return;
        }
    }
    runs.push(Run { text: c.to_string(), style: style.clone() });
}
