//! Time, which transcripts do not have.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

fn session(kind: Kind, now: Instant) -> Session {
    let link = Link {
        conn: 1,
        peer: [192, 0, 2, 1].into(),
        tls: Some(Tls { version: "TLSv1.3", cipher: None }),
        can_start_tls: false,
        may_authenticate: true,
        binding: None,
        unix_millis: 0,
    };
    Session::new(kind, Arc::new(Settings::new("hub.test")), link, now)
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Feeds `text` at a time and says yes to everything.
fn say(session: &mut Session, mut text: &[u8], now: Instant) {
    loop {
        match session.feed(&mut text, now) {
            Step::Ask(Request::CheckSender(_)) => session.sender_checked(Ok(())),
            Step::Ask(Request::Finish(_)) => session.finished(Ok(())),
            Step::Ask(Request::Login { login, .. }) => session.logged_in(Ok(login)),
            Step::Ask(Request::Route { path: ForwardPath::Address(address), .. }) => {
                session.routed(Ok(Destination::Elsewhere(address)));
            }
            Step::Ask(other) => panic!("{other:?}"),
            Step::Discard | Step::Write(_) => {}
            Step::Close | Step::Read | Step::StartTls => return,
        }
    }
}

/// RFC 5321 §4.5.3.1.10: who is refused with 452 comes in a transaction of its own.
#[test]
fn bounces_that_go_home_are_not_mixed_with_mail_for_twins() {
    let mut session = session(Kind::Mx, Instant::now());
    let address = |text| Address::parse(text).expect(text);
    let home = Destination::Back { address: address("SRS0=x@hub.test"), home: address("a@far.test") };
    let here = |text| {
        let members = hub::Members::from([hub::AccountId(1)]);
        Destination::Local(hub::Recipient { address: address(text), members })
    };
    let mut text: &[u8] = b"EHLO x\r\nMAIL FROM:<>\r\n";
    let mut destinations = vec![here("c@hub.test"), home, here("b@hub.test")];
    loop {
        match session.feed(&mut text, Instant::now()) {
            Step::Ask(Request::CheckSender(_)) => session.sender_checked(Ok(())),
            Step::Ask(Request::Route { .. }) => {
                session.routed(Ok(destinations.pop().expect("one for each RCPT")));
            }
            Step::Ask(other) => panic!("{other:?}"),
            Step::Read if destinations.is_empty() => break,
            Step::Read => text = b"RCPT TO:<x@hub.test>\r\n",
            Step::Close | Step::Discard | Step::StartTls | Step::Write(_) => panic!("it goes on"),
        }
    }
    let output = String::from_utf8_lossy(session.output()).into_owned();
    let codes: Vec<&str> = output.lines().filter_map(|line| line.get(..9)).collect();
    assert!(codes.ends_with(&["250 2.1.5", "452 4.5.3", "250 2.1.5"]), "{output}");
}

/// RFC 5321 §4.5.3.2.7: five minutes for each command; half a command does not buy more.
#[test]
fn each_command_has_its_time() {
    let start = Instant::now();
    let mut session = session(Kind::Mx, start);
    assert_eq!(session.deadline(), start + seconds(300));
    say(&mut session, b"EHLO x\r\nNO", start + seconds(100));
    assert_eq!(session.deadline(), start + seconds(400));
    say(&mut session, b"O", start + seconds(200));
    assert_eq!(session.deadline(), start + seconds(400));
    say(&mut session, b"P\r\n", start + seconds(300));
    assert_eq!(session.deadline(), start + seconds(600));
}

#[test]
fn who_does_not_log_in_has_a_minute() {
    let start = Instant::now();
    let mut session = session(Kind::Submission, start);
    say(&mut session, b"EHLO x\r\n", start + seconds(50));
    assert_eq!(session.deadline(), start + seconds(60));
    say(&mut session, b"AUTH PLAIN AGEAYg==\r\n", start + seconds(55));
    assert_eq!(session.deadline(), start + seconds(355));
}

/// A byte now and then keeps no message open for ever.
#[test]
fn a_message_has_time_by_its_size() {
    let start = Instant::now();
    let mut session = session(Kind::Mx, start);
    say(&mut session, b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n", start);
    assert_eq!(session.deadline(), start + seconds(300));
    say(&mut session, &[b'a'; 1024], start + seconds(200));
    assert_eq!(session.deadline(), start + seconds(301));
    say(&mut session, &[b'a'; 600 * 1024], start + seconds(250));
    assert_eq!(session.deadline(), start + seconds(550));
}

#[test]
fn timing_out_and_shutting_down_are_said() {
    let now = Instant::now();
    let mut session = session(Kind::Mx, now);
    session.output().clear();
    assert!(session.is_idle());
    say(&mut session, b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\n", now);
    assert!(!session.is_idle(), "a message is about to come");
    say(&mut session, b"DATA\r\nx\r\n.\r\n", now);
    assert!(session.is_idle());
    session.output().clear();
    session.timed_out();
    assert!(session.output().starts_with(b"421 4.4.2 "));
    assert!(matches!(session.feed(&mut &b"QUIT\r\n"[..], now), Step::Close));
}

/// Runs until the session asks for something and returns that.
fn asked(session: &mut Session, mut text: &[u8], now: Instant) -> Request {
    loop {
        match session.feed(&mut text, now) {
            Step::Ask(request) => return request,
            Step::Write(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Mail programs forget BODY=8BITMIME; the next host is told all the same.
#[test]
fn eight_bits_are_noticed() {
    let now = Instant::now();
    for (text, eight_bit) in [(&b"ascii\r\n.\r\n"[..], false), (b"gr\xfc\xdfe\r\n.\r\n", true)] {
        let mut session = session(Kind::Mx, now);
        say(&mut session, b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n", now);
        let Request::Finish(envelope) = asked(&mut session, text, now) else { panic!("not finished") };
        assert_eq!(envelope.mail.eight_bit, eight_bit);
    }
}

/// A wrong SCRAM proof costs what a wrong password costs.
#[test]
fn failed_proofs_are_counted() {
    let now = Instant::now();
    let mut session = session(Kind::Submission, now);
    say(&mut session, b"EHLO x\r\n", now);
    let initial = STANDARD.encode("n,,n=alice,r=abc");
    let request = asked(&mut session, format!("AUTH SCRAM-SHA-256 {initial}\r\n").as_bytes(), now);
    assert!(matches!(request, Request::ScramCredentials { login } if login == "alice"));
    session.output().clear();
    session.scram_credentials(Ok(hub::ScramCredentials {
        salt: b"salt".to_vec(),
        iterations: 4096,
        stored_key: [1; 32],
        server_key: [2; 32],
    }));
    let challenge = String::from_utf8(std::mem::take(session.output())).expect("text");
    let challenge = STANDARD.decode(challenge[4..].trim_end()).expect("base64");
    let nonce = String::from_utf8(challenge).expect("text").split(',').next().expect("a nonce").to_owned();
    let proof = STANDARD.encode(format!("c=biws,{nonce},p={}", STANDARD.encode([0; 32])));
    let request = asked(&mut session, format!("{proof}\r\n").as_bytes(), now);
    assert!(matches!(request, Request::LoginFailed { login, .. } if login == "alice"));
    session.logged_in(Err(Reply::new(535, "5.7.8", "No")));
    assert!(session.twin.is_none());
}
