//! Scans a message once, in pieces of any size, in bounded memory.
//!
//! Nothing is an error: whatever the bytes are, there is a tree of parts. Beyond a limit the rest
//! is text of the part that is open.

use crate::content::{ContentType, transfer_encoding};
use crate::envelope::{Addresses, put_envelope};
use crate::header::{Field, HeaderBlock};
use crate::listed::ListedFields;
use crate::preview::Preview;
use crate::structure::{Form, Node, Rendered, put_body};
use crate::{Part, PartKind, Summary, text};

/// A digest has two parts per message; a client that shows more than a few hundred does not exist.
const MAX_PARTS: usize = 1000;

/// A message that was forwarded as attachment 20 times has 40.
const MAX_DEPTH: u16 = 50;

/// RFC 2046 §5.1.1 allows 70; longer ones are seen, and one that does not fit is no boundary.
const MAX_BOUNDARY: usize = 1000;

/// Length of a header line that is looked at. (RFC 5322 §2.1.1 allows 998.)
const MAX_LINE: usize = 256 * 1024;

/// What is kept of one header block, and of all of them together.
const MAX_HEADER: usize = 512 * 1024;
const MAX_HEADERS: usize = 2 * 1024 * 1024;

/// Addresses in the ENVELOPEs of the message and of the messages in it: an address of two octets
/// takes thirty on the wire, three times in the case of From.
const MAX_ADDRESSES: usize = 20_000;

/// Makes the [`Summary`] of a message that is fed to it.
///
/// ```
/// let mut scanner = hub_mime::Scanner::new();
/// scanner.feed(b"Subject: Hi\r\n\r\nHel");
/// scanner.feed(b"lo\r\n");
/// assert_eq!(scanner.finish().preview, "Hello");
/// ```
pub struct Scanner {
    state: State,
    /// Offset of the first byte that is not yet dealt with; a line that is being gathered starts there.
    position: u64,
    /// Line breaks before `position`.
    newlines: u64,
    /// The byte before `position`.
    previous: u8,
    /// Length of the line break before `position`, 0 if there is none.
    last_break: u64,
    /// Beginning of the line that is being gathered.
    line: Vec<u8>,
    /// Length of that line so far.
    line_length: u64,
    header: HeaderBlock,
    /// Of the message's own header.
    listed: ListedFields,
    nodes: Vec<Node>,
    /// The path from the message to the part that is being read.
    open: Vec<Open>,
    headers_left: usize,
    addresses_left: usize,
    preview: Preview,
    summary: Summary,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the rest of a delimiter line; a part begins after it.
    Delimiter,
    Header,
    /// In content that is a part's body, a preamble or an epilogue.
    Body,
    /// In the rest of a delimiter line that closed a multipart.
    CloseDelimiter,
}

/// A part that is not at its end yet.
struct Open {
    node: usize,
    /// `newlines` where its body began.
    newlines: u64,
    /// Of a multipart whose closing delimiter has not been seen.
    boundary: Option<Vec<u8>>,
    is_digest: bool,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    pub fn new() -> Self {
        let mut scanner = Self {
            state: State::Header,
            position: 0,
            newlines: 0,
            previous: 0,
            last_break: 0,
            line: Vec::new(),
            line_length: 0,
            header: HeaderBlock::default(),
            listed: ListedFields::default(),
            nodes: Vec::new(),
            open: Vec::new(),
            headers_left: MAX_HEADERS,
            addresses_left: MAX_ADDRESSES,
            preview: Preview::default(),
            summary: Summary::default(),
        };
        scanner.open_part();
        scanner
    }

