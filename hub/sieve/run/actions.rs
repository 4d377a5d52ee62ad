//! Actions: noted here, done by whoever asked for the run.

use std::sync::Arc;

use super::{Result, Run, stopped};
use crate::address::read_address;
use crate::compile::is_header_name;
use crate::outcome::{self, Action, Copied};
use crate::program::{DeleteHeader, FileInto, Vacation};
use crate::text::Text;

/// Octets of a mailbox's name.
const MAILBOX: usize = 1024;
/// RFC 5293 §6: fields that tell where a message came from are not for a script to change.
const PROTECTED: [&str; 6] =
    ["received", "auto-submitted", "delivered-to", "return-path", "authentication-results", "x-twinhub-hop"];

impl Run<'_> {
    /// The message as the script has made it so far.
    pub(super) fn copied(&mut self, flags: Vec<String>) -> Result<Copied> {
        Ok(Copied { flags, header: self.edited_header()? })
    }

    fn edited_header(&mut self) -> Result<Option<Arc<[u8]>>> {
        if self.header.is_edited && self.written.is_none() {
            self.step(self.header.size())?;
            self.written = Some(self.header.write().into());
        }
        Ok(self.written.clone())
    }

    fn flags_for(&mut self, flags: Option<&[Text]>) -> Result<Vec<String>> {
        match flags {
            Some(flags) => self.read_flags(flags),
            None => Ok(self.flags.clone()),
        }
    }

    fn push(&mut self, action: Action) -> Result<()> {
        if self.actions.len() >= self.limits.actions {
            return Err(stopped("total number of actions exceeds policy limit"));
        }
        // RFC 5429 §2.1: what is refused cannot have been delivered, or answered, as well.
        let rejects = |action: &Action| matches!(action, Action::Reject { .. });
        if !self.actions.is_empty() && (rejects(&action) || self.actions.iter().any(rejects)) {
            return Err(stopped("reject goes with no other action"));
        }
        self.actions.push(action);
        Ok(())
    }

    pub(super) fn keep(&mut self, flags: Option<&[Text]>) -> Result<()> {
        let flags = self.flags_for(flags)?;
        let copied = self.copied(flags)?;
        self.keeps_implicitly = false;
        match self.kept_in_inbox() {
            Some(earlier) => {
                *earlier = copied;
                Ok(())
            }
            None => self.push(Action::Keep(copied)),
        }
    }

    /// RFC 5228 §2.10.3: once is enough; what was said last counts.
    fn kept_in_inbox(&mut self) -> Option<&mut Copied> {
        self.actions.iter_mut().find_map(|action| match action {
            Action::Keep(copied) => Some(copied),
            Action::FileInto(into) if is_inbox(into) => Some(&mut into.copied),
            _ => None,
        })
    }

    pub(super) fn file_into(&mut self, file_into: &FileInto) -> Result<()> {
        let mailbox = self.text(&file_into.mailbox)?.into_owned();
        if mailbox.is_empty() || mailbox.len() > MAILBOX || mailbox.chars().any(char::is_control) {
            return Err(stopped("this is no name of a mailbox"));
        }
        let special_use = match &file_into.special_use {
            Some(special_use) => Some(self.text(special_use)?.into_owned()),
            None => None,
        };
        let flags = self.flags_for(file_into.flags.as_deref())?;
        let copied = self.copied(flags)?;
        self.keeps_implicitly &= file_into.copy;
        let filed = outcome::FileInto { mailbox, create: file_into.create, special_use, copied };
        if is_inbox(&filed)
            && let Some(earlier) = self.kept_in_inbox()
        {
            *earlier = filed.copied;
            return Ok(());
        }
        let same = |other: &outcome::FileInto| {
            other.mailbox == filed.mailbox && other.special_use == filed.special_use
        };
        let earlier = self.actions.iter_mut().find_map(|action| match action {
            Action::FileInto(other) if same(other) => Some(other),
            _ => None,
        });
        match earlier {
            Some(earlier) => {
                *earlier = filed;
                Ok(())
            }
            None => self.push(Action::FileInto(filed)),
        }
    }

    pub(super) fn redirect(&mut self, address: &Text, copy: bool) -> Result<()> {
        let text = self.text(address)?;
        let address = read_address(&text).ok_or_else(|| stopped(format!("{text:?} is no mail address")))?;
        let header = self.edited_header()?;
        self.keeps_implicitly &= copy;
        let mut redirects = 0;
        for action in &self.actions {
            if let Action::Redirect { address: other, .. } = action {
                if *other == address {
                    return Ok(());
                }
                redirects += 1;
            }
        }
        if redirects >= self.limits.redirects {
            return Err(stopped("number of redirect actions exceeds policy limit"));
        }
        self.push(Action::Redirect { address, header })
    }

    pub(super) fn reject(&mut self, reason: &Text, extended: bool) -> Result<()> {
        let reason = self.text(reason)?.into_owned();
        self.keeps_implicitly = false;
        self.push(Action::Reject { reason, extended })
    }

    /// RFC 5230 §4; it does not cancel the implicit keep.
    pub(super) fn vacation(&mut self, vacation: &Vacation) -> Result<()> {
        if self.actions.iter().any(|action| matches!(action, Action::Vacation(_))) {
            return Err(stopped("a script answers a message only once"));
        }
        let reason = self.text(&vacation.reason)?.into_owned();
        let subject = self.optional(vacation.subject.as_ref())?;
        let from = self.optional(vacation.from.as_ref())?.filter(|from| read_address(from).is_some());
        let handle = match self.optional(vacation.handle.as_ref())? {
            Some(handle) => format!("handle:{handle}"),
            None => {
                let (subject, from) = (subject.as_deref().unwrap_or(""), from.as_deref().unwrap_or(""));
                format!("{}\n{subject}\n{from}\n{reason}", u8::from(vacation.mime))
            }
        };
        let addresses = self.texts(&vacation.addresses)?.into_iter().map(|a| a.into_owned()).collect();
        let (seconds, mime) = (vacation.seconds, vacation.mime);
        let vacation = outcome::Vacation { seconds, subject, from, addresses, mime, handle, reason };
        self.push(Action::Vacation(vacation))
    }

    fn optional(&mut self, text: Option<&Text>) -> Result<Option<String>> {
        text.map(|text| self.text(text).map(|text| text.into_owned())).transpose()
    }

    /// RFC 5293 §4.
    pub(super) fn add_header(&mut self, name: &Text, value: &Text, last: bool) -> Result<()> {
        let name = self.text(name)?.into_owned();
        let value = self.text(value)?.into_owned();
        if !is_header_name(&name) {
            return Err(stopped(format!("{name:?} is no name of a header field")));
        }
        if is_protected(&name) {
            return Ok(());
        }
        self.step(value.len())?;
        if self.header.size() + name.len() + 4 * value.len() > self.limits.header {
            return Err(stopped("the header became too large"));
        }
        self.header.add(&name, &value, last);
        self.written = None;
        Ok(())
    }

    /// RFC 5293 §5.
    pub(super) fn delete_header(&mut self, delete: &DeleteHeader) -> Result<()> {
        let name = self.text(&delete.name)?.into_owned();
        if !is_header_name(&name) {
            return Err(stopped(format!("{name:?} is no name of a header field")));
        }
        if is_protected(&name) {
            return Ok(());
        }
        self.step(self.header.size())?;
        let values: Vec<String> = self.header.fields(&name).map(|field| field.value()).collect();
        let chosen = super::tests::chosen(values.len(), delete.index);
        let mut goes = vec![false; values.len()];
        for (number, value) in values.into_iter().enumerate() {
            goes[number] = chosen.contains(&number)
                && match &delete.values {
                    Some(keys) => self.fits(delete.matching, keys, vec![value])?,
                    None => true,
                };
        }
        self.header.remove(&name, |number, _| goes.get(number).copied().unwrap_or_default());
        self.written = None;
        Ok(())
    }
}

fn is_inbox(into: &outcome::FileInto) -> bool {
    into.special_use.is_none() && into.mailbox.eq_ignore_ascii_case("INBOX")
}

fn is_protected(name: &str) -> bool {
    PROTECTED.iter().any(|protected| protected.eq_ignore_ascii_case(name))
}
