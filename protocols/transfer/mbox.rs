//! mbox files (RFC 4155), in the variant mboxrd: a `>` more in front of every line of a message that
//! begins with `From ` after any number of `>`; so nothing is lost on the way back.
//!
//! Lines end with LF in the file and with CRLF here. Flags stand in the last lines of the header, as
//! mutt, Dovecot and others have it: `Status` (R read, O old), `X-Status` (A answered, F flagged, T
//! draft, D deleted) and `X-Keywords`.

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt,
};

use crate::number::Numbers;
use crate::{Courier, Error, Exported, Progress, date};

/// A line is read in pieces of at most this many bytes: some are whole images.
const PIECE: u64 = 64 << 10;
/// A message is in memory while its number is found; a file without separators is not.
const MAX_MESSAGE: usize = 256 << 20;
/// A header is looked at as a whole, for its flags; what is longer has none.
const MAX_HEADER: usize = 1 << 20;

const STATUS: [(char, &str); 1] = [('R', "\\Seen")];
const X_STATUS: [(char, &str); 4] =
    [('A', "\\Answered"), ('F', "\\Flagged"), ('T', "\\Draft"), ('D', "\\Deleted")];

/// Imports a file into one mailbox.
pub async fn import<S: AsyncRead + AsyncWrite + Unpin>(
    file: impl AsyncBufRead + Unpin,
    mailbox: &str,
    courier: &mut Courier<S>,
    progress: &mut dyn Progress,
) -> Result<(), Error> {
    // Not the file's path: the same file may lie elsewhere the next time.
    courier.folder(&format!("mbox:{mailbox}"), mailbox, None).await?;
    progress.mailbox(mailbox);
    let mut reader = Reader { file, at_line_start: true };
    let mut numbers = Numbers::default();
    let mut next = reader.first().await?;
    while let Some(received_at) = next {
        let (message, follows) = reader.message().await?;
        next = follows;
        let Message { header, flags, body } = message;
        let number = numbers.of(&[&header, &body]);
        if courier.knows(number) {
            progress.done(1);
            continue;
        }
        progress.bytes((header.len() + body.len()) as u64);
        courier.bytes(&header).await?;
        courier.bytes(&body).await?;
        let committed = courier.message(number, flags, received_at).await?;
        progress.done(committed);
    }
    progress.done(courier.commit().await?);
    Ok(())
}

struct Message {
    header: Vec<u8>,
    flags: Vec<String>,
    body: Vec<u8>,
}

struct Reader<F> {
    file: F,
    at_line_start: bool,
}

impl<F: AsyncBufRead + Unpin> Reader<F> {
    /// The date of the first message; `None` for an empty file.
    async fn first(&mut self) -> Result<Option<i64>, Error> {
        loop {
            let Some((line, _)) = self.piece().await? else { return Ok(None) };
            match separator(&line) {
                Some(date) => return Ok(Some(date)),
                None if line.trim_ascii().is_empty() => {}
                None => {
                    return Err(Error::Refused("this is no mbox: it does not begin with \"From \"".into()));
                }
            }
        }
    }

    /// A message, and the date of the one behind it.
    async fn message(&mut self) -> Result<(Message, Option<i64>), Error> {
        let (mut header, mut body) = (Vec::new(), Vec::new());
        let mut is_header = true;
        // The empty line before a separator is not the message's.
        let mut held_back = false;
        let next = loop {
            let Some((line, is_start)) = self.piece().await? else { break None };
            let is_empty = is_start && matches!(line.as_slice(), b"\n" | b"\r\n");
            if is_start
                && (held_back || is_header)
                && let Some(date) = separator(&line)
            {
                break Some(date);
            }
            if held_back {
                body.extend_from_slice(b"\r\n");
            }
            held_back = is_empty && !is_header;
            let line = if is_start { unquoted(&line) } else { &line };
            let target = if is_header { &mut header } else { &mut body };
            if !held_back {
                with_crlf(line, target);
            }
            is_header = is_header && !is_empty;
            if header.len() + body.len() > MAX_MESSAGE {
                return Err(Error::Refused("the mbox has a message of more than 256 MiB".into()));
            }
        };
        let flags = take_flags(&mut header);
        Ok((Message { header, flags, body }, next))
    }

    /// A line or the next piece of one, and whether a line begins with it.
    async fn piece(&mut self) -> Result<Option<(Vec<u8>, bool)>, Error> {
        let mut piece = Vec::new();
        let mut limited = (&mut self.file).take(PIECE);
        limited.read_until(b'\n', &mut piece).await.map_err(Error::file("the mbox"))?;
        if piece.is_empty() {
            return Ok(None);
        }
        let is_start = std::mem::replace(&mut self.at_line_start, piece.ends_with(b"\n"));
        Ok(Some((piece, is_start)))
    }
}

