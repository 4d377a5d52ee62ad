//! `twinhub token`: programs that a twin has let in, for the owner of the hub.

use anyhow::Result;
use hub::{Error, Hub};
use serde::{Deserialize, Serialize};

use crate::admin::{self, Answer};
use crate::cli::token::Token;
use crate::commands::{answer, ask, done, look, odd, show};
use crate::setup::Setup;
use crate::text::{print, printable, time};

/// What can be asked about a twin's tokens.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    List,
    Revoke { id: i64 },
}

/// What a program was granted.
#[derive(Deserialize, Serialize)]
pub(crate) struct Grant {
    pub(crate) id: i64,
    pub(crate) program: String,
    pub(crate) scope: String,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) last_used_at: Option<i64>,
    pub(crate) last_peer: String,
}

/// Does what is asked.
pub(crate) async fn execute(hub: &Hub, address: &str, request: Request) -> Result<Answer, String> {
    let twin = admin::parse(address)?;
    match request {
        Request::List => {
            let grants = hub.grants(&twin).await.map_err(|error| admin::about_twin(&twin, error))?;
            Ok(Answer::Grants(grants.into_iter().map(Grant::from).collect()))
        }
        Request::Revoke { id } => match hub.revoke_grant(&twin, id).await {
            Ok(()) => Ok(Answer::Done),
            Err(Error::NotFound("token")) => {
                Err(format!("{twin} has no token {id}; see: twinhub token list {twin}"))
            }
            Err(error) => Err(admin::about_twin(&twin, error)),
        },
    }
}

pub(crate) async fn run(setup: &Setup, command: Token) -> Result<()> {
    let about = |address: &str, what| admin::Request::Token { address: address.to_owned(), what };
    match command {
        Token::List { address, list } => {
            let Answer::Grants(grants) = answer(look(setup, about(&address, Request::List)).await?)? else {
                return odd();
            };
            let row = |grant: &Grant| {
                let used = grant.last_used_at.map_or_else(|| "never".to_owned(), time);
                let (program, scope) = (grant.program.clone(), grant.scope.clone());
                [grant.id.to_string(), program, scope, time(grant.created_at), used, grant.last_peer.clone()]
            };
            show(&list, &grants, ["ID", "PROGRAM", "MAY", "SINCE (UTC)", "LAST USED (UTC)", "FROM"], row)
        }
        Token::Revoke { address, id } => {
            done(ask(setup, about(&address, Request::Revoke { id })).await?)?;
            print(&format!("Token {id} of {} opens nothing any more.\n", printable(&address)))?;
            Ok(())
        }
    }
}

impl From<hub::oauth::GrantInfo> for Grant {
    fn from(grant: hub::oauth::GrantInfo) -> Self {
        Self {
            id: grant.id,
            program: grant.program,
            scope: grant.scopes.to_string(),
            created_at: grant.created_at,
            expires_at: grant.expires_at,
            last_used_at: grant.last_used_at,
            last_peer: grant.last_peer,
        }
    }
}
