//! A multistatus that is written while it is sent: one row, one `response`.

use bytes::Bytes;
use hub_wire::http::{Gone, Sender};
use hyper::StatusCode;

use super::{Name, Xml};

/// Text that is gathered before it is sent.
const PIECE: usize = 32 * 1024;

/// `<!ELEMENT multistatus (response*, responsedescription?, sync-token?) >` (RFC 4918 §14.16, RFC 6578 §6.4)
#[derive(Debug)]
pub(crate) struct Multistatus {
    xml: Xml,
    sender: Sender,
}

/// What a resource says about the properties it was asked for.
#[derive(Debug, Default)]
pub(crate) struct PropStat {
    /// Elements of those that are there.
    pub(crate) found: Xml,
    pub(crate) missing: Vec<Name>,
}

impl PropStat {
    /// RFC 8144 §2.1: who asks for the least is not told what is missing.
    pub(crate) fn write(mut self, xml: &mut Xml, minimal: bool) {
        let found = self.found.take();
        let missing = if minimal { &[] } else { self.missing.as_slice() };
        // A response has one propstat at least.
        if !found.is_empty() || missing.is_empty() {
            propstat(xml, StatusCode::OK, |xml| xml.fragment(&found));
        }
        if !missing.is_empty() {
            propstat(xml, StatusCode::NOT_FOUND, |xml| {
                missing.iter().for_each(|name| xml.element(name, |_| {}));
            });
        }
    }
}

impl Multistatus {
    pub(crate) fn new(sender: Sender) -> Self {
        let mut xml = Xml::default();
        xml.open_root("multistatus");
        Self { xml, sender }
    }

    /// A resource with its properties.
    pub(crate) async fn properties(
        &mut self,
        href: &str,
        answer: PropStat,
        minimal: bool,
    ) -> Result<(), Gone> {
        self.response(href, |xml| answer.write(xml, minimal)).await
    }

    /// A resource with a status of its own.
    pub(crate) async fn status(
        &mut self,
        href: &str,
        status: StatusCode,
        condition: Option<&str>,
    ) -> Result<(), Gone> {
        self.response(href, |xml| {
            xml.leaf("status", &status_line(status));
            if let Some(condition) = condition {
                xml.dav("error", |xml| xml.empty(condition));
            }
        })
        .await
    }

    /// `<!ELEMENT response (href, ((href*, status)|(propstat+)), error?, …) >` (RFC 4918 §14.24)
    pub(crate) async fn response(&mut self, href: &str, content: impl FnOnce(&mut Xml)) -> Result<(), Gone> {
        self.xml.open("response");
        self.xml.leaf("href", href);
        content(&mut self.xml);
        self.xml.close("response");
        if self.xml.len() >= PIECE {
            self.sender.send(Bytes::from(self.xml.take())).await?;
        }
        Ok(())
    }

    pub(crate) async fn finish(self) -> Result<(), Gone> {
        self.finish_with(|_| {}).await
    }

    pub(crate) async fn finish_with(mut self, last: impl FnOnce(&mut Xml)) -> Result<(), Gone> {
        last(&mut self.xml);
        self.xml.close_root("multistatus");
        self.sender.send(Bytes::from(self.xml.take())).await
    }

    /// Something broke: the client must not take what it has for all of it.
    pub(crate) async fn abort(self, error: hub::Error) {
        self.sender.abort(error.into()).await;
    }
}

/// `<!ELEMENT propstat (prop, status, error?, responsedescription?) >` (RFC 4918 §14.22)
pub(crate) fn propstat(xml: &mut Xml, status: StatusCode, properties: impl FnOnce(&mut Xml)) {
    xml.open("propstat");
    xml.dav("prop", properties);
    xml.leaf("status", &status_line(status));
    xml.close("propstat");
}

pub(crate) fn status_line(status: StatusCode) -> String {
    format!("HTTP/1.1 {} {}", status.as_str(), status.canonical_reason().unwrap_or("Unknown"))
}