/// The date of a separator line: `From ADDRESS DATE`.
fn separator(line: &[u8]) -> Option<i64> {
    let rest = std::str::from_utf8(line.strip_prefix(b"From ")?).ok()?;
    // Some programs leave the address out.
    let (_, after) = rest.trim().split_once(' ')?;
    date::of_mbox(after).or_else(|| date::of_mbox(rest))
}

fn is_quoted_separator(line: &[u8]) -> bool {
    let quotes = line.iter().take_while(|&&byte| byte == b'>').count();
    line[quotes..].starts_with(b"From ")
}

/// `>From ` → `From `, `>>From ` → `>From `.
fn unquoted(line: &[u8]) -> &[u8] {
    if line.starts_with(b">") && is_quoted_separator(line) { &line[1..] } else { line }
}

fn with_crlf(line: &[u8], out: &mut Vec<u8>) {
    match line.strip_suffix(b"\n") {
        Some(line) => {
            out.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
            out.extend_from_slice(b"\r\n");
        }
        None => out.extend_from_slice(line),
    }
}

/// Takes the flag lines out of the end of a header: from its last line up to `Status`, each name once,
/// so that a field that the message itself has of this name stays.
fn take_flags(header: &mut Vec<u8>) -> Vec<String> {
    if header.len() > MAX_HEADER {
        return Vec::new();
    }
    let Some(fields) = header.strip_suffix(b"\r\n") else { return Vec::new() };
    let mut flags = Vec::new();
    let mut end = fields.len();
    let mut seen: Vec<String> = Vec::new();
    while let Some(line) = fields[..end].strip_suffix(b"\r\n") {
        let start = line.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let Some((name, value)) =
            std::str::from_utf8(&line[start..]).ok().and_then(|line| line.split_once(':'))
        else {
            return Vec::new();
        };
        let name = name.to_ascii_lowercase();
        let codes = |codes: &[(char, &str)]| {
            let found = codes.iter().filter(|(code, _)| value.contains(*code));
            found.map(|(_, flag)| (*flag).to_owned()).collect::<Vec<_>>()
        };
        match name.as_str() {
            _ if seen.contains(&name) => return Vec::new(),
            "status" => flags.extend(codes(&STATUS)),
            "x-status" => flags.extend(codes(&X_STATUS)),
            "x-keywords" => flags.extend(value.split_ascii_whitespace().map(str::to_owned)),
            "content-length" | "lines" | "x-uid" => {}
            _ => return Vec::new(),
        }
        end = start;
        if name == "status" {
            header.truncate(end);
            header.extend_from_slice(b"\r\n");
            return flags;
        }
        seen.push(name);
    }
    Vec::new()
}

/// The file of a mailbox below a folder: `Archive/2024.mbox`. No level can lead elsewhere.
pub fn file_name(path: &str) -> std::path::PathBuf {
    let level = |level: &str| match level.strip_prefix('.') {
        Some(rest) => format!("%2E{rest}"),
        None => level.to_owned(),
    };
    let levels: Vec<String> = path.split('/').map(|name| level(&name.replace('%', "%25"))).collect();
    format!("{}.mbox", levels.join("/")).into()
}

/// Writes the messages of a mailbox, one behind the other.
pub async fn export<S: AsyncRead + AsyncWrite + Unpin>(
    mailbox: &str,
    mut file: impl AsyncWrite + Unpin,
    courier: &mut Courier<S>,
    progress: &mut dyn Progress,
) -> Result<(), Error> {
    progress.mailbox(mailbox);
    courier.export(mailbox).await?;
    while let Some(message) = courier.exported().await? {
        let mut writer = Writer::new(&message);
        let mut left = message.size;
        while left > 0 {
            let piece = courier.piece().await?;
            left = left.saturating_sub(piece.len() as u64);
            writer.push(&piece);
            if left == 0 {
                writer.finish();
            }
            file.write_all(&writer.out).await.map_err(Error::file("the mbox"))?;
            writer.out.clear();
            progress.bytes(piece.len() as u64);
        }
        progress.done(1);
    }
    file.flush().await.map_err(Error::file("the mbox"))
}

/// From CRLF and no quoting to LF and mboxrd, piece by piece.
struct Writer {
    out: Vec<u8>,
    /// A line that is not complete yet, if it may still be one to quote or an empty one.
    line: Vec<u8>,
    status: Option<String>,
}

impl Writer {
    fn new(message: &Exported) -> Self {
        let has = |flag: &str| message.flags.iter().any(|known| known == flag);
        let codes = |codes: &[(char, &str)]| {
            codes.iter().filter(|(_, flag)| has(flag)).map(|(code, _)| *code).collect::<String>()
        };
        let keywords: Vec<&str> =
            message.flags.iter().map(String::as_str).filter(|flag| !flag.starts_with('\\')).collect();
        let status = format!(
            "Status: {}O\nX-Status: {}\nX-Keywords: {}\n",
            codes(&STATUS),
            codes(&X_STATUS),
            keywords.join(" ")
        );
        let out = format!("From MAILER-DAEMON {}\n", date::to_mbox(message.received_at)).into_bytes();
        Self { out, line: Vec::new(), status: Some(status) }
    }

