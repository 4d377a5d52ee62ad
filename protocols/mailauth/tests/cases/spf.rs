//! The RFC 7208 test suite.

use hub_mailauth::Query;
use serde_json::Value;

use crate::zone::{Entry, Zone, address_entry, alias, latin1, mail_host, pointer, txt};

const SUITE: &str = include_str!("../data/spf/rfc7208-tests.json");

fn words(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        value => value.as_str().into_iter().collect(),
    }
}

fn zone(data: &Value) -> Zone {
    let mut zone = Zone::default();
    for (name, records) in data.as_object().expect("names") {
        let records = records.as_array().expect("records");
        let has_txt = records.iter().any(|record| record.get("TXT").is_some());
        for record in records {
            let Some(record) = record.as_object() else {
                zone.add(name, Entry::Trouble);
                continue;
            };
            for (kind, value) in record {
                let text = || value.as_str().expect("text");
                let entry = match kind.as_str() {
                    "A" | "AAAA" => address_entry(text()),
                    "CNAME" => alias(text()),
                    "MX" => mail_host(
                        value[0].as_u64().expect("a preference") as u16,
                        value[1].as_str().expect("a host"),
                    ),
                    "PTR" => pointer(text()),
                    // RFC 7208 §3.1: only TXT counts; in the suite SPF stands for both.
                    "SPF" if has_txt => continue,
                    "SPF" | "TXT" if value == "NONE" => continue,
                    "SPF" | "TXT" => txt(&words(value).into_iter().map(latin1).collect::<Vec<_>>()),
                    other => panic!("{other}?"),
                };
                zone.add(name, entry);
            }
        }
    }
    zone
}

#[tokio::test]
async fn rfc7208_test_suite() {
    let suite: Value = serde_json::from_str(SUITE).expect("JSON");
    let (mut run, mut wrong) = (0, Vec::new());
    for scenario in suite.as_array().expect("scenarios") {
        let served = zone(&scenario["zonedata"]).serve();
        let authenticator = served.authenticator();
        for (name, case) in scenario["tests"].as_object().expect("tests") {
            let text = |key: &str| case[key].as_str().unwrap_or_default();
            let (helo, sender) = (text("helo"), text("mailfrom"));
            let of_helo = format!("postmaster@{helo}");
            let sender = if sender.is_empty() { of_helo.as_str() } else { sender };
            let domain = sender.rsplit_once('@').map_or(sender, |(_, domain)| domain);
            let ip = text("host").parse().expect("an address");
            let query = Query { ip, domain, sender, helo, receiver: "receiver.example" };
            let answer = authenticator.spf(query).await;
            run += 1;
            let expected = words(&case["result"]);
            if !expected.contains(&answer.result.to_string().as_str()) {
                wrong.push(format!("{name}: {} instead of {expected:?}", answer.result));
            }
            let explanation = case["explanation"].as_str().filter(|text| *text != "DEFAULT");
            if explanation.is_some() && answer.explanation.as_deref() != explanation {
                wrong.push(format!("{name}: {:?} instead of {explanation:?}", answer.explanation));
            }
        }
    }
    assert_eq!(run, 137);
    assert!(wrong.is_empty(), "{} of {run}:\n{}", wrong.len(), wrong.join("\n"));
}
