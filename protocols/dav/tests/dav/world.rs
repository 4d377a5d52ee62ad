//! A hub with two twins, and its WebDAV room.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hub::rooms::RoomKind;
use hub::{Account, Address, Door, Hub, Secret, Settings};
use hub_dav::Service;
use hub_storage::{Database, Options, Storage};
use hub_wire::http::{self, Body, Client, Mount};
use hub_wire::limits::LoginDelay;
use hyper::{HeaderMap, Request, Response, header};
use tempfile::TempDir;

pub(crate) const ALICE: &str = "alice@example.org";
pub(crate) const BOB: &str = "bob@example.org";
pub(crate) const HOME: &str = "/dav/files/alice@example.org/";

pub(crate) struct World {
    service: Arc<Service>,
    _folder: TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_quota(None).await
    }

    pub(crate) async fn with_quota(default_quota: Option<u64>) -> Self {
        let folder = tempfile::tempdir().expect("temporary directory");
        let options = Options { data_dir: folder.path().to_owned(), database: Database::Sqlite };
        let storage = Storage::open(options).await.expect("storage");
        let settings = Settings { default_quota, ..settings() };
        let hub = Hub::open(storage, settings).await.expect("hub");
        hub.add_domain("example.org").await.expect("added");
        for twin in [ALICE, BOB] {
            let address = Address::parse(twin).expect("an address");
            hub.add_twin(&address, &Secret::new("password")).await.expect("added");
        }
        let room = Address::parse("big@example.org").expect("an address");
        hub.add_room(&room, RoomKind::Room, "Big room, third floor").await.expect("added");
        let service = Arc::new(Service { hub, delays: Arc::new(LoginDelay::new()) });
        Self { service, _folder: folder }
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.service.hub
    }

    pub(crate) async fn account(&self, twin: &str) -> Account {
        self.hub().login(twin, &Secret::new("password"), Door::Dav).await.expect("right")
    }

    /// A twin's request to a path.
    pub(crate) async fn send_as(
        &self,
        twin: &str,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let login = format!("Basic {}", BASE64_STANDARD.encode(format!("{twin}:password")));
        let fields = [fields, &[("authorization", login.as_str())]].concat();
        self.send(method, path, &fields, body).await
    }

    /// Alice's request to a path.
    pub(crate) async fn send(&self, method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> Answer {
        self.send_body(method, path, fields, http::full(body.to_owned())).await
    }

    pub(crate) async fn send_body(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: Body,
    ) -> Answer {
        let response = self.respond(method, path, fields, body).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// The answer with its body still to be read.
    pub(crate) async fn respond(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: Body,
    ) -> Response<Body> {
        let credentials = BASE64_STANDARD.encode(format!("{ALICE}:password"));
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "hub.test");
        if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
            request = request.header(header::AUTHORIZATION, format!("Basic {credentials}"));
        }
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        let request = request.body(body).expect("a request");
        let address: SocketAddr = "127.0.0.1:1".parse().expect("an address");
        let client = Client { conn: 1, address, may_authenticate: true };
        Arc::clone(&self.service).answer(client, request).await
    }

    /// The same from a connection that anybody can listen to.
    pub(crate) async fn respond_in_the_open(&self, path: &str) -> u16 {
        let request = Request::builder().method("PROPFIND").uri(path).body(http::empty()).expect("a request");
        let address: SocketAddr = "192.0.2.1:1".parse().expect("an address");
        let client = Client { conn: 1, address, may_authenticate: false };
        Arc::clone(&self.service).answer(client, request).await.status().as_u16()
    }

    pub(crate) fn takes(&self, method: &str, path: &str) -> bool {
        self.service.takes(&method.parse().expect("a method"), path)
    }

    /// Alice puts a file below her home; it must be new.
    pub(crate) async fn put(&self, path: &str, content: &str) -> Answer {
        let answer = self.send("PUT", &format!("{HOME}{path}"), &[], content).await;
        assert_eq!(answer.status, 201, "{path}: {}", answer.text());
        answer
    }

    pub(crate) async fn mkcol(&self, path: &str) {
        let answer = self.send("MKCOL", &format!("{HOME}{path}"), &[], "").await;
        assert_eq!(answer.status, 201, "{path}: {}", answer.text());
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", &format!("{HOME}{path}"), &[], "").await
    }
}

fn settings() -> Settings {
    Settings::default()
}
