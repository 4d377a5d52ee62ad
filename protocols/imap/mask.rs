//! Capabilities that the hub's owner keeps from an account's mail programs: the honest cure for a
//! program that uses one wrongly (mjl-/mox 3d28c89). RFC 2971 §2 forbids to guess by its ID.

use crate::grammar::command::Command;

/// True if `capability` is hidden, by its whole name or by the part before `=`.
pub(crate) fn hides(hidden: &[String], capability: &str) -> bool {
    let word = capability.split('=').next().unwrap_or_default();
    hidden.iter().any(|name| name.eq_ignore_ascii_case(capability) || name.eq_ignore_ascii_case(word))
}

/// The line of capabilities without the hidden ones.
pub(crate) fn without(line: &str, hidden: &[String]) -> String {
    let kept: Vec<&str> = line.split(' ').filter(|capability| !hides(hidden, capability)).collect();
    kept.join(" ")
}

/// True if the command belongs to a hidden capability.
pub(crate) fn refuses(hidden: &[String], command: &Command) -> bool {
    !hidden.is_empty() && capability_of(command).is_some_and(|capability| hides(hidden, capability))
}

/// The capability that brings a command, where it is one alone.
fn capability_of(command: &Command) -> Option<&'static str> {
    Some(match command {
        Command::CancelUpdate(_) => "CONTEXT=SEARCH",
        Command::Compress { .. } => "COMPRESS=DEFLATE",
        Command::Copy { moves: true, .. } => "MOVE",
        Command::Enable(_) => "ENABLE",
        Command::Expunge { uids: Some(_) } => "UIDPLUS",
        Command::GetMetadata(_) | Command::SetMetadata(_) => "METADATA",
        Command::GetQuota { .. } | Command::GetQuotaRoot { .. } | Command::SetQuota => "QUOTA",
        Command::Id(_) => "ID",
        Command::Idle => "IDLE",
        Command::Namespace => "NAMESPACE",
        Command::Notify { .. } => "NOTIFY",
        Command::Sort(_) => "SORT",
        Command::Thread(_) => "THREAD",
        Command::Unselect => "UNSELECT",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_capabilities_and_their_commands() {
        let hidden = ["COMPRESS=DEFLATE".to_owned(), "QUOTA".to_owned()];
        let line = "IMAP4rev1 QUOTA QUOTA=RES-STORAGE COMPRESS=DEFLATE MOVE";
        assert_eq!(without(line, &hidden), "IMAP4rev1 MOVE");
        assert_eq!(without(line, &[]), line);
        assert!(refuses(&hidden, &Command::Compress { algorithm: "DEFLATE".into() }));
        assert!(refuses(&hidden, &Command::SetQuota));
        assert!(!refuses(&hidden, &Command::Idle) && !refuses(&[], &Command::SetQuota));
    }
}
