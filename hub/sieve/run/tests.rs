//! Tests: RFC 5228 §5 and those of the extensions.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::{Result, Run, stopped};
use crate::address::MailAddress;
use crate::date::{Moment, read_zone};
use crate::matching::{self, MatchType};
use crate::message::EnvelopeField;
use crate::outcome::SeenId;
use crate::program::{AddressPart, Duplicate, Index, Keys, Matching, Test, UniqueId, Zone};
use crate::text::{MATCHES, Text};

/// What compiling a regular expression costs, in octets of other work.
const REGEX: usize = 64 * 1_000;
/// Octets of an id of the duplicate test that count; longer ones are cut.
const ID: usize = 1_000;

impl<'a> Run<'a> {
    pub(super) fn test(&mut self, test: &'a Test) -> Result<bool> {
        self.step(0)?;
        match test {
            Test::Address { index, part, matching, headers, keys } => {
                let values = self.addresses(headers, *index, *part)?;
                self.fits(*matching, keys, values)
            }
            Test::AllOf(tests) => self.all(tests, true),
            Test::AnyOf(tests) => self.all(tests, false).map(|all_false| !all_false),
            Test::Body { of, matching, keys } => self.body(of, *matching, keys),
            Test::Date { header, zone, part, matching, keys } => {
                let Some(value) = self.date(header.as_ref(), zone, part)? else {
                    return self.fits(*matching, keys, Vec::new());
                };
                self.fits(*matching, keys, vec![value])
            }
            Test::Duplicate(duplicate) => self.duplicate(duplicate),
            Test::Envelope { part, matching, fields, keys } => {
                let values = self.envelope(fields, *part)?;
                self.fits(*matching, keys, values)
            }
            Test::Environment { item, matching, keys } => {
                let item = self.text(item)?.to_ascii_lowercase();
                let values = self.around.environment(&item).into_iter().collect();
                self.fits(*matching, keys, values)
            }
            Test::Exists(names) => {
                for name in self.texts(names)? {
                    self.step(self.header.size())?;
                    if self.header.fields(&name).next().is_none() {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Test::Fixed(result) | Test::Have(result) => Ok(*result),
            Test::HasFlag { variables, matching, flags } => {
                let values = self.flags_of(variables)?;
                self.has_flag(*matching, flags, values)
            }
            Test::Header { index, matching, headers, keys } => {
                let values = self.headers(headers, *index)?;
                self.fits(*matching, keys, values)
            }
            Test::MailboxExists(names) => {
                let names = self.texts(names)?;
                Ok(names.iter().all(|name| self.around.mailbox_exists(name)))
            }
            Test::Not(test) => Ok(!self.test(test)?),
            Test::Size { over: true, limit } => Ok(self.size() > *limit),
            Test::Size { over: false, limit } => Ok(self.size() < *limit),
            Test::SpecialUseExists { mailbox, flags } => {
                let mailbox = mailbox.as_ref().map(|mailbox| self.text(mailbox)).transpose()?;
                let flags = self.texts(flags)?;
                let exists = |flag: &Cow<'_, str>| self.around.special_use_exists(mailbox.as_deref(), flag);
                Ok(flags.iter().all(exists))
            }
            Test::String { matching, sources, keys } => {
                let mut values: Vec<String> = self.texts(sources)?.into_iter().map(Cow::into_owned).collect();
                // RFC 5229 §5: empty strings do not count.
                if matches!(matching.kind, MatchType::Count(_)) {
                    values.retain(|value| !value.is_empty());
                }
                self.fits(*matching, keys, values)
            }
        }
    }

    /// Octets of the message with the header as the script has made it.
    fn size(&self) -> u64 {
        let size = self.message.size();
        if !self.header.is_edited {
            return size;
        }
        size.saturating_sub(self.arrived as u64) + self.header.size() as u64
    }

    /// Whether all tests have the result; the first one that has not ends it (RFC 5228 §5.2).
    fn all(&mut self, tests: &'a [Test], result: bool) -> Result<bool> {
        for test in tests {
            if self.test(test)? != result {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// True if any value fits any key (RFC 5228 §2.7).
    pub(super) fn fits(&mut self, matching: Matching, keys: &Keys, values: Vec<String>) -> Result<bool> {
        if let MatchType::Count(relation) = matching.kind {
            let count = values.len().to_string();
            for key in self.texts(&keys.texts)? {
                self.step(key.len())?;
                if relation.holds(matching.comparator.compare(&count, &key)) {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        let texts = self.texts(&keys.texts)?;
        let compiled = self.compiled(matching, keys, &texts)?;
        for value in &values {
            for (number, key) in texts.iter().enumerate() {
                let regex = compiled.get(number).and_then(|regex| regex.as_deref());
                if self.fits_key(matching, value, key, regex)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Regular expressions of all keys; those with variables can only be made now.
    fn compiled(
        &mut self,
        matching: Matching,
        keys: &Keys,
        texts: &[Cow<'_, str>],
    ) -> Result<Vec<Option<Arc<regex::Regex>>>> {
        let mut out = Vec::with_capacity(keys.compiled.len());
        for (compiled, text) in keys.compiled.iter().zip(texts) {
            out.push(match compiled {
                Some(regex) => Some(Arc::clone(regex)),
                // One that is not valid matches nothing.
                None => {
                    self.step(REGEX)?;
                    matching::regex(text, matching.comparator, self.limits.regex).map(Arc::new).ok()
                }
            });
        }
        Ok(out)
    }

    fn fits_key(
        &mut self,
        matching: Matching,
        value: &str,
        key: &str,
        regex: Option<&regex::Regex>,
    ) -> Result<bool> {
        let comparator = matching.comparator;
        self.step(value.len() + key.len())?;
        Ok(match matching.kind {
            MatchType::Contains => comparator.fold(value).contains(&*comparator.fold(key)),
            MatchType::Is | MatchType::Count(_) => comparator.equals(value, key),
            MatchType::Matches => {
                // A star may be tried at every place.
                self.step(value.len().saturating_mul(key.len()) / 64)?;
                let captures = matching::matches(key, value, comparator);
                self.remember(captures)
            }
            MatchType::Regex => {
                self.step(value.len().saturating_mul(4))?;
                let captures = regex.and_then(|regex| regex.captures(value)).map(|captures| {
                    captures.iter().map(|part| part.map_or("", |part| part.as_str()).to_owned()).collect()
                });
                self.remember(captures)
            }
            MatchType::Value(relation) => relation.holds(comparator.compare(value, key)),
        })
    }

    /// RFC 5229 §3.2: a match that fails leaves the match variables as they are.
    fn remember(&mut self, captures: Option<Vec<String>>) -> bool {
        let Some(mut captures) = captures else { return false };
        captures.truncate(MATCHES);
        for capture in &mut captures {
            capture.truncate(capture.floor_char_boundary(self.limits.value));
        }
        self.matches = captures;
        true
    }

    /// RFC 5232 §4: a key can name several flags, and each is looked for.
    fn has_flag(&mut self, matching: Matching, keys: &Keys, values: Vec<String>) -> Result<bool> {
        if matches!(matching.kind, MatchType::Is) {
            let flags = self.read_flags(&keys.texts)?;
            let has = |flag: &String| values.iter().any(|value| value.eq_ignore_ascii_case(flag));
            return Ok(flags.iter().any(has));
        }
        self.fits(matching, keys, values)
    }

    fn headers(&mut self, names: &[Text], index: Option<Index>) -> Result<Vec<String>> {
        let mut values = Vec::new();
        for name in self.texts(names)? {
            self.step(self.header.size())?;
            let fields: Vec<_> = self.header.fields(&name).collect();
            let chosen = chosen(fields.len(), index);
            values.extend(fields[chosen].iter().map(|field| field.value()));
        }
        Ok(values)
    }

    /// RFC 5228 §5.1.
    fn addresses(&mut self, names: &[Text], index: Option<Index>, part: AddressPart) -> Result<Vec<String>> {
        let mut values = Vec::new();
        for name in self.texts(names)? {
            self.step(self.header.size())?;
            let fields: Vec<_> = self.header.fields(&name).collect();
            for field in &fields[chosen(fields.len(), index)] {
                let addresses = field.addresses();
                // What is no address can only be compared as a whole.
                if addresses.is_empty() && part == AddressPart::All {
                    values.extend(Some(field.value()).filter(|value| !value.is_empty()));
                }
                let addresses = addresses.into_iter().map(|(local, domain)| MailAddress { local, domain });
                values.extend(addresses.filter_map(|address| address.part(part)));
            }
        }
        Ok(values)
    }

    /// RFC 5228 §5.4: of the null reverse-path, every part is empty.
    fn envelope(&mut self, fields: &[Text], part: AddressPart) -> Result<Vec<String>> {
        let mut values = Vec::new();
        for field in self.texts(fields)? {
            let field = match field.to_ascii_lowercase().as_str() {
                "auth" => EnvelopeField::Auth,
                "from" => EnvelopeField::From,
                "to" => EnvelopeField::To,
                _ => return Err(stopped(format!("the envelope has no {field:?}"))),
            };
            let Some(value) = self.around.envelope(field) else { continue };
            values.extend(match MailAddress::split(&value) {
                Some(address) => address.part(part),
                None => Some(String::new()).filter(|_| part != AddressPart::Detail),
            });
        }
        Ok(values)
    }

    /// RFC 5260 §4; `None` if there is no such field, or no date in it.
    fn date(
        &mut self,
        header: Option<&(Text, Option<Index>)>,
        zone: &Zone,
        part: &Text,
    ) -> Result<Option<String>> {
        let mut moment = match header {
            None => Moment { seconds: self.around.now(), zone: 0 },
            Some((name, index)) => {
                let name = self.text(name)?;
                self.step(self.header.size())?;
                let fields: Vec<_> = self.header.fields(&name).collect();
                let field = fields[chosen(fields.len(), *index)].first();
                match field.and_then(|field| Moment::read(&field.value())) {
                    Some(moment) => moment,
                    None => return Ok(None),
                }
            }
        };
        match zone {
            Zone::At(text) => {
                let text = self.text(text)?;
                moment.zone = read_zone(&text).ok_or_else(|| stopped(format!("{text:?} is no time zone")))?;
            }
            // The hub's own zone is UTC: it serves people in any.
            Zone::Local => moment.zone = 0,
            Zone::Original => {}
        }
        let part = self.text(part)?;
        moment.part(&part).map(Some).ok_or_else(|| stopped(format!("a date has no part {part:?}")))
    }

    /// RFC 7352 §3.
    fn duplicate(&mut self, duplicate: &Duplicate) -> Result<bool> {
        let value = match &duplicate.id {
            UniqueId::Value(text) => self.text(text)?.into_owned(),
            UniqueId::Header(name) => {
                let name = self.text(name)?;
                self.step(self.header.size())?;
                let Some(field) = self.header.fields(&name).next() else { return Ok(false) };
                field.value()
            }
        };
        if value.is_empty() {
            return Ok(false);
        }
        let handle = duplicate.handle.as_ref().map(|handle| self.text(handle)).transpose()?;
        let value = &value[..value.floor_char_boundary(ID)];
        // Without a handle, names of fields must not be mixed up either (RFC 7352 §3.1).
        let id = format!("{}\n{value}", handle.as_deref().unwrap_or_default());
        let is_duplicate = self.around.is_duplicate(&id);
        let is_noted = self.ids.iter().any(|seen| seen.id == id);
        if (!is_duplicate || duplicate.last) && !is_noted {
            if self.ids.len() >= self.limits.actions {
                return Err(stopped("too many ids are looked for"));
            }
            self.ids.push(SeenId { id, seconds: duplicate.seconds });
        }
        Ok(is_duplicate)
    }
}

/// Which of so many fields are meant (RFC 5260 §6).
pub(super) fn chosen(count: usize, index: Option<Index>) -> Range<usize> {
    let Some(Index { number, last }) = index else { return 0..count };
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    if number == 0 || number > count {
        return 0..0;
    }
    let place = if last { count - number } else { number - 1 };
    place..place + 1
}
