//! What holds for every message, whatever its bytes.

mod grammar;

use grammar::Body;
use hub_mime::{
    Part, PartKind, Scanner, Section, Summary, SummaryView, body_without_extensions, header_text,
    searchable_texts, section_range,
};
use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder;
use proptest::prelude::*;

fn scan(message: &[u8]) -> Summary {
    let mut scanner = Scanner::new();
    scanner.feed(message);
    scanner.finish()
}

/// Lines that make and break structure, so that random sequences of them are interesting.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "Content-Type: multipart/mixed; boundary=a",
        "Content-Type: multipart/digest; boundary=\"ab\"",
        "Content-Type: multipart/alternative; boundary*0=a; boundary*1=\"b c\"",
        "Content-Type: multipart/mixed; boundary=\"\"",
        "Content-Type: multipart/mixed",
        "Content-Type: message/rfc822",
        "Content-Type: message/global",
        "Content-Type: text/html; charset=utf-16",
        "Content-Type: text/plain; charset=\"iso-8859-1\"; name=\"\\\"x\\\\",
        "Content-Type: image/png; name*=utf-8''%C3%BC; name*0=a; =; ;; name*99999999999=x",
        "Content-Type: x",
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: quoted-printable",
        "Content-Disposition: attachment; filename=\"gr\u{fc}n.txt\"",
        "Content-Disposition: (c) \"x\"",
        "Content-Language: de, (c) en-GB,,",
        "Content-ID: <a@b>",
        "Content-Description: \"",
        "--a",
        "--ab",
        "--ab c",
        "--a--",
        "--ab-- ",
        "--",
        "-",
        "",
        " ",
        " folded",
        "\tfolded; charset=x",
        "From: \"A. B\" <a@b.c>, d@e (F), Group: x@y, \"z; z\"@[1.2.3.4]; , <@r,@s:t@u>",
        "From: Group:Group:<a;;,;>",
        "Sender: <",
        "Reply-To: @:;\"",
        "To: ((((",
        "Cc: \\",
        "Bcc: a b c@d e@f",
        "Subject: =?utf-8?q?=C3=BC?= =?utf-8?b?w7w=?= =?x",
        "Subject: gr\u{fc}n",
        "Date: Mon, 7 Feb 1994 21:52:25 -0800",
        "Message-ID: <a@b>",
        "References: <a@b> <c@d> e",
        "In-Reply-To: <<<>>> x",
        "Received: x",
        "Delivered-To: a@b",
        "text",
        "<p>html &amp; &#0; &#x110000; <b",
        "gr=FCn =",
        "SGVsbG8=",
    ])
    .prop_map(|line| line.as_bytes().to_vec());
    let ending = prop::sample::select(vec!["\r\n", "\r\n", "\r\n", "\n", "\n", "\r", "\r\r\n", ""]);
    let content = prop_oneof![8 => known, 1 => prop::collection::vec(any::<u8>(), 0..20)];
    (content, ending).prop_map(|(mut line, ending)| {
        line.extend_from_slice(ending.as_bytes());
        line
    })
}

/// A message that is shown as text when a test fails.
#[derive(Clone)]
struct Message(Vec<u8>);

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

