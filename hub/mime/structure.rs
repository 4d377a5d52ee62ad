//! BODYSTRUCTURE (RFC 9051 §7.5.2): rendered part by part while the message is scanned, put
//! together at its end, when the sizes are known.

use crate::Part;
use crate::content::{ContentType, Parameters, parse_disposition, parse_languages, transfer_encoding};
use crate::header::{Field, HeaderBlock};
use crate::wire::{NIL, put_parameter, put_text, put_token};

/// How a part is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    #[default]
    Basic,
    /// message/global, which has parts, but is basic in the structure: for IMAP4rev1 only
    /// message/rfc822 has an ENVELOPE and a body in it (RFC 3501 §9, `media-message`; RFC 9051 would
    /// have both), and a client that does not expect them loses the whole response.
    Global,
    Message,
    Multipart,
    Text,
}

/// What the structure says of one part, but for sizes and children.
#[derive(Default)]
pub(crate) struct Rendered {
    pub(crate) form: Form,
    /// Type to encoding; of a multipart, the subtype.
    head: Vec<u8>,
    /// Extension data; of a multipart with its parameters.
    tail: Vec<u8>,
    /// Of a message's top part, the message's ENVELOPE.
    pub(crate) envelope: Vec<u8>,
}

/// A part with its size.
pub(crate) struct Node {
    pub(crate) part: Part,
    pub(crate) lines: u64,
    pub(crate) rendered: Rendered,
}

impl Rendered {
    pub(crate) fn new(
        form: Form,
        content_type: &ContentType,
        header: &HeaderBlock,
        charset: Option<&str>,
        envelope: Vec<u8>,
    ) -> Self {
        let mut head = Vec::with_capacity(96);
        let mut tail = Vec::with_capacity(32);
        let text = |field| header.first(field, charset);
        if form == Form::Multipart {
            put_token(&mut head, &content_type.subtype);
            tail.push(b' ');
            put_parameters(&mut tail, &content_type.parameters);
        } else {
            put_token(&mut head, &content_type.kind);
            head.push(b' ');
            put_token(&mut head, &content_type.subtype);
            head.push(b' ');
            put_parameters(&mut head, &content_type.parameters);
            head.push(b' ');
            put_text(&mut head, text(Field::ContentId).as_deref());
            head.push(b' ');
            put_text(&mut head, text(Field::ContentDescription).as_deref());
            head.push(b' ');
            put_token(&mut head, &transfer_encoding(text(Field::ContentTransferEncoding).as_deref()));
            tail.push(b' ');
            put_text(&mut tail, text(Field::ContentMd5).as_deref());
        }
        tail.push(b' ');
        put_disposition(&mut tail, text(Field::ContentDisposition).as_deref());
        tail.push(b' ');
        put_languages(&mut tail, text(Field::ContentLanguage).as_deref());
        tail.push(b' ');
        put_text(&mut tail, text(Field::ContentLocation).as_deref());
        Self { form, head, tail, envelope }
    }

    /// An empty text, for a multipart that has no parts: the grammar asks for at least one.
    pub(crate) fn empty_text() -> Self {
        Self::new(Form::Text, &ContentType::text_plain(), &HeaderBlock::default(), None, Vec::new())
    }
}

/// ```abnf
/// body-fld-param = "(" string SP string *(SP string SP string) ")" / nil
/// ```
fn put_parameters(out: &mut Vec<u8>, parameters: &Parameters) {
    if parameters.0.is_empty() {
        out.extend_from_slice(NIL);
        return;
    }
    for (index, (name, value)) in parameters.0.iter().enumerate() {
        out.push(if index == 0 { b'(' } else { b' ' });
        put_parameter(out, name, value);
    }
    out.push(b')');
}

/// ```abnf
/// body-fld-dsp = "(" string SP body-fld-param ")" / nil
/// ```
fn put_disposition(out: &mut Vec<u8>, value: Option<&str>) {
    let Some((kind, parameters)) = value.and_then(parse_disposition) else {
        out.extend_from_slice(NIL);
        return;
    };
    out.push(b'(');
    put_token(out, &kind);
    out.push(b' ');
    put_parameters(out, &parameters);
    out.push(b')');
}

/// ```abnf
/// body-fld-lang = nstring / "(" string *(SP string) ")"
/// ```
fn put_languages(out: &mut Vec<u8>, value: Option<&str>) {
    let languages = value.map(parse_languages).unwrap_or_default();
    if languages.is_empty() {
        out.extend_from_slice(NIL);
        return;
    }
    for (index, language) in languages.iter().enumerate() {
        out.push(if index == 0 { b'(' } else { b' ' });
        put_token(out, language);
    }
    out.push(b')');
}

/// Writes the `body` of `nodes[index]` with everything below it; returns the index of the node
/// that follows. The tree is no deeper than the scanner lets it be.
pub(crate) fn put_body(out: &mut Vec<u8>, nodes: &[Node], index: usize) -> usize {
    let node = &nodes[index];
    let mut next = index + 1;
    out.push(b'(');
    if node.rendered.form == Form::Multipart {
        while nodes.get(next).is_some_and(|child| child.part.depth > node.part.depth) {
            next = put_body(out, nodes, next);
        }
        out.push(b' ');
        out.extend_from_slice(&node.rendered.head);
    } else {
        out.extend_from_slice(&node.rendered.head);
        put_number(out, node.part.body_end - node.part.body_start);
        if node.rendered.form == Form::Message {
            out.push(b' ');
            out.extend_from_slice(&nodes[next].rendered.envelope);
            out.push(b' ');
            next = put_body(out, nodes, next);
        }
        while nodes.get(next).is_some_and(|below| below.part.depth > node.part.depth) {
            next += 1;
        }
        if matches!(node.rendered.form, Form::Message | Form::Text) {
            put_number(out, node.lines);
        }
    }
    out.extend_from_slice(&node.rendered.tail);
    out.push(b')');
    next
}

fn put_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(format!(" {number}").as_bytes());
}
