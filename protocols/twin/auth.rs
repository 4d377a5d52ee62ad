//! Who asks, with the twin's password, an app password for this door, or a bearer token. What a token covers
//! is asked per method, of the table of all methods.

use std::net::IpAddr;

use hub::{Account, Door, Error, Scopes, Secret};
use hub_wire::http::Client;
use hub_wire::http_login::{self, Credentials, Refusal, Schemes};
use hyper::header::HeaderMap;

use crate::reply::Reply;
use crate::{Service, status};

/// An account that was opened, and how.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) account: Account,
    /// The token, and where it came from.
    token: Option<(Secret, IpAddr)>,
}

impl Login {
    /// False once the token has expired or was taken back: what was opened with it must end, too.
    pub(crate) async fn is_good(&self) -> bool {
        let Some((token, ip)) = &self.token else { return true };
        let again = self.account.hub().login_with_token(token, Scopes::NONE, *ip).await;
        // Whatever cannot be found out for now is not held against anybody.
        !matches!(again, Err(Error::BadCredentials))
    }
}

/// Opens the account, or says what to answer instead. A ticket stands in place of header fields.
pub(crate) async fn log_in(
    service: &Service,
    client: Client,
    headers: &HeaderMap,
    ticket: Option<&str>,
) -> Result<Login, Reply> {
    if let Some(ticket) = ticket {
        return match client.may_authenticate {
            true => service.tickets.holder(ticket).ok_or_else(|| refuse(Refusal::InvalidToken)),
            false => Err(refuse(Refusal::InTheClear)),
        };
    }
    let hub = &service.hub;
    let ip = client.address.ip();
    let check = |credentials| async move {
        match credentials {
            Credentials::Basic { name, password } => {
                let account = hub.login(&name, &Secret::new(password), Door::Api).await?;
                Ok(Login { account, token: None })
            }
            Credentials::Bearer(token) => {
                let token = Secret::new(token);
                let account = hub.login_with_token(&token, Scopes::NONE, ip).await?;
                Ok(Login { account, token: Some((token, ip)) })
            }
        }
    };
    let is_wrong = |error: &Error| matches!(error, Error::BadCredentials);
    http_login::log_in(&service.delays, client, headers, is_wrong, check).await.map_err(refuse)
}

fn refuse(refusal: Refusal<Error>) -> Reply {
    refusal.reply(Schemes::BasicAndBearer).unwrap_or_else(|error| status::reply(&error))
}
