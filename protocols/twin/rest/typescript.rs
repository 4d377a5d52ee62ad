//! The table of methods as TypeScript, for the client in `js`.

use std::fmt::Write as _;

use crate::capability::Capability;
use crate::methods::{TYPES, Type, Verb};

/// `js/src/table.ts`; a test fails when that is stale.
pub fn typescript() -> String {
    let mut text = String::from(
        "// Generated from the table of methods; not to be edited:\n\
         // cargo run -p hub-twin --example typescript > protocols/twin/js/src/table.ts\n\n\
         /** What the hub can do, by its URIs. */\nexport const CAPABILITIES = {\n",
    );
    for capability in Capability::ALL {
        let uri = capability.uri();
        let name = uri.rsplit(':').next().unwrap_or(uri);
        // A String takes all that is written.
        let _ = writeln!(text, "  {name}: {uri:?},");
    }
    text.push_str("} as const;\n");
    let is_object = |known: &Type| known.has_objects();
    union(&mut text, "Types of objects.", "TypeName", names(is_object));
    let settable = |known: &Type| known.has_objects() && known.has(Verb::Set);
    union(&mut text, "Those that can be made, changed or removed.", "SettableType", names(settable));
    let changing = |known: &Type| known.has_objects() && known.has(Verb::Changes);
    union(&mut text, "Those that are told what has changed of.", "ChangingType", names(changing));
    let pushed = |known: &Type| known.pushed.is_some();
    union(&mut text, "Those that there are events of.", "PushedType", names(pushed));
    let methods = TYPES.iter().flat_map(|known| {
        known.verbs.iter().map(|(verb, _)| format!("{}/{}", known.name, verb.name())).collect::<Vec<_>>()
    });
    union(&mut text, "Methods of JMAP.", "Method", methods.collect());
    text
}

fn names(is_one: impl Fn(&Type) -> bool) -> Vec<String> {
    TYPES.iter().filter(|known| is_one(known)).map(|known| known.name.to_owned()).collect()
}

fn union(text: &mut String, meaning: &str, name: &str, members: Vec<String>) {
    let members: Vec<String> = members.iter().map(|member| format!("\n  | {member:?}")).collect();
    let _ = write!(text, "\n/** {meaning} */\nexport type {name} ={};\n", members.concat());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_table_is_not_stale() {
        assert!(
            include_str!("../js/src/table.ts") == typescript(),
            "stale: run `cargo run -p hub-twin --example typescript > protocols/twin/js/src/table.ts`, \
             and `npm run build` in protocols/twin/js"
        );
    }
}
