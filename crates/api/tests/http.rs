//! The router over a real node, without a socket for HTTP.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use std::time::Duration;

use ortsnetz_api::limits::{EVENT_STREAMS_MAX, ROWS_MAX, STOP_MS_MAX, TRANSFERS_MAX};
use ortsnetz_api::{ApiConfig, MEDIA_TYPE_PATHS};
use ortsnetz_node::{Handle, NewOrganisation, NodeConfig};
use serde_json::{Value, json};
use tower::ServiceExt as _;

const TOKEN: &str = "a-token-for-tests";

/// One organisation with its node.
struct Town {
    _data_dir: tempfile::TempDir,
    handle: Handle,
    router: Router,
    stopping: tokio::sync::watch::Sender<bool>,
}

impl Town {
    async fn new() -> Self {
        let data_dir = tempfile::tempdir().expect("a directory");
        let organisation =
            NewOrganisation { name: "Stadt Siegburg".into(), ars: "053820060060".into(), kind: "municipality".into() };
        ortsnetz_node::init(data_dir.path(), &organisation).expect("a new identity");
        let config = NodeConfig {
            data_dir: data_dir.path().to_owned(),
            listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
            advertise: Vec::new(),
            http: "127.0.0.1:0".into(),
            relay: None,
        };
        let handle = Handle::start(config).await.expect("a running node");
        let (stopping, watched) = tokio::sync::watch::channel(false);
        let config = ApiConfig { token: TOKEN.into(), hosts: Vec::new(), stopping: watched };
        let router = ortsnetz_api::router(handle.clone(), config);
        Self { _data_dir: data_dir, handle, router, stopping }
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.expect("a router never fails")
    }

    async fn page(&self, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).header(header::HOST, "localhost").body(Body::empty()).expect("valid");
        let response = self.send(request).await;
        (response.status(), text(response).await)
    }

    async fn api(&self, method: &str, path: &str, media_type: &str, body: &Value) -> (StatusCode, Value) {
        let request = request(method, path, media_type).body(Body::from(body.to_string())).expect("valid");
        let response = self.send(request).await;
        let status = response.status();
        (status, serde_json::from_str(&text(response).await).unwrap_or_default())
    }

    async fn create(&self, collection: &str, title: &str, note: &str) -> String {
        let mut entry = json!({
            "kind": "service", "collection": collection, "title": {"de": title}, "valid_for": ["053820060060"],
            "texts": {"summary": {"de": format!("Alles über {title}")}},
        });
        if collection == "public" {
            entry["companions"] = json!({"partners": {"agent_note": {"de": note}}});
        }
        let (status, written) = self.api("POST", "/api/v1/entries", "application/json", &entry).await;
        assert_eq!(status, StatusCode::CREATED, "{written}");
        written["id"].as_str().expect("an id").to_owned()
    }

    async fn stop(self) {
        self.stopping.send_replace(true);
        self.handle.shutdown().await;
    }
}

fn request(method: &str, path: &str, media_type: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "127.0.0.1:8115")
        .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
        .header(header::CONTENT_TYPE, media_type)
}

