//! One client: what it says, and what it believes.

mod ear;

use std::collections::{BTreeMap, BTreeSet};

use self::ear::{During, Seen};
use crate::mailbox::{Flags, Mailbox};
use crate::pipe::Client;
use crate::plan::{Act, Set, Since};
use crate::world::World;

pub(crate) struct Actor {
    pipe: Client,
    twin: String,
    enable: Option<&'static str>,
    selected: Option<Selected>,
    /// The tag of an IDLE that has not ended.
    idle: Option<String>,
    /// What it has kept of each mailbox for the next SELECT (QRESYNC …).
    kept: [Option<Kept>; 2],
    tag: u32,
}

struct Selected {
    mailbox: usize,
    read_only: bool,
    uid_validity: u64,
    /// HIGHESTMODSEQ when it was selected.
    modseq: u64,
    view: Vec<Seen>,
}

struct Kept {
    uid_validity: u64,
    modseq: u64,
    messages: BTreeMap<u32, Option<Flags>>,
}

impl Actor {
    pub(crate) async fn log_in(
        world: &World,
        twin: &str,
        enable: Option<&'static str>,
    ) -> Result<Self, String> {
        let mut pipe = Client::connect(world, true);
        pipe.line().await?;
        pipe.command(&format!("LOGIN {twin} secret")).await?;
        if let Some(enable) = enable {
            pipe.command(&format!("ENABLE {enable}")).await?;
        }
        let twin = twin.to_owned();
        Ok(Self { pipe, twin, enable, selected: None, idle: None, kept: [None, None], tag: 0 })
    }