    /// Takes the next bytes of the message.
    pub fn feed(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            data = match self.state {
                State::Header => self.feed_header(data),
                State::Body => self.feed_body(data),
                State::CloseDelimiter | State::Delimiter => self.feed_delimiter(data),
            };
        }
    }

    /// The message is at its end.
    pub fn finish(mut self) -> Summary {
        let line = std::mem::take(&mut self.line);
        match self.state {
            State::Header if self.line_length > 0 => self.end_header_line(&line, 0),
            State::Body if !line.is_empty() => self.end_candidate(&line),
            _ => {}
        }
        if self.state == State::Delimiter {
            self.open_part();
        }
        while self.state == State::Header {
            self.end_header();
        }
        self.close_parts(0, self.position, self.newlines);

        let mut summary = self.summary;
        summary.size = self.position;
        summary.header_length = self.nodes[0].part.body_start;
        summary.envelope = std::mem::take(&mut self.nodes[0].rendered.envelope);
        put_body(&mut summary.body_structure, &self.nodes, 0);
        summary.parts = self.nodes.into_iter().map(|node| node.part).collect();
        summary.preview = self.preview.finish();
        summary.listed_fields = self.listed.finish();
        summary
    }

    fn feed_header<'a>(&mut self, data: &'a [u8]) -> &'a [u8] {
        let Some(at) = memchr::memchr(b'\n', data) else {
            self.gather(data);
            return &[];
        };
        let (end, rest) = data.split_at(at + 1);
        if self.line_length == 0 {
            self.line_length = end.len() as u64;
            self.end_header_line(end, 1);
        } else {
            self.gather(end);
            let line = std::mem::take(&mut self.line);
            self.end_header_line(&line, 1);
            // Keeps its memory for the next line.
            self.line = line;
        }
        self.line.clear();
        rest
    }

    fn gather(&mut self, data: &[u8]) {
        // Two more for the line break, so that the result does not depend on how the line came in.
        let fits = data.len().min((MAX_LINE + 2).saturating_sub(self.line.len()));
        self.line.extend_from_slice(&data[..fits]);
        self.line_length += data.len() as u64;
    }

    /// A whole header line: field, fold, empty line, delimiter, or nothing of them.
    fn end_header_line(&mut self, line: &[u8], newlines: u64) {
        let (content, line_break) = split_line_break(line);
        let content = &content[..content.len().min(MAX_LINE)];
        let length = std::mem::take(&mut self.line_length);
        let delimiter = self.find_delimiter(content);
        if let Some((index, is_close)) = delimiter {
            // The header ends without an empty line.
            while self.state == State::Header {
                self.end_header();
            }
            self.begin_delimiter(index, is_close);
        }
        self.position += length;
        self.newlines += newlines;
        self.last_break = line_break;
        self.previous = if newlines > 0 { b'\n' } else { 0 };
        if delimiter.is_some() {
            if newlines > 0 {
                self.end_delimiter();
            }
        } else if content.is_empty() && newlines > 0 {
            self.end_header();
        } else {
            self.header.line(content);
            if self.nodes.len() == 1 {
                if length > MAX_LINE as u64 {
                    self.listed.give_up();
                } else {
                    self.listed.line(line);
                }
            }
        }
    }

    /// The open part's header is at its end; its body begins here.
    fn end_header(&mut self) {
        let header = std::mem::take(&mut self.header);
        let granted = MAX_HEADER.min(self.headers_left);
        self.headers_left -= granted - header.room_left().min(granted);
        let Some(open) = self.open.last_mut() else { return };
        open.newlines = self.newlines;
        let index = open.node;
        let parent = self.open.len().checked_sub(2).map(|at| &self.open[at]);
        let in_digest = parent.is_some_and(|parent| parent.is_digest);
        let is_top = parent.is_none_or(|parent| self.nodes[parent.node].part.kind == PartKind::Message);
        let may_nest = self.nodes[index].part.depth < MAX_DEPTH && self.nodes.len() < MAX_PARTS;

        let (content_type, form, boundary) = classify(&header, in_digest, may_nest);
        let charset = content_type.parameters.value("charset");
        let charset = charset.as_deref();
        let mut envelope = Vec::new();
        if is_top {
            let addresses = Addresses::parse(&header, charset, self.addresses_left);
            self.addresses_left -= addresses.count();
            put_envelope(&mut envelope, &header, &addresses, charset);
            if index == 0 {
                text::read_header(&mut self.summary, &header, &addresses, charset);
            }
        }
        let node = &mut self.nodes[index];
        node.part.body_start = self.position;
        node.rendered = Rendered::new(form, &content_type, &header, charset, envelope);
        self.state = State::Body;
        match form {
            Form::Multipart => {
                node.part.kind = PartKind::Multipart;
                if let Some(open) = self.open.last_mut() {
                    open.is_digest = content_type.subtype.eq_ignore_ascii_case("digest");
                    open.boundary = boundary;
                }
            }
            Form::Global | Form::Message => {
                node.part.kind = PartKind::Message;
                self.open_part();
            }
            Form::Basic => {}
            Form::Text => self.preview.consider(index, &content_type, &header),
        }
    }

    /// A part begins here, as child of the part that is open.
    fn open_part(&mut self) {
        let part = Part {
            kind: PartKind::Leaf,
            depth: self.open.len() as u16,
            header_start: self.position,
            body_start: self.position,
            body_end: self.position,
        };
        self.open.push(Open { node: self.nodes.len(), newlines: 0, boundary: None, is_digest: false });
        self.nodes.push(Node { part, lines: 0, rendered: Rendered::default() });
        self.header = HeaderBlock::with_room(MAX_HEADER.min(self.headers_left));
        self.state = State::Header;
    }

    fn feed_body<'a>(&mut self, data: &'a [u8]) -> &'a [u8] {
        let longest = self.open.iter().filter_map(|open| open.boundary.as_ref()).map(Vec::len).max();
        let Some(longest) = longest else {
            self.pass_body(data);
            return &[];
        };
        let at_line_start = self.previous == b'\n';
        if self.line.is_empty() && !(at_line_start && data[0] == b'-') {
            // To the next line that might be a delimiter.
            let end = memchr::memmem::find(data, b"\n-").map_or(data.len(), |at| at + 1);
            let (passed, rest) = data.split_at(end);
            self.pass_body(passed);
            return rest;
        }
        // Room for the dashes in front and, of a closing delimiter, behind.
        let missing = longest + 4 - self.line.len();
        let piece = &data[..data.len().min(missing)];
        let piece = memchr::memchr(b'\n', piece).map_or(piece, |at| &piece[..=at]);
        self.line.extend_from_slice(piece);
        if piece.len() == missing || piece.ends_with(b"\n") {
            let line = std::mem::take(&mut self.line);
            self.end_candidate(&line);
            self.line = line;
            self.line.clear();
        }
        &data[piece.len()..]
    }

    /// Enough of a line of the body is there to see if it is a delimiter.
    fn end_candidate(&mut self, line: &[u8]) {
        let (content, line_break) = split_line_break(line);
        let Some((index, is_close)) = self.find_delimiter(content) else {
            self.pass_body(line);
            return;
        };
        self.begin_delimiter(index, is_close);
        self.position += line.len() as u64;
        self.previous = line.last().copied().unwrap_or_default();
        if line_break > 0 {
            self.newlines += 1;
            self.last_break = line_break;
            self.end_delimiter();
        }
    }

    /// Goes over bytes that belong to the open part's body.
    fn pass_body(&mut self, bytes: &[u8]) {
        let Some(&last) = bytes.last() else { return };
        if last == b'\n' {
            let before = if bytes.len() > 1 { bytes[bytes.len() - 2] } else { self.previous };
            self.last_break = if before == b'\r' { 2 } else { 1 };
        }
        self.position += bytes.len() as u64;
        self.newlines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        self.previous = last;
        if let Some(open) = self.open.last() {
            self.preview.take(open.node, bytes);
        }
    }

    /// RFC 2046 §5.1.1: a line that begins with a boundary is a delimiter whatever follows. If more
    /// than one fits it is the longest, and of equal ones the innermost.
    fn find_delimiter(&self, content: &[u8]) -> Option<(usize, bool)> {
        let text = content.strip_prefix(b"--")?;
        let fits = |open: &Open| open.boundary.as_ref().is_some_and(|boundary| text.starts_with(boundary));
        let length = |open: &Open| open.boundary.as_ref().map_or(0, Vec::len);
        let (index, open) = self
            .open
            .iter()
            .enumerate()
            .filter(|(_, open)| fits(open))
            .max_by_key(|(_, open)| length(open))?;
        let is_close = text[length(open)..].starts_with(b"--");
        if !is_close && self.nodes.len() >= MAX_PARTS {
            return None;
        }
        Some((index, is_close))
    }

    /// The delimiter line of `open[index]` begins here: what is below is at its end.
    fn begin_delimiter(&mut self, index: usize, is_close: bool) {
        let newlines = self.newlines - u64::from(self.last_break > 0);
        self.close_parts(index + 1, self.position - self.last_break, newlines);
        if is_close {
            self.open[index].boundary = None;
            self.state = State::CloseDelimiter;
        } else {
            self.state = State::Delimiter;
        }
    }

    fn feed_delimiter<'a>(&mut self, data: &'a [u8]) -> &'a [u8] {
        let end = memchr::memchr(b'\n', data).map_or(data.len(), |at| at + 1);
        let (passed, rest) = data.split_at(end);
        self.pass_body(passed);
        if self.previous == b'\n' {
            self.end_delimiter();
        }
        rest
    }

    fn end_delimiter(&mut self) {
        if self.state == State::Delimiter {
            self.open_part();
        } else {
            self.state = State::Body;
        }
    }

    /// Closes `open[from..]` at `end`, where `newlines` lines have ended. The line break before a
    /// delimiter belongs to the delimiter (RFC 2046 §5.1.1), even if it was that of a header: then
    /// the part is empty and ends where its body begins.
    fn close_parts(&mut self, from: usize, end: u64, newlines: u64) {
        let mut end_below = 0;
        while self.open.len() > from {
            let Some(open) = self.open.pop() else { return };
            let is_childless = self.nodes.len() == open.node + 1;
            let part = &mut self.nodes[open.node].part;
            part.body_end = end.max(part.body_start).max(end_below);
            end_below = part.body_end;
            let (depth, end) = (part.depth, part.body_end);
            self.nodes[open.node].lines = newlines.saturating_sub(open.newlines);
            if is_childless && self.nodes[open.node].part.kind == PartKind::Multipart {
                let part = Part {
                    kind: PartKind::Leaf,
                    depth: depth + 1,
                    header_start: end,
                    body_start: end,
                    body_end: end,
                };
                self.nodes.push(Node { part, lines: 0, rendered: Rendered::empty_text() });
            }
        }
    }
}

