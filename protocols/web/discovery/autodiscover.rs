//! Microsoft's autodiscover: POX ([MS-OXDSCLI] §2.2.3, §2.2.4) with IMAP and SMTP settings, and the
//! JSON form, which only says where the POX one is.

use bytes::Bytes;
use hub::Address;
use hyper::body::Body;
use hyper::{Request, StatusCode, Uri};
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

use super::{Domain, of_address, of_host};
use crate::reply::{self, Reply};
use crate::request::{parameter, small_body};
use crate::services::{Protocol, Security, Server};
use crate::xml::Xml;
use crate::{Service, Services};

/// In lower case; Outlook writes it in several ways.
pub(crate) const PATH: &str = "/autodiscover/autodiscover.xml";
const JSON_PATH: &str = "/autodiscover/autodiscover.json";

/// A request is some 400 bytes.
const MAX_REQUEST: usize = 16 << 10;
const MAX_DEPTH: usize = 8;

const ENVELOPE: &str = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006";
const OUTLOOK: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";

/// [MS-OXDSCLI] §2.2.4.1.1.2.4: the request is none.
const INVALID_REQUEST: (u16, &str) = (600, "Invalid Request");
/// ibid.: another answer than Outlook's was wanted, such as a phone's for ActiveSync.
const NO_PROVIDER: (u16, &str) = (601, "The provider for the requested schema is not available");

