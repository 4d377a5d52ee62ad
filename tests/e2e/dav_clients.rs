//! Clients of calendars and contacts that Debian does not have: caldav-server-tester, which asks a server what
//! it supports, tsdav and ical.js.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::{ALICE, Hub, PASSWORD, assert_success, has_program, skip};
use crate::twin::python_with;

/// What caldav-server-tester does not find full support for, and why that is as it should be.
const STATED: &[(&str, &str)] = &[
    ("calendar-color.name", "Apple's calendar-color is #RRGGBB or #RRGGBBAA, no name"),
    ("principal-search", "it asks with an empty prop, what it wants stands behind it (RFC 3744 §9.4)"),
    ("save-load.event.timezone", "it looks at the event by a module (vobject) that does not come with it"),
    ("scheduling.auto-schedule", "it has one twin only; tests/e2e has what goes between two"),
    ("scheduling.freebusy-query", "the same"),
    ("scheduling.mailbox.inbox-delivery", "the same"),
    ("scheduling.schedule-tag.stable-partstat", "the same"),
    (
        "search.text.comp-type-optional",
        "RFC 4791 §9.7.1: a prop-filter is of the component that it stands in",
    ),
    ("search.time-range.comp-type-optional", "RFC 4791 §9.9: there is no time range of a whole calendar"),
    ("url.encode-at.identity", "its second object has the UID of the first (RFC 4791 §5.3.2.1)"),
    ("well-known", "it does not ask localhost"),
];

#[test]
fn client_caldav_server_tester() {
    let Some(python) = python_with("caldav-server-tester", "1.7.0", "caldav_server_tester") else { return };
    let hub = Hub::start();
    let url = format!("http://localhost:{}/", hub.ports().http);
    let program = python.with_file_name("caldav-server-tester");
    let output = Command::new(program)
        .args(["--format", "json", "--caldav-url", &url, "--caldav-username", ALICE])
        .args(["--caldav-password", PASSWORD])
        .env("HOME", hub.data())
        .output()
        .expect("start of caldav-server-tester");
    assert_success(&output, &["caldav-server-tester"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let report: Value = serde_json::from_str(&text[text.find('{').expect("JSON")..]).expect("JSON");
    let features = report["features"].as_object().expect("features");
    assert!(features.len() > STATED.len(), "{text}");
    let is_full = |feature: &Value| feature["support"] == "full";
    let is_stated = |name: &str| STATED.iter().any(|(stated, _)| *stated == name);
    let lacking = features.iter().filter(|(name, feature)| !is_full(feature) && !is_stated(name));
    let lacking: Vec<String> = lacking.map(|(name, feature)| format!("{name}: {feature}")).collect();
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
    for (name, why) in STATED {
        assert!(features.get(*name).is_some_and(|feature| !is_full(feature)), "{name} is full now: {why}");
    }
}

/// From npm, with what they need.
const MODULES: &[&str] = &["ical.js@2.2.1", "tsdav@2.3.4"];

/// A folder in which Node finds these modules; `None` is a loud skip.
fn node_modules() -> Option<PathBuf> {
    if !has_program("node", "nodejs") || !has_program("npm", "npm") {
        return None;
    }
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("node-{}", MODULES.join("-")));
    std::fs::create_dir_all(&home).expect("a folder");
    let is_there = || ["ical.js", "tsdav"].iter().all(|name| home.join("node_modules").join(name).is_dir());
    if !is_there() {
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
        let installed = npm.arg(&home).args(MODULES).output();
        if !installed.is_ok_and(|output| output.status.success()) || !is_there() {
            skip("tsdav and ical.js of npm");
            return None;
        }
    }
    Some(home)
}

/// tsdav finds calendars and contacts from the hub's address, makes, changes and synchronises them; ical.js
/// reads what the hub expands.
#[test]
fn client_tsdav_with_ical_js() {
    let Some(modules) = node_modules() else { return };
    let hub = Hub::start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/scripts/tsdav_session.mjs");
    let url = format!("http://localhost:{}/", hub.ports().http);
    let output = Command::new("node")
        .current_dir(modules)
        .arg(script)
        .args([&url, ALICE, PASSWORD])
        .output()
        .expect("start of node");
    assert_success(&output, &["tsdav_session.mjs"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("all done"));
}
