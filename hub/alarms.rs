//! Alarms that are to be sent by mail (`ACTION:EMAIL`, RFC 5545 §3.6.6), at their moment, each once: what
//! is due lies in the storage, so that a restart forgets nothing, and a mail and the note that it was sent
//! are one commit, whichever node makes it. They go to the twin alone, whoever else the alarm names:
//! nobody can make the hub write to strangers.

use std::sync::{Arc, Weak};
use std::time::Duration;

use hub_ical::{Ring, Zone, next_alarm};
use hub_storage::items::alarms::{self, AlarmSource, DueAlarm};

use crate::deliver::{Delivery, Origin, Recipient};
use crate::{Address, Error, Hub, Inner, Result, unix_now};

/// Objects of one round.
const ROUND: usize = 100;
/// The longest that is waited without a look.
const PAUSE: Duration = Duration::from_secs(300);
/// After an error.
const RETRY: Duration = Duration::from_secs(60);
/// Seconds between two mails about one object: what rings in between waits, and is in one mail.
const BETWEEN: i64 = 60;
/// Alarms in one mail.
const MOST_RINGS: usize = 20;
/// What is later than this, because the hub did not run, is of no use any more.
const LATE: i64 = 24 * 3600;

/// What is to be done about a due object.
struct Look {
    rings: Vec<Ring>,
    next: Option<i64>,
}

impl Hub {
    /// Sends what is due at a moment. A task does so by itself; this is for those who cannot go on before.
    pub async fn ring_alarms(&self, now: i64) -> Result<()> {
        loop {
            let due = self.0.storage.alarms_due(now, ROUND).await?;
            let mut outcome = Ok(());
            for alarm in &due {
                if let Err(error) = self.ring(*alarm, now).await {
                    tracing::warn!(%error, item = alarm.item.0, "an alarm could not be sent");
                    outcome = Err(error);
                }
            }
            // What fails stays due; it must not be tried again at once.
            if due.len() < ROUND || outcome.is_err() {
                return outcome;
            }
        }
    }

    async fn ring(&self, due: DueAlarm, now: i64) -> Result<()> {
        let source = self.0.storage.alarm_source(due.account, due.item).await?;
        let Look { rings, next } = match source {
            Some(source) => crate::apart(move || look(&source, due, now)).await?,
            None => Look { rings: Vec::new(), next: None },
        };
        let account = match rings.is_empty() {
            true => None,
            false => self.0.storage.account(due.account).await?,
        };
        let Some(account) = account else { return self.note_alarm(due, now, next).await };
        let mail = self.alarm_mail(due, &Address::parse(&account.handle)?, &rings, now).await?;
        let decided = match self.decide(&mail).await {
            Ok(decided) => decided,
            // The twin's own rules do not want it.
            Err(Error::Refused(_)) => return self.note_alarm(due, now, next).await,
            Err(error) => return Err(error),
        };
        let ring = self.0.storage.transact(decided.accounts(), move |tx| {
            Box::pin(async move {
                if alarms::move_on(tx, due, now, next).await? {
                    decided.perform(tx).await?;
                }
                Ok(())
            })
        });
        match ring.await.map_err(Error::from) {
            // A full mailbox gets none, and holds up nobody.
            Err(Error::OverQuota { .. }) => self.note_alarm(due, now, next).await,
            rung => rung,
        }
    }

    async fn note_alarm(&self, due: DueAlarm, now: i64, next: Option<i64>) -> Result<()> {
        let note = self.0.storage.transact([], move |tx| {
            Box::pin(async move { alarms::move_on(tx, due, now, next).await.map(drop) })
        });
        Ok(note.await?)
    }

    async fn alarm_mail(
        &self,
        due: DueAlarm,
        handle: &Address,
        rings: &[Ring],
        now: i64,
    ) -> Result<Delivery> {
        let text = written(due, handle, rings, now);
        let mut spool = self.spool();
        spool.write(text.as_bytes()).await?;
        Ok(Delivery {
            incoming: self.examine(spool).await?,
            reverse_path: None,
            recipients: vec![Recipient { address: handle.clone(), members: [due.account].into() }],
            trace: Vec::new(),
            origin: Origin::Hub,
            require_tls: false,
        })
    }
}

/// Finds out what has rung since the last look, and when to look again. Days, and times without a zone,
/// are those of the calendar's zone.
fn look(source: &AlarmSource, due: DueAlarm, now: i64) -> Look {
    let zone = crate::collections::zone_of(&source.time_zone).unwrap_or(Zone::UTC);
    let mut after = due.done_to.max(now.saturating_sub(LATE));
    let mut rings = Vec::new();
    while rings.len() < MOST_RINGS
        && let Some(next) = next_alarm(&source.data, after, &zone)
        && next.at <= now
    {
        after = next.at;
        rings.extend(next.rings);
    }
    rings.truncate(MOST_RINGS);
    let next = next_alarm(&source.data, now, &zone);
    let pause = if rings.is_empty() { 0 } else { BETWEEN };
    Look { rings, next: next.map(|next| next.at.max(now.saturating_add(pause))) }
}

fn written(due: DueAlarm, handle: &Address, rings: &[Ring], now: i64) -> String {
    let plain = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let (domain, date) = (handle.domain(), hub_civil::rfc5322_date(now, 0));
    let id = format!("{:x}.{:x}.{:x}", due.account.0, due.item.0, due.due_at);
    let first = rings.first().map(|ring| plain(&ring.summary)).unwrap_or_default();
    let subject = crate::schedule::encoded_words(&format!("Reminder: {first}"));
    let mut body = String::new();
    for ring in rings {
        let starts = hub_civil::rfc5322_date(ring.starts_at, 0);
        body.push_str(&format!("{}\r\n{starts}\r\n", plain(&ring.summary)));
        let lines = ring.description.lines().take(100).map(plain);
        lines.for_each(|line| body.push_str(&format!("{line}\r\n")));
        body.push_str("\r\n");
    }
    let body = crate::schedule::base64_lines(body.as_bytes());
    format!(
        "From: Calendar <MAILER-DAEMON@{domain}>\r\n\
         To: <{handle}>\r\n\
         Subject: {subject}\r\n\
         Date: {date}\r\n\
         Message-ID: <{id}.alarm@{domain}>\r\n\
         Auto-Submitted: auto-generated\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: base64\r\n\
         \r\n\
         {body}"
    )
}

/// Sends alarms at their moment, as long as the hub runs.
pub(crate) async fn keep_ringing(hub: Weak<Inner>, news: Arc<tokio::sync::Notify>) {
    loop {
        let wait = {
            let Some(hub) = hub.upgrade().map(Hub) else { return };
            match (hub.ring_alarms(unix_now()).await, hub.0.storage.next_alarm_at().await) {
                (Ok(()), Ok(Some(at))) => {
                    Duration::from_secs(at.saturating_sub(unix_now()).max(1).unsigned_abs()).min(PAUSE)
                }
                (Ok(()), Ok(None)) => PAUSE,
                (Err(_), _) | (_, Err(_)) => RETRY,
            }
        };
        tokio::select! {
            () = news.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}
