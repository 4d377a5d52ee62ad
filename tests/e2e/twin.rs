//! The native API, with clients that know nothing of us.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{ALICE, BOB, Hub, PASSWORD, assert_success, message, skip};

/// A Python with a client that Debian does not have, from PyPI; `None` is a loud skip.
pub(crate) fn python_with(package: &str, version: &str, module: &str) -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{package}-{version}"));
    let python = home.join("bin/python3");
    let runs = |program: &Path, arguments: &[&str]| {
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    let has_client = || runs(&python, &["-c", &format!("import {module}")]);
    let install = || {
        runs(Path::new("python3"), &["-m", "venv", &home.to_string_lossy()])
            && runs(&python, &["-m", "pip", "install", "--quiet", &format!("{package}=={version}")])
    };
    if has_client() || (install() && has_client()) {
        return Some(python);
    }
    skip(&format!("{package} of PyPI"));
    None
}

/// jmapc over TLS: a session found by its well-known URL, an upload, a draft that is sent to another twin, an
/// event, and what the other one has got.
#[test]
fn client_jmapc() {
    let Some(python) = python_with("jmapc", "0.4.0", "jmapc") else { return };
    let hub = Hub::start();
    hub.deliver(ALICE, &message(BOB, ALICE, "before", "text"));
    hub.arrived(ALICE, "before");
    let attached = hub.path("attached.eml");
    std::fs::write(&attached, message(BOB, ALICE, "attached", "inner")).expect("written");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/scripts/jmapc_session.py");
    let output = Command::new(python)
        .arg(script)
        .args([&format!("localhost:{}", hub.ports().https), ALICE, PASSWORD, BOB])
        .arg(&attached)
        .env("REQUESTS_CA_BUNDLE", &hub.ports().ca)
        .output()
        .expect("runs");
    assert_success(&output, &["jmapc"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "before");
    let got = hub.arrived(BOB, "from jmapc");
    assert!(!String::from_utf8_lossy(&got).is_empty());
}

/// jmaplib over TLS: its strict models take every answer, and its table of capabilities has all of ours.
#[test]
fn client_jmaplib() {
    let Some(python) = python_with("jmaplib", "3.0.1", "jmap") else { return };
    let hub = Hub::start();
    hub.deliver(ALICE, &message(BOB, ALICE, "before", "text"));
    hub.arrived(ALICE, "before");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/scripts/jmaplib_session.py");
    let output = Command::new(python)
        .arg(script)
        .args([&format!("localhost:{}", hub.ports().https), ALICE, PASSWORD])
        .arg(&hub.ports().ca)
        .output()
        .expect("runs");
    assert_success(&output, &["jmaplib"]);
}

/// schemathesis makes requests of the OpenAPI document, good ones and bad ones, and compares every answer with it.
/// Left out: streams, which do not end; and the expectation that whatever the schema allows is taken, because what
/// an e-mail or a mailbox may look like is told by problem details, not by the schema.
#[test]
fn client_schemathesis() {
    let Some(python) = python_with("schemathesis", "4.32.5", "schemathesis") else { return };
    let hub = Hub::start();
    hub.deliver(ALICE, &message(BOB, ALICE, "before", "text"));
    hub.arrived(ALICE, "before");
    let document = format!("https://localhost:{}/api/v1/openapi.json", hub.ports().https);
    let output = Command::new(python.with_file_name("schemathesis"))
        .current_dir(hub.path(""))
        .args(["run", &document, "--auth", &format!("{ALICE}:{PASSWORD}")])
        .args(["--tls-verify", &hub.ports().ca.to_string_lossy()])
        .args(["--exclude-path", "/api/v1/events", "--exclude-checks", "positive_data_acceptance"])
        .args(["--max-examples", "15", "--seed", "1", "--continue-on-failure", "--no-color"])
        .output()
        .expect("runs");
    assert_success(&output, &["schemathesis"]);
}
