//! One command line → one [`Command`].
//!
//! smtp-proto 0.2.5 knows the verbs and parameters. What it does differently from what we need is
//! done here instead, before it sees the line: it takes bare LF as a line end and ignores CRs
//! anywhere, loses `<Postmaster>`, refuses `<a@[IPv6:::1]>`, drops the quotes of local parts, decodes
//! ENVID and ORCPT and drops ORCPT's type, lets numbers wrap around, and ignores arguments where
//! there must be none.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use hub::{Address, Notify, Return};
use smtp_proto::request::parser::Rfc5321Parser;
use smtp_proto::{
    Error, MAIL_BODY_8BITMIME, MAIL_BODY_BINARYMIME, MAIL_REQUIRETLS, MAIL_RET_FULL, MAIL_RET_HDRS,
    MAIL_SMTPUTF8, RCPT_NOTIFY_DELAY, RCPT_NOTIFY_FAILURE, RCPT_NOTIFY_NEVER, RCPT_NOTIFY_SUCCESS, Request,
};

use crate::path::{self, ForwardPath};
use crate::reply::Reply;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// The mechanism in upper case, and the initial response as sent (base64, or `=`).
    Auth {
        mechanism: String,
        initial: Option<String>,
    },
    Bdat {
        size: u64,
        last: bool,
    },
    Data,
    Ehlo(String),
    Expn,
    Helo(String),
    Help,
    /// RFC 2033 §4.1.
    Lhlo(String),
    Mail(Mail),
    Noop,
    Quit,
    Rcpt(Rcpt),
    Rset,
    StartTls,
    Vrfy,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Mail {
    /// `None` is the null reverse-path `<>`.
    pub(crate) reverse_path: Option<Address>,
    /// SIZE (RFC 1870 §6).
    pub(crate) size: Option<u64>,
    pub(crate) eight_bit: bool,
    pub(crate) smtputf8: bool,
    /// RET and ENVID (RFC 3461 §4.3, §4.4); ENVID stays xtext.
    pub(crate) ret: Option<Return>,
    pub(crate) envelope_id: Option<String>,
    /// REQUIRETLS (RFC 8689 §2) was given.
    pub(crate) require_tls: bool,
    /// AUTH= (RFC 4954 §5) was given; its value says nothing that we would believe.
    pub(crate) auth: bool,
}

