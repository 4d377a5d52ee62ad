//! The targets, in alphabetical order. Where a room keeps its parser to itself, it offers an entry
//! point for fuzzing beside it; the checks that need only public functions are here.

use std::path::Path;

use hub::{Address, IdSet};
use hub_config::Config;
use hub_mime::{
    PartKind, Scanner, Section, Summary, SummaryView, TransferDecoder, body_without_extensions,
    decode_transfer, header_fields, header_text, listed_header_fields, searchable_texts, section_range,
};
use hub_wire::sasl::{ChannelBinding, Exchange, Step, TokenRefusal, mechanisms};

pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
    /// Words of the format, for mutations.
    pub words: &'static [&'static [u8]],
}

pub const TARGETS: &[Target] = &[
    Target {
        name: "address",
        run: address,
        words: &[b"@", b"\"", b"\\", b"+", b"[IPv6:::1]", b"[127.0.0.1]", b".", "ü".as_bytes()],
    },
    Target {
        name: "config",
        run: config,
        words: &[b"[listen]", b"[limits]", b"= ", b"\"", b"'''", b"\n", b"# ", b"[[", b"{", b"1 GiB", b"1h"],
    },
    Target {
        name: "dav_fields",
        run: hub_dav::fuzz::fields,
        words: &[
            b"/dav/files/",
            b"%2f",
            b"..",
            b"(<",
            b">)",
            b"Not ",
            b"[\"",
            b"\"]",
            b"bytes=",
            b"-",
            b",",
            b"urn:uuid:",
        ],
    },
    Target {
        name: "dav_xml",
        run: hub_dav::fuzz::xml,
        words: &[
            b"<a",
            b">",
            b"/>",
            b"</a>",
            b" xmlns=",
            b" xmlns:a=",
            b"\"\"",
            b"'DAV:'",
            b"<![CDATA[",
            b"]]>",
            b"<!--",
            b"-->",
            b"&lt;",
            b"&#65;",
            b"a:",
            b" xml:lang='x'",
        ],
    },
    Target {
        name: "idset",
        run: idset,
        words: &[b"\x80", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x01\x00"],
    },
    Target { name: "imap_grammar", run: hub_imap::fuzz::grammar, words: IMAP_WORDS },
    Target { name: "imap_session", run: imap_session, words: IMAP_WORDS },
    Target { name: "managesieve_session", run: hub_managesieve::fuzz::session, words: MANAGESIEVE_WORDS },
    Target { name: "mime", run: mime, words: MIME_WORDS },
    Target {
        name: "sasl",
        run: sasl,
        words: &[b"n,,", b"n=", b",r=", b"c=biws", b",p=", b"\0", b"y,,", b"p=tls-unique,,", b"=2C", b"\n"],
    },
    Target { name: "sieve", run: sieve, words: SIEVE_WORDS },
    Target { name: "smtp_command", run: hub_smtp::fuzz::command, words: SMTP_WORDS },
    Target {
        name: "smtp_framer",
        run: hub_smtp::fuzz::framer,
        words: &[b"\r\n.\r\n", b"\r\n", b".", b"\r", b"\n", b"\r\n..", b"\0"],
    },
    Target { name: "smtp_session", run: hub_smtp::fuzz::session, words: SMTP_WORDS },
    Target { name: "summary", run: summary, words: &[b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x80\x80"] },
    Target {
        name: "twin_record",
        run: hub_identity::fuzz::record,
        words: &[
            b"\"sigs\":",
            b"\"prev\":\"sha256:",
            b"\\ud83d\\ude00",
            b"[[[[",
            b"9007199254740991",
            b"{\"\":",
            b"\n",
        ],
    },
    Target { name: "vcard", run: vcard, words: VCARD_WORDS },
];

const VCARD_WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\r\n ",
    b"BEGIN:VCARD\r\n",
    b"END:VCARD\r\n",
    b"FN:",
    b"N:a;b,c;;;",
    b"item1.",
    b"X-ABLABEL:",
    b"EMAIL;PROP-ID=",
    b"ADR;LABEL=\"^n\":",
    b"NICKNAME:a,a",
    b"RELATED;TYPE=",
    b"JSPROP;JSPTR=\"emails/",
    b";X-JSOF=",
    b"\\,",
    b"{\"a\":{}}",
];

const MANAGESIEVE_WORDS: &[&[u8]] = &[
    b"AUTHENTICATE \"PLAIN\" \"AGEAYg==\"\r\n",
    b"AUTHENTICATE \"SCRAM-SHA-256\"\r\n",
    b"PUTSCRIPT \"a\" ",
    b"{3+}\r\n",
    b"{",
    b"\"",
    b"\\",
    b"\r\n",
    b"STARTTLS\r\n",
    b"UNAUTHENTICATE\r\n",
];

const SIEVE_WORDS: &[&[u8]] = &[
    b"require [\"variables\", \"fileinto\", \"regex\", \"editheader\"];",
    b"if anyof (",
    b"not ",
    b"header :matches ",
    b"header :regex ",
    b"\"*?*\"",
    b"${1}",
    b"set \"a\" \"${a}${a}\";",
    b"text:\r\n",
    b"\r\n.\r\n",
    b"{",
    b"}",
    b"fileinto \"",
    b"addheader \"X\" ",
    b"/*",
    b"4G",
];

const IMAP_WORDS: &[&[u8]] = &[
    b"\r\n",
    b"a LOGIN u p\r\n",
    b"a SELECT INBOX\r\n",
    b"FETCH 1:* (FLAGS)",
    b"BODY.PEEK[HEADER.FIELDS (",
    b"BODY[1.2.MIME]<0.1>",
    b"UID ",
    b"SEARCH ",
    b"OR ",
    b"NOT ",
    b"RETURN (",
    b"CHARSET UTF-8 ",
    b"STORE 1 +FLAGS (\\Seen)",
    b"(UNCHANGEDSINCE 1)",
    b"APPEND INBOX ",
    b"UID REPLACE 1 INBOX ",
    b"CATENATE (URL /INBOX;UIDVALIDITY=1/;UID=1/;SECTION=1.MIME TEXT ",
    b"UTF8 (~{3+}\r\nabc)",
    b"BINARY.PEEK[1]<0.1> BINARY.SIZE[1] PREVIEW (LAZY) SAVEDATE",
    b"{3}\r\nabc",
    b"{3+}\r\nabc",
    b"~{3+}\r\n",
    b"LIST (SUBSCRIBED) \"\" (\"*\" %) RETURN (STATUS (MESSAGES))",
    b"IDLE\r\nDONE\r\n",
    b"AUTHENTICATE PLAIN ",
    b"STARTTLS\r\n",
    b"&AOQ-",
    b"\"",
    b"\\\"",
    b"(",
    b")",
    b"1:*,",
    b"$",
    b"NIL",
    b"*\r\n",
];

const SMTP_WORDS: &[&[u8]] = &[
    b"\r\n",
    b"EHLO x.test\r\n",
    b"MAIL FROM:<a@hub.test>",
    b"RCPT TO:<alice@hub.test>",
    b"DATA\r\n",
    b"\r\n.\r\n",
    b"BDAT 5",
    b" LAST\r\n",
    b"RSET\r\n",
    b"STARTTLS\r\n",
    b"AUTH PLAIN AGFsaWNlAHB3\r\n",
    b"AUTH LOGIN\r\n",
    b" SIZE=10",
    b" BODY=8BITMIME",
    b" SMTPUTF8",
    b" RET=HDRS",
    b" ENVID=x+2B",
    b" NOTIFY=NEVER",
    b" ORCPT=rfc822;a@b",
    b"<@a,@b:c@d>",
    b"\"",
    b"\\",
    b"[IPv6:::1]",
    b"\n.\n",
    b"\r",
];

const MIME_WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b"--b\r\n",
    b"--b--\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Type: text/html; charset=iso-2022-jp\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Content-Disposition: attachment; filename*0*=utf-8''%e2%82; filename*1=x\r\n",
    b"=?utf-8?b?",
    b"?=",
    b"=?utf-16?q?=",
    b"Group: a@b, c@d;",
    b"From: \"x\\\"\" <@r:a@b>(c(d))\r\n",
    b"References: <a@b> <c",
    b"Date: Mon, 31 Feb 99999 25:61:61 +9999\r\n",
    b"(",
    b")",
    b"\"",
    b"\\",
    b"<",
    b"&amp;&#x110000;",
    b"<style>",
    b"<!--",
    b"=\r\n",
    b"=C3=BC",
    b"\x1b$B",
    b"+AGEAYg-",
    b"\xef\xbb\xbf",
    b"\0",
];

/// What was parsed prints to something that parses to the same.
fn address(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(address) = Address::parse(text) else { return };
    let printed = address.to_string();
    assert!(!printed.chars().any(char::is_control), "{printed:?}");
    let again = Address::parse(&printed).unwrap_or_else(|error| panic!("{printed:?}: {error}"));
    assert_eq!(again, address);
    assert_eq!(again.key(), address.key());
    if let Some(plain) = address.without_detail() {
        assert!(Address::parse(&plain.to_string()).is_ok(), "{plain}");
        assert_eq!(plain.without_detail(), None);
    }
}

/// Every error names its place. Nesting is bounded here, because `toml_parser` 1.1 recurses without
/// a limit into malformed inline tables; only the hub's owner writes `hub.toml`.
fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if bytes.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() > 100 {
        return;
    }
    if let Err(errors) = Config::parse(text, Path::new("hub.toml")) {
        assert!(errors.to_string().contains("hub.toml"), "{errors}");
    }
}

