//! LIST and its relatives, CREATE, DELETE, RENAME, SUBSCRIBE, STATUS, SELECT.

use crate::harness::{ALICE, Database, Hub, message};
use crate::imap_client::Imap;
use crate::on_both_databases;

on_both_databases!(rfc3501_6_3_create_rename_delete, rfc3501_uid_validity_survives_what_it_must);

/// Names in LIST responses, sorted, with their attributes.
fn list(imap: &mut Imap, command: &str) -> Vec<(String, String)> {
    let reply = imap.ok(command);
    let word = command.split(' ').next().unwrap_or_default();
    let mut names: Vec<_> = reply
        .untagged
        .iter()
        .filter(|line| line.starts_with(format!("* {word} ").as_bytes()))
        .map(|line| {
            let values = crate::imap_client::parse(line);
            let mut attributes: Vec<&str> =
                values[2].list().iter().map(|attribute| attribute.atom()).collect();
            attributes.sort_unstable();
            let name = match &values[4] {
                crate::imap_client::Value::Atom(name) => name.clone(),
                other => String::from_utf8_lossy(other.text()).into_owned(),
            };
            (name, attributes.join(" "))
        })
        .collect();
    names.sort();
    names
}

fn names(imap: &mut Imap, command: &str) -> Vec<String> {
    list(imap, command).into_iter().map(|(name, _)| name).collect()
}

fn rfc3501_6_3_create_rename_delete(database: Database) {
    let hub = Hub::start_on(database);
    let mut imap = hub.imap(ALICE);
    let usual = names(&mut imap, "LIST \"\" *");
    for name in ["INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"] {
        assert!(usual.iter().any(|usual| usual == name), "{name} is missing in {usual:?}");
    }

    imap.ok("CREATE Work/2026/Reports");
    assert_eq!(names(&mut imap, "LIST \"\" Work*"), ["Work", "Work/2026", "Work/2026/Reports"]);
    assert_eq!(names(&mut imap, "LIST \"\" Work/%"), ["Work/2026"]);
    assert_eq!(names(&mut imap, "LIST Work/ *"), ["Work/2026", "Work/2026/Reports"]);
    assert!(imap.no("CREATE Work").text.starts_with("[ALREADYEXISTS]"));
    imap.no("CREATE inbox");
    imap.ok("CREATE Slash/");
    assert_eq!(
        names(&mut imap, "LIST \"\" Slash*"),
        ["Slash"],
        "RFC 3501 §6.3.3: a hint, not part of the name"
    );

    imap.append("Work/2026", "", &message("a@x.test", ALICE, "kept", "x\r\n"));
    imap.ok("RENAME Work Job");
    assert_eq!(names(&mut imap, "LIST \"\" Work*"), Vec::<String>::new());
    assert_eq!(names(&mut imap, "LIST \"\" Job*"), ["Job", "Job/2026", "Job/2026/Reports"]);
    imap.ok("SELECT Job/2026");
    assert_eq!(imap.search("SUBJECT kept").len(), 1);
    assert!(imap.no("RENAME Job Sent").text.starts_with("[ALREADYEXISTS]"));
    assert!(imap.no("RENAME Nowhere Somewhere").text.starts_with("[NONEXISTENT]"));
    imap.no("RENAME Job Job/Child");

    assert!(imap.no("DELETE Nowhere").text.starts_with("[NONEXISTENT]"));
    imap.no("DELETE INBOX");
    imap.ok("UNSELECT");
    imap.ok("DELETE Job/2026");
    let left = list(&mut imap, "LIST \"\" Job/*");
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(
        left[0].1.contains("\\Noselect") || left[0].1.contains("\\NonExistent"),
        "RFC 3501 §6.3.4: {left:?}"
    );
    imap.no("SELECT Job/2026");
    imap.ok("DELETE Job/2026/Reports");
    imap.ok("CREATE Job/2026");
    imap.ok("SELECT Job/2026");
    assert!(imap.search("ALL").is_empty(), "the old messages are back");
}

