//! The thin layer that lets one set of statements run on SQLite and PostgreSQL.
//!
//! Statements use `$1` placeholders and the subset of SQL that both understand. A statement over
//! many rows is a template with `{values}`, expanded to `($1,$2),($3,$4)…` in fixed chunk sizes, so
//! that prepared statements are reused and nothing runs a statement per message.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use futures_util::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::{Arguments, Either, Executor, Postgres, Row as _, Sqlite};

use crate::patience::Patient;
use crate::{Error, Result, batch};

/// A value to bind. There is no NULL: the schema has none.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Bytes(Vec<u8>),
    Int(i64),
    Text(String),
}

macro_rules! value_from {
    ($($type:ty => |$x:ident| $value:expr;)*) => {
        $(impl From<$type> for Value { fn from($x: $type) -> Self { $value } })*
    };
}

value_from! {
    i64 => |x| Self::Int(x);
    u32 => |x| Self::Int(i64::from(x));
    u64 => |x| Self::Int(x as i64);
    bool => |x| Self::Int(i64::from(x));
    &str => |x| Self::Text(x.to_owned());
    String => |x| Self::Text(x);
    Vec<u8> => |x| Self::Bytes(x);
    &[u8] => |x| Self::Bytes(x.to_vec());
    crate::AccountId => |x| Self::Int(x.0);
    crate::MailboxId => |x| Self::Int(x.0);
    crate::EmailId => |x| Self::Int(x.0);
    crate::BlobId => |x| Self::Bytes(x.0.to_vec());
    crate::Flags => |x| Self::Int(x.0 as i64);
}

/// `values![a, b, c]`: values to bind, of mixed types.
macro_rules! values {
    ($($x:expr),* $(,)?) => { vec![$($crate::db::Value::from($x)),*] };
}
pub(crate) use values;

/// A row of an answer; columns by position.
#[derive(Clone, Copy)]
pub(crate) enum Row<'a> {
    Postgres(&'a sqlx::postgres::PgRow),
    Sqlite(&'a sqlx::sqlite::SqliteRow),
}

impl<'a> Row<'a> {
    /// Bytes where they lie.
    pub(crate) fn slice(self, column: usize) -> Result<&'a [u8]> {
        Ok(match self {
            Self::Postgres(row) => row.try_get_unchecked(column)?,
            Self::Sqlite(row) => row.try_get_unchecked(column)?,
        })
    }

    pub(crate) fn int(self, column: usize) -> Result<i64> {
        Ok(match self {
            Self::Postgres(row) => row.try_get_unchecked(column)?,
            Self::Sqlite(row) => row.try_get_unchecked(column)?,
        })
    }

    pub(crate) fn text(self, column: usize) -> Result<String> {
        Ok(match self {
            Self::Postgres(row) => row.try_get_unchecked(column)?,
            Self::Sqlite(row) => row.try_get_unchecked(column)?,
        })
    }

    pub(crate) fn bytes(self, column: usize) -> Result<Vec<u8>> {
        Ok(match self {
            Self::Postgres(row) => row.try_get_unchecked(column)?,
            Self::Sqlite(row) => row.try_get_unchecked(column)?,
        })
    }

    pub(crate) fn blob_id(self, column: usize) -> Result<crate::BlobId> {
        crate::BlobId::from_slice(&self.bytes(column)?)
            .ok_or_else(|| Error::damaged("a blob id in the database does not have 32 bytes"))
    }
}

/// A connection to either database.
///
/// A round trip to the thread that owns an SQLite connection costs more than most statements, so
/// statements whose answer nobody needs at once can wait ([`Connection::defer`]) and go together
/// with the next one that is asked something.
pub(crate) struct Connection {
    driver: Driver,
    /// Statements that go before the next one, in order.
    waiting: Vec<Statement>,
    /// A transaction was begun and its end not seen yet.
    begun: bool,
}

enum Driver {
    Postgres(PoolConnection<Postgres>),
    Sqlite(PoolConnection<Sqlite>),
}