async fn text(response: Response<Body>) -> String {
    let bytes = to_bytes(response.into_body(), 16 * 1024 * 1024).await.expect("a whole body");
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_wants_a_token_and_a_known_host() {
    let town = Town::new().await;
    let (status, problem) = town.page("/api/v1/status").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{problem}");
    assert!(problem.contains("admin.token"));
    let (status, _) = town.page("/metrics").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "without an address nobody is local");
    let (status, _) = town.page("/api/v1/nothing").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, description) = town.page("/api/v1/openapi.json").await;
    assert_eq!(status, StatusCode::OK);
    assert!(description.contains("\"/api/v1/entries/{id}\""));

    let rebound = Request::get("/").header(header::HOST, "evil.example").body(Body::empty()).expect("valid");
    assert_eq!(town.send(rebound).await.status(), StatusCode::MISDIRECTED_REQUEST);

    let (status, answer) = town.api("GET", "/api/v1/status", "application/json", &Value::Null).await;
    assert_eq!((status, &answer["organisation"]["name"]), (StatusCode::OK, &json!("Stadt Siegburg")));
    let (status, _) = town.api("GET", "/metrics", "application/json", &Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_what_is_public_and_nothing_else() {
    let town = Town::new().await;
    let (status, start) = town.page("/").await;
    assert_eq!(status, StatusCode::OK);
    assert!(start.contains("Dieser Knoten ist noch leer"));

    let public = town.create("public", "Reisepass", "Geheimnotiz").await;
    let internal = town.create("internal", "Schlüsselschrank", "Geheimnotiz").await;
    let draft = town.create("public", "Entwurfstext", "Geheimnotiz").await;
    let body = json!({"ids": [public, internal]});
    let (status, published) = town.api("POST", "/api/v1/publish", "application/json", &body).await;
    assert_eq!(status, StatusCode::OK, "{published}");
    assert_eq!(published["published"].as_array().map(Vec::len), Some(2), "{published}");

    let (status, page) = town.page(&format!("/eintrag/{public}")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("<h1>Reisepass</h1>") && page.contains("hier geprüft"), "{page}");
    assert!(!page.contains("Geheimnotiz"), "a companion is for partners");
    for hidden in [internal, draft] {
        let (status, page) = town.page(&format!("/eintrag/{hidden}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(!page.contains("Schlüsselschrank") && !page.contains("Entwurfstext"));
    }
    for words in ["Schl%C3%BCsselschrank", "Entwurfstext", "Geheimnotiz"] {
        let (status, page) = town.page(&format!("/suche?q={words}")).await;
        assert_eq!(status, StatusCode::OK);
        assert!(page.contains("Nichts gefunden"), "{words}");
    }
    let (status, page) = town.page("/suche?q=Reisepass&ort=Nirgendwo").await;
    assert!(status == StatusCode::OK && page.contains("kennt dieser Knoten nicht"), "{page}");
    let (status, page) = town.page("/netz?lang=en").await;
    assert!(status == StatusCode::OK && page.contains("<html lang=\"en\">"));
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_against_an_old_state_is_refused() {
    let town = Town::new().await;
    let id = town.create("public", "Reisepass", "x").await;
    let path = format!("/api/v1/entries/{id}");
    let shown = request("GET", &format!("{path}?draft=true"), "application/json");
    let shown = town.send(shown.body(Body::empty()).expect("valid")).await;
    let tag = shown.headers().get(header::ETAG).expect("a tag").clone();
    let patch = json!({"title": {"de": "Pass"}});
    let send = |tag| request("PATCH", &path, "application/merge-patch+json").header(header::IF_MATCH, tag);
    let first = send(tag.clone()).body(Body::from(patch.to_string())).expect("valid");
    let first = town.send(first).await;
    assert_eq!(first.status(), StatusCode::OK);
    let fresh = first.headers().get(header::ETAG).expect("a tag").clone();
    assert_ne!(fresh, tag);
    let late = send(tag).body(Body::from(patch.to_string())).expect("valid");
    let late = town.send(late).await;
    assert_eq!(late.status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(late.headers()[header::CONTENT_TYPE], "application/problem+json");

    let edit = json!({"values": [{"path": "fees.+", "value": "{\"kind\": \"fixed\", \"amount\": 7000}"}]});
    let (status, written) = town.api("PATCH", &path, MEDIA_TYPE_PATHS, &edit).await;
    assert_eq!(status, StatusCode::OK, "{written}");
    let wrong = json!({"values": [{"path": "fees.0.amount", "value": "much"}]});
    let (status, problem) = town.api("PATCH", &path, MEDIA_TYPE_PATHS, &wrong).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|line| line.contains("fees.0.amount")), "{problem}");
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_stream_in_and_out() {
    let town = Town::new().await;
    let lines: String = (0..300)
        .map(|n| {
            let identifier = json!({"agency": "test", "scheme": "LB", "value": n.to_string()});
            json!({"kind": "service", "identifier": identifier, "title": {"de": format!("Leistung {n}")}}).to_string()
                + "\n"
        })
        .chain(["broken\n".to_owned()])
        .collect();
    let import = request("POST", "/api/v1/imports?file=a.jsonl&publish=true", "application/octet-stream");
    let response = town.send(import.body(Body::from(lines)).expect("valid")).await;
    assert_eq!(response.status(), StatusCode::OK);
    let report: Value = serde_json::from_str(&text(response).await).expect("JSON");
    assert_eq!((&report["created"], &report["published"]), (&json!(300), &json!(300)), "{report}");
    assert_eq!(report["rejected"][0]["line"], 301, "{report}");

    let export = request("GET", "/api/v1/exports?format=jsonl", "application/json");
    let response = town.send(export.body(Body::empty()).expect("valid")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(response).await.lines().count(), 300);
    let (status, _) = town.api("GET", "/api/v1/exports?organisation=nobody", "application/json", &Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_names_places_and_wants_whole_ids() {
    let town = Town::new().await;
    let entry = json!({"kind": "responsibility", "area": ["053820060060", "053820000000"], "leika": ["99050012104000"],
        "office": "00112233445566778899aabbccddeeff"});
    let (status, written) = town.api("POST", "/api/v1/entries", "application/json", &entry).await;
    assert_eq!(status, StatusCode::CREATED, "{written}");
    let id = written["id"].as_str().expect("an id");
    let path = format!("/api/v1/entries/{id}/publish");
    let (_, published) = town.api("POST", &path, "application/json", &json!({})).await;
    assert_eq!(published["published"][0]["id"], id, "{published}");
    let (status, text) = town.page(&format!("/eintrag/{id}")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains("Gebiet: Siegburg, Rhein-Sieg-Kreis"), "{text}");
    let (status, _) = town.page(&format!("/eintrag/{}", &id[..12])).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "nobody outside tries out which ids there are");
    let (status, shown) =
        town.api("GET", &format!("/api/v1/entries/{}", &id[..12]), "application/json", &json!({})).await;
    assert_eq!((status, &shown["entry"]["id"]), (StatusCode::OK, &json!(id)));
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_a_page_are_limited() {
    let town = Town::new().await;
    let ask = async |limit: usize| {
        town.api("GET", &format!("/api/v1/entries?limit={limit}"), "application/json", &Value::Null).await
    };
    assert_eq!(ask(ROWS_MAX).await.0, StatusCode::OK);
    let (status, problem) = ask(ROWS_MAX + 1).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("limit: ")), "{problem}");
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listeners_to_events_are_limited_and_make_room_when_they_go() {
    let town = Town::new().await;
    let listen = async || {
        let request = request("GET", "/api/v1/events", "application/json").body(Body::empty()).expect("valid");
        town.send(request).await
    };
    let mut listening = Vec::new();
    for _ in 0..EVENT_STREAMS_MAX {
        let response = listen().await;
        assert_eq!(response.status(), StatusCode::OK);
        listening.push(response);
    }
    let refused = listen().await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(text(refused).await.contains("too many listeners"));
    listening.pop();
    assert_eq!(listen().await.status(), StatusCode::OK);
    drop(listening);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imports_at_one_time_are_limited_and_make_room_when_they_end() {
    let town = Town::new().await;
    // Bodies that do not end: the imports wait for more.
    let (mut senders, mut open) = (Vec::new(), Vec::new());
    let begin = || {
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
        let body = Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(receiver));
        let path = "/api/v1/imports?file=a.jsonl";
        let request = request("POST", path, "application/x-ndjson").body(body).expect("valid");
        (sender, town.router.clone().oneshot(request))
    };
    for _ in 0..TRANSFERS_MAX {
        let (sender, response) = begin();
        open.push(tokio::spawn(response));
        for _ in 0..3 {
            // There is room for one piece: the body is being read, so the import has begun.
            sender.send(Ok(b"\n".to_vec())).await.expect("it is read");
        }
        senders.push(sender);
    }
    let (_sender, response) = begin();
    let refused = tokio::time::timeout(Duration::from_secs(20), response).await;
    let refused = refused.expect("one more is refused").expect("a router never fails");
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(text(refused).await.contains("too many imports and exports"));
    drop(senders);
    for response in open {
        let response = response.await.expect("it ends").expect("a router never fails");
        assert_ne!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_requests_get_so_long_after_the_stop_and_no_longer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let slow = |time: u64| {
        axum::routing::get(move || async move {
            tokio::time::sleep(Duration::from_millis(time)).await;
            "done"
        })
    };
    let router = Router::new().route("/soon", slow(STOP_MS_MAX / 2)).route("/never", slow(20 * STOP_MS_MAX));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(ortsnetz_api::serve(listener, router, async move { drop(stopped.await) }));
    let ask = |path: &'static str| async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    };
    let (soon, never) = (tokio::spawn(ask("/soon")), tokio::spawn(ask("/never")));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begun = std::time::Instant::now();
    stop.send(()).expect("it listens");
    assert!(soon.await.expect("an answer").ends_with("done"));
    serving.await.expect("no panic").expect("it ends");
    let took = begun.elapsed().as_millis() as u64;
    assert!((STOP_MS_MAX..2 * STOP_MS_MAX).contains(&took), "{took} ms");
    never.abort();
}
