//! Filters of CalDAV (RFC 4791 §9.7) and CardDAV (RFC 6352 §10.5) on one object.

mod alarm;
mod range;

use crate::collation::TextMatch;
use crate::document::Component;
use crate::object::Object;
use crate::property::Property;
use crate::zone::Zone;

pub(crate) use alarm::{Repeats, absolute};
pub use range::TimeRange;

/// `comp-filter`
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentFilter {
    /// In capital letters.
    pub name: String,
    pub test: ComponentTest,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ComponentTest {
    /// One component must pass all of these; with nothing in it, there must be one.
    Defined {
        range: Option<TimeRange>,
        properties: Vec<PropertyFilter>,
        components: Vec<ComponentFilter>,
    },
    NotDefined,
}

/// `prop-filter`
#[derive(Clone, Debug, PartialEq)]
pub struct PropertyFilter {
    pub name: String,
    pub test: PropertyTest,
}

#[derive(Clone, Debug, PartialEq)]
pub enum PropertyTest {
    /// One property of this name must pass all of these, or one of them if `any`; with nothing in
    /// it, there must be one.
    Defined {
        any: bool,
        range: Option<TimeRange>,
        texts: Vec<TextMatch>,
        parameters: Vec<ParameterFilter>,
    },
    NotDefined,
}

/// `param-filter`
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterFilter {
    pub name: String,
    pub test: ParameterTest,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ParameterTest {
    Defined(Option<TextMatch>),
    NotDefined,
}

/// `filter` of an address-book-query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CardFilter {
    /// `test="anyof"`, the default.
    pub any: bool,
    pub properties: Vec<PropertyFilter>,
}

impl CardFilter {
    pub fn takes(&self, card: Component<'_>) -> bool {
        let mut filters = self.properties.iter();
        match self.any {
            _ if self.properties.is_empty() => true,
            true => filters.any(|filter| filter.takes(card)),
            false => filters.all(|filter| filter.takes(card)),
        }
    }
}

impl ComponentFilter {
    /// For the outermost filter, which is of the `VCALENDAR`. `objects` are those in it, `floating`
    /// the clock for times without a zone.
    pub fn takes(&self, calendar: Component<'_>, objects: &[Object<'_>], floating: &Zone) -> bool {
        let found = self.matches(calendar, &Within { objects, floating, parent: None });
        found == matches!(self.test, ComponentTest::Defined { .. })
    }

    fn matches(&self, component: Component<'_>, within: &Within<'_, '_>) -> bool {
        if component.name() != self.name {
            return false;
        }
        let ComponentTest::Defined { range, properties, components } = &self.test else { return true };
        properties.iter().all(|filter| filter.takes(component))
            && range.is_none_or(|range| within.overlaps(component, range))
            && components.iter().all(|filter| {
                let inner = Within { parent: Some(component), ..*within };
                let found = component.children().any(|child| filter.matches(child, &inner));
                found == matches!(filter.test, ComponentTest::Defined { .. })
            })
    }
}

/// Where a component stands.
#[derive(Clone, Copy)]
struct Within<'w, 'd> {
    objects: &'w [Object<'d>],
    floating: &'w Zone,
    parent: Option<Component<'w>>,
}

impl Within<'_, '_> {
    fn overlaps(&self, component: Component<'_>, range: TimeRange) -> bool {
        match (component.name(), self.parent) {
            ("VALARM", Some(parent)) => alarm::rings(component, parent, self.objects, range, self.floating),
            _ => range::overlaps(component, self.objects, range, self.floating),
        }
    }
}

impl PropertyFilter {
    fn takes(&self, component: Component<'_>) -> bool {
        let mut properties = component.properties().filter(|property| property.is(&self.name));
        match &self.test {
            PropertyTest::NotDefined => properties.next().is_none(),
            PropertyTest::Defined { any, range, texts, parameters } => properties.any(|property| {
                let mut tests = texts
                    .iter()
                    .map(|text| text.any(values(&property)))
                    .chain(parameters.iter().map(|parameter| parameter.takes(&property)))
                    .chain(range.iter().map(|range| range.holds(&property)));
                match any {
                    true if texts.is_empty() && parameters.is_empty() && range.is_none() => true,
                    true => tests.any(|passed| passed),
                    false => tests.all(|passed| passed),
                }
            }),
        }
    }
}

impl ParameterFilter {
    fn takes(&self, property: &Property<'_>) -> bool {
        let mut parameters = property.parameters().filter(|one| one.name.eq_ignore_ascii_case(&self.name));
        match &self.test {
            ParameterTest::NotDefined => parameters.next().is_none(),
            ParameterTest::Defined(None) => parameters.next().is_some(),
            ParameterTest::Defined(Some(text)) => parameters.any(|parameter| text.any(&parameter.values)),
        }
    }
}

/// What a text is looked for in: RFC 4791 §9.7.5, the value of the property. Lists and structures
/// are one text, as they stand but for their escapes.
fn values<'p>(property: &Property<'p>) -> [std::borrow::Cow<'p, str>; 1] {
    [property.text()]
}

#[cfg(test)]
mod tests;
