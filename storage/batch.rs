//! Several statements as one text, for SQLite: a round trip to the thread that owns the connection
//! costs some 50 µs, most statements of a small commit far less.
//!
//! sqlx's SQLite driver runs all statements of a text and numbers their parameters through, so
//! joining them is counting `$n` on. (For portable queries sqlx advises against it, because only
//! this driver can; every storage test would notice if it no longer could.) A text is prepared once
//! and found again by its statements.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::db::{Statement, Value};

/// Statements with more values than this go one by one: what many rows share costs little, and
/// their sizes vary so much that a joined text would hardly be met again.
const MOST_VALUES: usize = 200;
/// Joined texts that are remembered. A few dozen are in use; rare combinations must not pile up.
const MOST_TEXTS: usize = 256;

/// A text, its values, and how many statements it has.
pub(crate) type Text = (SqlStr, Vec<Value>, usize);

/// The fewest texts that run all `statements` in order.
pub(crate) fn join(statements: Vec<Statement>) -> Vec<Text> {
    let values: usize = statements.iter().map(|(_, values)| values.len()).sum();
    if statements.len() < 2 || values > MOST_VALUES {
        return statements.into_iter().map(|(sql, values)| (sql.into_sql_str(), values, 1)).collect();
    }
    let key: Vec<&'static str> = statements.iter().map(|(sql, _)| *sql).collect();
    let count = key.len();
    let text = text(key, &statements);
    let values = statements.into_iter().flat_map(|(_, values)| values).collect();
    vec![(AssertSqlSafe(text).into_sql_str(), values, count)]
}

fn text(key: Vec<&'static str>, statements: &[Statement]) -> Arc<str> {
    type Texts = HashMap<Vec<&'static str>, Arc<str>>;
    static TEXTS: LazyLock<Mutex<Texts>> = LazyLock::new(Mutex::default);
    let mut texts = crate::locked(&TEXTS);
    if let Some(text) = texts.get(&key) {
        return Arc::clone(text);
    }
    if texts.len() == MOST_TEXTS {
        // The ones in use are back within a few commits.
        texts.clear();
    }
    let mut joined = String::new();
    let mut before = 0;
    for (sql, values) in statements {
        if !joined.is_empty() {
            joined.push_str(";\n");
        }
        renumber(sql, before, &mut joined);
        before += values.len();
    }
    let text: Arc<str> = joined.into();
    texts.insert(key, Arc::clone(&text));
    text
}

/// Appends `sql` with every `$n` as `$(n + before)`. No statement has a `$` anywhere else.
fn renumber(sql: &str, before: usize, out: &mut String) {
    use std::fmt::Write;
    let mut pieces = sql.split('$');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let end = piece.find(|c: char| !c.is_ascii_digit()).unwrap_or(piece.len());
        let number: usize = piece[..end].parse().unwrap_or_default();
        let _ = write!(out, "${}", number + before);
        out.push_str(&piece[end..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::values;

    #[test]
    fn parameters_are_numbered_through() {
        let statements: Vec<Statement> = vec![
            ("BEGIN", values![]),
            ("UPDATE a SET b = $2 WHERE c = $1", values![1i64, 2i64]),
            ("INSERT INTO d VALUES ($1,$2),($3,$10)", values![3i64, 4i64, 5i64]),
            ("SELECT $1", values![6i64]),
        ];
        let texts = join(statements);
        let [(sql, values, 4)] = texts.as_slice() else { panic!("not one text of four: {}", texts.len()) };
        assert_eq!(
            sql.as_str(),
            "BEGIN;\nUPDATE a SET b = $2 WHERE c = $1;\nINSERT INTO d VALUES ($3,$4),($5,$12);\nSELECT $6"
        );
        assert_eq!(values.len(), 6);
    }

    #[test]
    fn many_values_go_statement_by_statement() {
        let many: Vec<Value> = (0..150i64).map(Value::from).collect();
        let texts = join(vec![("A $1", many.clone()), ("B $1", many)]);
        assert_eq!(
            texts.iter().map(|(sql, _, count)| (sql.as_str(), *count)).collect::<Vec<_>>(),
            [("A $1", 1), ("B $1", 1)]
        );
        assert_eq!(join(vec![("A", values![])]).len(), 1);
        assert!(join(Vec::new()).is_empty());
    }
}
