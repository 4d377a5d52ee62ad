//! Conditions of a request: `If-Match` and its kin (RFC 9110 §13), and `If` (RFC 4918 §10.4). Here they
//! are read; what changes files checks them in its own transaction.

use hub::files::{Conditions, FilePath, IfList, IfTerm, LockToken, Node, Precondition, StateOf};
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{StatusCode, Uri};

use crate::head::{self, BadField};
use crate::path::{Location, Place};

/// Lists and terms in one `If`, entity-tags in one `If-Match`: programs send one or two.
const MAX_TERMS: usize = 64;

/// What `If` says, as far as grammar goes.
#[derive(Debug, Default, PartialEq, Eq)]
struct If<'a> {
    lists: Vec<List<'a>>,
}

#[derive(Debug, PartialEq, Eq)]
struct List<'a> {
    tag: Option<&'a str>,
    conditions: Vec<Condition<'a>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Condition<'a> {
    not: bool,
    state: State<'a>,
}

#[derive(Debug, PartialEq, Eq)]
enum State<'a> {
    Etag(&'a str),
    Token(&'a str),
}

/// The conditions of a request that works on `location`, in the tree that begins `at` a path of that home.
pub(crate) fn conditions(
    uri: &Uri,
    headers: &HeaderMap,
    location: &Location,
    at: &FilePath,
) -> Result<Conditions, BadField> {
    let mut conditions = Conditions { preconditions: preconditions(headers)?, ..Conditions::default() };
    for value in headers.get_all("if") {
        let value = value.to_str().map_err(|_| BadField("If is not text"))?;
        let parsed = parse(value).ok_or(BadField("If is not well-formed (RFC 4918 §10.4.2)"))?;
        for list in parsed.lists {
            let of = match list.tag {
                None => StateOf::Target,
                Some(tag) => state_of(uri, headers, (location, at), tag),
            };
            let terms = list.conditions.iter().map(|condition| term(condition, &mut conditions.tokens));
            let terms = terms.collect::<Result<_, _>>()?;
            conditions.lists.push(IfList { of, terms });
        }
    }
    let terms = conditions.lists.iter().map(|list| list.terms.len()).sum::<usize>();
    match terms > MAX_TERMS {
        true => Err(BadField("If has too many terms")),
        false => Ok(conditions),
    }
}

/// RFC 4918 §10.4.1: a token is submitted wherever it stands.
fn term(condition: &Condition<'_>, submitted: &mut Vec<LockToken>) -> Result<IfTerm, BadField> {
    let not = condition.not;
    Ok(match condition.state {
        State::Etag(etag) => IfTerm::Etag { not, etag: etag.to_owned() },
        State::Token(token) => {
            let token =
                LockToken::new(token).map_err(|_| BadField("a state token is no URI, or too long"))?;
            submitted.push(token.clone());
            IfTerm::Token { not, token }
        }
    })
}

/// Files of the same tree have a state; everything else has neither locks nor an entity-tag.
fn state_of(uri: &Uri, headers: &HeaderMap, (location, at): (&Location, &FilePath), tag: &str) -> StateOf {
    let (Ok(tagged), Place::File { handle: own, .. }) = (head::reference(uri, headers, tag), &location.place)
    else {
        return StateOf::Elsewhere;
    };
    match tagged.place {
        Place::File { handle, path } if same_home(own.as_deref(), handle.as_deref()) => {
            path.below(at).map_or(StateOf::Elsewhere, StateOf::Path)
        }
        _ => StateOf::Elsewhere,
    }
}

pub(crate) fn same_home(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.to_lowercase() == b.to_lowercase(),
        // One of them is `/remote.php/webdav/`: the home of whoever is logged in, as the other must be.
        _ => true,
    }
}

/// ```text
/// If = "If" ":" ( 1*No-tag-list | 1*Tagged-list )
/// No-tag-list = List
/// Tagged-list = Resource-Tag 1*List
/// List = "(" 1*Condition ")"
/// ```
fn parse(text: &str) -> Option<If<'_>> {
    let mut rest = text.trim();
    let mut parsed = If::default();
    let mut tag = None;
    let starts_tagged = rest.starts_with('<');
    while !rest.is_empty() {
        if let Some(tagged) = rest.strip_prefix('<') {
            // The two forms are not mixed.
            if !starts_tagged {
                return None;
            }
            let (reference, after) = tagged.split_once('>')?;
            tag = Some(reference);
            rest = after.trim_start();
            // A resource without a list says nothing.
            rest.strip_prefix('(')?;
        }
        let (list, after) = conditions_of_list(rest.strip_prefix('(')?)?;
        parsed.lists.push(List { tag, conditions: list });
        if parsed.lists.len() > MAX_TERMS {
            return None;
        }
        rest = after.trim_start();
    }
    (!parsed.lists.is_empty()).then_some(parsed)
}

