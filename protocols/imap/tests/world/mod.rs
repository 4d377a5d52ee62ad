//! A hub in a temporary directory with an IMAP service.

use std::sync::Arc;

use hub::{Account, Address, Door, Flags, Hub, MailboxId, NewMessage, Secret};
use hub_imap::{Service, Settings};
use hub_storage::{Database, Options, Storage};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;

pub(crate) struct World {
    pub(crate) hub: Hub,
    pub(crate) service: Arc<Service>,
    _directory: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new(settings: Settings) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let options = Options { data_dir: directory.path().to_owned(), database: Database::Sqlite };
        let storage = Storage::open(options).await.expect("opens");
        let limits = hub::Settings::default();
        let hub = Hub::open(storage, limits).await.expect("opens");
        hub.add_domain("example.org").await.expect("added");
        let service = Arc::new(Service::new(hub.clone(), tls(), settings, Arc::default()));
        Self { hub, service, _directory: directory }
    }

    /// Makes a twin with the password `secret`; returns its log-in name.
    pub(crate) async fn twin(&self, name: &str) -> String {
        let handle = format!("{name}@example.org");
        let address = Address::parse(&handle).expect("an address");
        self.hub.add_twin(&address, &Secret::new("secret")).await.expect("added");
        if name.contains("quota") {
            self.hub.set_quota(&address, Some(1024)).await.expect("set");
        }
        handle
    }

    async fn account(&self, twin: &str) -> Account {
        self.hub.login(twin, &Secret::new("secret"), Door::Imap).await.expect("logs in")
    }

    /// Puts messages into INBOX: `Subject: 1`, `Subject: 2` and so on, received one day apart.
    pub(crate) async fn append(&self, twin: &str, count: u32) {
        let mut messages = Vec::new();
        for n in 1..=count {
            let mut spool = self.hub.spool();
            let text = format!("From: a@b.test\r\nSubject: {n}\r\n\r\ntext {n}\r\n");
            spool.write(text.as_bytes()).await.expect("written");
            let incoming = self.hub.examine(spool).await.expect("examined");
            messages.push(NewMessage { incoming, flags: Flags::NONE, received_at: i64::from(n) * 86_400 });
        }
        self.account(twin).await.messages().append(MailboxId::INBOX, messages).await.expect("appended");
    }
}

fn tls() -> Arc<ServerConfig> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).expect("certificate");
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .expect("key fits");
    Arc::new(config)
}
