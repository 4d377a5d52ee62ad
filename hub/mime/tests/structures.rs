//! BODYSTRUCTURE, previews and limits: the examples of the RFCs, and broken MIME.

mod grammar;

use hub_mime::{PartKind, Scanner, Section, Summary, section_range};

fn scan_bytes(message: &[u8]) -> Summary {
    let mut scanner = Scanner::new();
    scanner.feed(message);
    let summary = scanner.finish();
    grammar::envelope(&summary.envelope);
    grammar::body_structure(&summary.body_structure);
    summary
}

fn scan(message: &str) -> Summary {
    scan_bytes(message.replace('\n', "\r\n").as_bytes())
}

#[track_caller]
fn check(message: &str, structure: &str) {
    assert_eq!(String::from_utf8_lossy(&scan(message).body_structure), structure);
}

/// Fields of a header above a body of two octets.
#[track_caller]
fn check_header(header: &str, structure: &str) {
    check(&format!("{header}\n\n\n"), structure);
}

#[test]
fn rfc9051_7_5_2_examples() {
    let text = format!(
        "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\n\n{}",
        "x".repeat(45).as_str().to_owned() + "\n"
    );
    check(&text, r#"("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7bit" 47 1 NIL NIL NIL NIL)"#);
    check(
        "Content-Type: multipart/MIXED; boundary=x\n\n--x\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\n\nHello\n\n\
         --x\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII; NAME=\"cc.diff\"\nContent-Transfer-Encoding: BASE64\n\
         Content-ID: <960723163407.20117h@cac.washington.edu>\nContent-Description: Compiler diff\n\nAAAA\n\n--x--\n",
        r#"(("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7bit" 7 1 NIL NIL NIL NIL)("TEXT" "PLAIN" ("CHARSET" "US-ASCII" "NAME" "cc.diff") "<960723163407.20117h@cac.washington.edu>" "Compiler diff" "BASE64" 6 1 NIL NIL NIL NIL) "MIXED" ("boundary" "x") NIL NIL NIL)"#,
    );
}

#[test]
fn rfc2046_5_1_1_simple_multipart() {
    let message = "Subject: Sample message\nMIME-Version: 1.0\nContent-type: multipart/mixed; boundary=\"simple boundary\"\n\n\
        This is the preamble.\n--simple boundary\n\nIt does NOT end with a linebreak.\n\
        --simple boundary\nContent-type: text/plain; charset=us-ascii\n\nIt DOES end with a linebreak.\n\n\
        --simple boundary--\n\nThis is the epilogue.\n";
    check(
        message,
        r#"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 33 0 NIL NIL NIL NIL)("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 31 1 NIL NIL NIL NIL) "mixed" ("boundary" "simple boundary") NIL NIL NIL)"#,
    );
    assert_eq!(scan(message).preview, "It does NOT end with a linebreak.");
}

#[test]
fn rfc2046_5_1_5_digest() {
    check(
        "Content-Type: multipart/digest; boundary=\"x\"\n\n--x\n\nFrom: a@b\n\nText\n--x\nContent-Type: text/plain\n\nT\n--x--\n",
        r#"(("message" "rfc822" NIL NIL NIL "7bit" 17 (NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL)("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL) "digest" ("boundary" "x") NIL NIL NIL)"#,
    );
}

#[test]
fn rfc2049_a_complex_multipart() {
    let kinds: Vec<_> = scan(
        "Content-Type: multipart/mixed; boundary=unique-boundary-1\n\npreamble\n\
         --unique-boundary-1\n\nSome text\n--unique-boundary-1\nContent-type: text/plain; charset=US-ASCII\n\nMore\n\
         --unique-boundary-1\nContent-Type: multipart/parallel; boundary=unique-boundary-2\n\n\
         --unique-boundary-2\nContent-Type: audio/basic\nContent-Transfer-Encoding: base64\n\nAA==\n\
         --unique-boundary-2\nContent-Type: image/jpeg\nContent-Transfer-Encoding: base64\n\nAA==\n--unique-boundary-2--\n\n\
         --unique-boundary-1\nContent-type: text/enriched\n\nThis is <bold>enriched.</bold>\n\
         --unique-boundary-1\nContent-Type: message/rfc822\n\nFrom: a@b\nSubject: s\n\
         Content-Type: Text/plain; charset=ISO-8859-1\nContent-Transfer-Encoding: Quoted-printable\n\n... text ...\n\n\
         --unique-boundary-1--\n",
    )
    .parts
    .iter()
    .map(|part| (part.depth, part.kind))
    .collect();
    let (leaf, message, multipart) = (PartKind::Leaf, PartKind::Message, PartKind::Multipart);
    assert_eq!(
        kinds,
        [
            (0, multipart),
            (1, leaf),
            (1, leaf),
            (1, multipart),
            (2, leaf),
            (2, leaf),
            (1, leaf),
            (1, message),
            (2, leaf)
        ]
    );
}

#[test]
fn rfc2231_parameters() {
    let check = |parameters: &str, shown: &str| {
        check_header(
            &format!("Content-Type: application/x-stuff{parameters}"),
            &format!(r#"("application" "x-stuff" {shown} NIL NIL "7bit" 2 NIL NIL NIL NIL)"#),
        );
    };
    check(
        "; access-type=URL;\n URL*0=\"ftp://\";\n URL*1=\"cs.utk.edu/\"",
        r#"("access-type" "URL" "url" "ftp://cs.utk.edu/")"#,
    );
    check("; title*=us-ascii'en-us'This%20is%20fun", r#"("title*" "us-ascii'en-us'This%20is%20fun")"#);
    check(
        "; title*0*=us-ascii'en'This%20is%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't 100%!\"",
        r#"("title*" "us-ascii'en'This%20is%20%2A%2A%2Afun%2A%2A%2A%20isn't 100%25!")"#,
    );
    check("; a*1=x; a*0=y; a*3=z", r#"("a" "yx")"#);
    check("; a*1=x", "NIL");
    check("; a*x=1; *0=y; a*=z", r#"("a*x" "1" "*0" "y" "a*" "z")"#);
    check("; a=1;; b = (c) \"2 \\\" 3\" (d); c; =5; d=x y; e=", r#"("a" "1" "b" "2 \" 3" "d" "x" "e" "")"#);
    check("", "NIL");
}

#[test]
fn fields_of_mime() {
    check_header("X: y", r#"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 2 1 NIL NIL NIL NIL)"#);
    check_header(
        "Content-Type: image/png\nContent-ID: <a@b>\nContent-Description: A \"B\"\nContent-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\n\
         Content-Transfer-Encoding: BASE64\nContent-Disposition: attachment; filename=\"a b.png\"; size=3\n\
         Content-Language: de, en-GB\nContent-Location: http://example.org/a",
        r#"("image" "png" NIL "<a@b>" "A \"B\"" "BASE64" 2 "Q2hlY2sgSW50ZWdyaXR5IQ==" ("attachment" ("filename" "a b.png" "size" "3")) ("de" "en-GB") "http://example.org/a")"#,
    );
    check_header(
        "Content-Type: image/png\nContent-Type: text/plain\nContent-Disposition: inline",
        r#"("image" "png" NIL NIL NIL "7bit" 2 NIL ("inline" NIL) NIL NIL)"#,
    );
    check_header(
        "Content-Type: image/png\nContent-Disposition: ;filename=x",
        r#"("image" "png" NIL NIL NIL "7bit" 2 NIL ("attachment" ("filename" "x")) NIL NIL)"#,
    );
    check_header(
        "Content-Type: image/png\nContent-Disposition:\nContent-Language: ,",
        r#"("image" "png" NIL NIL NIL "7bit" 2 NIL NIL NIL NIL)"#,
    );
    check_header(
        "Content-Type: text/html; name=ü.html",
        r#"("text" "html" ("name*" "utf-8''%C3%BC.html" "charset" "us-ascii") NIL NIL "7bit" 2 1 NIL NIL NIL NIL)"#,
    );
    check_header(
        "Content-Type: message/delivery-status",
        r#"("message" "delivery-status" NIL NIL NIL "7bit" 2 NIL NIL NIL NIL)"#,
    );
}

#[test]
fn transfer_encodings_with_a_slip() {
    let check = |value: &str, shown: &str| {
        check_header(
            &format!("Content-Type: a/b\nContent-Transfer-Encoding: {value}"),
            &format!(r#"("a" "b" NIL NIL NIL "{shown}" 2 NIL NIL NIL NIL)"#),
        );
    };
    check("", "7bit");
    check("(none)", "7bit");
    check("Base64 (as ever)", "Base64");
    check("quoted-printable;", "quoted-printable");
    check("quoted printable", "quoted-printable");
    check("8 bit", "8bit");
    check("x-uuencode", "x-uuencode");
}

/// RFC 2045 §5.2: what cannot be understood is text.
#[test]
fn malformed_types_are_text() {
    let text = r#"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 2 1 NIL NIL NIL NIL)"#;
    for content_type in [
        "",
        "text",
        "text/",
        "/plain",
        "text plain",
        "\"text\"/plain",
        "multipart/mixed",
        "multipart/mixed; boundary=\"\"",
    ] {
        check_header(&format!("Content-Type: {content_type}"), text);
    }
    check_header(&format!("Content-Type: multipart/mixed; boundary={}", "x".repeat(1001)), text);
}

#[test]
fn malformed_multiparts() {
    let empty = r#"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)"#;
    let mixed = r#" "mixed" ("boundary" "x") NIL NIL NIL)"#;
    let check = |body: &str, parts: &str| {
        check(&format!("Content-Type: multipart/mixed; boundary=x\n\n{body}"), &format!("({parts}{mixed}"))
    };
    let text = |octets: u32, lines: u32| {
        format!(r#"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" {octets} {lines} NIL NIL NIL NIL)"#)
    };
    check("", empty);
    check("no delimiter\n", empty);
    check("--x--\n", empty);
    check("--x", empty);
    check("--x\n", empty);
    check("--x\n\n", empty);
    check("--x\n--x\n--x--\n", &format!("{empty}{empty}"));
    check("--x\n\nopen", &text(4, 0));
    check("--x\n\nopen\n", &text(6, 1));
    check("--x\nSubject: no empty line\n--x\n\na\n--x--", &format!("{empty}{}", text(1, 0)));
    check("--x \t\n\na\n--xyz\n\nb\n--x-- x\n--x\nc", &format!("{}{}", text(1, 0), text(1, 0)));
    check("-x\n--\n- -x\n--x\n\na\n --x\n--X\n--x--", &text(12, 2));
    // An outer delimiter ends inner parts (RFC 2046 §5.1.2).
    check(
        "--x\nContent-Type: multipart/y; boundary=y\n\n--y\n\na\n--x\n\nb\n--x--",
        &format!(r#"({} "y" ("boundary" "y") NIL NIL NIL){}"#, text(1, 0), text(1, 0)),
    );
    // Of two boundaries that fit the longer one counts.
    check(
        "--x\nContent-Type: multipart/y; boundary=xy\n\n--xy\n\na\n--xy--\n--x--",
        &format!(r#"({} "y" ("boundary" "xy") NIL NIL NIL)"#, text(1, 0)),
    );
    // Of equal ones the inner.
    check(
        "--x\nContent-Type: multipart/y; boundary=x\n\n--x\n\na\n--x--\n--x\n\nb\n--x--",
        &format!(r#"({} "y" ("boundary" "x") NIL NIL NIL){}"#, text(1, 0), text(1, 0)),
    );
}

#[test]
fn messages_within() {
    let empty = r#"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)"#;
    let nil = "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)";
    let message = |octets: u32, body: &str, lines: u32| {
        format!(r#"("message" "rfc822" NIL NIL NIL "7bit" {octets} {nil} {body} {lines} NIL NIL NIL NIL)"#)
    };
    check("Content-Type: message/rfc822", &message(0, empty, 0));
    check("Content-Type: message/rfc822\n\n", &message(0, empty, 0));
    check("Content-Type: message/rfc822\n\n\n", &message(2, empty, 1));
    check(
        "Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\n",
        &message(32, &message(0, empty, 0), 2),
    );
    // RFC 3501 knows no parts of message/global; the table of parts does.
    let global = "Content-Type: message/global\n\nSubject: ü\n\ntext\n";
    check(global, r#"("message" "global" NIL NIL NIL "7bit" 21 NIL NIL NIL NIL)"#);
    let parts = scan(global).parts;
    assert_eq!(section_range(&parts, &[1], Section::Text), Some(47..53));
}

#[test]
fn bare_line_feeds_count_as_they_are() {
    let summary = scan_bytes(b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\nb\n--x--\n");
    let part = &summary.parts[1];
    assert_eq!((part.header_start, part.body_start, part.body_end), (47, 48, 51));
    assert_eq!(summary.size, 58);
}

#[test]
fn previews() {
    let check = |message: &str, preview: &str| assert_eq!(scan(message).preview, preview, "{message}");
    check("\nHello,\n\n  how   are\tyou?\n", "Hello, how are you?");
    check("", "");
    check(
        "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=\n=DFe",
        "Grüße",
    );
    check("Content-Transfer-Encoding: base64\n\nR3LDvMOfZQ==\n", "Grüße");
    check(
        "Content-Type: text/html\n\n<html><head><style>p{}</style></head><p>Hi <b>there</b></p>&zwnj;&nbsp;&#8203;!",
        "Hi there !",
    );
    check("Content-Type: image/png\n\nHello", "");
    let parts = |first: &str, second: &str| {
        format!("Content-Type: multipart/mixed; boundary=x\n\n--x\n{first}\n--x\n{second}\n--x--")
    };
    check(&parts("Content-Type: text/html\n\n<p>html</p>", "Content-Type: text/plain\n\nplain"), "plain");
    check(&parts("Content-Type: text/plain\n\n \n", "Content-Type: text/html\n\n<p>html</p>"), "html");
    check(&parts("Content-Disposition: attachment\n\nattached", "\nshown"), "shown");
    check(
        &parts("Content-Type: message/rfc822\n\nSubject: s\n\ninner", "Content-Type: image/png\n\nx"),
        "inner",
    );
    let long = "wörd ".repeat(100);
    let preview = scan(&format!("\n{long}")).preview;
    assert_eq!(preview, long[..preview.len()].trim_end());
    assert!((250..=256).contains(&preview.chars().count()));
}

#[test]
fn depth_is_limited() {
    let message = "Content-Type: message/rfc822\n\n".repeat(1000) + "Subject: deep\n\nbody\n";
    let summary = scan(&message);
    assert_eq!(summary.parts.len(), 51);
    let last = &summary.parts[50];
    assert_eq!((last.kind, last.depth, last.body_end), (PartKind::Leaf, 50, summary.size));

    let message: String =
        (0..1000).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}x\n\n--b{n}x\n")).collect();
    assert_eq!(scan(&message).parts.len(), 51);
}

#[test]
fn number_of_parts_is_limited() {
    let message = "Content-Type: multipart/mixed; boundary=x\n\n".to_owned()
        + &"--x\n\npart\n".repeat(10_000)
        + "--x--\n";
    let summary = scan(&message);
    assert_eq!(summary.parts.len(), 1000);
    assert!(summary.body_structure.len() < 100_000);
    // The rest belongs to the last part: nothing is lost.
    assert!(summary.parts[999].body_end - summary.parts[999].body_start > 90_000);

    let message =
        "Content-Type: multipart/digest; boundary=x\n\n".to_owned() + &"--x\n\n\npart\n".repeat(10_000);
    assert!(scan(&message).parts.len() <= 1001);
}

#[test]
fn headers_are_limited() {
    let long_line = format!("To: {}\nSubject: end\n\n", "a@b, ".repeat(1_000_000));
    let summary = scan(&long_line);
    assert_eq!(summary.subject, "end");
    assert!(summary.envelope.len() < 2_000_000 && summary.to.len() < 300_000);

    let many_lines = format!(
        "Subject: start\n{}Content-Type: a/b\n\nbody",
        "To: a@b\n folded\nX-Other: x\n".repeat(100_000)
    );
    let summary = scan(&many_lines);
    assert_eq!(summary.subject, "start");
    assert!(summary.envelope.len() < 2_000_000);
    assert_eq!(summary.size - summary.header_length, 4);

    let one = format!("--x\nContent-Type: message/rfc822\n\nFrom: {}\n\n", "a,".repeat(10_000));
    let summary = scan(&format!("Content-Type: multipart/mixed; boundary=x\n\n{}", one.repeat(400)));
    assert!(summary.body_structure.len() < 4_000_000, "{}", summary.body_structure.len());
}

/// Lines that are longer than what is looked at, cut where it could matter.
#[test]
fn long_lines_in_pieces() {
    for extra in 0..4 {
        for line_break in ["\r\n", "\n"] {
            let line = "x".repeat(256 * 1024 - 9 - 2 + extra);
            let message =
                format!("Subject: {line}{line_break}\r{line_break}{line_break}--{line}\r{line_break}");
            let whole = scan_bytes(message.as_bytes());
            for cut in [1, 7, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 256 * 1024 + 2] {
                let mut scanner = Scanner::new();
                message.as_bytes().chunks(cut).for_each(|piece| scanner.feed(piece));
                assert!(scanner.finish() == whole, "{extra} {line_break:?} {cut}");
            }
        }
    }
}
