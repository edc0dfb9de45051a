//! From blocks to CommonMark.

use super::walk::{Block, Blocks, Kind, Run, Style};

impl Blocks {
    /// Blocks as CommonMark. Read back it shows the same words, and nothing else.
    pub(crate) fn to_commonmark(&self) -> String {
        let mut out = String::new();
        // How far the content of the last item of each depth is indented.
        let mut indents: Vec<usize> = Vec::new();
        for block in &self.blocks {
            let depth = match block.kind {
                Kind::Item { depth, .. } => usize::from(depth),
                _ => 0,
            };
            if !out.is_empty() {
                let in_list = depth > 0 && !indents.is_empty();
                // A list that does not begin with 1 cannot follow the text of an item directly.
                let late = depth > indents.len() && matches!(block.kind, Kind::Item { number: Some(2..), .. });
                out.push_str(if in_list && !late { "\n" } else { "\n\n" });
            }
            // An item can only lie one deeper than the one before it.
            indents.truncate(depth.saturating_sub(1));
            let indent = indents.last().copied().unwrap_or(0);
            let marker = match block.kind {
                Kind::Paragraph => String::new(),
                Kind::Heading(level) => format!("{} ", "#".repeat(usize::from(level))),
                Kind::Item { number: None, .. } => "- ".into(),
                // CommonMark reads at most nine digits.
                Kind::Item { number: Some(number), .. } => format!("{}. ", number.min(999_999_999)),
            };
            out.push_str(&" ".repeat(indent));
            out.push_str(&marker);
            let content = if depth > 0 { indent + marker.len() } else { 0 };
            if depth > 0 {
                indents.push(content);
            } else {
                indents.clear();
            }
            let mut lines: Vec<String> = lines(&block.runs).iter().map(|line| inline(line)).collect();
            // Number signs at the end of a heading would be taken for its decoration.
            let decorated = |line: &&mut String| line.ends_with('#') && line.trim_end_matches('#').ends_with(' ');
            if let (Kind::Heading(_), Some(line)) = (block.kind, lines.last_mut().filter(decorated)) {
                line.insert(line.len() - 1, '\\');
            }
            out.push_str(&lines.join(&format!("\\\n{}", " ".repeat(content))));
        }
        out
    }
}

impl Block {
    /// The visible text line by line, and whether every word of the line is strong.
    pub(crate) fn lines(&self) -> Vec<(String, bool)> {
        let strong = |run: &Run| run.style.strong || run.text.trim().is_empty();
        let line =
            |line: Vec<Run>| (line.iter().map(|run| run.text.as_str()).collect::<String>(), line.iter().all(strong));
        lines(&self.runs).into_iter().map(line).collect()
    }
}

/// The runs line by line.
fn lines(runs: &[Run]) -> Vec<Vec<Run>> {
    let mut lines = vec![Vec::new()];
    for run in runs {
        for (n, part) in run.text.split('\n').enumerate() {
            if n > 0 {
                lines.push(Vec::new());
            }
            if let (false, Some(line)) = (part.is_empty(), lines.last_mut()) {
                line.push(Run { text: part.into(), style: run.style.clone() });
            }
        }
    }
    lines
}

/// One line of CommonMark.
fn inline(runs: &[Run]) -> String {
    let mut out = String::new();
    let mut rest = runs;
    while let Some(first) = rest.first() {
        let length = rest.iter().take_while(|run| run.style.link == first.style.link).count();
        let (group, after) = rest.split_at(length);
        match &first.style.link {
            None => {
                let next = after.first().map(|_| '[');
                spans(&mut out, group, next);
                if !after.is_empty() && out.ends_with('!') {
                    // Or the link would become an image.
                    out.insert(out.len() - 1, '\\');
                }
            }
            Some(url) => {
                let mut text = String::new();
                spans(&mut text, group, Some(']'));
                let trimmed = text.trim_end();
                out.push('[');
                out.push_str(trimmed);
                out.push_str("](");
                out.push_str(url);
                out.push(')');
                out.push_str(&text[trimmed.len()..]);
            }
        }
        rest = after;
    }
    let kept = out.trim_end().len();
    out.truncate(kept);
    escape_start(out)
}

