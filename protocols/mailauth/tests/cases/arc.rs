//! The ARC test suite.

use hub::AuthResult;
use serde_json::Value;

use crate::dkim::{evaluate, split};
use crate::zone::Zone;

const VALIDATION: &str = include_str!("../data/arc/arc-validation-tests.json");

pub(crate) fn zone(scenario: &Value) -> Zone {
    let mut zone = Zone::default();
    for (name, record) in scenario["txt-records"].as_object().expect("records") {
        zone.txt(name, &record.as_str().expect("text").replace('\n', ""));
    }
    zone
}

#[tokio::test]
async fn arc_validation_suite() {
    let suite: Value = serde_json::from_str(VALIDATION).expect("JSON");
    let (mut run, mut wrong) = (0, Vec::new());
    for scenario in suite.as_array().expect("scenarios") {
        let served = zone(scenario).serve();
        let authenticator = served.authenticator();
        for (name, case) in scenario["tests"].as_object().expect("tests") {
            run += 1;
            let expected = match case["cv"].as_str() {
                Some("Pass") => AuthResult::Pass,
                // The suite says nothing of chains that had failed before: RFC 8617 §5.2, steps 2 and 3.
                Some("Fail" | "") => AuthResult::Fail,
                _ => AuthResult::None,
            };
            let found = evaluate(&authenticator, case["message"].as_str().unwrap_or_default()).await.arc;
            if found != expected {
                wrong.push(format!("{name} ({}): {found} instead of {expected}", case["description"]));
            }
        }
    }
    assert_eq!(run, 101);
    assert!(wrong.is_empty(), "{} of {run}:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn sealed_messages() {
    for text in [include_str!("../data/arc/messages/001.txt"), include_str!("../data/arc/messages/002.txt")] {
        let (zone, message) = split(text);
        let verdict = evaluate(&zone.serve().authenticator(), message).await;
        assert_eq!(verdict.arc, AuthResult::Pass);
        assert!(verdict.arc_sealer.is_some());
    }
}
