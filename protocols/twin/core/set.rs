//! `/set` (RFC 8620 §5.3): what all types do alike.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::error::{MethodErrorKind, MethodResult, SetError, SetErrorKind, SetResult};
use crate::core::get::answer;
use crate::core::limits::MAX_OBJECTS_IN_SET;
use crate::core::references;

pub(crate) type Object = Map<String, Value>;

#[derive(Default)]
pub(crate) struct SetRequest {
    /// By creation id.
    pub(crate) create: Vec<(String, Object)>,
    /// By the id as the client wrote it, which may be a creation id.
    pub(crate) update: Vec<(String, Object)>,
    pub(crate) destroy: Vec<String>,
}

impl SetRequest {
    pub(crate) fn take(arguments: &mut Arguments, state: &str) -> MethodResult<Self> {
        let if_in_state = arguments.string("ifInState")?;
        let create = arguments.objects("create")?;
        let update = arguments.objects("update")?;
        let destroy = arguments.strings("destroy")?.unwrap_or_default();
        if create.len() + update.len() + destroy.len() > MAX_OBJECTS_IN_SET {
            return Err(MethodErrorKind::RequestTooLarge.into());
        }
        if if_in_state.is_some_and(|expected| expected != state) {
            return Err(MethodErrorKind::StateMismatch.into());
        }
        Ok(Self { create, update, destroy })
    }
}

/// What became of each object, by the id that the client knows it by.
#[derive(Default)]
pub(crate) struct SetAnswer {
    created: Object,
    updated: Object,
    destroyed: BTreeSet<String>,
    not_created: Object,
    not_updated: Object,
    not_destroyed: Object,
}

impl SetAnswer {
    /// With what the server has set besides what the client has.
    pub(crate) fn created(&mut self, context: &mut Context, creation: String, result: SetResult<Object>) {
        match result {
            Ok(object) => {
                if let Some(id) = object.get("id").and_then(Value::as_str) {
                    context.created.insert(creation.clone(), id.to_owned());
                }
                self.created.insert(creation, object.into());
            }
            Err(error) => drop(self.not_created.insert(creation, error.to_json())),
        }
    }

    pub(crate) fn updated(&mut self, id: String, result: SetResult<Option<Object>>) {
        match result {
            Ok(changed) => drop(self.updated.insert(id, changed.map_or(Value::Null, Value::from))),
            Err(error) => drop(self.not_updated.insert(id, error.to_json())),
        }
    }

    pub(crate) fn destroyed(&mut self, id: String, result: SetResult<()>) {
        match result {
            Ok(()) => drop(self.destroyed.insert(id)),
            Err(error) => drop(self.not_destroyed.insert(id, error.to_json())),
        }
    }

    /// Nothing went wrong so far.
    pub(crate) fn is_success(&self) -> bool {
        self.not_created.is_empty() && self.not_updated.is_empty() && self.not_destroyed.is_empty()
    }

    /// What else has changed of an object that the client knows as `written`.
    pub(crate) fn also_changed(&mut self, written: &str, id: &str, name: &str, value: Value) {
        let created = written.strip_prefix('#').and_then(|creation| self.created.get_mut(creation));
        let object = match created {
            Some(created) => created,
            None => {
                let known = if self.updated.contains_key(written) { written } else { id };
                self.updated.entry(known).or_insert(Value::Null)
            }
        };
        if !object.is_object() {
            *object = json!({});
        }
        object[name] = value;
    }

    pub(crate) fn answer(self, context: &Context, old_state: &str, new_state: &str) -> Object {
        let or_null = |object: Object| if object.is_empty() { Value::Null } else { object.into() };
        answer([
            ("accountId", json!(context.account_id)),
            ("oldState", json!(old_state)),
            ("newState", json!(new_state)),
            ("created", or_null(self.created)),
            ("updated", or_null(self.updated)),
            ("destroyed", if self.destroyed.is_empty() { Value::Null } else { json!(self.destroyed) }),
            ("notCreated", or_null(self.not_created)),
            ("notUpdated", or_null(self.not_updated)),
            ("notDestroyed", or_null(self.not_destroyed)),
        ])
    }
}

/// The id as the client wrote it, the id, and the patch.
pub(crate) type Updating = (String, String, Object);

/// The ids that are to be updated and destroyed, with the words of the client kept beside; those that stand
/// for nothing are answered at once.
pub(crate) fn existing(
    context: &Context,
    request: &mut SetRequest,
    answer: &mut SetAnswer,
) -> (Vec<Updating>, Vec<(String, String)>) {
    let real = |written: &str| references::created(written, &context.created).map(str::to_owned);
    let mut destroy = Vec::new();
    let mut doomed = BTreeSet::new();
    for written in std::mem::take(&mut request.destroy) {
        match real(&written) {
            Some(id) if doomed.insert(id.clone()) => destroy.push((written, id)),
            Some(_) => {}
            None => answer.destroyed(written, Err(SetErrorKind::NotFound.into())),
        }
    }
    let mut update = Vec::new();
    for (written, patch) in std::mem::take(&mut request.update) {
        match real(&written) {
            Some(id) if doomed.contains(&id) => {
                answer.updated(written, Err(SetErrorKind::WillDestroy.into()))
            }
            Some(id) => update.push((written, id, patch)),
            None => answer.updated(written, Err(SetErrorKind::NotFound.into())),
        }
    }
    (update, destroy)
}

/// `invalidProperties` for what the type does not have, or does not let clients set.
pub(crate) fn check_names(object: &Object, known: impl Fn(&str) -> bool) -> SetResult<()> {
    let unknown: Vec<String> = object.keys().filter(|name| !known(name)).cloned().collect();
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(SetError::properties(unknown, "not to be set here")),
    }
}
