//! Does what a [`Session`] asks for, with the hub.

use std::net::IpAddr;
use std::sync::Arc;

use hub::{Account, AccountId, Door, Error, Scopes};
use hub_wire::limits::AccountPlace;
use hub_wire::sasl::TokenRefusal;
use tracing::{error, info, warn};

use crate::Service;
use crate::reply::{Reply, write_string};
use crate::session::{Request, Session, Wish};
use crate::status;

/// The hub's side of one connection.
pub(crate) struct Worker {
    service: Arc<Service>,
    conn: u64,
    peer: IpAddr,
    /// Who is logged in, and the place under the limit.
    account: Option<(Account, AccountPlace<AccountId>)>,
}

impl Worker {
    pub(crate) fn new(service: Arc<Service>, conn: u64, peer: IpAddr) -> Self {
        Self { service, conn, peer, account: None }
    }

    /// Does what is asked for; its answer can make the session ask for more.
    pub(crate) async fn perform(&mut self, request: Request, session: &mut Session) -> Option<Request> {
        match request {
            Request::Leave => self.account = None,
            Request::Login { login, password } => {
                self.wait(&login).await;
                let answer = self.service.hub.login(&login, &password, Door::Imap).await;
                session.logged_in(self.enter(&login, answer));
            }
            Request::LoginFailed { login, why } => {
                info!(conn = self.conn, peer = %self.peer, login, why, "log-in failed");
                session.logged_in(self.enter(&login, Err(Error::BadCredentials)));
            }
            Request::LoginProven { login } => {
                let answer = self.service.hub.login_proven(&login, Door::Imap).await;
                session.logged_in(self.enter(&login, answer));
            }
            Request::LoginToken { login, token } => {
                let scope = Scopes::MAIL_WRITE;
                self.wait(&login).await;
                let answer = self.service.hub.login_as_with_token(&login, &token, scope, self.peer).await;
                let why = match answer {
                    Err(Error::BadCredentials) => TokenRefusal::Invalid,
                    Err(Error::Forbidden(_)) => TokenRefusal::Insufficient,
                    answer => {
                        session.logged_in(self.enter(&login, answer));
                        return None;
                    }
                };
                return session.token_refused(why, &scope.to_string());
            }
            Request::ScramCredentials { login } => {
                self.wait(&login).await;
                let answer = self.service.hub.scram_credentials(&login).await;
                return session.scram_credentials(answer.map_err(|error| self.refused(&error)));
            }
            Request::Scripts(wish) => {
                let answer = match &self.account {
                    Some((account, _)) => carry_out(account, wish).await,
                    None => Err(Error::BadCredentials),
                };
                session.done(answer.map_err(|error| self.refused(&error)));
            }
        }
        None
    }

    /// The price of earlier failures.
    async fn wait(&self, login: &str) {
        self.service.delays.wait(Some(self.peer), login).await;
    }

    fn enter(&mut self, login: &str, answer: hub::Result<Account>) -> Result<String, Reply> {
        let delays = &self.service.delays;
        match answer {
            Ok(account) => {
                delays.succeeded(self.peer);
                delays.account_succeeded(login);
                let twin = account.handle().to_string();
                let most = self.service.settings.connections_per_account;
                let Some(place) = self.service.places.take(account.id(), most) else {
                    warn!(conn = self.conn, peer = %self.peer, twin, "too many connections of one twin");
                    let text = "There are too many connections of this account".to_owned();
                    return Err(Reply::No { code: Some("TRYLATER"), text });
                };
                info!(conn = self.conn, peer = %self.peer, twin, "logged in");
                self.account = Some((account, place));
                Ok(twin)
            }
            Err(error) => {
                if let Error::BadCredentials = error {
                    delays.failed(self.peer);
                    delays.account_failed(login);
                }
                Err(self.refused(&error))
            }
        }
    }

    /// What broke goes to the log with its causes, never to the client.
    fn refused(&self, error: &Error) -> Reply {
        if let Error::Unavailable(source) = error {
            error!(conn = self.conn, %source, "the hub is unavailable");
        }
        status::reply(error)
    }
}

