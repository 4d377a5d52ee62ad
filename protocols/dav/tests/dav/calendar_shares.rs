//! Calendars and address books that twins share with each other (Apple's caldav-sharing), and proxies
//! (caldav-proxy).

use crate::world::{ALICE, Answer, BOB, World};

const ALICES: &str = "/dav/calendars/alice@example.org/calendar/";
const BOBS: &str = "/dav/calendars/bob@example.org/";
const NEWS: &str = "/dav/notifications/bob@example.org/";

fn event(uid: &str, summary: &str, more: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART:20260301T100000Z\r\nDTEND:20260301T110000Z\r\n\
         SUMMARY:{summary}\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn share(content: &str) -> String {
    format!("<CS:share xmlns:D=\"DAV:\" xmlns:CS=\"http://calendarserver.org/ns/\">{content}</CS:share>")
}

fn set(access: &str) -> String {
    share(&format!(
        "<CS:set><D:href>mailto:{BOB}</D:href><CS:common-name>Bob</CS:common-name>\
         <CS:summary>Team</CS:summary><CS:{access}/></CS:set>"
    ))
}

fn prop(names: &str) -> String {
    format!(
        "<D:propfind xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\" \
         xmlns:CS=\"http://calendarserver.org/ns/\" xmlns:IC=\"http://apple.com/ns/ical/\">\
         <D:prop>{names}</D:prop></D:propfind>"
    )
}

/// What stands between the tags of the first such element.
fn inner<'a>(text: &'a str, element: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("<{element}>")).unwrap_or_else(|| panic!("{element} in {text}"));
    rest.split_once(&format!("</{element}>")).expect("its end").0
}

/// The row of a multistatus that has this `href`.
fn row<'a>(text: &'a str, href: &str) -> &'a str {
    let found = text.split("<D:response>").find(|row| row.starts_with(&format!("<D:href>{href}</D:href>")));
    found.unwrap_or_else(|| panic!("{href} in {text}"))
}

const XML: (&str, &str) = ("content-type", "application/xml; charset=utf-8");
const ICS: (&str, &str) = ("content-type", "text/calendar");

async fn ask(world: &World, twin: &str, path: &str, depth: &str, names: &str) -> Answer {
    let answer = world.send_as(twin, "PROPFIND", path, &[("depth", depth)], &prop(names)).await;
    assert_eq!(answer.status, 207, "{path}: {}", answer.text());
    answer
}

/// Alice invites Bob, who answers; tells where he finds the calendar.
async fn invite(world: &World, calendar: &str, home: &str, access: &str) -> String {
    let answer = world.send("POST", calendar, &[XML], &set(access)).await;
    assert_eq!((answer.status, answer.field("cache-control")), (200, Some("no-cache")), "{}", answer.text());
    let uid = invitation(world).await;
    let reply = reply(&uid, "accepted");
    let answer = world.send_as(BOB, "POST", home, &[XML], &reply).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("<CS:shared-as "), "{}", answer.text());
    inner(answer.text(), "D:href").to_owned()
}

fn reply(uid: &str, answer: &str) -> String {
    format!(
        "<CS:invite-reply xmlns:D=\"DAV:\" xmlns:CS=\"http://calendarserver.org/ns/\">\
         <D:href>mailto:{BOB}</D:href><CS:invite-{answer}/><CS:hosturl><D:href>{ALICES}</D:href></CS:hosturl>\
         <CS:in-reply-to>{uid}</CS:in-reply-to></CS:invite-reply>"
    )
}

/// The invitation that Bob has not answered yet.
async fn invitation(world: &World) -> String {
    let list = ask(world, BOB, NEWS, "1", "<CS:notificationtype/><D:getetag/>").await;
    let row = list.text().split("<D:response>").find(|row| row.contains("<CS:invite-notification"));
    let href = inner(row.expect("an invitation"), "D:href").to_owned();
    let note = world.send_as(BOB, "GET", &href, &[], "").await;
    assert_eq!(note.status, 200);
    let etag = note.field("etag").expect("one").replace('"', "&quot;");
    assert!(list.text().contains(&etag), "{etag} is not in {}", list.text());
    assert!(note.text().contains("<CS:invite-noresponse/>"), "{}", note.text());
    assert_eq!(inner(inner(note.text(), "CS:organizer"), "D:href"), "/dav/principals/alice@example.org/");
    inner(note.text(), "CS:uid").to_owned()
}

