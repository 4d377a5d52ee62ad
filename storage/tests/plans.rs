//! No statement may read a whole table: one that does is quick in a test and a disaster in a mailbox
//! of 100,000 messages.

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex};

use crate::Storage;

static STATEMENTS: LazyLock<Mutex<BTreeSet<&'static str>>> = LazyLock::new(Mutex::default);

/// Called with every statement that any test runs.
pub(crate) fn note(sql: &'static str) {
    crate::locked(&STATEMENTS).insert(sql);
}

/// Tables that are small, or that this statement means to read as a whole (administration, the queue
/// as an operator lists it, the journal's yearly trimming).
const MAY_SCAN: [(&str, &str); 15] = [
    ("FROM domain ORDER BY", "domain"),
    ("FROM account a ORDER BY", "a"),
    ("FROM address ORDER BY", "address"),
    ("FROM room r CROSS JOIN account", "r"),
    ("FROM forward ORDER BY", "forward"),
    ("FROM queue_message q", "q"),
    ("FROM blob WHERE place <> ''", "blob"),
    ("FROM journal WHERE made_at", "journal"),
    ("FROM mailbox WHERE parent = $1 LIMIT 1", "mailbox"),
    ("FROM schema_version", "schema_version"),
    ("b.place = v.column1", "b"),
    ("FROM term_block GROUP BY", "term_block"),
    ("FROM report WHERE received_at <", "report"),
    ("LEFT JOIN junk_progress", "m"),
    ("DISTINCT account FROM junk_part", "junk_part"),
];

/// Checks the plan of everything that was run in this process, on an SQLite database.
pub(crate) async fn check(storage: &Storage) {
    let statements: Vec<&'static str> = crate::locked(&STATEMENTS).iter().copied().collect();
    assert!(statements.len() > 30, "only {} statements were run", statements.len());
    let mut reader = storage.reader().await.expect("reader");
    for sql in statements {
        let verb = sql.split_whitespace().next().unwrap_or_default();
        if !["SELECT", "UPDATE", "DELETE", "INSERT"].contains(&verb)
            || sql.contains("pg_tables")
            || sql.contains("sqlite_master")
        {
            continue;
        }
        let explain: &'static str = String::leak(format!("EXPLAIN QUERY PLAN {sql}"));
        let steps = reader.query(explain, Vec::new(), |row| row.text(3)).await.expect(sql);
        for step in steps {
            let Some(table) = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next()) else {
                continue;
            };
            let generated = ["v", "n", "CONSTANT"].contains(&table)
                || table.ends_with("-ROW")
                || table.starts_with("(subquery-")
                || table.parse::<u32>().is_ok();
            let indexed = step.contains("USING INDEX") || step.contains("USING COVERING INDEX");
            let meant = MAY_SCAN.iter().any(|(part, name)| sql.contains(part) && table == *name);
            assert!(generated || indexed || meant, "reads all of {table}: {step}\n{sql}");
        }
    }
}
