//! Aligned columns for people.

/// Rows of text under a headline; numbers stand right.
pub(crate) struct Table {
    headline: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// Widest column that is filled up with spaces; longer texts run over.
const COLUMN_CHARS_MAX: usize = 60;

impl Table {
    /// A table with these columns; a `>` in front of a name puts the column right.
    pub(crate) fn new(headline: &[&'static str]) -> Self {
        Self { headline: headline.to_vec(), rows: Vec::new() }
    }

    /// One more row, with as many cells as the headline.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.headline.len(), "a row has the columns of the headline");
        self.rows.push(cells.into_iter().map(|cell| one_line(&cell)).collect());
    }

    /// All lines, each ending with a line break.
    pub(crate) fn render(&self) -> String {
        let names: Vec<String> = self.headline.iter().map(|name| name.trim_start_matches('>').to_owned()).collect();
        let right: Vec<bool> = self.headline.iter().map(|name| name.starts_with('>')).collect();
        let widths: Vec<usize> = (0..names.len())
            .map(|column| {
                let cells = self.rows.iter().map(|row| width(&row[column]));
                cells.chain([width(&names[column])]).max().unwrap_or(0).min(COLUMN_CHARS_MAX)
            })
            .collect();
        let mut out = String::new();
        for row in std::iter::once(&names).chain(&self.rows) {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let padding = " ".repeat(widths[column].saturating_sub(width(cell)));
                if right[column] {
                    line.push_str(&padding);
                    line.push_str(cell);
                } else {
                    line.push_str(cell);
                    line.push_str(&padding);
                }
                line.push_str("  ");
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

/// Characters as a terminal shows them: good enough for German.
fn width(text: &str) -> usize {
    text.chars().count()
}

/// Control characters cannot move a terminal's cursor from inside a cell.
fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_with_umlauts() {
        let mut table = Table::new(&["name", ">entries", "state"]);
        table.row(["Stadt Köln".into(), "7".into(), "in sync".into()]);
        table.row(["Hürth".into(), "1234".into(), "behind\n\u{1b}[2J5".into()]);
        assert_eq!(
            table.render(),
            "name        entries  state\nStadt Köln        7  in sync\nHürth          1234  behind [2J5\n"
        );
    }
}
