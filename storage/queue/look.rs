//! The queue as an operator looks at it.

use std::collections::HashMap;

use super::{End, HELD, Hop};
use crate::db::{Connection, Row, values};
use crate::{Result, Storage};

/// Which recipients are meant; all fields that are given must fit.
#[derive(Clone, Debug, Default)]
pub struct QueueFilter {
    /// Queue ids; none means all.
    pub messages: Vec<i64>,
    /// Domain of the recipient, in lower case.
    pub domain: Option<String>,
    /// Reverse-path in lower case; empty for the null one.
    pub sender: Option<String>,
    /// Address of the recipient in lower case.
    pub recipient: Option<String>,
}

/// One recipient as an operator sees it.
#[derive(Clone, Debug)]
pub struct QueuedRow {
    pub message: i64,
    pub recipient: i64,
    pub reverse_path: String,
    pub address: String,
    pub domain: String,
    pub hop: Hop,
    pub size: u64,
    pub attempts: u32,
    pub created_at: i64,
    pub expires_at: i64,
    /// When the sender was told of the delay; 0 if that was not done.
    pub delay_told_at: i64,
    pub due_at: i64,
    pub held: bool,
    /// It is over, and its sender is to be told.
    pub ended: bool,
    /// Somebody is sending it, until the lease ends at `due_at`.
    pub leased: bool,
    pub last_status: String,
    /// The last attempts, the latest first; empty in a list.
    pub log: Vec<AttemptRow>,
}

#[derive(Clone, Debug)]
pub struct AttemptRow {
    pub number: u32,
    pub made_at: i64,
    pub remote: String,
    pub tls: String,
    pub answer: String,
}

impl QueueFilter {
    fn fits(&self, row: &QueuedRow) -> bool {
        let is = |wanted: &Option<String>, text: &str| {
            wanted.as_ref().is_none_or(|wanted| *wanted == text.to_lowercase())
        };
        is(&self.domain, &row.domain)
            && is(&self.sender, &row.reverse_path)
            && is(&self.recipient, &row.address)
    }
}

impl Storage {
    /// What is in the queue, oldest first, `limit` recipients at most.
    pub async fn queue(&self, filter: &QueueFilter, limit: usize) -> Result<Vec<QueuedRow>> {
        rows(&mut self.reader().await?, filter, crate::unix_now(), limit).await
    }

    /// One message with the log of its attempts.
    pub async fn queued(&self, message: i64) -> Result<Vec<QueuedRow>> {
        let mut reader = self.reader().await?;
        let filter = QueueFilter { messages: vec![message], ..QueueFilter::default() };
        let mut found = rows(&mut reader, &filter, crate::unix_now(), usize::MAX).await?;
        let sql = "SELECT recipient, number, made_at, remote, tls, answer FROM queue_attempt
             WHERE message = $1 ORDER BY number DESC";
        let attempts = reader.query(sql, values![message], |row| {
            let attempt = AttemptRow {
                number: row.int(1)? as u32,
                made_at: row.int(2)?,
                remote: row.text(3)?,
                tls: row.text(4)?,
                answer: row.text(5)?,
            };
            Ok((row.int(0)?, attempt))
        });
        let mut logs: HashMap<i64, Vec<AttemptRow>> = HashMap::new();
        for (recipient, attempt) in attempts.await? {
            logs.entry(recipient).or_default().push(attempt);
        }
        for row in &mut found {
            row.log = logs.remove(&row.recipient).unwrap_or_default();
        }
        Ok(found)
    }
}

macro_rules! columns {
    ($from:literal) => {
        concat!(
            "SELECT r.message, r.id, q.reverse_path, r.address, r.domain, r.hop_kind, r.hop_name, q.size,
               q.prefix, r.attempts, q.created_at, q.expires_at, q.delay_told_at, r.due_at, r.status,
               r.leased_by, r.last_status FROM ",
            $from
        )
    };
}

/// The rows that fit, oldest first. They are looked at as they come, so that a filter over a large
/// queue needs no room.
pub(super) async fn rows(
    connection: &mut Connection,
    filter: &QueueFilter,
    now: i64,
    limit: usize,
) -> Result<Vec<QueuedRow>> {
    let mut left = limit;
    let map = |row: Row<'_>| {
        let queued = queued_row(row, now)?;
        let fits = left > 0 && filter.fits(&queued);
        left -= usize::from(fits);
        Ok(fits.then_some(queued))
    };
    let found = if filter.messages.is_empty() {
        let sql = columns!(
            "queue_message q CROSS JOIN queue_recipient r WHERE r.message = q.id ORDER BY r.message, r.id"
        );
        connection.query(sql, values![], map).await?
    } else {
        let sql = columns!(
            "(VALUES {values}) AS v CROSS JOIN queue_message q CROSS JOIN queue_recipient r
             WHERE q.id = v.column1 AND r.message = q.id ORDER BY r.message, r.id"
        );
        connection.query_many(sql, filter.messages.iter().map(|id| values![*id]).collect(), map).await?
    };
    Ok(found.into_iter().flatten().collect())
}

fn queued_row(row: Row<'_>, now: i64) -> Result<QueuedRow> {
    let due_at = row.int(13)?;
    Ok(QueuedRow {
        message: row.int(0)?,
        recipient: row.int(1)?,
        reverse_path: row.text(2)?,
        address: row.text(3)?,
        domain: row.text(4)?,
        hop: Hop { kind: row.text(5)?, name: row.text(6)? },
        size: row.int(7)? as u64 + row.slice(8)?.len() as u64,
        attempts: row.int(9)? as u32,
        created_at: row.int(10)?,
        expires_at: row.int(11)?,
        delay_told_at: row.int(12)?,
        due_at,
        held: row.int(14)? == HELD,
        ended: End::from_status(row.int(14)?).is_some(),
        leased: !row.text(15)?.is_empty() && due_at > now,
        last_status: row.text(16)?,
        log: Vec::new(),
    })
}