fn idset(bytes: &[u8]) {
    let Some(set) = IdSet::decode(bytes) else { return };
    assert_eq!(IdSet::decode(&set.encode()), Some(set.clone()));
    assert!(set.ranges().windows(2).all(|pair| pair[0].1 < pair[1].0));
    assert!(set.ranges().iter().all(|(first, last)| first <= last));
}

/// A message of any bytes has a summary whose offsets lie within it, however it arrived.
fn mime(bytes: &[u8]) {
    let mut scanner = Scanner::new();
    scanner.feed(bytes);
    let whole = scanner.finish();
    let size = usize::from(bytes.first().copied().unwrap_or(0) % 61) + 1;
    let mut scanner = Scanner::new();
    for piece in bytes.chunks(size) {
        scanner.feed(piece);
    }
    assert_eq!(scanner.finish(), whole, "cut into pieces of {size}");

    let length = bytes.len() as u64;
    for part in &whole.parts {
        assert!(
            part.header_start <= part.body_start
                && part.body_start <= part.body_end
                && part.body_end <= length,
            "{part:?}"
        );
    }
    let stored = whole.encode();
    assert_eq!(Summary::decode(&stored).as_ref(), Some(&whole));
    let view = SummaryView::new(&stored).expect("what was encoded can be viewed");
    // What goes onto the wire is 7-bit and has no line break outside literals (RFC 3501 §4.3).
    for wire in [view.envelope(), view.body_structure(), &body_without_extensions(view.body_structure())] {
        assert!(wire.starts_with(b"(") && wire.ends_with(b")"), "{}", String::from_utf8_lossy(wire));
        assert!(wire.contains(&b'{') || !wire.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0 | 0x80..)));
    }
    for path in [&[][..], &[1], &[2], &[1, 1], &[1, 2, 1], &[u32::MAX]] {
        for section in [Section::Header, Section::Mime, Section::Text, Section::Whole] {
            if let Some(range) = section_range(&whole.parts, path, section) {
                assert!(range.start <= range.end && range.end <= length, "{path:?} {section:?}: {range:?}");
            }
        }
    }
    let header = &bytes[..usize::try_from(whole.header_length).unwrap_or(bytes.len()).min(bytes.len())];
    let fields = header_fields(header, &["Subject", "From"], false);
    assert!(fields.len() <= header.len() + 4);
    header_fields(header, &["Subject"], true);
    if let Some(listed) = view.listed_fields() {
        assert_eq!(listed_header_fields(b"", listed, &["Subject", "From"]), fields);
    }
    header_text(header);
    assert_eq!(
        whole.parts.iter().filter(|part| part.depth == 0).count(),
        usize::from(!whole.parts.is_empty())
    );
    let leaves = whole.parts.iter().filter(|part| part.kind == PartKind::Leaf).count();
    assert!(searchable_texts(bytes, &whole.parts).count() <= 2 * whole.parts.len() + leaves);
    for encoding in ["base64", "quoted-printable", "7bit", "x-uuencode"] {
        let Some(decoded) = decode_transfer(bytes, encoding) else { continue };
        assert!(decoded.len() <= bytes.len());
        let mut in_pieces = Vec::new();
        let mut decoder = TransferDecoder::new(encoding).expect("it has just been known");
        bytes.chunks(7).for_each(|piece| decoder.feed(piece, &mut in_pieces));
        decoder.finish(&mut in_pieces);
        assert_eq!(in_pieces, *decoded, "{encoding}");
    }
}

