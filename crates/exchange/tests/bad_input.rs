//! Every record that cannot be read is rejected alone, with its line and one clear reason.

use std::io::{self, Read};

use ortsnetz_exchange::limits::{
    COLUMNS_MAX, ELEMENT_BYTES_MAX, HTML_BYTES_MAX, HTML_NESTING_MAX, LINE_BYTES_MAX, MAPPING_BYTES_MAX,
    RECORD_BYTES_MAX,
};
use ortsnetz_exchange::{Format, Imported, Mapping, OpenError, Options, Rejected, Resolver, read};
use ortsnetz_model::OrgId;
use serde_json::{Value, json};

fn options(file: &str) -> Options {
    Options::new(Resolver::new(OrgId([3; 32])), file)
}

fn all(bytes: &[u8], options: Options) -> Vec<Result<Imported, Rejected>> {
    read(bytes, options).unwrap().collect()
}

fn service(title: &str) -> Value {
    json!({"kind": "service", "identifier": {"agency": "A", "scheme": "LB", "value": title}, "title": {"de": title}})
}

#[test]
fn bad_lines_are_rejected_one_by_one() {
    let long = "x".repeat(2 * 1024 * 1024);
    let lines: Vec<(Vec<u8>, &str)> = vec![
        (service("gut").to_string().into_bytes(), ""),
        (b"{\"kind\": \"service\", \"title\": ".to_vec(), "broken JSON at column"),
        (b"[1, 2]".to_vec(), "a line must be one JSON object"),
        (b"{\"kind\": \"service\", \"title\": {\"de\": \"M\xfcnchen\"}}".to_vec(), "invalid UTF-8"),
        (b"{\"kind\": \"kiosk\", \"title\": {\"de\": \"a\"}}".to_vec(), "kind: \"kiosk\" is not one we know"),
        (b"{\"title\": {\"de\": \"a\"}}".to_vec(), "kind: missing"),
        (b"{\"kind\": \"service\"}".to_vec(), "title"),
        (b"{\"kind\": \"service\", \"title\": 7}".to_vec(), "title"),
        (b"{\"kind\": \"service\", \"title\": {\"de\": \"a\"}, \"valid_for\": [\"0538\"]}".to_vec(), "valid_for"),
        (
            b"{\"kind\": \"service\", \"title\": {\"de\": \"a\"}, \"identifier\": {\"value\": \"7\"}}".to_vec(),
            "identifier",
        ),
        (
            b"{\"kind\": \"service\", \"title\": {\"de\": \"a\"}, \"id\": \"7\"}".to_vec(),
            "id: \"7\" is not an entry id",
        ),
        (b"{\"kind\": \"service\", \"title\": {\"de\": \"a\"}, \"collection\": 7}".to_vec(), "collection"),
        (
            json!({"kind": "service", "title": {"de": "a"}, "texts": {"notes": {"de": long}}}).to_string().into_bytes(),
            "bytes",
        ),
        (vec![b'['; 100_000], "broken JSON"),
        (service("auch gut").to_string().into_bytes(), ""),
    ];
    let file: Vec<u8> = lines.iter().flat_map(|(line, _)| line.iter().chain(b"\n")).copied().collect();
    let items = all(&file, options("a.jsonl"));
    assert_eq!(items.len(), lines.len());
    for (number, (item, (_, reason))) in items.iter().zip(&lines).enumerate() {
        match item {
            Ok(item) => {
                assert_eq!(*reason, "");
                assert_eq!(item.line, number as u64 + 1);
            }
            Err(rejected) => {
                assert!(!reason.is_empty() && rejected.reason.contains(reason), "{rejected} / {reason}");
                assert_eq!((rejected.file.as_str(), rejected.line), ("a.jsonl", number as u64 + 1));
                assert!(!rejected.reason.contains('\n') && rejected.reason.len() < 400, "{rejected}");
            }
        }
    }
}

