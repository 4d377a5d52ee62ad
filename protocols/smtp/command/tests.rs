//! Lines, and what is made of them.

use super::*;

fn address(text: &str) -> Address {
    Address::parse(text).expect(text)
}

fn check(line: &str, expected: Command) {
    assert_eq!(parse(format!("{line}\r\n").as_bytes()), Ok(expected), "{line}");
}

fn refused(line: &str, code: u16, enhanced: &str) {
    match parse(line.as_bytes()) {
        Err(reply) => assert_eq!((reply.code, reply.enhanced), (code, enhanced), "{line:?}: {reply}"),
        Ok(command) => panic!("{line:?} was taken for {command:?}"),
    }
}

#[test]
fn plain_commands() {
    check("EHLO client.example", Command::Ehlo("client.example".into()));
    check("ehlo [IPv6:::1]", Command::Ehlo("[IPv6:::1]".into()));
    check("HELO my_pc", Command::Helo("my_pc".into()));
    check("lhlo foo.edu", Command::Lhlo("foo.edu".into()));
    check("DATA", Command::Data);
    check("data  ", Command::Data);
    check("NOOP hello there", Command::Noop);
    check("RSET", Command::Rset);
    check("QuIt", Command::Quit);
    check("VRFY alice", Command::Vrfy);
    check("EXPN staff", Command::Expn);
    check("HELP", Command::Help);
    check("HELP DATA", Command::Help);
    check("STARTTLS", Command::StartTls);
    check("BDAT 0 LAST", Command::Bdat { size: 0, last: true });
    check("bdat 86 last", Command::Bdat { size: 86, last: true });
    check("BDAT 1000", Command::Bdat { size: 1000, last: false });
    check("BDAT 99999999999999999999999999", Command::Bdat { size: u64::MAX, last: false });
    check(
        "AUTH plain AGEAYg==",
        Command::Auth { mechanism: "PLAIN".into(), initial: Some("AGEAYg==".into()) },
    );
    check("AUTH SCRAM-SHA-256", Command::Auth { mechanism: "SCRAM-SHA-256".into(), initial: None });
    check("AUTH LOGIN =", Command::Auth { mechanism: "LOGIN".into(), initial: Some("=".into()) });
}

#[test]
fn mail_with_parameters() {
    check("MAIL FROM:<>", Command::Mail(Mail::default()));
    let from = || Some(address("a@b.test"));
    check("mail from: <a@b.test>", Command::Mail(Mail { reverse_path: from(), ..Mail::default() }));
    check(
        "MAIL FROM:<a@b.test> SIZE=1000 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ+2B314 REQUIRETLS AUTH=<>",
        Command::Mail(Mail {
            reverse_path: from(),
            size: Some(1000),
            eight_bit: true,
            smtputf8: true,
            ret: Some(Return::Headers),
            envelope_id: Some("QQ+2B314".into()),
            require_tls: true,
            auth: true,
        }),
    );
    check(
        "MAIL FROM:<a@b.test> body=7bit ret=full size=99999999999999999999999",
        Command::Mail(Mail {
            reverse_path: from(),
            size: Some(u64::MAX),
            ret: Some(Return::Full),
            ..Mail::default()
        }),
    );
    check(
        "MAIL FROM:<\"a b\"@c.test>",
        Command::Mail(Mail { reverse_path: Some(address("\"a b\"@c.test")), ..Mail::default() }),
    );
}

#[test]
fn rcpt_with_parameters() {
    let rcpt = |path, notify, original: Option<&str>| {
        Command::Rcpt(Rcpt { path, notify, original: original.map(str::to_owned) })
    };
    let alice = || ForwardPath::Address(address("alice@example.org"));
    check("RCPT TO:<alice@example.org>", rcpt(alice(), None, None));
    check("RCPT TO:<Postmaster>", rcpt(ForwardPath::Postmaster, None, None));
    check("RCPT TO:<a@[IPv6:::1]>", rcpt(ForwardPath::Address(address("a@[IPv6:::1]")), None, None));
    // RFC 3461 §10.1, the first recipients of the example.
    check(
        "RCPT TO:<alice@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2B@Example.COM",
        rcpt(
            alice(),
            Some(Notify { delay: true, failure: false, success: true }),
            Some("rfc822;Bob+2B@Example.COM"),
        ),
    );
    check(
        "RCPT TO:<alice@example.org> NOTIFY=NEVER ORCPT=utf-8;ü@example.com",
        rcpt(
            alice(),
            Some(Notify { delay: false, failure: false, success: false }),
            Some("utf-8;ü@example.com"),
        ),
    );
}

