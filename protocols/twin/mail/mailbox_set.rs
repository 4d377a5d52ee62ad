//! Mailbox/set (RFC 8621 §2.5).

use hub::{Error, Flags, IdSet, MailboxId, MailboxInfo, Role};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::core::arguments::{Arguments, MAX_INT};
use crate::core::error::{MethodResult, SetError, SetErrorKind, SetResult};
use crate::core::patch;
use crate::core::references;
use crate::core::set::{self, Object, SetAnswer, SetRequest};
use crate::ids;
use crate::mail::mailbox::{Tree, name};

/// What clients may set.
const SETTABLE: [&str; 5] = ["name", "parentId", "role", "sortOrder", "isSubscribed"];

pub(crate) async fn set(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    let remove_emails = arguments.flag("onDestroyRemoveEmails")?;
    let old_state = context.account.emails().state().await?.to_string();
    let mut request = SetRequest::take(&mut arguments, &old_state)?;
    arguments.end()?;
    let mut answer = SetAnswer::default();
    create_all(context, std::mem::take(&mut request.create), &mut answer).await;
    let (update, destroy) = set::existing(context, &mut request, &mut answer);
    for (written, id, object) in update {
        let result = update_one(context, &id, &object).await;
        answer.updated(written, result.map(|()| None));
    }
    destroy_all(context, destroy, remove_emails, &mut answer).await;
    let new_state = context.account.emails().state().await?.to_string();
    Ok(answer.answer(context, &old_state, &new_state))
}

/// Parents before their children, which refer to them.
async fn create_all(context: &mut Context, mut left: Vec<(String, Object)>, answer: &mut SetAnswer) {
    while !left.is_empty() {
        let waits = |object: &Object, left: &[(String, Object)]| {
            let parent = object.get("parentId").and_then(Value::as_str).and_then(|id| id.strip_prefix('#'));
            parent.is_some_and(|parent| left.iter().any(|(creation, _)| creation == parent))
        };
        let (later, now): (Vec<_>, Vec<_>) =
            left.iter().cloned().partition(|(_, object)| waits(object, &left));
        // What waits for each other in a circle is not going to get a parent.
        let (now, later) = if now.is_empty() { (later, now) } else { (now, later) };
        for (creation, object) in now {
            let result = create_one(context, &object).await;
            answer.created(context, creation, result);
        }
        left = later;
    }
}

/// What a mailbox is to be.
struct Wanted {
    name: String,
    parent: Option<MailboxId>,
    role: Option<Role>,
    sort_order: u32,
    is_subscribed: bool,
}

impl Wanted {
    fn read(context: &Context, object: &Object) -> SetResult<Self> {
        let wrong = |name: &str| SetError::property(name, "is of the wrong type or value");
        let name = object.get("name").and_then(Value::as_str).ok_or_else(|| wrong("name"))?;
        if name.is_empty() || name.contains('/') || name.chars().any(char::is_control) || name.len() > 255 {
            return Err(wrong("name"));
        }
        let parent = match object.get("parentId") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) => {
                let id = references::created(id, &context.created).and_then(ids::parse_mailbox);
                Some(id.ok_or_else(|| wrong("parentId"))?)
            }
            Some(_) => return Err(wrong("parentId")),
        };
        let role = match object.get("role") {
            None | Some(Value::Null) => None,
            Some(role) => {
                let known = Role::ALL.into_iter().find(|known| role.as_str() == Some(known.name()));
                Some(known.ok_or_else(|| wrong("role"))?)
            }
        };
        let sort_order = match object.get("sortOrder") {
            None | Some(Value::Null) => 0,
            // RFC 8621 §2: below 2^31.
            Some(order) => order
                .as_u64()
                .filter(|order| *order < 1 << 31 && *order <= MAX_INT as u64)
                .ok_or_else(|| wrong("sortOrder"))? as u32,
        };
        let is_subscribed = match object.get("isSubscribed") {
            None | Some(Value::Null) => false,
            Some(value) => value.as_bool().ok_or_else(|| wrong("isSubscribed"))?,
        };
        Ok(Self { name: name.to_owned(), parent, role, sort_order, is_subscribed })
    }

    /// The full name. A parent must be there.
    fn path(&self, tree: &Tree) -> SetResult<String> {
        match self.parent {
            None => Ok(self.name.clone()),
            Some(parent) => {
                let above =
                    tree.find(parent).ok_or_else(|| SetError::property("parentId", "does not exist"))?;
                Ok(format!("{}/{}", above.path, self.name))
            }
        }
    }
}

/// The property that an error of the hub is about.
fn about_name(error: Error) -> SetError {
    match error {
        Error::Exists("mailbox") => SetError::property("name", "is taken by a mailbox beside it"),
        Error::Exists("INBOX") | Error::Invalid(_) => SetError::property("name", &error.to_string()),
        Error::Exists(_) => SetError::property("role", "is that of another mailbox"),
        other => other.into(),
    }
}

