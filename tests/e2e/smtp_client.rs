//! A small SMTP client that says exactly what a test tells it to.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::wire::{Stream, Tls};

pub(crate) struct Smtp {
    stream: BufReader<Stream>,
    /// What the last EHLO offered.
    pub(crate) extensions: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) lines: Vec<String>,
}

impl Reply {
    #[track_caller]
    pub(crate) fn expect_code(&self, code: u16) -> &Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    /// Code and enhanced code (RFC 2034), as `550 5.1.1`.
    #[track_caller]
    pub(crate) fn expect(&self, codes: &str) -> &Self {
        let enhanced = self.lines[0].split(' ').next().unwrap_or_default();
        assert_eq!(format!("{} {enhanced}", self.code), codes, "{self:?}");
        self
    }

    /// A permanent refusal.
    #[track_caller]
    pub(crate) fn expect_refusal(&self) -> &Self {
        assert!((500..600).contains(&self.code), "{self:?}");
        self
    }
}

impl Smtp {
    pub(crate) fn connect(port: u16) -> Self {
        Self::greeted(Stream::connect(port))
    }

    pub(crate) fn connect_to(address: SocketAddr) -> Self {
        Self::greeted(Stream::connect_to(address))
    }

    pub(crate) fn connect_tls(port: u16, tls: &Tls) -> Self {
        Self::greeted(Stream::connect(port).into_tls(tls).expect("a TLS handshake"))
    }

    fn greeted(stream: Stream) -> Self {
        let mut smtp = Self { stream: BufReader::new(stream), extensions: Vec::new() };
        smtp.reply().expect_code(220);
        smtp
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).expect("a write");
    }

    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        self.stream.get_mut().flush()
    }

    #[track_caller]
    pub(crate) fn reply(&mut self) -> Reply {
        self.try_reply().expect("a reply")
    }

    pub(crate) fn try_reply(&mut self) -> io::Result<Reply> {
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            self.stream.read_until(b'\n', &mut line)?;
            let text = String::from_utf8_lossy(&line).into_owned();
            let Some(text) = text.strip_suffix("\r\n") else {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("cut off: {text:?}")));
            };
            assert!(text.len() <= 510, "RFC 5321 §4.5.3.1.5: a reply line is too long: {text}");
            let code = text.get(..3).and_then(|code| code.parse().ok());
            let code = code.unwrap_or_else(|| panic!("no reply code: {text:?}"));
            lines.push(text.get(4..).unwrap_or_default().to_owned());
            match text.as_bytes().get(3) {
                Some(b'-') => {}
                Some(b' ') | None => return Ok(Reply { code, lines }),
                Some(_) => panic!("neither space nor hyphen after the code: {text:?}"),
            }
        }
    }

    #[track_caller]
    pub(crate) fn command(&mut self, line: &str) -> Reply {
        self.write(format!("{line}\r\n").as_bytes());
        self.reply()
    }

    #[track_caller]
    pub(crate) fn ehlo(&mut self) {
        let reply = self.command("EHLO client.elsewhere.test");
        reply.expect_code(250);
        self.extensions = reply.lines[1..].to_vec();
    }

    /// After EHLO.
    pub(crate) fn hello(mut self) -> Self {
        self.ehlo();
        self
    }

    pub(crate) fn offers(&self, keyword: &str) -> bool {
        self.extensions.iter().any(|line| line.split(' ').next() == Some(keyword))
    }

    pub(crate) fn auth_plain(&mut self, user: &str, password: &str) -> Reply {
        self.command(&format!("AUTH PLAIN {}", BASE64.encode(format!("\0{user}\0{password}"))))
    }

    /// After `220` to STARTTLS.
    pub(crate) fn into_tls(self, tls: &Tls) -> io::Result<Self> {
        assert!(self.stream.buffer().is_empty(), "the server sent something before the handshake");
        let stream = self.stream.into_inner().into_tls(tls)?;
        Ok(Self { stream: BufReader::new(stream), extensions: Vec::new() })
    }

    pub(crate) fn starttls(mut self, tls: &Tls) -> Self {
        self.command("STARTTLS").expect_code(220);
        let mut smtp = self.into_tls(tls).expect("a TLS handshake");
        smtp.ehlo();
        smtp
    }

    /// One transaction with DATA; the first reply that refuses, or the one to the message.
    pub(crate) fn send(&mut self, from: &str, to: &[&str], message: &[u8]) -> Reply {
        self.try_send(from, to, message).expect("a connection that lives")
    }

    pub(crate) fn try_send(&mut self, from: &str, to: &[&str], message: &[u8]) -> io::Result<Reply> {
        let mut lines = vec![format!("MAIL FROM:<{from}>")];
        lines.extend(to.iter().map(|to| format!("RCPT TO:<{to}>")));
        lines.push("DATA".to_owned());
        for line in lines {
            self.try_write(format!("{line}\r\n").as_bytes())?;
            let reply = self.try_reply()?;
            if reply.code >= 400 {
                self.try_write(b"RSET\r\n")?;
                self.try_reply()?;
                return Ok(reply);
            }
        }
        self.try_write(&dot_stuffed(message))?;
        self.try_reply()
    }

    /// DATA and the message, in a transaction that has its recipients.
    #[track_caller]
    pub(crate) fn send_data(&mut self, message: &[u8]) -> Reply {
        self.command("DATA").expect_code(354);
        self.write(&dot_stuffed(message));
        self.reply()
    }

    /// Bytes that came with the last reply and belong to another one.
    pub(crate) fn pending(&self) -> usize {
        self.stream.buffer().len()
    }

    pub(crate) fn quit(mut self) {
        self.command("QUIT").expect_code(221);
        assert!(self.is_closed(), "the server must close after 221");
    }

    /// Waits for the end of the connection; false if something else came.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }
}

/// RFC 5321 §4.5.2, with the final dot. A message without a last line break gets one.
pub(crate) fn dot_stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 64);
    let mut line_start = true;
    for (at, &byte) in message.iter().enumerate() {
        if line_start && byte == b'.' {
            out.push(b'.');
        }
        out.push(byte);
        line_start = byte == b'\n' && at > 0 && message[at - 1] == b'\r';
    }
    if !line_start {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}
