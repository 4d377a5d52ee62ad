//! Bodies of messages: structure, lists of parts, values (RFC 8621 §4.1.4).

use std::collections::BTreeSet;

use bytes::Bytes;
use hub::Result;
use hub_mime::{Chosen, Part, PartHeader, PartKind, Shape, TransferDecoder, chosen};
use serde_json::{Map, Value, json};

use crate::blob::Parts;
use crate::ids::BlobId;
use crate::mail::header::{self, HeaderProperty};

/// What `EmailBodyPart` has by itself, besides header fields.
const PROPERTIES: [&str; 11] = [
    "partId",
    "blobId",
    "size",
    "name",
    "type",
    "charset",
    "disposition",
    "cid",
    "language",
    "location",
    "headers",
];
/// Those that are given if nothing is asked for.
const DEFAULT: [&str; 10] =
    ["partId", "blobId", "size", "name", "type", "charset", "disposition", "cid", "language", "location"];
/// Of a part that is shown in `bodyValues` so much is decoded.
const MAX_VALUE: u64 = 16 << 20;

/// What is asked for of a body.
#[derive(Clone, Debug, Default)]
pub(crate) struct BodyRequest {
    pub(crate) properties: BTreeSet<String>,
    pub(crate) text_values: bool,
    pub(crate) html_values: bool,
    pub(crate) all_values: bool,
    /// Octets of one value; 0 for no limit.
    pub(crate) most: usize,
}

/// Whether a name is one of `EmailBodyPart`.
pub(crate) fn is_property(name: &str) -> bool {
    PROPERTIES.contains(&name)
        || name == "subParts"
        || (name.starts_with("header:") && HeaderProperty::parse(name).is_some())
}

pub(crate) fn default_properties() -> BTreeSet<String> {
    DEFAULT.iter().map(|name| (*name).to_owned()).collect()
}

/// A part of the message itself: what is within an attached message belongs to that.
struct Node {
    /// In the table of parts.
    number: usize,
    part: Part,
    header: PartHeader,
    raw: Bytes,
}

/// The body of a message, looked at.
pub(crate) struct Body<'a> {
    message: &'a Parts,
    blob_id: &'a BlobId,
    nodes: Vec<Node>,
    pub(crate) chosen: Chosen,
}

impl<'a> Body<'a> {
    pub(crate) async fn of(message: &'a Parts, blob_id: &'a BlobId) -> Result<Self> {
        let mut nodes: Vec<Node> = Vec::new();
        let mut attached: Option<u16> = None;
        let mut digests: Vec<u16> = Vec::new();
        for (number, part) in message.parts.iter().enumerate() {
            if attached.is_some_and(|depth| part.depth > depth) {
                continue;
            }
            attached = (part.kind == PartKind::Message).then_some(part.depth);
            digests.retain(|depth| *depth < part.depth);
            let raw = message.header(part).await?;
            let mut header = PartHeader::new(&raw, part.depth > 0 && digests.contains(&(part.depth - 1)));
            if header.media_type == "multipart/digest" {
                digests.push(part.depth);
            }
            // One without parts was malformed: it is shown as text.
            if part.kind != PartKind::Multipart && header.media_type.starts_with("multipart/") {
                header.media_type = "text/plain".to_owned();
                header.charset.get_or_insert_with(|| "us-ascii".to_owned());
            }
            nodes.push(Node { number, part: part.clone(), header, raw });
        }
        let chosen = if nodes.is_empty() { Chosen::default() } else { chosen(&shape(&nodes, 0)) };
        Ok(Self { message, blob_id, nodes, chosen })
    }