impl Mail {
    pub(crate) fn uses_dsn(&self) -> bool {
        self.ret.is_some() || self.envelope_id.is_some()
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rcpt {
    pub(crate) path: ForwardPath,
    /// NOTIFY and ORCPT (RFC 3461 §4.1, §4.2); ORCPT is `type;xtext` as given.
    pub(crate) notify: Option<Notify>,
    pub(crate) original: Option<String>,
}

const UNKNOWN: Reply = Reply::new(500, "5.5.1", "Command not recognized");
const NOT_OFFERED: Reply = Reply::new(502, "5.5.1", "Command not implemented");
const NO_ARGUMENT: Reply = Reply::new(501, "5.5.4", "This command takes no argument");
const BARE_LINE_END: Reply = Reply::new(500, "5.5.2", "Lines must end with CR LF");
const NOT_TEXT: Reply = Reply::new(500, "5.5.2", "Commands are printable text in UTF-8");
const MAIL_SYNTAX: Reply = Reply::new(501, "5.5.4", "Syntax: MAIL FROM:<address> [parameters]");
const RCPT_SYNTAX: Reply = Reply::new(501, "5.5.4", "Syntax: RCPT TO:<address> [parameters]");
const BDAT_SYNTAX: Reply = Reply::new(501, "5.5.4", "Syntax: BDAT size [LAST]");

/// Parses a line with its line end. Errors are the reply to give.
pub(crate) fn parse(line: &[u8]) -> Result<Command, Reply> {
    // RFC 5321 §2.3.8: CR LF and nothing else. A line that ends otherwise is not obeyed, so that
    // nothing can be hidden in what another server took for a part of a longer line.
    let text = line.strip_suffix(b"\r\n").ok_or(BARE_LINE_END)?;
    if text.iter().any(|&byte| matches!(byte, b'\r' | b'\n')) {
        return Err(BARE_LINE_END);
    }
    let text = std::str::from_utf8(text).map_err(|_| NOT_TEXT)?;
    if text.chars().any(char::is_control) {
        return Err(NOT_TEXT);
    }
    let text = text.trim_end_matches(' ');
    let (verb, argument) = text.split_once(' ').unwrap_or((text, ""));
    let argument = argument.trim_start_matches(' ');
    match verb.to_ascii_uppercase().as_str() {
        "AUTH" => auth(argument),
        "BDAT" => bdat(argument),
        "MAIL" => mail(argument),
        "RCPT" => rcpt(argument),
        "EHLO" => client_name(argument).map(Command::Ehlo),
        "HELO" => client_name(argument).map(Command::Helo),
        "LHLO" => client_name(argument).map(Command::Lhlo),
        // The argument may be anything (RFC 5321 §4.1.1.8, §4.1.1.9) and means nothing.
        "HELP" => Ok(Command::Help),
        "NOOP" => Ok(Command::Noop),
        "DATA" | "QUIT" | "RSET" | "STARTTLS" if !argument.is_empty() => Err(NO_ARGUMENT),
        "EXPN" | "VRFY" if argument.is_empty() => {
            Err(Reply::new(501, "5.5.4", "This command needs an argument"))
        }
        _ => other(line),
    }
}

fn other(line: &[u8]) -> Result<Command, Reply> {
    match Request::parse(&mut line.iter()) {
        Ok(Request::Data) => Ok(Command::Data),
        Ok(Request::Expn { .. }) => Ok(Command::Expn),
        Ok(Request::Quit) => Ok(Command::Quit),
        Ok(Request::Rset) => Ok(Command::Rset),
        Ok(Request::StartTls) => Ok(Command::StartTls),
        Ok(Request::Vrfy { .. }) => Ok(Command::Vrfy),
        Ok(_) => Err(NOT_OFFERED),
        Err(Error::SyntaxError { syntax }) => Err(Reply::with(501, "5.5.4", format!("Syntax: {syntax}"))),
        Err(_) => Err(UNKNOWN),
    }
}

/// `"AUTH" SP sasl-mech [SP initial-response]` (RFC 4954 §4).
fn auth(argument: &str) -> Result<Command, Reply> {
    let mut words = argument.split_ascii_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(mechanism), initial, None) => Ok(Command::Auth {
            mechanism: mechanism.to_ascii_uppercase(),
            initial: initial.map(str::to_owned),
        }),
        _ => Err(Reply::new(501, "5.5.4", "Syntax: AUTH mechanism [initial-response]")),
    }
}

/// `"BDAT" SP chunk-size [SP "LAST"]` (RFC 3030 §2). A size beyond 64 bits stays huge: what follows
/// is never taken for commands.
fn bdat(argument: &str) -> Result<Command, Reply> {
    let mut words = argument.split_ascii_whitespace();
    let size = words.next().and_then(number).ok_or(BDAT_SYNTAX)?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return Err(BDAT_SYNTAX),
    };
    if words.next().is_some() { Err(BDAT_SYNTAX) } else { Ok(Command::Bdat { size, last }) }
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// The argument of EHLO and HELO: a domain or an address literal, in ASCII (RFC 6531 §3.7.1). Real
/// clients send whatever name their machine has, so any word that cannot break out of a trace
/// header is taken.
fn client_name(argument: &str) -> Result<String, Reply> {
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    if argument.is_empty() || argument.len() > 255 || !argument.chars().all(fits) {
        return Err(Reply::new(501, "5.5.4", "Give your host name or [address]"));
    }
    Ok(argument.to_owned())
}

