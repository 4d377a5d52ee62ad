//! Who a twin writes as (RFC 8621 §6): its handle, and what it makes of its other addresses.

use hub_mime::NamedAddress;
use hub_storage::submissions::{self, IdentityRow};

use crate::{Account, Address, Error, Modseq, Result};

/// Identities of an account at most.
const MOST: usize = 200;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// 0 is that of the handle, which cannot be removed; -1 is one to be made.
    pub id: i64,
    pub name: String,
    pub email: String,
    pub reply_to: Vec<NamedAddress>,
    pub bcc: Vec<NamedAddress>,
    pub text_signature: String,
    pub html_signature: String,
}

impl Account {
    /// That of the handle first.
    pub async fn identities(&self) -> Result<Vec<Identity>> {
        let rows = self.hub.0.storage.identities(self.id).await?;
        let mut identities: Vec<Identity> = rows.into_iter().map(Identity::of).collect();
        if identities.first().is_none_or(|first| first.id != 0) {
            identities.insert(0, Identity { email: self.handle.to_string(), ..Identity::default() });
        }
        Ok(identities)
    }

    /// Makes or changes an identity; returns its id. `Forbidden` for an address that the twin may not send
    /// as (`*@domain` stands for any of a domain), `Limit`.
    pub async fn put_identity(&self, identity: &Identity) -> Result<i64> {
        let address = Address::parse(&identity.email)?;
        if !self.may_send_as(&address).await? {
            return Err(Error::Forbidden("this is not an address of the account"));
        }
        if identity.id < 0 && self.identities().await?.len() >= MOST {
            return Err(Error::Limit("a twin has at most 200 identities"));
        }
        let (account, row) = (self.id, identity.row());
        let put = self.hub.0.storage.transact([account], move |tx| {
            Box::pin(async move { submissions::put_identity(tx, account, &row).await })
        });
        Ok(put.await?)
    }

    /// `NotFound`; `Forbidden` for that of the handle.
    pub async fn remove_identity(&self, id: i64) -> Result<()> {
        if id == 0 {
            return Err(Error::Forbidden("the identity of the twin's own name stays"));
        }
        if !self.identities().await?.iter().any(|identity| identity.id == id) {
            return Err(Error::NotFound("identity"));
        }
        let account = self.id;
        let remove = self.hub.0.storage.transact([account], move |tx| {
            Box::pin(async move { submissions::remove_identity(tx, account, id).await })
        });
        Ok(remove.await?)
    }

    /// The states of what is about sending: identities, submissions, the answer while away.
    pub async fn sending_states(&self) -> Result<SendingStates> {
        let heads = self.hub.0.storage.heads(self.id).await?;
        Ok(SendingStates {
            identities: heads.identity,
            submissions: heads.submission,
            vacation: heads.vacation,
            account: heads.modseq,
        })
    }
}

/// Modseqs of last changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendingStates {
    pub identities: Modseq,
    pub submissions: Modseq,
    pub vacation: Modseq,
    /// Of anything in the account.
    pub account: Modseq,
}

impl Identity {
    fn of(row: IdentityRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            email: row.email,
            reply_to: unpacked(&row.reply_to),
            bcc: unpacked(&row.bcc),
            text_signature: row.text_signature,
            html_signature: row.html_signature,
        }
    }

    fn row(&self) -> IdentityRow {
        IdentityRow {
            id: self.id,
            name: self.name.clone(),
            email: self.email.clone(),
            reply_to: packed(&self.reply_to),
            bcc: packed(&self.bcc),
            text_signature: self.text_signature.clone(),
            html_signature: self.html_signature.clone(),
        }
    }
}

/// Lines of address, tab, name.
fn packed(addresses: &[NamedAddress]) -> String {
    let plain = |text: &str| text.replace(['\t', '\n', '\r'], " ");
    let line = |address: &NamedAddress| match &address.name {
        Some(name) => format!("{}\t{}\n", plain(&address.email), plain(name)),
        None => format!("{}\n", plain(&address.email)),
    };
    addresses.iter().map(line).collect()
}

fn unpacked(lines: &str) -> Vec<NamedAddress> {
    let address = |line: &str| match line.split_once('\t') {
        Some((email, name)) => NamedAddress { name: Some(name.to_owned()), email: email.to_owned() },
        None => NamedAddress { name: None, email: line.to_owned() },
    };
    lines.lines().map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_back() {
        let all = [
            NamedAddress { name: Some("A, \"b\"".to_owned()), email: "a@x".to_owned() },
            NamedAddress { name: None, email: "b@x".to_owned() },
            NamedAddress { name: Some(String::new()), email: "c@x".to_owned() },
        ];
        assert_eq!(unpacked(&packed(&all)), all);
    }
}
