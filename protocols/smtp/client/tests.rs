//! Conversations with servers of a few lines: what is said, and what is made of the answers.

use hub::{NextHop, Notify, QueuedMessage, Return, Submission, SubmissionRecipient, TlsDemand};
use tokio::net::TcpStream;

use super::{Client, Greeting};
use crate::outbound::next_hop::{Broken, Verdict};
use crate::sink::{Sink, but, offering};
use crate::transcripts::{TestHub, address, test_hub};
use crate::work::unix_now;

const ALL: &[&str] = &["PIPELINING", "8BITMIME", "SIZE 1000000", "SMTPUTF8", "CHUNKING", "DSN"];

/// A message from the queue, to these recipients at far.test.
async fn queued(test: &TestHub, text: &[u8], recipients: &[&str], smtputf8: bool) -> QueuedMessage {
    let mut spool = test.hub.spool();
    spool.write(text).await.expect("written");
    let recipient = |name: &&str| SubmissionRecipient {
        address: address(&format!("{name}@far.test")),
        notify: Notify::default(),
        original: None,
    };
    let submission = Submission {
        incoming: test.hub.examine(spool).await.expect("examined"),
        reverse_path: Some(address("alice@example.org")),
        recipients: recipients.iter().map(recipient).collect(),
        trace: Vec::new(),
        ret: Return::Headers,
        envelope_id: None,
        smtputf8,
        eight_bit: true,
        require_tls: false,
    };
    test.alice.submit(submission).await.expect("submitted");
    let hop = NextHop::Mx("far.test".into(), TlsDemand::ByPolicy);
    crate::outbound::tests::take_one(&test.hub, &hop, unix_now()).await
}

async fn client(sink: &Sink) -> Result<Client<TcpStream>, Greeting> {
    let stream = TcpStream::connect(sink.address).await.expect("connects");
    Client::greet(stream, "hub.test").await
}

async fn send(
    answers: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    text: &[u8],
    recipients: &[&str],
    smtputf8: bool,
) -> (Result<Vec<Verdict>, Broken>, Sink) {
    let test = test_hub().await;
    let message = queued(&test, text, recipients, smtputf8).await;
    let sink = Sink::start(([127, 0, 0, 1], 0).into(), answers, None).await;
    let mut client = client(&sink).await.expect("greeted");
    let sent = client.send(&test.hub, &message).await;
    (sent, sink)
}

fn delivered() -> Verdict {
    Verdict::Delivered("250 2.6.0 queued".into())
}

const TEXT: &[u8] = b"From: alice@example.org\r\nSubject: hi\r\n\r\n.dot\r\n";

#[tokio::test]
async fn rfc2920_3_1_commands_in_one_group() {
    let (sent, sink) = send(offering(ALL), TEXT, &["bob", "eve"], false).await;
    assert_eq!(sent.expect("sent"), [delivered(), delivered()]);
    assert_eq!(
        sink.heard(),
        [
            "EHLO hub.test",
            "MAIL FROM:<alice@example.org> SIZE=46 RET=HDRS",
            "RCPT TO:<bob@far.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;bob@far.test",
            "RCPT TO:<eve@far.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;eve@far.test",
            "DATA",
            "From: alice@example.org",
            "Subject: hi",
            "",
            "..dot",
            ".",
        ]
    );
}

/// A host of 1982 gets what it understands.
#[tokio::test]
async fn rfc5321_3_2_helo_where_ehlo_is_unknown() {
    let (sent, sink) = send(but("EHLO", Some("502 what?"), offering(&[])), TEXT, &["bob"], false).await;
    assert_eq!(sent.expect("sent"), [delivered()]);
    assert_eq!(
        sink.heard()[..5],
        ["EHLO hub.test", "HELO hub.test", "MAIL FROM:<alice@example.org>", "RCPT TO:<bob@far.test>", "DATA"]
    );
}

#[tokio::test]
async fn each_recipient_has_a_verdict() {
    let answers = |line: &str| match line {
        line if line.contains("nobody") => Some("550-5.1.1 no\r\n550 5.1.1 such user".into()),
        line if line.contains("busy") => Some("451 4.7.1 greylisted".into()),
        line => offering(ALL)(line),
    };
    let (sent, _) = send(answers, TEXT, &["nobody", "bob", "busy"], false).await;
    assert_eq!(
        sent.expect("sent"),
        [
            Verdict::Failed("550 5.1.1 no such user".into()),
            delivered(),
            Verdict::Deferred("451 4.7.1 greylisted".into()),
        ]
    );
}

/// RFC 2920 §3.1: who says 354 though nobody is left to send to gets an empty text.
#[tokio::test]
async fn nothing_is_sent_when_all_are_refused() {
    for keywords in [ALL, &[]] {
        let (sent, sink) =
            send(but("RCPT", Some("550 5.1.1 no"), offering(keywords)), TEXT, &["bob"], false).await;
        assert_eq!(sent.expect("sent"), [Verdict::Failed("550 5.1.1 no".into())]);
        assert_eq!(sink.count("Subject"), 0);
        assert_eq!(
            sink.heard().last().map(String::as_str),
            Some(if keywords.is_empty() { "RSET" } else { "." })
        );
    }
}

