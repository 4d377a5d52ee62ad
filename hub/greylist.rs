//! First contacts that nobody answers for are told to come again (greylisting). Mail servers do, and
//! most programs that only send junk do not.
//!
//! A contact is a network, a sender and an account. It is waited for, passes when it comes again after
//! a while, and is known from then on. Of a message for several, one that is known is enough: they
//! are all let in, or all put off, so nobody gets anything twice (mox#396).
//!
//! What is new is kept in memory and written once a minute: a message that is put off costs no commit.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use hub_storage::contacts::{self, ContactRow};

use crate::{AccountId, Address, Hub, Result, Verdict, locked};

const DAY: i64 = 86_400;
/// A month's newsletter and some days more; as long as Postgrey remembers.
const KNOWN: i64 = 36 * DAY;
/// Who has not come again by then begins anew. Servers try for days, but not only once a day.
const WAITED_FOR: i64 = DAY;
/// Contacts that are remembered, some 12 MB of them.
const MOST: i64 = 200_000;
/// New ones that wait to be written. In a flood of more, nobody is put off: to forget those that were
/// would mean to put them off again and again.
const MOST_WAITING: usize = 1_000;

#[derive(Default)]
pub(crate) struct Contacts(Mutex<HashMap<i64, ContactRow>>);

impl Hub {
    /// How long a message is put off that came for these accounts, if at all.
    pub async fn put_off(
        &self,
        verdict: &Verdict,
        reverse_path: Option<&Address>,
        accounts: &[AccountId],
        delay: Duration,
        now: i64,
    ) -> Result<Option<Duration>> {
        if delay.is_zero() || accounts.is_empty() || !verdict.is_doubtful() {
            return Ok(None);
        }
        if let Some(sender) = reverse_path {
            for account in accounts {
                if self.0.junk.writes_to(&self.0.storage, *account, &sender.to_string()).await? {
                    return Ok(None);
                }
            }
        }
        let sender = reverse_path.map(pattern).unwrap_or_default();
        let ids: Vec<i64> = accounts.iter().map(|account| id(*account, verdict.peer, &sender)).collect();
        let known = self.known(&ids, now).await?;
        let delay = i64::try_from(delay.as_secs()).unwrap_or(i64::MAX);
        let (wait, rows) = rule(&ids, &known, delay, now);
        let is_noted = self.note(rows);
        Ok(wait.filter(|_| is_noted).map(|wait| Duration::from_secs(wait.unsigned_abs())))
    }

    /// What is known of these contacts, written or not.
    async fn known(&self, ids: &[i64], now: i64) -> Result<Vec<ContactRow>> {
        let mut known: Vec<ContactRow> = {
            let waiting = locked(&self.0.contacts.0);
            ids.iter().filter_map(|id| waiting.get(id)).copied().collect()
        };
        known.retain(|row| row.expires_at >= now);
        let is_new = |id: &&i64| known.iter().all(|row| row.id != **id);
        let others: Vec<i64> = ids.iter().filter(is_new).copied().collect();
        if !others.is_empty() {
            known.extend(self.0.storage.contacts(&others, now).await?);
        }
        Ok(known)
    }

    /// False if there is no room for them.
    fn note(&self, rows: Vec<ContactRow>) -> bool {
        let mut waiting = locked(&self.0.contacts.0);
        let has_room = waiting.len() + rows.len() <= MOST_WAITING;
        if has_room {
            waiting.extend(rows.into_iter().map(|row| (row.id, row)));
        }
        has_room
    }
}

impl crate::Inner {
    /// Writes what is new.
    pub(crate) async fn write_contacts(&self) -> Result<()> {
        let rows: Vec<ContactRow> = locked(&self.contacts.0).values().copied().collect();
        if rows.is_empty() {
            return Ok(());
        }
        let written = rows.clone();
        let keep = self
            .storage
            .transact([], move |tx| Box::pin(async move { contacts::keep(tx, &rows, MOST).await }));
        keep.await?;
        // Who has come meanwhile is written the next time.
        let mut waiting = locked(&self.contacts.0);
        for row in written {
            if waiting.get(&row.id) == Some(&row) {
                waiting.remove(&row.id);
            }
        }
        Ok(())
    }
}