    pub(crate) fn enables(&self) -> Option<&'static str> {
        self.enable
    }

    pub(crate) async fn reconnect(&mut self, world: &World) -> Result<(), String> {
        *self = Self::log_in(world, &self.twin.clone(), self.enable).await?;
        Ok(())
    }

    /// Ends what is left of the case before.
    pub(crate) async fn forget(&mut self) -> Result<(), String> {
        if let Some(tag) = self.idle.take() {
            self.pipe.send_later("DONE");
            while !self.pipe.line().await?.starts_with(&tag) {}
        }
        if self.selected.take().is_some() {
            self.plain("UNSELECT").await?;
        }
        self.kept = [None, None];
        Ok(())
    }

    /// A command whose answer does not matter.
    pub(crate) async fn plain(&mut self, command: &str) -> Result<(), String> {
        self.pipe.command(command).await.map(drop)
    }

    pub(crate) async fn act(&mut self, act: &Act, mailboxes: &mut [Mailbox; 2]) -> Result<(), String> {
        for mailbox in mailboxes.iter_mut() {
            mailbox.removed.clear();
        }
        if self.idle.is_some() {
            self.end_idle(mailboxes).await?;
        }
        match act {
            Act::Append { mailbox, count, flags } => self.append(*mailbox, *count, flags, mailboxes).await,
            Act::Select { mailbox, read_only } => self.select(*mailbox, *read_only, mailboxes).await,
            _ if self.selected.is_none() => Ok(()),
            Act::Close => self.close(mailboxes).await,
            Act::Copy { set, mailbox } => self.copy(set, Some(*mailbox), mailboxes).await,
            Act::Expunge => self.expunge(None, mailboxes).await,
            Act::Fetch { set, what } => self.fetch(set, what, mailboxes).await,
            Act::Idle => self.begin_idle(mailboxes).await,
            Act::Move { set } => self.copy(set, None, mailboxes).await,
            Act::Noop => {
                let lines = self.say("NOOP", During::Other, mailboxes).await?;
                self.must_know_all(mailboxes).map_err(|problem| format!("{problem}; heard {lines:?}"))
            }
            Act::Search { uid, key } => self.search(*uid, key, mailboxes).await,
            Act::Store { .. } => self.store(act, mailboxes).await,
            Act::UidExpunge { set } => self.expunge(Some(set), mailboxes).await,
            Act::Unselect => self.leave("UNSELECT", mailboxes).await,
        }
    }

    async fn append(
        &mut self,
        mailbox: usize,
        count: usize,
        flags: &Flags,
        mailboxes: &mut [Mailbox; 2],
    ) -> Result<(), String> {
        let message = format!(" ({}) {{3+}}\r\n\r\nx", joined(flags)).repeat(count);
        let command = format!("APPEND {}{message}", mailboxes[mailbox].name);
        for _ in 0..count {
            mailboxes[mailbox].append(flags.clone());
        }
        self.say(&command, During::Other, mailboxes).await.map(drop)
    }

    async fn select(
        &mut self,
        mailbox: usize,
        read_only: bool,
        mailboxes: &mut [Mailbox; 2],
    ) -> Result<(), String> {
        self.keep();
        let verb = if read_only { "EXAMINE" } else { "SELECT" };
        let mut command = format!("{verb} {}", mailboxes[mailbox].name);
        let kept = self.kept[mailbox].take();
        if let Some(kept) = kept.as_ref().filter(|_| self.enable == Some("QRESYNC")) {
            command.push_str(&format!(" (QRESYNC ({} {}))", kept.uid_validity, kept.modseq));
        }
        self.selected = Some(Selected { mailbox, read_only, uid_validity: 0, modseq: 0, view: Vec::new() });
        let lines = self.say(&command, During::Other, mailboxes).await?;
        if let Some(kept) = kept.filter(|_| command.contains("QRESYNC")) {
            resynchronised(kept, &lines, &mailboxes[mailbox])?;
        }
        self.must_know_all(mailboxes)
    }

    /// Remembers the mailbox, as a client with a cache does when it leaves. Its modseq is that of the
    /// SELECT: what it has heard since may not have been all.
    fn keep(&mut self) {
        if let Some(selected) = self.selected.take() {
            self.kept[selected.mailbox] = Some(Kept {
                uid_validity: selected.uid_validity,
                modseq: selected.modseq,
                messages: selected.view.into_iter().map(|seen| (seen.uid, seen.flags)).collect(),
            });
        }
    }

    async fn leave(&mut self, command: &str, mailboxes: &[Mailbox; 2]) -> Result<(), String> {
        self.keep();
        self.say(command, During::Other, mailboxes).await.map(drop)
    }

    async fn close(&mut self, mailboxes: &mut [Mailbox; 2]) -> Result<(), String> {
        if let Some(selected) = self.selected.as_ref().filter(|selected| !selected.read_only) {
            mailboxes[selected.mailbox].expunge(None);
        }
        self.leave("CLOSE", mailboxes).await
    }

    /// COPY, or MOVE to the other mailbox.
    async fn copy(
        &mut self,
        set: &Set,
        to: Option<usize>,
        mailboxes: &mut [Mailbox; 2],
    ) -> Result<(), String> {
        let Some((text, uids)) = self.resolve(set, mailboxes) else { return Ok(()) };
        let Some(selected) = &self.selected else { return Ok(()) };
        if to.is_none() && selected.read_only {
            return Ok(());
        }
        let from = selected.mailbox;
        let (verb, to) = to.map_or(("MOVE", 1 - from), |to| ("COPY", to));
        let messages = match verb {
            "MOVE" => mailboxes[from].take(&uids),
            _ => mailboxes[from]
                .messages
                .iter()
                .filter(|message| uids.contains(&message.uid))
                .cloned()
                .collect(),
        };
        for message in messages {
            mailboxes[to].append(message.flags);
        }
        let command = format!("{}{verb} {text} {}", prefix(set.uid), mailboxes[to].name);
        self.say(&command, During::Other, mailboxes).await.map(drop)
    }

    async fn expunge(&mut self, set: Option<&Set>, mailboxes: &mut [Mailbox; 2]) -> Result<(), String> {
        let Some(selected) = self.selected.as_ref().filter(|selected| !selected.read_only) else {
            return Ok(());
        };
        let mailbox = selected.mailbox;
        let command = match set.and_then(|set| self.resolve(set, mailboxes)) {
            Some((text, uids)) => {
                mailboxes[mailbox].expunge(Some(&uids));
                format!("UID EXPUNGE {text}")
            }
            None => {
                mailboxes[mailbox].expunge(None);
                "EXPUNGE".to_owned()
            }
        };
        self.say(&command, During::Other, mailboxes).await?;
        self.must_know_all(mailboxes)
    }

    async fn fetch(&mut self, set: &Set, what: &str, mailboxes: &mut [Mailbox; 2]) -> Result<(), String> {
        let Some((text, uids)) = self.resolve(set, mailboxes) else { return Ok(()) };
        let Some(selected) = &self.selected else { return Ok(()) };
        if what == "BODY[TEXT]" && !selected.read_only {
            let seen = BTreeSet::from(["\\Seen".to_owned()]);
            mailboxes[selected.mailbox].change(&uids, crate::mailbox::Change::Add, &seen);
        }
        let command = format!("{}FETCH {text} (UID {what})", prefix(set.uid));
        self.say(&command, during(set.uid), mailboxes).await.map(drop)
    }

    pub(crate) async fn look_at_all(&mut self, mailboxes: &mut [Mailbox; 2]) -> Result<(), String> {
        self.say("UID FETCH 1:* (FLAGS)", During::Other, mailboxes).await?;
        let selected = self.selected.as_ref().ok_or("nothing is selected")?;
        match selected.view.iter().find(|seen| seen.flags.is_none()) {
            Some(seen) => Err(format!("no flags of UID {}", seen.uid)),
            None => self.must_know_all(mailboxes),
        }
    }

    async fn search(&mut self, uid: bool, key: &str, mailboxes: &mut [Mailbox; 2]) -> Result<(), String> {
        let command = format!("{}SEARCH {key}", prefix(uid));
        let before = self.selected.as_ref().map(|selected| selected.view.len()).unwrap_or_default();
        let lines = self.say(&command, during(uid), mailboxes).await?;
        let Some(selected) = &self.selected else { return Ok(()) };
        let line = lines.iter().find(|line| line.starts_with("* SEARCH")).ok_or("no SEARCH response")?;
        let found: BTreeSet<u32> = line.split(' ').skip(2).filter_map(|number| number.parse().ok()).collect();
        let fits = |flags: &Flags| match key {
            "ALL" => true,
            "SEEN" => flags.contains("\\Seen"),
            "DELETED" => flags.contains("\\Deleted"),
            "NOT FLAGGED" => !flags.contains("\\Flagged"),
            _ => flags.contains("word"),
        };
        // What is gone may be found or not; by UID nobody knows the numbers of before any more.
        for (number, seen) in (1u32..).zip(&selected.view) {
            let Some(message) = mailboxes[selected.mailbox].find(seen.uid) else { continue };
            let name = if uid { seen.uid } else { number };
            if found.contains(&name) != fits(&message.flags) {
                return Err(format!("{command}: {line}, but {name} has {:?}", message.flags));
            }
        }
        match found.iter().find(|&&number| !uid && number as usize > before.max(selected.view.len())) {
            Some(number) => Err(format!("{command}: there is no {number}")),
            None => Ok(()),
        }
    }

    async fn store(&mut self, act: &Act, mailboxes: &mut [Mailbox; 2]) -> Result<(), String> {
        let Act::Store { set, change, silent, flags, since } = act else { return Ok(()) };
        if self.selected.as_ref().is_some_and(|selected| selected.read_only) {
            return Ok(());
        }
        let since = if self.enable.is_some() { *since } else { Since::Always };
        if since == Since::Now {
            self.say("NOOP", During::Other, mailboxes).await?;
        }
        let Some((text, uids)) = self.resolve(set, mailboxes) else { return Ok(()) };
        let Some(selected) = &mut self.selected else { return Ok(()) };
        let mailbox = selected.mailbox;
        let condition = match since {
            Since::Always => String::new(),
            Since::Now => format!(" (UNCHANGEDSINCE {})", i64::MAX),
            Since::Never => " (UNCHANGEDSINCE 1)".to_owned(),
        };
        if since != Since::Never {
            mailboxes[mailbox].change(&uids, *change, flags);
            // Who asks for silence knows what has become of the flags.
            for seen in selected.view.iter_mut().filter(|seen| *silent && uids.contains(&seen.uid)) {
                if let (Some(known), true) = (&mut seen.flags, mailboxes[mailbox].find(seen.uid).is_some()) {
                    change.apply(known, flags);
                }
            }
        }
        let silent = if *silent { ".SILENT" } else { "" };
        let item = change.item();
        let command =
            format!("{}STORE {text}{condition} {item}{silent} ({})", prefix(set.uid), joined(flags));
        let there = uids.iter().filter(|&&uid| mailboxes[mailbox].find(uid).is_some()).count();
        let lines = self.say(&command, during(set.uid), mailboxes).await?;
        let failed = lines.last().is_some_and(|end| end.contains("[MODIFIED "));
        if failed != (since == Since::Never && there > 0) {
            return Err(format!("{command}: {lines:?}"));
        }
        Ok(())
    }
}