#[tokio::test]
async fn refusals_of_the_whole_message() {
    for (at, says, expected) in [
        ("MAIL", "550 5.7.1 not you", Verdict::Failed("550 5.7.1 not you".into())),
        ("MAIL", "421 4.3.2 going", Verdict::Deferred("421 4.3.2 going".into())),
        ("DATA", "451 4.3.0 later", Verdict::Deferred("451 4.3.0 later".into())),
        ("DATA", "554 5.7.1 never", Verdict::Failed("554 5.7.1 never".into())),
        (".", "554 5.7.1 spam", Verdict::Failed("554 5.7.1 spam".into())),
        (".", "452 4.3.1 full", Verdict::Deferred("452 4.3.1 full".into())),
        (".", "354 what", Verdict::Deferred("354 what".into())),
    ] {
        for keywords in [ALL, &[]] {
            let (sent, _) = send(but(at, Some(says), offering(keywords)), TEXT, &["bob", "eve"], false).await;
            assert_eq!(sent.expect("sent"), [expected.clone(), expected.clone()], "{at} {says}");
        }
    }
}

/// Closed after the dot: it may have been taken. Trying again may double it, giving up may lose it.
#[tokio::test]
async fn breakdowns_are_no_verdicts() {
    for (at, says) in [
        ("MAIL", None),
        ("RCPT", None),
        ("DATA", None),
        (".", None),
        (".", Some("what is this")),
        ("RCPT", Some("099 x")),
    ] {
        let (sent, _) = send(but(at, says, offering(ALL)), TEXT, &["bob"], false).await;
        assert!(sent.is_err(), "{at} {says:?}: {sent:?}");
    }
}

#[tokio::test]
async fn bad_greetings() {
    for says in [Some("554 5.7.1 go away"), Some("421 busy"), Some("250 hello"), Some("SSH-2.0-x"), None] {
        let sink = Sink::start(([127, 0, 0, 1], 0).into(), but("CONNECT", says, offering(ALL)), None).await;
        assert!(matches!(client(&sink).await, Err(Greeting::Broken(_))), "{says:?}");
        assert_eq!(sink.count("EHLO"), 0);
    }
    let answers = but("CONNECT", Some("220 HUB.test ESMTP"), offering(ALL));
    let sink = Sink::start(([127, 0, 0, 1], 0).into(), answers, None).await;
    assert!(matches!(client(&sink).await, Err(Greeting::Ourselves)));
}

/// RFC 3030 §2: length instead of dots, and the same line ends as ever.
#[tokio::test]
async fn rfc3030_large_messages_go_in_chunks() {
    let mut text = b"From: alice@example.org\r\n\r\n".to_vec();
    while text.len() < 700_000 {
        text.extend_from_slice(b".a line of some length that is repeated\r\n");
    }
    let (sent, sink) = send(offering(ALL), &text, &["bob"], false).await;
    assert_eq!(sent.expect("sent"), [Verdict::Delivered("250 2.1.0 ok".into())]);
    let chunks: Vec<String> = sink.heard().into_iter().filter(|line| line.starts_with("BDAT")).collect();
    assert_eq!(chunks.len(), 2, "{chunks:?}");
    let size =
        |line: &str| line.split(' ').nth(1).and_then(|size| size.parse::<usize>().ok()).expect("a size");
    assert_eq!(chunks.iter().map(|line| size(line)).sum::<usize>(), text.len());
    assert!(chunks[1].ends_with(" LAST") && !chunks[0].ends_with(" LAST"), "{chunks:?}");
    let (sent, sink) = send(but("BDAT", Some("552 5.2.2 full"), offering(ALL)), &text, &["bob"], false).await;
    assert_eq!(sent.expect("sent"), [Verdict::Failed("552 5.2.2 full".into())]);
    assert_eq!(sink.count("BDAT"), 1, "the second chunk is spared");
}

#[tokio::test]
async fn rfc1870_too_large_is_known_before() {
    let (sent, sink) = send(offering(&["SIZE 10"]), TEXT, &["bob"], false).await;
    assert!(matches!(&sent.expect("known")[0], Verdict::Failed(why) if why.starts_with("552 5.3.4")));
    assert_eq!(sink.count("MAIL"), 0);
}