/// The first byte chooses the mechanism and whether the connection can be bound to; lines are the client's messages. Nobody gets in without
/// a password check or a proof.
fn sasl(bytes: &[u8]) {
    let Some((&choice, rest)) = bytes.split_first() else { return };
    let binding = (choice & 0x20 == 0).then(|| ChannelBinding::new([7; 32]));
    let offered = mechanisms(binding);
    let mechanism = offered[usize::from(choice) % offered.len()];
    let mut lines = rest.split(|&byte| byte == b'\n');
    let initial = (choice & 0x40 == 0).then(|| lines.next().unwrap_or_default().to_vec());
    let Some((mut exchange, mut step)) = Exchange::start(mechanism, initial, binding) else {
        panic!("{mechanism} is on the list and unknown")
    };
    for _ in 0..20 {
        step = match step {
            Step::Challenge(_) => match lines.next() {
                Some(line) => exchange.respond(line),
                None => return,
            },
            Step::NeedScram { .. } => exchange.scram_credentials(b"salt", 4096, [1; 32], [2; 32]),
            Step::CheckToken { .. } => exchange.refuse_token(TokenRefusal::Invalid, ""),
            // Keys that belong to no password: only one who inverts SHA-256 could prove it.
            Step::Proven { login } => panic!("{login} has proved a password that nobody knows"),
            Step::CheckPassword { .. } | Step::Failed(_) => return,
        };
    }
    panic!("an exchange without end");
}

