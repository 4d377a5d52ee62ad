//! The same commands to this hub and to Debian's Dovecot: two readings of the same RFCs, compared.
//!
//! Scenes are in `differential/scenes/`, one for each area. What may differ by the RFCs is taken out
//! before answers are compared (`normal.rs`); where else we differ it is in
//! `differential/DIFFERENCES.md`, with the section that allows or asks for it. An entry there that has
//! no difference any more is an error as well. `SCENE=name` plays one scene.

mod conversations;
mod corpus;
mod messages;
mod normal;
mod script;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use messages::messages;
use script::{Difference, Side, play};

use crate::dovecot::Dovecot;
use crate::harness::{DOMAIN, Hub, PASSWORD};

#[test]
fn dovecot_answers_the_same() {
    if !Dovecot::is_installed() {
        return;
    }
    let wanted = std::env::var("SCENE").unwrap_or_default();
    let scenes: Vec<(String, String)> =
        scenes().into_iter().filter(|(name, _)| name.contains(&wanted)).collect();
    let users: Vec<String> = scenes.iter().map(|(name, _)| format!("{name}@{DOMAIN}")).collect();
    let hub = Hub::start();
    for user in &users {
        hub.add_twin(user, PASSWORD);
    }
    let dovecot = Dovecot::start(&users, "");
    let (messages, accepted) = (messages(), accepted());
    let mut total = 0;
    let mut problems = Vec::new();
    for ((name, scene), user) in scenes.iter().zip(&users) {
        let mut ours = Side::new(hub.ports().imap, user);
        let mut theirs = Side::new(dovecot.port(), user);
        let (count, differences) = play(scene, &messages, &mut ours, &mut theirs);
        total += count;
        judge(name, &differences, &accepted, &mut problems);
    }
    eprintln!("{total} commands were answered by both");
    assert!(problems.is_empty(), "{} problems:\n\n{}", problems.len(), problems.join("\n"));
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/differential")
}

/// Name and text of every scene, in alphabetical order.
fn scenes() -> Vec<(String, String)> {
    let mut scenes: Vec<(String, String)> = fs::read_dir(folder().join("scenes"))
        .expect("the scenes")
        .map(|entry| entry.expect("an entry").path())
        .map(|file| {
            let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&file).expect("readable"))
        })
        .collect();
    assert!(scenes.len() > 10, "scenes are missing");
    scenes.sort();
    scenes
}

/// A row of `DIFFERENCES.md`.
struct Accepted {
    scene: String,
    /// A `…` at its end stands for any rest.
    command: String,
}

impl Accepted {
    fn fits(&self, scene: &str, command: &str) -> bool {
        self.scene == scene
            && match self.command.strip_suffix('…') {
                Some(start) => command.starts_with(start),
                None => command == self.command,
            }
    }
}

fn accepted() -> Vec<Accepted> {
    let text = fs::read_to_string(folder().join("DIFFERENCES.md")).expect("readable");
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.split(" | ").map(|cell| cell.trim_matches('`').to_owned());
        let (scene, command, why) = (cells.next()?, cells.next()?, cells.next()?);
        why.starts_with("RFC ").then_some(Accepted { scene, command })
    };
    text.lines().filter_map(row).collect()
}

/// Adds differences that are not accepted, and accepted ones that are none.
fn judge(scene: &str, differences: &[Difference], accepted: &[Accepted], problems: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for difference in differences {
        let known = accepted.iter().position(|entry| entry.fits(scene, &difference.command));
        seen.extend(known);
        if known.is_none() {
            problems.push(report(scene, difference));
        }
    }
    let stale = accepted.iter().enumerate().filter(|(n, entry)| entry.scene == scene && !seen.contains(n));
    problems.extend(stale.map(|(_, entry)| format!("{scene}: {} does not differ any more", entry.command)));
}

/// The lines that only one of them has said: `-` is Dovecot's, `+` ours.
fn report(name: &str, difference: &Difference) -> String {
    let only = |sign: char, lines: &[String], others: &[String]| {
        let lines = lines.iter().filter(|line| !others.contains(line));
        lines.map(|line| format!("  {sign} {line}\n")).collect::<String>()
    };
    let Difference { command, ours, theirs } = difference;
    format!("{name}: {command}\n{}{}", only('-', theirs, ours), only('+', ours, theirs))
}
