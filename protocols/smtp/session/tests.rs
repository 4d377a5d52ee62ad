//! Time, which transcripts do not have.

use super::*;

fn session(kind: Kind, now: Instant) -> Session {
    let link = Link {
        conn: 1,
        peer: [192, 0, 2, 1].into(),
        tls: Some(Tls { version: "TLSv1.3", cipher: None }),
        can_start_tls: false,
        may_authenticate: true,
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
            Step::Ask(Request::Route(ForwardPath::Address(address))) => {
                session.routed(Ok(Destination::Elsewhere(address)));
            }
            Step::Ask(other) => panic!("{other:?}"),
            Step::Discard | Step::Write(_) => {}
            Step::Close | Step::Read | Step::StartTls => return,
        }
    }
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
