//! Chromium without a screen, by WebDriver (W3C) over HTTP to `chromedriver`.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::harness::{Hub, PATIENCE, wait_until};

/// What WebDriver calls the reference to an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Whether pages may run scripts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scripts {
    Off,
    On,
}

/// A browser with a window; dropping it ends it.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

impl Browser {
    pub(crate) fn start(hub: &Hub, scripts: Scripts) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", hub.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver");
        let mut lines = BufReader::new(driver.stdout.take().expect("its output")).lines();
        let port = loop {
            let line = lines.next().expect("it says where it listens").expect("text");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim_end_matches('.').parse().expect("a port");
            }
        };
        // Else it would stop once the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        let mut browser = Self { driver, port, session: String::new() };
        let profile = hub.path(if scripts == Scripts::On { "chromium" } else { "chromium-without-scripts" });
        let options = json!({
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                format!("--user-data-dir={}", profile.display()),
            ],
            "prefs": match scripts {
                Scripts::On => json!({}),
                Scripts::Off => json!({ "profile.managed_default_content_settings.javascript": 2 }),
            },
        });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "acceptInsecureCerts": true,
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
        }}});
        let session = browser.ask("POST", "/session", &wanted);
        browser.session = format!("/session/{}", session["sessionId"].as_str().expect("a session"));
        browser
    }

    /// The value of the answer; an error is a failed test.
    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        match self.try_ask(method, path, body) {
            Ok(value) => value,
            Err(why) => panic!("{method} {path} {body}: {why}"),
        }
    }

    fn try_ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {}{path} HTTP/1.1\r\nHost: localhost:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.session,
            self.port,
            body.len()
        );
        let broken = |error: io::Error| Value::String(error.to_string());
        let mut answer: Value =
            serde_json::from_str(&self.exchange(&request).map_err(broken)?).expect("JSON");
        let value = answer["value"].take();
        if value["error"].is_string() { Err(value) } else { Ok(value) }
    }

    /// The body of the answer. The driver keeps connections, whatever it is told.
    fn exchange(&self, request: &str) -> io::Result<String> {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.write_all(request.as_bytes())?;
        let (mut reader, mut length) = (BufReader::new(socket), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            match line.trim_end().to_ascii_lowercase().split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().expect("a length"),
                Some(_) => {}
                None if line.trim_end().is_empty() => break,
                None => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        String::from_utf8(body).map_err(io::Error::other)
    }

    #[track_caller]
    pub(crate) fn open(&self, url: &str) {
        self.ask("POST", "/url", &json!({ "url": url }));
    }

    pub(crate) fn url(&self) -> String {
        self.ask("GET", "/url", &Value::Null).as_str().expect("a URL").to_owned()
    }

    /// The element that a CSS selector finds first, as soon as there is one.
    #[track_caller]
    fn element(&self, selector: &str) -> String {
        let wanted = json!({ "using": "css selector", "value": selector });
        wait_until(selector, || {
            let found = self.try_ask("POST", "/element", &wanted).ok()?;
            Some(format!("/element/{}", found[ELEMENT].as_str()?))
        })
    }

    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        self.ask("POST", &format!("{}/click", self.element(selector)), &json!({}));
    }

    /// Types into a field; for a field of files, their paths, a line each.
    #[track_caller]
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        self.ask("POST", &format!("{}/value", self.element(selector)), &json!({ "text": text }));
    }

    #[track_caller]
    pub(crate) fn clear(&self, selector: &str) {
        self.ask("POST", &format!("{}/clear", self.element(selector)), &json!({}));
    }

    #[track_caller]
    pub(crate) fn text(&self, selector: &str) -> String {
        let text = self.ask("GET", &format!("{}/text", self.element(selector)), &Value::Null);
        text.as_str().expect("text").to_owned()
    }

    /// Waits until an element has this text in it.
    #[track_caller]
    pub(crate) fn wait_for(&self, selector: &str, text: &str) {
        let wanted = json!({ "using": "css selector", "value": selector });
        wait_until(text, || {
            let found = self.try_ask("POST", "/element", &wanted).ok()?;
            let path = format!("/element/{}/text", found[ELEMENT].as_str()?);
            let shown = self.try_ask("GET", &path, &Value::Null).ok()?;
            shown.as_str().filter(|shown| shown.contains(text)).map(drop)
        });
    }

    /// The value of an expression of JavaScript.
    #[track_caller]
    pub(crate) fn evaluate(&self, expression: &str) -> Value {
        self.ask("POST", "/execute/sync", &json!({ "script": format!("return {expression}"), "args": [] }))
    }

    pub(crate) fn forget_cookies(&self) {
        self.ask("DELETE", "/cookie", &json!({}));
    }

    /// What the browser complained of since the last time.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.ask("POST", "/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// As for people who want dark pages.
    pub(crate) fn prefer(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.emulate("Emulation.setEmulatedMedia", &features);
    }

    fn emulate(&self, command: &str, parameters: &Value) {
        self.ask("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }));
    }

    /// Keeps a picture of the page, for people to look at, if `HUB_TESTS_PICTURES` names a folder; on a
    /// screen of this size.
    pub(crate) fn picture(&self, name: &str, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.emulate("Emulation.setDeviceMetricsOverride", &size);
        let picture = self.ask("GET", "/screenshot", &Value::Null);
        let picture = BASE64_STANDARD.decode(picture.as_str().expect("base64")).expect("base64");
        assert!(picture.starts_with(b"\x89PNG"));
        if let Some(folder) = std::env::var_os("HUB_TESTS_PICTURES") {
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(Path::new(&folder).join(format!("{name}.png")), picture).expect("a picture");
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its end takes the browser with it; without it the driver is ended alone.
        let _ = self.try_ask("DELETE", "", &Value::Null);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
