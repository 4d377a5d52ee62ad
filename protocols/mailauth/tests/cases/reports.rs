//! Aggregate reports (RFC 9990), sent and received.

use std::io::Write as _;

use hub::{AuthResult, DmarcFacts, DmarcPolicy};
use hub_mailauth::{Reporting, read_report};
use mail_auth::flate2::{Compression, write::GzEncoder};

use crate::zone::{Entry, Zone};

fn facts(source: &str, dkim_aligned: bool) -> DmarcFacts {
    DmarcFacts {
        source: source.parse().expect("an address"),
        header_from: "a.example".into(),
        envelope_from: "bounce.a.example".into(),
        of_helo: false,
        spf: AuthResult::Fail,
        spf_aligned: false,
        dkim: vec![("a.example".into(), "s1".into(), AuthResult::Pass)],
        dkim_aligned,
        action: DmarcPolicy::None,
    }
}

const DAY: i64 = 20_000;

#[tokio::test]
async fn a_report_is_read_as_it_was_made() {
    let mut zone = Zone::default();
    zone.txt(
        "_dmarc.a.example",
        "v=DMARC1; p=reject; rua=mailto:d@a.example,mailto:x@agreed.example,mailto:y@not.example",
    );
    zone.txt("a.example._report._dmarc.agreed.example", "v=DMARC1;");
    let authenticator = zone.serve().authenticator();
    let counted = [(facts("192.0.2.1", true), 7), (facts("2001:db8::1", false), 2)];
    let made = authenticator.report(DAY, "a.example", &counted, "postmaster@us.example").await;
    let Reporting::Made(made) = made else { panic!("{made:?}") };
    assert_eq!(made.recipients, ["d@a.example", "x@agreed.example"], "who has not agreed gets nothing");
    let text = String::from_utf8_lossy(&made.message).into_owned();
    assert!(text.contains("Report Domain: a.example\r\n"), "{text}");
    assert!(!text.contains("not.example"), "{text}");

    let read = read_report(&made.message).expect("a report");
    assert_eq!((read.passed, read.failed), (7, 2));
    assert_eq!((read.domain.as_str(), read.organisation.as_str()), ("a.example", "receiver.example"));
    assert_eq!((read.begins_at, read.ends_at), (DAY * 86_400, (DAY + 1) * 86_400 - 1));
}

#[tokio::test]
async fn who_wants_no_report_gets_none() {
    let mut zone = Zone::default();
    zone.txt("_dmarc.silent.example", "v=DMARC1; p=reject");
    zone.txt("_dmarc.victim.example", "v=DMARC1; p=none; rua=mailto:boss@other.example");
    zone.txt("_dmarc.parent.example", "v=DMARC1; p=none; rua=mailto:d@parent.example");
    zone.add("_dmarc.shaky.example", Entry::Trouble);
    let authenticator = zone.serve().authenticator();
    let counted = [(facts("192.0.2.1", true), 1)];
    for (domain, expected) in [
        ("silent.example", Some(Reporting::Unwanted)),
        ("victim.example", Some(Reporting::Unwanted)),
        ("nothing.example", Some(Reporting::Unwanted)),
        ("shaky.example", Some(Reporting::Later)),
        ("below.parent.example", None),
    ] {
        let made = authenticator.report(DAY, domain, &counted, "postmaster@us.example").await;
        match expected {
            Some(expected) => assert_eq!(made, expected, "{domain}"),
            None => assert!(matches!(made, Reporting::Made(_)), "{domain}: {made:?}"),
        }
    }
}

#[test]
fn reports_of_large_providers() {
    for (text, organisation, report, begins_at, sums) in [
        (
            &include_bytes!("../data/dmarc/100.eml")[..],
            "google.com",
            "5264580628977113351",
            1_669_507_200,
            (1, 0),
        ),
        (
            include_bytes!("../data/dmarc/101.eml"),
            "\"backschues.NET",
            "stalw.art.1667948400.1668034800",
            1_667_948_400,
            (0, 1),
        ),
        (
            include_bytes!("../data/dmarc/102.eml"),
            "Mail.Ru",
            "28551467700969547611667865600",
            1_667_865_600,
            (0, 1),
        ),
        (
            include_bytes!("../data/dmarc/103.eml"),
            "Outlook.com",
            "725cbfbe133940149987cfc528387235",
            1_666_483_200,
            (0, 1),
        ),
        (
            include_bytes!("../data/dmarc/104.eml"),
            "AMAZON-SES",
            "6b06c366-0631-4ca0-8337-f5aecf137918",
            1_663_545_600,
            (0, 1),
        ),
    ] {
        let read = read_report(text).expect(organisation);
        assert_eq!((read.domain.as_str(), read.organisation.as_str()), ("stalw.art", organisation));
        assert_eq!(
            (read.report.as_str(), read.begins_at, (read.passed, read.failed)),
            (report, begins_at, sums)
        );
    }
}

#[test]
fn bombs_are_not_unpacked() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(b"<feedback><record>").expect("packed");
    for _ in 0..200 {
        packed.write_all(&[b' '; 1 << 20]).expect("packed");
    }
    let packed = packed.finish().expect("packed");
    assert!(packed.len() < 1 << 20);
    let encoded: String = packed.iter().map(|byte| format!("={byte:02X}")).collect();
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(60).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    let message = format!(
        "Content-Type: application/gzip; name=x.xml.gz\r\nContent-Transfer-Encoding: quoted-printable\r\n\
         Content-Disposition: attachment; filename=x.xml.gz\r\n\r\n{}\r\n",
        lines.join("=\r\n")
    );
    assert_eq!(read_report(message.as_bytes()), None);
    assert_eq!(read_report(b"Subject: x\r\n\r\nno report\r\n"), None);
    assert_eq!(read_report(b""), None);
}
