//! ENVELOPE and decoded header text: the examples of the RFCs, and what mail in the wild does.

mod grammar;

use hub_mime::{Scanner, Summary};

fn scan(message: &str) -> Summary {
    let mut scanner = Scanner::new();
    scanner.feed(message.replace('\n', "\r\n").as_bytes());
    scanner.finish()
}

#[track_caller]
fn check(header: &str, envelope: &str) {
    let summary = scan(&format!("{header}\n\nbody\n"));
    grammar::envelope(&summary.envelope);
    assert_eq!(String::from_utf8_lossy(&summary.envelope), envelope);
}

/// The list that a From of this value gives.
#[track_caller]
fn check_addresses(value: &str, list: &str) {
    check(&format!("To: {value}"), &format!("(NIL NIL NIL NIL NIL {list} NIL NIL NIL NIL)"));
}

#[test]
fn rfc9051_7_5_2_example() {
    check(
        "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\n\
         From: Terry Gray <gray@cac.washington.edu>\n\
         Subject: IMAP4rev2 WG mtg summary and minutes\n\
         To: imap@cac.washington.edu\n\
         cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\n\
         Message-Id: <B27397-0100000@cac.washington.edu>\n\
         MIME-Version: 1.0\n\
         Content-Type: TEXT/PLAIN; CHARSET=US-ASCII",
        r#"("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" (("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) ((NIL NIL "imap" "cac.washington.edu")) ((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL "<B27397-0100000@cac.washington.edu>")"#,
    );
}

#[test]
fn rfc5322_a_1_1_sender() {
    check(
        "From: John Doe <jdoe@machine.example>\n\
         Sender: Michael Jones <mjones@machine.example>\n\
         To: Mary Smith <mary@example.net>\n\
         Subject: Saying Hello\n\
         Date: Fri, 21 Nov 1997 09:55:06 -0600\n\
         Message-ID: <1234@local.machine.example>",
        r#"("Fri, 21 Nov 1997 09:55:06 -0600" "Saying Hello" (("John Doe" NIL "jdoe" "machine.example")) (("Michael Jones" NIL "mjones" "machine.example")) (("John Doe" NIL "jdoe" "machine.example")) (("Mary Smith" NIL "mary" "example.net")) NIL NIL NIL "<1234@local.machine.example>")"#,
    );
}

#[test]
fn rfc5322_a_1_2_different_types_of_mailboxes() {
    check(
        "From: \"Joe Q. Public\" <john.q.public@example.com>\n\
         To: Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>\n\
         Cc: <boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>\n\
         Date: Tue, 1 Jul 2003 10:52:37 +0200\n\
         Message-ID: <5678.21-Nov-1997@example.com>",
        r#"("Tue, 1 Jul 2003 10:52:37 +0200" NIL (("Joe Q. Public" NIL "john.q.public" "example.com")) (("Joe Q. Public" NIL "john.q.public" "example.com")) (("Joe Q. Public" NIL "john.q.public" "example.com")) (("Mary Smith" NIL "mary" "x.test")(NIL NIL "jdoe" "example.org")("Who?" NIL "one" "y.test")) ((NIL NIL "boss" "nil.test")("Giant; \"Big\" Box" NIL "sysservices" "example.net")) NIL NIL "<5678.21-Nov-1997@example.com>")"#,
    );
}

#[test]
fn rfc5322_a_1_3_groups() {
    check_addresses(
        "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
        r#"((NIL NIL "A Group" NIL)("Ed Jones" NIL "c" "a.test")(NIL NIL "joe" "where.test")("John" NIL "jdoe" "one.test")(NIL NIL NIL NIL))"#,
    );
    check_addresses(
        "Undisclosed recipients:;",
        r#"((NIL NIL "Undisclosed recipients" NIL)(NIL NIL NIL NIL))"#,
    );
}

#[test]
fn rfc5322_a_2_replies() {
    let summary = scan(
        "From: John Doe <jdoe@machine.example>\n\
         To: \"Mary Smith: Personal Account\" <smith@home.example>\n\
         Subject: Re: Saying Hello\n\
         Date: Fri, 21 Nov 1997 11:00:00 -0600\n\
         Message-ID: <abcd.1234@local.machine.test>\n\
         In-Reply-To: <3456@example.net>\n\
         References: <1234@local.machine.example> <3456@example.net>\n\n",
    );
    assert_eq!(summary.to, "Mary Smith: Personal Account <smith@home.example>");
    assert_eq!(summary.message_id, "abcd.1234@local.machine.test");
    assert_eq!(summary.references, ["1234@local.machine.example", "3456@example.net"]);
    assert_eq!(summary.sent_at, Some(880_131_600));
}