fn message() -> impl Strategy<Value = Message> {
    let bytes = prop_oneof![
        9 => prop::collection::vec(line(), 0..40).prop_map(|lines| lines.concat()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ];
    bytes.prop_map(Message)
}

/// Compares `parts[index]` and what is below it with the structure; returns the index behind.
fn check_tree(parts: &[Part], index: usize, body: &Body) -> usize {
    let part = &parts[index];
    let size = part.body_end - part.body_start;
    let below = parts[index + 1..].iter().take_while(|below| below.depth > part.depth).count();
    match (part.kind, body) {
        (PartKind::Leaf, Body::Basic { octets } | Body::Text { octets, .. }) => assert_eq!(*octets, size),
        (PartKind::Message, Body::Message { octets, body, .. }) => {
            assert_eq!(*octets, size);
            assert_eq!(check_tree(parts, index + 1, body), index + 1 + below);
        }
        // message/global.
        (PartKind::Message, Body::Basic { octets }) => assert_eq!(*octets, size),
        (PartKind::Multipart, Body::Multipart { parts: children }) => {
            let next = children.iter().fold(index + 1, |next, child| check_tree(parts, next, child));
            assert_eq!(next, index + 1 + below);
        }
        mismatch => panic!("{mismatch:?}"),
    }
    index + 1 + below
}

fn check_offsets(summary: &Summary) {
    let parts = &summary.parts;
    assert_eq!((parts[0].header_start, parts[0].body_end, parts[0].depth), (0, summary.size, 0));
    assert_eq!(summary.header_length, parts[0].body_start);
    for (index, part) in parts.iter().enumerate() {
        assert!(part.header_start <= part.body_start && part.body_start <= part.body_end, "{part:?}");
        let below: Vec<_> = parts[index + 1..].iter().take_while(|below| below.depth > part.depth).collect();
        assert!(below.iter().all(|p| part.body_start <= p.header_start && p.body_end <= part.body_end));
        let children: Vec<_> = below.iter().filter(|below| below.depth == part.depth + 1).collect();
        assert!(children.windows(2).all(|pair| pair[0].body_end <= pair[1].header_start), "{parts:?}");
        match part.kind {
            PartKind::Leaf => assert!(below.is_empty()),
            PartKind::Message => {
                assert_eq!(children.len(), 1);
                assert_eq!(
                    (children[0].header_start, children[0].body_end),
                    (part.body_start, part.body_end)
                );
            }
            PartKind::Multipart => assert!(!children.is_empty()),
        }
    }
}

fn check_structure(summary: &Summary) {
    grammar::envelope(&summary.envelope);
    let structure = grammar::body_structure(&summary.body_structure);
    let brief = body_without_extensions(&summary.body_structure);
    assert_eq!(grammar::body_without_extensions(&brief), structure);
    assert_eq!(check_tree(&summary.parts, 0, &structure), summary.parts.len());
}

/// imap-codec follows seven levels.
const CODEC_DEPTH: u16 = 7;

fn check_codec(summary: &Summary) {
    if summary.parts.iter().any(|part| part.depth > CODEC_DEPTH) {
        return;
    }
    let mut response = b"* 1 FETCH (ENVELOPE ".to_vec();
    response.extend_from_slice(&summary.envelope);
    response.extend_from_slice(b" BODYSTRUCTURE ");
    response.extend_from_slice(&summary.body_structure);
    response.extend_from_slice(b" BODY ");
    response.extend_from_slice(&body_without_extensions(&summary.body_structure));
    response.extend_from_slice(b")\r\n");
    if let Err(error) = ResponseCodec::default().decode(&response) {
        panic!("{error:?} in {}", String::from_utf8_lossy(&response));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_summary_fits_its_message(Message(message) in message()) {
        let summary = scan(&message);
        prop_assert_eq!(summary.size, message.len() as u64);
        check_offsets(&summary);
        check_structure(&summary);
        check_codec(&summary);
        prop_assert!(summary.preview.chars().count() <= 256);
        prop_assert!(summary.references.len() <= 100);
        let stored = summary.encode();
        prop_assert!(SummaryView::new(&stored).is_some());
        prop_assert_eq!(Summary::decode(&stored), Some(summary));
    }

    #[test]
    fn the_result_does_not_depend_on_the_pieces(Message(message) in message(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let whole = scan(&message);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(message.len() + 1)).collect();
        cuts.sort_unstable();
        let mut scanner = Scanner::new();
        let mut from = 0;
        for cut in cuts {
            scanner.feed(&message[from..cut]);
            from = cut;
        }
        scanner.feed(&message[from..]);
        prop_assert_eq!(&scanner.finish(), &whole);

        let mut scanner = Scanner::new();
        message.chunks(1).for_each(|byte| scanner.feed(byte));
        prop_assert_eq!(scanner.finish(), whole);
    }

    #[test]
    fn every_section_can_be_read(Message(message) in message(), path in prop::collection::vec(0u32..5, 0..6)) {
        let summary = scan(&message);
        for section in [Section::Header, Section::Mime, Section::Text, Section::Whole] {
            if let Some(range) = section_range(&summary.parts, &path, section) {
                prop_assert!(range.start <= range.end && range.end <= summary.size);
            }
        }
        let _ = header_text(&message[..summary.header_length as usize]);
        let _ = searchable_texts(&message, &summary.parts).count();
    }

    /// A delimiter line stands in front of each part of a multipart, and none of its own within.
    #[test]
    fn parts_are_what_delimiters_enclose(texts in prop::collection::vec("([a-z \r\n-]{0,30}[a-z \n-])?", 1..6), line_break in prop::sample::select(vec!["\r\n", "\n"]), closed: bool) {
        let mut message = format!("Content-Type: multipart/mixed; boundary=\"=x\"{line_break}{line_break}");
        for text in &texts {
            message.push_str(&format!("--=x{line_break}{line_break}{text}{line_break}"));
        }
        if closed {
            message.push_str(&format!("--=x--{line_break}epilogue"));
        }
        let summary = scan(message.as_bytes());
        let bodies: Vec<_> = summary.parts[1..].iter().map(|p| &message[p.body_start as usize..p.body_end as usize]).collect();
        let mut expected: Vec<_> = texts.iter().map(String::as_str).collect();
        let last = format!("{}{line_break}", texts[texts.len() - 1]);
        if !closed {
            // Nothing follows, so the last line break is the text's own.
            expected.pop();
            expected.push(&last);
        }
        prop_assert_eq!(bodies, expected);
    }
}
