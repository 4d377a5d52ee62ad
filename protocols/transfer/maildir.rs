//! Maildirs with subfolders: those of Maildir++ (`.Archive.2024`, as Dovecot and Courier have them)
//! and plain folders in folders. A message is a file; its flags stand in the name behind `:2,`, its
//! INTERNALDATE is the file's time, keywords are letters that `dovecot-keywords` explains.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use crate::number::Numbers;
use crate::{Courier, Error, Exported, Mailbox, Progress, names};

/// A message is in memory while its number is found.
const MAX_MESSAGE: u64 = 256 << 20;
const MAX_DEPTH: usize = 32;
/// Keyword letters are a to z.
const MAX_KEYWORDS: usize = 26;
const KEYWORDS: &str = "dovecot-keywords";

const FLAGS: [(char, &str); 5] =
    [('D', "\\Draft"), ('F', "\\Flagged"), ('R', "\\Answered"), ('S', "\\Seen"), ('T', "\\Deleted")];

/// Imports a Maildir; its top goes into `mailbox`, subfolders to mailboxes of their own (below
/// `mailbox`, if that is not INBOX).
pub async fn import<S: AsyncRead + AsyncWrite + Unpin>(
    folder: &Path,
    mailbox: &str,
    courier: &mut Courier<S>,
    progress: &mut dyn Progress,
) -> Result<(), Error> {
    let mut found = BTreeMap::new();
    find(folder, Vec::new(), &mut found)?;
    if found.is_empty() {
        return Err(Error::Refused(format!(
            "{} is no Maildir: it has neither cur nor new",
            folder.display()
        )));
    }
    for (levels, folder) in found {
        let below = (mailbox != "INBOX" || levels.is_empty()).then(|| mailbox.to_owned());
        let path = below.into_iter().chain(levels).collect::<Vec<_>>().join("/");
        one(&folder, &path, courier, progress).await?;
    }
    Ok(())
}