#[test]
fn rfc5322_a_5_white_space_and_comments() {
    check(
        "From: Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>\n\
         To:A Group(Some people)\n     :Chris Jones <c@(Chris's host.)public.example>,\n         joe@example.org,\n  John <jdoe@one.test> (my dear friend); (the end of the group)\n\
         Cc:(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;\n\
         Date: Thu,\n      13\n        Feb\n          1969\n      23:32\n               -0330 (Newfoundland Time)\n\
         Message-ID:              <testabcd.1234@silly.test>",
        r#"("Thu,      13        Feb          1969      23:32               -0330 (Newfoundland Time)" NIL (("Pete" NIL "pete" "silly.test")) (("Pete" NIL "pete" "silly.test")) (("Pete" NIL "pete" "silly.test")) ((NIL NIL "A Group" NIL)("Chris Jones" NIL "c" "public.example")(NIL NIL "joe" "example.org")("John" NIL "jdoe" "one.test")(NIL NIL NIL NIL)) ((NIL NIL "Hidden recipients" NIL)(NIL NIL NIL NIL)) NIL NIL "<testabcd.1234@silly.test>")"#,
    );
}

#[test]
fn rfc5322_a_6_obsolete_forms() {
    check_addresses(
        "Joe Q. Public <john.q.public@example.com>",
        r#"(("Joe Q. Public" NIL "john.q.public" "example.com"))"#,
    );
    check_addresses(
        "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
        r#"(("Mary Smith" "@node.test" "mary" "example.net")(NIL NIL "jdoe" "test.example"))"#,
    );
    check(
        "From  : John Doe <jdoe@machine(comment).  example>\n\
         To    : Mary Smith\n  \n          <mary@example.net>\n\
         Subject     : Saying Hello\n\
         Date  : Fri, 21 Nov 1997 09(comment):   55  :  06 -0600\n\
         Message-ID  : <1234   @   local(blah)  .machine .example>",
        r#"("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600" "Saying Hello" (("John Doe" NIL "jdoe" "machine.example")) (("John Doe" NIL "jdoe" "machine.example")) (("John Doe" NIL "jdoe" "machine.example")) (("Mary Smith" NIL "mary" "example.net")) NIL NIL NIL "<1234   @   local(blah)  .machine .example>")"#,
    );
}

