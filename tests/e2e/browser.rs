//! The pages for files, in Chromium.

use std::fs;

use crate::harness::{ALICE, BOB, Hub, PASSWORD, has_program};
use crate::webdriver::{Browser, Scripts};

/// A red dot, 1 by 1.
const PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0,
    0, 1, 8, 2, 0, 0, 0, 0x90, 0x77, 0x53, 0xde, 0, 0, 0, 0x0c, 0x49, 0x44, 0x41, 0x54, 0x08, 0xd7, 0x63,
    0xf8, 0xcf, 0xc0, 0, 0, 3, 1, 1, 0, 0x18, 0xdd, 0x8d, 0xb0, 0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae,
    0x42, 0x60, 0x82,
];
const PDF: &str = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n\
    2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
    3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj\n\
    4 0 obj<</Length 45>>stream\nBT /F 24 Tf 40 100 Td (A page of a PDF) Tj ET\nendstream endobj\n\
    5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n";
/// A page that would, on its own, take over the session.
const EVIL: &str = "<!doctype html><title>calm</title><script>document.title = 'taken over'</script>";

fn is_installed() -> bool {
    has_program("chromium", "chromium") && has_program("chromedriver", "chromium-driver")
}

fn origin(hub: &Hub) -> String {
    format!("https://localhost:{}", hub.ports().https)
}

fn log_in(browser: &Browser, hub: &Hub, twin: &str) {
    browser.open(&format!("{}/files/", origin(hub)));
    browser.fill("input[name=name]", twin);
    browser.fill("input[name=password]", PASSWORD);
    browser.click("main button");
    browser.wait_for("h1", "Files");
}

/// Files to send, in the hub's directory; their paths as a field of files wants them.
fn local_files(hub: &Hub) -> String {
    let files: [(&str, &[u8]); 4] = [
        ("Zürich.png", PNG),
        ("Plan.pdf", PDF.as_bytes()),
        ("evil.html", EVIL.as_bytes()),
        ("A file with quite a long name, so that it has to be broken on a phone.txt", b"Hello\n"),
    ];
    let paths = files.map(|(name, content)| {
        let path = hub.path(name);
        fs::write(&path, content).expect("a file");
        path.display().to_string()
    });
    paths.join("\n")
}

#[test]
fn client_chromium_with_scripts() {
    if !is_installed() {
        return;
    }
    let hub = Hub::start();
    let browser = Browser::start(&hub, Scripts::On);
    browser.open(&format!("{}/files/", origin(&hub)));
    browser.picture("login-phone", 390, 844);
    log_in(&browser, &hub, ALICE);
    browser.fill("form[action='?do=folder'] input", "Holidays");
    browser.click("form[action='?do=folder'] button");
    browser.wait_for(".done", "made");
    browser.fill("input[type=file]", &local_files(&hub));
    browser.picture("upload-desktop", 1200, 800);
    browser.click("#upload button");
    browser.wait_for(".done", "Everything has arrived");
    browser.wait_for("table", "Zürich.png");
    browser.picture("list-desktop", 1200, 800);
    browser.picture("list-phone", 390, 844);
    browser.prefer("dark");
    browser.picture("list-dark", 1200, 800);
    browser.prefer("light");

    // Previews are shown, and what could act is not.
    browser.open(&format!("{}/files/Z%C3%BCrich.png?details", origin(&hub)));
    let width = "document.querySelector('img.preview').naturalWidth";
    assert_eq!(browser.evaluate(width), 1);
    browser.picture("details-desktop", 1200, 1400);
    browser.picture("details-phone", 390, 844);
    browser.open(&format!("{}/files/Plan.pdf?details", origin(&hub)));
    browser.picture("pdf-desktop", 1200, 1000);
    let refused: Vec<String> =
        browser.complaints().into_iter().filter(|line| line.contains("Content Security Policy")).collect();
    assert!(refused.is_empty(), "{refused:?}");
    browser.open(&format!("{}/files/evil.html?raw", origin(&hub)));
    assert_ne!(browser.evaluate("document.title"), "taken over", "it is saved, not opened");

    // A name, the trash and back.
    browser.open(&format!("{}/files/Plan.pdf?details", origin(&hub)));
    browser.clear("input[name=name]");
    browser.fill("input[name=name]", "Plan 2.pdf");
    browser.click("form[action='?do=rename'] button");
    browser.wait_for("table", "Plan 2.pdf");
    browser.open(&format!("{}/files/Plan%202.pdf?details", origin(&hub)));
    browser.click("form[action='?do=delete'] button");
    browser.wait_for(".done", "trash");
    browser.click("header a[href='/files/?trash']");
    browser.wait_for(".rows", "Plan 2.pdf");
    browser.picture("trash-phone", 390, 844);
    browser.click(".rows button");
    browser.wait_for(".done", "back");

    // A link, for somebody who has nothing but its address.
    browser.open(&format!("{}/files/Z%C3%BCrich.png?details", origin(&hub)));
    browser.fill("form[action='?do=link'] input[name=password]", "sesame");
    browser.click("form[action='?do=link'] button");
    let address = browser.text(".address");
    browser.forget_cookies();
    browser.open(&address);
    browser.fill("input[name=password]", "wrong");
    browser.click("main button");
    browser.wait_for(".error", "not the password");
    browser.fill("input[name=password]", "sesame");
    browser.click("main button");
    browser.wait_for("h1", "Zürich.png");
    assert_eq!(browser.evaluate(width), 1);
    browser.picture("link-phone", 390, 844);
    browser.open(&format!("{}/files/", origin(&hub)));
    browser.wait_for("h1", "Log in");
}

/// Everything but the bar that shows how far an upload is.
#[test]
fn client_chromium_without_scripts() {
    if !is_installed() {
        return;
    }
    let hub = Hub::start();
    let browser = Browser::start(&hub, Scripts::Off);
    log_in(&browser, &hub, ALICE);
    browser.fill("input[type=file]", &local_files(&hub));
    browser.click("#upload button");
    browser.wait_for(".done", "Everything has arrived");
    browser.wait_for("table", "Zürich.png");
    browser.open(&format!("{}/files/Plan.pdf?details", origin(&hub)));
    browser.fill("form[action='?do=share'] input", BOB);
    browser.click("form[action='?do=share'] button");
    browser.wait_for(".rows", BOB);
    browser.click("header button");
    browser.wait_for("h1", "Log in");
    log_in(&browser, &hub, BOB);
    browser.click("a[href='./Shared%20with%20me/']");
    browser.wait_for("table", ALICE);
    browser.click("tbody a");
    browser.wait_for("table", "Plan.pdf");
    assert!(browser.url().ends_with(&format!("/files/Shared%20with%20me/{ALICE}/")), "{}", browser.url());
}
