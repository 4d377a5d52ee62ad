//! What is true: a mailbox as a plain list.

use std::collections::BTreeSet;

pub(crate) type Flags = BTreeSet<String>;

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) uid: u32,
    pub(crate) flags: Flags,
}

#[derive(Clone, Debug)]
pub(crate) struct Mailbox {
    pub(crate) name: String,
    pub(crate) messages: Vec<Message>,
    pub(crate) uid_next: u32,
    /// UIDs that the last command has removed: a client may hear of a message at the beginning of a
    /// command and of its end at the end.
    pub(crate) removed: Vec<u32>,
}

/// What STORE does with the flags.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Add,
    Remove,
    Replace,
}

impl Change {
    pub(crate) fn item(self) -> &'static str {
        match self {
            Self::Add => "+FLAGS",
            Self::Remove => "-FLAGS",
            Self::Replace => "FLAGS",
        }
    }

    pub(crate) fn apply(self, flags: &mut Flags, given: &Flags) {
        match self {
            Self::Add => flags.extend(given.iter().cloned()),
            Self::Remove => flags.retain(|flag| !given.contains(flag)),
            Self::Replace => flags.clone_from(given),
        }
    }
}

impl Mailbox {
    pub(crate) fn new(name: String) -> Self {
        Self { name, messages: Vec::new(), uid_next: 1, removed: Vec::new() }
    }

    pub(crate) fn append(&mut self, flags: Flags) {
        self.messages.push(Message { uid: self.uid_next, flags });
        self.uid_next += 1;
    }

    pub(crate) fn find(&self, uid: u32) -> Option<&Message> {
        self.messages.iter().find(|message| message.uid == uid)
    }

    pub(crate) fn change(&mut self, uids: &BTreeSet<u32>, change: Change, flags: &Flags) {
        for message in self.messages.iter_mut().filter(|message| uids.contains(&message.uid)) {
            change.apply(&mut message.flags, flags);
        }
    }

    /// Removes those of `uids` that are there and returns them.
    pub(crate) fn take(&mut self, uids: &BTreeSet<u32>) -> Vec<Message> {
        let (taken, kept) = self.messages.drain(..).partition(|message| uids.contains(&message.uid));
        self.messages = kept;
        self.removed = taken.iter().map(|message: &Message| message.uid).collect();
        taken
    }

    /// Removes those marked \Deleted, of `uids` if given.
    pub(crate) fn expunge(&mut self, uids: Option<&BTreeSet<u32>>) {
        let goes = |message: &&Message| {
            message.flags.contains("\\Deleted") && uids.is_none_or(|uids| uids.contains(&message.uid))
        };
        let gone: BTreeSet<u32> = self.messages.iter().filter(goes).map(|message| message.uid).collect();
        self.take(&gone);
    }
}
