//! The sentences about the layout that should stay true, as far as a program can check them:
//! which room may name which, where SQL may stand, how long a file may be.
//!
//! Rooms and arrows are described in ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Room → the rooms it may name. Arrows only go down.
const ARROWS: &[(&str, &[&str])] = &[
    ("hub-civil", &[]),
    ("hub-config", &[]),
    ("hub-certs", &["hub-civil", "hub-config"]),
    ("hub-recur", &["hub-civil"]),
    ("hub-ical", &["hub-civil", "hub-recur"]),
    ("hub-identity", &["hub-civil"]),
    ("hub-itip", &["hub-civil", "hub-ical"]),
    ("hub-jsobjects", &["hub-civil", "hub-ical"]),
    ("hub-merkle", &["hub-identity"]),
    ("hub-mime", &["hub-civil"]),
    ("hub-sieve", &["hub-civil", "hub-mime"]),
    ("hub-storage", &[]),
    ("hub-dkim", &[]),
    ("hub-documents", &["hub-mime"]),
    (
        "hub",
        &[
            "hub-civil",
            "hub-dkim",
            "hub-documents",
            "hub-ical",
            "hub-identity",
            "hub-itip",
            "hub-merkle",
            "hub-mime",
            "hub-sieve",
            "hub-storage",
        ],
    ),
    ("hub-dns", &[]),
    ("hub-wire", &["hub-certs", "hub-config"]),
    ("hub-https", &["hub-dns", "hub-wire"]),
    ("hub-channel", &["hub", "hub-https", "hub-wire"]),
    ("hub-imap", &["hub", "hub-civil", "hub-mime", "hub-wire"]),
    ("hub-mailauth", &["hub", "hub-dkim", "hub-dns"]),
    ("hub-milter", &[]),
    ("hub-content", &["hub", "hub-wire"]),
    ("hub-dav", &["hub", "hub-civil", "hub-content", "hub-wire"]),
    ("hub-pages", &["hub", "hub-civil", "hub-content", "hub-wire"]),
    (
        "hub-smtp",
        &["hub", "hub-civil", "hub-dns", "hub-https", "hub-mailauth", "hub-milter", "hub-mime", "hub-wire"],
    ),
    ("hub-managesieve", &["hub", "hub-wire"]),
    ("hub-oauth", &["hub", "hub-wire"]),
    ("hub-transfer", &["hub", "hub-civil", "hub-wire"]),
    ("hub-twin", &["hub", "hub-civil", "hub-jsobjects", "hub-mime", "hub-wire"]),
    ("hub-web", &["hub", "hub-wire"]),
];