#[tokio::test]
async fn a_calendar_is_offered_accepted_and_seen() {
    let world = World::new().await;
    let put = world.send("PUT", &format!("{ALICES}a.ics"), &[ICS], &event("a", "Alice's", "")).await;
    assert_eq!(put.status, 201, "{}", put.text());
    let before = ask(&world, BOB, BOBS, "0", "<CS:getctag/>").await;
    let shared = invite(&world, ALICES, BOBS, "read").await;
    assert!(shared.starts_with(&format!("{BOBS}shared-")), "{shared}");

    let names = "<D:resourcetype/><D:displayname/><D:owner/><D:current-user-privilege-set/><CS:shared-url/>\
                 <CS:invite/><CS:allowed-sharing-modes/><C:schedule-calendar-transp/>";
    let home = ask(&world, BOB, BOBS, "1", names).await;
    let row_of = row(home.text(), &shared);
    assert!(row_of.contains("<C:calendar/><CS:shared/>"), "{row_of}");
    assert_eq!(inner(row_of, "D:displayname"), "Team");
    assert_eq!(inner(inner(row_of, "D:owner"), "D:href"), "/dav/principals/alice@example.org/");
    assert_eq!(inner(inner(row_of, "CS:shared-url"), "D:href"), ALICES);
    assert!(row_of.contains("<C:transparent/>"), "{row_of}");
    let rights = inner(row_of, "D:current-user-privilege-set");
    assert!(rights.contains("<D:read/>") && !rights.contains("write"), "{rights}");
    assert!(!row_of.contains("can-be-shared"), "{row_of}");
    let own = row(home.text(), &format!("{BOBS}calendar/"));
    assert!(own.contains("can-be-shared") && !own.contains("<CS:shared-owner/>"), "{own}");

    let alices = ask(&world, ALICE, ALICES, "0", "<D:resourcetype/><CS:invite/>").await;
    assert!(alices.text().contains("<CS:shared-owner/>"), "{}", alices.text());
    let user = inner(alices.text(), "CS:user");
    assert!(user.contains("<CS:invite-accepted/><CS:access><CS:read/></CS:access>"), "{user}");
    let news =
        ask(&world, ALICE, "/dav/notifications/alice@example.org/", "1", "<CS:notificationtype/>").await;
    assert!(news.text().contains("<CS:invite-reply/>"), "{}", news.text());
    let href = inner(news.text().rsplit("<D:response>").next().expect("a row"), "D:href").to_owned();
    let answer = world.send("GET", &href, &[], "").await;
    assert!(answer.text().contains("<CS:invite-accepted/>"), "{}", answer.text());
    assert_eq!(world.send("DELETE", &href, &[], "").await.status, 204);
    assert_eq!(world.send("GET", &href, &[], "").await.status, 404);

    // What is in it is read, listed, searched and synchronised as if it were Bob's own.
    let got = world.send_as(BOB, "GET", &format!("{shared}a.ics"), &[], "").await;
    assert_eq!((got.status, got.text()), (200, event("a", "Alice's", "").as_str()));
    let multiget = |href: &str| {
        format!(
            "<C:calendar-multiget xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><D:prop>\
             <D:getetag/><C:calendar-data/></D:prop><D:href>{href}a.ics</D:href></C:calendar-multiget>"
        )
    };
    for path in [shared.as_str(), BOBS] {
        let found = world.send_as(BOB, "REPORT", path, &[("depth", "1")], &multiget(&shared)).await;
        assert!(found.text().contains("SUMMARY:Alice's"), "{path}: {}", found.text());
    }
    let sync = |token: &str| {
        format!(
            "<D:sync-collection xmlns:D=\"DAV:\"><D:sync-token>{token}</D:sync-token>\
             <D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"
        )
    };
    let first = world.send_as(BOB, "REPORT", &shared, &[], &sync("")).await;
    assert!(first.text().contains(&format!("{shared}a.ics")), "{}", first.text());
    let token = inner(first.text(), "D:sync-token").to_owned();
    let after = ask(&world, BOB, BOBS, "0", "<CS:getctag/>").await;
    assert_ne!(inner(before.text(), "CS:getctag"), inner(after.text(), "CS:getctag"));
    world.send("PUT", &format!("{ALICES}b.ics"), &[ICS], &event("b", "more", "")).await;
    let later = ask(&world, BOB, BOBS, "0", "<CS:getctag/>").await;
    assert_ne!(inner(after.text(), "CS:getctag"), inner(later.text(), "CS:getctag"));
    let second = world.send_as(BOB, "REPORT", &shared, &[], &sync(&token)).await;
    assert!(second.text().contains("b.ics") && !second.text().contains("a.ics"), "{}", second.text());
}

