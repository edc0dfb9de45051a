use super::*;

/// Anna and Bert edit the same version and then exchange.
fn meanwhile(edit_a: impl FnOnce(&mut Desk), edit_b: impl FnOnce(&mut Desk)) -> (Desk, Desk) {
    let mut anna = desk_with(&service());
    let mut bert = anna.fork(2);
    edit_a(&mut anna);
    edit_b(&mut bert);
    anna.take(&bert);
    bert.take(&anna);
    assert_eq!(anna.entry(), bert.entry());
    assert_eq!(anna.document.conflicts(), bert.document.conflicts());
    (anna, bert)
}

#[test]
fn edits_of_different_blocks_both_survive() {
    let text = "Erster Absatz über Türöffnung.\n\nZweiter Absatz mit €.\n\nDritter Absatz 😀.";
    let (anna, _) = meanwhile(
        |anna| drop(anna.edit("texts.description.de", &text.replace("Erster", "Der erste"))),
        |bert| drop(bert.edit("texts.description.de", &text.replace("Absatz 😀", "Absatz, groß 😀"))),
    );
    let merged = text.replace("Erster", "Der erste").replace("Absatz 😀", "Absatz, groß 😀");
    assert_eq!(anna.at("texts.description.de"), json!(merged));
    assert_eq!(anna.document.conflicts(), []);
}

#[test]
fn edits_of_one_block_are_a_conflict_until_resolved() {
    let edit = |word: &'static str| {
        move |desk: &mut Desk| {
            let text = desk.at("texts.description.de").as_str().unwrap().replace("Zweiter", word);
            desk.edit("texts.description.de", &text);
        }
    };
    let (mut anna, mut bert) = meanwhile(edit("Äußerster"), edit("Süßer"));
    let conflicts = anna.document.conflicts();
    assert_eq!(conflicts.len(), 1);
    let conflict = &conflicts[0];
    assert!(conflict.path.starts_with("texts.description.de#"), "{}", conflict.path);
    let mut values: Vec<_> = conflict.values.iter().map(|value| value.value.as_str().unwrap()).collect();
    values.sort_unstable();
    assert_eq!(values, ["Süßer Absatz mit €.", "Äußerster Absatz mit €."]);
    assert!(conflict.values.iter().any(|value| value.actor == actor(1) && value.at == AT));
    assert!(anna.document.contains(&[conflict.values[0].change]));

    // Editing elsewhere decides nothing.
    anna.edit("title.de", "x");
    assert_eq!(anna.document.conflicts().len(), 1);
    let n = conflict.values.iter().position(|value| value.value == "Süßer Absatz mit €.").unwrap();
    assert!(anna.document.resolve(&conflict.path, 2, AT).is_err());
    assert!(anna.document.resolve("title.de", 0, AT).is_err());
    anna.document.resolve(&conflict.path, n, AT).unwrap();
    bert.take(&anna);
    assert_eq!(bert.document.conflicts(), []);
    assert!(bert.at("texts.description.de").as_str().unwrap().contains("Süßer Absatz"));
}

#[test]
fn a_value_changed_twice_is_a_conflict_and_equal_values_are_not() {
    let (mut anna, _) = meanwhile(
        |anna| drop((anna.edit("fees.0.amount", "2700"), anna.edit("title.de", "gleich"))),
        |bert| drop((bert.edit("fees.0.amount", "2800"), bert.edit("title.de", "gleich"))),
    );
    let conflicts = anna.document.conflicts();
    assert_eq!(conflicts.iter().map(|conflict| conflict.path.as_str()).collect::<Vec<_>>(), ["fees.0.amount"]);
    anna.document.resolve("fees.0.amount", 0, AT).unwrap();
    assert_eq!(json!(conflicts[0].values[0].value), anna.at("fees.0.amount"));
    assert_eq!(anna.document.conflicts(), []);
}

#[test]
fn typing_over_a_conflict_resolves_it() {
    let (mut anna, _) = meanwhile(|anna| drop(anna.edit("title.de", "a")), |bert| drop(bert.edit("title.de", "b")));
    anna.edit("title.de", "c");
    assert_eq!(anna.document.conflicts(), []);
    assert_eq!(anna.at("title.de"), json!("c"));
}

#[test]
fn a_value_removed_here_and_changed_there_keeps_the_change() {
    let (anna, _) = meanwhile(|anna| drop(anna.edit("title.en", "")), |bert| drop(bert.edit("title.en", "Business")));
    assert_eq!(anna.at("title.en"), json!("Business"));
    assert_eq!(anna.document.conflicts(), []);
}

#[test]
fn an_element_removed_here_and_changed_there_is_a_conflict() {
    for n in [0, 1] {
        let (mut anna, mut bert) =
            meanwhile(|anna| drop(anna.edit("fees.0", "")), |bert| drop(bert.edit("fees.0.amount", "2800")));
        assert_eq!(anna.at("fees"), json!([{"kind": "free"}]));
        let conflicts = anna.document.conflicts();
        assert_eq!(conflicts.len(), 1);
        assert!(conflicts[0].path.starts_with("fees#"), "{}", conflicts[0].path);
        let whole = json!({"kind": "fixed", "amount": 2800, "currency": "EUR", "note": {"de": "bar"}});
        let values: Vec<_> = conflicts[0].values.iter().map(|value| &value.value).collect();
        assert_eq!(values, [&Value::Null, &whole]);
        // Neither editing elsewhere nor publishing decides it.
        anna.edit("title.de", "x");
        let mut published = Document::new(&actor(9));
        anna.document.publish_into(&anna.document.heads(), &mut published, AT).unwrap();
        assert_eq!(published.conflicts(), []);
        assert_eq!(anna.document.conflicts().len(), 1);
        anna.document.resolve(&conflicts[0].path, n, AT).unwrap();
        bert.take(&anna);
        assert_eq!(bert.document.conflicts(), []);
        let expected = if n == 0 { json!([{"kind": "free"}]) } else { json!([whole, {"kind": "free"}]) };
        assert_eq!(bert.at("fees"), expected);
    }
}

#[test]
fn a_block_removed_here_and_changed_there_is_a_conflict() {
    let (mut anna, _) = meanwhile(
        |anna| drop(anna.edit("texts.required_documents.de", "- Ausweis\n- Geld")),
        |bert| drop(bert.edit("texts.required_documents.de", "- Ausweis\n- Paß oder Visum\n- Geld")),
    );
    let conflicts = anna.document.conflicts();
    assert_eq!(conflicts[0].values[1].value, json!("- Paß oder Visum"));
    anna.document.resolve(&conflicts[0].path, 1, AT).unwrap();
    assert_eq!(anna.at("texts.required_documents.de"), json!("- Ausweis\n- Paß oder Visum\n- Geld"));
    assert_eq!(anna.document.conflicts(), []);
}
