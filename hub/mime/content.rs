//! The structured fields of MIME: types and dispositions with their parameters.

use std::collections::BTreeMap;

use crate::lexer::Lexer;

/// Parameters of one field that are looked at.
const MAX_PARAMETERS: usize = 100;

/// A token with parameters: `Content-Disposition` (RFC 2183), and the base of `Content-Type`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters(pub(crate) Vec<(String, String)>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContentType {
    pub(crate) kind: String,
    pub(crate) subtype: String,
    pub(crate) parameters: Parameters,
}

impl ContentType {
    pub(crate) fn new(kind: &str, subtype: &str) -> Self {
        Self { kind: kind.into(), subtype: subtype.into(), parameters: Parameters::default() }
    }

    /// What a part without (readable) type is (RFC 2045 §5.2).
    pub(crate) fn text_plain() -> Self {
        let mut content_type = Self::new("text", "plain");
        content_type.parameters.0.push(("charset".into(), "us-ascii".into()));
        content_type
    }

    /// RFC 2045 §5.1. `None` if malformed: then it counts as missing (RFC 2045 §5.2).
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let mut lexer = Lexer::new(value);
        lexer.skip_cfws();
        let kind = lexer.mime_token().to_owned();
        lexer.skip_cfws();
        if kind.is_empty() || !lexer.take('/') {
            return None;
        }
        lexer.skip_cfws();
        let subtype = lexer.mime_token().to_owned();
        if subtype.is_empty() {
            return None;
        }
        Some(Self { kind, subtype, parameters: Parameters::parse(&mut lexer) })
    }

    pub(crate) fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    pub(crate) fn is_multipart(&self) -> bool {
        self.kind.eq_ignore_ascii_case("multipart")
    }

    pub(crate) fn is_text(&self) -> bool {
        self.kind.eq_ignore_ascii_case("text")
    }
}

/// `Content-Disposition` (RFC 2183); `None` if there is nothing of use in it. Parameters without a
/// type belong to an attachment, as those of an unknown type do (RFC 2183 §2.8).
pub(crate) fn parse_disposition(value: &str) -> Option<(String, Parameters)> {
    let mut lexer = Lexer::new(value);
    lexer.skip_cfws();
    let kind = lexer.mime_token().to_owned();
    let parameters = Parameters::parse(&mut lexer);
    match (kind.is_empty(), parameters.0.is_empty()) {
        (false, _) => Some((kind, parameters)),
        (true, false) => Some(("attachment".to_owned(), parameters)),
        (true, true) => None,
    }
}

/// `Content-Transfer-Encoding`, `7bit` if there is none (RFC 2045 §6.1). What it says with a space
/// or a semicolon too many is still told, since without it the body cannot be read.
pub(crate) fn transfer_encoding(value: Option<&str>) -> String {
    const KNOWN: [&str; 5] = ["7bit", "8bit", "base64", "binary", "quoted-printable"];
    let mut lexer = Lexer::new(value.unwrap_or_default());
    lexer.skip_cfws();
    let token = lexer.mime_token();
    lexer.skip_cfws();
    if token.is_empty() {
        return "7bit".to_owned();
    }
    if lexer.is_at_end() || lexer.peek() == Some(';') {
        return token.to_owned();
    }
    let second = lexer.mime_token();
    let known = KNOWN.iter().find(|known| {
        [format!("{token}{second}"), format!("{token}-{second}")]
            .iter()
            .any(|joined| joined.eq_ignore_ascii_case(known))
    });
    known.map_or_else(|| token.to_owned(), |known| (*known).to_owned())
}

/// `Content-Language` (RFC 3282 §2).
pub(crate) fn parse_languages(value: &str) -> Vec<String> {
    let mut lexer = Lexer::new(value);
    let mut languages = Vec::new();
    while !lexer.is_at_end() && languages.len() < MAX_PARAMETERS {
        lexer.skip_cfws();
        let tag = lexer.mime_token();
        if !tag.is_empty() {
            languages.push(tag.to_owned());
        }
        lexer.run(|c| c != ',');
        lexer.take(',');
    }
    languages
}