#[test]
fn a_line_has_a_limit() {
    let line = |extra: usize| {
        let mut line = service("a").to_string();
        line.push_str(&" ".repeat(LINE_BYTES_MAX - line.len() + extra));
        line
    };
    assert!(all(line(0).as_bytes(), options("a.jsonl"))[0].is_ok());
    let items = all(format!("{}\n{}\n", line(1), service("b")).as_bytes(), options("a.jsonl"));
    assert!(items[0].as_ref().unwrap_err().reason.contains("longer than"));
    assert!(items[1].is_ok());
}

#[test]
fn small_things_are_forgiven() {
    let text = format!("\u{feff}{}\r\n\r\n   \n{}", service("a"), json!({"kind": "service", "title": {"de": "b"}}));
    let items = all(text.as_bytes(), options("a.jsonl"));
    assert_eq!(items.len(), 2);
    let second = items[1].as_ref().unwrap();
    assert_eq!((second.line, second.identifier.as_ref()), (4, None));
    assert!(second.findings.iter().any(|finding| finding.path == "identifier"));
    assert_eq!(all(text.as_bytes(), options("a.jsonl"))[1].as_ref().unwrap().id, second.id);
}

#[test]
fn options_fill_in_and_override() {
    let responsibility = json!({"kind": "responsibility", "leika": ["99050012104000"], "collection": "partners",
        "references": {"office": {"agency": "A", "scheme": "OE", "value": "1"}}});
    let own = json!({"kind": "service", "title": {"de": "b"}, "valid_for": ["053150000000"]});
    let text = format!("{}\n{responsibility}\n{own}\n", service("a"));
    let mut with = options("a.jsonl");
    with.valid_for = Some("091620000000".parse().unwrap());
    let fields: Vec<Value> =
        all(text.as_bytes(), with.clone()).into_iter().map(|item| item.unwrap().entry.to_json()).collect();
    assert_eq!(fields[0]["valid_for"], json!(["091620000000"]));
    assert_eq!(fields[1]["area"], json!(["091620000000"]));
    assert_eq!(fields[2]["valid_for"], json!(["053150000000"]));
    let collections =
        |options| all(text.as_bytes(), options).into_iter().map(|item| item.unwrap().collection).collect::<Vec<_>>();
    assert_eq!(collections(with.clone()), ["public", "partners", "public"]);
    with.collection = Some("internal".into());
    assert_eq!(collections(with), ["internal", "internal", "internal"]);
}

#[test]
fn what_cannot_be_read_at_all_says_so() {
    let open = |bytes: &[u8], file: &str| read(bytes, options(file)).err().unwrap();
    assert!(matches!(open(b"<?xml version=\"1.0\"?><a/>", "a.xml"), OpenError::Xzufi { .. }));
    assert!(open(b"<?xml?>", "a.xml").to_string().contains("not supported yet"));
    assert!(matches!(open(b"Hallo", "a.txt"), OpenError::Unknown { .. }));
    assert!(matches!(open(b"Name;Ort\nA;B\n", "a.csv"), OpenError::NoMapping { .. }));
    assert!(matches!(open(b"\xff\xfea\0", "a.csv"), OpenError::Header { .. }));
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("cable cut"))
        }
    }
    assert!(read(Broken, options("a")).err().unwrap().to_string().contains("cable cut"));
}

