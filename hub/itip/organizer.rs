//! What an organizer's change says to attendees (RFC 6638 §3.2.1), each of whom hears of the instances
//! that invite them and of no others (§3.2.6).

use std::collections::{BTreeMap, BTreeSet};

use crate::address::CalendarUser;
use crate::budget::Budget;
use crate::calendar::{Calendar, Component, Instance};
use crate::compare::{Attendee, attendees, is_new_sequence, is_news, is_rescheduled};
use crate::message::{self, Message, Method};
use crate::plan::Change;
use crate::status::{keep_answers, reset_answers};
use crate::{Error, MOST_ATTENDEES};

type Invited = BTreeMap<CalendarUser, Attendee>;

/// One state of the object, with who is in which component.
struct State<'c> {
    calendar: &'c Calendar,
    /// In the order of the components; empty for what is cancelled.
    invited: Vec<Invited>,
}

/// What one attendee sees of an object.
#[derive(Default)]
struct View {
    has_series: bool,
    instances: BTreeSet<Instance>,
    /// Instances that the attendee is not in, or that were taken out.
    without: BTreeSet<Instance>,
}

/// What is said, in terms of instances: whoever is told the same is told by the same message.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    /// Everything, or the series (if it is so) and some instances; and which ones are to be left out.
    Cancel {
        all: bool,
        instances: BTreeSet<Instance>,
    },
    Request {
        series: bool,
        instances: BTreeSet<Instance>,
        without: BTreeSet<Instance>,
    },
}

/// Sees to what only the server may say in `new`, and finds out who is told what.
pub(crate) fn messages(
    old: Option<&Calendar>,
    new: Option<&mut Calendar>,
    change: &Change<'_>,
) -> Result<Vec<Message>, Error> {
    let new = match new {
        Some(new) => {
            if let Some(old) = old {
                adjust(old, new, change);
            }
            Some(&*new)
        }
        None => None,
    };
    let (before, after) = (old.map(State::new), new.map(State::new));
    if after.as_ref().is_some_and(|state| state.users().len() > MOST_ATTENDEES) {
        return Err(Error::TooMany("attendees"));
    }
    // What came into the calendar by another way may name any number: then nobody is told.
    if before.as_ref().is_some_and(|state| state.users().len() > MOST_ATTENDEES) {
        return Ok(Vec::new());
    }
    let users = [&before, &after].into_iter().flatten().flat_map(State::users);
    let users: BTreeSet<&CalendarUser> = users.filter(|who| !change.owner.has(who)).collect();
    let news = news(old, new);
    let mut said: BTreeMap<Said, BTreeSet<CalendarUser>> = BTreeMap::new();
    for who in users {
        let view =
            |state: &Option<State<'_>>| state.as_ref().map(|state| state.view(who)).unwrap_or_default();
        let is_forced = after.as_ref().is_some_and(|state| state.is_forced(who));
        for one in say(&view(&before), &view(&after), &news, is_forced) {
            said.entry(one).or_default().insert(who.clone());
        }
    }
    let sender = old.or(new).map(Calendar::organizer).transpose()?.flatten();
    let Some(sender) = sender else { return Ok(Vec::new()) };
    let uid = old.or(new).map(|calendar| calendar.uid.clone()).unwrap_or_default();
    let (mut messages, mut budget) = (Vec::new(), Budget::new());
    for (said, to) in said {
        let Some((method, data)) = said.write(old, new, &to, change.now, &mut budget)? else { continue };
        let (uid, sender, recipients) = (uid.clone(), sender.clone(), to.into_iter().collect());
        messages.push(Message { method, uid, sender, recipients, data });
    }
    Ok(messages)
}

/// RFC 6638 §3.2.5 and §3.2.8: `SEQUENCE` and the answers of others follow what was changed, whatever
/// the client wrote.
fn adjust(old: &Calendar, new: &mut Calendar, change: &Change<'_>) {
    let gone =
        |instance: &Option<Instance>, new: &Calendar| instance.is_some() && new.of(*instance).is_none();
    let has_reverted = old.components.iter().any(|one| {
        gone(&one.instance, new)
            && new
                .master()
                .is_some_and(|master| one.instance.is_some_and(|id| !master.excepted.contains(&id)))
    });
    for component in &mut new.components {
        let derived;
        let before = match old.of(component.instance) {
            Some(before) => before,
            None => {
                let like_others = component.instance.and_then(|id| old.master()?.instance(id));
                let Some(like_others) = like_others else { continue };
                derived = like_others;
                &derived
            }
        };
        let is_reverted = component.instance.is_none() && has_reverted;
        if (is_new_sequence(before, component) || is_reverted) && component.sequence() <= before.sequence() {
            component.block.set(format!("SEQUENCE:{}", before.sequence().saturating_add(1)));
        }
        match is_rescheduled(before, component) {
            true => reset_answers(component, change.owner),
            false => keep_answers(before, component, change.owner),
        }
    }
}

/// Components that have something to say that was not said before, by instance.
fn news(old: Option<&Calendar>, new: Option<&Calendar>) -> BTreeSet<Option<Instance>> {
    let (Some(old), Some(new)) = (old, new) else { return BTreeSet::new() };
    let is_new = |component: &&Component| match old.of(component.instance) {
        Some(before) => {
            is_news(before, component) || component.instance.is_none() && is_back(before, component)
        }
        None => true,
    };
    new.components.iter().filter(is_new).map(|component| component.instance).collect()
}

/// Whether instances that were taken out are in the series again.
fn is_back(old: &Component, new: &Component) -> bool {
    !old.excepted.is_subset(&new.excepted)
}

