//! Mozilla's autoconfig: the file `config-v1.1.xml` (draft-bucksch-autoconfig), read by Thunderbird,
//! K-9, FairEmail, KMail, Evolution.

use hyper::Uri;

use super::{Domain, of_address, of_host};
use crate::reply::{self, Reply};
use crate::request::parameter;
use crate::services::{Protocol, Security};
use crate::xml::Xml;
use crate::{Service, Services};

/// The domain is that of `emailaddress`, else of the host that was asked.
pub(crate) async fn answer(service: &Service, host: &str, uri: &Uri) -> hub::Result<Reply> {
    let domain = match parameter(uri, "emailaddress").filter(|address| !address.is_empty()) {
        Some(address) => of_address(&service.hub, &address).await?.map(|(_, domain)| domain),
        None => of_host(&service.hub, host).await?,
    };
    Ok(match domain {
        Some(domain) => reply::document("text/xml; charset=utf-8", config(&service.services, &domain)),
        None => reply::not_found(),
    })
}

/// ```text
/// <clientConfig version="1.1"><emailProvider id>
///   domain, displayName, displayShortName, incomingServer*, outgoingServer*
/// ```
/// The address stays a placeholder that the program fills in: nothing of the request comes back.
fn config(services: &Services, domain: &Domain) -> String {
    let host = services.host(&domain.ascii);
    Xml::document("", "clientConfig", &[("version", "1.1")], |xml| {
        xml.element("emailProvider", &[("id", &domain.ascii)], |xml| {
            xml.leaf("domain", &domain.ascii);
            xml.leaf("displayName", &domain.name);
            xml.leaf("displayShortName", &domain.name);
            for server in services.servers() {
                let (element, kind) = match server.protocol {
                    Protocol::Imap => ("incomingServer", "imap"),
                    Protocol::Submission => ("outgoingServer", "smtp"),
                };
                xml.element(element, &[("type", kind)], |xml| {
                    xml.leaf("hostname", &host);
                    xml.leaf("port", &server.port.to_string());
                    xml.leaf(
                        "socketType",
                        match server.security {
                            Security::Implicit => "SSL",
                            Security::StartTls => "STARTTLS",
                        },
                    );
                    // Within TLS. "password-encrypted" would mean CRAM-MD5.
                    xml.leaf("authentication", "password-cleartext");
                    xml.leaf("username", "%EMAILADDRESS%");
                });
            }
        });
    })
}
