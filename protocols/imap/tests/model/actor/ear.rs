//! What a client makes of the responses it hears.

use std::collections::BTreeSet;

use super::{Actor, Selected};
use crate::mailbox::{Flags, Mailbox};
use crate::plan::Set;

/// A message as the client knows it. A real client learns the UID by FETCH; here it is looked up when
/// EXISTS comes, so that each number can be checked.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) uid: u32,
    /// `None`: never fetched.
    pub(super) flags: Option<Flags>,
    modseq: u64,
}

/// Which command is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum During {
    /// FETCH, STORE or SEARCH: numbers must keep their meaning (RFC 9051 §7.5.1).
    Numbers,
    Other,
}

pub(super) struct Fetched {
    number: usize,
    pub(super) uid: Option<u32>,
    pub(super) flags: Option<Flags>,
    modseq: Option<u64>,
}

impl Actor {
    /// Sends a command, hears what is said until its OK, and returns the lines. The model is ahead: it
    /// has done what the command does.
    pub(super) async fn say(
        &mut self,
        command: &str,
        during: During,
        mailboxes: &[Mailbox; 2],
    ) -> Result<Vec<String>, String> {
        let tag = self.next_tag();
        self.pipe.send_later(&format!("{tag} {command}"));
        self.hear_until(&tag, during, mailboxes).await.map_err(|problem| format!("{command}: {problem}"))
    }

    pub(super) fn next_tag(&mut self) -> String {
        self.tag += 1;
        format!("t{}", self.tag)
    }

    async fn hear_until(
        &mut self,
        tag: &str,
        during: During,
        mailboxes: &[Mailbox; 2],
    ) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        loop {
            let line = self.whole_line().await?;
            if let Some(end) = line.strip_prefix(tag) {
                let ok = end.starts_with(" OK");
                lines.push(line.clone());
                return if ok { Ok(lines) } else { Err(line) };
            }
            self.hear(&line, during, mailboxes)?;
            lines.push(line);
        }
    }

    /// A line with its literal, which has no line end here.
    async fn whole_line(&mut self) -> Result<String, String> {
        let mut line = self.pipe.line().await?;
        while line.ends_with('}') {
            line.push_str(&self.pipe.line().await?);
        }
        Ok(line)
    }

    pub(super) async fn begin_idle(&mut self, mailboxes: &[Mailbox; 2]) -> Result<(), String> {
        let tag = self.next_tag();
        self.pipe.send_later(&format!("{tag} IDLE"));
        loop {
            let line = self.whole_line().await?;
            if line.starts_with("+ ") {
                break;
            }
            self.hear(&line, During::Other, mailboxes)?;
        }
        self.idle = Some(tag);
        Ok(())
    }

    pub(super) async fn end_idle(&mut self, mailboxes: &[Mailbox; 2]) -> Result<(), String> {
        let Some(tag) = self.idle.take() else { return Ok(()) };
        self.pipe.send_later("DONE");
        self.hear_until(&tag, During::Other, mailboxes).await?;
        self.must_know_all(mailboxes)
    }

    /// In IDLE the client is told everything without asking.
    pub(crate) async fn hear_in_idle(&mut self, mailboxes: &[Mailbox; 2]) -> Result<(), String> {
        while self.idle.is_some() && self.must_know_all(mailboxes).is_err() {
            let line = self.whole_line().await?;
            self.hear(&line, During::Other, mailboxes).map_err(|problem| format!("in IDLE: {problem}"))?;
        }
        Ok(())
    }

    fn hear(&mut self, line: &str, during: During, mailboxes: &[Mailbox; 2]) -> Result<(), String> {
        let words: Vec<&str> = line.split(' ').collect();
        let Some(selected) = &mut self.selected else {
            let about_messages = matches!(words.as_slice(), [_, _, "EXISTS" | "EXPUNGE" | "FETCH", ..]);
            return if about_messages { Err(format!("nothing is selected: {line}")) } else { Ok(()) };
        };
        let truth = &mailboxes[selected.mailbox];
        match words.as_slice() {
            ["*", number, "EXISTS"] => selected.exists(parsed(number)?, truth),
            ["*", number, "EXPUNGE"] if during == During::Other && self.enable != Some("QRESYNC") => {
                selected.expunged(parsed(number)?, truth)
            }
            ["*", "VANISHED", "(EARLIER)", _] => Ok(()),
            ["*", "VANISHED", set] if during == During::Other && self.enable == Some("QRESYNC") => {
                numbers(set).into_iter().try_for_each(|uid| selected.vanished(uid, truth))
            }
            ["*", _, "EXPUNGE"] | ["*", "VANISHED", ..] => {
                Err(format!("not now, or not to this client: {line}"))
            }
            ["*", "OK", "[HIGHESTMODSEQ", number, ..] => {
                selected.modseq = parsed(number.trim_end_matches(']'))?.into();
                Ok(())
            }
            ["*", "OK", "[UIDVALIDITY", number, ..] => {
                selected.uid_validity = parsed(number.trim_end_matches(']'))?.into();
                Ok(())
            }
            _ => match fetched(line) {
                Some(fetched) => selected.fetched(&fetched).map_err(|problem| format!("{problem}: {line}")),
                None => Ok(()),
            },
        }
    }

    /// All that has happened has been told.
    pub(super) fn must_know_all(&self, mailboxes: &[Mailbox; 2]) -> Result<(), String> {
        let Some(selected) = &self.selected else { return Ok(()) };
        let truth = &mailboxes[selected.mailbox].messages;
        let known: Vec<u32> = selected.view.iter().map(|seen| seen.uid).collect();
        let there: Vec<u32> = truth.iter().map(|message| message.uid).collect();
        if known != there {
            return Err(format!("the client has {known:?}, in truth there are {there:?}"));
        }
        for (seen, message) in selected.view.iter().zip(truth) {
            if let Some(flags) = &seen.flags
                && *flags != message.flags
            {
                return Err(format!("UID {} has {flags:?}, in truth {:?}", seen.uid, message.flags));
            }
        }
        Ok(())
    }

    /// A set as text, and the UIDs it stands for in the eyes of this client. `None` if there is nothing
    /// that a number could name.
    pub(super) fn resolve(&self, set: &Set, mailboxes: &[Mailbox; 2]) -> Option<(String, BTreeSet<u32>)> {
        let selected = self.selected.as_ref()?;
        let most = if set.uid { mailboxes[selected.mailbox].uid_next } else { selected.view.len() as u32 };
        let mut texts = Vec::new();
        let mut uids = BTreeSet::new();
        for &(a, b) in &set.ranges {
            let (a, b) = (a.checked_rem(most)? + 1, b.checked_rem(most)? + 1);
            texts.push(if a == b { a.to_string() } else { format!("{a}:{b}") });
            let range = a.min(b)..=a.max(b);
            if set.uid {
                uids.extend(range);
            } else {
                uids.extend(range.map(|number| selected.view[number as usize - 1].uid));
            }
        }
        Some((texts.join(","), uids))
    }
}

