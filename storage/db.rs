//! The thin layer that lets one set of statements run on SQLite and PostgreSQL.
//!
//! Statements use `$1` placeholders and the subset of SQL that both understand. A statement over
//! many rows is a template with `{values}`, expanded to `($1,$2),($3,$4)…` in fixed chunk sizes, so
//! that prepared statements are reused and nothing runs a statement per message.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use futures_util::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::{Arguments, Postgres, Row as _, Sqlite};

use crate::{Error, Result};

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

impl Row<'_> {
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
pub(crate) enum Connection {
    Postgres(PoolConnection<Postgres>),
    Sqlite(PoolConnection<Sqlite>),
}

impl Connection {
    /// Runs a statement; returns the number of rows it changed.
    pub(crate) async fn execute(&mut self, sql: &'static str, values: Vec<Value>) -> Result<u64> {
        #[cfg(test)]
        crate::tests::plans::note(sql);
        Ok(match self {
            Self::Postgres(c) => {
                sqlx::query_with(sql, postgres_arguments(values)?).execute(&mut **c).await?.rows_affected()
            }
            Self::Sqlite(c) => {
                sqlx::query_with(sql, sqlite_arguments(values)?).execute(&mut **c).await?.rows_affected()
            }
        })
    }

    /// Runs a query and maps its rows as they come.
    pub(crate) async fn query<T>(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
        mut map: impl FnMut(Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        #[cfg(test)]
        crate::tests::plans::note(sql);
        let mut out = Vec::new();
        match self {
            Self::Postgres(c) => {
                let mut rows = sqlx::query_with(sql, postgres_arguments(values)?).fetch(&mut **c);
                while let Some(row) = rows.try_next().await? {
                    out.push(map(Row::Postgres(&row))?);
                }
            }
            Self::Sqlite(c) => {
                let mut rows = sqlx::query_with(sql, sqlite_arguments(values)?).fetch(&mut **c);
                while let Some(row) = rows.try_next().await? {
                    out.push(map(Row::Sqlite(&row))?);
                }
            }
        }
        Ok(out)
    }

    /// The first row of a query, if there is one.
    pub(crate) async fn first<T>(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
        map: impl FnMut(Row<'_>) -> Result<T>,
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
    pub(crate) async fn query_many<T>(
        &mut self,
        template: &'static str,
        rows: Vec<Vec<Value>>,
        mut map: impl FnMut(Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut out = Vec::new();
        for (sql, values) in chunks(template, rows) {
            out.append(&mut self.query(sql, values, &mut map).await?);
        }
        Ok(out)
    }

    /// Runs a script of several statements (migrations).
    pub(crate) async fn script(&mut self, sql: &'static str) -> Result<()> {
        match self {
            Self::Postgres(c) => sqlx::raw_sql(sql).execute(&mut **c).await.map(drop)?,
            Self::Sqlite(c) => sqlx::raw_sql(sql).execute(&mut **c).await.map(drop)?,
        }
        Ok(())
    }

    /// SQLite takes the write lock at once: upgrading a read transaction can fail with BUSY.
    pub(crate) async fn begin_write(&mut self) -> Result<()> {
        let sql = match self {
            Self::Postgres(_) => "BEGIN",
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
        };
        self.execute(sql, Vec::new()).await.map(drop)
    }

    /// All statements until the end see one state of the database.
    pub(crate) async fn begin_read(&mut self) -> Result<()> {
        let sql = match self {
            Self::Postgres(_) => "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Self::Sqlite(_) => "BEGIN",
        };
        self.execute(sql, Vec::new()).await.map(drop)
    }

    pub(crate) async fn commit(&mut self) -> Result<()> {
        self.execute("COMMIT", Vec::new()).await.map(drop)
    }

    pub(crate) async fn rollback(&mut self) -> Result<()> {
        self.execute("ROLLBACK", Vec::new()).await.map(drop)
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
fn chunks(template: &'static str, rows: Vec<Vec<Value>>) -> impl Iterator<Item = (&'static str, Vec<Value>)> {
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

/// Expanded statements live as long as the process: there are at most 18 per template and columns.
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