#[test]
fn odd_addresses() {
    check_addresses("", "NIL");
    check_addresses(" , ;(comment)", "NIL");
    check_addresses("a@b (A Name)", r#"(("A Name" NIL "a" "b"))"#);
    check_addresses("<a@b> (A Name)", r#"(("A Name" NIL "a" "b"))"#);
    check_addresses("\"a b\"@c", r#"((NIL NIL "a b" "c"))"#);
    check_addresses(
        "a@[192.0.2.1], b@[IPv6:2001:db8::1]",
        r#"((NIL NIL "a" "[192.0.2.1]")(NIL NIL "b" "[IPv6:2001:db8::1]"))"#,
    );
    check_addresses("<@a,@b:c@d>", r#"((NIL "@a,@b" "c" "d"))"#);
    check_addresses("alone", r#"((NIL NIL "alone" "MISSING_DOMAIN"))"#);
    check_addresses("Two Words", r#"(("Two Words" NIL "MISSING_MAILBOX" "MISSING_DOMAIN"))"#);
    check_addresses("Name <>", r#"(("Name" NIL "MISSING_MAILBOX" "MISSING_DOMAIN"))"#);
    check_addresses("Name <a@b", r#"(("Name" NIL "a" "b"))"#);
    check_addresses("<Two Words>", r#"((NIL NIL "Two Words" "MISSING_DOMAIN"))"#);
    check_addresses("x@y <a@b>, c@d", r#"(("x@y" NIL "a" "b")(NIL NIL "c" "d"))"#);
    check_addresses("[List] Name <a@b>", r#"(("[List] Name" NIL "a" "b"))"#);
    check_addresses(
        "Open: a@b, c@d",
        r#"((NIL NIL "Open" NIL)(NIL NIL "a" "b")(NIL NIL "c" "d")(NIL NIL NIL NIL))"#,
    );
    check_addresses("=?utf-8?q?=C3=BC?= <a@b>", r#"(("=?utf-8?q?=C3=BC?=" NIL "a" "b"))"#);
    check_addresses("\"=?utf-8?q?=C3=BC?=\" <a@b>", r#"(("=?utf-8?q?=C3=BC?=" NIL "a" "b"))"#);
    check_addresses("a@b\nTo: c@d", r#"((NIL NIL "a" "b")(NIL NIL "c" "d"))"#);
}

#[test]
fn eight_bit_text_leaves_as_encoded_words() {
    check_addresses("Jürgen Müller <a@b>", r#"(("=?utf-8?b?SsO8cmdlbiBNw7xsbGVy?=" NIL "a" "b"))"#);
    check_addresses(
        "用户@例子.测试",
        r#"((NIL NIL "=?utf-8?b?55So5oi3?=" "=?utf-8?b?5L6L5a2QLua1i+ivlQ==?="))"#,
    );
    check(
        "Subject: Frösche fangen",
        r#"(NIL "=?utf-8?q?Fr=C3=B6sche?= fangen" NIL NIL NIL NIL NIL NIL NIL NIL)"#,
    );
}

#[test]
fn absent_and_empty_fields() {
    check("X: y", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
    check(
        "Date:\nSubject:\nFrom:\nSender:\nReply-To:\nTo:\nCc:\nBcc:\nIn-Reply-To:\nMessage-ID:",
        r#"("" "" NIL NIL NIL NIL NIL NIL "" "")"#,
    );
    check(
        "From: a@b\nSender:\nReply-To: (none)",
        r#"(NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL)"#,
    );
}

#[test]
fn repeated_fields() {
    check("Subject: relay's\nSubject: sender's", r#"(NIL "sender's" NIL NIL NIL NIL NIL NIL NIL NIL)"#);
    check(
        "From: a@b\nFrom: c@d",
        r#"(NIL NIL ((NIL NIL "a" "b")(NIL NIL "c" "d")) ((NIL NIL "a" "b")(NIL NIL "c" "d")) ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL NIL)"#,
    );
}

#[test]
fn decoded_texts() {
    let summary = scan(
        "Received: 1\nReceived: 2\nDelivered-To: me@example.org\nDelivered-To: you@example.org\n\
         From: =?iso-8859-1?q?J=FCrgen?= <J@Example.ORG>, b@c\nSender: list@Example.net\n\
         To: =?utf-8?q?G=C3=A4ste?=: \"A, B\" <a@b>, c@d;, alone, Two Words\nCc:\nBcc: x@y\n\
         Subject: =?utf-8?b?R3LDvMOf?=\n =?utf-8?b?ZQ==?= !\n\
         In-Reply-To: Your mail <3@x>\nReferences: <1@x> <2@x>\n <1@x>\nMessage-ID: <4@x>\n\
         Date: 24 Nov 97 14:22:01 EST\n\n",
    );
    assert_eq!(summary.from, "Jürgen <J@Example.ORG>, b@c");
    assert_eq!(summary.to, "Gäste: A, B <a@b>, c@d;, alone, Two Words");
    assert_eq!((summary.cc.as_str(), summary.bcc.as_str()), ("", "x@y"));
    assert_eq!(summary.subject, "Grüße !");
    assert_eq!(summary.references, ["1@x", "2@x", "3@x"]);
    assert_eq!(summary.message_id, "4@x");
    assert_eq!(summary.received_count, 2);
    assert_eq!(summary.delivered_to, ["me@example.org", "you@example.org"]);
    assert_eq!(summary.author_addresses, ["J@example.org", "b@c", "list@example.net"]);
    assert_eq!(summary.sent_at, Some(880_399_321));
}

#[test]
fn days_are_those_that_were_written() {
    let summary = scan("Date: Fri, 21 Nov 1997 23:55:06 -0600\n\n");
    assert_eq!(summary.sent_at, Some(880_178_106));
    assert_eq!(summary.sent_day(), Some(10_186));
    assert_eq!(scan("Date: Sat, 22 Nov 1997 05:55:06 +0000\n\n").sent_day(), Some(10_187));
    assert_eq!(scan("Date: soon\n\n").sent_day(), None);
}

#[test]
fn long_threads_keep_their_root_and_their_end() {
    let ids: String = (0..150).map(|n| format!(" <{n}@x>\n")).collect();
    let references = scan(&format!("References:\n{ids}In-Reply-To: <149@x>\n\n")).references;
    assert_eq!(references.len(), 100);
    assert_eq!(
        (references[0].as_str(), references[1].as_str(), references[99].as_str()),
        ("0@x", "51@x", "149@x")
    );
}