fn prefix(uid: bool) -> &'static str {
    if uid { "UID " } else { "" }
}

fn during(uid: bool) -> During {
    if uid { During::Other } else { During::Numbers }
}

fn joined(flags: &Flags) -> String {
    flags.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// RFC 7162 §3.2.5: with VANISHED and FETCH the client has the truth.
fn resynchronised(mut kept: Kept, lines: &[String], truth: &Mailbox) -> Result<(), String> {
    for line in lines {
        if let Some(set) = line.strip_prefix("* VANISHED (EARLIER) ") {
            let gone = ear::numbers(set);
            kept.messages.retain(|uid, _| !gone.contains(uid));
        } else if let Some(fetched) = ear::fetched(line) {
            let uid = fetched.uid.ok_or_else(|| format!("no UID: {line}"))?;
            kept.messages.insert(uid, fetched.flags);
        }
    }
    let uids: Vec<u32> = truth.messages.iter().map(|message| message.uid).collect();
    if !kept.messages.keys().eq(&uids) {
        return Err(format!("after QRESYNC {:?}, in truth {uids:?}: {lines:?}", kept.messages.keys()));
    }
    for message in &truth.messages {
        if let Some(Some(flags)) = kept.messages.get(&message.uid)
            && *flags != message.flags
        {
            return Err(format!(
                "after QRESYNC UID {} has {flags:?}, in truth {:?}",
                message.uid, message.flags
            ));
        }
    }
    Ok(())
}
