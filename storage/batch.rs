//! Statements as SQLite gets them: several as one text, parameters without names.
//!
//! A round trip to the thread that owns the connection costs some 50 µs, most statements of a small
//! commit far less. sqlx's SQLite driver runs all statements of a text and counts their parameters
//! through. (For portable queries sqlx advises against that, because only this driver can; every
//! storage test would notice if it no longer could.)
//!
//! `$n` is a name to SQLite, and sqlx asks for the name of each parameter, which SQLite looks up in
//! a list: time in the square of their number. A plain `?` has none; so values go in the order in
//! which the text uses them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::db::{Statement, Value};

/// Statements with more values than this go one by one: what many rows share costs little, and
/// their sizes vary so much that a joined text would hardly be met again.
const MOST_VALUES: usize = 200;
/// Texts that are remembered. About a hundred are in use; rare combinations must not pile up.
const MOST_TEXTS: usize = 512;

/// A text, its values in order, and how many statements it has.
pub(crate) type Call = (SqlStr, Vec<Value>, usize);

/// A text with `?` for parameters, and which of the statements' values each of them is.
struct Text {
    sql: Arc<str>,
    order: Vec<usize>,
}

/// The fewest calls that run all `statements` in order.
pub(crate) fn calls(statements: Vec<Statement>) -> Vec<Call> {
    let values: usize = statements.iter().map(|(_, values)| values.len()).sum();
    if statements.len() > 1 && values <= MOST_VALUES {
        return vec![call(statements)];
    }
    statements.into_iter().map(|statement| call(vec![statement])).collect()
}

fn call(statements: Vec<Statement>) -> Call {
    let count = statements.len();
    let text = text(&statements);
    let mut values: Vec<Value> = statements.into_iter().flat_map(|(_, values)| values).collect();
    let is_in_order = text.order.iter().copied().eq(0..values.len());
    if !is_in_order {
        values = text.order.iter().filter_map(|&place| values.get(place).cloned()).collect();
    }
    (AssertSqlSafe(Arc::clone(&text.sql)).into_sql_str(), values, count)
}

fn text(statements: &[Statement]) -> Arc<Text> {
    type Texts = HashMap<Vec<&'static str>, Arc<Text>>;
    static TEXTS: LazyLock<Mutex<Texts>> = LazyLock::new(Mutex::default);
    let key: Vec<&'static str> = statements.iter().map(|(sql, _)| *sql).collect();
    let mut texts = crate::locked(&TEXTS);
    if let Some(text) = texts.get(&key) {
        return Arc::clone(text);
    }
    if texts.len() == MOST_TEXTS {
        // The ones in use are back within a few commits.
        texts.clear();
    }
    let (mut sql, mut order, mut before) = (String::new(), Vec::new(), 0);
    for (statement, values) in statements {
        if !sql.is_empty() {
            sql.push_str(";\n");
        }
        unname(statement, before, &mut sql, &mut order);
        before += values.len();
    }
    let text = Arc::new(Text { sql: sql.into(), order });
    texts.insert(key, Arc::clone(&text));
    text
}

/// Appends `statement` with `?` for every `$n`, whose value is at `n - 1 + before`. No statement has
/// a `$` anywhere else.
fn unname(statement: &str, before: usize, sql: &mut String, order: &mut Vec<usize>) {
    let mut pieces = statement.split('$');
    sql.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let end = piece.find(|c: char| !c.is_ascii_digit()).unwrap_or(piece.len());
        let number: usize = piece[..end].parse().unwrap_or_default();
        order.push((number + before).saturating_sub(1));
        sql.push('?');
        sql.push_str(&piece[end..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::values;

    fn ints(values: &[Value]) -> Vec<i64> {
        values.iter().map(|value| if let Value::Int(int) = value { *int } else { -1 }).collect()
    }

    #[test]
    fn statements_of_a_small_commit_are_one_call() {
        let statements: Vec<Statement> = vec![
            ("BEGIN", values![]),
            ("UPDATE a SET b = $2, d = $2 WHERE c = $1", values![1i64, 2i64]),
            ("INSERT INTO d VALUES ($1,$2),($3,$4)", values![3i64, 4i64, 5i64, 6i64]),
            ("SELECT $1", values![7i64]),
        ];
        let calls = calls(statements);
        let [(sql, values, 4)] = calls.as_slice() else { panic!("not one call of four: {}", calls.len()) };
        assert_eq!(
            sql.as_str(),
            "BEGIN;\nUPDATE a SET b = ?, d = ? WHERE c = ?;\nINSERT INTO d VALUES (?,?),(?,?);\nSELECT ?"
        );
        assert_eq!(ints(values), [2, 2, 1, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn many_values_go_statement_by_statement() {
        let many: Vec<Value> = (0..150i64).map(Value::from).collect();
        let texts = |statements| -> Vec<(String, usize)> {
            calls(statements).into_iter().map(|(sql, _, count)| (sql.as_str().to_owned(), count)).collect()
        };
        let statements = vec![("A $1", many.clone()), ("B $1", many)];
        assert_eq!(texts(statements), [("A ?".to_owned(), 1), ("B ?".to_owned(), 1)]);
        assert_eq!(texts(vec![("A $12", values![])]), [("A ?".to_owned(), 1)]);
        assert!(texts(Vec::new()).is_empty());
    }
}
