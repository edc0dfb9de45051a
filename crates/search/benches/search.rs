//! How quick searching is: `cargo bench -p ortsnetz-search --bench search`.
//!
//! Indexes generated entries of 100 towns and asks for two words and a place, with and without typing.
//! `ORTSNETZ_BENCH_ENTRIES` sets how many (120,000), `ORTSNETZ_BENCH_BATCH` how many there are to a commit (500).

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::{Duration, Instant};

use ortsnetz_model::{Ars, CollectionId, Entry, EntryId, OrgId};
use ortsnetz_search::{Change, Document, Index, Places, Query, Standing};
use serde_json::json;

const HEAP: usize = 40_000_000;
const TOWNS: usize = 100;
const QUESTIONS: usize = 2_000;

const OBJECTS: [&str; 24] = [
    "Gewerbe",
    "Personalausweis",
    "Reisepass",
    "Wohnung",
    "Hund",
    "Fahrzeug",
    "Führerschein",
    "Geburtsurkunde",
    "Bauantrag",
    "Sperrmüll",
    "Parkausweis",
    "Wohngeld",
    "Kindergarten",
    "Grundsteuer",
    "Eheschließung",
    "Waffenschein",
    "Fischereischein",
    "Gaststätte",
    "Straßenfest",
    "Baum",
    "Abwasser",
    "Grabstätte",
    "Elterngeld",
    "Schwerbehindertenausweis",
];
const ACTS: [&str; 14] = [
    "anmelden",
    "abmelden",
    "verlängern",
    "beantragen",
    "ändern",
    "Verlust melden",
    "Bescheinigung",
    "Genehmigung",
    "Ermäßigung",
    "Befreiung",
    "Verlängerung",
    "Anmeldung",
    "Erstattung",
    "Auskunft",
];
const WORDS: [&str; 48] = [
    "Antrag",
    "Unterlagen",
    "Gebühr",
    "Frist",
    "Termin",
    "Behörde",
    "zuständig",
    "persönlich",
    "schriftlich",
    "Ausweis",
    "Vollmacht",
    "Nachweis",
    "Formular",
    "Bearbeitung",
    "Woche",
    "Monat",
    "Euro",
    "Rechnung",
    "Konto",
    "Adresse",
    "Familie",
    "Kinder",
    "Jahr",
    "Geburt",
    "Einwohner",
    "Meldepflicht",
    "Verwaltungsgebühr",
    "Rechtsgrundlage",
    "Bürgerbüro",
    "Rathaus",
    "vorlegen",
    "einreichen",
    "erhalten",
    "benötigen",
    "müssen",
    "können",
    "gültig",
    "ausgestellt",
    "Original",
    "Kopie",
    "Unterschrift",
    "Bescheid",
    "Widerspruch",
    "Internet",
    "online",
    "Öffnungszeiten",
    "Telefon",
    "Zimmer",
];

/// A small generator of our own, so that one size is one corpus.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

fn main() {
    let size =
        |name: &str, default: usize| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (entries, batch) = (size("ORTSNETZ_BENCH_ENTRIES", 120_000), size("ORTSNETZ_BENCH_BATCH", 500));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut index = Index::open(dir.path(), [0; 16], 0, HEAP).expect("an index").index;
    let mut dice = Dice(1);

    let (mut indexing, mut json_bytes) = (Duration::ZERO, 0);
    let cpu = cpu_time();
    for start in (0..entries).step_by(batch) {
        let made: Vec<(usize, Entry)> =
            (start..(start + batch).min(entries)).map(|n| (n, entry(n, &mut dice))).collect();
        json_bytes += made.iter().map(|(_, entry)| entry.to_json().to_string().len()).sum::<usize>();
        let begin = Instant::now();
        let changes: Vec<Change<'_>> = made.iter().map(|(n, entry)| upsert(*n, entry)).collect();
        index.update(&changes).expect("an update");
        index.commit(start as u64 + 1).expect("a commit");
        indexing += begin.elapsed();
    }
    let reader = index.reader();
    println!(
        "indexed {entries} entries ({} MB of JSON) in {indexing:.2?}: {:.0} entries/s, {:.1} MB on disk, {:.0} B each; \
         {:.1?} CPU with making them",
        json_bytes / 1_000_000,
        entries as f64 / indexing.as_secs_f64(),
        reader.disk_bytes() as f64 / 1e6,
        reader.disk_bytes() as f64 / entries as f64,
        cpu_time().saturating_sub(cpu),
    );

    let ask = |query: &Query| reader.search(query, &|_| Some(Standing::Partner)).expect("an answer");
    measure("two words", &mut dice, |dice| ask(&two_words(dice)).total);
    measure("two words and a place", &mut dice, |dice| ask(&two_words(dice).at(town(dice.roll(TOWNS)))).total);
    measure("a word of every text and a place", &mut dice, |dice| {
        ask(&Query::new(format!("{} {}", dice.pick(&WORDS), dice.pick(&WORDS))).at(town(dice.roll(TOWNS)))).total
    });
    measure("typing, with a place", &mut dice, |dice| {
        let query = two_words(dice);
        let letters = 2 + dice.roll(query.words.chars().count() - 1);
        let words = query.words.chars().take(letters).collect();
        ask(&Query { words, typing: true, ..query }.at(town(dice.roll(TOWNS)))).total
    });
    measure("a typing mistake, with a place", &mut dice, |dice| {
        let mut query = two_words(dice);
        let mut letters: Vec<char> = query.words.chars().collect();
        letters.remove(2);
        query.words = letters.into_iter().collect();
        ask(&query.at(town(dice.roll(TOWNS)))).total
    });

    let mut times: Vec<Duration> = Vec::new();
    for n in 0..50 {
        let (changed, begin) = (entry(n, &mut dice), Instant::now());
        index.update(&[upsert(n, &changed)]).expect("an update");
        index.commit((entries + n) as u64).expect("a commit");
        times.push(begin.elapsed());
    }
    print_times("one changed entry until it is found", &mut times);
    measure_places(&mut dice);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for line in status.lines().filter(|line| line.starts_with("VmHWM") || line.starts_with("RssAnon")) {
        println!("memory: {line}");
    }
}

