//! A whole account, mailbox by mailbox; begun anew with every connection, and never twice the same.

use std::collections::HashSet;

use hub::IdSet;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Login;
use super::connection::{Connection, quoted};
use super::response::{Content, Fetched, Listed, Response};
use crate::{Courier, Error, Progress, names};

/// Connections that break one after the other without a message in between.
const ATTEMPTS: u32 = 6;
/// Messages asked for at a time: the answer to one FETCH.
const BATCH: usize = 100;

/// Mailboxes that only show messages of other mailboxes (RFC 6154 §2; `\Important` of RFC 8457): a
/// copy of everything, at Gmail and its like.
const VIRTUAL: [&str; 3] = ["\\All", "\\Flagged", "\\Important"];
const ROLES: [(&str, &str); 5] = [
    ("\\Archive", "archive"),
    ("\\Drafts", "drafts"),
    ("\\Junk", "junk"),
    ("\\Sent", "sent"),
    ("\\Trash", "trash"),
];

/// A mailbox there, and what it is here.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Folder {
    /// As the server writes it.
    name: String,
    path: String,
    role: Option<&'static str>,
}

/// Imports everything, over as many connections as it takes.
pub async fn import<S: AsyncRead + AsyncWrite + Unpin>(
    login: &Login<'_>,
    courier: &mut Courier<S>,
    progress: &mut dyn Progress,
) -> Result<(), Error> {
    let mut import = Import {
        login,
        courier,
        progress,
        finished: HashSet::new(),
        unread: Vec::new(),
        committed: 0,
        is_counted: false,
    };
    let mut failures = 0;
    let mut before = 0;
    loop {
        let why = match import.connection().await {
            Err(Error::Broken(why)) => why,
            ended => return ended,
        };
        // What arrived whole is kept: a connection that never lasts long gets on all the same.
        import.courier.abandon().await?;
        import.commit().await?;
        failures = if import.committed > before { 1 } else { failures + 1 };
        before = import.committed;
        if failures == ATTEMPTS {
            return Err(Error::Broken(why));
        }
        import.progress.note(&format!("{why}; connecting again"));
        tokio::time::sleep(login.pause * (1 << (failures - 1))).await;
    }
}

