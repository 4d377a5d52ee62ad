//! Who the hub is to the authority: an account and its key (RFC 8555 §7.3), kept in a file that only
//! the hub reads.

use std::path::Path;

use instant_acme::{Account, AccountCredentials, NewAccount};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::client::Client;
use super::trouble::Trouble;
use super::{Error, Settings, write_atomically};

const FILE: &str = "acme-account.json";

#[derive(Deserialize, Serialize)]
struct Kept {
    directory: String,
    contact: Option<String>,
    credentials: AccountCredentials,
}

/// The account at this directory; made if there is none. Another directory means another account.
pub(super) async fn open(folder: &Path, settings: &Settings, client: &Client) -> Result<Account, Trouble> {
    let builder = Account::builder_with_http(Box::new(client.clone()));
    match read(folder)? {
        Some(kept) if kept.directory == settings.directory => {
            let has_contact = kept.contact == settings.contact;
            let account = builder.from_credentials(kept.credentials).await?;
            if !has_contact {
                update_contact(folder, settings, &account).await?;
            }
            Ok(account)
        }
        _ => {
            let contact = contact(settings);
            let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
            // That the owner agrees is what switches all of this on.
            let new =
                NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
            let (account, credentials) = builder.create(&new, settings.directory.clone(), None).await?;
            info!(directory = settings.directory, account = account.id(), "registered with the authority");
            write(folder, settings, credentials)?;
            Ok(account)
        }
    }
}

/// The authority does not know it any more: the next order makes another.
pub(super) fn forget(folder: &Path) {
    let _ = std::fs::remove_file(folder.join(FILE));
}

async fn update_contact(folder: &Path, settings: &Settings, account: &Account) -> Result<(), Trouble> {
    let contact = contact(settings);
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    account.update_contacts(&contact).await?;
    match read(folder)? {
        Some(kept) => Ok(write(folder, settings, kept.credentials)?),
        None => Ok(()),
    }
}

/// RFC 8555 §7.3: a list of URLs.
fn contact(settings: &Settings) -> Option<String> {
    settings.contact.as_ref().map(|address| format!("mailto:{address}"))
}

fn read(folder: &Path) -> Result<Option<Kept>, Error> {
    let file = folder.join(FILE);
    let text = match std::fs::read(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file(&file, error)),
    };
    let damaged = |error| {
        Error::file(
            &file,
            format!("this is not an account ({error}); restore it, or delete it to register anew"),
        )
    };
    serde_json::from_slice(&text).map(Some).map_err(damaged)
}

fn write(folder: &Path, settings: &Settings, credentials: AccountCredentials) -> Result<(), Error> {
    let kept = Kept { directory: settings.directory.clone(), contact: settings.contact.clone(), credentials };
    let file = folder.join(FILE);
    let text = serde_json::to_vec(&kept).map_err(|error| Error::file(&file, error))?;
    write_atomically(&file, &text, 0o600).map_err(|error| Error::file(&file, error))
}