#[tokio::test]
async fn who_may_only_read_changes_nothing_but_its_own_view() {
    let world = World::new().await;
    let shared = invite(&world, ALICES, BOBS, "read").await;
    world.send("PUT", &format!("{ALICES}a.ics"), &[ICS], &event("a", "Alice's", "")).await;
    let item = format!("{shared}a.ics");
    for (method, path, fields, body) in [
        ("PUT", item.as_str(), vec![ICS], event("a", "Bob's", "")),
        ("PUT", &format!("{shared}new.ics"), vec![ICS], event("new", "Bob's", "")),
        ("DELETE", &item, vec![], String::new()),
        (
            "MOVE",
            &item,
            vec![("destination", "/dav/calendars/bob@example.org/calendar/a.ics")],
            String::new(),
        ),
        ("POST", &shared, vec![ICS], event("new", "Bob's", "")),
        ("POST", &shared, vec![XML], set("read-write")),
    ] {
        let answer = world.send_as(BOB, method, path, &fields, &body).await;
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text());
        assert!(answer.text().contains("<D:need-privileges>"), "{method}: {}", answer.text());
    }
    // caldav-sharing §5.5.3: name and colour are each one's own.
    let patch = "<D:propertyupdate xmlns:D=\"DAV:\" xmlns:IC=\"http://apple.com/ns/ical/\"><D:set><D:prop>\
                 <D:displayname>Bob's name</D:displayname><IC:calendar-color>#FF0000FF</IC:calendar-color>\
                 <x xmlns=\"urn:x\">y</x></D:prop></D:set></D:propertyupdate>";
    let answer = world.send_as(BOB, "PROPPATCH", &shared, &[], patch).await;
    assert!(answer.text().contains("HTTP/1.1 200"), "{}", answer.text());
    let names = "<D:displayname/><IC:calendar-color/><x xmlns=\"urn:x\"/>";
    let bobs = ask(&world, BOB, &shared, "0", names).await;
    assert_eq!(inner(bobs.text(), "D:displayname"), "Bob's name");
    assert_eq!(inner(bobs.text(), "IC:calendar-color"), "#FF0000FF");
    assert!(bobs.text().contains(">y</"), "{}", bobs.text());
    let alices = ask(&world, ALICE, ALICES, "0", names).await;
    assert_eq!(inner(alices.text(), "D:displayname"), "Calendar");
    assert!(!alices.text().contains("#FF0000FF") && !alices.text().contains(">y</"), "{}", alices.text());
    // The time zone is its owner's.
    let zone = "<D:propertyupdate xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><D:set><D:prop>\
                <C:calendar-timezone></C:calendar-timezone></D:prop></D:set></D:propertyupdate>";
    assert_eq!(world.send_as(BOB, "PROPPATCH", &shared, &[], zone).await.status, 403);
    // Deleting it leaves it: nothing of Alice's is lost.
    assert_eq!(world.send_as(BOB, "DELETE", &shared, &[], "").await.status, 204);
    assert_eq!(world.send_as(BOB, "GET", &item, &[], "").await.status, 404);
    assert_eq!(world.send("GET", &format!("{ALICES}a.ics"), &[], "").await.status, 200);
    let alices = ask(&world, ALICE, ALICES, "0", "<CS:invite/>").await;
    assert!(alices.text().contains("<CS:invite-declined/>"), "{}", alices.text());
}

