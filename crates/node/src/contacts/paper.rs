//! A settled month as a PDF of a few pages: who, which month, by which agreement, and the sums. The lines are in the table.

use pdf_writer::{Content, Finish as _, Name, Pdf, Rect, Ref, Str};

use ortsnetz_service::settlement::{LineKind, Settled, Version};

/// A4, in points.
const PAGE: (f32, f32) = (595.0, 842.0);
/// Where text begins.
const LEFT: f32 = 64.0;
/// Where amounts end.
const RIGHT: f32 = 531.0;
/// Where the first line stands, and the last may.
const TOP: f32 = 778.0;
const BOTTOM: f32 = 72.0;
/// From line to line.
const STEP: f32 = 16.0;
/// Width of a digit of Helvetica in thousandths of its size; amounts consist of digits, points, commas, signs and ` EUR`.
const DIGIT: f32 = 0.556;

/// One line of the paper.
struct Row {
    text: String,
    amount: Option<String>,
    size: f32,
    bold: bool,
}

fn row(text: impl Into<String>) -> Row {
    Row { text: text.into(), amount: None, size: 10.0, bold: false }
}

fn head(text: impl Into<String>, size: f32) -> Row {
    Row { text: text.into(), amount: None, size, bold: true }
}

fn sum(text: impl Into<String>, cents: i64) -> Row {
    Row { amount: Some(euros(cents)), ..row(text) }
}

/// Cents as people in Germany write them.
pub(super) fn euros(cents: i64) -> String {
    let (sign, cents) = (if cents < 0 { "-" } else { "" }, cents.unsigned_abs());
    let mut whole = (cents / 100).to_string();
    let mut at = whole.len();
    while at > 3 {
        at -= 3;
        whole.insert(at, '.');
    }
    format!("{sign}{whole},{:02} EUR", cents % 100)
}

/// The page. The same month gives the same bytes.
pub(super) fn page(settled: &Settled<'_>, versions: &[Version], names: &[String; 2], signed: Option<&str>) -> Vec<u8> {
    write(&rows(settled, versions, names, signed))
}

fn rows(settled: &Settled<'_>, versions: &[Version], names: &[String; 2], signed: Option<&str>) -> Vec<Row> {
    let statement = &settled.statement;
    let count = |kind: LineKind| settled.lines.iter().filter(|line| line.kind == kind).count();
    let cents = |kind: LineKind| settled.lines.iter().filter(|line| line.kind == kind).map(|line| line.cents).sum();
    let mut rows = vec![
        head(format!("Abrechnung {}", statement.month), 18.0),
        row(""),
        row(format!("Auskunft durch: {}", names[0])),
        row(format!("für: {}", names[1])),
        row(format!(
            "Stand: {}",
            signed.map_or_else(
                || format!("vorgeschlagen (Fassung {})", statement.revision),
                |at| format!("von beiden unterschrieben, zuletzt {at}")
            )
        )),
        row(""),
        head("Vereinbarungen", 12.0),
    ];
    for version in versions {
        rows.push(row(format!(
            "{}, Fassung {}, gilt ab {} ({})",
            version.terms.title,
            version.under.version,
            version.terms.valid_from,
            &version.under.agreement.get(..8).unwrap_or_default()
        )));
        if let Some(cap) = version.terms.prices.as_ref().and_then(|prices| prices.cap.as_ref()) {
            rows.push(row(format!(
                "    Obergrenze im Jahr: {} je Einwohner, {} Einwohner am {}",
                euros(cap.cents_per_inhabitant.into()),
                cap.inhabitants,
                cap.counted_on
            )));
        }
    }
    rows.extend([row(""), head("Kontakte", 12.0)]);
    for (kind, text) in [
        (LineKind::Contact, "Kontakte des Monats"),
        (LineKind::Late, "nachgemeldet aus früheren Monaten"),
        (LineKind::Correction, "zurückgenommen aus abgeschlossenen Monaten"),
        (LineKind::Reversed, "zurückgenommen vor der Abrechnung"),
        (LineKind::Uncovered, "ohne geltende Vereinbarung"),
    ] {
        if kind == LineKind::Contact || count(kind) > 0 {
            rows.push(sum(format!("{}: {}", text, count(kind)), cents(kind)));
        }
    }
    for flat in settled.flats.iter().filter(|flat| flat.cents != 0) {
        rows.push(sum(format!("Monatspauschale, Fassung {}, {} Tage", flat.under.version, flat.days), flat.cents));
    }
    rows.extend([row(""), sum("Summe netto", statement.net_cents)]);
    if statement.cap_cents != 0 {
        rows.push(sum("über der Obergrenze des Jahres", -statement.cap_cents));
    }
    for tax in &settled.taxes {
        let rate = format!("{},{} %", tax.permille / 10, tax.permille % 10);
        rows.push(sum(format!("Umsatzsteuer {rate} auf {}", euros(tax.net_cents)), tax.cents));
    }
    rows.push(Row { bold: true, ..sum("Zu zahlen", statement.total_cents) });
    rows.extend([
        row(""),
        row("Jede Zeile steht in der Tabelle (CSV) dieses Monats; beide Seiten haben dieselben Bytes."),
        Row { size: 7.0, ..row(format!("SHA-256 der Tabelle: {}", statement.table)) },
        Row { size: 7.0, ..row(format!("SHA-256 der unterschriebenen Abrechnung: {}", statement.hash())) },
    ]);
    rows
}

