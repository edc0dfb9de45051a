//! Laws that hold for any entry and any edits.

use super::*;

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "Größe",
        "Tür",
        "äöüß",
        "€",
        "😀",
        "a/b",
        "~0",
        "",
        "x",
        "- y",
        "1. z",
        "# k",
        "Straße über Öl",
    ])
    .prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec((word(), prop::sample::select(vec![" ", "\n", "\n\n", "\n\n\n", "  \n", "\n    "])), 0..8)
        .prop_map(|parts| parts.into_iter().flat_map(|(word, space)| [word, space.to_owned()]).collect())
}

fn words() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(prop::sample::select(vec!["de", "en", "x/y"]), word(), 0..3)
        .prop_map(|words| json!(words))
}

fn free() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        word().prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(word(), inner, 0..4).prop_map(|map| json!(map))
        ]
    })
}

fn any_service() -> impl Strategy<Value = Value> {
    let fee = (prop::option::of(0..9_i64), words(), prop::option::of(word()))
        .prop_map(|(amount, note, unknown)| json!({"amount": amount, "note": note, "unbekannt": unknown}));
    let texts = prop::collection::btree_map(
        prop::sample::select(vec!["summary", "notes", "eigener"]),
        prop::collection::btree_map(prop::sample::select(vec!["de", "en"]), text(), 0..2),
        0..3,
    );
    (
        words(),
        prop::collection::vec(word(), 0..5),
        texts,
        prop::collection::vec(fee, 0..4),
        prop::option::of(0..3_i64),
        free(),
        prop::option::of((words(), prop::collection::vec(0..9_i64, 0..3))),
    )
        .prop_map(|(title, keywords, texts, fees, days, free, planned)| {
            let scheduled: Vec<Value> = planned
                .into_iter()
                .map(|(title, amounts)| {
                    let fees: Vec<Value> = amounts.into_iter().map(|amount| json!({"amount": amount})).collect();
                    json!({"from": "2027-01-01", "set": {"title": title, "fees": fees}})
                })
                .collect();
            json!({"kind": "service", "title": title, "keywords": {"de": keywords}, "texts": texts, "fees": fees,
                "processing_time": {"min_days": days}, "extensions": {"free": free, "null": null}, "scheduled": scheduled})
        })
}

fn without_schedule(mut json: Value) -> Entry {
    json["scheduled"] = Value::Null;
    entry(json)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn json_round_trips(json in any_service()) {
        let first = entry(json);
        let again = Entry::from_json(first.to_json()).unwrap();
        prop_assert_eq!(&again, &first);
        prop_assert_eq!(again.to_json().to_string(), first.to_json().to_string());
    }

    #[test]
    fn the_projection_is_what_was_written(first in any_service(), second in any_service()) {
        let mut desk = Desk::new(1);
        let (first, mut second) = (entry(first), second);
        // The same schedule again would count as untouched and follow what else changes.
        if second["scheduled"][0]["from"].is_string() {
            second["scheduled"][0]["from"] = json!("2028-01-01");
        }
        let second = entry(second);
        desk.write(&first);
        prop_assert_eq!(desk.entry().to_json().to_string(), first.to_json().to_string());
        prop_assert_eq!(desk.write(&first), None);
        desk.write(&second);
        prop_assert_eq!(desk.entry(), second.clone());
        prop_assert_eq!(desk.write(&second), None);
        let saved = Document::load_saved(&desk.document.save()).unwrap();
        prop_assert_eq!(saved.project(), second);
    }

    #[test]
    fn published_equals_draft(edits in prop::collection::vec(any_service(), 1..4)) {
        let mut desk = Desk::new(1);
        let mut published = Document::new(&actor(9));
        for json in edits {
            desk.write(&entry(json));
            let heads = desk.document.heads();
            desk.document.publish_into(&heads, &mut published, AT).unwrap();
            prop_assert_eq!(published.project(), desk.entry());
            prop_assert_eq!(desk.document.publish_into(&heads, &mut published, AT).unwrap(), None);
            prop_assert_eq!(published.heads().len(), 1);
        }
    }

    #[test]
    fn merging_is_commutative_associative_and_idempotent(base in any_service(), edits in prop::collection::vec(any_service(), 3)) {
        let base = {
            let mut desk = Desk::new(1);
            desk.write(&without_schedule(base));
            desk
        };
        let branches: Vec<Desk> = edits.into_iter().zip(2..).map(|(edit, number)| {
            let mut branch = base.fork(number);
            branch.write(&without_schedule(edit));
            branch
        }).collect();
        let merged = |order: &[usize]| {
            let mut desk = base.fork(9);
            for branch in order {
                desk.take(&branches[*branch]);
            }
            desk
        };
        let one = merged(&[0, 1, 2]);
        for order in [[2, 1, 0], [1, 0, 2], [0, 0, 1]] {
            let mut other = merged(&order);
            other.take(&one);
            prop_assert_eq!(other.entry(), one.entry());
            prop_assert_eq!(other.document.heads(), one.document.heads());
            prop_assert_eq!(other.document.conflicts(), one.document.conflicts());
        }
        let mut inner = base.fork(8);
        inner.take(&branches[1]);
        inner.take(&branches[2]);
        let mut outer = base.fork(7);
        outer.take(&branches[0]);
        outer.take(&inner);
        prop_assert_eq!(outer.entry(), one.entry());

        // Any entry can be written on top of any merge, and every conflict can be resolved.
        let mut desk = merged(&[0, 1, 2]);
        for _ in 0..200 {
            let Some(conflict) = desk.document.conflicts().into_iter().next() else { break };
            desk.document.resolve(&conflict.path, conflict.values.len() - 1, AT).unwrap();
        }
        prop_assert_eq!(desk.document.conflicts(), vec![]);
        let target = branches[0].entry();
        desk.write(&target);
        prop_assert_eq!(desk.entry(), target);
    }
}