/// Runs of one link, or of none. `next` is what follows.
fn spans(out: &mut String, runs: &[Run], next: Option<char>) {
    // Whether the last character of `out` belongs to a marker: two markers side by side would be read as one.
    let mut marker = false;
    for (n, run) in runs.iter().enumerate() {
        let following = runs.get(n + 1).and_then(|run| run.text.chars().next()).or(next);
        let before = out.chars().last();
        let (lead, core, trail) = split(&run.text, before, following);
        let mark = if marker && lead.is_empty() { "" } else { mark(&run.style) };
        if mark.is_empty() || core.is_empty() {
            escape(out, &run.text, following);
            marker = false;
            continue;
        }
        escape(out, lead, core.chars().next());
        out.push_str(mark);
        escape(out, core, Some('*'));
        out.push_str(mark);
        escape(out, trail, following);
        marker = trail.is_empty();
    }
}

fn mark(style: &Style) -> &'static str {
    match (style.strong, style.emphasis) {
        (true, true) => "***",
        (true, false) => "**",
        (false, true) => "*",
        (false, false) => "",
    }
}

/// Divides a text so that markers around the middle are read as markers: CommonMark wants no white space inside, and
/// punctuation inside only where there is white space or punctuation outside.
fn split(text: &str, before: Option<char>, after: Option<char>) -> (&str, &str, &str) {
    let open = |c: Option<char>| c.is_none_or(|c| c.is_whitespace() || c.is_ascii_punctuation());
    let moves = |c: char, outside: Option<char>| c.is_whitespace() || (!c.is_alphanumeric() && !open(outside));
    let (mut start, mut outside) = (0, before);
    while let Some(c) = text[start..].chars().next().filter(|c| moves(*c, outside)) {
        (start, outside) = (start + c.len_utf8(), Some(c));
    }
    let (mut end, mut outside) = (text.len(), after);
    while let Some(c) = text[start..end].chars().next_back().filter(|c| moves(*c, outside)) {
        (end, outside) = (end - c.len_utf8(), Some(c));
    }
    (&text[..start], &text[start..end], &text[end..])
}

/// Appends a text so that CommonMark shows exactly this text.
fn escape(out: &mut String, text: &str, next: Option<char>) {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let following = chars.peek().copied().or(next);
        let needed = match c {
            '\\' | '*' | '`' | '[' | ']' | '<' => true,
            '_' => {
                let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
                !(word(out.chars().last()) && word(following))
            }
            '&' => following.is_some_and(|c| c.is_ascii_alphanumeric() || c == '#'),
            // Strikethrough and maths are no CommonMark, but some readers know them.
            '~' => following == Some('~') || out.ends_with('~'),
            _ => false,
        };
        if needed {
            out.push('\\');
        }
        out.push(c);
    }
}

/// Escapes what would begin another block at the start of a line.
fn escape_start(mut line: String) -> String {
    let rest_is_over = |rest: &str| rest.is_empty() || rest.starts_with([' ', '\t']);
    let at = match line.as_bytes().first() {
        Some(b'#') => {
            let rest = line.trim_start_matches('#');
            rest_is_over(rest).then_some(0)
        }
        Some(b'>') => Some(0),
        Some(b'-' | b'+') => {
            let only = line.chars().all(|c| matches!(c, '-' | '+' | ' '));
            (only || rest_is_over(&line[1..])).then_some(0)
        }
        Some(b'=') => line.chars().all(|c| c == '=').then_some(0),
        Some(b'|' | b':') => Some(0),
        Some(b'0'..=b'9') => {
            let digits = line.bytes().take_while(u8::is_ascii_digit).count();
            let delimiter = line[digits..].starts_with(['.', ')']);
            (delimiter && rest_is_over(&line[digits + 1..])).then_some(digits)
        }
        _ => None,
    };
    if let Some(at) = at {
        line.insert(at, '\\');
    }
    line
}