fn rfc3501_uid_validity_survives_what_it_must(database: Database) {
    let mut hub = Hub::start_on(database);
    let mut imap = hub.imap(ALICE);
    imap.ok("CREATE Keep");
    imap.ok("CREATE Again");
    imap.append("Keep", "(\\Flagged $Label1) \"05-Mar-2021 10:11:12 +0100\" ", b"Subject: one\r\n\r\n1\r\n");
    imap.append("Keep", "", b"Subject: two\r\n\r\n2\r\n");
    let before = imap.ok("SELECT Keep");
    imap.ok("UID STORE 2 +FLAGS (\\Deleted)");
    imap.ok("EXPUNGE");
    let again = imap.ok("EXAMINE Again").code_number("UIDVALIDITY");

    imap.ok("UNSELECT");
    imap.ok("DELETE Again");
    imap.ok("CREATE Again");
    let renewed = imap.ok("EXAMINE Again").code_number("UIDVALIDITY");
    assert!(renewed > again, "RFC 3501 §2.3.1.1: a new mailbox of an old name: {renewed} after {again}");

    imap.ok("RENAME Keep Kept");
    drop(imap);
    hub.stop();
    hub.launch();
    let mut imap = hub.imap(ALICE);
    let after = imap.ok("SELECT Kept");
    assert_eq!(after.code_number("UIDVALIDITY"), before.code_number("UIDVALIDITY"));
    assert_eq!(after.code_number("UIDNEXT"), 3, "UID 2 was given out and must not come again");
    assert!(after.code_number("HIGHESTMODSEQ") >= before.code_number("HIGHESTMODSEQ"));
    let fetched = imap.ok("FETCH 1 (UID FLAGS INTERNALDATE)").fetched();
    assert_eq!(fetched[0].uid(), 1);
    assert_eq!(fetched[0].flags(), ["$Label1", "\\Flagged"]);
    let date = String::from_utf8_lossy(fetched[0].item("INTERNALDATE").text()).into_owned();
    assert!(["05-Mar-2021 10:11:12 +0100", "05-Mar-2021 09:11:12 +0000"].contains(&date.as_str()), "{date}");
    assert_eq!(imap.append("Kept", "", b"Subject: three\r\n\r\n3\r\n"), 3);
}

#[test]
fn rfc3501_6_3_5_renaming_inbox_moves_its_messages() {
    let hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    imap.append("INBOX", "", &message("a@x.test", ALICE, "old", "x\r\n"));
    imap.ok("RENAME INBOX Old");
    imap.ok("SELECT Old");
    assert_eq!(imap.search("ALL").len(), 1);
    imap.ok("SELECT InBoX");
    assert!(imap.search("ALL").is_empty());
    hub.deliver(ALICE, &message("a@x.test", ALICE, "new", "x\r\n"));
    hub.arrived(ALICE, "new");
}

#[test]
fn rfc3501_6_3_8_list_patterns() {
    let hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    for name in ["Pr&APw-fung", "Ablage &- Akten", "&2D3eAA-"] {
        imap.ok(&format!("CREATE \"{name}\""));
    }
    // The hierarchy delimiter; iPhones ask before anything else.
    assert!(imap.ok("LIST \"\" \"\"").has("* LIST (\\Noselect) \"/\" \"\""));
    assert_eq!(names(&mut imap, "LIST \"\" inbox"), ["INBOX"]);
    assert_eq!(names(&mut imap, "LIST \"\" Pr*"), ["Pr&APw-fung"]);
    assert_eq!(names(&mut imap, "LIST \"\" \"*&- *\""), ["Ablage &- Akten"]);
    assert_eq!(names(&mut imap, "LIST \"\" &2D3eAA-"), ["&2D3eAA-"]);
    assert!(names(&mut imap, "LIST \"\" Nothing*").is_empty());
    imap.no("CREATE \"a//b\"");
    imap.no("CREATE \"\"");
    assert!(imap.no("SELECT Nowhere").text.starts_with("[NONEXISTENT]"), "RFC 5530");
    assert!(imap.no("STATUS Nowhere (MESSAGES)").text.starts_with("[NONEXISTENT]"));
    let reply = imap.try_append("Nowhere", "", b"x").expect("a reply");
    assert!(reply.text.starts_with("[TRYCREATE]"), "RFC 3501 §6.3.11: {reply:?}");
}

#[test]
fn rfc6154_special_use_is_always_shown() {
    let hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    // macOS Mail never asks for the attributes, but uses them.
    for command in [
        "LIST \"\" *",
        "LIST \"\" * RETURN (SPECIAL-USE)",
        "LIST (SUBSCRIBED) \"\" \"*\" RETURN (SPECIAL-USE)",
    ] {
        let listed = list(&mut imap, command);
        for (name, role) in [
            ("Drafts", "\\Drafts"),
            ("Sent", "\\Sent"),
            ("Junk", "\\Junk"),
            ("Trash", "\\Trash"),
            ("Archive", "\\Archive"),
        ] {
            let (_, attributes) = listed.iter().find(|(listed, _)| listed == name).expect(name);
            assert!(
                attributes.split(' ').any(|attribute| attribute == role),
                "{command}: {name} {attributes}"
            );
        }
    }
    let only = names(&mut imap, "LIST (SPECIAL-USE) \"\" *");
    assert!(only.contains(&"Sent".to_owned()) && !only.contains(&"INBOX".to_owned()), "{only:?}");
}

#[test]
fn rfc3501_6_3_6_subscriptions() {
    let hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    assert!(
        names(&mut imap, "LSUB \"\" *").contains(&"INBOX".to_owned()),
        "the usual mailboxes are subscribed"
    );
    imap.ok("CREATE Lists/rust");
    assert!(
        names(&mut imap, "LSUB \"\" *").contains(&"Lists/rust".to_owned()),
        "Thunderbird shows only subscribed ones"
    );
    imap.ok("UNSUBSCRIBE Lists/rust");
    assert!(!names(&mut imap, "LSUB \"\" *").contains(&"Lists/rust".to_owned()));
    imap.ok("SUBSCRIBE Lists/rust");
    imap.ok("DELETE Lists/rust");
    assert!(
        names(&mut imap, "LSUB \"\" *").contains(&"Lists/rust".to_owned()),
        "RFC 3501 §6.3.9: also of a deleted one"
    );
    let subscribed = list(&mut imap, "LIST (SUBSCRIBED) \"\" *");
    let (_, attributes) = subscribed.iter().find(|(name, _)| name == "Lists/rust").expect("RFC 5258 §3");
    assert!(attributes.contains("\\NonExistent") && attributes.contains("\\Subscribed"), "{attributes}");
}