#[tokio::test]
async fn who_may_write_does_until_it_is_taken_back() {
    let world = World::new().await;
    let shared = invite(&world, ALICES, BOBS, "read-write").await;
    let item = format!("{shared}a.ics");
    let put = |text: String| {
        let (world, item) = (&world, item.as_str());
        async move { world.send_as(BOB, "PUT", item, &[ICS], &text).await.status }
    };
    assert_eq!(put(event("a", "Bob's", "")).await, 201);
    let got = world.send("GET", &format!("{ALICES}a.ics"), &[], "").await;
    assert_eq!(got.text(), event("a", "Bob's", ""));
    // caldav-sharing §5.5.5: in the owner's name only, and what is shared stays in its calendar.
    let invites = |who: &str| format!("ORGANIZER:mailto:{who}\r\nATTENDEE:mailto:carol@elsewhere.test\r\n");
    let answer =
        world.send_as(BOB, "PUT", &format!("{shared}i.ics"), &[ICS], &event("i", "x", &invites(BOB))).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("allowed-organizer-scheduling-object-change"), "{}", answer.text());
    let to = [("destination", "/dav/calendars/bob@example.org/calendar/a.ics")];
    assert_eq!(world.send_as(BOB, "MOVE", &item, &to, "").await.status, 403);
    let into = [("destination", item.as_str())];
    let own = format!("{BOBS}calendar/own.ics");
    assert_eq!(world.send_as(BOB, "PUT", &own, &[ICS], &event("own", "x", "")).await.status, 201);
    assert_eq!(world.send_as(BOB, "MOVE", &own, &into, "").await.status, 403);

    // Less is granted: at once, and without another question.
    assert_eq!(world.send("POST", ALICES, &[XML], &set("read")).await.status, 200);
    assert_eq!(put(event("a", "again", "")).await, 403);
    let list = ask(&world, BOB, NEWS, "1", "<CS:notificationtype/>").await;
    let href = inner(list.text().rsplit("<D:response>").next().expect("a row"), "D:href").to_owned();
    let note = world.send_as(BOB, "GET", &href, &[], "").await;
    assert!(note.text().contains("<CS:invite-accepted/><CS:access><CS:read/>"), "{}", note.text());

    let remove = share(&format!("<CS:remove><D:href>mailto:{BOB}</D:href></CS:remove>"));
    assert_eq!(world.send("POST", ALICES, &[XML], &remove).await.status, 200);
    for method in ["GET", "DELETE", "PROPFIND"] {
        let answer = world.send_as(BOB, method, &item, &[("depth", "0")], "").await;
        assert_eq!(answer.status, 404, "{method}: {}", answer.text());
    }
    let home = ask(&world, BOB, BOBS, "1", "<D:resourcetype/>").await;
    assert!(!home.text().contains("shared"), "{}", home.text());
    let note = world.send_as(BOB, "GET", &href, &[], "").await;
    assert!(note.text().contains("<CS:invite-deleted/>"), "{}", note.text());
    assert_eq!(world.send_as(BOB, "DELETE", &href, &[], "").await.status, 204);
    let uid = inner(note.text(), "CS:uid");
    let answer = world.send_as(BOB, "POST", BOBS, &[XML], &reply(uid, "accepted")).await;
    assert_eq!(answer.status, 404, "what was taken back cannot be accepted");
}