fn mail(argument: &str) -> Result<Command, Reply> {
    let argument = keyword(argument, "FROM:").ok_or(MAIL_SYNTAX)?;
    if !argument.starts_with('<') {
        return Err(MAIL_SYNTAX);
    }
    let (reverse_path, rest) =
        path::reverse_path(argument).ok_or(Reply::new(501, "5.1.7", "Malformed sender address"))?;
    let mut mail = Mail { reverse_path, ..Mail::default() };
    let mut parameters = Parameters::split(rest).ok_or(MAIL_SYNTAX)??;
    if let Some(size) = parameters.take("SIZE")? {
        // RFC 1870 §3: 1*20DIGIT.
        mail.size = Some(number(size).ok_or_else(|| invalid("SIZE"))?);
    }
    if let Some(id) = parameters.take("ENVID")? {
        // RFC 3461 §4.4: at most 100 characters.
        if !path::is_xtext(id) || id.is_empty() || id.len() > 100 {
            return Err(invalid("ENVID"));
        }
        mail.envelope_id = Some(id.to_owned());
    }
    let remaining = parameters.remaining();
    let flags = Rfc5321Parser::new(&mut remaining.iter())
        .mail_from_parameters(Cow::Borrowed(""))
        .map(|known| {
            mail.auth = known.auth.is_some();
            let unknown = known.hold_for != 0
                || known.hold_until != 0
                || known.by != 0
                || known.mt_priority != 0
                || known.mtrk.is_some()
                || known.solicit.is_some()
                || known.trans_id.is_some();
            if unknown { u64::MAX } else { known.flags }
        })
        .map_err(parameter_reply)?;
    let understood = MAIL_BODY_8BITMIME
        | MAIL_REQUIRETLS
        | MAIL_SMTPUTF8
        | MAIL_RET_FULL
        | MAIL_RET_HDRS
        | smtp_proto::MAIL_BODY_7BIT;
    if flags & MAIL_BODY_BINARYMIME != 0 && flags != u64::MAX {
        return Err(Reply::new(555, "5.6.1", "BODY=BINARYMIME is not offered"));
    }
    if flags & !understood != 0 {
        return Err(Reply::new(555, "5.5.4", "Parameter not recognized"));
    }
    mail.eight_bit = flags & MAIL_BODY_8BITMIME != 0;
    mail.smtputf8 = flags & MAIL_SMTPUTF8 != 0;
    mail.require_tls = flags & MAIL_REQUIRETLS != 0;
    mail.ret = match flags & (MAIL_RET_FULL | MAIL_RET_HDRS) {
        0 => None,
        MAIL_RET_FULL => Some(Return::Full),
        MAIL_RET_HDRS => Some(Return::Headers),
        _ => return Err(invalid("RET")),
    };
    Ok(Command::Mail(mail))
}

fn rcpt(argument: &str) -> Result<Command, Reply> {
    let argument = keyword(argument, "TO:").ok_or(RCPT_SYNTAX)?;
    if !argument.starts_with('<') {
        return Err(RCPT_SYNTAX);
    }
    let (path, rest) =
        path::forward_path(argument).ok_or(Reply::new(501, "5.1.3", "Malformed recipient address"))?;
    let mut parameters = Parameters::split(rest).ok_or(RCPT_SYNTAX)??;
    let original = match parameters.take("ORCPT")? {
        None => None,
        Some(value) => Some(original_recipient(value).ok_or_else(|| invalid("ORCPT"))?),
    };
    let has_notify = parameters.0.iter().any(|p| p.0 == "NOTIFY");
    let remaining = parameters.remaining();
    let known = Rfc5321Parser::new(&mut remaining.iter())
        .rcpt_to_parameters(Cow::Borrowed(""))
        .map_err(parameter_reply)?;
    let notify = RCPT_NOTIFY_NEVER | RCPT_NOTIFY_SUCCESS | RCPT_NOTIFY_FAILURE | RCPT_NOTIFY_DELAY;
    if known.flags & !notify != 0 {
        return Err(Reply::new(555, "5.5.4", "Parameter not recognized"));
    }
    // RFC 3461 §4.1: NEVER stands alone.
    if known.flags & RCPT_NOTIFY_NEVER != 0 && known.flags != RCPT_NOTIFY_NEVER {
        return Err(invalid("NOTIFY"));
    }
    let notify = has_notify.then_some(Notify {
        delay: known.flags & RCPT_NOTIFY_DELAY != 0,
        failure: known.flags & RCPT_NOTIFY_FAILURE != 0,
        success: known.flags & RCPT_NOTIFY_SUCCESS != 0,
    });
    Ok(Command::Rcpt(Rcpt { path, notify, original }))
}

