//! Requests and answers side by side, from files: XML is compared as elements, not as text.
//!
//! ```text
//! PROPFIND /dav/files/alice@example.org/      a request; fields, an empty line, its body
//! Depth: 0
//! --- 207                                     the answer's status; fields that it must have, its body
//! DAV: -                                      a field that it must not have
//!
//! <D:multistatus xmlns:D="DAV:">…
//! ```
//!
//! `{name}` in an answer stands for any text that is not empty; from there on for the same.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::NsReader;

use crate::world::{Answer, World};

#[tokio::test]
async fn all_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dav/golden");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = fs::read_to_string(&file).expect("text");
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        play(&name, &text).await;
    }
}

type Names = HashMap<String, String>;

async fn play(file: &str, text: &str) {
    let world = World::new().await;
    let mut names = Names::new();
    for exchange in text.split("\n===\n") {
        let lines: Vec<&str> = exchange.lines().filter(|line| !line.starts_with('#')).collect();
        let cut = lines.iter().position(|line| line.starts_with("--- ")).expect("an answer");
        let request = Block::read(&lines[..cut]);
        let wanted = Block::read(&lines[cut..]);
        let first = filled(request.first, &names);
        let (method, path) = first.split_once(' ').expect("a method and a path");
        let fields: Vec<(String, String)> =
            request.fields.iter().map(|(name, value)| ((*name).to_owned(), filled(value, &names))).collect();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let answer = world.send(method, path.trim(), &fields, &filled(&request.body, &names)).await;
        compare(&format!("{file}: {first}"), &wanted, &answer, &mut names);
    }
}

struct Block<'a> {
    first: &'a str,
    fields: Vec<(&'a str, &'a str)>,
    body: String,
}

impl<'a> Block<'a> {
    fn read(lines: &[&'a str]) -> Self {
        let lines = &lines[lines.iter().position(|line| !line.is_empty()).expect("a first line")..];
        let end = lines.iter().position(|line| line.is_empty()).unwrap_or(lines.len());
        let fields = lines[1..end].iter().map(|line| line.split_once(": ").expect("a field")).collect();
        let body = lines.get(end + 1..).unwrap_or_default().join("\n");
        Self { first: lines[0], fields, body }
    }
}

fn filled(text: &str, names: &Names) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

fn compare(what: &str, wanted: &Block<'_>, answer: &Answer, names: &mut Names) {
    let shown = || String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(wanted.first, format!("--- {}", answer.status), "{what}: {}", shown());
    for (name, value) in &wanted.fields {
        let own = answer.field(name);
        match *value {
            "-" => assert_eq!(own, None, "{what}: {name}"),
            value => {
                let own = own.unwrap_or_else(|| panic!("{what}: there is no {name}: {:?}", answer.headers));
                assert!(matches(value, own, names), "{what}: {name}: {own} is not {value}");
            }
        }
    }
    let body = wanted.body.trim_end();
    if body.starts_with('<') {
        let (expected, found) = (tree(body), tree(answer.text()));
        assert!(expected.matches(&found, names), "{what}: not as expected:\n{}", shown());
    } else if !body.is_empty() {
        let found = shown().trim_end().replace('\r', "");
        assert!(matches(body, &found, names), "{what}: not as expected:\n{found}");
    }
}

/// Whether the text fits the pattern; remembers what `{name}` stands for.
fn matches(pattern: &str, text: &str, names: &mut Names) -> bool {
    let pattern = filled(pattern, names);
    let Some((before, rest)) = pattern.split_once('{').filter(|(_, rest)| rest.contains('}')) else {
        return pattern == text;
    };
    let (name, after) = rest.split_once('}').expect("looked for");
    let value = text.strip_prefix(before).and_then(|text| text.strip_suffix(after));
    let value = value.filter(|value| !value.is_empty());
    value.inspect(|value| drop(names.insert(name.to_owned(), (*value).to_owned()))).is_some()
}

#[derive(Debug, Default)]
struct Tree {
    name: String,
    text: String,
    children: Vec<Self>,
}

impl Tree {
    /// The same elements in any order.
    fn matches(&self, other: &Self, names: &mut Names) -> bool {
        if self.name != other.name || self.children.len() != other.children.len() {
            return false;
        }
        let mut left: Vec<&Self> = other.children.iter().collect();
        for child in &self.children {
            let found = left.iter().position(|candidate| {
                let mut trial = names.clone();
                let fits = child.matches(candidate, &mut trial);
                if fits {
                    *names = trial;
                }
                fits
            });
            match found {
                Some(at) => {
                    left.remove(at);
                }
                None => return false,
            }
        }
        matches(self.text.trim(), other.text.trim(), names)
    }
}

fn tree(text: &str) -> Tree {
    assert!(Reader::from_str(text).read_event().is_ok(), "{text}");
    let mut reader = NsReader::from_str(text);
    let mut open = vec![Tree::default()];
    let named = |reader: &NsReader<&[u8]>, start: &BytesStart<'_>| {
        let (namespace, local) = reader.resolver().resolve_element(start.name());
        let attributes = start.attributes().map(|attribute| attribute.expect("an attribute"));
        let attributes =
            attributes.map(|one| (AsRef::<str>::as_ref(&one.key).to_owned(), one.value.into_owned()));
        let is_own = |(name, _): &(String, _)| name != "xmlns" && !name.starts_with("xmlns:");
        let attributes: std::collections::BTreeMap<_, _> = attributes.filter(is_own).collect();
        Tree { name: format!("{namespace:?} {} {attributes:?}", local.as_ref()), ..Tree::default() }
    };
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error}: {text}")) {
            Event::Start(start) => open.push(named(&reader, &start)),
            Event::Empty(start) => {
                let element = named(&reader, &start);
                open.last_mut().expect("the top").children.push(element);
            }
            Event::End(_) => {
                let element = open.pop().expect("one is open");
                open.last_mut().expect("the top").children.push(element);
            }
            Event::Text(piece) => open.last_mut().expect("the top").text.push_str(&piece.xml10_content()),
            Event::GeneralRef(name) => {
                let name = name.xml10_content();
                let text = match &*name {
                    // Lines of these files end with a line feed alone.
                    "#13" => "",
                    name => quick_xml::escape::resolve_predefined_entity(name).unwrap_or("?"),
                };
                open.last_mut().expect("the top").text.push_str(text);
            }
            Event::Eof => return open.pop().expect("the top"),
            _ => {}
        }
    }
}