fn say(old: &View, new: &View, news: &BTreeSet<Option<Instance>>, is_forced: bool) -> Vec<Said> {
    let everything = || new.request(new.instances.clone());
    let cancel_all = || Said::Cancel { all: true, instances: old.instances.clone() };
    match (old.is_empty(), new.is_empty()) {
        (true, true) => return Vec::new(),
        (true, false) => return vec![everything()],
        (false, true) => return vec![cancel_all()],
        (false, false) => {}
    }
    match (old.has_series, new.has_series) {
        // From the whole series to some of it: that is another invitation.
        (true, false) => return vec![cancel_all(), everything()],
        (false, true) => return vec![everything()],
        _ => {}
    }
    let has_reverted = new.has_series
        && old.instances.iter().any(|id| !new.instances.contains(id) && !new.without.contains(id));
    let is_back = old.without.iter().any(|id| !new.without.contains(id) && !new.instances.contains(id));
    if new.has_series && (news.contains(&None) || has_reverted || is_back) {
        return vec![everything()];
    }
    let is_told = |id: &&Instance| news.contains(&Some(**id)) || !old.instances.contains(id);
    let told: BTreeSet<Instance> = new.instances.iter().filter(is_told).copied().collect();
    let gone = match new.has_series {
        true => new.without.difference(&old.without).copied().collect(),
        false => old.instances.difference(&new.instances).copied().collect::<BTreeSet<_>>(),
    };
    let mut said = Vec::new();
    if !told.is_empty() {
        said.push(Said::Request { series: false, instances: told, without: BTreeSet::new() });
    }
    if !gone.is_empty() {
        said.push(Said::Cancel { all: false, instances: gone });
    }
    if said.is_empty() && is_forced {
        said.push(everything());
    }
    said
}

impl<'c> State<'c> {
    fn new(calendar: &'c Calendar) -> Self {
        let invited = |component: &Component| match component.is_cancelled() {
            true => Invited::new(),
            false => {
                let mut invited = attendees(component);
                invited.retain(|_, attendee| attendee.is_ours);
                invited
            }
        };
        Self { calendar, invited: calendar.components.iter().map(invited).collect() }
    }

    fn users(&self) -> BTreeSet<&CalendarUser> {
        self.invited.iter().flat_map(Invited::keys).collect()
    }

    fn view(&self, who: &CalendarUser) -> View {
        let mut view = View::default();
        for (component, invited) in self.calendar.components.iter().zip(&self.invited) {
            match (component.instance, invited.contains_key(who)) {
                (None, true) => {
                    view.has_series = true;
                    view.without.extend(&component.excepted);
                }
                (Some(instance), true) => drop(view.instances.insert(instance)),
                (Some(instance), false) => drop(view.without.insert(instance)),
                (None, false) => {}
            }
        }
        view
    }

    fn is_forced(&self, who: &CalendarUser) -> bool {
        self.invited.iter().any(|invited| invited.get(who).is_some_and(|attendee| attendee.is_forced))
    }
}

impl View {
    fn is_empty(&self) -> bool {
        !self.has_series && self.instances.is_empty()
    }

    fn request(&self, instances: BTreeSet<Instance>) -> Said {
        let without = if self.has_series { self.without.clone() } else { BTreeSet::new() };
        Said::Request { series: self.has_series, instances, without }
    }
}

impl Said {
    fn write(
        &self,
        old: Option<&Calendar>,
        new: Option<&Calendar>,
        to: &BTreeSet<CalendarUser>,
        now: i64,
        budget: &mut Budget,
    ) -> Result<Option<(Method, Vec<u8>)>, Error> {
        let (method, source) = match self {
            Self::Request { .. } => (Method::Request, new),
            Self::Cancel { .. } => (Method::Cancel, old),
        };
        let Some(source) = source else { return Ok(None) };
        budget.message(source, to.len())?;
        let mut blocks = Vec::new();
        match self {
            Self::Request { series, instances, without } => {
                if let Some(master) = source.master().filter(|_| *series) {
                    let mut master = master.clone();
                    without.iter().for_each(|instance| master.except(*instance));
                    budget.spend(&master.block)?;
                    blocks.push(message::public(&master, now));
                }
                for component in instances.iter().filter_map(|instance| source.of(Some(*instance))) {
                    budget.spend(&component.block)?;
                    blocks.push(message::public(component, now));
                }
            }
            Self::Cancel { all, instances } => {
                let mut cancel = |component: &Component| {
                    budget.spend(&component.block)?;
                    let is = new.and_then(|new| new.of(component.instance).or_else(|| new.master()));
                    let next = || component.sequence().saturating_add(1);
                    let sequence = is.map_or_else(next, Component::sequence);
                    blocks.push(message::cancelled(component, to, sequence, now));
                    Ok(())
                };
                let is_invited =
                    |component: &&Component| attendees(component).keys().any(|who| to.contains(who));
                match source.master().filter(|_| *all).filter(is_invited) {
                    // RFC 5546 §3.2.5: the series alone stands for all of it.
                    Some(master) => cancel(master)?,
                    None => {
                        let instances = instances.iter().filter_map(|id| instance_of(source, *id));
                        instances.into_iter().try_for_each(|one| cancel(&one))?;
                    }
                }
            }
        }
        Ok((!blocks.is_empty()).then(|| (method, message::calendar(method, source, blocks))))
    }
}

fn instance_of(calendar: &Calendar, instance: Instance) -> Option<Component> {
    calendar.of(Some(instance)).cloned().or_else(|| calendar.master()?.instance(instance))
}