#[test]
fn rfc3348_children_rfc5819_list_status() {
    let hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    imap.ok("CREATE Parent/Child");
    imap.append("Parent/Child", "", b"Subject: a\r\n\r\n\r\n");
    imap.append("Parent/Child", "(\\Seen) ", b"Subject: b\r\n\r\n\r\n");
    let listed = list(&mut imap, "LIST \"\" Parent*");
    assert!(listed[0].1.contains("\\HasChildren"), "{listed:?}");
    assert!(listed[1].1.contains("\\HasNoChildren"), "{listed:?}");

    let reply = imap.ok("LIST \"\" * RETURN (SPECIAL-USE STATUS (MESSAGES UNSEEN UIDNEXT UIDVALIDITY))");
    let lines: Vec<String> = reply.lines().into_iter().map(|line| line.replace('"', "")).collect();
    let status = lines.iter().position(|line| line.starts_with("* STATUS Parent/Child ")).expect("a STATUS");
    let name = lines.iter().position(|line| line.starts_with("* LIST ") && line.ends_with("Parent/Child"));
    assert!(name.expect("a LIST") < status, "RFC 5819 §2: the STATUS comes after its LIST: {lines:?}");
    assert!(lines[status].contains("MESSAGES 2") && lines[status].contains("UNSEEN 1"), "{}", lines[status]);
    let selectable =
        lines.iter().filter(|line| line.starts_with("* LIST ") && !line.contains("\\No")).count();
    assert_eq!(lines.iter().filter(|line| line.starts_with("* STATUS ")).count(), selectable);
}

#[test]
fn rfc3501_6_3_1_select_tells_everything() {
    let hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    imap.append("INBOX", "(\\Seen) ", b"Subject: a\r\n\r\n\r\n");
    imap.append("INBOX", "", b"Subject: b\r\n\r\n\r\n");
    let reply = imap.ok("SELECT INBOX");
    assert!(reply.has("* 2 EXISTS"), "{reply:?}");
    assert_eq!(reply.lines().iter().filter(|line| line.ends_with(" RECENT")).count(), 1);
    assert_eq!(reply.code("UNSEEN").as_deref(), Some("2"));
    assert_eq!(reply.code_number("UIDNEXT"), 3);
    assert!(reply.code_number("UIDVALIDITY") > 0);
    assert!(reply.code_number("HIGHESTMODSEQ") > 0);
    let permanent = reply.code("PERMANENTFLAGS").expect("PERMANENTFLAGS");
    assert!(permanent.contains("\\*"), "else Thunderbird drops tags: {permanent}");
    // Both, or Thunderbird falls back to its own names.
    let flags = reply.starting("* FLAGS ").concat();
    for flag in
        ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft", "$Junk", "$NotJunk", "$Forwarded"]
    {
        assert!(flags.contains(flag), "{flag} is not in {flags}");
    }
    // Gmail's missing text after a code broke parsers.
    for line in reply.starting("* OK [") {
        assert!(line.split_once(']').is_some_and(|(_, text)| text.trim().len() > 1), "{line}");
    }
    assert!(reply.text.starts_with("[READ-WRITE]"), "{reply:?}");
    let examined = imap.ok("EXAMINE INBOX");
    assert!(examined.text.starts_with("[READ-ONLY]"), "{examined:?}");
    imap.no("STORE 1 +FLAGS (\\Flagged)");
    imap.no("EXPUNGE");
    // SELECT of what does not exist leaves nothing selected (RFC 3501 §6.3.1).
    imap.no("SELECT Nowhere");
    imap.bad("FETCH 1 FLAGS");
}

#[test]
fn rfc3501_6_3_10_status() {
    let hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    imap.append("INBOX", "(\\Seen) ", b"Subject: a\r\n\r\n12345");
    imap.append("INBOX", "", b"Subject: b\r\n\r\n");
    let reply = imap.ok("STATUS inbox (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)");
    let values = crate::imap_client::parse(&reply.untagged[0]);
    assert_eq!(values[1].atom(), "STATUS");
    let pairs: Vec<(&str, u64)> =
        values[3].list().chunks(2).map(|pair| (pair[0].atom(), pair[1].number())).collect();
    for expected in [("MESSAGES", 2), ("UIDNEXT", 3), ("UNSEEN", 1)] {
        assert!(pairs.contains(&expected), "{pairs:?}");
    }
    if imap.ok("CAPABILITY").lines()[0].contains("STATUS=SIZE") {
        let size = imap.ok("STATUS INBOX (SIZE)").lines().concat();
        assert!(size.ends_with("(SIZE 33)"), "RFC 8438: {size}");
    }
}
