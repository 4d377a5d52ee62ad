// tsdav as a client of calendars and contacts, ical.js as a reader of what it gets. Node's modules are
// looked for in the working directory.
// node tsdav_session.mjs URL ADDRESS PASSWORD
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(`${process.cwd()}/`);
const { createDAVClient } = require('tsdav');
const [serverUrl, username, password] = process.argv.slice(2);
const login = (defaultAccountType) =>
  createDAVClient({ serverUrl, credentials: { username, password }, authMethod: 'Basic', defaultAccountType });

const calendars = await login('caldav');
await calendars.makeCalendar({
  url: `${new URL(`/dav/calendars/${username}/`, serverUrl)}from-tsdav/`,
  props: { displayname: 'From tsdav' },
});
const calendar = (await calendars.fetchCalendars()).find((one) => one.displayName === 'From tsdav');
assert.ok(calendar, 'the calendar is found from the address of the hub alone');
assert.ok(calendar.components.includes('VEVENT'));

const event = (summary) =>
  [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//tsdav//EN',
    'BEGIN:VEVENT',
    'UID:weekly',
    'DTSTAMP:20260101T000000Z',
    'DTSTART;TZID=Europe/Berlin:20260302T100000',
    'DTEND;TZID=Europe/Berlin:20260302T110000',
    'RRULE:FREQ=WEEKLY;COUNT=10',
    `SUMMARY:${summary}`,
    'END:VEVENT',
    'END:VCALENDAR',
    '',
  ].join('\r\n');
const made = await calendars.createCalendarObject({ calendar, filename: 'weekly.ics', iCalString: event('one') });
assert.equal(made.status, 201);
const timeRange = { start: '2026-04-01T00:00:00Z', end: '2026-04-30T00:00:00Z' };
const objects = await calendars.fetchCalendarObjects({ calendar, timeRange });
assert.equal(objects.length, 1);

// What the hub expands is what ical.js makes of the rule: four weeks, over the change of the clocks.
const { default: ICAL } = await import(require.resolve('ical.js'));
const expanded = await calendars.fetchCalendarObjects({ calendar, timeRange, expand: true });
const starts = expanded.flatMap(({ data }) =>
  new ICAL.Component(ICAL.parse(data))
    .getAllSubcomponents('vevent')
    .map((one) => one.getFirstPropertyValue('dtstart').toString()),
);
assert.deepEqual(
  starts.sort(),
  ['06', '13', '20', '27'].map((day) => `2026-04-${day}T08:00:00Z`),
);
const own = new ICAL.Event(new ICAL.Component(ICAL.parse(objects[0].data)).getFirstSubcomponent('vevent'));
assert.equal(own.summary, 'one');

const changed = await calendars.updateCalendarObject({ calendarObject: { ...objects[0], data: event('two') } });
assert.equal(changed.status, 204);
const stale = await calendars.updateCalendarObject({ calendarObject: { ...objects[0], data: event('three') } });
assert.equal(stale.status, 412, 'with the entity-tag of before');
const synced = await calendars.smartCollectionSync({
  collection: { ...calendar, objects: [], objectMultiGet: calendars.calendarMultiGet },
  method: 'webdav',
  detailedResult: true,
});
assert.equal(synced.objects.created.length, 1);
const etag = changed.headers.get('etag');
assert.equal((await calendars.deleteCalendarObject({ calendarObject: { ...objects[0], etag } })).status, 204);

const contacts = await login('carddav');
const [addressBook] = await contacts.fetchAddressBooks();
const vCardString = 'BEGIN:VCARD\r\nVERSION:3.0\r\nUID:t\r\nFN:Tess\r\nN:;Tess;;;\r\nEND:VCARD\r\n';
const card = await contacts.createVCard({ addressBook, filename: 't.vcf', vCardString });
assert.equal(card.status, 201);
const cards = await contacts.fetchVCards({ addressBook });
assert.ok(cards.some(({ data }) => data.includes('FN:Tess')));
console.log('all done');
