//! `answer`.

use std::fmt::Write as _;

use ortsnetz_node::dto::{
    AllowedInfo, Answer, AnswersResult, FeedbackInfo, NoticeInfo, OfficeInfo, OpeningInfo, OrganisationInfo,
    ResponsibleInfo, SourceInfo, StepInfo,
};
use serde_json::Value;

use super::Context;
use super::places::place_table;
use super::search::left_lines;
use super::show::amount;
use crate::args::Ask;
use crate::failure::Failure;

/// `answer`
pub(crate) fn answer(context: &Context, args: Ask) -> Result<(), Failure> {
    let query = [
        ("q", Some(args.words.join(" "))),
        ("id", args.id),
        ("place", args.place),
        ("from", args.from),
        ("conditions", args.conditions),
        ("on", args.on),
        ("at", args.at),
        ("lang", Some(args.lang)),
        ("limit", args.limit.map(|limit| limit.to_string())),
        ("deadline_ms", args.deadline.map(|ms| ms.to_string())),
    ];
    let document = context.daemon()?.get("/answers", &query)?;
    context.output.show(document, |result: AnswersResult| lines(&result))
}

fn lines(result: &AnswersResult) -> String {
    if result.places.len() > 1 {
        return format!("the place is ambiguous; ask again with one of these ARS:\n{}", place_table(&result.places));
    }
    let mut out = String::new();
    // Writing to a string cannot fail, here and below.
    for notice in &result.notices {
        out.push_str(&notice_line(notice));
    }
    if let Some(town) = &result.town {
        let numbers = town.numbers.join(", ");
        let _ = writeln!(out, "{}{}{numbers}", town.organisation.name, if numbers.is_empty() { "" } else { " · " });
        for said in [&town.greeting, &town.remarks].into_iter().flatten() {
            let _ = writeln!(out, "  {}", one_line(said));
        }
        out.push('\n');
    }
    for answer in &result.answers {
        out.push_str(&answer_lines(answer, &result.notices));
        out.push('\n');
    }
    if !result.hits.is_empty() {
        out.push_str("further entries:\n");
        for hit in &result.hits {
            let remark = hit.remark.as_ref().map(|remark| format!(" · {remark}")).unwrap_or_default();
            let _ = writeln!(out, "  {} · {}{remark} · {}", hit.title, hit.organisation.name, hit.id);
        }
    }
    let place = result.place.as_ref().map(|place| format!(" for {}", place.name)).unwrap_or_default();
    let _ = writeln!(out, "{} answers{place} at {} in {:.1} ms", result.answers.len(), result.at, result.took_ms);
    out.push_str(&left_lines(&result.left));
    let missing = &result.completeness.missing;
    if !missing.is_empty() {
        let _ = writeln!(out, "incomplete, no answer from: {}", missing.join(", "));
    }
    out
}

/// A report that nobody has settled, as a warning.
pub(super) fn report_line(report: &FeedbackInfo) -> String {
    let path = report.path.as_ref().map(|path| format!(" at {path}")).unwrap_or_default();
    let id = report.id.get(..8).unwrap_or(&report.id);
    format!(
        "reported as {}{path} by {}: {} ({}, {id})",
        report.problem,
        report.by.name,
        one_line(&report.text),
        report.state
    )
}

fn answer_lines(answer: &Answer, said: &[NoticeInfo]) -> String {
    let mut out = format!("{}\n", answer.title);
    for notice in answer.notices.iter().filter(|notice| !said.iter().any(|known| known.id == notice.id)) {
        let _ = write!(out, "  {}", notice_line(notice));
    }
    if let Some(remark) = &answer.remark {
        let _ = writeln!(out, "  ! {remark}");
    }
    for report in &answer.reports {
        let _ = writeln!(out, "  ! {}", report_line(report));
    }
    if !answer.allowed.actions.is_empty() {
        let _ = writeln!(out, "  {}", allowed_text(&answer.allowed));
    }
    let owner = |source: usize| match answer.sources.get(source) {
        // One owner needs no name beside each line.
        Some(source) if answer.sources.len() > 1 => format!(" [{}]", source.organisation.name),
        _ => String::new(),
    };
    if let Some(short) = &answer.short {
        let _ = writeln!(out, "  {}{}", one_line(&short.text), owner(short.source));
    }
    if let Some(fees) = &answer.fees {
        for fee in fees.value.as_array().into_iter().flatten() {
            let _ = writeln!(out, "  fee: {}{}", fee_text(fee), owner(fees.source));
        }
    }
    for text in &answer.texts {
        let _ = writeln!(out, "  {}: {}{}", text.name.replace('_', " "), one_line(&text.text), owner(text.source));
    }
    if answer.ask_district {
        let _ = writeln!(out, "  ask which part of the town: different offices are responsible");
    }
    for record in &answer.responsible {
        out.push_str(&responsible_lines(record));
    }
    if !answer.nobody.is_empty() {
        let _ = writeln!(out, "  nobody is recorded as responsible; ask:");
        for level in &answer.nobody {
            let number = level.number.as_deref().unwrap_or("number not known");
            let there = if level.organisation.is_some() { "" } else { " · not in the network" };
            let _ = writeln!(out, "    {} ({}) · {number}{there}", level.name, level.level);
        }
    }
    for note in &answer.agent_notes {
        let _ = writeln!(out, "  for agents: {}{}", one_line(&note.text), owner(note.source));
    }
    for source in &answer.sources {
        let _ = writeln!(out, "  {}", source_line(source));
    }
    for condition in &answer.conditions {
        let _ = writeln!(out, "  ask ({}): {}", condition.n, one_line(&condition.text));
    }
    for (number, step) in answer.steps.iter().enumerate() {
        out.push_str(&step_lines(number + 1, step));
    }
    for related in &answer.related {
        let _ = writeln!(out, "  see also: {} · {} · {}", related.title, related.organisation.name, related.id);
    }
    out
}

