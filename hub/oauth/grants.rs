//! What twins have let programs do: tokens given out, renewed, used and taken back.

use std::net::IpAddr;
use std::time::Duration;

use hub_storage::oauth::{self as rows, Access, GrantRow, NewGrant, Rotation};
use tracing::{debug, info, warn};

use super::token::{self, Refresh};
use crate::login::Known;
use crate::{Account, AccountId, Address, Error, Hub, Result, Scopes, Secret, password, unix_now};

/// Seconds for which an access token is good.
const ACCESS_LIFE: i64 = 3600;
/// Seconds without a refresh after which a program must ask its twin again: half a year, so that a phone
/// in a drawer is not locked out over the summer.
const IDLE: i64 = 180 * 24 * 3600;
/// Seconds after which it must ask again in any case.
const LIFETIME: i64 = 2 * 365 * 24 * 3600;
/// Seconds for which the refresh token before the last is taken, too: the answer with the last may have been
/// lost on its way. If both are used, one of the two who used them is refused the next time, and the grant
/// is taken back.
const SECOND_CHANCE: i64 = 60;
/// Seconds between notes of a grant's last use.
const NOTE_EVERY: i64 = 3600;
/// Grants of a twin at most.
const GRANTS: i64 = 500;

/// A grant to be given.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) account: AccountId,
    pub(super) client: String,
    pub(super) client_name: String,
    pub(super) scopes: Scopes,
}

/// Tokens as a program gets them, once.
#[derive(Clone, Debug)]
pub struct Issued {
    pub access: Secret,
    /// Seconds.
    pub expires_in: i64,
    pub refresh: Secret,
    pub scopes: Scopes,
}

/// A program that may do something, as its twin sees it.
#[derive(Clone, Debug)]
pub struct GrantInfo {
    pub id: i64,
    pub program: String,
    pub scopes: Scopes,
    pub created_at: i64,
    pub expires_at: i64,
    pub last_used_at: Option<i64>,
    /// From where.
    pub last_peer: String,
}

impl Hub {
    /// Opens the account of an access token, for somebody at `peer`, if it covers what is `needed`.
    ///
    /// Errors: `BadCredentials` (unknown, expired or revoked: the program gets another one), `Forbidden` (it
    /// does not cover this), `Unavailable`.
    pub async fn login_with_token(&self, token: &Secret, needed: Scopes, peer: IpAddr) -> Result<Account> {
        let hash = token::access_hash(token).ok_or(Error::BadCredentials)?;
        let account = self.account_of_token(hash, peer, unix_now()).await?;
        account.require(needed)?;
        Ok(account)
    }

    /// [`Hub::login_with_token`] for protocols in which the client also says who it is, if it does: a token of
    /// somebody else is none (RFC 7628 §3.1).
    pub async fn login_as_with_token(
        &self,
        login: &str,
        token: &Secret,
        needed: Scopes,
        peer: IpAddr,
    ) -> Result<Account> {
        let account = self.login_with_token(token, needed, peer).await?;
        let is_meant = login.is_empty()
            || account.handle().to_string() == login
            || self.account_of_login(login).await?.is_some_and(|row| row.id == account.id);
        if is_meant { Ok(account) } else { Err(Error::BadCredentials) }
    }

    async fn account_of_token(&self, hash: [u8; 32], peer: IpAddr, now: i64) -> Result<Account> {
        let logins = &self.0.logins;
        if let Some(known) = logins.recall(&hash) {
            return Ok(self.opened(known));
        }
        let ticket = logins.ticket(hash);
        let (grant, access) = self.0.storage.oauth_access(hash).await?.ok_or(Error::BadCredentials)?;
        if access.expires_at <= now {
            return Err(Error::BadCredentials);
        }
        let row = self.0.storage.account(grant.account).await?.ok_or(Error::BadCredentials)?;
        let known = Known { scopes: Scopes::from_number(access.scopes), ..Known::of(&row)? };
        let left = Duration::from_secs(access.expires_at.abs_diff(now));
        logins.remember(ticket, known.clone(), left);
        self.note_use(&grant, peer, now);
        Ok(self.opened(known))
    }

