//! `import`, `export`: files of any length, with a progress bar on a terminal.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Read};
use std::path::Path;

use data_encoding::BASE64URL_NOPAD;
use indicatif::{ProgressBar, ProgressStyle};
use ortsnetz_api::HEADER_MAPPING;
use ortsnetz_node::dto::{ImportReport, Rejection};
use serde_json::json;

use super::Context;
use crate::args::{Export, Import};
use crate::failure::Failure;

/// The exit code of a command that was stopped.
const INTERRUPTED: i32 = 1;
/// Bytes copied at once.
const COPY_BYTES: usize = 64 * 1024;
/// Findings and rejections shown in the table; `--json` has all.
const SHOWN_MAX: usize = 20;

/// A file being read, with its progress.
pub(crate) struct Source {
    /// Its name, for messages.
    pub(crate) name: String,
    reader: Box<dyn Read>,
    bar: ProgressBar,
}

impl Source {
    /// Opens a file, or standard input for `-`.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        if path.as_os_str() == "-" {
            return Ok(Self { name: "stdin".into(), reader: Box::new(io::stdin()), bar: bar(None) });
        }
        let wrong = |error: &dyn std::fmt::Display| Failure::Failed(format!("could not read {name}: {error}"));
        let file = File::open(path).map_err(|error| wrong(&error))?;
        let about = file.metadata().map_err(|error| wrong(&error))?;
        if about.is_dir() {
            return Err(wrong(&"it is a directory"));
        }
        let length = about.is_file().then_some(about.len());
        Ok(Self { name, reader: Box::new(file), bar: bar(length) })
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.bar.inc(u64::try_from(count).unwrap_or(0));
        if count == 0 {
            self.bar.set_message("the daemon finishes");
        }
        Ok(count)
    }
}

/// A bar on standard error if that is a terminal, else one that shows nothing.
fn bar(length: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match length {
        Some(length) => {
            (ProgressBar::new(length), "{prefix} {bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} {msg}")
        }
        None => (ProgressBar::new_spinner(), "{prefix} {spinner} {bytes} {binary_bytes_per_sec} {msg}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style).with_prefix("import"),
        Err(_) => bar,
    }
}

/// `import`
pub(crate) fn import(context: &Context, args: &Import) -> Result<(), Failure> {
    let daemon = context.daemon()?;
    let mapping = match &args.mapping {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::Failed(format!("could not read {}: {error}", path.display())))?;
            Some((HEADER_MAPPING, BASE64URL_NOPAD.encode(text.as_bytes())))
        }
        None => None,
    };
    // All of them can be opened, or nothing is read.
    let mut sources = Vec::with_capacity(args.files.len());
    for file in &args.files {
        sources.push(Source::open(file)?);
    }
    say_when_interrupted();
    let flag = |on: bool| on.then(|| "true".to_owned());
    let mut report = ImportReport::default();
    for mut source in sources {
        let query = [
            ("file", Some(source.name.clone())),
            ("format", Some(args.format.word().to_owned())),
            ("collection", args.collection.clone()),
            ("valid_for", args.valid_for.clone()),
            ("publish", flag(args.publish)),
            ("dry_run", flag(args.dry_run)),
        ];
        let result = daemon.upload("/imports", &query, mapping.clone(), &mut source);
        source.finish();
        let one = serde_json::from_value(result?)
            .map_err(|error| Failure::Failed(format!("the daemon's answer was not understood: {error}")))?;
        merge(&mut report, one);
    }
    let failed = nothing_accepted(&report);
    context.output.verdict(json!(report), failed.is_none(), |report: ImportReport| lines(&report, args.dry_run))?;
    match failed {
        None => Ok(()),
        Some(line) => Err(Failure::Failed(line)),
    }
}

/// Ctrl-C ends the command with one line: the daemon takes in what it has got, and the rest waits for the next time.
fn say_when_interrupted() {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    // Without the thread Ctrl-C ends the command as silently as any other.
    let _ = std::thread::Builder::new().name("interrupt".into()).spawn(move || {
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            let line =
                "\nortsnetz: the import was stopped; what the daemon had got by then stays, import again to go on\n";
            let _ = io::Write::write_all(&mut io::stderr(), line.as_bytes());
            std::process::exit(INTERRUPTED);
        }
    });
}

/// Why an import failed, with the first reason; `None` if anything was accepted.
fn nothing_accepted(report: &ImportReport) -> Option<String> {
    if report.created + report.updated + report.unchanged > 0 {
        return None;
    }
    let Some(first) = report.rejected.first() else {
        return Some("import accepted nothing: there are no records; is it the right file?".into());
    };
    let Rejection { file, line, reason } = first;
    let more = match report.rejected.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more, see `rejected`)"),
    };
    Some(format!("import accepted nothing: {file}:{line}: {reason}{more}; correct it and import again"))
}

fn merge(all: &mut ImportReport, one: ImportReport) {
    all.created += one.created;
    all.updated += one.updated;
    all.unchanged += one.unchanged;
    all.published += one.published;
    all.requested += one.requested;
    all.held_back += one.held_back;
    all.relinked += one.relinked;
    all.findings_before += one.findings_before;
    all.kept.extend(one.kept);
    all.rejected.extend(one.rejected);
    all.findings.extend(one.findings);
}