/// Maildirs at and below `folder`, by the levels of their names.
fn find(folder: &Path, levels: Vec<String>, found: &mut BTreeMap<Vec<String>, PathBuf>) -> Result<(), Error> {
    if folder.join("cur").is_dir() || folder.join("new").is_dir() {
        found.insert(levels.clone(), folder.to_owned());
    }
    if levels.len() > MAX_DEPTH {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(Error::file(folder.display()))? {
        let entry = entry.map_err(Error::file(folder.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Not through links: they may lead in a circle.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_folder || matches!(name.as_str(), "cur" | "new" | "tmp") {
            continue;
        }
        let (name, delimiter) = match name.strip_prefix('.') {
            Some(name) => (name, Some('.')),
            None => (name.as_str(), None),
        };
        let Some(path) = names::path(name, delimiter) else { continue };
        let levels = levels.iter().cloned().chain(path.split('/').map(str::to_owned)).collect();
        find(&entry.path(), levels, found)?;
    }
    Ok(())
}

async fn one<S: AsyncRead + AsyncWrite + Unpin>(
    folder: &Path,
    path: &str,
    courier: &mut Courier<S>,
    progress: &mut dyn Progress,
) -> Result<(), Error> {
    let mut files = Vec::new();
    for part in ["cur", "new"] {
        let part = folder.join(part);
        let Ok(entries) = fs::read_dir(&part) else { continue };
        for entry in entries {
            let entry = entry.map_err(Error::file(part.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                files.push((name, entry.path()));
            }
        }
    }
    // Names begin with the time of delivery.
    files.sort();
    progress.found(files.len() as u64);
    progress.mailbox(path);
    courier.folder(&format!("maildir:{path}"), path, None).await?;
    let keywords = keywords(&fs::read_to_string(folder.join(KEYWORDS)).unwrap_or_default());
    let mut numbers = Numbers::default();
    for (name, file) in files {
        let data = fs::metadata(&file).map_err(Error::file(file.display()))?;
        if data.len() > MAX_MESSAGE {
            progress.note(&format!("{} is left out: it has more than 256 MiB", file.display()));
            continue;
        }
        let message = with_crlf(fs::read(&file).map_err(Error::file(file.display()))?);
        let number = numbers.of(&[&message]);
        if courier.knows(number) {
            progress.done(1);
            continue;
        }
        progress.bytes(message.len() as u64);
        courier.bytes(&message).await?;
        let received_at = unix(data.modified().unwrap_or(UNIX_EPOCH));
        let committed = courier.message(number, flags(&name, &keywords), received_at).await?;
        progress.done(committed);
    }
    progress.done(courier.commit().await?);
    Ok(())
}

/// `0 $Label1` lines: the letter's position in the alphabet, and its keyword.
fn keywords(text: &str) -> BTreeMap<usize, String> {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.filter_map(|(at, name)| Some((at.parse().ok()?, name.to_owned()))).collect()
}

/// `…:2,FSab`
fn flags(name: &str, keywords: &BTreeMap<usize, String>) -> Vec<String> {
    let Some((_, letters)) = name.rsplit_once(":2,") else { return Vec::new() };
    let flag = |letter: char| match letter {
        'a'..='z' => keywords.get(&(letter as usize - 'a' as usize)).cloned(),
        letter => FLAGS.iter().find(|(code, _)| *code == letter).map(|(_, flag)| (*flag).to_owned()),
    };
    letters.chars().filter_map(flag).collect()
}

/// A message with LF lines gets CRLF; one with CRLF in its first line is taken as it is.
fn with_crlf(message: Vec<u8>) -> Vec<u8> {
    let first = message.iter().position(|&byte| byte == b'\n');
    if first.is_none_or(|at| at > 0 && message[at - 1] == b'\r') {
        return message;
    }
    let mut out = Vec::with_capacity(message.len() + message.len() / 32);
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(text) => {
                out.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
                out.extend_from_slice(b"\r\n");
            }
            None => out.extend_from_slice(line),
        }
    }
    out
}

/// Writes every mailbox: INBOX is the top, the others are subfolders of Maildir++. Messages are
/// written byte for byte.
pub async fn export<S: AsyncRead + AsyncWrite + Unpin>(
    folder: &Path,
    mailboxes: &[Mailbox],
    courier: &mut Courier<S>,
    progress: &mut dyn Progress,
) -> Result<(), Error> {
    for mailbox in mailboxes {
        progress.mailbox(&mailbox.path);
        let place = match mailbox.path.as_str() {
            "INBOX" => folder.to_owned(),
            path => folder.join(folder_name(path)),
        };
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(place.join(part)).map_err(Error::file(place.display()))?;
        }
        if place != folder {
            fs::write(place.join("maildirfolder"), "").map_err(Error::file(place.display()))?;
        }
        let mut keywords = Vec::new();
        let mut count = 0_u64;
        courier.export(&mailbox.path).await?;
        while let Some(message) = courier.exported().await? {
            count += 1;
            write(&place, count, &message, &mut keywords, courier).await?;
            progress.bytes(message.size);
            progress.done(1);
        }
        let lines: String = keywords.iter().enumerate().map(|(at, name)| format!("{at} {name}\n")).collect();
        if !lines.is_empty() {
            fs::write(place.join(KEYWORDS), lines).map_err(Error::file(place.display()))?;
        }
    }
    Ok(())
}

async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    place: &Path,
    count: u64,
    message: &Exported,
    keywords: &mut Vec<String>,
    courier: &mut Courier<S>,
) -> Result<(), Error> {
    let name = format!("{}.{count:08}.twinhub,S={}", message.received_at, message.size);
    let part = place.join("tmp").join(&name);
    let failed = |error| Error::file(part.display())(error);
    let mut file = tokio::fs::File::create_new(&part).await.map_err(failed)?;
    let mut left = message.size;
    while left > 0 {
        let piece = courier.piece().await?;
        left = left.saturating_sub(piece.len() as u64);
        file.write_all(&piece).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    file.into_std().await.set_modified(time(message.received_at)).map_err(failed)?;
    let letters = letters(&message.flags, keywords);
    let whole = place.join("cur").join(format!("{name}:2,{letters}"));
    fs::rename(&part, &whole).map_err(Error::file(whole.display()))
}

/// In the order of the alphabet, as the Maildir page asks.
fn letters(flags: &[String], keywords: &mut Vec<String>) -> String {
    let mut letters: Vec<char> = Vec::new();
    for flag in flags {
        let system = FLAGS.iter().find(|(_, name)| name == flag).map(|(code, _)| *code);
        letters.extend(system.or_else(|| {
            let known = keywords.iter().position(|known| known == flag);
            let at = known.or_else(|| {
                let is_free = !flag.starts_with('\\') && keywords.len() < MAX_KEYWORDS;
                is_free.then(|| {
                    keywords.push(flag.clone());
                    keywords.len() - 1
                })
            })?;
            ('a'..='z').nth(at)
        }));
    }
    letters.sort_unstable();
    letters.into_iter().collect()
}

/// `.Archive.2024`; a dot within a level is written so that it separates nothing.
fn folder_name(path: &str) -> String {
    let levels = path.split('/').map(|level| names::encode(level).replace('.', "&AC4-"));
    format!(".{}", levels.collect::<Vec<_>>().join("."))
}

fn unix(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    }
}

fn time(unix: i64) -> SystemTime {
    let distance = Duration::from_secs(unix.unsigned_abs());
    if unix >= 0 { UNIX_EPOCH + distance } else { UNIX_EPOCH - distance }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_letters() {
        let names = keywords("0 $Forwarded\n1 Later\nrubbish\n");
        assert_eq!(flags("1.2.host,S=3:2,FSab", &names), ["\\Flagged", "\\Seen", "$Forwarded", "Later"]);
        assert!(flags("1.2.host", &names).is_empty());
        let mut keywords = vec!["x".to_owned()];
        let all = ["y", "\\Seen", "x", "\\Draft", "\\Recent"].map(str::to_owned);
        assert_eq!(letters(&all, &mut keywords), "DSab");
        assert_eq!(keywords, ["x", "y"]);
    }

    #[test]
    fn names_come_back() {
        for path in ["Archive/2024", "a.b/c", "INBOX/Ärger & Co", "x"] {
            let name = folder_name(path);
            assert_eq!(names::path(&name[1..], Some('.')).as_deref(), Some(path), "{name}");
        }
    }

    #[test]
    fn line_ends() {
        for (message, expected) in [
            ("a: b\n\nc", "a: b\r\n\r\nc"),
            ("a: b\r\n\r\nc\nd", "a: b\r\n\r\nc\nd"),
            ("", ""),
            ("\n", "\r\n"),
        ] {
            assert_eq!(with_crlf(message.into()), expected.as_bytes());
        }
    }
}