fn write(rows: &[Row]) -> Vec<u8> {
    let lines_max = ((TOP - BOTTOM) / STEP) as usize;
    let pages: Vec<&[Row]> = rows.chunks(lines_max.max(1)).collect();
    let (catalog, tree, regular, bold) = (Ref::new(1), Ref::new(2), Ref::new(3), Ref::new(4));
    let ids: Vec<(Ref, Ref)> = (0..pages.len())
        .map(|n| {
            let first = 5 + 2 * i32::try_from(n).unwrap_or(0);
            (Ref::new(first), Ref::new(first + 1))
        })
        .collect();
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(tree);
    pdf.pages(tree).kids(ids.iter().map(|(page, _)| *page)).count(i32::try_from(ids.len()).unwrap_or(1));
    for (id, name) in [(regular, "Helvetica"), (bold, "Helvetica-Bold")] {
        let mut font = pdf.type1_font(id);
        font.base_font(Name(name.as_bytes()));
        font.encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    for (rows, (page_id, content_id)) in pages.iter().zip(&ids) {
        let mut page = pdf.page(*page_id);
        page.media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1)).parent(tree).contents(*content_id);
        page.resources().fonts().pair(Name(b"R"), regular).pair(Name(b"B"), bold);
        page.finish();
        pdf.stream(*content_id, &content(rows));
    }
    pdf.finish()
}

fn content(rows: &[Row]) -> Vec<u8> {
    let mut content = Content::new();
    let mut y = TOP;
    for row in rows {
        let font = Name(if row.bold { b"B" } else { b"R" });
        let mut put = |x: f32, text: &str| {
            content.begin_text();
            content.set_font(font, row.size);
            content.next_line(x, y);
            content.show(Str(&encoded(text)));
            content.end_text();
        };
        put(LEFT, &row.text);
        if let Some(amount) = &row.amount {
            put(RIGHT - width(amount) * row.size, amount);
        }
        y -= STEP;
    }
    content.finish().into_vec()
}

/// The width of an amount, for a size of 1.
fn width(amount: &str) -> f32 {
    let of = |c: char| match c {
        '.' | ',' | ' ' => 0.278,
        '-' => 0.333,
        'E' => 0.667,
        'U' | 'R' => 0.722,
        _ => DIGIT,
    };
    amount.chars().map(of).sum()
}

/// Text in WinAnsi; what it does not have is a question mark.
fn encoded(text: &str) -> Vec<u8> {
    let byte = |c: char| match c {
        '€' => 0x80,
        '–' => 0x96,
        '„' => 0x84,
        '“' => 0x93,
        '”' => 0x94,
        ' '..='~' | '\u{a0}'..='\u{ff}' => u8::try_from(u32::from(c)).unwrap_or(b'?'),
        _ => b'?',
    };
    text.chars().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_people_read_them() {
        for (cents, text) in
            [(0, "0,00 EUR"), (5, "0,05 EUR"), (-123_456, "-1.234,56 EUR"), (100_000_000, "1.000.000,00 EUR")]
        {
            assert_eq!(euros(cents), text);
        }
    }

    #[test]
    fn a_long_paper_has_several_pages_and_is_the_same_each_time() {
        let rows: Vec<Row> = (0..100).map(|n| sum(format!("Zeile {n} für Köln"), n)).collect();
        let bytes = write(&rows);
        assert!(bytes.starts_with(b"%PDF-"));
        assert_eq!(bytes, write(&rows));
        let text = String::from_utf8_lossy(&bytes);
        assert_eq!(text.matches("/Type /Page\n").count() + text.matches("/Type /Page ").count(), 3, "{text}");
        assert_eq!(encoded("für 5 €"), [b'f', 0xfc, b'r', b' ', b'5', b' ', 0x80]);
    }
}