/// ```text
/// Condition = ["Not"] (State-token | "[" entity-tag "]")
/// State-token = Coded-URL
/// ```
/// Returns what follows the closing parenthesis.
fn conditions_of_list(mut rest: &str) -> Option<(Vec<Condition<'_>>, &str)> {
    let mut conditions = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix(')') {
            return (!conditions.is_empty()).then_some((conditions, after));
        }
        let is_not = rest.get(..3).is_some_and(|word| word.eq_ignore_ascii_case("not"));
        if is_not {
            rest = rest[3..].trim_start();
        }
        let (state, after) = if let Some(token) = rest.strip_prefix('<') {
            let (token, after) = token.split_once('>')?;
            (State::Token(token), after)
        } else {
            let (etag, after) = rest.strip_prefix('[')?.split_once(']')?;
            (State::Etag(opaque(etag.trim())?), after)
        };
        conditions.push(Condition { not: is_not, state });
        if conditions.len() > MAX_TERMS {
            return None;
        }
        rest = after;
    }
}

/// `entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE`: what is between the quotes. All of ours are strong; a
/// weak one matches none of them in a strong comparison (RFC 9110 §8.8.3.2), nor would its text.
fn opaque(tag: &str) -> Option<&str> {
    let quoted = |tag: &'_ str| tag.len() >= 2 && tag.starts_with('"') && tag.ends_with('"');
    match tag.strip_prefix("W/") {
        Some(weak) => quoted(weak).then_some(tag),
        None => quoted(tag).then(|| &tag[1..tag.len() - 1]),
    }
}

/// RFC 9110 §13.1; the order of §13.2.2 is kept: a time is only looked at where there is no tag.
pub(crate) fn preconditions(headers: &HeaderMap) -> Result<Vec<Precondition>, BadField> {
    let mut all = Vec::new();
    match etags(headers, &header::IF_MATCH, Comparison::Strong)? {
        Some(Etags::Any) => all.push(Precondition::Exists),
        Some(Etags::These(tags)) => all.push(Precondition::Match(tags)),
        None => {
            if let Some(time) = time(headers, &header::IF_UNMODIFIED_SINCE) {
                all.push(Precondition::UnmodifiedSince(time));
            }
        }
    }
    match etags(headers, &header::IF_NONE_MATCH, Comparison::Weak)? {
        Some(Etags::Any) => all.push(Precondition::NotExists),
        Some(Etags::These(tags)) => all.push(Precondition::NoneMatch(tags)),
        None => {}
    }
    Ok(all)
}

#[derive(Debug, PartialEq, Eq)]
enum Etags {
    Any,
    These(Vec<String>),
}

/// RFC 9110 §8.8.3.2
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// `"*" / #entity-tag`. Some programs forget the quotes: what they send is taken as if they had not.
fn etags(headers: &HeaderMap, name: &HeaderName, comparison: Comparison) -> Result<Option<Etags>, BadField> {
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
            if tags.len() > MAX_TERMS {
                return Err(BadField("there are too many entity-tags"));
            }
        }
    }
    Ok(headers.contains_key(name).then_some(Etags::These(tags)))
}

/// RFC 9110 §13.1.3: a date that is none is ignored.
fn time(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    let time = httpdate::parse_http_date(head::text(headers, name)?).ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// What conditions of a GET are about.
pub(crate) struct Validators<'a> {
    pub(crate) etag: &'a str,
    /// Unix seconds.
    pub(crate) modified_at: i64,
}

impl<'a> From<&'a Node> for Validators<'a> {
    fn from(node: &'a Node) -> Self {
        Self { etag: &node.etag, modified_at: node.modified_at }
    }
}