/// The table of all municipalities, if the test data are there.
fn measure_places(dice: &mut Dice) {
    let data = std::env::var("ORTSNETZ_TEST_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").to_owned());
    let Ok(csv) = std::fs::read(format!("{data}/gemeinden/gemeinden.csv")) else {
        println!("places: not measured, {data}/gemeinden/gemeinden.csv is missing (set ORTSNETZ_TEST_DATA)");
        return;
    };
    let (begin, cpu) = (Instant::now(), cpu_time());
    let places = Places::read_csv(csv.as_slice()).expect("a table").places;
    let read = begin.elapsed();
    let cpu = cpu_time().saturating_sub(cpu);
    let packed = serde_json::to_vec(&places).expect("a table");
    let begin = Instant::now();
    let places: Places = serde_json::from_slice(&packed).expect("a table");
    println!(
        "places: read in {read:.2?} ({cpu:.0?} CPU), {} KB packed, unpacked in {:.2?}",
        packed.len() / 1000,
        begin.elapsed()
    );
    const TEXTS: [&str; 10] = [
        "Köln",
        "54636",
        "ba",
        "Neustadt",
        "053820060060",
        "Stadt Siegburg",
        "bad",
        "Sankt",
        "an der",
        "53721 Siegburg",
    ];
    measure("a place", dice, |dice| places.resolve(dice.pick(&TEXTS), &[]).total);
}

fn two_words(dice: &mut Dice) -> Query {
    Query::new(format!("{} {}", dice.pick(&OBJECTS), dice.pick(&ACTS)))
}

fn measure(name: &str, dice: &mut Dice, mut question: impl FnMut(&mut Dice) -> usize) {
    let (mut found, cpu) = (0, cpu_time());
    let mut times: Vec<Duration> = (0..QUESTIONS)
        .map(|_| {
            let begin = Instant::now();
            found += question(dice);
            begin.elapsed()
        })
        .collect();
    // On a busy machine the CPU time says more than the clock.
    let cpu = cpu_time().saturating_sub(cpu) / u32::try_from(QUESTIONS).unwrap_or(1);
    print_times(&format!("{name} ({} found, {cpu:.0?} CPU on average)", found / QUESTIONS), &mut times);
}

fn print_times(name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    println!("{name}: p50 {:.2?}, p99 {:.2?}", at(50), at(99));
}

fn town(n: usize) -> Ars {
    format!("05{:03}0000000", 100 + n).parse().expect("twelve digits")
}

fn entry(n: usize, dice: &mut Dice) -> Entry {
    let title = format!("{} {}", dice.pick(&OBJECTS), dice.pick(&ACTS));
    let mut text = |words: usize| {
        let words: Vec<String> = (0..words)
            .map(|_| match dice.roll(400) {
                0..32 => format!("{}{}", dice.pick(&WORDS), dice.roll(4_000)),
                32 => dice.pick(&OBJECTS).to_owned(),
                33 => dice.pick(&ACTS).to_owned(),
                _ => dice.pick(&WORDS).to_owned(),
            })
            .collect();
        words.join(" ")
    };
    let entry = json!({
        "kind": "service",
        "title": {"de": title},
        "keywords": {"de": [text(2), text(2)]},
        "leika": [format!("99{n:012}")],
        "texts": {
            "summary": {"de": text(30)}, "description": {"de": text(120)}, "required_documents": {"de": text(60)},
            "procedure": {"de": text(80)}, "notes": {"de": text(40)},
        },
        "valid_for": [town(n % TOWNS).to_string()],
    });
    Entry::from_json(entry).expect("an entry")
}

fn upsert(n: usize, entry: &Entry) -> Change<'_> {
    let organisation = OrgId([u8::try_from(n % TOWNS).unwrap_or(0); 32]);
    Change::Upsert(Document {
        organisation,
        collection: CollectionId::named(&organisation, "public"),
        id: EntryId::imported(&organisation, "bench", "n", &n.to_string()),
        entry,
        notes: Vec::new(),
        office_names: vec!["Bürgeramt Mitte"],
        service: None,
        default_area: None,
        published_at: Some(1_780_000_000_000),
        received_at: Some(1_780_000_000_000),
    })
}

/// CPU time of this process so far, where the system tells it.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
