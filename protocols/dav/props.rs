//! The table of live properties: one entry each. What is not in it is dead: kept as it was sent.

mod items;
mod sharing;
mod table;
mod values;

use hub::Address;
use hub::collections::{Access, Collection, CollectionGrant, CollectionKind, Item, Notification};
use hub::files::{FileLock, Granted, Node, PropertyName};
use hub::rooms::Room;

use crate::xml::{DAV, Element, MICROSOFT, Name, PropStat, Xml};
use table::{Live, TABLE};

pub(crate) use items::{COMPONENTS, MOST_INSTANCES};
pub(crate) use sharing::notification;
pub(crate) use values::{active_lock, sync_state, sync_token};

/// Properties that one request may name: times rows, they are what an answer costs.
const MAX_NAMES: usize = 256;

/// Bytes that hold what most rows say.
const MOST_ANSWERS: usize = 512;

/// What a property is asked of.
pub(crate) struct Subject<'a> {
    pub(crate) what: What<'a>,
    pub(crate) context: &'a Context,
    /// Those that cover it.
    pub(crate) locks: Vec<&'a FileLock>,
    pub(crate) dead: &'a [(PropertyName, String)],
}

#[derive(Clone, Copy)]
pub(crate) enum What<'a> {
    Node(&'a Node),
    /// A folder that the hub makes up, above the homes.
    Above,
    Collection(CollectionKind, &'a Collection),
    /// The home of calendars or address books.
    Home(CollectionKind),
    /// With what a report shows of its content.
    Item(CollectionKind, &'a Item, Option<&'a str>),
    Principal,
    /// The twins that may act for one (caldav-proxy §5.2).
    ProxyGroup(Access),
    /// Where the twin finds what it has not seen yet, and one thing of it.
    Notifications(&'a [Notification]),
    Notification(&'a Notification),
    /// The principal of a room, which every twin may look at.
    Room(&'a Room),
    /// A folder that the hub makes up, with what others share.
    Shares(&'a Node),
}

impl What<'_> {
    /// Of calendars and address books, and what lies in them.
    fn kind(&self) -> Option<CollectionKind> {
        match self {
            Self::Collection(kind, _) | Self::Home(kind) | Self::Item(kind, ..) => Some(*kind),
            Self::Above
            | Self::Node(_)
            | Self::Notification(_)
            | Self::Notifications(_)
            | Self::Principal
            | Self::ProxyGroup(_)
            | Self::Room(_)
            | Self::Shares(_) => None,
        }
    }
}

/// What is the same for all rows of an answer; only what is asked for has been looked up.
#[derive(Debug, Default)]
pub(crate) struct Context {
    /// Of the twin whose home or principal is asked about.
    pub(crate) handle: String,
    /// `href` of the twin that asks.
    pub(crate) principal: String,
    /// `href` of the top of the tree that is asked about: the roots of locks are below it.
    pub(crate) files: String,
    pub(crate) quota: Option<(u64, Option<u64>)>,
    /// If the files are somebody else's: what was granted of them.
    pub(crate) share: Option<Granted>,
    /// If the calendar or address book is somebody else's.
    pub(crate) guest: Option<Guest>,
    /// Changes with anything in the home that is asked about.
    pub(crate) home: Option<String>,
    /// What the twin shares of the collections that are asked about.
    pub(crate) grants: Vec<CollectionGrant>,
    /// Who may act for the twin, and for whom it may act.
    pub(crate) proxies: Vec<CollectionGrant>,
    pub(crate) proxy_for: Vec<CollectionGrant>,
    /// All addresses of the twin, as URIs; empty if nobody asks.
    pub(crate) addresses: Vec<String>,
    /// The calendar into which invitations come.
    pub(crate) default_calendar: Option<String>,
}

/// By whose grant the twin that asks sees what it asks about.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    pub(crate) owner: Address,
    pub(crate) access: Access,
}

impl Context {
    /// Whether the twin asks about what is its own.
    pub(crate) fn is_own(&self) -> bool {
        crate::propfind::principal(&self.handle) == self.principal
    }
}

/// `<!ELEMENT propfind ( propname | (allprop, include?) | prop ) >` (RFC 4918 §14.20)
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    All { include: Vec<Name> },
    Names,
    These(Vec<Name>),
}

impl Ask {
    pub(crate) fn all() -> Self {
        Self::All { include: Vec::new() }
    }

    /// From the children of `propfind`, or of a report. `None` if it asks for nothing.
    pub(crate) fn of(element: &Element) -> Result<Option<Self>, crate::status::Refusal> {
        let names = |element: &Element| element.children.iter().map(|child| child.name.clone()).collect();
        let ask = if let Some(prop) = element.dav_child("prop") {
            Self::These(names(prop))
        } else if element.dav_child("propname").is_some() {
            Self::Names
        } else if element.dav_child("allprop").is_some() {
            Self::All { include: element.dav_child("include").map(names).unwrap_or_default() }
        } else {
            return Ok(None);
        };
        match ask.named().len() > MAX_NAMES {
            true => Err(crate::xml::Malformed("too many properties are asked for").into()),
            false => Ok(Some(ask)),
        }
    }

    fn named(&self) -> &[Name] {
        match self {
            Self::All { include: names } | Self::These(names) => names,
            Self::Names => &[],
        }
    }

    /// Whether a property is asked for by its name.
    pub(crate) fn names(&self, namespace: &str, local: &str) -> bool {
        self.named().iter().any(|name| name.is(namespace, local))
    }

    /// Whether a live property of `DAV:` will be in the answer.
    pub(crate) fn wants(&self, local: &str) -> bool {
        let by_itself = || TABLE.iter().any(|live| live.is(DAV, local) && live.in_allprop);
        self.named().iter().any(|name| name.is_dav(local))
            || match self {
                Self::All { .. } => by_itself(),
                Self::Names => true,
                Self::These(_) => false,
            }
    }

    /// Whether dead properties can be in the answer.
    pub(crate) fn wants_dead(&self) -> bool {
        match self {
            Self::All { .. } | Self::Names => true,
            Self::These(names) => names.iter().any(|name| live(name).is_none_or(|live| live.can_be_set)),
        }
    }
}

fn live(name: &Name) -> Option<&'static Live> {
    TABLE.iter().find(|live| live.is(name.namespace(), name.local()))
}

/// RFC 4918 §15: true for what only the server sets.
pub(crate) fn is_protected(name: &Name) -> bool {
    live(name).is_some_and(|live| !live.can_be_set)
}

/// What Windows sets on every file that it copies; kept as dead properties, and heeded.
pub(crate) fn is_win32(name: &Name, local: &str) -> bool {
    name.is(MICROSOFT, local)
}

impl Subject<'_> {
    /// The subject's answer.
    pub(crate) fn answer(&self, ask: &Ask) -> PropStat {
        let mut answer = PropStat::default();
        answer.found.reserve(MOST_ANSWERS);
        match ask {
            Ask::All { include } => {
                for live in TABLE.iter().filter(|live| live.in_allprop && !self.overrides(live)) {
                    self.write(&mut answer.found, live);
                }
                for (_, value) in self.dead {
                    answer.found.fragment(value);
                }
                let is_new = |name: &&Name| live(name).is_none_or(|live| !live.in_allprop);
                include.iter().filter(is_new).for_each(|name| self.one(name, &mut answer));
            }
            Ask::Names => {
                let mut scratch = Xml::default();
                for live in TABLE.iter().filter(|live| !self.overrides(live)) {
                    if self.write(&mut scratch, live) {
                        answer.found.element_of(live.namespace, live.local, |_| {});
                    }
                    scratch.truncate(0);
                }
                for (name, _) in self.dead {
                    answer.found.element_of(&name.namespace, &name.name, |_| {});
                }
            }
            Ask::These(names) => names.iter().for_each(|name| self.one(name, &mut answer)),
        }
        answer
    }

    fn one(&self, name: &Name, answer: &mut PropStat) {
        if let Some(value) = self.dead_value(name.namespace(), name.local()) {
            answer.found.fragment(value);
        } else if !live(name).is_some_and(|live| self.write(&mut answer.found, live)) {
            answer.missing.push(name.clone());
        }
    }

    /// A client has set its own value.
    fn overrides(&self, live: &Live) -> bool {
        live.can_be_set && self.dead_value(live.namespace, live.local).is_some()
    }

    fn dead_value(&self, namespace: &str, local: &str) -> Option<&str> {
        let found = self.dead.iter().find(|(name, _)| name.namespace == namespace && name.name == local);
        found.map(|(_, value)| value.as_str())
    }

    /// Writes the property; false if the subject does not have it.
    fn write(&self, xml: &mut Xml, live: &Live) -> bool {
        let before = xml.len();
        let mut has = false;
        xml.element_of(live.namespace, live.local, |xml| has = (live.value)(self, xml));
        if !has {
            xml.truncate(before);
        }
        has
    }
}