/// What a part is: its type as it is shown, the form that follows from it, the boundary.
fn classify(header: &HeaderBlock, in_digest: bool, may_nest: bool) -> (ContentType, Form, Option<Vec<u8>>) {
    let given = header.first(Field::ContentType, None).and_then(|value| ContentType::parse(&value));
    let mut content_type = match given {
        Some(content_type) => content_type,
        None if in_digest => ContentType::new("message", "rfc822"),
        None => ContentType::text_plain(),
    };
    if content_type.is_multipart() {
        let boundary = content_type.parameters.value("boundary").map(String::into_bytes);
        match boundary.filter(|boundary| may_nest && !boundary.is_empty() && boundary.len() <= MAX_BOUNDARY) {
            Some(boundary) => return (content_type, Form::Multipart, Some(boundary)),
            // RFC 2045 §5.2: a malformed type counts as text.
            None => return (ContentType::text_plain(), Form::Text, None),
        }
    }
    if content_type.is("message", "rfc822") {
        return if may_nest {
            (content_type, Form::Message, None)
        } else {
            (ContentType::text_plain(), Form::Text, None)
        };
    }
    if content_type.is("message", "global") && may_nest && is_identity(header) {
        return (content_type, Form::Global, None);
    }
    if content_type.is_text() {
        // RFC 2046 §4.1.2: the default.
        if !content_type.parameters.has("charset") {
            content_type.parameters.0.push(("charset".into(), "us-ascii".into()));
        }
        return (content_type, Form::Text, None);
    }
    (content_type, Form::Basic, None)
}

/// True if the body stands there as it is. (RFC 6532 §3.7 lets message/global be encoded.)
fn is_identity(header: &HeaderBlock) -> bool {
    let encoding = transfer_encoding(header.first(Field::ContentTransferEncoding, None).as_deref());
    ["7bit", "8bit", "binary"].iter().any(|identity| encoding.eq_ignore_ascii_case(identity))
}

/// A line without its line break, and the length of that.
fn split_line_break(line: &[u8]) -> (&[u8], u64) {
    match line {
        [content @ .., b'\r', b'\n'] => (content, 2),
        [content @ .., b'\n'] => (content, 1),
        _ => (line, 0),
    }
}
