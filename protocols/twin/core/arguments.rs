//! Arguments of a method, taken one by one; what nobody has taken is wrong.

use serde_json::{Map, Value};

use crate::core::error::{MethodError, MethodErrorKind, MethodResult};
use crate::core::request::strings;

/// RFC 8620 §1.3: integers that every implementation can tell apart.
pub(crate) const MAX_INT: i64 = (1 << 53) - 1;

#[derive(Clone, Debug, Default)]
pub(crate) struct Arguments(Map<String, Value>);

impl Arguments {
    pub(crate) fn new(arguments: Map<String, Value>) -> Self {
        Self(arguments)
    }

    /// The argument unless it is missing or `null`.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    fn typed<T>(
        &mut self,
        name: &str,
        what: &str,
        of: impl FnOnce(Value) -> Option<T>,
    ) -> MethodResult<Option<T>> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => of(value).map(Some).ok_or_else(|| MethodError::argument(name, what)),
        }
    }

    pub(crate) fn string(&mut self, name: &str) -> MethodResult<Option<String>> {
        self.typed(name, "is not a string", |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }

    pub(crate) fn required_string(&mut self, name: &str) -> MethodResult<String> {
        self.string(name)?.ok_or_else(|| MethodError::argument(name, "is missing"))
    }

    pub(crate) fn strings(&mut self, name: &str) -> MethodResult<Option<Vec<String>>> {
        self.typed(name, "is not an array of strings", strings)
    }

    pub(crate) fn flag(&mut self, name: &str) -> MethodResult<bool> {
        Ok(self.typed(name, "is not true or false", |value| value.as_bool())?.unwrap_or(false))
    }

    pub(crate) fn int(&mut self, name: &str) -> MethodResult<Option<i64>> {
        self.typed(name, "is not an integer", |value| value.as_i64().filter(|n| n.abs() <= MAX_INT))
    }

    pub(crate) fn unsigned(&mut self, name: &str) -> MethodResult<Option<u64>> {
        self.typed(name, "is not a number from 0 on", |value| value.as_u64().filter(|n| *n <= MAX_INT as u64))
    }

    pub(crate) fn object(&mut self, name: &str) -> MethodResult<Option<Map<String, Value>>> {
        self.typed(name, "is not an object", |value| match value {
            Value::Object(object) => Some(object),
            _ => None,
        })
    }

    /// An object of objects, like `create` and `update`.
    pub(crate) fn objects(&mut self, name: &str) -> MethodResult<Vec<(String, Map<String, Value>)>> {
        let object = self.object(name)?.unwrap_or_default();
        let inner = |(key, value): (String, Value)| match value {
            Value::Object(value) => Ok((key, value)),
            _ => Err(MethodError::argument(name, "has something that is not an object")),
        };
        object.into_iter().map(inner).collect()
    }

    pub(crate) fn into_inner(self) -> Map<String, Value> {
        self.0
    }

    /// RFC 8620 §3.6.2: an argument that nobody has asked for is none of this method.
    pub(crate) fn end(self) -> MethodResult<()> {
        let names: Vec<String> = self.0.into_iter().map(|(name, _)| name).collect();
        match names.is_empty() {
            true => Ok(()),
            false => Err(MethodError {
                kind: MethodErrorKind::InvalidArguments,
                description: format!("This method has no arguments {}", names.join(", ")),
                arguments: names,
            }),
        }
    }
}
