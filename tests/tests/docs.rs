//! What README and docs say is checked against what there is: commands, files, metrics, alarms, limits, tests, errors.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository is there")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Files git would take that end so, below any of these folders; all folders if there are none.
fn files(below: &[&str], end: &str) -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs");
    let all = String::from_utf8(output.stdout).expect("paths are UTF-8");
    let wanted = |path: &&str| below.is_empty() || below.iter().any(|folder| path.starts_with(folder));
    let there = |path: &&str| root().join(path).is_file();
    all.lines().filter(wanted).filter(|path| path.ends_with(end)).filter(there).map(str::to_owned).collect()
}

/// Every page of documentation: its path and its text.
fn pages() -> Vec<(String, String)> {
    let mut paths = files(&["docs/"], ".md");
    paths.push("README.md".to_owned());
    assert!(paths.len() > 5, "the pages were found");
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

/// All source of the workspace as one text.
fn source(below: &[&str]) -> String {
    let text: String = files(below, ".rs").iter().map(|path| read(path)).collect();
    assert!(text.len() > 1000, "{below:?}: the sources were found");
    text
}

/// The lines of fenced blocks of this language, continued lines joined.
fn fenced(text: &str, language: &str) -> Vec<String> {
    let (mut inside, mut lines) = (false, Vec::<String>::new());
    let mut continued = false;
    for line in text.lines() {
        match line.trim_start().strip_prefix("```") {
            Some(rest) => inside = !inside && rest.trim() == language,
            None if inside => {
                let (part, more) = match line.strip_suffix('\\') {
                    Some(part) => (part, true),
                    None => (line, false),
                };
                match lines.last_mut().filter(|_| continued) {
                    Some(last) => last.push_str(part.trim_start()),
                    None => lines.push(part.to_owned()),
                }
                continued = more;
            }
            None => {}
        }
    }
    lines
}

/// What stands between single backticks outside fenced blocks. A span may go over a line end.
fn spans(text: &str) -> Vec<String> {
    let mut outside = String::new();
    let mut fence = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fence = !fence;
        } else if !fence {
            outside.push_str(line);
            outside.push(' ');
        }
    }
    outside.split('`').skip(1).step_by(2).map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// A command line as a shell would take it apart: quotes and comments, nothing else.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut open) = (Vec::new(), String::new(), None, false);
    for c in line.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => (quote, open) = (Some(c), true),
            (None, '#') if !open => break,
            (None, c) if c.is_whitespace() => {
                if open {
                    words.push(std::mem::take(&mut word));
                }
                open = false;
            }
            (_, c) => {
                word.push(c);
                open = true;
            }
        }
    }
    if open {
        words.push(word);
    }
    words
}

/// The arguments of `ortsnetz` in a command line, if it is one.
fn arguments(line: &str) -> Option<Vec<String>> {
    let words = words(line);
    let mut rest = words.iter().map(String::as_str).skip_while(|word| *word == "sudo").peekable();
    if rest.peek() == Some(&"systemd-run") {
        while rest.peek().is_some_and(|word| *word != "ortsnetz") {
            rest.next();
        }
    }
    (rest.next()? == "ortsnetz").then(|| rest.map(str::to_owned).collect())
}

#[test]
fn every_command_line_is_understood() {
    let mut checked = 0;
    for (page, text) in pages() {
        for line in fenced(&text, "sh").into_iter().chain(spans(&text)) {
            let Some(mut arguments) = arguments(&line) else { continue };
            // `ortsnetz COMMAND --help` stands for all.
            if arguments.first().is_none_or(|first| first.chars().all(|c| c.is_ascii_uppercase())) {
                continue;
            }
            arguments.retain(|argument| argument != "--help");
            // Everything before is parsed, nothing is done.
            arguments.push("--help".to_owned());
            let output = Command::new(ortsnetz_tests::binary()).args(&arguments).output().expect("the binary runs");
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{page}: {line}\n{error}");
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} command lines were found");
}

#[test]
fn every_link_and_every_path_leads_somewhere() {
    let folders = ["crates/", "docs/", "config/", "daemon/", "tests/", "scripts/", "fuzz/"];
    for (page, text) in pages() {
        let folder = Path::new(&page).parent().unwrap_or(Path::new("")).to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { PathBuf::from(&page) } else { folder.join(path) };
            assert!(root().join(&target).exists(), "{page}: there is no {}", target.display());
            if !anchor.is_empty() {
                let headings = read(&target.to_string_lossy());
                let slug = |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
                let found = headings.lines().filter(|line| line.starts_with('#')).any(|line| slug(line) == anchor);
                assert!(found, "{page}: {} has no heading #{anchor}", target.display());
            }
        }
        for span in spans(&text) {
            let is_path = folders.iter().any(|folder| span.starts_with(folder)) && !span.contains([' ', '*', '<']);
            assert!(!is_path || root().join(&span).exists(), "{page}: there is no {span}");
        }
    }
}