    fn push(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty()
            && let Some(status) = self.status.take()
        {
            self.out.extend_from_slice(status.as_bytes());
        }
        if is_quoted_separator(line) {
            self.out.push(b'>');
        }
        self.out.extend_from_slice(line);
        self.out.push(b'\n');
    }

    /// The last line gets an end, a header without a body its flags, and then the empty line that
    /// comes before the next message.
    fn finish(&mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
        if self.status.is_some() {
            self.end_line();
        }
        self.out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exported(flags: &[&str]) -> Exported {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Exported { flags, received_at: 1_707_124_272, size: 0 }
    }

    fn write(messages: &[(&[&str], &[u8])]) -> Vec<u8> {
        let mut file = Vec::new();
        for (flags, message) in messages {
            let mut writer = Writer::new(&exported(flags));
            message.chunks(3).for_each(|piece| writer.push(piece));
            writer.finish();
            file.append(&mut writer.out);
        }
        file
    }

    async fn read(file: &[u8]) -> Vec<(Vec<String>, i64, Vec<u8>)> {
        let mut reader = Reader { file, at_line_start: true };
        let mut next = reader.first().await.expect("an mbox");
        let mut found = Vec::new();
        while let Some(date) = next {
            let (message, follows) = reader.message().await.expect("a message");
            found.push((message.flags, date, [message.header, message.body].concat()));
            next = follows;
        }
        found
    }

    #[tokio::test]
    async fn what_is_written_is_read() {
        let messages: [(&[&str], &[u8]); 5] = [
            (&["\\Seen", "\\Flagged", "$Label"], b"Subject: a\r\n\r\nFrom here\r\n>From there\r\n>>From\r\n"),
            (&[], b"Subject: b\r\nStatus: mine\r\n\r\n\r\nbody\r\n\r\n\r\n"),
            (&["\\Deleted"], b"Subject: no body\r\n\r\n"),
            (&["\\Draft", "\\Answered"], b"Subject: c\r\n\r\n\xe4\xf6\0 8-bit\r\n"),
            (&[], b"From odd\r\n\r\nx\r\n"),
        ];
        let read = read(&write(&messages)).await;
        assert_eq!(read.len(), messages.len());
        for ((flags, date, found), (expected_flags, expected)) in read.iter().zip(messages) {
            assert_eq!(String::from_utf8_lossy(found), String::from_utf8_lossy(expected));
            let (mut flags, mut expected) = (flags.clone(), expected_flags.to_vec());
            flags.sort();
            expected.sort_unstable();
            assert_eq!((flags.iter().map(String::as_str).collect(), *date), (expected, 1_707_124_272));
        }
    }

    #[tokio::test]
    async fn files_of_other_programs() {
        let file = b"\nFrom alice@a.test Mon Feb  5 09:11:12 2024\nSubject: mutt\nStatus: RO\nContent-Length: 5\nLines: 1\n\n\
            body\n\nFrom x\n\nFrom - Mon Feb  5 09:11:12 2024\nSubject: Thunderbird\n\nend without newline";
        let read = read(file).await;
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].0, ["\\Seen"]);
        assert_eq!(read[0].2, b"Subject: mutt\r\n\r\nbody\r\n\r\nFrom x\r\n");
        assert_eq!(read[1].2, b"Subject: Thunderbird\r\n\r\nend without newline");
        let mut no_mbox = Reader { file: &b"Subject: x\n\n"[..], at_line_start: true };
        assert!(no_mbox.first().await.is_err());
    }

    #[test]
    fn file_names() {
        for (path, expected) in
            [("INBOX", "INBOX.mbox"), ("a/b", "a/b.mbox"), ("../..", "%2E./%2E..mbox"), ("50%", "50%25.mbox")]
        {
            assert_eq!(file_name(path), std::path::Path::new(expected));
        }
    }

    proptest::proptest! {
        /// Every message with CRLF lines comes back byte for byte.
        #[test]
        fn any_message_comes_back(lines in proptest::collection::vec("(>{0,2}(From )?)?[ -~]{0,8}", 1..12)) {
            let message = format!("Subject: x\r\n\r\n{}\r\n", lines.join("\r\n"));
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
            let read = runtime.block_on(read(&write(&[(&[], message.as_bytes()), (&[], b"A: b\r\n\r\n")])));
            proptest::prop_assert_eq!(read.len(), 2);
            proptest::prop_assert_eq!(String::from_utf8_lossy(&read[0].2).into_owned(), message);
        }

        #[test]
        fn any_file_is_read(file in "(From x Mon Feb  5 09:11:12 2024\n)?([A-Za-z: >\r\n-]{0,60}From - Mon Feb  5 09:11:12 2024\n){0,3}") {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
            runtime.block_on(async {
                let mut reader = Reader { file: file.as_bytes(), at_line_start: true };
                let mut next = reader.first().await.unwrap_or(None);
                while next.is_some() {
                    next = reader.message().await.expect("a message").1;
                }
            });
        }
    }
}