/// A statement and the values of its parameters.
pub(crate) type Statement = (&'static str, Vec<Value>);

const SAVEPOINT: &str = "SAVEPOINT job";
const RELEASE: &str = "RELEASE SAVEPOINT job";

/// What a statement answers: its rows, then how many it changed.
pub(crate) enum Answer<'a> {
    Row(Row<'a>),
    Done(u64),
}

/// Takes answers, with the number of the statement.
type Take<'a> = dyn FnMut(usize, Answer<'_>) -> Result<()> + Send + 'a;

impl From<PoolConnection<Postgres>> for Connection {
    fn from(connection: PoolConnection<Postgres>) -> Self {
        Self { driver: Driver::Postgres(connection), waiting: Vec::new(), begun: false }
    }
}

impl From<PoolConnection<Sqlite>> for Connection {
    fn from(connection: PoolConnection<Sqlite>) -> Self {
        Self { driver: Driver::Sqlite(connection), waiting: Vec::new(), begun: false }
    }
}

impl Drop for Connection {
    /// Who is aborted or fails amid a transaction must not leave it to the next user of the pool,
    /// who would see the past.
    fn drop(&mut self) {
        if self.begun {
            match &mut self.driver {
                Driver::Postgres(c) => c.close_on_drop(),
                Driver::Sqlite(c) => c.close_on_drop(),
            }
        }
    }
}

