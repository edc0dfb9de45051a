//! How well questions in citizens' words find the right service, beside plain BM25 with German stemming on the same
//! documents: `make relevance` prints the table. `ORTSNETZ_RELEVANCE_SHOW=development` prints which questions of that half
//! have no right answer among the first three.

#![allow(clippy::print_stdout, reason = "it prints a table")]

mod common;

use std::collections::BTreeMap;

use common::{HEAP, data, org, upsert};
use ortsnetz_exchange::{Options, Resolver};
use ortsnetz_model::{Entry, EntryId};
use ortsnetz_search::{Change, Index, Query, Reader, Standing};
use tantivy::collector::TopDocs;
use tantivy::query::QueryParser;
use tantivy::schema::{IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions, Value as _};
use tantivy::tokenizer::{LowerCaser, SimpleTokenizer, TextAnalyzer, Token, TokenFilter, TokenStream, Tokenizer};
use tantivy::{TantivyDocument, doc};

const QUESTIONS: &str = include_str!("relevance/muenchen.txt");
/// How far down an answer counts at all.
const DEPTH: usize = 50;
/// What is asked of it: of all questions so many have a right answer among the first three.
const SUCCESS_AT_3_MIN: f64 = 0.85;
/// How much better than the baseline the mean reciprocal rank must be.
const MRR_LEAD_MIN: f64 = 0.10;

struct Question {
    half: &'static str,
    text: &'static str,
    right: Vec<&'static str>,
}

fn questions() -> Vec<Question> {
    let mut questions = Vec::new();
    let mut half = "";
    for line in QUESTIONS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            half = name.trim_end_matches(']');
        } else {
            let (text, right) = line.split_once(" | ").expect("a question and its answers");
            questions.push(Question { half, text, right: right.split_whitespace().collect() });
        }
    }
    questions
}

/// The services of München as an import makes them.
fn services() -> Vec<(EntryId, String, Entry)> {
    let file = std::fs::File::open(data("muenchen/services_de.json")).expect("the services");
    let mut options = Options::new(Resolver::new(org(1)), "services_de.json");
    options.valid_for = Some("091620000000".parse().expect("an ARS"));
    let read = ortsnetz_exchange::read(file, options).expect("a directory of services");
    let mut services = Vec::new();
    for imported in read {
        let imported = imported.expect("a service");
        let number = imported
            .entry
            .get("identifier")
            .and_then(|identifier| identifier.get("value")?.as_str())
            .expect("a number");
        services.push((imported.id, number.to_owned(), imported.entry.clone()));
    }
    services
}

/// For each question the numbers of the services found, best first.
type Answers = Vec<Vec<String>>;

fn ours(reader: &Reader, numbers: &BTreeMap<EntryId, String>, questions: &[Question]) -> Answers {
    let ask = |question: &Question| {
        let query = Query { limit: DEPTH, ..Query::new(question.text) };
        let found = reader.search(&query, &|_| Some(Standing::Own)).expect("an answer");
        found.hits.iter().map(|hit| numbers[&hit.id].clone()).collect()
    };
    questions.iter().map(ask).collect()
}

/// Stems as the German snowball stemmer makes them.
#[derive(Clone)]
struct German;

impl TokenFilter for German {
    type Tokenizer<T: Tokenizer> = GermanTokenizer<T>;

    fn transform<T: Tokenizer>(self, inner: T) -> GermanTokenizer<T> {
        GermanTokenizer(inner)
    }
}

#[derive(Clone)]
struct GermanTokenizer<T>(T);

impl<T: Tokenizer> Tokenizer for GermanTokenizer<T> {
    type TokenStream<'a> = GermanStream<T::TokenStream<'a>>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        GermanStream(self.0.token_stream(text))
    }
}

struct GermanStream<T>(T);

impl<T: TokenStream> TokenStream for GermanStream<T> {
    fn advance(&mut self) -> bool {
        let more = self.0.advance();
        if more {
            let token = self.0.token_mut();
            token.text = frostem::Stemmer::new(frostem::Algorithm::German).stem(&token.text).into_owned();
        }
        more
    }

    fn token(&self) -> &Token {
        self.0.token()
    }

    fn token_mut(&mut self) -> &mut Token {
        self.0.token_mut()
    }
}

