//! Long texts, lists of links, fees.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Record;
use super::values::{plain, text};
use crate::fees;
use crate::html::{Block, Blocks, Kind, Run, Style, Target, target};
use crate::limits::HTML_BYTES_MAX;

/// A link of a list: name, address, more text.
#[derive(PartialEq)]
pub(super) struct Link {
    pub(super) name: String,
    pub(super) url: Option<String>,
    pub(super) description: Option<String>,
}

impl Record {
    /// Takes an HTML text out of the record.
    pub(super) fn take_html(&mut self, name: &str) -> Result<Option<(String, Blocks)>, String> {
        let Some(html) = text(self.rest.shift_remove(name)) else { return Ok(None) };
        if html.len() > HTML_BYTES_MAX {
            return Err(format!("{name}: the text has {} bytes, {HTML_BYTES_MAX} are allowed", html.len()));
        }
        let blocks = Blocks::parse(&html);
        Ok((!blocks.blocks.is_empty()).then_some((html, blocks)))
    }

    /// An HTML text becomes one of the entry's texts.
    pub(super) fn html_text(&mut self, name: &str, field: &str) -> Result<(), String> {
        if let Some((html, blocks)) = self.take_html(name)? {
            self.report_dropped(&html, &blocks.dropped, name, &format!("texts.{field}"));
            self.add_text(field, &blocks.to_commonmark());
        }
        Ok(())
    }

    /// Keeps the original of a text of which something was dropped.
    fn report_dropped(&mut self, html: &str, dropped: &BTreeSet<String>, name: &str, path: &str) {
        if dropped.is_empty() {
            return;
        }
        let list: Vec<&str> = dropped.iter().map(String::as_str).collect();
        self.warn(path, format!("dropped from the text: {}", list.join(", ")));
        self.keep(&format!("{name}_html"), html.into());
    }

    /// Adds CommonMark to a text, after what is there.
    pub(super) fn add_text(&mut self, field: &str, commonmark: &str) {
        let language = self.language.clone();
        let texts = self.fields.entry("texts").or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(texts) = texts else { return };
        let by_language = texts.entry(field).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(by_language) = by_language else { return };
        match by_language.get_mut(&language) {
            Some(Value::String(text)) => {
                text.push_str("\n\n");
                text.push_str(commonmark);
            }
            _ => {
                by_language.insert(language, commonmark.into());
            }
        }
    }

    /// The fee text: structured where certain, else kept as text.
    pub(super) fn fees(&mut self) -> Result<(), String> {
        let Some((html, blocks)) = self.take_html("fees")? else { return Ok(()) };
        let mut dropped = blocks.dropped.clone();
        if blocks.blocks.iter().any(|block| block.runs.iter().any(|run| run.style.link.is_some())) {
            dropped.insert("link (notes of fees have none)".into());
        }
        self.report_dropped(&html, &dropped, "fees", "fees");
        let fees = fees::read(&blocks, &self.language);
        for (index, message) in fees.doubts {
            self.warn(format!("fees.{index}.note"), message);
        }
        self.fields.insert("fees".into(), Value::Array(fees.fees));
        Ok(())
    }

    /// Takes a list of `{name, link, description}`, or of plain texts.
    pub(super) fn take_links(&mut self, name: &str) -> Vec<Link> {
        let Some(Value::Array(list)) = self.rest.shift_remove(name) else { return Vec::new() };
        let mut links: Vec<Link> = Vec::new();
        for item in list {
            let link = match item {
                Value::Object(mut item) => {
                    let url = text(item.shift_remove("link")).or_else(|| text(item.shift_remove("url")));
                    Link {
                        name: plain(item.shift_remove("name")).unwrap_or_default(),
                        url: url.and_then(|url| self.allowed(&url, name)),
                        description: plain(item.shift_remove("description")),
                    }
                }
                other => Link { name: plain(Some(other)).unwrap_or_default(), url: None, description: None },
            };
            let empty = link.name.is_empty() && link.url.is_none() && link.description.is_none();
            if !empty && !links.contains(&link) {
                links.push(link);
            }
        }
        links
    }

    fn allowed(&mut self, url: &str, name: &str) -> Option<String> {
        match target(url) {
            Target::Allowed(url) => Some(url),
            Target::Nowhere => None,
            Target::Refused(why) => {
                self.warn(
                    format!("extensions.dldb.{name}"),
                    format!("dropped a link ({why}): {}", crate::finish::short(url)),
                );
                None
            }
        }
    }

    /// Adds a list of links to a text.
    pub(super) fn add_links(&mut self, field: &str, links: &[Link]) {
        let blocks: Vec<Block> = links.iter().map(Link::block).collect();
        if !blocks.is_empty() {
            let text = Blocks { blocks, dropped: BTreeSet::new() }.to_commonmark();
            self.add_text(field, &text);
        }
    }
}

impl Link {
    /// As an item of a list.
    fn block(&self) -> Block {
        let run = |text: String, link: Option<String>| Run { text, style: Style { link, ..Style::default() } };
        let name = match (&self.name, &self.url, &self.description) {
            (name, Some(url), _) if name.is_empty() => url.clone(),
            (name, None, Some(description)) if name.is_empty() => description.clone(),
            (name, _, _) => name.clone(),
        };
        let more = self.description.as_ref().filter(|description| **description != name);
        let mut runs = vec![run(name, self.url.clone())];
        runs.extend(more.map(|more| run(format!(": {more}"), None)));
        Block { kind: Kind::Item { depth: 1, number: None }, runs }
    }
}