/// Returns what is said before the OK.
async fn carry_out(account: &Account, wish: Wish) -> hub::Result<Vec<u8>> {
    let mut out = Vec::new();
    match wish {
        Wish::Activate { name } => account.activate_script(name.as_deref()).await?,
        Wish::Check { text } => account.check_script(&text).await?,
        Wish::Delete { name } => account.remove_script(&name).await?,
        Wish::Get { name } => {
            // RFC 5804 §2.9: a script is always a literal, which any client can read.
            let text = account.script(&name).await?;
            out.extend_from_slice(format!("{{{}}}\r\n{text}\r\n", text.len()).as_bytes());
        }
        Wish::HaveSpace { name, size } => account.room_for_script(&name, size).await?,
        Wish::List => {
            for script in account.scripts().await? {
                write_string(&mut out, &script.name);
                out.extend_from_slice(if script.is_active { b" ACTIVE\r\n" } else { b"\r\n" });
            }
        }
        Wish::Put { name, text } => account.put_script(&name, &text).await?,
        Wish::Rename { from, to } => account.rename_script(&from, &to).await?,
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use hub::{Address, Hub, Secret};

    use super::*;
    use crate::Settings;
    use crate::session::{Link, Step};

    async fn service(connections_per_account: usize) -> (Arc<Service>, tempfile::TempDir) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let options = hub_storage::Options {
            data_dir: directory.path().to_owned(),
            database: hub_storage::Database::Sqlite,
        };
        let storage = hub::Storage::open(options).await.expect("opens");
        let settings = hub::Settings::default();
        let hub = Hub::open(storage, settings).await.expect("opens");
        hub.add_domain("example.org").await.expect("added");
        for name in ["alice", "bob"] {
            let address = Address::parse(&format!("{name}@example.org")).expect("an address");
            hub.add_twin(&address, &Secret::new("secret")).await.expect("added");
        }
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).expect("made");
        let key = made.signing_key.serialize_der().try_into().expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("fits");
        let settings = Settings { connections_per_account, ..Settings::default() };
        (Arc::new(Service::new(hub, Arc::new(tls), settings, Arc::default())), directory)
    }

    struct Talk(Session, Worker);

    impl Talk {
        fn new(service: &Arc<Service>) -> Self {
            let link = Link { can_start_tls: true, may_authenticate: true, binding: None };
            let mut session = Session::new(Arc::clone(&service.settings), link, Instant::now());
            session.output().clear();
            Self(session, Worker::new(Arc::clone(service), 1, "192.0.2.1".parse().expect("an address")))
        }

        async fn say(&mut self, line: &str) -> String {
            let mut input = line.as_bytes();
            let mut step = self.0.feed(&mut input, Instant::now());
            while let Step::Ask(request) = step {
                step = match self.1.perform(request, &mut self.0).await {
                    Some(request) => Step::Ask(request),
                    None => self.0.feed(&mut input, Instant::now()),
                };
            }
            String::from_utf8(std::mem::take(self.0.output())).expect("text")
        }
    }

    #[tokio::test]
    async fn an_account_has_so_many_connections() {
        // "\0alice@example.org\0secret" and the same of bob.
        let alice = "AUTHENTICATE \"PLAIN\" \"AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldA==\"\r\n";
        let bob = "AUTHENTICATE \"PLAIN\" \"AGJvYkBleGFtcGxlLm9yZwBzZWNyZXQ=\"\r\n";
        let (service, _directory) = service(2).await;
        let [mut first, mut second, mut third, mut other, mut last] = [(); 5].map(|()| Talk::new(&service));
        assert!(first.say(alice).await.starts_with("OK"));
        assert!(second.say(alice).await.starts_with("OK"));
        let refused = third.say(alice).await;
        assert!(refused.starts_with("NO (TRYLATER) \"There are too many connections"), "{refused}");
        assert!(third.say("LISTSCRIPTS\r\n").await.starts_with("NO"), "and is not logged in");
        assert!(other.say(bob).await.starts_with("OK"), "nobody else is concerned");
        first.say("UNAUTHENTICATE\r\n").await;
        assert!(third.say(alice).await.starts_with("OK"), "a place became free");
        drop(second);
        assert!(last.say(alice).await.starts_with("OK"), "so does that of a connection that ended");
    }
}