impl Parameters {
    /// `*(";" parameter)`, with the continuations of RFC 2231 §3 put together. Some senders forget a
    /// semicolon, others write two.
    fn parse(lexer: &mut Lexer) -> Self {
        let mut parameters = Vec::new();
        let mut pieces: BTreeMap<String, BTreeMap<u32, (bool, String)>> = BTreeMap::new();
        for _ in 0..MAX_PARAMETERS {
            while lexer.skip_cfws() || lexer.take(';') {}
            if lexer.is_at_end() {
                break;
            }
            let Some((name, value)) = parse_parameter(lexer) else {
                // What is not a parameter is passed over.
                lexer.run(|c| c != ';');
                continue;
            };
            match split_continuation(&name) {
                Some((base, number, extended)) => {
                    pieces
                        .entry(base.to_ascii_lowercase())
                        .or_default()
                        .entry(number)
                        .or_insert((extended, value));
                }
                None => parameters.push((name, value)),
            }
        }
        parameters.extend(pieces.into_iter().filter_map(|(base, pieces)| join_continuation(base, &pieces)));
        Self(parameters)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| n.strip_suffix('*').unwrap_or(n).eq_ignore_ascii_case(name))
    }

    /// The value of a parameter, RFC 2231 decoded as far as ASCII goes: for charset and boundary.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let plain = self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        if let Some((_, value)) = plain {
            return Some(value.clone());
        }
        let is_extended = |n: &str| n.strip_suffix('*').is_some_and(|base| base.eq_ignore_ascii_case(name));
        let (_, value) = self.0.iter().find(|(n, _)| is_extended(n))?;
        let text = value.splitn(3, '\'').nth(2).unwrap_or(value);
        Some(decode_percent(text))
    }
}

/// `attribute "=" value`. Values that should have been quoted are taken up to the next space or
/// semicolon.
fn parse_parameter(lexer: &mut Lexer) -> Option<(String, String)> {
    lexer.skip_cfws();
    let name = lexer.mime_token();
    lexer.skip_cfws();
    if name.is_empty() || !lexer.take('=') {
        return None;
    }
    lexer.skip_cfws();
    let value = match lexer.quoted_string() {
        Some(value) => value,
        None => lexer.run(|c| c != ';' && !c.is_ascii_whitespace()).to_owned(),
    };
    Some((name.to_owned(), value))
}

/// `name*0` and `name*0*` (RFC 2231 §3 and §4.1): base, number, extended.
fn split_continuation(name: &str) -> Option<(&str, u32, bool)> {
    let (name, extended) = match name.strip_suffix('*') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let (base, number) = name.rsplit_once('*')?;
    let is_number = !number.is_empty() && number.len() < 5 && number.bytes().all(|b| b.is_ascii_digit());
    (is_number && !base.is_empty()).then(|| number.parse().ok())?.map(|number| (base, number, extended))
}

/// RFC 9051 §7.5.2: continuations are put together; if a piece is extended, so is the whole.
fn join_continuation(base: String, pieces: &BTreeMap<u32, (bool, String)>) -> Option<(String, String)> {
    let extended = pieces.values().any(|(extended, _)| *extended);
    let mut value = String::new();
    for (expected, (number, (piece_extended, piece))) in (0..).zip(pieces) {
        // A gap: the rest cannot be told.
        if *number != expected {
            break;
        }
        if extended && !piece_extended {
            value.push_str(&piece.replace('%', "%25"));
        } else {
            value.push_str(piece);
        }
    }
    if !pieces.contains_key(&0) {
        return None;
    }
    Some((if extended { format!("{base}*") } else { base }, value))
}

fn decode_percent(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match hex.filter(|_| bytes[at] == b'%') {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
