//! What servers say of their resources: `multistatus` (RFC 4918 §14.16).

use super::Address;
use super::client::{Answer, path_of};
use super::xml::{DAV, Element};
use crate::Error;

/// A resource with its properties that are there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) path: String,
    pub(super) properties: Vec<Element>,
}

impl Resource {
    pub(super) fn get(&self, namespace: &str, local: &str) -> Option<&Element> {
        self.properties.iter().find(|property| property.is(namespace, local))
    }

    /// Its text, if there is some.
    pub(super) fn text(&self, namespace: &str, local: &str) -> Option<&str> {
        self.get(namespace, local).map(|property| property.text.trim()).filter(|text| !text.is_empty())
    }

    /// Where a property leads on the same server.
    pub(super) fn hrefs<'a>(
        &'a self,
        address: &'a Address,
        namespace: &'a str,
        local: &'a str,
    ) -> impl Iterator<Item = String> + use<'a> {
        let hrefs =
            self.get(namespace, local).into_iter().flat_map(|property| property.children_of(DAV, "href"));
        hrefs.filter_map(|href| path_of(address, &href.text))
    }

    pub(super) fn is_a(&self, namespace: &str, local: &str) -> bool {
        self.get(DAV, "resourcetype").is_some_and(|kind| kind.child(namespace, local).is_some())
    }
}

/// The resources of an answer that are there; what is on another server is none.
pub(super) fn resources(address: &Address, answer: &Answer) -> Result<Vec<Resource>, Error> {
    if answer.status.as_u16() != 207 {
        return Err(Error::Refused(format!("the server says {} of {}", answer.status, answer.path)));
    }
    let mut root = Element::read(&answer.body)?;
    let responses = root.children.iter_mut().filter(|child| child.is(DAV, "response"));
    let resource = |response: &mut Element| {
        let path = path_of(address, &response.child(DAV, "href")?.text)?;
        let stats = response.children.iter_mut().filter(|child| child.is(DAV, "propstat"));
        let there = stats.filter(|stat| stat.child(DAV, "status").is_some_and(|status| is_ok(&status.text)));
        let props = there.flat_map(|stat| stat.children.iter_mut().filter(|child| child.is(DAV, "prop")));
        let properties: Vec<Element> = props.flat_map(|prop| std::mem::take(&mut prop.children)).collect();
        (!properties.is_empty()).then_some(Resource { path, properties })
    };
    Ok(responses.filter_map(resource).collect())
}

/// `HTTP/1.1 200 OK`
fn is_ok(status: &str) -> bool {
    status.split_whitespace().nth(1) == Some("200")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there() {
        let address = Address::parse("caldav://a@h.test/").expect("an address");
        let body = "<d:multistatus xmlns:d=\"DAV:\">\
            <d:response><d:href>/a/</d:href><d:propstat><d:prop><d:getetag>\"1\"</d:getetag></d:prop>\
            <d:status>HTTP/1.1 200 OK</d:status></d:propstat><d:propstat><d:prop><d:x/></d:prop>\
            <d:status>HTTP/1.1 404 Not Found</d:status></d:propstat></d:response>\
            <d:response><d:href>https://elsewhere.test/</d:href><d:propstat><d:prop><d:x/></d:prop>\
            <d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>\
            <d:response><d:href>/gone</d:href><d:status>HTTP/1.1 404 Not Found</d:status></d:response>\
            </d:multistatus>";
        let status = hyper::StatusCode::MULTI_STATUS;
        let answer = Answer { status, path: "/".to_owned(), body: body.into() };
        let found = resources(&address, &answer).expect("read");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].path.as_str(), found[0].text(DAV, "getetag")), ("/a/", Some("\"1\"")));
        assert!(found[0].get(DAV, "x").is_none());
        let answer = Answer { status: hyper::StatusCode::OK, ..answer };
        assert!(resources(&address, &answer).is_err());
    }
}
