//! FileNode/get and /changes (§3.2.1, §3.2.2).

use std::collections::{BTreeSet, HashMap};

use hub::files::{Located, NodeId};
use serde_json::{Map, Value, json};

use super::blob_id;
use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::changes::ChangesRequest;
use crate::core::error::{MethodErrorKind, MethodResult};
use crate::core::get::GetRequest;
use crate::core::limits::MAX_OBJECTS_IN_GET;
use crate::core::set::Object;
use crate::ids;
use crate::mail::dates;

pub(crate) use super::node_query::{query, query_changes};
pub(crate) use super::node_set::set;

const PROPERTIES: [&str; 17] = [
    "id",
    "parentId",
    "nodeType",
    "blobId",
    "target",
    "size",
    "name",
    "type",
    "created",
    "modified",
    "accessed",
    "changed",
    "executable",
    "isSubscribed",
    "myRights",
    "shareWith",
    "role",
];

pub(crate) async fn get(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    let with_parents = arguments.flag("fetchParents")?;
    let request = GetRequest::take(context, &mut arguments, |name| PROPERTIES.contains(&name))?;
    arguments.end()?;
    let files = context.account.files();
    let state = files.files_state().await?.to_string();
    let mut located = match &request.ids {
        Some(ids) => {
            files.located(&ids.iter().filter_map(|id| ids::parse_file(id)).collect::<Vec<_>>()).await?
        }
        None => files.all_located(MAX_OBJECTS_IN_GET).await?.ok_or(MethodErrorKind::RequestTooLarge)?,
    };
    if with_parents {
        let known: BTreeSet<NodeId> = located.iter().map(|one| one.node.id).collect();
        let mut above: HashMap<NodeId, Located> = HashMap::new();
        let mut missing: BTreeSet<NodeId> = located.iter().filter_map(|one| one.parent).collect();
        // A level at a time; there are no more than a path has.
        while !missing.is_empty() {
            let ids: Vec<NodeId> = missing.iter().copied().collect();
            let found = files.located(&ids).await?;
            missing =
                found.iter().filter_map(|one| one.parent).filter(|id| !above.contains_key(id)).collect();
            above.extend(found.into_iter().map(|one| (one.node.id, one)));
            missing.retain(|id| !above.contains_key(id));
        }
        located.extend(above.into_values().filter(|one| !known.contains(&one.node.id)));
    }
    Ok(request.answer(context, &state, located.iter().map(object).collect()))
}

pub(super) fn object(located: &Located) -> Object {
    let Located { node, parent, .. } = located;
    let is_file = !node.is_folder();
    let value = json!({
        "id": ids::file(node.id),
        "parentId": parent.map(ids::file),
        "nodeType": if is_file { "file" } else { "directory" },
        "blobId": is_file.then(|| blob_id(node).to_string()),
        "target": null,
        "size": is_file.then_some(node.size),
        "name": node.name,
        "type": (is_file && !node.content_type.is_empty()).then_some(&node.content_type),
        "created": dates::utc(node.created_at),
        "modified": dates::utc(node.modified_at),
        // Nobody notes when somebody looks.
        "accessed": null,
        "changed": dates::utc(node.modified_at),
        "executable": false,
        "isSubscribed": true,
        "myRights": {
            "mayRead": true, "mayAddChildren": !is_file, "mayRename": true, "mayDelete": true,
            "mayModifyContent": true, "mayShare": false,
        },
        "shareWith": null,
        "role": null,
    });
    value.as_object().cloned().unwrap_or_default()
}

pub(crate) async fn changes(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let request = ChangesRequest::take(&mut arguments)?;
    arguments.end()?;
    let changes = context.account.files().changed_nodes(request.since, request.most).await?;
    request.answer(context, changes, |id| ids::file(NodeId(id)))
}