impl Selected {
    fn exists(&mut self, count: u32, truth: &Mailbox) -> Result<(), String> {
        let last = self.view.last().map_or(0, |seen| seen.uid);
        let mut new: Vec<u32> = truth.messages.iter().map(|message| message.uid).collect();
        new.retain(|&uid| uid > last);
        let added = (count as usize).saturating_sub(self.view.len());
        if new.len() != added {
            // At the beginning of a command, before it has added or removed some.
            new.extend(truth.removed.iter().filter(|&&uid| uid > last));
            new.sort_unstable();
            new.truncate(added);
        }
        self.view.extend(new.into_iter().map(|uid| Seen { uid, flags: None, modseq: 0 }));
        if self.view.len() == count as usize {
            return Ok(());
        }
        Err(format!(
            "EXISTS {count}, but there are {:?}",
            self.view.iter().map(|seen| seen.uid).collect::<Vec<_>>()
        ))
    }

    fn expunged(&mut self, number: u32, truth: &Mailbox) -> Result<(), String> {
        let index = (number as usize).checked_sub(1).filter(|&index| index < self.view.len());
        let seen = self.view.remove(index.ok_or_else(|| format!("EXPUNGE {number} of {}", self.view.len()))?);
        match truth.find(seen.uid) {
            Some(_) => Err(format!("EXPUNGE {number}, but UID {} is there", seen.uid)),
            None => Ok(()),
        }
    }

    fn vanished(&mut self, uid: u32, truth: &Mailbox) -> Result<(), String> {
        if truth.find(uid).is_some() {
            return Err(format!("VANISHED {uid}, but it is there"));
        }
        self.view.retain(|seen| seen.uid != uid);
        Ok(())
    }

    fn fetched(&mut self, fetched: &Fetched) -> Result<(), String> {
        let seen = self.view.get_mut(fetched.number.wrapping_sub(1)).ok_or("no such number")?;
        if fetched.uid.is_some_and(|uid| uid != seen.uid) {
            return Err(format!("the client has UID {} there", seen.uid));
        }
        if let Some(modseq) = fetched.modseq {
            if modseq < seen.modseq {
                return Err(format!("MODSEQ was {} before", seen.modseq));
            }
            seen.modseq = modseq;
        }
        if let Some(flags) = &fetched.flags {
            seen.flags = Some(flags.clone());
        }
        Ok(())
    }
}

fn parsed(number: &str) -> Result<u32, String> {
    number.parse().map_err(|_| format!("not a number: {number}"))
}

/// `* n FETCH (…)`
pub(super) fn fetched(line: &str) -> Option<Fetched> {
    let (number, items) = line.strip_prefix("* ")?.split_once(" FETCH (")?;
    let after = |item: &str| {
        let at = items.find(item)?;
        Some(items[at + item.len()..].split([' ', ')']).next().unwrap_or_default())
    };
    let flags = items.find("FLAGS (").map(|at| {
        let list = items[at + 7..].split(')').next().unwrap_or_default();
        list.split(' ').filter(|flag| !flag.is_empty()).map(str::to_owned).collect()
    });
    Some(Fetched {
        number: number.parse().ok()?,
        uid: after("UID ").and_then(|uid| uid.parse().ok()),
        flags,
        modseq: after("MODSEQ (").and_then(|modseq| modseq.parse().ok()),
    })
}

/// All numbers of a set.
pub(super) fn numbers(set: &str) -> BTreeSet<u32> {
    set.split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once(':').unwrap_or((range, range));
            Some(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?)
        })
        .flatten()
        .collect()
}
