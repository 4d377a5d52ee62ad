//! A hub with two twins, and a browser without a screen.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hub::files::{Conditions, FileMetadata, FilePath, Files};
use hub::{Account, Address, Door, Hub, Secret, Settings};
use hub_pages::Service;
use hub_storage::{Database, Options, Storage};
use hub_wire::http::{self, Client, Mount as _};
use hub_wire::limits::LoginDelay;
use hyper::{HeaderMap, Request, header};
use tempfile::TempDir;

pub(crate) const ALICE: &str = "alice@example.org";
pub(crate) const BOB: &str = "bob@example.org";

pub(crate) struct World {
    pub(crate) hub: Hub,
    service: Arc<Service>,
    _folder: TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    /// `NAME=VALUE` of the cookie that is set.
    pub(crate) fn cookie(&self) -> String {
        self.field("set-cookie").split(';').next().unwrap_or_default().to_owned()
    }
}

pub(crate) fn path(text: &str) -> FilePath {
    FilePath::parse(text).expect("a path")
}

pub(crate) async fn write(files: &Files, at: &str, content: &str) {
    let mut upload = files.begin(&path(at), None, Conditions::default()).await.expect("begun");
    upload.write(content.as_bytes()).await.expect("written");
    upload.finish(FileMetadata::default()).await.expect("stored");
}

pub(crate) async fn read(files: &Files, at: &str) -> String {
    let file = files.open(&path(at)).await.expect("there");
    String::from_utf8(file.read(0, 1 << 20).await.expect("read").to_vec()).expect("text")
}

pub(crate) async fn folder(files: &Files, at: &str) {
    files.make_folder(&path(at), Vec::new(), Conditions::default()).await.expect("made");
}

/// A form with files, as a browser sends it.
pub(crate) fn multipart(parts: &[(&str, Option<&str>, &str)]) -> String {
    let mut body = String::new();
    for (name, file, content) in parts {
        let file = file.map_or_else(String::new, |file| {
            format!("; filename=\"{file}\"\r\nContent-Type: application/octet-stream")
        });
        body.push_str(&format!(
            "--xyz\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{content}\r\n"
        ));
    }
    body + "--xyz--\r\n"
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary directory");
        let options = Options { data_dir: folder.path().to_owned(), database: Database::Sqlite };
        let storage = Storage::open(options).await.expect("storage");
        let settings = Settings { pages: Some("https://*".to_owned()), ..Settings::default() };
        let hub = Hub::open(storage, settings).await.expect("hub");
        hub.add_domain("example.org").await.expect("added");
        for twin in [ALICE, BOB] {
            let address = Address::parse(twin).expect("an address");
            hub.add_twin(&address, &Secret::new("password")).await.expect("added");
        }
        let service = Arc::new(Service::new(hub.clone(), Arc::new(LoginDelay::new())));
        Self { hub, service, _folder: folder }
    }

    pub(crate) async fn account(&self, twin: &str) -> Account {
        self.hub.login(twin, &Secret::new("password"), Door::Dav).await.expect("right")
    }

    pub(crate) async fn send(&self, method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "hub.test");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(http::full(body.to_owned())).expect("a request");
        let address: SocketAddr = "127.0.0.1:1".parse().expect("an address");
        let client = Client { conn: 1, address, may_authenticate: true };
        let response = Arc::clone(&self.service).answer(client, request).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    pub(crate) async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.send("GET", path, &[("cookie", cookie)], "").await
    }

    /// A form that is sent from one of our pages.
    pub(crate) async fn post(&self, path: &str, cookie: &str, form: &str) -> Answer {
        let fields = [
            ("cookie", cookie),
            ("origin", "https://hub.test"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        self.send("POST", path, &fields, form).await
    }

    pub(crate) async fn upload(&self, path: &str, cookie: &str, form: &str) -> Answer {
        let fields = [
            ("cookie", cookie),
            ("origin", "https://hub.test"),
            ("content-type", "multipart/form-data; boundary=xyz"),
        ];
        self.send("POST", path, &fields, form).await
    }

    /// Logs a twin in; returns its cookie.
    pub(crate) async fn log_in(&self, twin: &str) -> String {
        let form = format!("name={twin}&password=password");
        let answer = self.post("/files/?do=login", "", &form).await;
        assert_eq!((answer.status, answer.field("location")), (303, "/files/"), "{}", answer.text());
        answer.cookie()
    }
}
