//! A twin says yes, in person: with its password, not with one of a program.

use super::code::{Challenge, Code};
use super::grants::Given;
use super::token;
use super::{Client, Issued};
use crate::{Error, Hub, Result, Scopes, Secret, locked, unix_now};

/// What a twin approves: tokens for a program.
#[derive(Clone, Debug)]
pub struct Approval {
    pub client: Client,
    pub scopes: Scopes,
    /// Where the browser goes back to.
    pub redirect_uri: String,
    pub challenge: Challenge,
}

impl Hub {
    /// Returns the code for the program. `BadCredentials`; `Forbidden` if nothing at all is approved.
    pub async fn approve(&self, login: &str, password: &Secret, approval: Approval) -> Result<Secret> {
        let given = self.given(login, password, &approval.client, approval.scopes).await?;
        let code = token::new_code()?;
        let waiting = Code::new(given, approval.redirect_uri, approval.challenge, unix_now());
        locked(&self.0.oauth.codes).add(token::hash(&code), waiting, unix_now())?;
        Ok(Secret::new(code))
    }

    /// What somebody who proves to be a twin gives to a program.
    pub(super) async fn given(
        &self,
        login: &str,
        password: &Secret,
        client: &Client,
        scopes: Scopes,
    ) -> Result<Given> {
        let account = self.login_in_person(login, password).await?;
        if scopes.is_empty() {
            return Err(Error::Forbidden("nothing was chosen"));
        }
        let (client, client_name) = (client.id.clone(), client.name.clone());
        Ok(Given { account: account.id, client, client_name, scopes })
    }

    /// Tokens for a code (RFC 6749 §4.1.3), once: a code that comes twice was stolen, and what it was good for
    /// is taken back (OAuth 2.1 §4.1.3). `BadCredentials`.
    pub async fn redeem_code(
        &self,
        client: &str,
        code: &Secret,
        redirect_uri: Option<&str>,
        verifier: &str,
    ) -> Result<Issued> {
        let (hash, now) = (token::hash(code.expose()), unix_now());
        let taken = locked(&self.0.oauth.codes).take(&hash, (client, redirect_uri, verifier), now);
        let given = match taken {
            Ok(given) => given,
            Err(grant) => {
                if let Some((account, grant)) = grant {
                    self.remove_grant(account, grant).await?;
                }
                return Err(Error::BadCredentials);
            }
        };
        let account = given.account;
        let (grant, issued) = self.issue(given, now).await?;
        if locked(&self.0.oauth.codes).spent(&hash, grant) {
            return Ok(issued);
        }
        // It came again while the tokens were written.
        self.remove_grant(account, grant).await?;
        Err(Error::BadCredentials)
    }
}