fn step_lines(number: usize, step: &StepInfo) -> String {
    let mut facts = Vec::new();
    facts.extend(step.deadline_days.map(|days| format!("within {days} days")));
    facts.extend(step.condition.as_ref().map(|condition| format!("if: {}", one_line(condition))));
    facts.push(match step.state.as_str() {
        "gone" => "its entry is not there any more: ask the town".to_owned(),
        "place_missing" => "say --from to know more".to_owned(),
        "stale" => "stale".to_owned(),
        "provider" => "not the administration".to_owned(),
        _ => String::new(),
    });
    let facts = facts.into_iter().filter(|fact| !fact.is_empty()).collect::<Vec<_>>().join(" · ");
    let facts = if facts.is_empty() { facts } else { format!(" ({facts})") };
    let mut out = format!("  {number}. {}{facts}\n", step.title);
    if let Some(answer) = &step.answer {
        let town = answer.sources.first().map(|source| source.organisation.name.as_str()).unwrap_or_default();
        let fees = answer.fees.as_ref().and_then(|fees| fees.value.as_array()).into_iter().flatten().map(fee_text);
        let fees = fees.collect::<Vec<_>>().join(", ");
        let fees = if fees.is_empty() { fees } else { format!(" · {fees}") };
        let _ = writeln!(out, "     {town}: {}{fees}", answer.title);
        for record in &answer.responsible {
            for line in responsible_lines(record).lines() {
                let _ = writeln!(out, "   {line}");
            }
        }
    }
    if let Some(provider) = &step.provider {
        let _ = writeln!(out, "     {} {}", provider.name, provider.url.as_deref().unwrap_or_default());
    }
    out
}

fn allowed_text(allowed: &AllowedInfo) -> String {
    let actions = allowed.actions.iter().map(|action| action.replace('_', " ")).collect::<Vec<_>>().join(", ");
    let why = match (allowed.state.as_str(), allowed.stage) {
        ("own", _) => "our own town".to_owned(),
        ("none", _) => "no agreement with the town".to_owned(),
        ("in_force", Some(stage)) => format!("agreement of stage {stage}"),
        (state, _) => format!("the agreement is {state}"),
    };
    let closed = if allowed.within_hours { "" } else { "; outside the agreed hours" };
    format!("you may: {actions} ({why}{closed})")
}

fn notice_line(notice: &NoticeInfo) -> String {
    let text = if notice.text.is_empty() { String::new() } else { format!(": {}", one_line(&notice.text)) };
    let OrganisationInfo { name, .. } = &notice.organisation;
    format!("! {} {}{text} ({name}, until {})\n", notice.urgency, notice.title, notice.until)
}

fn responsible_lines(record: &ResponsibleInfo) -> String {
    let mut out = String::new();
    let districts =
        if record.districts.is_empty() { String::new() } else { format!(" for {}", record.districts.join(", ")) };
    if let Some(office) = &record.office {
        let _ = writeln!(out, "  {}{districts}: {}", record.role, office.title);
        out.push_str(&office_lines(office));
    }
    if let Some(online) = &record.online_service {
        let _ = writeln!(out, "  online{districts}: {} {}", online.title, online.url);
    }
    if let Some(caveat) = &record.caveat {
        let _ = writeln!(out, "    but: {}", one_line(caveat));
    }
    out
}

fn office_lines(office: &OfficeInfo) -> String {
    let mut out = String::new();
    let field =
        |name: &str| office.address.as_ref().and_then(|address| address.get(name)?.as_str()).unwrap_or_default();
    let address = [field("street"), field("house_number"), field("postal_code"), field("city")];
    let address = address.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let phone = office.contacts.as_ref().and_then(Value::as_array).into_iter().flatten().find_map(|contact| {
        (contact.get("channel").and_then(Value::as_str) == Some("phone")).then(|| contact.get("value")?.as_str())?
    });
    let facts = [address.as_str(), phone.unwrap_or_default()].into_iter().filter(|fact| !fact.is_empty());
    let facts = facts.chain(std::iter::once("")).collect::<Vec<_>>().join(" · ");
    let _ = writeln!(out, "    {facts}{}", opening_text(&office.opening));
    if let Some(note) = &office.agent_note {
        let _ = writeln!(out, "    for agents: {}", one_line(note));
    }
    out
}

