//! What an import tells.

use ortsnetz_model::{EntryId, Finding, Severity};

use super::{DRAFT_OF_A_PERSON, Effect, Taken, held_back_finding};
use crate::dto::{FindingInfo, ImportReport, Kept, Rejection};

/// Findings, rejections and kept values told one by one; more are counted. A file may have ten million lines.
const REPORT_ROWS_MAX: usize = 10_000;

/// The report as it grows, with bounded lists.
#[derive(Default)]
pub(super) struct Report {
    pub report: ImportReport,
    more_rejected: u64,
    more_findings: u64,
}

impl Report {
    /// Notes a record that was not taken in.
    pub fn reject(&mut self, rejection: Rejection) {
        if self.report.rejected.len() < REPORT_ROWS_MAX {
            self.report.rejected.push(rejection);
        } else {
            self.more_rejected += 1;
        }
    }

    /// Counts a record that was taken in and is written. What is doubtful about an unchanged entry was told when it came.
    pub fn take(&mut self, id: &EntryId, taken: Taken) {
        let report = &mut self.report;
        match taken.effect {
            Effect::Created => report.created += 1,
            Effect::Updated => report.updated += 1,
            Effect::Unchanged => report.unchanged += 1,
        }
        report.published += u64::from(taken.published);
        report.requested += u64::from(taken.requested);
        let mut findings = taken.findings;
        if taken.effect == Effect::Unchanged {
            report.findings_before += findings.len() as u64;
            findings.clear();
        }
        report.held_back += u64::from(taken.held_back);
        findings.extend(taken.notices);
        let kept = taken.kept.into_iter().map(|path| Kept { id: id.to_string(), path }).collect();
        self.doubts(infos(id, findings), kept);
    }

    /// Counts an entry in which something moved because of what this import brought.
    pub fn relinked(&mut self, id: &EntryId, held_back: bool) {
        self.report.relinked += 1;
        if held_back {
            self.report.held_back += 1;
            self.doubts(infos(id, vec![held_back_finding(id, DRAFT_OF_A_PERSON)]), Vec::new());
        }
    }

    fn doubts(&mut self, findings: Vec<FindingInfo>, kept: Vec<Kept>) {
        let room = REPORT_ROWS_MAX.saturating_sub(self.report.findings.len());
        self.more_findings += findings.len().saturating_sub(room) as u64;
        self.report.findings.extend(findings.into_iter().take(room));
        let room = REPORT_ROWS_MAX.saturating_sub(self.report.kept.len());
        self.report.kept.extend(kept.into_iter().take(room));
    }

    /// The report, with what was left off counted.
    pub fn finish(mut self, file: &str) -> ImportReport {
        if self.more_rejected > 0 {
            self.report.rejected.push(Rejection {
                file: file.to_owned(),
                line: 0,
                reason: format!("and {} more records; only the first {REPORT_ROWS_MAX} are listed", self.more_rejected),
            });
        }
        if self.more_findings > 0 {
            self.report.findings.push(FindingInfo {
                id: String::new(),
                path: String::new(),
                severity: "warning".into(),
                message: format!(
                    "and {} more findings; only the first {REPORT_ROWS_MAX} are listed",
                    self.more_findings
                ),
            });
        }
        self.report
    }
}

fn infos(id: &EntryId, findings: Vec<Finding>) -> Vec<FindingInfo> {
    findings
        .into_iter()
        .map(|finding| FindingInfo {
            id: id.to_string(),
            path: finding.path,
            severity: if finding.severity == Severity::Error { "error" } else { "warning" }.into(),
            message: finding.message,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_lists_up_to_its_limit_and_counts_the_rest() {
        let rejection = || Rejection { file: "f".into(), line: 1, reason: "r".into() };
        for (given, listed) in [(REPORT_ROWS_MAX, REPORT_ROWS_MAX), (REPORT_ROWS_MAX + 2, REPORT_ROWS_MAX + 1)] {
            let mut report = Report::default();
            (0..given).for_each(|_| report.reject(rejection()));
            let report = report.finish("f");
            assert_eq!(report.rejected.len(), listed);
            assert_eq!(
                report.rejected.last().is_some_and(|last| last.reason.contains("and 2 more")),
                given > listed - 1 && listed > REPORT_ROWS_MAX
            );
        }
    }
}