#[tokio::test]
async fn rfc6531_only_what_needs_utf8_is_held_back() {
    let german = "From: alice@example.org\r\nSubject: grün\r\n\r\nx\r\n".as_bytes();
    let (sent, sink) = send(offering(&["8BITMIME"]), german, &["bob"], true).await;
    assert!(matches!(&sent.expect("known")[0], Verdict::Failed(why) if why.starts_with("550 5.6.7")));
    assert_eq!(sink.count("MAIL"), 0);
    let (sent, sink) = send(offering(&["8BITMIME", "SMTPUTF8"]), german, &["bob"], true).await;
    assert_eq!(sent.expect("sent"), [delivered()]);
    assert_eq!(sink.count("MAIL FROM:<alice@example.org> BODY=8BITMIME SMTPUTF8"), 1);
    let (sent, sink) = send(offering(&["8BITMIME"]), TEXT, &["bob"], true).await;
    assert_eq!(sent.expect("sent"), [delivered()], "it was asked for and is not needed");
    assert_eq!(sink.count("MAIL FROM:<alice@example.org>"), 1);
}

#[tokio::test]
async fn rfc6152_3_hosts_of_seven_bits() {
    let german = "From: alice@example.org\r\nContent-Transfer-Encoding: 8bit\r\n\r\ngrün\r\n".as_bytes();
    let (sent, sink) = send(offering(&["SIZE"]), german, &["bob"], false).await;
    assert_eq!(sent.expect("sent"), [delivered()]);
    let heard = sink.heard();
    assert_eq!(
        heard[heard.len() - 5..],
        ["From: alice@example.org", "Content-Transfer-Encoding: quoted-printable", "", "gr=C3=BCn", "."]
    );
    assert_eq!(sink.count("MAIL FROM:<alice@example.org> SIZE=83"), 1, "{heard:?}");
    let signed = "From: alice@example.org\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\ngrün\r\n--b--\r\n";
    let (sent, sink) = send(offering(&[]), signed.as_bytes(), &["bob"], false).await;
    assert!(matches!(&sent.expect("known")[0], Verdict::Failed(why) if why.starts_with("554 5.6.3")));
    assert_eq!(sink.count("MAIL"), 0);
}

/// RFC 9422: so many recipients are taken at a time, and not more are tried.
#[tokio::test]
async fn rfc9422_recipients_in_several_transactions() {
    let (sent, sink) = send(offering(&["LIMITS RCPTMAX=2"]), TEXT, &["a", "b", "c"], false).await;
    assert_eq!(sent.expect("sent"), [delivered(), delivered(), delivered()]);
    assert_eq!((sink.count("MAIL"), sink.count("RCPT"), sink.count("DATA")), (2, 3, 2));
}

/// What an earlier transaction has brought stays delivered when a later one breaks down.
#[tokio::test]
async fn a_breakdown_between_transactions_doubles_nothing() {
    let answers = |line: &str| {
        if line.contains("c@") { None } else { offering(&["LIMITS RCPTMAX=2"])(line) }
    };
    let (sent, sink) = send(answers, TEXT, &["a", "b", "c", "d", "e"], false).await;
    let sent = sent.expect("two are delivered");
    assert_eq!(sent[..2], [delivered(), delivered()]);
    assert!(sent[2..].iter().all(|verdict| matches!(verdict, Verdict::Deferred(_))), "{sent:?}");
    assert_eq!((sent.len(), sink.count("RCPT TO:<e@")), (5, 0), "replies would be taken for others");
}

/// Where DATA is refused, the recipients stand until RSET: the next MAIL would be one too many, and
/// the 503 to it a refusal of a message that has done nothing.
#[tokio::test]
async fn a_refused_data_leaves_nothing_behind() {
    let answers = but("DATA", Some("451 4.3.0 later"), offering(&[]));
    let (sent, sink) = send(answers, TEXT, &["bob"], false).await;
    assert_eq!(sent.expect("an answer"), [Verdict::Deferred("451 4.3.0 later".into())]);
    assert_eq!(sink.count("RSET"), 1);
    let (sent, _) = send(but("MAIL", Some("503 nested"), offering(&[])), TEXT, &["bob"], false).await;
    assert!(sent.is_err(), "the conversation is broken, not the message: {sent:?}");
}

/// What was refused stays refused if the host hangs up right then.
#[tokio::test]
async fn a_refusal_outlives_the_connection() {
    let answers = |line: &str| match line {
        "RSET" => None,
        line if line.starts_with("RCPT") => Some("550 5.7.1 blocked".to_owned()),
        line => offering(&[])(line),
    };
    let (sent, _) = send(answers, TEXT, &["bob"], false).await;
    assert_eq!(sent.expect("an answer"), [Verdict::Failed("550 5.7.1 blocked".into())]);
}

/// Known from many clients: answers injected in the clear behind the 220 (CVE-2021-38371 and kin).
#[tokio::test]
async fn rfc3207_nothing_may_follow_the_220() {
    let answers = but("STARTTLS", Some("220 go\r\n250 injected"), offering(&["STARTTLS"]));
    let sink = Sink::start(([127, 0, 0, 1], 0).into(), answers, None).await;
    let client = client(&sink).await.expect("greeted");
    assert!(client.start_tls().await.is_err_and(|broken| broken.0.contains("injected")));
}
