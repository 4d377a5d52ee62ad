//! Apple's configuration profile for iPhone, iPad and Mac: mail, which reads neither autoconfig nor SRV
//! records there, calendars and contacts.
//!
//! It is not signed: signing (CMS) would only change the word "Unsigned" on the device's screen into
//! the name of the certificate, and only with a public certificate at that.

use hub::Address;
use hyper::header::{self, HeaderValue};
use hyper::{StatusCode, Uri};
use sha2::{Digest as _, Sha256};

use super::{Domain, of_address};
use crate::reply::{self, Reply};
use crate::request::parameter;
use crate::services::{Protocol, Server};
use crate::xml::Xml;
use crate::{Service, Services};

pub(crate) const PATH: &str = "/apple.mobileconfig";

const DOCTYPE: &str = "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
                       \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n";

pub(crate) async fn answer(service: &Service, uri: &Uri) -> hub::Result<Reply> {
    let Some(text) = parameter(uri, "email") else {
        return Ok(reply::sentence(StatusCode::BAD_REQUEST, "Ask with ?email=your@address."));
    };
    let Some((address, domain)) = of_address(&service.hub, text.trim()).await? else {
        return Ok(reply::not_found());
    };
    let best = |protocol| service.services.best(protocol);
    let (Some(imap), Some(submission)) = (best(Protocol::Imap), best(Protocol::Submission)) else {
        return Ok(reply::not_found());
    };
    let profile = profile(&service.services, &address, &domain, imap, submission);
    let mut reply = reply::document("application/x-apple-aspen-config; charset=utf-8", profile);
    let name = HeaderValue::from_static("attachment; filename=\"mail.mobileconfig\"");
    reply::set(&mut reply, header::CONTENT_DISPOSITION, name);
    Ok(reply)
}

/// A `Configuration` with payloads for mail, calendars and contacts, without the password.
fn profile(
    services: &Services,
    address: &Address,
    domain: &Domain,
    imap: Server,
    submission: Server,
) -> String {
    let (address, host) = (address.to_string(), services.host(&domain.ascii));
    let principal = format!("/dav/principals/{address}/");
    // From a domain's name backwards, as Apple's identifiers go; the same profile replaces itself.
    let reversed: Vec<&str> = domain.ascii.rsplit('.').collect();
    let identifier = format!("{}.twinhub.mail", reversed.join("."));
    Xml::document(DOCTYPE, "plist", &[("version", "1.0")], |xml| {
        xml.element("dict", &[], |xml| {
            string(xml, "PayloadType", "Configuration");
            integer(xml, "PayloadVersion", 1);
            string(xml, "PayloadIdentifier", &identifier);
            string(xml, "PayloadUUID", &uuid("profile", &address));
            string(xml, "PayloadDisplayName", &format!("Mail for {address}"));
            string(xml, "PayloadOrganization", &domain.name);
            xml.leaf("key", "PayloadContent");
            xml.element("array", &[], |xml| {
                xml.element("dict", &[], |xml| {
                    string(xml, "PayloadType", "com.apple.mail.managed");
                    integer(xml, "PayloadVersion", 1);
                    string(xml, "PayloadIdentifier", &format!("{identifier}.account"));
                    string(xml, "PayloadUUID", &uuid("account", &address));
                    string(xml, "PayloadDisplayName", "Mail");
                    string(xml, "EmailAccountType", "EmailTypeIMAP");
                    string(xml, "EmailAccountDescription", &address);
                    string(xml, "EmailAddress", &address);
                    server(xml, "Incoming", &host, imap, &address);
                    server(xml, "Outgoing", &host, submission, &address);
                    xml.leaf("key", "OutgoingPasswordSameAsIncomingPassword");
                    xml.empty("true");
                });
                if let Some(port) = services.ports.https {
                    for (payload, key, name) in [
                        ("com.apple.caldav.account", "CalDAV", "Calendars"),
                        ("com.apple.carddav.account", "CardDAV", "Contacts"),
                    ] {
                        xml.element("dict", &[], |xml| {
                            string(xml, "PayloadType", payload);
                            integer(xml, "PayloadVersion", 1);
                            string(xml, "PayloadIdentifier", &format!("{identifier}.{}", key.to_lowercase()));
                            string(xml, "PayloadUUID", &uuid(key, &address));
                            string(xml, "PayloadDisplayName", name);
                            string(xml, &format!("{key}AccountDescription"), &address);
                            string(xml, &format!("{key}HostName"), &host);
                            integer(xml, &format!("{key}Port"), port);
                            string(xml, &format!("{key}Username"), &address);
                            string(xml, &format!("{key}PrincipalURL"), &principal);
                            xml.leaf("key", &format!("{key}UseSSL"));
                            xml.empty("true");
                        });
                    }
                }
            });
        });
    })
}

fn server(xml: &mut Xml, direction: &str, host: &str, server: Server, address: &str) {
    string(xml, &format!("{direction}MailServerHostName"), host);
    integer(xml, &format!("{direction}MailServerPortNumber"), server.port);
    // With or without STARTTLS: the device finds that out.
    xml.leaf("key", &format!("{direction}MailServerUseSSL"));
    xml.empty("true");
    string(xml, &format!("{direction}MailServerAuthentication"), "EmailAuthPassword");
    string(xml, &format!("{direction}MailServerUsername"), address);
}

fn string(xml: &mut Xml, key: &str, value: &str) {
    xml.leaf("key", key);
    xml.leaf("string", value);
}

fn integer(xml: &mut Xml, key: &str, value: u16) {
    xml.leaf("key", key);
    xml.leaf("integer", &value.to_string());
}

/// The same for the same address every time (RFC 9562 §5.8, version 8), so that a new profile
/// replaces the old one.
fn uuid(kind: &str, address: &str) -> String {
    let hash = Sha256::digest(format!("twin hub {kind} {}", address.to_lowercase()));
    let hex = |range: std::ops::Range<usize>| -> String {
        hash[range].iter().map(|byte| format!("{byte:02X}")).collect()
    };
    let group = |at: usize, high: u8, mask: u8| format!("{:02X}{:02X}", hash[at] & mask | high, hash[at + 1]);
    format!("{}-{}-{}-{}-{}", hex(0..4), hex(4..6), group(6, 0x80, 0x0f), group(8, 0x80, 0x3f), hex(10..16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_of_version_8_and_stay() {
        let made = uuid("account", "Alice@a.test");
        assert_eq!(made, uuid("account", "alice@a.test"));
        assert_ne!(made, uuid("profile", "alice@a.test"));
        let bytes = made.as_bytes();
        assert_eq!((made.len(), bytes[14]), (36, b'8'), "{made}");
        assert!(b"89AB".contains(&bytes[19]), "{made}");
    }
}