#[test]
fn a_broken_dldb_file_gives_what_can_be_read() {
    let element = |id: &str| json!({"id": id, "name": "Ausweis", "locations": []}).to_string();
    let dldb = |text: &str| {
        let mut options = options("services.json");
        options.format = Some(Format::Dldb);
        all(text.as_bytes(), options)
    };
    let reason = |item: &Result<Imported, Rejected>| item.as_ref().unwrap_err().reason.clone();

    let items =
        dldb(&format!("{{\"data\": [\n{},\n{{\"id\": 7,}},\n{}\n], \"meta\": {{}}}}", element("1"), element("2")));
    assert!(items[0].is_ok() && reason(&items[1]).starts_with("broken JSON") && items[2].is_ok());
    assert_eq!(items[1].as_ref().unwrap_err().line, 3);

    let items = dldb(&format!("[7, null, \"a,]b\", {}, []]", element("1")));
    assert_eq!(items.iter().filter(|item| item.is_ok()).count(), 1);
    assert_eq!(items.len(), 5);

    let items = dldb(&format!("{{\"data\": [{}, {{\"id\": ", element("1")));
    assert!(items[0].is_ok() && reason(&items[1]).contains("ends in the middle"));
    assert!(reason(&dldb("{\"meta\": {\"data\": 1}}")[0]).contains("no list `data`"));
    assert!(reason(&dldb("{\"data\": [{\"name\": \"ohne\"}]}")[0]).contains("id: missing"));
    assert!(reason(&dldb("{\"data\": [{\"id\": \"1\"}]}")[0]).contains("name: missing"));

    let html =
        |length: usize| json!({"data": [{"id": "1", "name": "a", "description": "x".repeat(length)}]}).to_string();
    assert!(reason(&dldb(&html(HTML_BYTES_MAX + 1))[0]).contains("description"));
    let huge =
        json!({"data": [{"id": "1", "name": "x".repeat(ELEMENT_BYTES_MAX)}, {"id": "2", "name": "b"}]}).to_string();
    let items = dldb(&huge);
    assert!(reason(&items[0]).contains("longer than") && items[1].is_ok());
}

#[test]
fn scripts_go_and_are_named() {
    let html = "<p onclick=\"steal()\">Text<script>alert(1)</script> <a href=\"javascript:x()\">hier</a></p>";
    let text = json!({"data": [{"id": "1", "name": "a <b>b</b> &amp; c", "description": html, "public": false,
        "leika": "99050012104000, 12", "meta": {"url": "https://www.ort.de/x/{serviceId}"}}]})
    .to_string();
    let item = all(text.as_bytes(), options("a.json")).remove(0).unwrap();
    let json = item.entry.to_json();
    assert_eq!(json["texts"]["description"]["de"], "Text hier");
    assert_eq!(json["title"]["de"], "a b & c");
    assert_eq!(json["extensions"]["dldb"]["description_html"], html);
    assert_eq!(json["identifier"]["agency"], "dldb:ort.de");
    assert_eq!(json["leika"], json!(["99050012104000"]));
    assert_eq!(item.collection, "internal");
    let found: String =
        item.findings.iter().map(|finding| format!("{}: {}\n", finding.path, finding.message)).collect();
    for part in ["texts.description: ", "<script>", "onclick", "javascript:", "leika: "] {
        assert!(found.contains(part), "{part} in {found}");
    }
}

#[test]
fn tables_of_all_sorts() {
    let mapping = "kind = \"office\"\n[identifier]\nagency = \"A\"\nscheme = \"OE\"\ncolumn = \"Nr\"\n\
        [[columns]]\nname = \"Name\"\npath = \"title.de\"\nrequired = true\n\
        [[columns]]\nname = \"Aufzug\"\npath = \"address.elevator\"\nas = \"flag\"\n\
        [[columns]]\nname = \"Amt\"\npath = \"parent\"\nreference = { scheme = \"OE\" }\n";
    let table = |bytes: &[u8]| {
        let mut options = options("a.csv");
        options.mapping = Some(mapping.parse().unwrap());
        all(bytes, options)
    };
    let items = table(
        "\u{feff}Nr;Name;Aufzug;Amt\r\n1;\"Bürger;\namt\";ja;2\r\n2;;ja;\r\n3;A;vielleicht;\r\n4;A;B;C;D\r\n5;\"offen"
            .as_bytes(),
    );
    let first = items[0].as_ref().unwrap();
    assert_eq!((first.line, first.entry.title("de")), (2, Some("Bürger;\namt")));
    assert_eq!(first.entry.at_path("address.elevator"), Some(&json!(true)));
    assert_eq!(first.entry.references()[0].0, "parent");
    assert_eq!(items[1].as_ref().unwrap_err().to_string(), "a.csv:4: title.de: the column \"Name\" is empty");
    assert!(items[2].as_ref().unwrap().findings[0].message.contains("vielleicht"));
    assert!(items[3].as_ref().unwrap_err().reason.contains("5 cells"));
    assert!(items[4].as_ref().unwrap_err().reason.contains("quote"));

    let items = table(b"Nr,Name,Aufzug,Amt\n1,B\xfcrgeramt \x96 Mitte,,\n");
    assert_eq!(items[0].as_ref().unwrap().entry.title("de"), Some("Bürgeramt – Mitte"));
    let mut wrong = options("a.csv");
    wrong.mapping = Some(mapping.parse().unwrap());
    assert!(read("Nr;Titel\n".as_bytes(), wrong).err().unwrap().to_string().contains("there is no column \"Name\""));
}

