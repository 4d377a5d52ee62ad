//! A content filter on the MX port: Debian's rspamd over the milter protocol.

use crate::harness::{ALICE, Hub, message};
use crate::postgres::free_port;
use crate::rspamd::Rspamd;

/// Test patterns of rspamd: the first is refused, the second marked as spam.
const GTUBE: &str = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";
const MARKED: &str = "YJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";

#[test]
fn rspamd_refuses_marks_and_lets_pass() {
    if !Rspamd::is_installed() {
        return;
    }
    let rspamd = Rspamd::start();
    let hub = Hub::start_with_config(&format!("[milter]\naddress = \"127.0.0.1:{}\"\n", rspamd.port()));
    let spam = message("sender@elsewhere.test", ALICE, "spam", &format!("{GTUBE}\r\n"));
    let mut smtp = hub.smtp();
    let refused = smtp.send("sender@elsewhere.test", &[ALICE], &spam);
    assert_eq!((refused.code, &refused.lines[0][..5]), (554, "5.7.1"), "{refused:?}");

    let marked = message("sender@elsewhere.test", ALICE, "marked", &format!("{MARKED}\r\n"));
    smtp.send("sender@elsewhere.test", &[ALICE], &marked).expect_code(250);
    let kept = hub.arrived(ALICE, "marked");
    assert!(kept.ends_with(&marked), "kept byte for byte: {}", String::from_utf8_lossy(&kept));
    let front = String::from_utf8_lossy(&kept[..kept.len() - marked.len()]).into_owned();
    assert!(front.contains("\r\nX-Spam: Yes\r\n"), "{front}");

    // Larger than one packet of the protocol.
    let ham = message("sender@elsewhere.test", ALICE, "ham", &"A line like any other.\r\n".repeat(10_000));
    smtp.send("sender@elsewhere.test", &[ALICE], &ham).expect_code(250);
    smtp.quit();
    let kept = hub.arrived(ALICE, "ham");
    assert!(kept.ends_with(&ham));
    assert!(!String::from_utf8_lossy(&kept).contains("X-Spam: Yes"));
}

#[test]
fn without_the_filter_mail_waits_or_passes_as_configured() {
    let port = free_port();
    for (on_error, code) in [("tempfail", 451), ("accept", 250)] {
        let config = format!("[milter]\naddress = \"127.0.0.1:{port}\"\non_error = \"{on_error}\"\n");
        let hub = Hub::start_with_config(&config);
        let sent = message("sender@elsewhere.test", ALICE, "alone", "x\r\n");
        hub.smtp().send("sender@elsewhere.test", &[ALICE], &sent).expect_code(code);
        assert!(hub.log().contains("the content filter could not be asked"));
    }
}
