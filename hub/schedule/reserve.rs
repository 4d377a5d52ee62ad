//! Rooms answer for themselves: they accept what finds them free, and decline what does not. A series is
//! one thing: all of it, or nothing.

use hub_ical::{Busy, Zone, busy_times};
use hub_itip::{Answer, Message, answered};

use super::receive::default_calendar;
use crate::collections::{Collection, Collections, ItemKind};
use crate::{AccountId, Error, Hub, Result, SyncState, unix_now};

/// Seconds of a series that are looked at.
const AHEAD: i64 = 5 * 366 * hub_civil::SECONDS_A_DAY;

impl Hub {
    /// What a room makes of an invitation, the state of its calendar that this holds for, and its answer.
    /// For others than rooms, the invitation alone.
    pub(super) async fn reserved(
        &self,
        account: AccountId,
        uid: &str,
        object: Vec<u8>,
    ) -> Result<(Vec<u8>, Option<SyncState>, Option<Message>)> {
        if self.0.storage.room(account).await?.is_none() {
            return Ok((object, None, None));
        }
        let calendars = self.calendars_of(account);
        // Before it is found out: what comes later is not in it.
        let all = calendars.list().await?;
        let state = default_calendar(&all, ItemKind::Event).map(|calendar| calendar.state);
        let is_free = self.is_free(&calendars, all, account, (uid, &object)).await?;
        let answer = if is_free { Answer::Accepted } else { Answer::Declined };
        let owner = self.owner(account, &[&object]).await?;
        let answered = crate::apart(move || (answered(&object, &owner, answer, unix_now()), object)).await?;
        Ok(match answered {
            (Ok(Some((object, reply))), _) => (object, state, Some(reply)),
            (_, object) => (object, None, None),
        })
    }

    async fn is_free(
        &self,
        calendars: &Collections,
        mut all: Vec<Collection>,
        account: AccountId,
        (uid, object): (&str, &[u8]),
    ) -> Result<bool> {
        all.retain(|calendar| !calendar.facts.is_transparent);
        let owner = self.uris_of(account).await?;
        let Ok(read) = calendars.read("", object.to_vec().into()).await? else { return Ok(false) };
        let from = read.index.first_at.max(unix_now());
        let window = (from, read.index.last_at.saturating_add(1).min(from.saturating_add(AHEAD)));
        let taken = match calendars.busy_besides(uid, &all, &owner, window).await {
            Ok(taken) => taken,
            // Too much to tell.
            Err(Error::Limit(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        let object = object.to_vec();
        crate::apart(move || {
            // Whatever the room has answered before.
            let wanted = hub_ical::merged(busy_times(&object, &[], window.0, window.1, &Zone::UTC));
            !overlap(&wanted, &taken)
        })
        .await
    }
}

/// Whether two lists, each in the order of time, share a moment.
fn overlap(one: &[Busy], other: &[Busy]) -> bool {
    let (mut a, mut b) = (one.iter().peekable(), other.iter().peekable());
    while let (Some(first), Some(second)) = (a.peek(), b.peek()) {
        if first.from < second.to && second.from < first.to {
            return true;
        }
        if first.to <= second.to {
            a.next()
        } else {
            b.next()
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_ical::BusyKind;

    #[test]
    fn overlaps() {
        let list = |times: &[(i64, i64)]| -> Vec<Busy> {
            times.iter().map(|&(from, to)| Busy { from, to, kind: BusyKind::Busy }).collect()
        };
        for (one, other, expected) in [
            (&[(0, 10)][..], &[(10, 20)][..], false),
            (&[(0, 11)], &[(10, 20)], true),
            (&[(0, 1), (15, 16)], &[(2, 3), (10, 20)], true),
            (&[(0, 1), (5, 6), (30, 40)], &[(1, 5), (6, 30)], false),
            (&[], &[(0, 1)], false),
        ] {
            assert_eq!(overlap(&list(one), &list(other)), expected, "{one:?} {other:?}");
            assert_eq!(overlap(&list(other), &list(one)), expected, "{other:?} {one:?}");
        }
    }
}
