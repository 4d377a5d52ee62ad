//! Records and histories that another implementation made: `tests/vectors/identity.json`.

use hub_identity::{History, Merged, Record, Refusal, SecretKey, Value};
use proptest::prelude::*;
use serde_json::Value as Json;

fn vectors() -> Json {
    serde_json::from_str(include_str!("../../../tests/vectors/identity.json")).expect("JSON")
}

fn list<'a>(value: &'a Json, name: &str) -> &'a [Json] {
    value[name].as_array().expect("a list")
}

fn record(value: &Json) -> Result<Record, Refusal> {
    Record::parse(value.to_string().as_bytes())
}

fn records(value: &[Json]) -> Vec<Record> {
    value.iter().map(|value| record(value).expect("a record")).collect()
}

#[test]
fn keys() {
    for key in list(&vectors(), "keys") {
        let hex = key["seed"].as_str().expect("text");
        let octet = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex");
        let seed: [u8; 32] = std::array::from_fn(octet);
        let secret = SecretKey::from_seed(&seed).expect("a key");
        assert_eq!(secret.public().to_string(), key["public"].as_str().expect("text"));
    }
}

#[test]
fn canonical_bytes_hashes_and_ids() {
    for vector in list(&vectors(), "records") {
        let record = record(&vector["record"]).expect("a record");
        assert_eq!(record.to_canonical(), vector["canonical"].as_str().expect("text"), "{}", vector["name"]);
        assert_eq!(record.hash().to_string(), vector["hash"].as_str().expect("text"));
        assert_eq!(record.id().to_string(), vector["id"].as_str().expect("text"));
        let signed = Value::parse(vector["signed"].as_str().expect("text").as_bytes()).expect("a value");
        assert_eq!(signed.to_canonical(), vector["signed"].as_str().expect("text"));
    }
}

#[test]
fn malformed_records() {
    for vector in list(&vectors(), "malformed") {
        assert!(record(&vector["record"]).is_err(), "{}", vector["name"]);
    }
}

#[test]
fn histories() {
    for vector in list(&vectors(), "histories") {
        let now = vector["now"].as_i64().expect("a time");
        let seen: Vec<i64> = list(vector, "seen").iter().map(|time| time.as_i64().expect("a time")).collect();
        let (known, offered) = (records(list(vector, "known")), records(list(vector, "offered")));
        let offered = History::new(offered, now);
        let outcome = if known.is_empty() {
            offered.map(|_| "new".to_owned())
        } else {
            let mut history = History::new(known.clone(), now).expect("a history");
            let before = history.clone();
            let merged = offered.and_then(|offered| history.merge(&offered, &seen, now));
            assert!(merged.is_ok() || history == before, "a refusal changes nothing");
            merged.map(|merged| match merged {
                Merged::Extended(versions) => format!("extended {versions}"),
                Merged::Overruled(from) => format!("overruled {from}"),
                Merged::Unchanged => "unchanged".to_owned(),
            })
        };
        let outcome = outcome.unwrap_or_else(|refusal| match refusal {
            Refusal::AnotherTwin => "another twin".to_owned(),
            Refusal::Broken => "broken".to_owned(),
            Refusal::Forked(seq) => format!("forked {seq}"),
            Refusal::FromTheFuture => "from the future".to_owned(),
            Refusal::RolledBack(seq) => format!("rolled back {seq}"),
            Refusal::Unsigned => "unsigned".to_owned(),
            other => other.to_string(),
        });
        assert_eq!(outcome, vector["outcome"].as_str().expect("text"), "{}", vector["name"]);
    }
}

#[test]
fn one_version_at_a_time() {
    let vectors = vectors();
    let vector = |name: &str| {
        let found = list(&vectors, "histories").iter().find(|vector| vector["name"] == name);
        let vector = found.expect("a vector");
        (records(list(vector, "known")), records(list(vector, "offered")))
    };
    let now = 1_793_491_200 + 3 * 86_400;
    let (known, offered) = vector("a rescue from more");
    let mut history = History::new(known, now).expect("a history");
    let mut refused = history.clone();
    let rescue = offered[1].clone();
    assert_eq!(refused.accept(rescue.clone(), &[0, 0, 0], now), Err(Refusal::Forked(2)), "long ago");
    assert_eq!(history.accept(rescue.clone(), &[now; 3], now), Ok(Merged::Overruled(2)));
    assert_eq!(history.current(), &rescue);
    assert_eq!(history.version(2), Some(&rescue));
    assert_eq!((history.version(0), history.version(3)), (None, None));
    let (_, three) = vector("a new twin");
    let mut history = History::new(three[..1].to_vec(), now).expect("a history");
    assert_eq!(history.accept(three[2].clone(), &[now], now), Err(Refusal::Broken), "one is missing");
    assert_eq!(history.accept(three[1].clone(), &[now], now), Ok(Merged::Extended(1)));
    assert_eq!(history.accept(three[0].clone(), &[now; 2], now), Err(Refusal::RolledBack(2)));
}

proptest! {
    /// Whatever is changed in a version, nobody believes it.
    #[test]
    fn no_octet_can_be_changed(at in 0_usize..4096, bit in 0..8_u32) {
        let vectors = vectors();
        let known = records(list(&list(&vectors, "histories")[0], "offered"));
        let mut text = known[1].to_canonical().into_bytes();
        let at = at % text.len();
        text[at] ^= 1_u8 << bit;
        if let Ok(changed) = Record::parse(&text) {
            let history = History::new([known[0].clone(), changed], 1_793_491_200 + 9 * 86_400);
            prop_assert!(history.is_err(), "{}", String::from_utf8_lossy(&text));
        }
    }
}
