//! Entry points for the fuzz targets: whatever bytes come, nothing panics, memory stays bounded, and
//! input that is cut differently gives the same steps.

use std::sync::Arc;

use hub::{EmailId, Flags, IdSet, Record, Snapshot};
use hub_mime::Scanner;

use crate::body::{self, Layout, Source};
use crate::encode;
use crate::grammar::command::{Command, Item};
use crate::grammar::{Within, append, append_more, message_url, parse};
use crate::input::{Input, Step};
use crate::names::{MailboxName, Names};
use crate::render;
use crate::view::{Expunges, Style, View, write_flags};

/// One command, the segments of APPEND, a URL, a mailbox name.
pub fn grammar(bytes: &[u8]) {
    let _ = message_url(bytes);
    for within in [Within::Catenate, Within::CatenateUtf8, Within::Messages, Within::MessagesUtf8] {
        let _ = append_more(bytes, within);
    }
    for names in [Names::Utf7, Names::Utf8] {
        let _ = parse(bytes, names);
        let _ = append(bytes, names);
        if let Some(name) = MailboxName::parse(bytes, names) {
            let mut out = Vec::new();
            encode::mailbox(&mut out, name.as_str(), names);
            assert!(names == Names::Utf8 || out.is_ascii());
            assert!(!out.contains(&b'\n'), "a name cannot end a line");
        }
    }
}

/// A conversation, before and after login, whole and in pieces; what it asks for is resolved against
/// a mailbox with some messages.
pub fn session(bytes: &[u8]) {
    let size = usize::from(bytes.first().copied().unwrap_or(0) % 32) + 1;
    for logged_in in [false, true] {
        let whole = run([bytes], logged_in);
        assert_eq!(whole, run(bytes.chunks(size), logged_in), "cut into pieces of {size}");
    }
}

fn run<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, logged_in: bool) -> Vec<String> {
    let mut input = Input::new();
    if logged_in {
        input.logged_in(64 << 10);
    }
    let view = mailbox();
    let mut log = Vec::new();
    let mut chunks = 0;
    for piece in pieces {
        input.buffer().extend_from_slice(piece);
        input.received(piece.len());
        loop {
            let step = input.next();
            match step {
                Step::Starve => break,
                Step::Close(_) => return log,
                Step::Chunk(ref bytes) => {
                    chunks += bytes.len();
                    continue;
                }
                Step::Append { literal: Some(announced), .. } if announced.size > 100 => {
                    input.refuse_literal(announced);
                }
                Step::Append { literal: Some(_), .. } => input.accept_literal(),
                Step::Command { ref command, .. } => {
                    answer(&view, command);
                    if let Command::Idle | Command::Authenticate { .. } = command {
                        input.expect_line();
                    }
                }
                _ => {}
            }
            log.push(format!("{step:?} {chunks}"));
        }
    }
    log
}

/// Five messages, the second of which is gone without the client knowing.
fn mailbox() -> View {
    let record = |uid: u32| Record {
        uid,
        size: 100,
        flags: Flags(u64::from(uid)),
        modseq: u64::from(uid),
        email: EmailId(i64::from(uid)),
        received_at: 0,
    };
    let snapshot =
        |uids: &[u32]| Arc::new(Snapshot::new(1, 100, 9, uids.iter().copied().map(record).collect()));
    let mut view = View::new(snapshot(&[1, 3, 5, 7, 90]));
    view.catch_up(snapshot(&[1, 5, 7, 90]), Expunges::Keep);
    view
}

/// What can be answered without a hub.
fn answer(view: &View, command: &Command) {
    let (set, uid) = match command {
        Command::Fetch(fetch) => (&fetch.set, fetch.uid),
        Command::Store(store) => (&store.set, store.uid),
        Command::Copy { set, uid, .. } => (set, *uid),
        Command::Expunge { uids: Some(set) } => (set, true),
        _ => return,
    };
    let Ok(ranges) = view.resolve(set, uid, &IdSet::range(2, 6)) else { return };
    assert!(ranges.iter().all(|&(first, last)| first <= last && last < view.len()));
    assert!(ranges.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "ascending and apart");
    let mut out = Vec::new();
    let mut records = Vec::new();
    for (first, last) in ranges {
        records.clear();
        view.copy_records(first, last, &mut records);
        for (index, record) in (first..).zip(&records) {
            let style = Style { keywords: &[], modseq: true, vanished: false };
            write_flags(&mut out, index, record, uid, style);
            if let Command::Fetch(fetch) = command {
                render::simple(&mut out, &fetch.items, index, record, &[]);
            }
        }
    }
    if let Command::Fetch(fetch) = command {
        sections(&fetch.items, &mut out);
    }
    assert!(out.ends_with(b"\r\n") || out.is_empty());
}

const MESSAGE: &[u8] =
    b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\
    Content-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nz\r\n--b--\r\n";

/// Sections lie within the message, whatever is asked for.
fn sections(items: &[Item], out: &mut encode::Buffer) {
    let mut scanner = Scanner::new();
    scanner.feed(MESSAGE);
    let summary = scanner.finish();
    let size = MESSAGE.len() as u64 + 7;
    let layout = Layout {
        prefix: 7,
        header: summary.header_length,
        size,
        parts: &summary.parts,
        listed: summary.listed_fields.as_deref(),
    };
    for item in items {
        let Item::Section(section) = item else { continue };
        body::write_name(out, section);
        match body::locate(section, &layout) {
            Source::Bytes(range) | Source::Fields(range) => {
                let cut = body::cut(range.clone(), section.partial);
                assert!(range.start <= cut.start && cut.start <= cut.end && cut.end <= size);
                assert!(cut.is_empty() || cut.end <= body::end(section, &layout));
            }
            Source::Listed | Source::Nothing => {}
        }
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_panics(words in proptest::collection::vec(
            prop_oneof![
                "[ -~\r\n]{0,8}",
                Just("a FETCH 1:* (FLAGS BODY[1.2.MIME]<0.9> UID)\r\n".to_owned()),
                Just("a UID STORE *:3 FLAGS (x)\r\n".to_owned()),
                Just("a APPEND x {3+}\r\nabc\r\n".to_owned()),
                Just("a APPEND x {300+}\r\n".to_owned()),
                Just("a APPEND x CATENATE (URL /a/;UID=1 TEXT {3+}\r\nabc".to_owned()),
                Just(" URL {3}\r\nabc UTF8 (~{3+}\r\nabc))".to_owned()),
                Just("a UID REPLACE 1 x (\\Seen) {3+}\r\nabc\r\n".to_owned()),
                Just("a IDLE\r\nDONE\r\n".to_owned()),
                Just("\r\n".to_owned()),
            ], 0..10,
        )) {
            let text = words.concat();
            grammar(text.as_bytes());
            session(text.as_bytes());
        }
    }
}