#[test]
fn malformed_lines() {
    refused("NOOP\n", 500, "5.5.2");
    refused("NOOP\rQUIT\r\n", 500, "5.5.2");
    refused("NOOP \0\r\n", 500, "5.5.2");
    refused("\r\n", 500, "5.5.1");
    refused("XYZZY\r\n", 500, "5.5.1");
    refused("DATA now\r\n", 501, "5.5.4");
    refused("STARTTLS x\r\n", 501, "5.5.4");
    refused("EHLO\r\n", 501, "5.5.4");
    refused("EHLO ü\r\n", 501, "5.5.4");
    refused("EHLO a(b\r\n", 501, "5.5.4");
    refused(&format!("EHLO {}\r\n", "a".repeat(256)), 501, "5.5.4");
    refused("VRFY\r\n", 501, "5.5.4");
    refused("LHLO\r\n", 501, "5.5.4");
    refused("ETRN x\r\n", 502, "5.5.1");
    refused("BDAT\r\n", 501, "5.5.4");
    refused("BDAT -1\r\n", 501, "5.5.4");
    refused("BDAT 5 FIRST\r\n", 501, "5.5.4");
    refused("BDAT 5 LAST x\r\n", 501, "5.5.4");
    refused("AUTH\r\n", 501, "5.5.4");
    refused("AUTH PLAIN a b\r\n", 501, "5.5.4");
    refused("MAIL\r\n", 501, "5.5.4");
    refused("MAIL FROM:a@b.test\r\n", 501, "5.5.4");
    refused("MAIL TO:<a@b.test>\r\n", 501, "5.5.4");
    refused("MAIL FROM:<a@b.test>SIZE=1\r\n", 501, "5.5.4");
    refused("MAIL FROM:<a@@b>\r\n", 501, "5.1.7");
    refused("MAIL FROM:<a@b.test> SIZE=1 SIZE=2\r\n", 501, "5.5.4");
    refused("MAIL FROM:<a@b.test> RET=FULL ret=FULL\r\n", 501, "5.5.4");
    refused("MAIL FROM:<a@b.test> SIZE=x\r\n", 501, "5.5.4");
    refused("MAIL FROM:<a@b.test> SIZE\r\n", 501, "5.5.4");
    refused("MAIL FROM:<a@b.test> BODY=9BIT\r\n", 501, "5.5.4");
    refused("MAIL FROM:<a@b.test> BODY=BINARYMIME\r\n", 555, "5.6.1");
    refused("MAIL FROM:<a@b.test> RET=BOTH\r\n", 501, "5.5.4");
    refused("MAIL FROM:<a@b.test> ENVID=a=b\r\n", 501, "5.5.4");
    refused("MAIL FROM:<a@b.test> REQUIRETLS=1\r\n", 555, "5.5.4");
    refused("MAIL FROM:<a@b.test> HOLDFOR=100\r\n", 555, "5.5.4");
    refused("MAIL FROM:<a@b.test> FOO=1\r\n", 555, "5.5.4");
    refused("RCPT TO:<>\r\n", 501, "5.1.3");
    refused("RCPT TO:<nobody>\r\n", 501, "5.1.3");
    refused("RCPT TO:alice@example.org\r\n", 501, "5.5.4");
    refused("RCPT TO:<a@b.test> NOTIFY=NEVER,SUCCESS\r\n", 501, "5.5.4");
    refused("RCPT TO:<a@b.test> NOTIFY=SOMETIMES\r\n", 501, "5.5.4");
    refused("RCPT TO:<a@b.test> ORCPT=a@b.test\r\n", 501, "5.5.4");
    refused("RCPT TO:<a@b.test> ORCPT=rfc822;a b\r\n", 555, "5.5.4");
    refused("RCPT TO:<a@b.test> X\r\n", 555, "5.5.4");
}
