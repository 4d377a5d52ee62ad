//! `twinhub import` and `twinhub export`: the courier's side, with whatever keeps the mail at the
//! other end of the stream.

mod progress;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use hub::{Hub, Secret};
use hub_transfer::objects::{self, Objects, ObjectsKept};
use hub_transfer::{Courier, Progress as _, dav, imap, maildir, mbox};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, BufWriter};

use crate::cli::{Export, Format, Import};
use crate::commands::{self, Reached};
use crate::control;
use crate::setup::Setup;
use crate::text::{print, printable};
use progress::Line;

/// Bytes on their way between two tasks of this program.
const PIPE: usize = 1 << 20;

/// Objects that are named which an import has left out.
const MOST_REFUSED: usize = 20;

/// A server that is just being restarted is back after a minute.
const PAUSE: Duration = Duration::from_secs(1);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where the mail is kept.
struct Keeper {
    stream: Box<dyn Stream>,
    /// Without a server, the hub is in this process.
    own: Option<Hub>,
}

impl Keeper {
    async fn reach(setup: &Setup) -> Result<Self> {
        match commands::reach(setup, async || control::transfer(&setup.data_dir).await).await? {
            Reached::Server(stream) => Ok(Self { stream: Box::new(stream), own: None }),
            Reached::Storage(hub) => {
                let (ours, theirs) = tokio::io::duplex(PIPE);
                let keeper = hub.clone();
                // Its end is the courier's: what went wrong was said before.
                tokio::spawn(async move { hub_transfer::keep(&keeper, theirs).await });
                Ok(Self { stream: Box::new(ours), own: Some(hub) })
            }
        }
    }
}

pub(crate) async fn import(setup: &Setup, options: &Import) -> Result<()> {
    let source = Source::of(options)?;
    let password = match &source {
        Source::Dav(address) => Some(password(options, &address.user, &address.host)?),
        Source::Imap(address) => Some(password(options, &address.user, &address.host)?),
        Source::Maildir(_) | Source::Mbox(_) | Source::Objects(..) => None,
    };
    let Keeper { stream, own } = Keeper::reach(setup).await?;
    let mut line = Line::new();
    let tls = || {
        let roots = match &setup.config.tls.trust_roots {
            Some(path) => hub_certs::authorities(path).context("tls.trust_roots")?,
            None => Vec::new(),
        };
        hub_wire::tls_connector(&roots).map_err(|error| anyhow!("tls.trust_roots: {error}"))
    };
    let imported = async {
        let mut courier = Courier::open(stream, &options.to).await?;
        match (&source, &password) {
            (Source::Imap(address), Some(password)) => {
                let login = imap::Login { address, password, tls: tls()?, pause: PAUSE };
                imap::import(&login, &mut courier, &mut line).await?;
            }
            (Source::Dav(address), Some(password)) => {
                let login = dav::Login { address, password, tls: tls()?, pause: PAUSE };
                let kept = dav::import(&login, &mut courier, &mut line).await?;
                left_out(&kept, &mut line);
            }
            (Source::Mbox(path), _) => {
                let file = tokio::fs::File::open(path).await.with_context(|| path.display().to_string())?;
                mbox::import(BufReader::new(file), &options.mailbox, &mut courier, &mut line).await?;
            }
            (Source::Maildir(path), _) => {
                maildir::import(path, &options.mailbox, &mut courier, &mut line).await?;
            }
            (Source::Objects(kind, path), _) => {
                let file = tokio::fs::File::open(path).await.with_context(|| path.display().to_string())?;
                let collection = options.collection.as_deref().unwrap_or(kind.usual_collection());
                let kept = objects::import(*kind, file, collection, &mut courier, &mut line).await?;
                left_out(&kept, &mut line);
            }
            (Source::Dav(_) | Source::Imap(_), None) => bail!("a password is needed"),
        }
        let lost: Vec<String> = courier.lost_keywords().map(printable).collect();
        if !lost.is_empty() {
            line.note(&format!("an account can have 55 keywords; these were left out: {}", lost.join(", ")));
        }
        Ok(())
    };
    let imported: Result<()> = imported.await;
    if let Some(hub) = own {
        hub.close().await;
    }
    let summary = line.end();
    imported.context("the import stopped; the same command goes on from here")?;
    print(&format!("{summary}\n"))?;
    Ok(())
}

