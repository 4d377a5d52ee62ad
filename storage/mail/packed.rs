//! A mailbox's index as one packed row, so that a large mailbox opens in milliseconds after a start.
//!
//! The row is a copy of the truth as of one modseq, written now and then; it may be old or missing.
//! What happened since is in the journal: only the rows it names are read. Without a usable copy
//! all rows are.

use crate::changes::Kind;
use crate::db::{Connection, values};
use crate::mail::Record;
use crate::tx::Tx;
use crate::varint::{put_varint, take_varint};
use crate::{AccountId, EmailId, Error, Flags, IdSet, MailboxId, Modseq, Result};

/// First byte of the packed form; another layout gets another number and is passed over.
const LAYOUT: u8 = 1;
/// zstd level: the copy is read far more often than it is worth making small.
const LEVEL: i32 = 1;

/// Writes (or replaces) the copy of a mailbox's index. `NotFound` if the mailbox is gone.
pub async fn save(
    tx: &mut Tx,
    account: AccountId,
    mailbox: MailboxId,
    modseq: Modseq,
    packed: Vec<u8>,
) -> Result<()> {
    tx.load_mailboxes(vec![(account, mailbox)]).await?;
    tx.mailbox(account, mailbox)?;
    tx.connection
        .execute(
            "INSERT INTO mailbox_index (account, mailbox, modseq, data) VALUES ($1, $2, $3, $4)
             ON CONFLICT (account, mailbox) DO UPDATE SET modseq = excluded.modseq, data = excluded.data",
            values![account, mailbox, modseq, packed],
        )
        .await
        .map(drop)
}

/// The index at `now` from the copy and the journal, within a read transaction; with the modseq of
/// the copy. `None` if there is no usable copy.
pub(crate) async fn load(
    reader: &mut Connection,
    account: AccountId,
    mailbox: MailboxId,
    now: Modseq,
) -> Result<Option<(Modseq, Vec<Record>)>> {
    let copy = reader
        .first(
            "SELECT i.modseq, i.data, a.journal_floor FROM mailbox_index i CROSS JOIN account a
             WHERE i.account = $1 AND i.mailbox = $2 AND a.id = $1",
            values![account, mailbox],
            |row| Ok((row.int(0)? as u64, row.bytes(1)?, row.int(2)? as u64)),
        )
        .await?;
    let Some((modseq, data, _)) = copy.filter(|(modseq, _, floor)| modseq >= floor) else {
        return Ok(None);
    };
    let Some(records) = unpack(&data) else {
        tracing::warn!(
            account = account.0,
            mailbox = mailbox.0,
            "the copy of an index is damaged; reading all rows"
        );
        return Ok(None);
    };
    if modseq >= now {
        return Ok(Some((modseq, records)));
    }
    let mut touched = IdSet::new();
    let since = reader
        .query(
            "SELECT created, updated, destroyed FROM journal
             WHERE account = $1 AND kind = $2 AND container = $3 AND modseq > $4",
            values![account, Kind::Uid as i64, mailbox, modseq],
            |row| Ok([row.bytes(0)?, row.bytes(1)?, row.bytes(2)?]),
        )
        .await?;
    for set in since.iter().flatten() {
        let set = IdSet::decode(set).ok_or_else(|| Error::damaged("a journal row is damaged"))?;
        touched.extend(&set);
    }
    // Many scattered rows cost more, one by one, than reading everything in order.
    if touched.len() > records.len() as u64 / 2 || touched.ranges().len() > 1_000 {
        return Ok(None);
    }
    let ranges = touched.ranges().iter().map(|&(first, last)| values![account, mailbox, first, last]);
    let mut changed =
        reader.query_many(super::read::SELECT_RANGES, ranges.collect(), super::read::record).await?;
    let kept = records.into_iter().filter(|record| !touched.contains(u64::from(record.uid)));
    changed.extend(kept);
    changed.sort_unstable_by_key(|record| record.uid);
    Ok(Some((modseq, changed)))
}

/// Packs records that ascend by UID: about 9 bytes each before compression.
pub fn pack<'a>(records: impl Iterator<Item = &'a Record>) -> Result<Vec<u8>> {
    let mut plain = Vec::new();
    let mut previous = ZERO;
    for record in records {
        put_varint(&mut plain, u64::from(record.uid - previous.uid));
        put_varint(&mut plain, u64::from(record.size));
        put_varint(&mut plain, record.flags.0);
        put_varint(&mut plain, zigzag(record.modseq as i64, previous.modseq as i64));
        put_varint(&mut plain, zigzag(record.email.0, previous.email.0));
        put_varint(&mut plain, zigzag(record.received_at, previous.received_at));
        previous = *record;
    }
    let mut out = vec![LAYOUT];
    out.extend_from_slice(&(plain.len() as u64).to_be_bytes());
    let compressed = zstd::bulk::compress(&plain, LEVEL).map_err(Error::io("cannot compress an index"))?;
    out.extend_from_slice(&compressed);
    Ok(out)
}

const ZERO: Record =
    Record { uid: 0, size: 0, flags: Flags::NONE, modseq: 0, email: EmailId(0), received_at: 0 };

/// 2^32 UIDs of at most 50 bytes would not be a mailbox but an attack on memory.
const MOST_BYTES: u64 = 1 << 30;

fn unpack(data: &[u8]) -> Option<Vec<Record>> {
    let (&layout, data) = data.split_first()?;
    let (length, compressed) = data.split_first_chunk::<8>()?;
    let length = u64::from_be_bytes(*length);
    if layout != LAYOUT || length > MOST_BYTES {
        return None;
    }
    let plain = zstd::bulk::decompress(compressed, length as usize).ok()?;
    let mut rest = &plain[..];
    let mut records = Vec::with_capacity(plain.len() / 9);
    let mut previous = ZERO;
    while !rest.is_empty() {
        let record = Record {
            uid: previous.uid.checked_add(u32::try_from(take_varint(&mut rest)?).ok()?)?,
            size: u32::try_from(take_varint(&mut rest)?).ok()?,
            flags: Flags(take_varint(&mut rest)?),
            modseq: unzigzag(take_varint(&mut rest)?, previous.modseq as i64) as u64,
            email: EmailId(unzigzag(take_varint(&mut rest)?, previous.email.0)),
            received_at: unzigzag(take_varint(&mut rest)?, previous.received_at),
        };
        records.push(record);
        previous = record;
    }
    Some(records)
}

/// The difference with its sign in the lowest bit: small either way.
fn zigzag(value: i64, previous: i64) -> u64 {
    let difference = value.wrapping_sub(previous);
    ((difference << 1) ^ (difference >> 63)) as u64
}

fn unzigzag(value: u64, previous: i64) -> i64 {
    previous.wrapping_add((value >> 1) as i64 ^ -((value & 1) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_are_read_back(fields in proptest::collection::vec(
            (1u32..1000, any::<u32>(), any::<u64>(), any::<u64>(), any::<i64>(), any::<i64>()), 0..200,
        )) {
            let mut uid = 0;
            let records: Vec<Record> = fields
                .into_iter()
                .map(|(step, size, flags, modseq, email, received_at)| {
                    uid += step;
                    Record { uid, size, flags: Flags(flags), modseq, email: EmailId(email), received_at }
                })
                .collect();
            prop_assert_eq!(unpack(&pack(records.iter()).expect("packs")), Some(records));
        }

        #[test]
        fn damaged_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = unpack(&bytes);
        }
    }
}
