//! Compares the number of occurrences with what other libraries found: `corpus CORPUS_DIR`, whose
//! `expected/ics.jsonl` has a line for each file. Prints what differs.

#![allow(clippy::print_stdout, reason = "a program for people")]

use hub_ical::{Document, Object, Zone, Zones};
use serde_json::Value;

fn main() {
    let folder = std::env::args().nth(1).expect("the folder of the corpus");
    let expected =
        std::fs::read_to_string(format!("{folder}/expected/ics.jsonl")).expect("the expected facts");
    let (mut same, mut different, mut refused) = (0, 0, 0);
    for line in expected.lines() {
        let facts: Value = serde_json::from_str(line).expect("JSON");
        let name = facts["file"].as_str().expect("a name");
        let bytes = std::fs::read(format!("{folder}/{name}")).expect("a file");
        let document = match Document::parse(&bytes) {
            Ok(document) => document,
            Err(error) => {
                refused += 1;
                println!("{name}: {error} (they: ok {})", facts["ok"]);
                continue;
            }
        };
        let (Some(window), Some(count)) = (facts["window"].as_array(), facts["occurrences"].as_u64()) else {
            continue;
        };
        let day = |value: &Value| {
            let text = value.as_str().expect("a date").replace('-', "");
            hub_ical::Time::parse(&text, None).expect("a date").local()
        };
        let (from, to) = (day(&window[0]), day(&window[1]));
        let mut found = 0;
        for calendar in document.roots() {
            let zones = Zones::of(Some(calendar));
            let objects = match calendar.name() {
                "VCALENDAR" => Object::all(calendar, &zones),
                // A part of a calendar, which no client may store.
                _ => continue,
            };
            for object in objects {
                let is_event = |entry: &hub_ical::Entry<'_>| entry.kind == hub_ical::Kind::Event;
                if object.master.iter().chain(&object.overrides).any(is_event) {
                    let here = object.occurrences(from, to, &Zone::UTC, 100_000).len() as u64;
                    let theirs = &facts["occurrences_by_uid"][&object.uid];
                    if theirs.as_u64().is_some_and(|count| count != here) {
                        println!("  {}: {here}, they {theirs}", object.uid);
                    }
                    found += here;
                }
            }
        }
        if !bytes.windows(15).any(|window| window == b"BEGIN:VCALENDAR") {
            continue;
        }
        if found == count {
            same += 1;
        } else {
            different += 1;
            println!("{name}: {found}, they {count}");
        }
    }
    println!("{same} the same, {different} different, {refused} refused");
}
