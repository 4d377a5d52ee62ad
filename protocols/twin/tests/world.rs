//! A hub with two twins, and its API.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hub::{Account, Address, Door, Flags, Hub, NewMessage, Secret, Settings};
use hub_storage::{Database, Options, Storage};
use hub_wire::http::{self, Body, Client, Mount};
use hub_wire::limits::LoginDelay;
use hyper::{HeaderMap, Request, Response, header};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::capability::Capability;
use crate::{Ports, Service, ids};

pub(crate) const ALICE: &str = "alice@example.org";
pub(crate) const BOB: &str = "bob@example.org";

pub(crate) struct World {
    service: Arc<Service>,
    pub(crate) hub: Hub,
    /// Alice's account id.
    pub(crate) account_id: String,
    _folder: TempDir,
}

pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl HttpAnswer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.body))
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary directory");
        let options = Options { data_dir: folder.path().to_owned(), database: Database::Sqlite };
        let storage = Storage::open(options).await.expect("storage");
        let hub = Hub::open(storage, Settings::default()).await.expect("hub");
        hub.add_domain("example.org").await.expect("added");
        for twin in [ALICE, BOB] {
            let address = Address::parse(twin).expect("an address");
            hub.add_twin(&address, &Secret::new("password")).await.expect("added");
        }
        let ports = Ports { http: Some(80), https: Some(443) };
        let service = Arc::new(Service::new(hub.clone(), Arc::new(LoginDelay::new()), ports));
        let alice = hub.login(ALICE, &Secret::new("password"), Door::Api).await.expect("logged in");
        Self { service, hub, account_id: ids::account(alice.id()), _folder: folder }
    }

    pub(crate) async fn account(&self, twin: &str) -> Account {
        self.hub.login(twin, &Secret::new("password"), Door::Api).await.expect("logged in")
    }

    /// Alice's request to a path.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> HttpAnswer {
        let response = self.respond(method, path, fields, body).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        HttpAnswer { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// A stream of events: status, type and body.
    pub(crate) async fn stream(&self, path: &str, last_event_id: Option<&str>) -> (u16, String, Body) {
        let fields = [("last-event-id", last_event_id.unwrap_or_default())];
        let (head, body) = self.respond("GET", path, &fields, b"").await.into_parts();
        let media_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        (head.status.as_u16(), media_type.unwrap_or_default().to_owned(), body)
    }

    /// The status of an answer whose body may have no end.
    pub(crate) async fn open(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> u16 {
        self.respond(method, path, fields, b"").await.status().as_u16()
    }

    /// A stream of events of somebody else.
    pub(crate) async fn stream_as(&self, path: &str, authorization: &str) -> Body {
        let response = self.respond("GET", path, &[("authorization", authorization)], b"").await;
        assert_eq!(response.status(), 200, "{path}");
        response.into_body()
    }

    async fn respond(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Response<Body> {
        let credentials = BASE64_STANDARD.encode(format!("{ALICE}:password"));
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "hub.test");
        if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
            request = request.header(header::AUTHORIZATION, format!("Basic {credentials}"));
        }
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        let request = request.body(http::full(body.to_vec())).expect("a request");
        let address: SocketAddr = "127.0.0.1:1".parse().expect("an address");
        let client = Client { conn: 1, address, may_authenticate: true };
        Arc::clone(&self.service).answer(client, request).await
    }

    /// A request to the API as it stands.
    pub(crate) async fn post(&self, request: &Value) -> HttpAnswer {
        let fields = [("content-type", "application/json")];
        self.send("POST", "/jmap/api/", &fields, request.to_string().as_bytes()).await
    }

    /// Calls with all capabilities; their answers.
    pub(crate) async fn calls(&self, calls: Value) -> Vec<Value> {
        let using: Vec<&str> = Capability::ALL.into_iter().map(Capability::uri).collect();
        let answer = self.post(&json!({ "using": using, "methodCalls": calls })).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        answer.json()["methodResponses"].as_array().expect("answers").clone()
    }

    /// One call in alice's account; the arguments of its answer, with an error as `{"error": type}`.
    pub(crate) async fn call(&self, name: &str, mut arguments: Value) -> Value {
        if arguments.get("accountId").is_none() {
            arguments["accountId"] = json!(self.account_id);
        }
        let answer = self.calls(json!([[name, arguments, "c"]])).await.remove(0);
        match answer[0].as_str() {
            Some("error") => json!({ "error": answer[1]["type"] }),
            Some(answered) => {
                assert_eq!(answered, name);
                answer[1].clone()
            }
            None => panic!("{answer}"),
        }
    }

    /// A message that alice has got; its id.
    pub(crate) async fn deliver(&self, mailbox: &str, message: &[u8]) -> String {
        let account = self.account(ALICE).await;
        let mut spool = self.hub.spool();
        spool.write(message).await.expect("written");
        let incoming = self.hub.examine(spool).await.expect("examined");
        let messages = account.messages();
        let mailbox = messages.mailbox(mailbox).await.expect("a mailbox").id;
        let new = NewMessage { incoming, flags: Flags::NONE, received_at: 1_700_000_000 };
        messages.append(mailbox, vec![new]).await.expect("appended");
        let snapshot = messages.open(mailbox).await.expect("open").snapshot();
        ids::email(snapshot.last().expect("it is there").email)
    }

    pub(crate) async fn upload(&self, bytes: &[u8]) -> String {
        let path = format!("/jmap/upload/{}/", self.account_id);
        let answer = self.send("POST", &path, &[("content-type", "message/rfc822")], bytes).await;
        assert_eq!(answer.status, 201);
        answer.json()["blobId"].as_str().expect("an id").to_owned()
    }
}
