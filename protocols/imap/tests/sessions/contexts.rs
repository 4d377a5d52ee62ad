//! Searches that are kept up to date: whoever replays the updates has what a new search finds.

use std::collections::BTreeSet;

use hub_imap::Settings;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::pipe::Client;
use crate::world::World;

const CASES: u32 = 24;
/// What is followed, by UID (even places) and by sequence number.
const SEARCHES: [&str; 5] =
    ["FLAGGED", "OR SEEN NOT FLAGGED", "NOT UID 2 UNDELETED", "UID 2:4 UNSEEN", "ALL"];

#[derive(Clone, Debug)]
enum Act {
    Append,
    Expunge,
    /// By the session that follows or by another: which message, and how.
    Store(bool, u8, &'static str),
}

fn act() -> impl Strategy<Value = Act> {
    let changes = [
        "+FLAGS (\\Flagged)",
        "-FLAGS (\\Flagged)",
        "FLAGS.SILENT (\\Seen)",
        "FLAGS.SILENT ()",
        "+FLAGS (\\Deleted \\Seen)",
    ];
    prop_oneof![
        2 => Just(Act::Append),
        1 => Just(Act::Expunge),
        6 => (any::<bool>(), 1..5u8, proptest::sample::select(changes.to_vec()))
            .prop_map(|(own, message, change)| Act::Store(own, message, change)),
    ]
}

/// A client with results that it keeps by what it is told.
struct Follower {
    client: Client,
    results: [BTreeSet<u64>; SEARCHES.len()],
}

impl Follower {
    /// Sends a command and takes in what is said until its end; returns the last SEARCH response.
    async fn command(&mut self, tag: &str, command: &str) -> BTreeSet<u64> {
        self.client.send_later(&format!("{tag} {command}"));
        let mut found = BTreeSet::new();
        loop {
            let line = self.client.line().await.expect("a line");
            if line.starts_with(&format!("{tag} ")) {
                return found;
            }
            let words: Vec<&str> = line.split([' ', '(', ')', '"']).filter(|word| !word.is_empty()).collect();
            match words.as_slice() {
                ["*", number, "EXPUNGE"] => self.expunge(number.parse().expect("a number")),
                ["*", "SEARCH", numbers @ ..] => {
                    found = numbers.iter().flat_map(|set| members(set)).collect()
                }
                ["*", "ESEARCH", "TAG", tag, items @ ..] => self.update(tag, items),
                _ => {}
            }
        }
    }

    fn expunge(&mut self, number: u64) {
        for results in self.results.iter_mut().skip(1).step_by(2) {
            assert!(!results.contains(&number), "REMOVEFROM comes before EXPUNGE");
            let shifted = results.iter().map(|&result| if result > number { result - 1 } else { result });
            *results = shifted.collect();
        }
    }

    fn update(&mut self, tag: &str, items: &[&str]) {
        let results = &mut self.results[tag[1..].parse::<usize>().expect("one of our tags")];
        let mut items = items.iter().filter(|&&item| item != "UID" && item != "0");
        while let (Some(&word), Some(set)) = (items.next(), items.next()) {
            for member in members(set) {
                // Nothing is said twice.
                assert!(if word == "REMOVEFROM" { results.remove(&member) } else { results.insert(member) });
            }
        }
    }
}

/// The numbers of a set.
fn members(set: &str) -> impl Iterator<Item = u64> {
    set.split(',').flat_map(|range| {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        first.parse().expect("a number")..=last.parse().expect("a number")
    })
}

fn uid(at: usize) -> &'static str {
    if at.is_multiple_of(2) { "UID " } else { "" }
}

async fn select(world: &World, twin: &str) -> Client {
    let mut client = Client::connect(world, true);
    client.line().await.expect("a greeting");
    client.command(&format!("LOGIN {twin} secret")).await.expect("logged in");
    client.command("SELECT INBOX").await.expect("selected");
    client
}

async fn play(world: &World, twin: &str, acts: &[Act]) -> Result<(), TestCaseError> {
    world.append(twin, 3).await;
    let mut follower = Follower { client: select(world, twin).await, results: Default::default() };
    let mut other = select(world, twin).await;
    for (at, key) in SEARCHES.iter().enumerate() {
        let command = format!("{}SEARCH RETURN (UPDATE ALL) {key}", uid(at));
        follower.command(&format!("k{at}"), &command).await;
    }
    for act in acts {
        match act {
            Act::Append => world.append(twin, 1).await,
            Act::Expunge => drop(follower.command("a", "EXPUNGE").await),
            Act::Store(true, message, change) => {
                follower.command("a", &format!("UID STORE {message} {change}")).await;
            }
            Act::Store(false, message, change) => {
                other.command(&format!("UID STORE {message} {change}")).await.map_err(TestCaseError::fail)?;
            }
        }
    }
    follower.command("a", "NOOP").await;
    for (at, key) in SEARCHES.iter().enumerate() {
        let found = follower.command("a", &format!("{}SEARCH {key}", uid(at))).await;
        prop_assert_eq!(&follower.results[at], &found, "{}", key);
    }
    Ok(())
}

#[test]
fn updates_lead_to_what_a_new_search_finds() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = runtime.block_on(World::new(Settings::default()));
    let config =
        Config { cases: CASES, failure_persistence: None, max_shrink_iters: 50, ..Config::default() };
    let twins = std::cell::Cell::new(0);
    let played = TestRunner::new(config).run(&proptest::collection::vec(act(), 1..20), |acts| {
        twins.set(twins.get() + 1);
        runtime.block_on(async {
            let twin = world.twin(&format!("follower{}", twins.get())).await;
            play(&world, &twin, &acts).await
        })
    });
    if let Err(failure) = played {
        panic!("{failure}");
    }
}