    /// Nobody waits for it.
    fn note_use(&self, grant: &GrantRow, peer: IpAddr, now: i64) {
        let peer = peer.to_canonical().to_string();
        if grant.last_peer == peer && now < grant.last_used_at + NOTE_EVERY {
            return;
        }
        let (storage, account, id) = (self.0.storage.clone(), grant.account, grant.id);
        tokio::spawn(async move {
            let note = storage.transact([], move |tx| {
                Box::pin(async move { rows::note_use(tx, account, id, &peer).await })
            });
            if let Err(error) = note.await {
                debug!(%error, "the last use of a token was not noted");
            }
        });
    }

    pub(super) async fn issue(&self, given: Given, now: i64) -> Result<(i64, Issued)> {
        let Given { account, client, client_name, scopes } = given;
        let refresh = Refresh::first()?;
        let (token, access) = new_access(scopes, now)?;
        info!(account = account.0, client, program = client_name, %scopes, "a program was let in");
        let grant = NewGrant {
            client,
            client_name,
            scopes: scopes.number(),
            family: refresh.family,
            refresh: refresh.hash(),
            expires_at: now + IDLE,
            access,
        };
        let id = self
            .0
            .storage
            .transact([account], move |tx| Box::pin(rows::add_grant(tx, account, grant, GRANTS)))
            .await?;
        Ok((id, Issued { access: token, expires_in: ACCESS_LIFE, refresh: refresh.text(), scopes }))
    }

    /// Other tokens for a refresh token, which is good only once (OAuth 2.1 §4.3.1, RFC 9700 §4.14.2). `wanted`
    /// can narrow what the access token covers (RFC 6749 §6).
    ///
    /// Errors: `BadCredentials`, `Forbidden` (more is wanted than was granted), `Unavailable`.
    pub async fn refresh_token(
        &self,
        client: &str,
        token: &Secret,
        wanted: Option<Scopes>,
    ) -> Result<Issued> {
        let token = Refresh::parse(token).ok_or(Error::BadCredentials)?;
        let now = unix_now();
        match self.rotate(client, &token, wanted, now).await {
            // Two at once: the second one is what a second chance is for.
            Err(Error::Stale) => match self.rotate(client, &token, wanted, now).await {
                Err(Error::Stale) => Err(Error::BadCredentials),
                issued => issued,
            },
            issued => issued,
        }
    }

    async fn rotate(
        &self,
        client: &str,
        token: &Refresh,
        wanted: Option<Scopes>,
        now: i64,
    ) -> Result<Issued> {
        let grant = self.0.storage.oauth_grant_of_family(&token.family).await?;
        let grant = grant.filter(|grant| grant.client == client).ok_or(Error::BadCredentials)?;
        match standing(&grant, &token.hash(), now) {
            Standing::Good => {}
            Standing::Expired => return Err(Error::BadCredentials),
            Standing::Used => {
                warn!(account = grant.account.0, grant = grant.id, client, "a refresh token came twice");
                self.remove_grant(grant.account, grant.id).await?;
                return Err(Error::BadCredentials);
            }
        }
        let granted = Scopes::from_number(grant.scopes);
        let scopes = wanted.unwrap_or(granted);
        if !granted.contains(scopes) || scopes.is_empty() {
            return Err(Error::Forbidden("more than was granted"));
        }
        let next = Refresh::next(token.family)?;
        let (text, access) = new_access(scopes, now)?;
        let rotation = Rotation {
            refresh: next.hash(),
            prior: token.hash(),
            expires_at: (now + IDLE).min(grant.created_at + LIFETIME),
        };
        let (key, expected) = ((grant.account, grant.id), grant.refresh);
        self.0
            .storage
            .transact([], move |tx| Box::pin(rows::rotate(tx, key, expected, rotation, access)))
            .await?;
        Ok(Issued { access: text, expires_in: ACCESS_LIFE, refresh: next.text(), scopes })
    }

