//! A relay host that keeps what it is given, and can be told to misbehave.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// How it treats messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Takes everything but for recipients that begin with `bounce`.
    Good,
    GreetWith421,
    /// 451 to RCPT, as greylisting does.
    DeferRecipients,
    /// 451 in answer to DATA.
    DeferData,
    /// Closes in answer to DATA.
    CloseInData,
    RefuseRecipients,
    /// 550 in answer to DATA.
    RefuseData,
    /// Takes the message and hangs up before it answers.
    HangUpAfterDot,
}

/// What was completed: for each message its id, and the recipients.
#[derive(Default)]
struct State {
    manner: Option<Manner>,
    /// Ids of messages that were answered with 250.
    taken: Vec<String>,
    /// Ids of messages whose dot came, whatever was said to it.
    completed: Vec<String>,
    /// Conversations, and commands that were refused or broken off.
    connections: usize,
    mishaps: usize,
}

#[derive(Clone)]
pub(crate) struct Sink {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

impl Sink {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let state = Arc::new(Mutex::new(State { manner: Some(manner), ..State::default() }));
        let sink = Self { port, state };
        let listening = sink.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sink = listening.clone();
                // The end of the connection is the end of the conversation.
                std::thread::spawn(move || drop(sink.talk(stream)));
            }
        });
        sink
    }

    pub(crate) fn behave(&self, manner: Manner) {
        self.with(|state| (state.manner, state.mishaps) = (Some(manner), 0));
    }

    /// Ids of the messages that it took, in order, one for each 250.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.with(|state| state.taken.clone())
    }

    pub(crate) fn completed(&self) -> Vec<String> {
        self.with(|state| state.completed.clone())
    }

    pub(crate) fn connections(&self) -> usize {
        self.with(|state| state.connections)
    }

    /// How often it misbehaved since it was told to.
    pub(crate) fn mishaps(&self) -> usize {
        self.with(|state| state.mishaps)
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn manner(&self) -> Manner {
        self.with(|state| state.manner.unwrap_or(Manner::Good))
    }

    fn talk(&self, stream: TcpStream) -> std::io::Result<()> {
        self.with(|state| state.connections += 1);
        let mut out = stream.try_clone()?;
        let mut lines = BufReader::new(stream);
        let mut say = |text: &str| out.write_all(format!("{text}\r\n").as_bytes());
        let mishap = || self.with(|state| state.mishaps += 1);
        if self.manner() == Manner::GreetWith421 {
            mishap();
            return say("421 4.3.2 not now");
        }
        say("220 sink.test")?;
        let (mut line, mut recipients) = (String::new(), 0);
        while lines.read_line(&mut line)? > 0 {
            let verb = line.split([' ', ':', '\r']).next().unwrap_or_default().to_ascii_uppercase();
            let manner = self.manner();
            match (verb.as_str(), manner) {
                ("EHLO", _) => say("250-sink.test\r\n250-8BITMIME\r\n250 PIPELINING")?,
                ("RCPT", Manner::DeferRecipients) => {
                    mishap();
                    say("451 4.7.1 come back later")?;
                }
                ("RCPT", _) if manner == Manner::RefuseRecipients || line.contains("<bounce") => {
                    mishap();
                    say("550 5.1.1 no such user")?;
                }
                // A client that pipelines sends it before it knows.
                ("DATA", _) if recipients == 0 => say("554 5.5.1 no recipients")?,
                ("DATA", Manner::DeferData) => {
                    mishap();
                    say("451 4.3.0 later")?;
                }
                ("DATA", Manner::RefuseData) => {
                    mishap();
                    say("550 5.7.1 not wanted")?;
                }
                ("DATA", Manner::CloseInData) => {
                    mishap();
                    return Ok(());
                }
                ("DATA", _) => {
                    say("354 go")?;
                    let id = read_message(&mut lines)?;
                    self.with(|state| state.completed.push(id.clone()));
                    if manner == Manner::HangUpAfterDot {
                        mishap();
                        return Ok(());
                    }
                    self.with(|state| state.taken.push(id));
                    say("250 2.0.0 taken")?;
                }
                ("RCPT", _) => {
                    recipients += 1;
                    say("250 2.1.5 fine")?;
                }
                ("MAIL", _) => {
                    recipients = 0;
                    say("250 2.1.0 fine")?;
                }
                ("QUIT", _) => return say("221 2.0.0 bye"),
                _ => say("250 2.0.0 fine")?,
            }
            line.clear();
        }
        Ok(())
    }
}

/// Reads to the dot; returns the id in Message-ID.
fn read_message(lines: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut text = Vec::new();
    while text != b".\r\n" && !text.ends_with(b"\r\n.\r\n") {
        if lines.read_until(b'\n', &mut text)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(message_id(&String::from_utf8_lossy(&text)).unwrap_or_default())
}

/// The id of a message of these tests: what stands before `@queue.test` in the last Message-ID of
/// the text, which is that of the message itself also where a report returns it.
pub(crate) fn message_id(text: &str) -> Option<String> {
    let (_, rest) = text.rsplit_once("Message-ID: <")?;
    Some(rest.split_once("@queue.test>")?.0.to_owned())
}