#[test]
fn mapping_files_are_checked() {
    for (text, reason) in [
        ("", "[[columns]]"),
        ("kind = \"kiosk\"\n[[columns]]\nname = \"a\"\npath = \"b\"", "kiosk"),
        ("[[columns]]\nname = \"a\"\npath = \"b\"", "kind"),
        ("kind = \"office\"\n[[columns]]\nname = \"a\"\npath = \"b..c\"", "no path"),
        ("kind = \"office\"\nkolumns = 1", "line 2: unknown field"),
        ("kind = \"office\"\n[[columns]]\nname = \"a\"\npath = \"b\"\nreference = { scheme = \"OE\" }", "agency"),
    ] {
        let error = text.parse::<Mapping>().unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn columns_rows_and_mappings_of_tables_have_their_limits() {
    let table = |columns: usize| {
        let names: Vec<String> = ["kind".to_owned(), "title.de".to_owned()]
            .into_iter()
            .chain((2..columns).map(|n| format!("extensions.x{n}")))
            .collect();
        let cells = ["service", "Ausweis"].into_iter().chain((2..columns).map(|_| ""));
        format!("{}\n{}\n", names.join(";"), cells.collect::<Vec<_>>().join(";"))
    };
    let read_as = |text: &str| read(text.as_bytes(), options("a.csv")).map(|items| items.collect::<Vec<_>>());
    let refused = |text: &str| match read_as(text) {
        Err(error) => error.to_string(),
        Ok(items) => items.iter().filter_map(|item| item.as_ref().err()).map(|r| r.reason.clone()).collect(),
    };
    let over = format!("there are {} columns", COLUMNS_MAX + 1);
    assert!(refused(&table(COLUMNS_MAX + 1)).contains(&over), "{}", refused(&table(COLUMNS_MAX + 1)));
    assert!(!refused(&table(COLUMNS_MAX)).contains("columns, "), "{}", refused(&table(COLUMNS_MAX)));

    let row = |extra: usize| {
        let begin = "service;Ausweis;";
        format!("kind;title.de;extensions.x\n{begin}{}\n", "x".repeat(RECORD_BYTES_MAX - begin.len() + extra))
    };
    assert!(refused(&row(1)).contains("the row is longer than"), "over");
    assert!(!refused(&row(0)).contains("the row is longer than"), "at");

    let mapping = |bytes: usize| {
        let text = "kind = \"service\"\n[[columns]]\nname = \"Name\"\npath = \"title.de\"\n#";
        format!("{text}{}", "x".repeat(bytes - text.len())).parse::<Mapping>().map_err(|error| error.to_string())
    };
    assert!(mapping(MAPPING_BYTES_MAX).is_ok());
    assert!(mapping(MAPPING_BYTES_MAX + 1).err().is_some_and(|error| error.contains("are allowed")));
}

#[test]
fn html_is_followed_so_deep_and_no_deeper() {
    let dropped = |depth: usize| {
        let html = format!("{}tief{}", "<div>".repeat(depth), "</div>".repeat(depth));
        let converted = ortsnetz_exchange::to_commonmark(&html);
        let too_deep = format!("elements nested deeper than {HTML_NESTING_MAX}");
        (converted.text.contains("tief"), converted.dropped.contains(&too_deep))
    };
    assert_eq!(dropped(HTML_NESTING_MAX), (true, false));
    assert!(dropped(HTML_NESTING_MAX + 1).1, "and it is said");
}