    pub(crate) async fn structure(&self, request: &BodyRequest) -> Result<Value> {
        let mut objects = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            objects.push(Some(self.part(node, request).await?));
        }
        Ok(self.assembled(0, &mut objects))
    }

    /// An object with those of its children in it. The scanner bounds the depth.
    fn assembled(&self, at: usize, objects: &mut [Option<Map<String, Value>>]) -> Value {
        let Some(mut object) = objects.get_mut(at).and_then(Option::take) else { return Value::Null };
        if self.nodes[at].part.kind == PartKind::Multipart {
            let children: Vec<Value> =
                children(&self.nodes, at).into_iter().map(|child| self.assembled(child, objects)).collect();
            object.insert("subParts".into(), children.into());
        }
        object.into()
    }

    pub(crate) async fn list(&self, numbers: &[usize], request: &BodyRequest) -> Result<Value> {
        let mut list = Vec::with_capacity(numbers.len());
        for node in numbers.iter().filter_map(|number| self.nodes.get(*number)) {
            list.push(self.part(node, request).await?.into());
        }
        Ok(Value::Array(list))
    }

    async fn part(&self, node: &Node, request: &BodyRequest) -> Result<Map<String, Value>> {
        let Node { number, part, header, raw } = node;
        let is_leaf = part.kind != PartKind::Multipart;
        let mut object = Map::new();
        for name in &request.properties {
            let value = match name.as_str() {
                "partId" => json!(is_leaf.then(|| part_id(*number))),
                "blobId" => json!(is_leaf.then(|| self.blob_id.part(*number).to_string())),
                "size" => json!(self.size(part, header).await?),
                "name" => json!(header.name),
                "type" => json!(header.media_type),
                "charset" => json!(header.charset),
                "disposition" => json!(header.disposition),
                "cid" => json!(header.content_id),
                "language" => json!(header.languages),
                "location" => json!(header.location),
                _ => continue,
            };
            object.insert(name.clone(), value);
        }
        header::put(
            &mut object,
            raw,
            request.properties.iter().map(String::as_str).filter(|name| name.starts_with("header")),
        );
        Ok(object)
    }

    /// Octets without the transfer encoding.
    async fn size(&self, part: &Part, header: &PartHeader) -> Result<u64> {
        let encoded = part.body_end.saturating_sub(part.body_start);
        if part.kind == PartKind::Multipart
            || !["base64", "quoted-printable"]
                .iter()
                .any(|encoding| header.encoding.eq_ignore_ascii_case(encoding))
        {
            return Ok(encoded);
        }
        let Some(mut decoder) = TransferDecoder::new(&header.encoding) else { return Ok(encoded) };
        let (mut size, mut out) = (0, Vec::new());
        let mut rest = part.body_start..part.body_end;
        while let Some(piece) = self.message.blob.next(&mut rest).await? {
            out.clear();
            decoder.feed(&piece, &mut out);
            size += out.len() as u64;
        }
        out.clear();
        decoder.finish(&mut out);
        Ok(size + out.len() as u64)
    }

    /// The texts of the body without markup, each bounded, as the search sees them.
    pub(crate) async fn plain_texts(&self) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        for node in self.chosen.text.iter().filter_map(|at| self.nodes.get(*at)) {
            let end = node.part.body_end.min(node.part.body_start + MAX_VALUE);
            let body = self.message.blob.read(node.part.body_start..end).await?;
            texts.extend(hub_mime::PartContent::new(&node.raw).text(&body));
        }
        Ok(texts)
    }

    /// `bodyValues`; `room` is what the values of this answer may still weigh.
    pub(crate) async fn values(&self, request: &BodyRequest, room: &mut usize) -> Result<Value> {
        let mut wanted: BTreeSet<usize> = BTreeSet::new();
        if request.all_values {
            wanted.extend(0..self.nodes.len());
        }
        if request.text_values {
            wanted.extend(&self.chosen.text);
        }
        if request.html_values {
            wanted.extend(&self.chosen.html);
        }
        let mut values = Map::new();
        for node in wanted.into_iter().filter_map(|at| self.nodes.get(at)) {
            if !node.header.media_type.starts_with("text/") || node.part.kind == PartKind::Multipart {
                continue;
            }
            let end = node.part.body_end.min(node.part.body_start + MAX_VALUE);
            let body = self.message.blob.read(node.part.body_start..end).await?;
            let mut value = node.header.value(&body);
            let most = if request.most == 0 { *room } else { request.most.min(*room) };
            let is_html = node.header.media_type == "text/html";
            let mut is_truncated = end < node.part.body_end;
            if value.text.len() > most {
                is_truncated = true;
                value.text.truncate(cut(&value.text, most, is_html));
            }
            *room -= value.text.len().min(*room);
            values.insert(
                part_id(node.number),
                json!({
                    "value": value.text,
                    "isEncodingProblem": value.is_encoding_problem,
                    "isTruncated": is_truncated,
                }),
            );
        }
        Ok(values.into())
    }
}

fn part_id(number: usize) -> String {
    (number + 1).to_string()
}

/// Where to cut a text: between characters, and not within a tag of HTML (RFC 8621 §4.2).
fn cut(text: &str, most: usize, is_html: bool) -> usize {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    if !is_html {
        return end;
    }
    match (text[..end].rfind('<'), text[..end].rfind('>')) {
        (Some(open), None) => open,
        (Some(open), Some(close)) if open > close => open,
        _ => end,
    }
}

fn children(nodes: &[Node], at: usize) -> Vec<usize> {
    let depth = nodes[at].part.depth;
    let below = nodes[at + 1..].iter().take_while(|node| node.part.depth > depth);
    below.enumerate().filter(|(_, node)| node.part.depth == depth + 1).map(|(n, _)| at + 1 + n).collect()
}

fn shape(nodes: &[Node], at: usize) -> Shape {
    let Node { header, part, .. } = &nodes[at];
    let is_multipart = part.kind == PartKind::Multipart;
    Shape {
        media_type: header.media_type.clone(),
        is_attachment: header.disposition.as_deref() == Some("attachment"),
        is_inline: header.disposition.as_deref() == Some("inline"),
        has_name: header.name.is_some(),
        children: if is_multipart {
            children(nodes, at).into_iter().map(|child| shape(nodes, child)).collect()
        } else {
            Vec::new()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters_and_tags() {
        for (text, most, is_html, expected) in [
            ("abc", 2, false, "ab"),
            ("a\u{fc}", 2, false, "a"),
            ("\u{1f600}", 3, false, ""),
            ("a<b>c", 3, true, "a"),
            ("a<b>c", 3, false, "a<b"),
            ("a<b>cd", 5, true, "a<b>c"),
        ] {
            assert_eq!(&text[..cut(text, most, is_html)], expected, "{text}");
        }
    }
}
