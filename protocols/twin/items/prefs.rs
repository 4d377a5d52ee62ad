//! What a client keeps of a collection besides what DAV knows of it: dead properties of a namespace of our
//! own, so that every door shows them and a copy of the data has them.

use std::collections::HashMap;

use hub::collections::{Collection, Collections, PropertyName};
use serde_json::Value;

const NAMESPACE: &str = "urn:twinhub:jmap";

/// Values by the id of the collection and the name of the property.
pub(crate) struct Prefs(HashMap<(i64, String), Value>);

impl Prefs {
    pub(crate) async fn of(collections: &Collections, list: &[Collection]) -> hub::Result<Self> {
        let ids: Vec<i64> = list.iter().map(|collection| collection.id.0).collect();
        let mut prefs = HashMap::new();
        for (id, properties) in collections.properties(&ids).await? {
            for (name, value) in properties.into_iter().filter(|(name, _)| name.namespace == NAMESPACE) {
                if let Ok(value) = serde_json::from_str(&from_xml(&value)) {
                    prefs.insert((id, name.name), value);
                }
            }
        }
        Ok(Self(prefs))
    }

    pub(crate) fn get(&self, collection: &Collection, name: &str) -> Option<&Value> {
        self.0.get(&(collection.id.0, name.to_owned()))
    }

    pub(crate) fn flag(&self, collection: &Collection, name: &str) -> Option<bool> {
        self.get(collection, name)?.as_bool()
    }

    /// The collection that is the default: the one that was chosen, or the first.
    pub(crate) fn default<'c>(&self, list: &'c [Collection]) -> Option<&'c Collection> {
        list.iter().find(|one| self.flag(one, DEFAULT) == Some(true)).or_else(|| list.first())
    }
}

/// The pref that the default collection has.
pub(crate) const DEFAULT: &str = "is-default";

/// A change of a pref, for a patch of the collection.
pub(crate) fn change(name: &str, value: &Value) -> (PropertyName, Option<String>) {
    let name = PropertyName { namespace: NAMESPACE.to_owned(), name: name.to_owned() };
    (name, (!value.is_null()).then(|| to_xml(&value.to_string())))
}

fn to_xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn from_xml(xml: &str) -> String {
    xml.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
