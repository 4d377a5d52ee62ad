//! A client that speaks SMTP and costs next to nothing itself.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::server::Server;
use crate::tls;

pub(crate) trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

pub(crate) struct Smtp {
    stream: BufReader<Box<dyn Stream>>,
    line: String,
}

impl Smtp {
    /// To the port for other servers.
    pub(crate) fn connect(server: &Server) -> Result<Self> {
        let port = server.mx.context("the specification has no mx=")?;
        Self::greet(Box::new(tcp(server, port)?))
    }

    /// To the submission port with TLS from the first byte.
    pub(crate) fn submissions(server: &Server) -> Result<Self> {
        let port = server.submissions.context("the specification has no subs=")?;
        Self::greet(Box::new(tls::wrap(tcp(server, port)?)?))
    }

    /// To the submission port, with STARTTLS.
    pub(crate) fn submission(server: &Server) -> Result<Self> {
        let port = server.submission.context("the specification has no sub=")?;
        let mut plain = Self::greet(Box::new(tcp(server, port)?))?;
        plain.command("STARTTLS", 220)?;
        Self::on(Box::new(tls::wrap(plain.stream.into_inner())?)).hello()
    }

    fn on(stream: Box<dyn Stream>) -> Self {
        Self { stream: BufReader::new(stream), line: String::new() }
    }

    fn greet(stream: Box<dyn Stream>) -> Result<Self> {
        let mut smtp = Self::on(stream);
        smtp.expect(220)?;
        smtp.hello()
    }

    fn hello(mut self) -> Result<Self> {
        self.command("EHLO bench.test", 250)?;
        Ok(self)
    }

    /// AUTH PLAIN (RFC 4616).
    pub(crate) fn log_in(&mut self, server: &Server, user: usize) -> Result<()> {
        let secret = format!("\0{}\0{}", server.login(user), server.password);
        self.command(&format!("AUTH PLAIN {}", STANDARD.encode(secret)), 235)
    }

    fn command(&mut self, line: &str, code: u16) -> Result<()> {
        self.write(format!("{line}\r\n").as_bytes())?;
        self.expect(code)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(bytes)?;
        stream.flush()?;
        Ok(())
    }

    fn expect(&mut self, code: u16) -> Result<()> {
        loop {
            self.line.clear();
            if self.stream.read_line(&mut self.line)? == 0 {
                bail!("the connection was closed");
            }
            if self.line.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            if self.line.get(..3) != Some(code.to_string().as_str()) {
                bail!("expected {code}: {}", self.line.trim_end());
            }
            return Ok(());
        }
    }

    /// One message, envelope pipelined (both sides of every comparison offer that); the time from
    /// the final dot to the acknowledgement.
    pub(crate) fn send(&mut self, from: &str, to: &str, message: &[u8]) -> Result<Duration> {
        let envelope = format!("MAIL FROM:<{from}>\r\nRCPT TO:<{to}>\r\nDATA\r\n");
        self.write(envelope.as_bytes())?;
        self.expect(250)?;
        self.expect(250)?;
        self.expect(354)?;
        self.write(message)?;
        let sent = Instant::now();
        self.expect(250)?;
        Ok(sent.elapsed())
    }

    pub(crate) fn quit(mut self) -> Result<()> {
        self.command("QUIT", 221)
    }
}

pub(crate) fn tcp(server: &Server, port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect((server.host.as_str(), port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    Ok(stream)
}