    /// Revokes an access or refresh token and with it the whole grant (RFC 7009 §2.1). One that is unknown,
    /// or another program's, is none.
    pub async fn revoke_token(&self, client: &str, token: &Secret) -> Result<()> {
        let grant = match (token::access_hash(token), Refresh::parse(token)) {
            (Some(hash), _) => self.0.storage.oauth_access(hash).await?.map(|(grant, _)| grant),
            (None, Some(refresh)) => self.0.storage.oauth_grant_of_family(&refresh.family).await?,
            (None, None) => None,
        };
        match grant.filter(|grant| grant.client == client) {
            Some(grant) => self.remove_grant(grant.account, grant.id).await,
            None => Ok(()),
        }
    }

    /// Programs that a twin has let in. `NotFound`.
    pub async fn grants(&self, handle: &Address) -> Result<Vec<GrantInfo>> {
        let account = self.twin(handle).await?;
        let grants = self.0.storage.oauth_grants(account).await?;
        Ok(grants.into_iter().map(info_of).collect())
    }

    /// Takes back what a program was granted. `NotFound`.
    pub async fn revoke_grant(&self, handle: &Address, grant: i64) -> Result<()> {
        let account = self.twin(handle).await?;
        let grants = self.0.storage.oauth_grants(account).await?;
        if !grants.iter().any(|row| row.id == grant) {
            return Err(Error::NotFound("token"));
        }
        self.remove_grant(account, grant).await
    }

    /// One that has gone meanwhile is no error.
    pub(super) async fn remove_grant(&self, account: AccountId, grant: i64) -> Result<()> {
        let removed =
            self.0.storage.transact([], move |tx| Box::pin(rows::remove_grant(tx, account, grant))).await;
        match removed {
            Ok(()) => info!(account = account.0, grant, "a program's tokens were revoked"),
            Err(hub_storage::Error::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// What a refresh token is worth.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Expired,
    Good,
    /// It was used before: one of the two who have it has stolen it.
    Used,
}

fn standing(grant: &GrantRow, hash: &[u8; 32], now: i64) -> Standing {
    let is_last = password::same_hash(&grant.refresh, hash);
    let is_prior = password::same_hash(&grant.prior, hash);
    if now >= grant.expires_at {
        Standing::Expired
    } else if is_last || (is_prior && now <= grant.refreshed_at + SECOND_CHANCE) {
        Standing::Good
    } else {
        Standing::Used
    }
}

fn new_access(scopes: Scopes, now: i64) -> Result<(Secret, Access)> {
    let (token, hash) = token::new_access()?;
    Ok((token, Access { hash, scopes: scopes.number(), expires_at: now + ACCESS_LIFE }))
}

fn info_of(row: GrantRow) -> GrantInfo {
    GrantInfo {
        id: row.id,
        program: row.client_name,
        scopes: Scopes::from_number(row.scopes),
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used_at: (row.last_used_at > 0).then_some(row.last_used_at),
        last_peer: row.last_peer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_is_good_once() {
        let grant = GrantRow {
            account: AccountId(1),
            id: 1,
            client: "c".into(),
            client_name: "C".into(),
            scopes: 1,
            refresh: vec![2; 32],
            prior: vec![1; 32],
            created_at: 0,
            refreshed_at: 1000,
            expires_at: 1000 + IDLE,
            last_used_at: 0,
            last_peer: String::new(),
        };
        for (token, now, expected) in [
            (2, 1000, Standing::Good),
            (2, 1000 + IDLE - 1, Standing::Good),
            (2, 1000 + IDLE, Standing::Expired),
            (1, 1000 + SECOND_CHANCE, Standing::Good),
            (1, 1001 + SECOND_CHANCE, Standing::Used),
            (0, 1000, Standing::Used),
            (0, 1000 + IDLE, Standing::Expired),
        ] {
            assert_eq!(standing(&grant, &[token; 32], now), expected, "{token} at {now}");
        }
    }
}