async fn create_one(context: &Context, object: &Object) -> SetResult<Object> {
    set::check_names(object, |name| SETTABLE.contains(&name))?;
    let wanted = Wanted::read(context, object)?;
    let tree = Tree::of(context).await?;
    let path = wanted.path(&tree)?;
    if wanted.role == Some(Role::Inbox) {
        return Err(SetError::property("role", "is that of INBOX"));
    }
    let messages = context.account.messages();
    let mut info = messages.create(&path, wanted.role).await.map_err(about_name)?;
    if wanted.sort_order != 0 {
        messages.set_use(info.id, info.role, wanted.sort_order).await?;
        info.sort_order = wanted.sort_order;
    }
    if !wanted.is_subscribed {
        messages.subscribe(&path, false).await?;
    }
    Ok(set_by_server(&info, object))
}

/// What the client has not said.
fn set_by_server(info: &MailboxInfo, object: &Object) -> Object {
    let all = json!({
        "id": ids::mailbox(info.id),
        "role": info.role.map(Role::name),
        "sortOrder": info.sort_order,
        "isSubscribed": false,
        "parentId": null,
        "totalEmails": 0, "unreadEmails": 0, "totalThreads": 0, "unreadThreads": 0,
        "myRights": {
            "mayReadItems": true, "mayAddItems": true, "mayRemoveItems": true, "maySetSeen": true,
            "maySetKeywords": true, "mayCreateChild": true, "mayRename": true, "mayDelete": true, "maySubmit": true,
        },
    });
    let all = all.as_object().cloned().unwrap_or_default();
    all.into_iter().filter(|(name, _)| !object.contains_key(name)).collect()
}

async fn update_one(context: &Context, id: &str, changes: &Object) -> SetResult<()> {
    let id = ids::parse_mailbox(id).ok_or(SetErrorKind::NotFound)?;
    let tree = Tree::of(context).await?;
    let info = tree.find(id).ok_or(SetErrorKind::NotFound)?;
    let before = json!({
        "name": name(info),
        "parentId": tree.parent(info).map(ids::mailbox),
        "role": info.role.map(Role::name),
        "sortOrder": info.sort_order,
        "isSubscribed": info.subscribed,
        "id": ids::mailbox(info.id),
    });
    let before = before.as_object().cloned().unwrap_or_default();
    let mut after = before.clone();
    patch::apply(&mut after, changes)?;
    // Clients may send back what they were given as long as it is the same.
    let foreign =
        |name: &&String| !SETTABLE.contains(&name.as_str()) && after.get(*name) != before.get(*name);
    let foreign: Vec<String> = after.keys().filter(foreign).cloned().collect();
    if !foreign.is_empty() {
        return Err(SetError::properties(foreign, "not to be set here"));
    }
    let wanted = Wanted::read(context, &after)?;
    let messages = context.account.messages();
    let path = wanted.path(&tree)?;
    if path != info.path {
        if id == MailboxId::INBOX {
            return Err(SetError::new(SetErrorKind::Forbidden, "INBOX keeps its name and place"));
        }
        if path.strip_prefix(&info.path).is_some_and(|rest| rest.starts_with('/')) {
            return Err(SetError::property("parentId", "is the mailbox itself or lies below it"));
        }
        messages.rename(&info.path, &path).await.map_err(about_name)?;
    }
    if wanted.role != info.role || wanted.sort_order != info.sort_order {
        messages.set_use(id, wanted.role, wanted.sort_order).await.map_err(about_name)?;
    }
    if wanted.is_subscribed != info.subscribed {
        messages.subscribe(&path, wanted.is_subscribed).await?;
    }
    Ok(())
}

/// Children before their parents.
async fn destroy_all(
    context: &Context,
    destroy: Vec<(String, String)>,
    remove_emails: bool,
    answer: &mut SetAnswer,
) {
    let mut by_depth = Vec::with_capacity(destroy.len());
    match Tree::of(context).await {
        Ok(tree) => {
            for (written, id) in destroy {
                match ids::parse_mailbox(&id).and_then(|id| tree.find(id)) {
                    Some(info) => by_depth.push((written, info.path.clone(), info.id)),
                    None => answer.destroyed(written, Err(SetErrorKind::NotFound.into())),
                }
            }
        }
        Err(error) => {
            let error = SetError::from(error);
            destroy.into_iter().for_each(|(written, _)| answer.destroyed(written, Err(error.clone())));
        }
    }
    by_depth.sort_by_key(|(_, path, _)| std::cmp::Reverse(path.matches('/').count()));
    for (written, path, id) in by_depth {
        let result = destroy_one(context, &path, id, remove_emails).await;
        answer.destroyed(written, result);
    }
}

async fn destroy_one(context: &Context, path: &str, id: MailboxId, remove_emails: bool) -> SetResult<()> {
    let messages = context.account.messages();
    let info = messages.mailboxes_with(&[id]).await?.pop().ok_or(SetErrorKind::NotFound)?;
    if id == MailboxId::INBOX {
        return Err(SetError::new(SetErrorKind::Forbidden, "INBOX cannot be deleted"));
    }
    if info.has_children {
        return Err(SetErrorKind::MailboxHasChild.into());
    }
    if info.total > 0 {
        let open = messages.open(id).await?;
        let has_email = open.snapshot().iter().any(|record| !record.flags.contains(Flags::DELETED));
        if has_email && !remove_emails {
            return Err(SetErrorKind::MailboxHasEmail.into());
        }
        // RFC 8621 §2.5: those that lie in no other mailbox are destroyed, now and not in a minute.
        messages.remove(id, &IdSet::range(1, u64::from(u32::MAX))).await?;
    }
    messages.delete(path).await?;
    Ok(())
}
