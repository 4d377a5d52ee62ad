//! For the fuzzer: what clients write, read.

use hub::files::FilePath;
use hyper::Uri;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::path::{IN_PATHS, Location, encode_into};
use crate::xml::{Document, Element};
use crate::{head, precondition};
use hub_content::range::{self, Wanted};

/// A document; each of its elements stands for the same when it stands alone.
pub fn xml(input: &[u8]) {
    let Ok(document) = Document::read(input) else { return };
    let mut open: Vec<&Element> = vec![&document.root];
    // The first few: a fragment is as long as the element.
    for _ in 0..16 {
        let Some(element) = open.pop() else { return };
        let fragment = document.fragment(element);
        let alone = Document::read(fragment.as_bytes()).expect("well-formed by itself");
        assert_eq!((&alone.root.name, &alone.root.text), (&element.name, &element.text), "{fragment}");
        open.extend(&element.children);
    }
}

/// A path, and fields that have a grammar of their own.
pub fn fields(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(location) = Location::parse(text) {
        let mut path = String::new();
        encode_into(&mut path, "a b", IN_PATHS);
        assert!(location.href(&path, true).starts_with(&location.base));
    }
    if let Wanted::Parts(parts) = range::wanted(text, 1000) {
        assert!(parts.iter().all(|part| part.start < part.end && part.end <= 1000));
        assert!(parts.iter().map(|part| part.end - part.start).sum::<u64>() <= 1000, "no bomb");
    }
    let _ = range::content_range(text);
    let Ok(value) = HeaderValue::from_str(text) else { return };
    let home = Location::parse("/dav/files/a@a.test/x").expect("a path");
    let names = ["if", "if-match", "if-none-match", "depth", "timeout", "prefer", "destination"];
    let headers: HeaderMap =
        names.iter().map(|name| (HeaderName::from_static(name), value.clone())).collect();
    let uri = Uri::from_static("/dav/files/a@a.test/x");
    let _ = precondition::conditions(&uri, &headers, &home, &FilePath::root());
    let _ = (head::depth(&headers), head::timeout(&headers), head::prefer(&headers));
    let _ = head::destination(&uri, &headers);
}
