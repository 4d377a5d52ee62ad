//! Conditions of a request: `If-Match` and its kin (RFC 9110 §13), and `If` (RFC 4918 §10.4). Here they
//! are read; what changes files checks them in its own transaction.

use hub::files::{Conditions, FilePath, IfList, IfTerm, LockToken, Precondition, StateOf};
use hub_content::conditions::{Comparison, Etags, etags, opaque, time};
pub(crate) use hub_content::conditions::{Validators, instead_of_content};
use hyper::Uri;
use hyper::header::{self, HeaderMap};

use crate::head::{self, BadField};
use crate::path::{Location, Place};

/// Lists and terms in one `If`: programs send one or two.
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

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

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