/// How long a message for these contacts has to wait, and what is to be noted.
fn rule(ids: &[i64], known: &[ContactRow], delay: i64, now: i64) -> (Option<i64>, Vec<ContactRow>) {
    let has_passed = |row: &ContactRow| row.passed || now.saturating_sub(row.since) >= delay;
    let of = |id: i64| known.iter().find(move |row| row.id == id);
    if known.iter().any(has_passed) {
        let expires_at = now + KNOWN;
        let is_fresh = |row: &ContactRow| row.passed && row.expires_at > expires_at - DAY;
        let stale = ids.iter().filter(|id| !of(**id).is_some_and(is_fresh));
        let row = |id: &i64| ContactRow {
            id: *id,
            since: of(*id).map_or(now, |row| row.since),
            passed: true,
            expires_at,
        };
        return (None, stale.map(row).collect());
    }
    let since = known.iter().map(|row| row.since).min().unwrap_or(now);
    let fresh = ids.iter().filter(|id| of(**id).is_none());
    let row = |id: &i64| ContactRow { id: *id, since: now, passed: false, expires_at: now + WAITED_FOR };
    (Some((delay - (now - since)).clamp(1, delay)), fresh.map(row).collect())
}

/// Nothing depends on it that two contacts are never taken for one.
fn id(account: AccountId, peer: IpAddr, sender: &str) -> i64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&account.0.to_be_bytes());
    // Large senders come from many addresses of one network.
    match peer.to_canonical() {
        IpAddr::V4(ip) => hasher.update(&ip.octets()[..3]),
        IpAddr::V6(ip) => hasher.update(&ip.octets()[..8]),
    };
    hasher.update(b"/").update(sender.as_bytes());
    let [a, b, c, d, e, f, g, h, ..] = *hasher.finalize().as_bytes();
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The sender without what changes from message to message: details, and numbers (VERP).
fn pattern(path: &Address) -> String {
    let local = path.local().to_lowercase();
    let local = local.split_once('+').map_or(local.as_str(), |(name, _)| name);
    let mut pattern = String::with_capacity(local.len());
    for c in local.chars() {
        match c.is_ascii_digit() {
            true if pattern.ends_with('#') => {}
            true => pattern.push('#'),
            false => pattern.push(c),
        }
    }
    format!("{pattern}@{}", path.domain().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, since: i64, passed: bool) -> ContactRow {
        ContactRow { id, since, passed, expires_at: since + WAITED_FOR }
    }

    #[test]
    fn who_comes_again_after_a_while_is_known() {
        let now = 1_000_000;
        let (wait, rows) = rule(&[1, 2], &[], 300, now);
        assert_eq!((wait, rows), (Some(300), vec![row(1, now, false), row(2, now, false)]));
        let known = [row(1, now, false), row(2, now, false)];
        assert_eq!(
            rule(&[1, 2], &known, 300, now + 100),
            (Some(200), vec![]),
            "too early, from the first on"
        );
        assert_eq!(rule(&[1, 2], &known, 300, now - 50), (Some(300), vec![]), "a clock that was set back");
        let (wait, rows) = rule(&[1, 2], &known, 300, now + 300);
        let known = |id| ContactRow { id, since: now, passed: true, expires_at: now + 300 + KNOWN };
        assert_eq!((wait, rows), (None, vec![known(1), known(2)]));
        assert_eq!(rule(&[1], &[known(1)], 300, now + 400), (None, vec![]), "nothing new to be written");
        let later = now + 10 * DAY;
        let (wait, rows) = rule(&[1], &[known(1)], 300, later);
        assert_eq!((wait, rows[0].expires_at), (None, later + KNOWN));
    }

    #[test]
    fn one_that_is_known_is_enough_for_all() {
        let (wait, rows) = rule(&[1, 2], &[row(1, 5, true)], 300, 5);
        assert_eq!(wait, None);
        assert_eq!(rows.iter().map(|row| (row.id, row.passed)).collect::<Vec<_>>(), [(1, true), (2, true)]);
        let (wait, rows) = rule(&[1, 2], &[row(1, 5, false)], 300, 105);
        assert_eq!((wait, rows), (Some(200), vec![row(2, 105, false)]));
    }

    #[test]
    fn what_makes_a_contact() {
        let path = |text: &str| pattern(&Address::parse(text).expect(text));
        assert_eq!(path("Bounce-123-45+x=y@Example.org"), "bounce-#-#@example.org");
        let id = |account, peer: &str, sender| id(AccountId(account), peer.parse().expect(peer), sender);
        let one = id(1, "192.0.2.1", "a@b.test");
        assert_eq!(one, id(1, "192.0.2.200", "a@b.test"));
        assert_eq!(one, id(1, "::ffff:192.0.2.1", "a@b.test"));
        for other in
            [id(2, "192.0.2.1", "a@b.test"), id(1, "192.0.3.1", "a@b.test"), id(1, "192.0.2.1", "c@b.test")]
        {
            assert_ne!(one, other);
        }
        assert_eq!(id(1, "2001:db8::1", ""), id(1, "2001:db8::ffff:0:0:1", ""));
        assert_ne!(id(1, "2001:db8::1", ""), id(1, "2001:db8:0:1::1", ""));
    }
}
