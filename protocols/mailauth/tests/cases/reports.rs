//! Aggregate reports (RFC 9990), and those about TLS (RFC 8460), sent and received.

use std::io::Write as _;

use base64::Engine as _;
use hub::{
    AuthResult, DmarcFacts, DmarcPolicy, ReportKind, TlsFailure, TlsPolicy, TlsPolicyKind, TlsSession,
    Unsecured,
};
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

/// What a sender may have seen of a domain (RFC 8460, appendix B).
fn sessions() -> Vec<(TlsSession, u64)> {
    let policy = TlsPolicy {
        kind: TlsPolicyKind::Sts,
        domain: "a.example".into(),
        text: ["version: STSv1", "mode: testing", "mx: *.a.example", "max_age: 86400"]
            .map(str::to_owned)
            .into(),
    };
    let failed = |failure, reason: &str| Unsecured {
        failure,
        from: "2001:db8::1".parse().ok(),
        to: "192.0.2.1".parse().ok(),
        host: "mx.a.example".into(),
        reason: reason.into(),
    };
    let session = |failure| TlsSession { policy: policy.clone(), failure };
    let none = TlsPolicy { kind: TlsPolicyKind::NoPolicyFound, domain: "a.example".into(), text: Vec::new() };
    let unknown = Unsecured {
        from: None,
        to: None,
        host: String::new(),
        ..failed(TlsFailure::StarttlsNotSupported, "")
    };
    vec![
        (session(None), 5326),
        (session(Some(failed(TlsFailure::CertificateExpired, ""))), 100),
        (session(Some(failed(TlsFailure::StarttlsNotSupported, "454 4.7.0 no"))), 200),
        (TlsSession { policy: none, failure: Some(unknown) }, 3),
    ]
}

#[tokio::test]
async fn rfc8460_5_3_a_tls_report() {
    let mut zone = Zone::default();
    zone.txt("_smtp._tls.a.example", "v=TLSRPTv1; rua=mailto:t@a.example,https://a.example/tls");
    zone.add("_smtp._tls.shaky.example", Entry::Trouble);
    let authenticator = zone.serve().authenticator();
    let sender = "postmaster@us.example";
    let report = |domain| authenticator.tls_report(DAY, domain, &[], sender);
    assert_eq!(report("a.example").await, Reporting::Unwanted, "there is nothing to report");
    for (domain, expected) in [("silent.example", Reporting::Unwanted), ("shaky.example", Reporting::Later)] {
        assert_eq!(authenticator.tls_report(DAY, domain, &sessions(), sender).await, expected, "{domain}");
    }
    let made = authenticator.tls_report(DAY, "a.example", &sessions(), sender).await;
    let Reporting::Made(made) = made else { panic!("{made:?}") };
    assert_eq!(made.recipients, ["t@a.example"]);
    assert_eq!(made.urls, ["https://a.example/tls"]);
    let text = String::from_utf8_lossy(&made.message).into_owned();
    for field in [
        "TLS-Required: No\r\n",
        "TLS-Report-Domain: a.example\r\n",
        "TLS-Report-Submitter: us.example\r\n",
        "report-type=\"tlsrpt\"",
        "application/tlsrpt+gzip",
        "us.example!a.example!1728000000!1728086399.json.gz",
    ] {
        assert!(text.contains(field), "{field}: {text}");
    }
    let read = read_report(&made.message).expect("a report");
    assert_eq!(read.kind, ReportKind::Tls);
    assert_eq!((read.passed, read.failed), (5326, 303));
    assert_eq!(read.details, "certificate-expired 100, starttls-not-supported 203");
    assert_eq!((read.domain.as_str(), read.organisation.as_str()), ("a.example", "receiver.example"));
    assert_eq!((read.begins_at, read.ends_at), (DAY * 86_400, (DAY + 1) * 86_400 - 1));
}

/// Members that are not known are left out, and the others are named as the RFC names them.
#[tokio::test]
async fn rfc8460_4_4_the_json() {
    let mut zone = Zone::default();
    zone.txt("_smtp._tls.a.example", "v=TLSRPTv1; rua=mailto:t@a.example");
    let authenticator = zone.serve().authenticator();
    let made = authenticator.tls_report(DAY, "a.example", &sessions(), "postmaster@us.example").await;
    let Reporting::Made(made) = made else { panic!("{made:?}") };
    let text = String::from_utf8(made.message).expect("ASCII");
    let (_, part) = text.split_once("application/tlsrpt+gzip").expect("a part");
    let (_, part) = part.split_once("\r\n\r\n").expect("a body");
    let packed: String = part.split("\r\n--").next().unwrap_or_default().split_whitespace().collect();
    let packed = base64::engine::general_purpose::STANDARD.decode(packed).expect("Base64");
    let report: serde_json::Value =
        serde_json::from_reader(mail_auth::flate2::read::GzDecoder::new(&packed[..])).expect("JSON");
    let expected = serde_json::json!({
        "organization-name": "receiver.example",
        "date-range": { "start-datetime": "2024-10-04T00:00:00Z", "end-datetime": "2024-10-04T23:59:59Z" },
        "contact-info": "postmaster@us.example",
        "report-id": "1728000000.a.example",
        "policies": [
            {
                "policy": {
                    "policy-type": "sts",
                    "policy-string": ["version: STSv1", "mode: testing", "mx: *.a.example", "max_age: 86400"],
                    "policy-domain": "a.example",
                    "mx-host": ["*.a.example"],
                },
                "summary": { "total-successful-session-count": 5326, "total-failure-session-count": 300 },
                "failure-details": [
                    {
                        "result-type": "certificate-expired",
                        "sending-mta-ip": "2001:db8::1",
                        "receiving-mx-hostname": "mx.a.example",
                        "receiving-ip": "192.0.2.1",
                        "failed-session-count": 100,
                    },
                    {
                        "result-type": "starttls-not-supported",
                        "sending-mta-ip": "2001:db8::1",
                        "receiving-mx-hostname": "mx.a.example",
                        "receiving-ip": "192.0.2.1",
                        "failed-session-count": 200,
                        "failure-reason-code": "454 4.7.0 no",
                    },
                ],
            },
            {
                "policy": { "policy-type": "no-policy-found", "policy-domain": "a.example" },
                "summary": { "total-successful-session-count": 0, "total-failure-session-count": 3 },
                "failure-details": [
                    { "result-type": "starttls-not-supported", "failed-session-count": 3 },
                ],
            },
        ],
    });
    assert_eq!(report, expected);
}

#[test]
fn tls_reports_of_others() {
    for (text, domain, organisation, report, sums, details) in [
        (
            &include_bytes!("../data/tlsrpt/rpt01.eml")[..],
            "example.net",
            "Company-X",
            "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
            (5326, 303),
            "certificate-expired 100, starttls-not-supported 200, validation-failure 3",
        ),
        (
            include_bytes!("../data/tlsrpt/rpt02.eml"),
            "example.net",
            "Google Inc.",
            "2020-01-01T00:00:00Z_example.com",
            (23, 1),
            "certificate-host-mismatch 1",
        ),
    ] {
        let read = read_report(text).expect(organisation);
        assert_eq!((read.kind, read.domain.as_str()), (ReportKind::Tls, domain));
        assert_eq!((read.organisation.as_str(), read.report.as_str()), (organisation, report));
        assert_eq!(((read.passed, read.failed), read.details.as_str()), (sums, details));
    }
}
