use super::*;
use hub_mime::Scanner;
use proptest::prelude::*;

fn summary(header: &str) -> Vec<u8> {
    let mut scanner = Scanner::new();
    scanner.feed(header.as_bytes());
    scanner.finish().encode()
}

fn table(hasher: &RandomState, headers: &[(i64, &str)]) -> Table {
    let mut builder = Builder::new(hasher);
    for (id, header) in headers {
        builder.put(EmailId(*id), *id * 10, &summary(header));
    }
    let mut table = Table::default();
    table.add(builder);
    table
}

#[test]
fn facts_of_a_message() {
    let hasher = RandomState::new();
    let header = "Subject: [list] Re: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nFrom: Jane Doe <JANE@x.test>\n\
        To: b@y.test, c@y.test\nCc: d@y.test\nBcc: e@y.test\nMessage-ID: <\"1\"@X.test>\n\
        References: <0@x> <9@x>\nIn-Reply-To: <8@x>\nDate: Thu, 1 Jan 1970 23:00:00 -0200\n\n";
    let table = table(&hasher, &[(1, header), (2, "\n"), (3, "In-Reply-To: <8@x> <9@x>\n\n")]);
    let mut cursor = table.cursor();
    let fact = cursor.find(EmailId(1)).expect("there");
    assert_eq!(fact.text(Text::Subject), "[list] re: grüße");
    assert_eq!(fact.text(Text::From), "jane doe <jane@x.test>");
    assert_eq!(fact.text(Text::To), "b@y.test, c@y.test");
    assert_eq!((fact.text(Text::Cc), fact.text(Text::Bcc)), ("d@y.test", "e@y.test"));
    assert_eq!(fact.text(Text::MessageId), "<\"1\"@x.test>");
    let keys = [Key::BaseSubject, Key::From, Key::To, Key::Cc, Key::DisplayFrom, Key::DisplayTo];
    assert_eq!(keys.map(|key| fact.key(key)), ["grüße", "jane", "b", "d", "jane doe", "b@y.test"]);
    assert!(fact.is_reply());
    assert_eq!((fact.sent_at(), fact.sent_day(), fact.thread()), (Some(25 * 3600), Some(0), 10));
    // RFC 5256 §3: quoting makes no difference, case does.
    assert_eq!(fact.message_id(), Some(hash(&hasher, "1@X.test")));
    assert_ne!(fact.message_id(), Some(hash(&hasher, "1@x.test")));
    assert_eq!(fact.references(), [hash(&hasher, "0@x"), hash(&hasher, "9@x")]);

    let empty = cursor.find(EmailId(2)).expect("there");
    assert_eq!((empty.sent_at(), empty.sent_day(), empty.message_id()), (None, None, None));
    assert!(!empty.is_reply() && empty.references().is_empty());
    let reply = cursor.find(EmailId(3)).expect("there");
    assert_eq!(reply.references(), [hash(&hasher, "8@x")]);
    assert!(cursor.find(EmailId(4)).is_none());
}

#[test]
fn many_references_keep_their_ends() {
    let hasher = RandomState::new();
    let ids: String = (0..90).map(|n| format!(" <{n}@x>\n")).collect();
    let table = table(&hasher, &[(1, &format!("References:\n{ids}\n"))]);
    let references = table.cursor().find(EmailId(1)).expect("there").references().to_vec();
    assert_eq!(references.len(), REFERENCES);
    assert_eq!((references[0], references[31]), (hash(&hasher, "0@x"), hash(&hasher, "89@x")));
}

proptest! {
    /// However e-mails arrive and go, each is found with its own facts, and segments stay few.
    #[test]
    fn tables_behave_like_maps(
        batches in proptest::collection::vec(proptest::collection::vec(1i64..400, 1..40), 1..20), kept in 1i64..400,
    ) {
        let hasher = RandomState::new();
        let mut table = Table::default();
        let mut all = std::collections::BTreeSet::new();
        for batch in batches {
            let mut builder = Builder::new(&hasher);
            for id in batch.into_iter().filter(|id| all.insert(*id)) {
                let header = format!("Subject: re: {id}\nFrom: <{id}@x>\nReferences: <{id}@r>\n\n");
                builder.put(EmailId(id), id, &summary(&header));
            }
            table.add(builder);
        }
        let check = |table: &Table, all: &std::collections::BTreeSet<i64>| {
            let mut cursor = table.cursor();
            for id in 1..400 {
                let found = cursor.find(EmailId(id)).map(|fact| {
                    (fact.key(Key::BaseSubject).to_owned(), fact.key(Key::From).to_owned(), fact.references().to_vec())
                });
                let expected = all
                    .contains(&id)
                    .then(|| (id.to_string(), id.to_string(), vec![hash(&hasher, &format!("{id}@r"))]));
                assert_eq!(found, expected);
            }
            assert_eq!(table.len(), all.len());
        };
        check(&table, &all);
        prop_assert!(table.segments.len() <= 9, "{}", table.segments.len());
        table.retain(|email| email.0 <= kept);
        all.retain(|id| *id <= kept);
        check(&table, &all);
    }
}