/// What a conditional GET or HEAD is answered with instead of the content (RFC 9110 §13.2.2).
pub(crate) fn instead_of_content(
    headers: &HeaderMap,
    of: &Validators<'_>,
) -> Result<Option<StatusCode>, BadField> {
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

/// RFC 9110 §13.1.5: true if ranges of this version are wanted.
pub(crate) fn if_range(headers: &HeaderMap, node: &Node) -> bool {
    let Some(value) = head::text(headers, &header::IF_RANGE) else { return true };
    match opaque(value) {
        Some(tag) => tag == node.etag,
        None => time(headers, &header::IF_RANGE) == Some(node.modified_at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn token(not: bool, token: &str) -> Condition<'_> {
        Condition { not, state: State::Token(token) }
    }

    fn etag(not: bool, etag: &str) -> Condition<'_> {
        Condition { not, state: State::Etag(etag) }
    }

    /// The examples of RFC 4918 §10.4.6 to §10.4.9.
    #[test]
    fn rfc4918_10_4_examples() {
        let list = |tag, conditions| List { tag, conditions };
        for (text, lists) in [
            (
                "(<urn:uuid:181d4fae-7d8c-11d0-a765-00a0c91e6bf2> [\"I am an ETag\"]) ([\"I am another ETag\"])",
                vec![
                    list(
                        None,
                        vec![
                            token(false, "urn:uuid:181d4fae-7d8c-11d0-a765-00a0c91e6bf2"),
                            etag(false, "I am an ETag"),
                        ],
                    ),
                    list(None, vec![etag(false, "I am another ETag")]),
                ],
            ),
            (
                "(Not <urn:uuid:181d> <urn:uuid:58f2>)",
                vec![list(None, vec![token(true, "urn:uuid:181d"), token(false, "urn:uuid:58f2")])],
            ),
            (
                "(<urn:uuid:181d>) (Not <DAV:no-lock>)",
                vec![
                    list(None, vec![token(false, "urn:uuid:181d")]),
                    list(None, vec![token(true, "DAV:no-lock")]),
                ],
            ),
            (
                "</resource1> (<urn:uuid:181d> [W/\"A weak ETag\"]) ([\"strong ETag\"])",
                vec![
                    list(
                        Some("/resource1"),
                        vec![token(false, "urn:uuid:181d"), etag(false, "W/\"A weak ETag\"")],
                    ),
                    list(Some("/resource1"), vec![etag(false, "strong ETag")]),
                ],
            ),
            (
                "<http://a.test/specs/> (<urn:uuid:181d>)<http://a.test/x>(NOT[\"4217\"])",
                vec![
                    list(Some("http://a.test/specs/"), vec![token(false, "urn:uuid:181d")]),
                    list(Some("http://a.test/x"), vec![etag(true, "4217")]),
                ],
            ),
        ] {
            assert_eq!(parse(text), Some(If { lists }), "{text}");
        }
    }

    #[test]
    fn what_is_no_if() {
        let many = "(<a:b>)".repeat(MAX_TERMS + 1);
        let long = format!("({})", "<a:b>".repeat(MAX_TERMS + 1));
        for text in [
            "",
            " ",
            "x",
            "()",
            "(<a:b>",
            "<a:b>",
            "</x>",
            "(<a:b)",
            "([x])",
            "([\"x\")",
            "(Not)",
            "(Not Not <a:b>)",
            "(<a:b>) </x> (<a:b>)",
            "(<a:b>) x",
            "(a:b)",
            "\u{e9}",
            &many,
            &long,
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn conditions_of_a_request() {
        let location = Location::parse("/dav/files/a@a.test/x").expect("a path");
        let headers: HeaderMap = [
            ("host", "h.test"),
            ("if", "<http://h.test/dav/files/a%40a.test/y> (<urn:uuid:1> [\"e\"]) <http://h.test/z> (Not <urn:uuid:2>)"),
            ("if-match", "\"1\", W/\"2\", 3"),
            ("if-none-match", "*"),
        ]
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
        let uri = Uri::from_static("/dav/files/a@a.test/x");
        let conditions = conditions(&uri, &headers, &location, &FilePath::root()).expect("well-formed");
        assert_eq!(
            conditions.tokens,
            ["urn:uuid:1", "urn:uuid:2"].map(|token| LockToken::new(token).expect("a token"))
        );
        let y = FilePath::parse("y").expect("a path");
        assert!(matches!(&conditions.lists[0].of, StateOf::Path(path) if *path == y));
        assert!(matches!(conditions.lists[1].of, StateOf::Elsewhere));
        let tags = ["1", "W/\"2\"", "3"];
        assert!(matches!(&conditions.preconditions[0], Precondition::Match(found) if *found == tags));
        assert!(matches!(conditions.preconditions[1], Precondition::NotExists));
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[<>()\\[\\]\" Nota:ü]{0,40}") {
            let _ = parse(&text);
        }
    }
}
