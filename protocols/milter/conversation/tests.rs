//! Against a filter that says what the test wants, over a loopback socket.

use std::net::IpAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::Refusal;

/// What a filter answers to a command, packet by packet; nothing for what is not named.
type Answers = &'static [(u8, &'static [&'static [u8]])];

const CONTINUE: &[&[u8]] = &[b"c"];
const HEADER: &[u8] = b"From: a@b.test\r\nSubject: x\r\n\r\n";

/// Listens once; returns the commands that it was told.
async fn filter(steps: u32, answers: Answers) -> (Filter, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let place = Place::Inet(listener.local_addr().expect("bound").to_string());
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut told = Vec::new();
        while let Ok(length) = stream.read_u32().await {
            let mut packet = vec![0; length as usize];
            stream.read_exact(&mut packet).await.expect("a whole packet");
            told.push(packet[0]);
            let negotiation = [b"O\0\0\0\x06\0\0\x01\xff".as_slice(), &steps.to_be_bytes()].concat();
            let said = match answers.iter().find(|(command, _)| *command == packet[0]) {
                Some((_, said)) => said.iter().map(|said| said.to_vec()).collect(),
                None if packet[0] == b'O' => vec![negotiation],
                None => Vec::new(),
            };
            for said in said {
                let length = u32::try_from(said.len()).expect("short");
                stream.write_u32(length).await.expect("written");
                stream.write_all(&said).await.expect("written");
            }
        }
        told.retain(|&command| command != b'D');
        told
    });
    (Filter { place, time: Duration::from_secs(20), whole_time: Duration::from_secs(30) }, task)
}

async fn asked(filter: &Filter) -> Result<Outcome, Error> {
    let origin = Origin {
        host_name: "hub.test",
        id: "1",
        peer: IpAddr::from([192, 0, 2, 1]),
        peer_name: None,
        helo: "client.test",
        reverse_path: "a@b.test".into(),
        recipients: vec!["c@d.test".into(), "e@d.test".into()],
    };
    let body = [Ok(Bytes::from_static(&[b'x'; 70_000])), Ok(Bytes::from_static(b"end"))];
    ask(filter, &origin, HEADER, body.into_iter()).await
}

const PATIENT: Answers = &[
    (b'C', CONTINUE),
    (b'H', CONTINUE),
    (b'M', CONTINUE),
    (b'R', CONTINUE),
    (b'T', CONTINUE),
    (b'L', CONTINUE),
    (b'N', CONTINUE),
    (b'B', CONTINUE),
    (b'E', &[b"p", b"hX-Spam\0No\0", b"m\0\0\0\x01Subject\0y\0", b"i\0\0\0\0X-A\0b\0", b"c"]),
];

#[tokio::test]
async fn everything_is_told_in_order_and_fields_are_added() {
    let (filter, told) = filter(0, PATIENT).await;
    let outcome = asked(&filter).await.expect("an outcome");
    assert_eq!(outcome.action, Action::Accept);
    assert_eq!(outcome.fields, "X-Spam: No\r\nX-A: b\r\n", "what was not offered is not done");
    assert_eq!(told.await.expect("ended"), b"OCHMRRTLLNBBBEQ");
}

/// The body in no larger pieces than the protocol allows; steps that are not wanted are not told.
#[tokio::test]
async fn what_the_filter_does_without() {
    let silent = step::NO_REPLY_MAIL | step::NO_REPLY_RCPT | step::NO_REPLY_HEADER | step::NO_REPLY_BODY;
    let without = step::NO_CONNECT | step::NO_HELO | step::NO_DATA | step::NO_END_OF_HEADER;
    let answers: Answers = &[(b'E', &[b"qlooks odd\0", b"a"])];
    let (filter, told) = filter(silent | without, answers).await;
    let outcome = asked(&filter).await.expect("an outcome");
    assert_eq!((outcome.action, outcome.quarantine.as_deref()), (Action::Accept, Some("looks odd")));
    assert_eq!(told.await.expect("ended"), b"OMRRLLBBBEQ");
}

#[tokio::test]
async fn decisions_before_the_end_and_at_it() {
    let refusal = |code, text: &str| Action::Refuse(Refusal { code, text: text.into() });
    let cases: [(Answers, Action, &[u8]); 5] = [
        (&[(b'C', CONTINUE), (b'H', CONTINUE), (b'M', &[b"a"])], Action::Accept, b"OCHMQ"),
        (&[(b'C', &[b"y554 5.7.1 go away\0"])], refusal(554, "5.7.1 go away"), b"OCQ"),
        (&[(b'C', &[b"d"])], Action::Discard, b"OCQ"),
        (
            &[
                (b'C', CONTINUE),
                (b'H', CONTINUE),
                (b'M', CONTINUE),
                (b'R', CONTINUE),
                (b'T', CONTINUE),
                (b'L', CONTINUE),
                (b'N', CONTINUE),
                (b'B', &[b"s"]),
                (b'E', &[b"hX-Spam\0Yes\0", b"y550 5.7.1 spam\0"]),
            ],
            refusal(550, "5.7.1 spam"),
            b"OCHMRRTLLNBEQ",
        ),
        (&[(b'C', CONTINUE), (b'H', &[b"d"])], Action::Discard, b"OCHQ"),
    ];
    for (answers, action, commands) in cases {
        let (filter, told) = filter(0, answers).await;
        assert_eq!(asked(&filter).await.expect("an outcome").action, action);
        assert_eq!(told.await.expect("ended"), commands);
    }
}

#[tokio::test]
async fn filters_that_fail() {
    let cases: [(Answers, &str); 4] = [
        (&[(b'O', &[b"c"])], "no negotiation"),
        (&[(b'C', &[b"hX\0y\0"])], "does not belong here"),
        (&[(b'C', &[b""])], "impossible length"),
        (&[(b'O', &[b"O\0\0\0\x01\0\0\0\0\0\0\0\0"])], "version before 2"),
    ];
    for (answers, expected) in cases {
        let (filter, _) = filter(0, answers).await;
        let error = asked(&filter).await.expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    let (mut slow, _told) = filter(0, &[]).await;
    slow.time = Duration::from_millis(50);
    assert!(matches!(asked(&slow).await, Err(Error::Timeout)));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    drop(listener);
    slow.place = Place::Inet(address);
    assert!(matches!(asked(&slow).await, Err(Error::Connect(_))));
}