#[test]
fn every_make_target_exists() {
    let makefile = read("Makefile");
    for (page, text) in pages() {
        for line in fenced(&text, "sh").into_iter().chain(spans(&text)) {
            let words = words(&line);
            let [make, target, ..] = words.as_slice() else { continue };
            if make == "make" {
                assert!(makefile.contains(&format!("\n{target}:")), "{page}: there is no target {target}");
            }
        }
    }
}

/// Words that begin with `prefix` and go on in lower case.
fn names(text: &str, prefix: &str) -> BTreeSet<String> {
    let whole = |rest: &str| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>();
    text.match_indices(prefix).map(|(at, _)| whole(&text[at..])).collect()
}

#[test]
fn the_metrics_are_exactly_those_of_the_code() {
    let code = names(&read("crates/node/src/metrics.rs"), "ortsnetz_");
    let mut told = names(&read("docs/operations.md"), "ortsnetz_");
    let crates = ["ortsnetz_net", "ortsnetz_sync", "ortsnetz_store"];
    told.retain(|name| !crates.contains(&name.as_str()));
    let metrics: BTreeSet<_> = code.into_iter().filter(|name| !crates.contains(&name.as_str())).collect();
    assert_eq!(told, metrics);
}

/// The cells of the table below a heading, without its first two rows.
fn table(text: &str, heading: &str) -> Vec<Vec<String>> {
    let at = text.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no heading {heading}"));
    let section = text[at + 1..].lines().skip(1).take_while(|line| !line.starts_with("## "));
    let rows = section.filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn every_alarm_is_explained() {
    let code = source(&["crates/node/src/"]);
    let alarms = read("crates/node/src/alarms.rs");
    let told: BTreeSet<String> =
        table(&read("docs/operations.md"), "## Alarms").iter().map(|row| row[0].replace('`', "")).collect();
    for kind in &told {
        assert!(code.contains(&format!("\"{kind}\"")), "there is no alarm {kind}");
    }
    let describe = alarms.split("fn describe").nth(1).expect("alarms are described");
    let quoted = describe.split('"').skip(1).step_by(2).map(str::to_owned);
    let word = |text: &String| text.len() > 3 && text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    for kind in quoted.filter(word) {
        assert!(told.contains(&kind), "docs/operations.md does not explain the alarm {kind}");
    }
}

#[test]
fn every_field_of_the_configuration_is_explained() {
    let told: BTreeSet<String> =
        table(&read("docs/operations.md"), "## Configuration").iter().map(|row| row[0].replace('`', "")).collect();
    let mut section = String::new();
    let mut fields = BTreeSet::new();
    for line in read("config/ortsnetz.toml").lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            fields.insert(format!("{section}{name}"));
        }
    }
    assert_eq!(told, fields);
}

#[test]
fn every_error_and_log_line_is_one_of_the_code() {
    let code = source(&["crates/", "daemon/"]);
    let operations = read("docs/operations.md");
    let mut lines: Vec<String> = table(&operations, "## Troubleshooting").iter().map(|row| row[0].clone()).collect();
    lines.extend(table(&operations, "## Logs").iter().map(|row| row[0].clone()));
    assert!(lines.len() > 20, "the tables were found");
    for line in lines {
        let line = line.trim_matches('`');
        let mut parts = vec![String::new()];
        for word in line.split(' ') {
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
            let stands_for = bare.is_empty() || (bare.len() < 5 && bare.chars().all(|c| c.is_ascii_uppercase()));
            if stands_for && bare != "HTTP" {
                parts.push(String::new());
            } else if let Some(last) = parts.last_mut() {
                let space = if last.is_empty() { "" } else { " " };
                last.push_str(&format!("{space}{word}"));
            }
        }
        for part in parts.iter().filter(|part| !part.is_empty()) {
            assert!(code.contains(part.as_str()), "no line of the code says {part:?} of {line:?}");
        }
    }
}