/// BM25 over title, keywords and texts of the same entries.
fn baseline(services: &[(EntryId, String, Entry)], questions: &[Question]) -> Answers {
    let mut schema = Schema::builder();
    let indexing =
        TextFieldIndexing::default().set_tokenizer("de").set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let options = TextOptions::default().set_indexing_options(indexing);
    let number = schema.add_text_field("number", STRING | STORED);
    let fields = ["title", "names", "text"].map(|name| schema.add_text_field(name, options.clone()));
    let index = tantivy::Index::create_in_ram(schema.build());
    let analyzer = TextAnalyzer::builder(SimpleTokenizer::default()).filter(LowerCaser).filter(German).build();
    index.tokenizers().register("de", analyzer);
    let mut writer = index.writer_with_num_threads(1, HEAP).expect("a writer");
    for (_, service, entry) in services {
        let mut texts = [String::new(), String::new(), String::new()];
        for (name, value) in entry.as_map() {
            let place = match name.as_str() {
                "title" => 0,
                "alternative_titles" | "keywords" => 1,
                "extensions" | "identifier" | "id" | "kind" | "source" => continue,
                _ => 2,
            };
            strings(value, &mut texts[place]);
        }
        let [title, names, text] = texts;
        writer
            .add_document(doc!(number => service.as_str(), fields[0] => title, fields[1] => names, fields[2] => text))
            .expect("a document");
    }
    writer.commit().expect("a commit");
    let searcher = index.reader().expect("a reader").searcher();
    let parser = QueryParser::for_index(&index, fields.to_vec());
    let ask = |question: &Question| {
        // Nothing in a question is meant as syntax.
        let words: String = question.text.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
        let (query, _) = parser.parse_query_lenient(&words);
        let found = searcher.search(&query, &TopDocs::with_limit(DEPTH).order_by_score()).expect("an answer");
        let numbers = found.into_iter().map(|(_, address)| {
            let document: TantivyDocument = searcher.doc(address).expect("a document");
            document.get_first(number).and_then(|value| value.as_str().map(str::to_owned)).expect("its number")
        });
        numbers.collect()
    };
    questions.iter().map(ask).collect()
}

fn strings(value: &serde_json::Value, into: &mut String) {
    match value {
        serde_json::Value::String(text) => {
            into.push_str(text);
            into.push('\n');
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| strings(value, into)),
        serde_json::Value::Object(values) => values.values().for_each(|value| strings(value, into)),
        _ => {}
    }
}

/// The figures of one half, or of all.
struct Figures {
    questions: usize,
    mrr: f64,
    at: [f64; 3],
}

#[allow(clippy::cast_precision_loss, reason = "small numbers")]
fn figures(questions: &[Question], answers: &Answers, half: Option<&str>) -> Figures {
    let asked = questions.iter().zip(answers).filter(|(question, _)| half.is_none_or(|half| question.half == half));
    let ranks: Vec<Option<usize>> = asked.map(|(question, answer)| rank(question, answer)).collect();
    let count = ranks.len() as f64;
    let mrr = ranks.iter().flatten().map(|rank| 1.0 / *rank as f64).sum::<f64>() / count;
    let at = [1, 3, 10].map(|top| ranks.iter().flatten().filter(|rank| **rank <= top).count() as f64 / count);
    Figures { questions: ranks.len(), mrr, at }
}

/// Where the first right answer stands, from 1.
fn rank(question: &Question, answer: &[String]) -> Option<usize> {
    answer.iter().position(|number| question.right.contains(&number.as_str())).map(|position| position + 1)
}

#[test]
fn citizens_find_what_they_ask_for() {
    let questions = questions();
    assert!(questions.len() >= 150, "{}", questions.len());
    let services = services();
    let titles: BTreeMap<&str, &str> =
        services.iter().map(|(_, number, entry)| (number.as_str(), entry.title("de").unwrap_or_default())).collect();
    for question in &questions {
        assert!(question.right.iter().all(|number| titles.contains_key(number)), "{}", question.text);
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut index = Index::open(dir.path(), [7; 16], 0, HEAP).expect("an index").index;
    let changes: Vec<Change<'_>> = services.iter().map(|(id, _, entry)| upsert(org(1), *id, entry)).collect();
    index.update(&changes).expect("an update");
    index.commit(1).expect("a commit");
    let numbers = services.iter().map(|(id, number, _)| (*id, number.clone())).collect();
    let (ours, plain) = (ours(&index.reader(), &numbers, &questions), baseline(&services, &questions));

    println!("\n{:<14}{:<12}{:>10}{:>8}{:>12}{:>8}{:>8}", "", "", "questions", "MRR", "success@1", "@3", "@10");
    let parts = [Some("development"), Some("held out"), Some("later"), None];
    for half in parts {
        let name = half.unwrap_or("all");
        for (who, answers) in [("Ortsnetz", &ours), ("plain BM25", &plain)] {
            let Figures { questions, mrr, at } = figures(&questions, answers, half);
            println!("{name:<14}{who:<12}{questions:>10}{mrr:>8.3}{:>12.3}{:>8.3}{:>8.3}", at[0], at[1], at[2]);
        }
    }
    if let Ok(half) = std::env::var("ORTSNETZ_RELEVANCE_SHOW") {
        for (question, answer) in questions.iter().zip(&ours).filter(|(question, _)| question.half == half) {
            let found = rank(question, answer);
            if found.is_none_or(|rank| rank > 3) {
                let first: Vec<&str> = answer.iter().take(4).map(|number| titles[number.as_str()]).collect();
                println!("{} -> {} (at {found:?}); first {first:?}", question.text, titles[question.right[0]]);
            }
        }
    }
    for half in parts {
        let (found, before) = (figures(&questions, &ours, half), figures(&questions, &plain, half));
        assert!(found.at[1] >= SUCCESS_AT_3_MIN, "success@3 {:.3}, {half:?}", found.at[1]);
        assert!(found.mrr >= before.mrr + MRR_LEAD_MIN, "MRR {:.3}, plain BM25 {:.3}, {half:?}", found.mrr, before.mrr);
    }
}
