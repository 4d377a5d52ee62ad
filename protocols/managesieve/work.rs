//! Does what a [`Session`] asks for, with the hub.

use std::net::IpAddr;
use std::sync::Arc;

use hub::{Account, Door, Error};
use tracing::{error, info};

use crate::Service;
use crate::reply::{Reply, write_string};
use crate::session::{Request, Session, Wish};
use crate::status;

/// The hub's side of one connection.
pub(crate) struct Worker {
    service: Arc<Service>,
    conn: u64,
    peer: IpAddr,
    account: Option<Account>,
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
            Request::ScramCredentials { login } => {
                self.wait(&login).await;
                let answer = self.service.hub.scram_credentials(&login).await;
                return session.scram_credentials(answer.map_err(|error| self.refused(&error)));
            }
            Request::Scripts(wish) => {
                let answer = match &self.account {
                    Some(account) => carry_out(account, wish).await,
                    None => Err(Error::BadCredentials),
                };
                session.done(answer.map_err(|error| self.refused(&error)));
            }
        }
        None
    }

    /// The price of earlier failures.
    async fn wait(&self, login: &str) {
        let delays = &self.service.delays;
        tokio::time::sleep(delays.delay(self.peer).max(delays.account_delay(login))).await;
    }

    fn enter(&mut self, login: &str, answer: hub::Result<Account>) -> Result<String, Reply> {
        let delays = &self.service.delays;
        match answer {
            Ok(account) => {
                delays.succeeded(self.peer);
                delays.account_succeeded(login);
                let twin = account.handle().to_string();
                info!(conn = self.conn, peer = %self.peer, twin, "logged in");
                self.account = Some(account);
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