/// `original-recipient-address = addr-type ";" xtext`, at most 500 characters (RFC 3461 §4.2).
/// The `utf-8` type may carry UTF-8 itself (RFC 6533 §3).
fn original_recipient(value: &str) -> Option<String> {
    let (kind, address) = value.split_once(';')?;
    let atom = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let utf8 = kind.eq_ignore_ascii_case("utf-8") && !address.contains('=');
    let fits = atom && !address.is_empty() && value.len() <= 500 && (path::is_xtext(address) || utf8);
    fits.then(|| value.to_owned())
}

/// Takes `FROM:` off, in any case. RFC 5321 §3.3 forbids spaces around the colon and tells that
/// clients send them all the same.
fn keyword<'a>(argument: &'a str, word: &str) -> Option<&'a str> {
    let name = &word[..word.len() - 1];
    let head = argument.get(..name.len())?;
    if !head.eq_ignore_ascii_case(name) {
        return None;
    }
    let rest = argument[name.len()..].trim_start_matches(' ').strip_prefix(':')?;
    Some(rest.trim_start_matches(' '))
}

/// ESMTP parameters: `SP keyword ["=" value]` each (RFC 5321 §4.1.2); names in upper case.
struct Parameters<'a>(Vec<(String, Option<&'a str>)>);

impl<'a> Parameters<'a> {
    /// `None` if the text does not begin with a space, an error if a name comes twice
    /// (RFC 3461 §5.1).
    fn split(text: &'a str) -> Option<Result<Self, Reply>> {
        if !text.is_empty() && !text.starts_with(' ') {
            return None;
        }
        let mut parameters = Self(Vec::new());
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name.to_ascii_uppercase(), Some(value)),
                None => (word.to_ascii_uppercase(), None),
            };
            if parameters.0.iter().any(|(other, _)| *other == name) {
                return Some(Err(invalid(&name)));
            }
            parameters.0.push((name, value));
        }
        Some(Ok(parameters))
    }

    /// Takes a parameter out; it must have a value.
    fn take(&mut self, name: &'static str) -> Result<Option<&'a str>, Reply> {
        let Some(at) = self.0.iter().position(|(key, _)| key == name) else { return Ok(None) };
        self.0.remove(at).1.ok_or_else(|| invalid(name)).map(Some)
    }

    /// The others, for smtp-proto's parser.
    fn remaining(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in &self.0 {
            out.push(b' ');
            out.extend_from_slice(name.as_bytes());
            if let Some(value) = value {
                out.push(b'=');
                out.extend_from_slice(value.as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n");
        out
    }
}

fn invalid(name: &str) -> Reply {
    Reply::with(501, "5.5.4", format!("Invalid value of {name}"))
}

fn parameter_reply(error: Error) -> Reply {
    match error {
        Error::InvalidParameter { param } => invalid(param),
        Error::UnsupportedParameter { param } => {
            let name = param.split('=').next().unwrap_or_default();
            Reply::with(555, "5.5.4", format!("Parameter {name} not recognized"))
        }
        _ => Reply::new(501, "5.5.4", "Malformed parameters"),
    }
}
