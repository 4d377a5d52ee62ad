//! NOTIFY (RFC 5465 §8).

use super::command::{Command, Item};
use super::cursor::Cursor;
use super::{Error, Result, fetch};
use crate::notify::{Events, Filter, Group, Notify, SelectedEvents};

/// Most groups of one command, and names in all of them.
const GROUP_LIMIT: usize = 100;
const NAME_LIMIT: usize = 1000;
/// Most events of a group; there are eight.
const EVENT_LIMIT: usize = 32;

/// `notify = "NOTIFY" SP ("SET" [SP "STATUS"] SP event-groups / "NONE")`
pub(super) fn notify(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space()?;
    let mut notify = Notify::default();
    if cursor.eat_keyword("NONE") {
        return Ok(Command::Notify { notify, status: false, supported: true });
    }
    if !cursor.eat_keyword("SET") {
        return Err(Error::Bad("NOTIFY takes SET or NONE"));
    }
    cursor.space()?;
    let status = cursor.eat_keyword("STATUS");
    if status {
        cursor.space()?;
    }
    let mut supported = true;
    loop {
        supported &= group(cursor, &mut notify)?;
        cursor.spaces();
        if cursor.is_at_end() {
            return Ok(Command::Notify { notify, status, supported });
        }
        if notify.groups.len() == GROUP_LIMIT || notify.names() > NAME_LIMIT {
            return Err(Error::Limit("NOTIFY has too many groups or mailboxes"));
        }
    }
}

/// `event-group = "(" filter-mailboxes SP events ")"`; false if there is an event that is not known.
fn group(cursor: &mut Cursor<'_>, notify: &mut Notify) -> Result<bool> {
    cursor.expect(b'(', "An event group is missing")?;
    cursor.spaces();
    let specifier = cursor.keyword()?;
    let filter = match specifier.as_str() {
        "SELECTED" | "SELECTED-DELAYED" => None,
        "INBOXES" | "PERSONAL" => Some(Filter::Personal),
        "SUBSCRIBED" => Some(Filter::Subscribed),
        "SUBTREE" => Some(Filter::Subtree(names(cursor)?)),
        "MAILBOXES" => Some(Filter::Mailboxes(names(cursor)?)),
        _ => return Err(Error::Bad("Unknown mailbox specifier")),
    };
    cursor.space()?;
    let heard = events(cursor)?;
    cursor.spaces();
    cursor.expect(b')', "A parenthesis is missing")?;
    heard.events.check()?;
    match filter {
        Some(mailboxes) if heard.items.is_empty() => {
            notify.groups.push(Group { mailboxes, events: heard.events });
        }
        // RFC 5465 §8: fetch-att may only be there for SELECTED and SELECTED-DELAYED.
        Some(_) => return Err(Error::Bad("Only SELECTED takes what to fetch")),
        None if notify.selected.is_some() => return Err(Error::Bad("SELECTED stands twice")),
        None if heard.events.is_beyond_messages() => {
            return Err(Error::Bad("SELECTED takes events of messages only"));
        }
        None => {
            notify.selected = Some(SelectedEvents {
                delayed: specifier == "SELECTED-DELAYED",
                events: heard.events,
                items: heard.items,
            });
        }
    }
    Ok(heard.supported)
}

/// `one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")"`
fn names(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    cursor.space()?;
    let name = |cursor: &mut Cursor<'_>| Ok(cursor.mailbox()?.without_trailing_separator().to_owned());
    if cursor.peek() == Some(b'(') { cursor.list(NAME_LIMIT, name) } else { Ok(vec![name(cursor)?]) }
}

struct Heard {
    events: Events,
    items: Vec<Item>,
    supported: bool,
}

/// `events = "(" event *(SP event) ")" / "NONE"`; the examples of RFC 5465 §3.1 lack the parentheses.
fn events(cursor: &mut Cursor<'_>) -> Result<Heard> {
    let mut heard = Heard { events: Events::default(), items: Vec::new(), supported: true };
    if cursor.eat_keyword("NONE") {
        return Ok(heard);
    }
    if cursor.peek() == Some(b'(') {
        cursor.list(EVENT_LIMIT, |cursor| event(cursor, &mut heard))?;
        return Ok(heard);
    }
    for _ in 0..EVENT_LIMIT {
        event(cursor, &mut heard)?;
        if cursor.peek() == Some(b')') {
            return Ok(heard);
        }
        cursor.space()?;
    }
    Err(Error::Limit("A list has too many elements"))
}

/// `event = message-event / mailbox-event / user-event / event-ext`
fn event(cursor: &mut Cursor<'_>, heard: &mut Heard) -> Result<()> {
    let events = &mut heard.events;
    match cursor.keyword()?.as_str() {
        "FLAGCHANGE" => events.flags = true,
        "MAILBOXMETADATACHANGE" => events.metadata = true,
        "MAILBOXNAME" => events.names = true,
        "MESSAGEEXPUNGE" => events.expunge = true,
        "MESSAGENEW" => {
            events.new = true;
            let mut ahead = cursor.clone();
            ahead.spaces();
            if ahead.peek() == Some(b'(') {
                *cursor = ahead;
                heard.items = fetch::items(cursor)?;
            }
        }
        "SERVERMETADATACHANGE" => events.server_metadata = true,
        "SUBSCRIPTIONCHANGE" => events.subscriptions = true,
        _ => heard.supported = false,
    }
    Ok(())
}

impl Events {
    /// RFC 5465 §5: neither new nor expunged messages alone, flags only with both.
    fn check(self) -> Result<()> {
        if self.new != self.expunge || (self.flags && !self.new) {
            return Err(Error::Bad("MessageNew and MessageExpunge go together, FlagChange with both"));
        }
        Ok(())
    }
}