fn opening_text(opening: &OpeningInfo) -> String {
    let because = opening.closed_because.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    let mut text = match (opening.state.as_str(), &opening.until, &opening.opens) {
        ("open", Some(until), _) => format!("open until {until}"),
        ("later", _, Some(opens)) => format!("closed now, opens today at {}", opens.split('T').nth(1).unwrap_or(opens)),
        ("closed", _, Some(opens)) => format!("closed{because}, opens {}", opens.replace('T', " at ")),
        ("closed", ..) => format!("closed{because}"),
        _ => "opening hours not known".into(),
    };
    if let Some(stop) = &opening.stop {
        let _ = write!(text, ", at {stop}");
    }
    if let Some(day) = &opening.doubt {
        let _ = write!(text, "; today is {day}: call first");
    }
    text
}

fn source_line(source: &SourceInfo) -> String {
    let mut facts = vec![source.freshness.clone()];
    facts.extend(source.reasons.iter().map(|reason| reason.replace('_', " ")));
    facts.push(format!("{} ({})", source.organisation.name, source.level));
    facts.push(format!("published {}", source.published_at));
    facts.extend(source.checkpoint_at.as_ref().map(|at| format!("checkpoint {at}")));
    facts.extend(source.next_review.as_ref().map(|date| format!("next review {date}")));
    facts.push(source.entry.clone());
    facts.join(" · ")
}

fn fee_text(fee: &Value) -> String {
    let note = fee.get("note").and_then(Value::as_object).and_then(|by_language| by_language.values().next());
    let note = note.and_then(Value::as_str).map(|note| format!(" ({})", one_line(note))).unwrap_or_default();
    let figure = match (amount(fee, "amount"), amount(fee, "max_amount")) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(figure), None) => figure,
        (None, Some(most)) => format!("up to {most}"),
        (None, None) => fee.get("kind").and_then(Value::as_str).unwrap_or("not known").to_owned(),
    };
    figure + &note
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use ortsnetz_node::dto::{AnswerField, AnswerText, LevelInfo};
    use serde_json::json;

    use super::*;

    fn town(name: &str) -> OrganisationInfo {
        OrganisationInfo { name: name.into(), ..OrganisationInfo::default() }
    }

    #[test]
    fn an_answer_names_fee_office_and_whose_word_it_is() {
        let source = |name: &str, level: &str| SourceInfo {
            organisation: town(name),
            level: level.into(),
            freshness: "fresh".into(),
            ..SourceInfo::default()
        };
        let office = OfficeInfo {
            title: "Bürgeramt".into(),
            contacts: Some(json!([{"channel": "phone", "value": "+49 2241 102-0"}])),
            opening: OpeningInfo { state: "open".into(), until: Some("12:00".into()), ..OpeningInfo::default() },
            ..OfficeInfo::default()
        };
        let answer = Answer {
            title: "Hund anmelden".into(),
            short: Some(AnswerText { text: "Wer einen Hund hält, zahlt.".into(), source: 1, ..AnswerText::default() }),
            fees: Some(AnswerField { value: json!([{"kind": "fixed", "amount": 9600}]), source: 0 }),
            responsible: vec![ResponsibleInfo {
                role: "responsible".into(),
                office: Some(office),
                ..ResponsibleInfo::default()
            }],
            sources: vec![source("Stadt Siegburg", "municipality"), source("Land NRW", "state")],
            ..Answer::default()
        };
        let text = lines(&AnswersResult { answers: vec![answer], ..AnswersResult::default() });
        for line in [
            "  Wer einen Hund hält, zahlt. [Land NRW]\n",
            "  fee: 96.00 EUR [Stadt Siegburg]\n",
            "  responsible: Bürgeramt\n    +49 2241 102-0 · open until 12:00\n",
            "  fresh · Stadt Siegburg (municipality) · published",
        ] {
            assert!(text.contains(line), "{line:?} is missing in\n{text}");
        }
    }

    #[test]
    fn nobody_is_guessed() {
        let level = LevelInfo { level: "county".into(), name: "Rhein-Sieg-Kreis".into(), ..LevelInfo::default() };
        let text = lines(&AnswersResult {
            answers: vec![Answer { nobody: vec![level], ..Answer::default() }],
            ..AnswersResult::default()
        });
        assert!(text.contains("    Rhein-Sieg-Kreis (county) · number not known · not in the network\n"), "{text}");
    }
}