fn lines(report: &ImportReport, dry_run: bool) -> String {
    let mut out = rejections(&report.rejected);
    // Writing to a string cannot fail.
    for finding in report.findings.iter().take(SHOWN_MAX) {
        let _ = writeln!(out, "{}: {} {}: {}", finding.severity, finding.id, finding.path, finding.message);
    }
    if report.findings.len() > SHOWN_MAX {
        let _ = writeln!(out, "... and {} more findings; --json shows all", report.findings.len() - SHOWN_MAX);
    }
    if report.findings_before > 0 {
        let _ = writeln!(out, "{} doubts about unchanged entries, as before", report.findings_before);
    }
    for kept in report.kept.iter().take(SHOWN_MAX) {
        let _ = writeln!(out, "kept: {} {} was changed by a person", kept.id, kept.path);
    }
    let _ = writeln!(
        out,
        "{}{} created, {} updated, {} unchanged, {} values kept, {} published, {} requested, {} held back, {} rejected",
        if dry_run { "nothing was written; it would be: " } else { "" },
        report.created,
        report.updated,
        report.unchanged,
        report.kept.len(),
        report.published,
        report.requested,
        report.held_back,
        report.rejected.len(),
    );
    out
}

/// The lines that were not taken in.
pub(crate) fn rejections(rejected: &[Rejection]) -> String {
    let mut out = String::new();
    for rejection in rejected.iter().take(SHOWN_MAX) {
        let _ = writeln!(out, "rejected: {}:{}: {}", rejection.file, rejection.line, rejection.reason);
    }
    if rejected.len() > SHOWN_MAX {
        let _ = writeln!(out, "... and {} more rejected; --json shows all", rejected.len() - SHOWN_MAX);
    }
    out
}

/// `export`
pub(crate) fn export(context: &Context, args: Export) -> Result<(), Failure> {
    let query = [
        ("format", Some(args.format.word().to_owned())),
        ("organisation", args.organisation),
        ("companions", args.companions.then(|| "true".to_owned())),
        ("drafts", args.drafts.then(|| "true".to_owned())),
    ];
    let mut reader = context.daemon()?.download("/exports", &query)?;
    deliver(context, &mut reader, args.out)
}

/// Writes what comes to a file, or to standard output.
pub(crate) fn deliver(
    context: &Context,
    reader: &mut impl Read,
    out: Option<std::path::PathBuf>,
) -> Result<(), Failure> {
    let Some(path) = out else {
        let copied = copy(reader, &mut io::stdout().lock());
        return match copied {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(|error| Failure::Failed(format!("the export broke off: {error}"))),
        };
    };
    // A name of its own until it is whole: an export that broke off never looks like a good one.
    let mut partial = path.clone().into_os_string();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let written = write_whole(reader, partial).and_then(|()| std::fs::rename(partial, &path));
    if let Err(error) = written {
        // What broke off is of no use to anybody, and may fill a disk.
        let _ = std::fs::remove_file(partial);
        return Err(Failure::Failed(format!("could not write {}: {error}", path.display())));
    }
    context.done(&format!("wrote {}", path.display()))
}

fn write_whole(reader: &mut impl Read, path: &Path) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(COPY_BYTES, File::create(path)?);
    copy(reader, &mut file)?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

fn copy(reader: &mut impl Read, writer: &mut impl io::Write) -> io::Result<()> {
    io::copy(reader, writer)?;
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_files_make_one_report() {
        let mut all = ImportReport { created: 1, ..ImportReport::default() };
        let rejected = vec![Rejection { file: "b".into(), line: 3, reason: "broken JSON".into() }];
        merge(&mut all, ImportReport { created: 2, unchanged: 5, rejected, ..ImportReport::default() });
        assert_eq!((all.created, all.unchanged), (3, 5));
        let text = lines(&all, false);
        assert!(text.starts_with("rejected: b:3: broken JSON\n3 created, 0 updated, 5 unchanged"), "{text}");
        assert!(lines(&all, true).contains("nothing was written"));
    }

    #[test]
    fn an_import_that_accepts_nothing_says_why() {
        let rejection = |line| Rejection { file: "b".into(), line, reason: "broken JSON".into() };
        let mut report = ImportReport { rejected: vec![rejection(3)], ..ImportReport::default() };
        let line = "import accepted nothing: b:3: broken JSON; correct it and import again";
        assert_eq!(nothing_accepted(&report).as_deref(), Some(line));
        report.rejected.push(rejection(4));
        assert!(nothing_accepted(&report).is_some_and(|line| line.contains("(and 1 more, see `rejected`)")));
        assert!(nothing_accepted(&ImportReport::default()).is_some_and(|line| line.contains("no records")));
        report.unchanged = 1;
        assert_eq!(nothing_accepted(&report), None);
    }

    #[test]
    fn an_export_that_breaks_off_leaves_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        struct Cut;
        impl Read for Cut {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("cable cut"))
            }
        }
        let path = directory.path().join("a.partial");
        assert!(write_whole(&mut Cut, &path).is_err());
        assert!(write_whole(&mut &b"{}\n"[..], &path).is_ok());
        assert_eq!(std::fs::read(&path).expect("written"), b"{}\n");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let Err(Failure::Failed(line)) = Source::open(Path::new("/no/such/file.jsonl")) else {
            panic!("it cannot be opened");
        };
        assert!(line.contains("/no/such/file.jsonl"), "{line}");
        assert!(Source::open(Path::new("/")).is_err());
    }
}
