//! Conditions of a request, as far as reading goes (RFC 9110 §13): entity-tags and times.

use hub::files::Node;
use hyper::StatusCode;
use hyper::header::{self, HeaderMap, HeaderName};

use crate::{BadField, text};

/// Entity-tags in one field: programs send one or two.
const MAX_TAGS: usize = 64;

/// `entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE`: what is between the quotes. All of ours are strong; a
/// weak one matches none of them in a strong comparison (RFC 9110 §8.8.3.2), nor would its text.
pub fn opaque(tag: &str) -> Option<&str> {
    let quoted = |tag: &'_ str| tag.len() >= 2 && tag.starts_with('"') && tag.ends_with('"');
    match tag.strip_prefix("W/") {
        Some(weak) => quoted(weak).then_some(tag),
        None => quoted(tag).then(|| &tag[1..tag.len() - 1]),
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Etags {
    Any,
    These(Vec<String>),
}

/// RFC 9110 §8.8.3.2
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Strong,
    Weak,
}

/// `"*" / #entity-tag`. Some programs forget the quotes: what they send is taken as if they had not.
pub fn etags(
    headers: &HeaderMap,
    name: &HeaderName,
    comparison: Comparison,
) -> Result<Option<Etags>, BadField> {
    let mut tags = Vec::new();
    for value in headers.get_all(name) {
        let value = value.to_str().map_err(|_| BadField("an entity-tag is not text"))?;
        for tag in value.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            if tag == "*" {
                return Ok(Some(Etags::Any));
            }
            let tag = match comparison {
                Comparison::Strong => tag,
                Comparison::Weak => tag.strip_prefix("W/").unwrap_or(tag),
            };
            tags.push(opaque(tag).unwrap_or(tag).to_owned());
            if tags.len() > MAX_TAGS {
                return Err(BadField("there are too many entity-tags"));
            }
        }
    }
    Ok(headers.contains_key(name).then_some(Etags::These(tags)))
}

/// RFC 9110 §13.1.3: a date that is none is ignored.
pub fn time(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    let time = httpdate::parse_http_date(text(headers, name)?).ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// What conditions of a GET are about.
pub struct Validators<'a> {
    pub etag: &'a str,
    /// Unix seconds.
    pub modified_at: i64,
}

impl<'a> From<&'a Node> for Validators<'a> {
    fn from(node: &'a Node) -> Self {
        Self { etag: &node.etag, modified_at: node.modified_at }
    }
}

/// What a conditional GET or HEAD is answered with instead of the content (RFC 9110 §13.2.2).
pub fn instead_of_content(headers: &HeaderMap, of: &Validators<'_>) -> Result<Option<StatusCode>, BadField> {
    let is_in = |tags: &[String]| tags.iter().any(|tag| tag == of.etag);
    let failed = match etags(headers, &header::IF_MATCH, Comparison::Strong)? {
        Some(Etags::Any) => false,
        Some(Etags::These(tags)) => !is_in(&tags),
        None => time(headers, &header::IF_UNMODIFIED_SINCE).is_some_and(|time| of.modified_at > time),
    };
    if failed {
        return Ok(Some(StatusCode::PRECONDITION_FAILED));
    }
    let same = match etags(headers, &header::IF_NONE_MATCH, Comparison::Weak)? {
        Some(Etags::Any) => true,
        Some(Etags::These(tags)) => is_in(&tags),
        None => time(headers, &header::IF_MODIFIED_SINCE).is_some_and(|time| of.modified_at <= time),
    };
    Ok(same.then_some(StatusCode::NOT_MODIFIED))
}

/// RFC 9110 §13.1.5: true if ranges of this version are wanted. A time never names a version here, since
/// clients set the times of files: such a one gets the whole file.
pub fn if_range(headers: &HeaderMap, node: &Node) -> bool {
    let Some(value) = text(headers, &header::IF_RANGE) else { return true };
    opaque(value).is_some_and(|tag| tag == node.etag)
}