/// The value of a constant in a source file: products and sums of numbers.
fn constant(source: &str, name: &str) -> Option<u64> {
    let at = source.find(&format!("const {name}:"))?;
    let text = source[at..].split('=').nth(1)?.split(';').next()?;
    let factor = |text: &str| text.trim().replace('_', "").parse::<u64>().ok();
    text.split('+').map(|sum| sum.split('*').map(factor).product::<Option<u64>>()).sum()
}

/// A value as the table writes it; times in milliseconds.
fn written(value: &str) -> Option<u64> {
    let (number, unit) = value.split_once(' ').unwrap_or((value, ""));
    let number: u64 = number.replace(',', "").parse().ok()?;
    let scale = match unit {
        "" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        "GiB" => 1024 * 1024 * 1024,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "days" => 86_400_000,
        _ => return None,
    };
    Some(number * scale)
}

#[test]
fn the_limits_are_those_of_the_code() {
    let mut checked = 0;
    for row in table(&read("docs/protocol.md"), "## Limits") {
        let (names, letters) = row[0].rsplit_once(" (").unwrap_or_else(|| panic!("{row:?} says no file"));
        let names: Vec<&str> = names.split(", ").map(|name| name.trim_matches('`')).collect();
        let values: Vec<&str> = row[1].split(", ").collect();
        assert_eq!(names.len(), values.len(), "{row:?}");
        for letter in letters.trim_end_matches(')').split(", ") {
            let file = match letter {
                "t" => "crates/trust/src/limits.rs",
                "s" => "crates/sync/src/limits.rs",
                "n" => "crates/net/src/config.rs",
                "k" => "crates/node/src/keeping/limits.rs",
                "l" => "crates/node/src/live/limits.rs",
                other => panic!("{row:?}: no file has the letter {other}"),
            };
            for (name, value) in names.iter().zip(&values) {
                let told = written(value).unwrap_or_else(|| panic!("{value:?} of {row:?} is no value"));
                assert_eq!(constant(&read(file), name), Some(told), "{name} in {file}");
                checked += 1;
            }
        }
    }
    assert!(checked > 40, "only {checked} limits were found");
}

/// The tests of a folder: files of tests, and what stands in the module of tests of others.
fn tests_of(folder: &str) -> String {
    let text = |path: &String| {
        let text = read(path);
        match path.contains("/tests/") || path.ends_with("tests.rs") {
            true => text,
            false => text.split_once("#[cfg(test)]\nmod tests").map_or_else(String::new, |(_, tests)| tests.to_owned()),
        }
    };
    files(&[folder], ".rs").iter().map(text).collect()
}

fn has_word(text: &str, word: &str) -> bool {
    let outside = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
    text.match_indices(word)
        .any(|(at, _)| outside(text[..at].chars().next_back()) && outside(text[at + word.len()..].chars().next()))
}

#[test]
fn each_named_limit_is_named_in_a_test() {
    // Nothing is refused beyond these: they say how much is shown, looked at or asked for, or bound a channel.
    let shown = [
        "AREAS_NAMED_MAX",
        "ASKED_MAX",
        "OFFICES_SHOWN_MAX",
        "PAGE_HITS_MAX",
        "STREAM_PIECES_MAX",
        "DRAINED_BYTES_MAX",
        "SUCCESSIONS_MAX",
        "SYNONYM_WORDS_MAX",
        "MEANINGS_MAX",
        "SORTS_MAX",
    ];
    let (mut checked, mut missing) = (0, Vec::new());
    let limits = files(&["crates/"], "/limits.rs").into_iter().chain(["crates/net/src/config.rs".to_owned()]);
    for file in limits {
        let source = read(&file);
        let folder: String = file.split_inclusive('/').take(2).collect();
        // Some hold only where two crates meet.
        let tests = [tests_of(&folder), tests_of("crates/node/")].concat();
        for name in source.split("const ").skip(1).filter_map(|rest| rest.split(':').next()) {
            let is_limit = name.ends_with("_MAX") || name.ends_with("_MS");
            let elsewhere = name.starts_with("SEALED_EVERY") || name.starts_with("PROVE_EVERY");
            if is_limit && !shown.contains(&name) && !elsewhere {
                checked += 1;
                missing.extend((!has_word(&tests, name)).then(|| format!("{name} of {file}")));
            }
        }
    }
    assert!(missing.is_empty(), "no test of the crate names {}", missing.join(", "));
    assert!(checked > 100, "only {checked} limits were found");
}

