//! A hub with a twin, and its OAuth room.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hub::{Address, Hub, Secret, Settings};
use hub_oauth::Service;
use hub_storage::{Database, Options, Storage};
use hub_wire::http::{self, Client, Mount};
use hub_wire::limits::LoginDelay;
use hyper::http::uri::Scheme;
use hyper::{HeaderMap, Request, header};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const ALICE: &str = "alice@example.org";
pub(crate) const ORIGIN: &str = "https://hub.test";
/// RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const BACK: &str = "https://app.test/back?x=1";

pub(crate) struct World {
    pub(crate) hub: Hub,
    service: Arc<Service>,
    _folder: TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("text")).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_else(|_| panic!("JSON: {}", self.text()))
    }

    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_else(|| panic!("an error: {}", self.text())).to_owned()
    }

    /// Where it leads to, and the parameters there.
    pub(crate) fn location(&self) -> (String, HashMap<String, String>) {
        assert_eq!(self.status, 303, "{}", self.text());
        let (uri, query) = self.field("location").split_once('?').expect("a query");
        (uri.to_owned(), form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary directory");
        let options = Options { data_dir: folder.path().to_owned(), database: Database::Sqlite };
        let storage = Storage::open(options).await.expect("storage");
        let hub = Hub::open(storage, Settings::default()).await.expect("hub");
        hub.add_domain("example.org").await.expect("added");
        let address = Address::parse(ALICE).expect("an address");
        hub.add_twin(&address, &Secret::new("password")).await.expect("added");
        let service = Arc::new(Service::new(hub.clone(), Arc::new(LoginDelay::new())));
        Self { hub, service, _folder: folder }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "hub.test");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut request = request.body(http::full(body)).expect("a request");
        request.extensions_mut().insert(Scheme::HTTPS);
        let address: SocketAddr = "127.0.0.1:1".parse().expect("an address");
        let client = Client { conn: 1, address, may_authenticate: true };
        assert!(self.service.takes(request.method(), request.uri().path()), "{path}");
        let (head, body) = Arc::clone(&self.service).answer(client, request).await.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Answer {
        let path = if query.is_empty() { path.to_owned() } else { format!("{path}?{}", encoded(query)) };
        self.send("GET", &path, &[], String::new()).await
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.send("POST", path, &[FORM], encoded(form)).await
    }

    /// Registers a program and returns its name.
    pub(crate) async fn client(&self) -> String {
        let body = format!(r#"{{"client_name":"A <b>reader</b>","redirect_uris":["{BACK}"]}}"#);
        let answer = self.send("POST", "/oauth/register", &[JSON], body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["client_id"].as_str().expect("an id").to_owned()
    }
}

pub(crate) const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");

pub(crate) fn encoded(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}
