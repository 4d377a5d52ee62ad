//! JSPROP (RFC 9555 §3.2.1): what the other lines of a text cannot say.
//!
//! ```text
//! JSPROP;JSPTR="emails/e1/example.com:foo":"bar"
//! ```
//!
//! One that says something else than the lines, like the order of the parts of a name, has `X-JSOF`, a hash
//! of what the lines said when it was written: a program that knows nothing of it may change the lines, and
//! then it is out of date.

use hub_ical::Property;
use serde_json::{Map, Value};

use crate::pointer;
use crate::unit::{Unit, short_hash};
use crate::values::{escaped, parameter, unescaped};

/// Tokens of a pointer that is still followed.
const DEEPEST: usize = 16;

/// What one line says.
pub(crate) struct JsProp {
    pub(crate) tokens: Vec<String>,
    value: Value,
    of: Option<String>,
}

impl JsProp {
    pub(crate) fn parse(property: &Property<'_>) -> Option<Self> {
        let tokens = pointer::tokens(&property.parameter("JSPTR")?);
        let value = serde_json::from_str(&unescaped(property.value)).ok()?;
        let of = property.parameter("X-JSOF").map(|of| of.into_owned());
        (tokens.len() <= DEEPEST).then_some(Self { tokens, value, of })
    }

    /// Adds it to what the lines say, unless it is out of date.
    pub(crate) fn apply(self, object: &mut Map<String, Value>) -> bool {
        if let Some(said) = pointer::find(object, &self.tokens)
            && self.of.is_none_or(|of| of != short_hash(&said.to_string()))
        {
            return false;
        }
        pointer::set(object, &self.tokens, self.value)
    }
}

/// The lines for what of a part's value is not in `said`, which is what its other lines say of it.
pub(crate) fn rest(unit: &Unit, wanted: &Value, said: Option<&Value>) -> Vec<String> {
    let mut lines = Vec::new();
    lost(&unit.pointer(), wanted, said, &mut lines);
    lines
}

fn lost(at: &str, wanted: &Value, said: Option<&Value>, lines: &mut Vec<String>) {
    match (wanted, said) {
        (wanted, Some(said)) if wanted == said => {}
        (Value::Object(wanted), Some(Value::Object(said))) => {
            for (name, value) in wanted.iter().filter(|(name, value)| *name != "@type" && !value.is_null()) {
                lost(&format!("{at}/{}", pointer::escaped(name)), value, said.get(name), lines);
            }
        }
        (wanted, said) => {
            let of = said.map(|said| format!(";X-JSOF={}", short_hash(&said.to_string())));
            let (at, of) = (parameter(at), of.unwrap_or_default());
            lines.push(format!("JSPROP;JSPTR={at}{of}:{}", escaped(&wanted.to_string())));
        }
    }
}