struct Import<'a, S> {
    login: &'a Login<'a>,
    courier: &'a mut Courier<S>,
    progress: &'a mut dyn Progress,
    /// Mailboxes that need not be looked at again, by the server's names.
    finished: HashSet<String>,
    /// Those that the server does not hand out.
    unread: Vec<String>,
    committed: u64,
    is_counted: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Import<'_, S> {
    /// As far as one connection carries.
    async fn connection(&mut self) -> Result<(), Error> {
        let mut connection = Connection::open(self.login).await?;
        let folders = folders(&mut connection).await?;
        if !self.is_counted {
            self.count(&mut connection, &folders).await?;
            self.is_counted = true;
        }
        for folder in &folders {
            if self.finished.contains(&folder.name) {
                continue;
            }
            match self.folder(&mut connection, folder).await {
                Err(Error::Refused(why)) => {
                    // What arrived whole is kept, here and not in the next mailbox.
                    self.courier.abandon().await?;
                    self.commit().await?;
                    self.progress.note(&format!("{} cannot be read: {why}", folder.path));
                    self.unread.push(folder.path.clone());
                }
                other => other?,
            }
            self.finished.insert(folder.name.clone());
        }
        // The work is done; how the server takes leave does not matter.
        let _ = connection.simple("LOGOUT").await;
        match self.unread.as_slice() {
            [] => Ok(()),
            unread => Err(Error::Refused(format!("some mailboxes cannot be read: {}", unread.join(", ")))),
        }
    }

    /// For the progress bar.
    async fn count(&mut self, connection: &mut Connection, folders: &[Folder]) -> Result<(), Error> {
        let mut total = 0;
        for folder in folders {
            // What cannot be named is said when its turn comes.
            let Ok(name) = quoted(&folder.name) else { continue };
            let command = format!("STATUS {name} (MESSAGES)");
            let responses = match connection.simple(&command).await {
                Err(Error::Refused(_)) => continue,
                other => other?,
            };
            let count = responses.iter().find_map(|response| {
                let (_, rest) = response.text().rsplit_once("(MESSAGES ")?;
                rest.trim_end_matches(')').parse::<u64>().ok()
            });
            total = u64::saturating_add(total, count.unwrap_or(0));
        }
        self.progress.found(total);
        Ok(())
    }

    async fn folder(&mut self, connection: &mut Connection, folder: &Folder) -> Result<(), Error> {
        let selected = connection.simple(&format!("EXAMINE {}", quoted(&folder.name)?)).await?;
        let exists = selected.iter().find_map(|response| response.count("EXISTS")).unwrap_or(0);
        let validity = selected.iter().find_map(|response| response.code("UIDVALIDITY"));
        let Some(validity) = validity else {
            return Err(Error::Refused("the server gives it no UIDVALIDITY".into()));
        };
        self.progress.mailbox(&folder.path);
        // With another UIDVALIDITY, the UIDs are those of other messages (RFC 3501 §2.3.1.1).
        let source = format!("{}/{};{validity}", self.login.address.source(), folder.name);
        self.courier.folder(&source, &folder.path, folder.role).await?;
        if exists == 0 {
            return Ok(());
        }
        let mut missing = Vec::new();
        let mut known = 0;
        for uid in uids(connection).await?.iter() {
            if self.courier.knows(uid) { known += 1 } else { missing.push(uid) }
        }
        self.progress.done(known);
        for batch in missing.chunks(BATCH) {
            self.batch(connection, batch).await?;
        }
        self.commit().await
    }

    async fn batch(&mut self, connection: &mut Connection, uids: &[u64]) -> Result<(), Error> {
        let wanted: HashSet<u64> = uids.iter().copied().collect();
        let mut seen = HashSet::new();
        let tag = connection
            .send(&format!("UID FETCH {} (UID FLAGS INTERNALDATE BODY.PEEK[])", sequence_set(uids)))
            .await?;
        loop {
            let response = connection.response(Some(&mut *self.courier)).await?;
            if response.completion(&tag)?.is_some() {
                break;
            }
            if response.count("FETCH").is_some() {
                self.message(&response, &wanted, &mut seen).await?;
            }
        }
        // Expunged there meanwhile: nothing to fetch.
        self.progress.done((wanted.len() - seen.len()) as u64);
        Ok(())
    }

    async fn message(
        &mut self,
        response: &Response,
        wanted: &HashSet<u64>,
        seen: &mut HashSet<u64>,
    ) -> Result<(), Error> {
        let fetched = response.fetched();
        let broken = || Error::Broken(format!("the server's FETCH is broken: {}", response.shown()));
        let Fetched { uid, flags, received_at, body } = fetched.ok_or_else(broken)?;
        let size = match body {
            // A change of flags, said in between.
            None => return Ok(()),
            Some(Content::Gone(size)) => size,
            Some(Content::Here(text)) => {
                self.courier.bytes(text.as_bytes()).await?;
                text.len() as u64
            }
        };
        // Bytes without the message they belong to would become part of the next one.
        let uid = uid.map(u64::from).filter(|uid| wanted.contains(uid) && seen.insert(*uid));
        let uid = uid.ok_or_else(broken)?;
        self.progress.bytes(size);
        let flags = flags.into_iter().filter(|flag| !flag.eq_ignore_ascii_case("\\Recent")).collect();
        let committed = self.courier.message(uid, flags, received_at.unwrap_or(0)).await?;
        self.kept(committed);
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), Error> {
        let committed = self.courier.commit().await?;
        self.kept(committed);
        Ok(())
    }

    fn kept(&mut self, messages: u64) {
        self.committed += messages;
        self.progress.done(messages);
    }
}