/// Any script ends, and within its limits; what it does is bounded.
/// What was read and is written back stays, and is read as the same.
fn vcard(bytes: &[u8]) {
    use hub_jsobjects::card::{read, write};
    let Ok(object) = read(bytes) else { return };
    // What somebody else's JSPROP says may be no card.
    let Ok(text) = write(Some(bytes), &object) else { return };
    assert_eq!(read(&text).as_ref(), Ok(&object));
    assert_eq!(write(Some(&text), &object), Ok(text));
}

fn sieve(bytes: &[u8]) {
    hub_sieve::fuzz::script(&String::from_utf8_lossy(bytes));
}

/// Before login a connection may send 16 KiB; where it is cut off depends on how its bytes came.
fn imap_session(bytes: &[u8]) {
    hub_imap::fuzz::session(&bytes[..bytes.len().min(16 << 10)]);
}

/// Damaged rows of the database: refused or read, never a panic.
fn summary(bytes: &[u8]) {
    Summary::decode(bytes);
    let Some(view) = SummaryView::new(bytes) else { return };
    let lengths =
        view.envelope().len() + view.body_structure().len() + view.subject().len() + view.preview().len();
    assert!(lengths <= bytes.len() * 4);
    let _ = body_without_extensions(view.body_structure());
    let count = view.parts().take(100_000).count() + view.references().take(100_000).count();
    assert!(count <= bytes.len() + 1, "{count} entries in {} bytes", bytes.len());
    for text in [view.from(), view.to(), view.cc(), view.bcc(), view.message_id()] {
        assert!(text.len() <= bytes.len());
    }
}
