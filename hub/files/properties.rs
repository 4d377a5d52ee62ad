//! Dead properties (RFC 4918 §4), and the facts about a node that a client may set.

use std::collections::HashMap;

use hub_storage::files::{self, NodeId, NodeRow, Times};
use hub_storage::{AccountId, Error as Refusal, Result as Decision, Tx};

use crate::files::upload::media_type;
use crate::files::{Conditions, FilePath, Files, Node};
use crate::{Error, Result};

/// Dead properties of a node at most.
const PROPERTIES: usize = 100;
/// Bytes of them, names included.
const BYTES: u64 = 64 << 10;
/// Bytes of a namespace or name.
const NAME: usize = 255;

/// The name of a property: an XML name in a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PropertyName {
    pub namespace: String,
    pub name: String,
}

/// A dead property, and its value as XML.
pub type Property = (PropertyName, String);

/// Changes of a node that take place together or not at all.
#[derive(Clone, Debug, Default)]
pub struct NodePatch {
    /// Properties in order, those without value to be removed; the value is XML.
    pub properties: Vec<(PropertyName, Option<String>)>,
    /// Unix seconds.
    pub modified_at: Option<i64>,
    pub created_at: Option<i64>,
    /// Ignored if it is no media type.
    pub content_type: Option<String>,
}

impl Files {
    /// The dead properties of nodes, a page of them at a time; those without any are left out.
    pub async fn properties(&self, nodes: &[NodeId]) -> Result<HashMap<NodeId, Vec<Property>>> {
        self.may_read()?;
        let mut all: HashMap<NodeId, Vec<Property>> = HashMap::new();
        for (node, row) in self.storage().file_properties(self.owner, nodes).await? {
            let name = PropertyName { namespace: row.namespace, name: row.name };
            all.entry(node).or_default().push((name, row.value));
        }
        Ok(all)
    }

    /// Changes dead properties and times (RFC 4918 §9.2). `NotFound`, `Stale`, `Locked`, `OverQuota`,
    /// `Limit` if there would be more than 100 properties or 64 KiB of them.
    pub async fn patch(&self, path: &FilePath, patch: NodePatch, conditions: Conditions) -> Result<Node> {
        let names = patch.properties.iter().map(|(name, _)| name);
        if names.clone().any(|name| name.namespace.len() > NAME || name.name.len() > NAME) {
            return Err(Error::Invalid("a property's name has at most 255 bytes".to_owned()));
        }
        let (work, path) = (self.work(), path.clone());
        let row = self
            .transact(move |tx| {
                Box::pin(async move {
                    let found = work.find(tx, &path).await?;
                    work.check(tx, &found, &conditions).await?;
                    let node = found.existing()?;
                    work.may_change(&found, &conditions)?;
                    let content_type = patch.content_type.map(|text| media_type(&text).to_owned());
                    let times = Times {
                        modified_at: patch.modified_at,
                        created_at: patch.created_at,
                        content_type: content_type.filter(|text| !text.is_empty()),
                    };
                    write(tx, work.account, &found.above(), node, patch.properties, times).await
                })
            })
            .await?;
        Ok(self.node(row))
    }
}

/// `Limit`, `OverQuota`.
pub(super) async fn write(
    tx: &mut Tx,
    account: AccountId,
    above: &[NodeId],
    node: &NodeRow,
    set: Vec<(PropertyName, Option<String>)>,
    times: Times,
) -> Decision<NodeRow> {
    let set = set.into_iter().map(|(name, value)| (name.namespace, name.name, value)).collect();
    let (node, count) = files::patch(tx, account, above, node, set, times).await?;
    if count.count > PROPERTIES || count.bytes > BYTES {
        return Err(Refusal::Limit("properties of a file or folder"));
    }
    Ok(node)
}