/// The user's own mailboxes that hold messages, INBOX first.
async fn folders(connection: &mut Connection) -> Result<Vec<Folder>, Error> {
    let mut prefixes = [vec![], vec![], vec![]];
    if connection.has("NAMESPACE") {
        let responses = connection.simple("NAMESPACE").await?;
        prefixes = responses.iter().find_map(Response::namespaces).unwrap_or_default();
    }
    let listed = connection.simple("LIST \"\" \"*\"").await?;
    let mut folders: Vec<Folder> =
        listed.iter().filter_map(Response::listed).filter_map(|listed| folder(listed, &prefixes)).collect();
    folders.sort_by(|a, b| (a.path != "INBOX", &a.path).cmp(&(b.path != "INBOX", &b.path)));
    folders.dedup_by(|a, b| a.name == b.name);
    Ok(folders)
}

fn folder(listed: Listed, [own, others, shared]: &[Vec<String>; 3]) -> Option<Folder> {
    let has = |wanted: &str| listed.attributes.iter().any(|attribute| attribute.eq_ignore_ascii_case(wanted));
    if has("\\Noselect") || has("\\NonExistent") || VIRTUAL.into_iter().any(has) {
        return None;
    }
    let is_foreign = |prefix: &String| !prefix.is_empty() && listed.name.starts_with(prefix.as_str());
    if others.iter().chain(shared).any(is_foreign) {
        return None;
    }
    // Courier and older Cyrus keep everything below INBOX; that level says nothing.
    let prefix = own.iter().find(|prefix| !prefix.is_empty() && listed.name.starts_with(prefix.as_str()));
    let name = prefix.map_or(listed.name.as_str(), |prefix| &listed.name[prefix.len()..]);
    let path = match listed.name.eq_ignore_ascii_case("INBOX") {
        true => "INBOX".to_owned(),
        false => names::path(name, listed.delimiter)?,
    };
    let role = ROLES.into_iter().find(|(attribute, _)| has(attribute)).map(|(_, role)| role);
    Some(Folder { name: listed.name, path, role })
}

/// The UIDs of the mailbox that is open.
async fn uids(connection: &mut Connection) -> Result<IdSet, Error> {
    let mut uids = IdSet::new();
    let each = |response: Response| {
        if let Some(uid) = response.fetched().and_then(|fetched| fetched.uid) {
            uids.insert(u64::from(uid));
        }
        Ok(())
    };
    connection.run("UID FETCH 1:* (UID)", None::<&mut Courier<tokio::net::TcpStream>>, each).await?;
    Ok(uids)
}

/// `1:4,7`
fn sequence_set(uids: &[u64]) -> String {
    let mut set = IdSet::new();
    for uid in uids {
        set.insert(*uid);
    }
    let ranges = set.ranges().iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}:{last}"),
    });
    ranges.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_are_mapped() {
        let none = [vec![], vec![], vec![]];
        let cyrus = [vec!["INBOX.".to_owned()], vec!["user.".to_owned()], vec!["shared.".to_owned()]];
        for (attributes, delimiter, name, prefixes, expected) in [
            ("", '/', "inbox", &none, Some(("INBOX", None))),
            ("\\Sent", '/', "Gesendet", &none, Some(("Gesendet", Some("sent")))),
            ("\\HasChildren", '.', "a.b&-c", &none, Some(("a/b&c", None))),
            ("", '.', "INBOX.Sent.2024", &cyrus, Some(("Sent/2024", None))),
            ("", '.', "INBOX", &cyrus, Some(("INBOX", None))),
            ("", '.', "user.bob", &cyrus, None),
            ("", '.', "shared.x", &cyrus, None),
            ("\\Noselect", '/', "[Gmail]", &none, None),
            ("\\All", '/', "[Gmail]/All Mail", &none, None),
        ] {
            let attributes = attributes.split_terminator(' ').map(str::to_owned).collect();
            let listed = Listed { attributes, delimiter: Some(delimiter), name: name.to_owned() };
            let found = folder(listed, prefixes);
            let found = found.as_ref().map(|folder| (folder.path.as_str(), folder.role));
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn sets() {
        assert_eq!(sequence_set(&[1, 2, 3, 7, 9, 10]), "1:3,7,9:10");
    }
}