/// Licences that may be linked into the binary, by SPDX id. No copyleft.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files of the project with this ending, relative to its root.
fn files(ending: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() {
                if name != "target" && name != ".git" {
                    walk(&path, ending, found);
                }
            } else if name.ends_with(ending) {
                found.push(path.strip_prefix(root()).expect("below the root").to_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(root(), ending, &mut found);
    found.sort();
    found
}

fn read(file: &Path) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The code of a Rust file with its line numbers: comments and the contents of plain strings are
/// blanked, so that a word in them is not taken for code. Good enough for single-line strings.
fn code(file: &Path) -> Vec<(usize, String)> {
    read(file)
        .lines()
        .enumerate()
        .map(|(number, line)| {
            let mut out = String::new();
            let mut in_string = false;
            let mut chars = line.chars().peekable();
            while let Some(c) = chars.next() {
                match c {
                    '\\' if in_string => {
                        chars.next();
                    }
                    '"' => {
                        in_string = !in_string;
                        out.push('"');
                    }
                    '/' if !in_string && chars.peek() == Some(&'/') => break,
                    c if !in_string => out.push(c),
                    _ => {}
                }
            }
            (number + 1, out)
        })
        .collect()
}

/// Fails with every place where the code has one of these pieces of text.
fn forbid(files: impl IntoIterator<Item = PathBuf>, pieces: &[&str], why: &str) {
    let mut found = Vec::new();
    for file in files {
        for (number, line) in code(&file) {
            if let Some(piece) = pieces.iter().find(|piece| line.contains(**piece)) {
                found.push(format!("{}:{number}: {piece}", file.display()));
            }
        }
    }
    assert!(found.is_empty(), "{why}:\n{}", found.join("\n"));
}

fn rust_files_below(folder: &'static str) -> impl Iterator<Item = PathBuf> {
    files(".rs").into_iter().filter(move |file| file.starts_with(folder))
}

/// This file names what it forbids.
fn is_this_file(file: &Path) -> bool {
    file == Path::new("tests/tidy.rs")
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo metadata");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[test]
fn arrows_only_go_down() {
    let metadata = metadata();
    let rooms: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let packages = metadata["packages"].as_array().expect("packages");
    let mut seen = BTreeSet::new();
    for package in packages {
        let Some(allowed) = rooms.get(text(package, "name")) else { continue };
        seen.insert(text(package, "name"));
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let name = text(dependency, "name");
            // Tests of a room may build what they need from below it.
            let for_tests = dependency["kind"] == "dev";
            assert!(
                !rooms.contains_key(name) || for_tests || allowed.contains(&name),
                "{} must not name {name}: arrows only go down",
                text(package, "name")
            );
        }
    }
    assert_eq!(seen.len(), rooms.len(), "a room is missing: {seen:?}");
}

#[test]
fn only_storage_contains_sql() {
    let manifests = files("Cargo.toml").into_iter().filter(|file| file != Path::new("Cargo.toml"));
    for manifest in manifests.filter(|file| !file.starts_with("storage")) {
        assert!(
            !read(&manifest).contains("sqlx"),
            "{}: only storage/ knows the database",
            manifest.display()
        );
    }
    let statements = ["INSERT INTO ", "DELETE FROM ", "CREATE TABLE ", "SELECT * FROM", " WHERE account ="];
    for file in files(".rs").into_iter().filter(|file| !file.starts_with("storage") && !is_this_file(file)) {
        let text = read(&file);
        let found = statements.iter().find(|statement| text.contains(**statement));
        assert_eq!(found, None, "{}: only storage/ contains SQL", file.display());
    }
}

#[test]
fn both_databases_have_the_same_migrations() {
    let names = |database: &str| -> BTreeSet<String> {
        let folder = root().join("storage/migrations").join(database);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    };
    let sqlite = names("sqlite");
    assert!(!sqlite.is_empty());
    assert_eq!(sqlite, names("postgres"));
}

#[test]
fn no_file_is_longer_than_600_lines() {
    let long: Vec<String> = files(".rs")
        .into_iter()
        .map(|file| (read(&file).lines().count(), file))
        .filter(|(lines, _)| *lines > 600)
        .map(|(lines, file)| format!("{} has {lines}", file.display()))
        .collect();
    assert!(long.is_empty(), "one job per file:\n{}", long.join("\n"));
}

#[test]
fn nothing_is_left_unfinished() {
    let all = || files(".rs").into_iter().filter(|file| !is_this_file(file));
    forbid(
        all(),
        &["todo!(", "unimplemented!(", "dbg!(", "#[ignore", "FIXME", "XXX"],
        "unfinished; an open end is a comment \"todo RFC 8970: …\"",
    );
    forbid(all(), &["unsafe ", "unsafe{"], "no unsafe code");
    forbid(
        all().filter(|file| !file.starts_with("tests")),
        &["#[allow("],
        "#[expect] says when its reason is gone, #[allow] does not",
    );
}

#[test]
fn every_crate_takes_the_workspace_lints_and_versions() {
    for manifest in files("Cargo.toml") {
        let text = read(&manifest);
        // The fuzzer's own package stands outside the workspace: it needs a nightly compiler.
        if text.contains("cargo-fuzz = true") {
            continue;
        }
        assert!(text.contains("[lints]\nworkspace = true"), "{}", manifest.display());
        let mut section = String::new();
        for line in text.lines() {
            if line.starts_with('[') {
                section = line.to_owned();
            } else if section.ends_with("dependencies]") && section != "[workspace.dependencies]" {
                let own = line.contains('=') && !line.contains("workspace");
                assert!(!own, "{}: {line}: versions stand in [workspace.dependencies]", manifest.display());
            }
        }
    }
}

#[test]
fn every_room_introduces_itself() {
    for room in files("lib.rs").into_iter().chain(files("main.rs")) {
        assert!(read(&room).starts_with("//! "), "{} opens with a //! page", room.display());
    }
    let readers_words = ["util", "utils", "helper", "helpers", "misc", "common", "manager"];
    for file in files(".rs") {
        let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        assert!(!readers_words.contains(&name), "{}: the name says nothing", file.display());
    }
}

/// State machines take bytes and `now`; they never touch a socket, a clock or the disk.
#[test]
fn sessions_are_pure() {
    let pure: Vec<PathBuf> = rust_files_below("protocols")
        .filter(|file| {
            ["session.rs", "view.rs", "framer.rs", "framing.rs", "sasl.rs"]
                .iter()
                .any(|name| file.ends_with(name))
        })
        .collect();
    assert!(!pure.is_empty(), "no session.rs in protocols/?");
    let pieces = [
        "tokio::net",
        "std::net::Tcp",
        "std::fs",
        "tokio::fs",
        "Instant::now",
        "SystemTime::now",
        "tokio::time::sleep",
    ];
    forbid(pure, &pieces, "a state machine is given its bytes and its time");
    let parsing = rust_files_below("hub/mime").filter(|file| !file.starts_with("hub/mime/examples"));
    forbid(parsing, &pieces, "parsing needs no socket, clock or disk");
}

/// Each protocol says every error of the hub in its own words: a new one must not slip through.
#[test]
fn status_tables_are_exhaustive() {
    let tables: Vec<PathBuf> =
        rust_files_below("protocols").filter(|file| file.ends_with("status.rs")).collect();
    assert!(tables.len() >= 2, "{tables:?}");
    forbid(tables, &["_ =>"], "an exhaustive match, so that a new error needs its words");
}

/// `cargo metadata` also lists what no feature turns on; `cargo tree` does not.
#[test]
fn one_tls_stack_one_crypto_provider() {
    for banned in ["openssl-sys", "ring", "native-tls", "curl-sys", "sieve-rs"] {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--workspace", "--locked", "--edges=all", "--target=all", "--invert", banned])
            .current_dir(root())
            .output()
            .expect("cargo tree");
        let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
        assert!(tree.is_empty(), "{banned} is in the tree:\n{tree}");
    }
}

#[test]
fn licences_are_permissive() {
    let metadata = metadata();
    for package in metadata["packages"].as_array().expect("packages") {
        let (name, licence) = (text(package, "name"), text(package, "license"));
        assert!(is_permissive(licence), "{name}: licence {licence:?} is not on the list");
    }
}

/// An SPDX expression without nesting deeper than parentheses around alternatives.
fn is_permissive(expression: &str) -> bool {
    // Old crates write `MIT/Apache-2.0`.
    let expression = expression.replace('/', " OR ").replace(['(', ')'], "");
    expression.split(" AND ").all(|all| all.split(" OR ").any(|licence| LICENCES.contains(&licence.trim())))
}

#[test]
fn licence_expressions_are_understood() {
    for (expression, good) in [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("Apache-2.0 OR LGPL-2.1-or-later OR MIT", true),
        ("ISC AND (Apache-2.0 OR ISC)", true),
        ("AGPL-3.0-only", false),
        ("MIT AND GPL-3.0-only", false),
        ("", false),
    ] {
        assert_eq!(is_permissive(expression), good, "{expression}");
    }
}

/// Paths of one machine have no place in the project.
#[test]
fn no_absolute_paths_of_a_developers_machine() {
    for ending in [".rs", ".toml", ".md", ".sh", ".py"] {
        for file in files(ending).into_iter().filter(|file| !is_this_file(file)) {
            let text = read(&file);
            for piece in ["/work/main", "/work/shared", "/root/"] {
                let found = text.lines().find(|line| line.contains(piece));
                assert_eq!(found, None, "{}", file.display());
            }
        }
    }
}