#[tokio::test]
async fn a_shared_address_book_is_among_the_others() {
    let world = World::new().await;
    let home = "/dav/addressbooks/bob@example.org/";
    let alices = "/dav/addressbooks/alice@example.org/contacts/";
    let shared = invite(&world, alices, home, "read-write").await;
    let card = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c\r\nFN:Carol\r\nN:;Carol;;;\r\nEND:VCARD\r\n";
    let put =
        world.send_as(BOB, "PUT", &format!("{shared}c.vcf"), &[("content-type", "text/vcard")], card).await;
    assert_eq!(put.status, 201, "{}", put.text());
    assert_eq!(world.send("GET", &format!("{alices}c.vcf"), &[], "").await.text(), card);
    let list = ask(&world, BOB, home, "1", "<D:resourcetype/>").await;
    assert!(row(list.text(), &shared).contains("<CS:shared/>"), "{}", list.text());
}

#[tokio::test]
async fn a_proxy_acts_in_anothers_home() {
    let world = World::new().await;
    world.send("PUT", &format!("{ALICES}a.ics"), &[ICS], &event("a", "Alice's", "")).await;
    let (principal, home) = ("/dav/principals/alice@example.org/", "/dav/calendars/alice@example.org/");
    for path in [principal, home, ALICES] {
        assert_eq!(world.send_as(BOB, "PROPFIND", path, &[("depth", "0")], "").await.status, 403, "{path}");
    }
    let groups = ask(&world, ALICE, principal, "1", "<D:resourcetype/>").await;
    assert!(groups.text().contains("<D:principal/><CS:calendar-proxy-write/>"), "{}", groups.text());
    let members = |members: &str| {
        format!(
            "<D:propertyupdate xmlns:D=\"DAV:\"><D:set><D:prop><D:group-member-set>{members}\
             </D:group-member-set></D:prop></D:set></D:propertyupdate>"
        )
    };
    let bob = members("<D:href>/dav/principals/bob@example.org/</D:href>");
    let group = |access: &str| format!("{principal}calendar-proxy-{access}/");
    let set = world.send("PROPPATCH", &group("read"), &[], &bob).await;
    assert!(set.text().contains("HTTP/1.1 200"), "{}", set.text());
    let listed = ask(&world, ALICE, &group("read"), "0", "<D:group-member-set/><D:principal-URL/>").await;
    assert!(listed.text().contains("/dav/principals/bob@example.org/"), "{}", listed.text());

    let own = "/dav/principals/bob@example.org/";
    let names = "<D:group-membership/><CS:calendar-proxy-read-for/><CS:calendar-proxy-write-for/>";
    let bobs = ask(&world, BOB, own, "0", names).await;
    assert_eq!(inner(inner(bobs.text(), "D:group-membership"), "D:href"), group("read"));
    assert_eq!(inner(inner(bobs.text(), "CS:calendar-proxy-read-for"), "D:href"), principal);
    let expand = "<D:expand-property xmlns:D=\"DAV:\"><D:property name=\"calendar-proxy-read-for\" \
                  namespace=\"http://calendarserver.org/ns/\"><D:property name=\"calendar-home-set\" \
                  namespace=\"urn:ietf:params:xml:ns:caldav\"/></D:property></D:expand-property>";
    let expanded = world.send_as(BOB, "REPORT", own, &[], expand).await;
    assert_eq!(inner(inner(expanded.text(), "C:calendar-home-set"), "D:href"), home);

    let theirs = ask(&world, BOB, principal, "0", "<C:calendar-home-set/><D:current-user-principal/>").await;
    assert_eq!(inner(inner(theirs.text(), "C:calendar-home-set"), "D:href"), home);
    assert_eq!(inner(inner(theirs.text(), "D:current-user-principal"), "D:href"), own);
    let list = ask(&world, BOB, home, "1", "<D:owner/><D:current-user-privilege-set/>").await;
    let calendar = row(list.text(), ALICES);
    assert_eq!(inner(inner(calendar, "D:owner"), "D:href"), principal);
    assert!(!calendar.contains("<D:write/>"), "{calendar}");
    let item = format!("{ALICES}a.ics");
    assert_eq!(world.send_as(BOB, "GET", &item, &[], "").await.status, 200);
    let put = |uid: &str| event(uid, "for Alice", "ORGANIZER:mailto:alice@example.org\r\n");
    let new = format!("{ALICES}n.ics");
    assert_eq!(world.send_as(BOB, "PUT", &new, &[ICS], &put("n")).await.status, 403);

    world.send("PROPPATCH", &group("write"), &[], &bob).await;
    assert_eq!(world.send_as(BOB, "PUT", &new, &[ICS], &put("n")).await.status, 201);
    let listed = ask(&world, ALICE, &group("read"), "0", "<D:group-member-set/>").await;
    assert!(!listed.text().contains("bob"), "one group at a time: {}", listed.text());
    // Calendars themselves are for their owner to make and remove; nothing else of hers is open.
    let answer = world.send_as(BOB, "MKCALENDAR", &format!("{home}x/"), &[], "").await;
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert_eq!(world.send_as(BOB, "DELETE", ALICES, &[], "").await.status, 403);
    for path in ["/dav/addressbooks/alice@example.org/", "/dav/schedule/alice@example.org/", &group("read")] {
        assert_eq!(world.send_as(BOB, "PROPFIND", path, &[("depth", "0")], "").await.status, 403, "{path}");
    }
    world.send("PROPPATCH", &group("write"), &[], &members("")).await;
    assert_eq!(world.send_as(BOB, "PUT", &item, &[ICS], &put("a")).await.status, 403);
    assert_eq!(world.send_as(BOB, "GET", &item, &[], "").await.status, 403);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let world = World::new().await;
    let stranger = share("<CS:set><D:href>mailto:x@elsewhere.test</D:href><CS:read/></CS:set>");
    let own = share("<CS:set><D:href>mailto:alice@example.org</D:href><CS:read/></CS:set>");
    let many = share(&"<CS:remove><D:href>mailto:bob@example.org</D:href></CS:remove>".repeat(101));
    let long = share(&format!(
        "<CS:set><D:href>mailto:{BOB}</D:href><CS:summary>{}</CS:summary><CS:read/></CS:set>",
        "x".repeat(2000)
    ));
    for (body, status) in [
        (stranger.as_str(), 207),
        (&own, 207),
        (&share("<CS:set><D:href>http://elsewhere.test/</D:href><CS:read/></CS:set>"), 403),
        (&share(&format!("<CS:set><D:href>mailto:{BOB}</D:href></CS:set>")), 400),
        (&share(&format!("<CS:set><D:href>mailto:{BOB}</D:href><CS:read/><CS:read-write/></CS:set>")), 400),
        (&share("<CS:set><CS:read/></CS:set>"), 400),
        (&many, 413),
        (&long, 413),
        ("<x/>", 400),
        ("", 400),
        (&share(&format!("<CS:remove><D:href>mailto:{BOB}</D:href></CS:remove>")), 200),
    ] {
        let answer = world.send("POST", ALICES, &[XML], body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
    let home = "/dav/calendars/alice@example.org/";
    for (body, status) in
        [(reply("nothing", "accepted"), 404), (reply("nothing", "noresponse"), 400), (set("read"), 400)]
    {
        assert_eq!(world.send("POST", home, &[XML], &body).await.status, status, "{body}");
    }
    // Names of what others share are nobody's to give.
    assert_eq!(world.send("MKCALENDAR", &format!("{home}shared-7/"), &[], "").await.status, 400);
    assert_eq!(world.send("PROPFIND", &format!("{home}shared-7/"), &[], "").await.status, 404);
    let group = "/dav/principals/alice@example.org/calendar-proxy-read/";
    for member in ["mailto:x@elsewhere.test", "/dav/files/bob@example.org/", "mailto:alice@example.org"] {
        let body = format!(
            "<D:propertyupdate xmlns:D=\"DAV:\"><D:set><D:prop><D:group-member-set><D:href>{member}</D:href>\
             </D:group-member-set></D:prop></D:set></D:propertyupdate>"
        );
        let answer = world.send("PROPPATCH", group, &[], &body).await;
        assert!(answer.text().contains("HTTP/1.1 403"), "{member}: {}", answer.text());
    }
}
