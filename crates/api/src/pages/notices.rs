//! Notices in force, above everything else on a page.

use maud::{Markup, html};
use ortsnetz_node::dto::NoticeInfo;

use super::commonmark;
use super::format::moment;
use super::lang::Lang;

/// The notices, the most urgent first; nothing if there are none.
pub(crate) fn list(notices: &[NoticeInfo], lang: Lang) -> Markup {
    html! {
        @for notice in notices {
            section class={ "notice " (tone(&notice.urgency)) } role="alert" aria-label=(word(&notice.urgency, lang)) {
                h2 { (notice.title) }
                @if !notice.text.is_empty() { (commonmark::render(&notice.text)) }
                p .quiet { (notice.organisation.name) " · " (lang.pick("gilt bis ", "until ")) (moment(&notice.until, lang)) }
            }
        }
    }
}

fn tone(urgency: &str) -> &'static str {
    match urgency {
        "alarm" => "bad",
        "info" => "",
        _ => "warn",
    }
}

fn word(urgency: &str, lang: Lang) -> &'static str {
    match urgency {
        "alarm" => lang.pick("Warnung", "Alarm"),
        "info" => lang.pick("Information", "Information"),
        _ => lang.pick("Hinweis", "Notice"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_text_and_never_markup_of_somebody_else() {
        let notice = NoticeInfo {
            title: "Sturm <b>".into(),
            text: "Bitte **zu Hause** bleiben <script>alert(1)</script>".into(),
            urgency: "alarm".into(),
            until: "2026-12-31T23:00:00Z".into(),
            ..NoticeInfo::default()
        };
        let page = list(&[notice], Lang::De).into_string();
        assert!(page.contains("notice bad") && page.contains("Sturm &lt;b&gt;"), "{page}");
        assert!(page.contains("<strong>zu Hause</strong>") && !page.contains("<script>"), "{page}");
        assert_eq!(list(&[], Lang::De).into_string(), "");
    }
}