#[test]
fn the_limits_of_a_connection_are_those_of_the_code() {
    let source = read("crates/net/src/config.rs");
    let defaults = source.split("impl Default for Limits").nth(1).and_then(|text| text.split("\n}\n").next());
    let defaults = defaults.expect("the defaults");
    let value = |name: &str| -> Option<u64> {
        let text = defaults.split(&format!("{name}: ")).nth(1)?.split(',').next()?;
        text.split('*').map(|factor| factor.trim().parse::<u64>().ok()).product()
    };
    let rows = table(&read("docs/protocol.md"), "## Limits of a connection");
    for row in &rows {
        let name = row[0].trim_matches('`');
        assert_eq!(value(name), written(&row[1]), "{row:?}");
        assert!(value(name).is_some(), "{row:?}: there is no such limit");
    }
    assert_eq!(rows.len(), defaults.matches(": ").count(), "each field has its row");
}

#[test]
fn every_constant_that_is_named_exists() {
    let code = source(&["crates/", "daemon/", "tests/"]);
    for (page, text) in pages() {
        for span in spans(&text) {
            let is_constant = span.contains('_') && span.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            if is_constant && !span.starts_with("ORTSNETZ_") {
                assert!(code.contains(&format!("const {span}:")), "{page}: there is no constant {span}");
            } else if is_constant {
                assert!(code.contains(&format!("\"{span}\"")), "{page}: nothing reads {span}");
            }
        }
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let folders = ["model", "trust", "sync", "store", "net", "search", "exchange", "node", "api", "daemon", "tests"];
    let mut checked = 0;
    for (page, text) in pages() {
        for span in spans(&text) {
            let Some((name, test)) = span.split_once(": ").filter(|(name, _)| folders.contains(name)) else { continue };
            let folder = match name {
                "daemon" | "tests" => format!("{name}/"),
                _ => format!("crates/{name}/"),
            };
            assert!(source(&[&folder]).contains(&format!("fn {test}(")), "{page}: {name} has no test {test}");
            checked += 1;
        }
    }
    assert!(checked > 30, "only {checked} tests were named");
}

#[test]
fn the_table_and_the_mapping_of_the_import_page_are_read_as_it_says() {
    let page = read("docs/import.md");
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, language: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, fenced(&page, language).join("\n") + "\n").expect("a file");
        path.display().to_string()
    };
    let (table, mapping) = (write("leistungen.csv", "csv"), write("spalten.toml", "toml"));
    let town = ortsnetz_tests::Town::new(dir.path(), "Stadt Siegburg", "053820060060");
    let report = town.ok(&["import", &table, "--mapping", &mapping, "--publish"]);
    assert_eq!((&report["created"], &report["published"]), (&2.into(), &2.into()), "{report}");
    assert_eq!((&report["rejected"][0]["line"], report["rejected"].as_array().map(Vec::len)), (&4.into(), Some(1)));
    let doubts = report["findings"].as_array().expect("findings").iter();
    assert!(doubts.filter(|finding| finding["path"] == "fees.0.amount").count() == 1, "{report}");

    let file = dir.path().join("export.jsonl");
    town.ok(&["export", "--out", &file.display().to_string()]);
    let export = std::fs::read_to_string(file).expect("an export");
    let line: serde_json::Value = serde_json::from_str(export.lines().next().expect("a line")).expect("JSON");
    let told: serde_json::Value = serde_json::from_str(&fenced(&page, "json").join("\n")).expect("JSON");
    for (field, value) in told.as_object().expect("an entry") {
        assert_eq!(line[field], *value, "{field}");
    }
    assert_eq!(line["offices"].as_array().map(Vec::len), Some(1), "{line}");
}

/// A script that knows docs/protocol.md and none of our crates.
#[test]
fn a_second_implementation_agrees_with_the_test_vectors() {
    let output = Command::new("python3")
        .arg(root().join("tests/vectors/check.py"))
        .output()
        .unwrap_or_else(|error| panic!("python3: {error}; install it with `apt-get install python3`"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).ends_with(" things checked\n"));
}