fn left_out(kept: &ObjectsKept, line: &mut Line) {
    for (name, why) in kept.refused.iter().take(MOST_REFUSED) {
        line.note(&format!("left out: {}: {why}", printable(name)));
    }
    if let Some(more) = kept.refused.len().checked_sub(MOST_REFUSED).filter(|more| *more > 0) {
        line.note(&format!("left out: {more} more"));
    }
}

enum Source<'a> {
    Dav(dav::Address),
    Imap(imap::Address),
    Maildir(&'a Path),
    Mbox(&'a Path),
    Objects(Objects, &'a Path),
}

impl<'a> Source<'a> {
    fn of(options: &'a Import) -> Result<Self> {
        match (options.source.as_str(), options.path.as_deref()) {
            ("maildir", Some(path)) => Ok(Self::Maildir(path)),
            ("mbox", Some(path)) => Ok(Self::Mbox(path)),
            ("ics", Some(path)) => Ok(Self::Objects(Objects::Calendars, path)),
            ("vcf", Some(path)) => Ok(Self::Objects(Objects::Contacts, path)),
            (kind @ ("ics" | "maildir" | "mbox" | "vcf"), None) => {
                bail!("which one? twinhub import {kind} PATH --to …")
            }
            (address, None) if is_dav(address) => {
                dav::Address::parse(address).map(Self::Dav).map_err(anyhow::Error::msg)
            }
            (address, None) => imap::Address::parse(address).map(Self::Imap).map_err(anyhow::Error::msg),
            (_, Some(_)) => bail!("a path goes with \"mbox\", \"maildir\", \"ics\" or \"vcf\" only"),
        }
    }
}

fn is_dav(address: &str) -> bool {
    let scheme = address.split("://").next().unwrap_or_default().to_ascii_lowercase();
    matches!(scheme.as_str(), "caldav" | "caldavs" | "carddav" | "carddavs")
}

fn password(options: &Import, user: &str, host: &str) -> Result<Secret> {
    let password = match options.password_stdin {
        true => commands::first_line()?,
        false => {
            rpassword::prompt_password(format!("Password of {} at {}: ", printable(user), printable(host)))
                .context("no password can be asked for; see --password-stdin")?
        }
    };
    if password.is_empty() {
        bail!("the password is empty");
    }
    Ok(Secret::new(password))
}

pub(crate) async fn export(setup: &Setup, options: &Export) -> Result<()> {
    let folder = &options.folder;
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    if std::fs::read_dir(folder).with_context(|| folder.display().to_string())?.next().is_some() {
        bail!("{} is not empty; name a folder that is, or a new one", folder.display());
    }
    let Keeper { stream, own } = Keeper::reach(setup).await?;
    let mut line = Line::new();
    let exported = async {
        let mut courier = Courier::open(stream, &options.twin).await?;
        let mailboxes = courier.mailboxes.clone();
        if let Format::Maildir | Format::Mbox = options.format {
            line.found(mailboxes.iter().map(|mailbox| mailbox.messages).sum());
        }
        match options.format {
            Format::Ics => objects_to(folder, Objects::Calendars, &mut courier, &mut line).await?,
            Format::Vcf => objects_to(folder, Objects::Contacts, &mut courier, &mut line).await?,
            Format::Maildir => maildir::export(folder, &mailboxes, &mut courier, &mut line).await?,
            Format::Mbox => {
                for mailbox in &mailboxes {
                    let path = folder.join(mbox::file_name(&mailbox.path));
                    if let Some(above) = path.parent() {
                        std::fs::create_dir_all(above).with_context(|| above.display().to_string())?;
                    }
                    let file = tokio::fs::File::create_new(&path).await;
                    let file = file.with_context(|| path.display().to_string())?;
                    mbox::export(&mailbox.path, BufWriter::new(file), &mut courier, &mut line).await?;
                }
            }
        }
        Ok(())
    };
    let exported: Result<()> = exported.await;
    if let Some(hub) = own {
        hub.close().await;
    }
    let summary = line.end();
    exported.context("the export is not complete")?;
    print(&format!("{summary}\n"))?;
    Ok(())
}

/// A file for each calendar, or each address book.
async fn objects_to(
    folder: &Path,
    kind: Objects,
    courier: &mut Courier<Box<dyn Stream>>,
    line: &mut Line,
) -> Result<()> {
    for name in objects::collections(kind, courier).await? {
        let path = folder.join(kind.file_name(&name));
        let file = tokio::fs::File::create_new(&path).await;
        let file = file.with_context(|| path.display().to_string())?;
        objects::export(kind, &name, BufWriter::new(file), courier, line).await?;
        line.done(1);
    }
    Ok(())
}