impl Connection {
    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.driver, Driver::Sqlite(_))
    }

    /// Keeps a statement until the next one is executed or queried; its errors come there.
    pub(crate) fn defer(&mut self, sql: &'static str, values: Vec<Value>) {
        self.waiting.push((sql, values));
    }

    /// [`Connection::defer`] of a template for all rows of values.
    pub(crate) fn defer_many(&mut self, template: &'static str, rows: Vec<Vec<Value>>) {
        self.waiting.extend(chunks(template, rows));
    }

    /// Runs a statement; returns the number of rows it changed.
    pub(crate) async fn execute(&mut self, sql: &'static str, values: Vec<Value>) -> Result<u64> {
        let mut changed = 0;
        let take = &mut |_, answer: Answer<'_>| {
            if let Answer::Done(rows) = answer {
                changed = rows;
            }
            Ok(())
        };
        self.run(vec![(sql, values)], take).await?;
        Ok(changed)
    }

    /// Runs a query and maps its rows as they come.
    pub(crate) async fn query<T: Send>(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
        mut map: impl FnMut(Row<'_>) -> Result<T> + Send,
    ) -> Result<Vec<T>> {
        let mut out = Vec::new();
        let take = &mut |_, answer: Answer<'_>| {
            if let Answer::Row(row) = answer {
                out.push(map(row)?);
            }
            Ok(())
        };
        self.run(vec![(sql, values)], take).await?;
        Ok(out)
    }

    /// Runs several statements as one; `take` gets each answer with the number of its statement.
    pub(crate) async fn run_each(
        &mut self,
        statements: Vec<Statement>,
        mut take: impl FnMut(usize, Answer<'_>) -> Result<()> + Send,
    ) -> Result<()> {
        self.run(statements, &mut take).await
    }

    /// The first row of a query, if there is one.
    pub(crate) async fn first<T: Send>(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
        map: impl FnMut(Row<'_>) -> Result<T> + Send,
    ) -> Result<Option<T>> {
        Ok(self.query(sql, values, map).await?.into_iter().next())
    }

    /// Runs a template for all rows of values, in as few statements as the chunk sizes allow.
    pub(crate) async fn execute_many(
        &mut self,
        template: &'static str,
        rows: Vec<Vec<Value>>,
    ) -> Result<u64> {
        let mut changed = 0;
        for (sql, values) in chunks(template, rows) {
            changed += self.execute(sql, values).await?;
        }
        Ok(changed)
    }

    /// Like [`Connection::execute_many`] for queries; rows of the answer come in any order.
    pub(crate) async fn query_many<T: Send>(
        &mut self,
        template: &'static str,
        rows: Vec<Vec<Value>>,
        mut map: impl FnMut(Row<'_>) -> Result<T> + Send,
    ) -> Result<Vec<T>> {
        let mut out = Vec::new();
        for (sql, values) in chunks(template, rows) {
            out.append(&mut self.query(sql, values, &mut map).await?);
        }
        Ok(out)
    }

    /// Runs what waits, then `statements`; `take` gets the answers to the latter.
    async fn run(&mut self, statements: Vec<Statement>, take: &mut Take<'_>) -> Result<()> {
        let mut all = std::mem::take(&mut self.waiting);
        let before = all.len();
        all.extend(statements);
        self.begun |= all.first().is_some_and(|(sql, _)| sql.starts_with("BEGIN"));
        #[cfg(test)]
        all.iter().for_each(|(sql, _)| crate::tests::plans::note(sql));
        let mut index = 0;
        let mut asked = |index: usize, answer: Answer<'_>| match index.checked_sub(before) {
            Some(index) => take(index, answer),
            None => Ok(()),
        };
        match &mut self.driver {
            Driver::Postgres(c) => {
                for (sql, values) in all {
                    let query = sqlx::query_with(sql, postgres_arguments(values)?);
                    let mut answers = (&mut **c).fetch_many(query);
                    while let Some(answer) = answers.try_next().await? {
                        match answer {
                            Either::Left(done) => asked(index, Answer::Done(done.rows_affected()))?,
                            Either::Right(row) => asked(index, Answer::Row(Row::Postgres(&row)))?,
                        }
                    }
                    index += 1;
                }
            }
            Driver::Sqlite(c) => {
                for (sql, values, count) in batch::calls(all) {
                    let end = index + count;
                    let query = sqlx::query_with(sql, sqlite_arguments(values)?);
                    let mut answers = Patient::new((&mut **c).fetch_many(query));
                    while let Some(answer) = answers.try_next().await? {
                        match answer {
                            Either::Left(done) => {
                                asked(index, Answer::Done(done.rows_affected()))?;
                                index += 1;
                            }
                            Either::Right(row) => asked(index, Answer::Row(Row::Sqlite(&row)))?,
                        }
                    }
                    debug_assert_eq!(index, end, "every statement ends with its number of rows");
                }
            }
        }
        Ok(())
    }

    /// Runs a script of several statements (migrations).
    pub(crate) async fn script(&mut self, sql: &'static str) -> Result<()> {
        self.run(Vec::new(), &mut |_, _| Ok(())).await?;
        match &mut self.driver {
            Driver::Postgres(c) => sqlx::raw_sql(sql).execute(&mut **c).await.map(drop)?,
            Driver::Sqlite(c) => sqlx::raw_sql(sql).execute(&mut **c).await.map(drop)?,
        }
        Ok(())
    }

    /// Begins with the next statement. SQLite takes the write lock at once: upgrading a read
    /// transaction can fail with BUSY.
    pub(crate) fn begin_write(&mut self) {
        self.defer(if self.is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN" }, Vec::new());
    }

    /// Begins with the next statement; all until the end see one state of the database.
    pub(crate) fn begin_read(&mut self) {
        let sql = match self.driver {
            Driver::Postgres(_) => "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Driver::Sqlite(_) => "BEGIN",
        };
        self.defer(sql, Vec::new());
    }

    /// What follows can be undone alone, until [`Connection::release`].
    pub(crate) fn savepoint(&mut self) {
        self.defer(SAVEPOINT, Vec::new());
    }

    /// Runs what waits and keeps what was done since the savepoint.
    pub(crate) async fn release(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            // It cannot fail by itself, so it needs no round trip of its own.
            self.defer(RELEASE, Vec::new());
            return Ok(());
        }
        self.execute(RELEASE, Vec::new()).await.map(drop)
    }

    /// Undoes what was done since the savepoint. An error if the savepoint was never reached because
    /// something before it failed: then the whole transaction must go.
    pub(crate) async fn undo(&mut self) -> Result<()> {
        if let Some(place) = self.waiting.iter().rposition(|(sql, _)| *sql == SAVEPOINT) {
            self.waiting.truncate(place);
            return Ok(());
        }
        self.waiting.clear();
        self.defer("ROLLBACK TO SAVEPOINT job", Vec::new());
        self.release().await
    }

    pub(crate) async fn commit(&mut self) -> Result<()> {
        self.execute("COMMIT", Vec::new()).await?;
        self.begun = false;
        Ok(())
    }

    /// Undoes the transaction; what waits is never run.
    pub(crate) async fn rollback(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.first().is_some_and(|(sql, _)| sql.starts_with("BEGIN")) {
            return Ok(());
        }
        self.execute("ROLLBACK", Vec::new()).await?;
        self.begun = false;
        Ok(())
    }
}

fn sqlite_arguments(values: Vec<Value>) -> Result<sqlx::sqlite::SqliteArguments> {
    let mut arguments = sqlx::sqlite::SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        match value {
            Value::Bytes(bytes) => arguments.add(bytes),
            Value::Int(int) => arguments.add(int),
            Value::Text(text) => arguments.add(text),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

fn postgres_arguments(values: Vec<Value>) -> Result<sqlx::postgres::PgArguments> {
    let mut arguments = sqlx::postgres::PgArguments::default();
    arguments.reserve(values.len(), 16 * values.len());
    for value in values {
        match value {
            Value::Bytes(bytes) => arguments.add(bytes),
            Value::Int(int) => arguments.add(int),
            Value::Text(text) => arguments.add(text),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// Most rows of one expanded statement. 64 rows × 10 columns stay far below the limits of SQLite
/// (32,766 parameters) and PostgreSQL (65,535).
const MOST_ROWS: usize = 64;

/// Up to so many rows are one statement of just that size: a round trip to the database costs more
/// than a row, and groups of a few are what a handful of clients makes.
const EXACT_ROWS: usize = 16;

/// Splits rows into chunks of 64, 32, 16 and what is left, each with its expanded statement.
pub(crate) fn chunks(
    template: &'static str,
    rows: Vec<Vec<Value>>,
) -> impl Iterator<Item = (&'static str, Vec<Value>)> {
    let columns = rows.first().map_or(0, Vec::len);
    let mut left = rows.len();
    let mut rows = rows.into_iter();
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let size = if left <= EXACT_ROWS {
            left
        } else if left < MOST_ROWS {
            1 << left.ilog2()
        } else {
            MOST_ROWS
        };
        left -= size;
        let values = rows.by_ref().take(size).flatten().collect();
        Some((expand(template, columns, size), values))
    })
}

/// One statement for all rows, which are few: what belongs together must not be split.
pub(crate) fn exact(template: &'static str, rows: Vec<Vec<Value>>) -> Statement {
    debug_assert!(rows.len() <= MOST_ROWS, "{} rows in one statement", rows.len());
    let columns = rows.first().map_or(0, Vec::len);
    (expand(template, columns, rows.len()), rows.into_iter().flatten().collect())
}

/// Expanded statements live as long as the process: there are at most 64 per template and columns.
fn expand(template: &'static str, columns: usize, rows: usize) -> &'static str {
    type Cache = HashMap<(&'static str, usize, usize), &'static str>;
    static CACHE: LazyLock<Mutex<Cache>> = LazyLock::new(Mutex::default);
    let mut cache = CACHE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    cache.entry((template, columns, rows)).or_insert_with(|| {
        let mut list = String::new();
        for row in 0..rows {
            list.push_str(if row == 0 { "(" } else { ",(" });
            for column in 0..columns {
                use std::fmt::Write;
                let _ = write!(list, "{}${}", if column == 0 { "" } else { "," }, row * columns + column + 1);
            }
            list.push(')');
        }
        String::leak(template.replace("{values}", &list))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_expanded_in_fixed_chunks() {
        let rows = (0..75i64).map(|n| values![n, "x"]).collect();
        let statements: Vec<_> = chunks("INSERT INTO t VALUES {values}", rows).collect();
        let sizes: Vec<_> = statements.iter().map(|(_, values)| values.len() / 2).collect();
        assert_eq!(sizes, [64, 11]);
        let rows = (0..50i64).map(|n| values![n, "x"]).collect();
        let statements: Vec<_> = chunks("INSERT INTO t VALUES {values}", rows).collect();
        let sizes: Vec<_> = statements.iter().map(|(_, values)| values.len() / 2).collect();
        assert_eq!(sizes, [32, 16, 2]);
        assert_eq!(statements[2].0, "INSERT INTO t VALUES ($1,$2),($3,$4)");
    }
}