pub(crate) fn is_json_path(lower: &str) -> bool {
    lower.strip_prefix(JSON_PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(crate) async fn answer<B>(service: &Service, request: Request<B>) -> hub::Result<Reply>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let body = match small_body(request, MAX_REQUEST).await {
        Ok(body) => body,
        Err(refusal) => return Ok(refusal),
    };
    let Some(question) = parse(&body) else { return Ok(failed(INVALID_REQUEST)) };
    if question.schema.as_deref().is_some_and(|schema| schema.trim() != OUTLOOK) {
        return Ok(failed(NO_PROVIDER));
    }
    Ok(match of_address(&service.hub, question.address.trim()).await? {
        Some((address, domain)) => document(settings(&service.services, &address, &domain)),
        None => reply::not_found(),
    })
}

/// `GET …/autodiscover.json/v1.0/ADDRESS?Protocol=AutodiscoverV1`, or with `?Email=ADDRESS`.
pub(crate) async fn answer_json(service: &Service, host: &str, uri: &Uri) -> hub::Result<Reply> {
    let last = uri.path().rsplit('/').next().unwrap_or_default();
    let address = parameter(uri, "Email").unwrap_or_else(|| {
        form_urlencoded::parse(last.replace('+', "%2B").as_bytes())
            .next()
            .map_or(String::new(), |(address, _)| address.into_owned())
    });
    let domain = match of_address(&service.hub, &address).await? {
        Some((_, domain)) => Some(domain),
        None if address.contains('@') => None,
        None => of_host(&service.hub, host).await?,
    };
    let Some(domain) = domain else { return Ok(reply::not_found()) };
    let is_pox = parameter(uri, "Protocol").is_some_and(|name| name.eq_ignore_ascii_case("AutodiscoverV1"));
    let host = service.services.host(&domain.ascii);
    let Some(origin) = service.services.https_origin(&host).filter(|_| is_pox) else {
        let body = serde_json::json!({
            "ErrorCode": "InvalidProtocol",
            "ErrorMessage": "The given protocol value is invalid. Supported values are 'AutodiscoverV1'.",
        });
        let mut reply = reply::document("application/json", body.to_string());
        *reply.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(reply);
    };
    let body = serde_json::json!({ "Protocol": "AutodiscoverV1", "Url": format!("{origin}{PATH}") });
    Ok(reply::document("application/json", body.to_string()))
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Question {
    address: String,
    schema: Option<String>,
}

/// ```text
/// <Autodiscover><Request>
///   <EMailAddress/> <AcceptableResponseSchema/>?
/// ```
/// `None` for everything else. No entities but the five of XML: there is no DTD.
fn parse(body: &[u8]) -> Option<Question> {
    let text = std::str::from_utf8(body).ok()?;
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut question = Question::default();
    loop {
        let piece = match reader.read_event().ok()? {
            Event::Start(start) => {
                if path.len() == MAX_DEPTH {
                    return None;
                }
                path.push(start.local_name().as_ref().to_owned());
                continue;
            }
            Event::End(_) => {
                path.pop();
                continue;
            }
            Event::Text(text) => text.xml10_content().into_owned(),
            Event::CData(text) => text.xml10_content().into_owned(),
            Event::GeneralRef(name) => match name.resolve_char_ref().ok()? {
                Some(character) => character.to_string(),
                None => resolve_predefined_entity(&name.xml10_content())?.to_owned(),
            },
            Event::DocType(_) => return None,
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::Empty(_) | Event::PI(_) => continue,
        };
        let [root, request, name] = path.as_slice() else { continue };
        match (root.as_str(), request.as_str(), name.as_str()) {
            ("Autodiscover", "Request", "EMailAddress") => question.address.push_str(&piece),
            ("Autodiscover", "Request", "AcceptableResponseSchema") => {
                question.schema.get_or_insert_default().push_str(&piece);
            }
            _ => {}
        }
    }
    (path.is_empty() && !question.address.trim().is_empty()).then_some(question)
}

fn document(body: String) -> Reply {
    reply::document("text/xml; charset=utf-8", body)
}

/// `<Response><Account><AccountType/> <Action/> <Protocol/>*`: Outlook takes the first of each type
/// that works.
fn settings(services: &Services, address: &Address, domain: &Domain) -> String {
    let host = services.host(&domain.ascii);
    Xml::document("", "Autodiscover", &[("xmlns", ENVELOPE)], |xml| {
        xml.element("Response", &[("xmlns", OUTLOOK)], |xml| {
            xml.element("User", &[], |xml| xml.leaf("DisplayName", &address.to_string()));
            xml.element("Account", &[], |xml| {
                xml.leaf("AccountType", "email");
                xml.leaf("Action", "settings");
                for server in services.servers() {
                    protocol(xml, server, &host, &address.to_string());
                }
            });
        });
    })
}

/// [MS-OXDSCLI] §2.2.4.1.1.2.2: `SSL` is TLS from the first byte, `Encryption` (which wins where it is
/// known) also names STARTTLS.
fn protocol(xml: &mut Xml, server: Server, host: &str, login: &str) {
    let (ssl, encryption) = match server.security {
        Security::Implicit => ("on", "SSL"),
        Security::StartTls => ("off", "TLS"),
    };
    xml.element("Protocol", &[], |xml| {
        xml.leaf(
            "Type",
            match server.protocol {
                Protocol::Imap => "IMAP",
                Protocol::Submission => "SMTP",
            },
        );
        xml.leaf("Server", host);
        xml.leaf("Port", &server.port.to_string());
        xml.leaf("DomainRequired", "off");
        xml.leaf("LoginName", login);
        xml.leaf("SPA", "off");
        xml.leaf("SSL", ssl);
        xml.leaf("Encryption", encryption);
        xml.leaf("AuthRequired", "on");
        if server.protocol == Protocol::Submission {
            xml.leaf("UsePOPAuth", "off");
            xml.leaf("SMTPLast", "off");
        }
    });
}

/// Said with status 200, as clients expect.
fn failed((code, message): (u16, &str)) -> Reply {
    document(Xml::document("", "Autodiscover", &[("xmlns", ENVELOPE)], |xml| {
        xml.element("Response", &[], |xml| {
            // The time and id of a log entry, for those who have such a log.
            xml.element("Error", &[("Time", "00:00:00.0000000"), ("Id", "0")], |xml| {
                xml.leaf("ErrorCode", &code.to_string());
                xml.leaf("Message", message);
                xml.empty("DebugData");
            });
        });
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(inner: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><Autodiscover xmlns=\"http://schemas.microsoft.com/\
             exchange/autodiscover/outlook/requestschema/2006\"><Request>{inner}</Request></Autodiscover>"
        )
    }

    #[test]
    fn requests() {
        let found = |address: &str, schema: Option<&str>| {
            Some(Question { address: address.to_owned(), schema: schema.map(str::to_owned) })
        };
        let schema = format!("<AcceptableResponseSchema>{OUTLOOK}</AcceptableResponseSchema>");
        for (text, expected) in [
            (
                request(&format!("<EMailAddress>a@b.test</EMailAddress>{schema}")),
                found("a@b.test", Some(OUTLOOK)),
            ),
            (request("<EMailAddress>a&amp;&#x62;@b.test</EMailAddress>"), found("a&b@b.test", None)),
            (request("<EMailAddress><![CDATA[a@b.test]]></EMailAddress>"), found("a@b.test", None)),
            (request("<x:EMailAddress>a@b.test</x:EMailAddress>"), found("a@b.test", None)),
            (request("<LegacyDN>/o=x</LegacyDN>"), None),
            (request("<EMailAddress/>"), None),
            (request("<EMailAddress>&lol;</EMailAddress>"), None),
            (request("<Deeper><EMailAddress>a@b.test</EMailAddress></Deeper>"), None),
            (
                format!(
                    "<!DOCTYPE x [<!ENTITY lol \"lol\">]>{}",
                    request("<EMailAddress>a@b</EMailAddress>")
                ),
                None,
            ),
            ("<a>".repeat(5000), None),
            (String::new(), None),
            ("{}".to_owned(), None),
            (request("<EMailAddress>a@b.test").replace("</Autodiscover>", ""), None),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{}", &text[..200.min(text.len())]);
        }
        assert_eq!(parse(b"<Autodiscover>\xff</Autodiscover>"), None);
    }

    proptest::proptest! {
        /// Any bytes are a question or none, never a panic.
        #[test]
        fn any_bytes_are_parsed(pieces in proptest::collection::vec(
            proptest::sample::select(vec![
                "<Autodiscover>", "<Request>", "<EMailAddress>", "a@b", "&amp;", "&#0;", "&#xD800;", "&x;",
                "</EMailAddress>", "</Request>", "</Autodiscover>", "<![CDATA[", "]]>", "<!--", "-->", "<?x",
                "?>", "<!DOCTYPE", "<", ">", "/", "\"", "=", "\u{0}", "é",
            ]),
            0..24,
        )) {
            let _ = parse(pieces.concat().as_bytes());
        }
    }
}
