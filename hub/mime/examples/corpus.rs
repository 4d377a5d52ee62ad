//! Compares ENVELOPE, BODYSTRUCTURE and size of a folder of messages with what another server said.
//!
//! `cargo run -p hub-mime --example corpus -- FOLDER EXPECTED.jsonl [FIELD] [FILE PART]`
//!
//! Each line of EXPECTED.jsonl is an object with `file` (relative to FOLDER), `size`, `envelope` and
//! `bodystructure` (nested lists, NIL as null, strings as latin-1). Bare LF in a file is made CRLF first.

#![expect(clippy::print_stdout, reason = "a command-line tool")]

use std::path::Path;

use hub_mime::Scanner;
use serde_json::Value;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, expected, filters @ ..] = &arguments[..] else {
        println!("usage: corpus FOLDER EXPECTED.jsonl [FIELD] [FILE PART]");
        return;
    };
    let mut counts = std::collections::BTreeMap::<&str, (u32, u32)>::new();
    let mut bytes = 0;
    let mut time = std::time::Duration::ZERO;
    for line in std::fs::read_to_string(expected).expect("expected file").lines() {
        let row: Value = serde_json::from_str(line).expect("JSON");
        let Some(file) = row["file"].as_str() else { continue };
        if filters.get(1).is_some_and(|part| !file.contains(part.as_str())) {
            continue;
        }
        let message = with_crlf(&std::fs::read(Path::new(folder).join(file)).expect("message"));
        bytes += message.len();
        let start = std::time::Instant::now();
        let mut scanner = Scanner::new();
        scanner.feed(&message);
        let summary = scanner.finish();
        time += start.elapsed();
        for (field, got) in [
            ("size", Value::from(summary.size)),
            ("envelope", parse(&summary.envelope)),
            ("bodystructure", lower(&parse(&summary.body_structure))),
        ] {
            let wanted = if field == "bodystructure" { lower(&row[field]) } else { row[field].clone() };
            let count = counts.entry(field).or_default();
            count.1 += 1;
            if got == wanted {
                count.0 += 1;
            } else if filters.first().is_some_and(|filter| filter == field) {
                println!("{file}\n  expected {wanted}\n  got      {got}");
            }
        }
        if filters.len() > 2 {
            println!("{file}: {summary:#?}");
        }
    }
    for (field, (same, of)) in counts {
        println!("{field}: {same} of {of}");
    }
    println!("{bytes} bytes in {time:?}");
}

fn with_crlf(file: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(file.len() + file.len() / 30);
    let mut previous = 0;
    for &byte in file {
        if byte == b'\n' && previous != b'\r' {
            out.push(b'\r');
        }
        out.push(byte);
        previous = byte;
    }
    out
}

fn lower(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(lower).collect(),
        Value::String(text) => text.to_lowercase().into(),
        other => other.clone(),
    }
}

/// IMAP data as nested lists.
fn parse(mut wire: &[u8]) -> Value {
    let value = parse_value(&mut wire);
    assert!(wire.is_empty(), "something is left: {}", String::from_utf8_lossy(wire));
    value
}

fn parse_value(wire: &mut &[u8]) -> Value {
    match wire[0] {
        b'(' => {
            *wire = &wire[1..];
            let mut items = Vec::new();
            while wire[0] != b')' {
                if wire[0] == b' ' {
                    *wire = &wire[1..];
                }
                items.push(parse_value(wire));
            }
            *wire = &wire[1..];
            items.into()
        }
        b'"' => {
            let mut text = String::new();
            *wire = &wire[1..];
            while wire[0] != b'"' {
                if wire[0] == b'\\' {
                    *wire = &wire[1..];
                }
                text.push(char::from(wire[0]));
                *wire = &wire[1..];
            }
            *wire = &wire[1..];
            text.into()
        }
        b'{' => {
            let end = wire.iter().position(|&byte| byte == b'\n').expect("literal");
            let length: usize =
                std::str::from_utf8(&wire[1..end - 2]).expect("ASCII").parse().expect("length");
            let text: String = wire[end + 1..end + 1 + length].iter().map(|&byte| char::from(byte)).collect();
            *wire = &wire[end + 1 + length..];
            text.into()
        }
        _ => {
            let end = wire.iter().position(|byte| b" ()".contains(byte)).unwrap_or(wire.len());
            let (word, rest) = wire.split_at(end);
            *wire = rest;
            match std::str::from_utf8(word).expect("ASCII") {
                "NIL" => Value::Null,
                number => number.parse::<u64>().expect("number").into(),
            }
        }
    }
}
